"""The one way to open a zip: every member within limits, or a refusal that names what is wrong."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from crawler.errors import Unreadable

MAGIC: Final = b"PK\x03\x04"
# Reports are a few hundred kB, scans of them a few MB.
MAX_INFLATED: Final = 64 << 20
MAX_MEMBERS: Final = 4096
# XML of an office packs 20 to 1; below this much nobody minds how well it was packed.
_MAX_RATIO = 200
_SMALL = 16 << 20
_CENTRAL_ENTRY = b"PK\x01\x02"
_ENTRY_HEAD = 46
_END = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF + 22
_LOCAL_NAME = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_F_ENCRYPTED = 0x1
_F_UTF8 = 0x800
# What zipfile raises for archives that are none.
BROKEN: Final = (
    BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


class Package:
    """An opened zip. `kind` names the file in what is raised about it."""

    def __init__(self, archive: ZipFile, kind: str) -> None:
        self.archive = archive
        self.kind = kind
        # A member may be without a name, which `is_dir` does not expect.
        self.infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        self._by_name = {info.filename: info for info in self.infos}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def read(self, member: str | ZipInfo) -> bytes:
        """One member, whole. Raises Unreadable, and KeyError for a name that is not there."""
        info = self._by_name[member] if isinstance(member, str) else member
        if info.flag_bits & _F_ENCRYPTED:
            raise Unreadable("encrypted", kind=self.kind)
        try:
            # zipfile inflates no more than the member's entry says.
            return self.archive.read(info)
        except EOFError as error:
            raise Unreadable("truncated", kind=self.kind) from error
        except BROKEN as error:
            raise Unreadable("damaged", kind=self.kind, why=f"in {info.filename}") from error


@contextmanager
def opened(body: bytes, kind: str) -> Iterator[Package]:
    """Open a zip whose members together stay within bounds. Raises Unreadable."""
    # An entry of the directory costs a kilobyte once read.
    if body.count(_CENTRAL_ENTRY) > MAX_MEMBERS:
        raise Unreadable("bomb", kind=kind, limit=f"{MAX_MEMBERS} members")
    try:
        archive = ZipFile(BytesIO(body))
    except BROKEN as error:
        if _END not in body[-_LONGEST_COMMENT:]:
            raise Unreadable("truncated", kind=kind) from error
        raise Unreadable("damaged", kind=kind, why="no directory of its members") from error
    with archive:
        _check(archive.infolist(), len(body), kind)
        yield Package(archive, kind)


def _check(infos: list[ZipInfo], size: int, kind: str) -> None:
    total = sum(info.file_size for info in infos)
    if total > MAX_INFLATED:
        raise Unreadable("bomb", kind=kind, limit=f"{MAX_INFLATED >> 20} MB")
    if total > max(_SMALL, _MAX_RATIO * size):
        raise Unreadable("bomb", kind=kind, limit=f"{_MAX_RATIO} times its size")
    if any(info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for info in infos):
        raise Unreadable("damaged", kind=kind, why="a packing other than deflate")
    places = sorted((info.header_offset, info.compress_size) for info in infos)
    if any(start + packed > following for (start, packed), (following, _) in pairwise(places)):
        raise Unreadable("damaged", kind=kind, why="members that share their bytes")


def names(body: bytes) -> frozenset[str]:
    """What a zip says it holds, names in ASCII only; of one that is torn what its members say."""
    if not body.startswith(MAGIC) or body.count(_CENTRAL_ENTRY) > MAX_MEMBERS:
        return frozenset()
    end = body.rfind(_END, -_LONGEST_COMMENT)
    spans: Iterator[tuple[int, int]]
    if end >= 0 and end + 22 <= len(body):
        start = end - int.from_bytes(body[end + 12 : end + 16], "little")
        spans = _listed(body, max(start, 0), end)
    else:
        found = _LOCAL_NAME.finditer(body)
        spans = ((one.end(), int.from_bytes(one[1], "little")) for one in found)
    return frozenset(body[at : at + length].decode("ascii", "replace") for at, length in spans)


def _listed(body: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the names stand in the directory: start and length."""
    while at + _ENTRY_HEAD <= end and body.startswith(_CENTRAL_ENTRY, at):
        name, extra, comment = struct.unpack_from("<3H", body, at + 28)
        yield at + _ENTRY_HEAD, name
        at += _ENTRY_HEAD + name + extra + comment


def shown_name(info: ZipInfo) -> str:
    """A member's name as it was written: UTF-8 or, without the flag that says so, GBK."""
    if info.flag_bits & _F_UTF8:
        return info.filename
    try:
        raw = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return info.orig_filename
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return info.orig_filename
