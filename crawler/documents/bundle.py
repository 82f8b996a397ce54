"""zip and rar → the files they hold: within limits of number and size, and none outside itself."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from crawler.documents import zipped
from crawler.errors import Unreadable

_RAR: Final = b"Rar!\x1a\x07"
_MAX_MEMBERS: Final = 500
# Office packages, OFD, OpenDocument, EPUB: zips that are one document.
_ONE_DOCUMENT = frozenset(("[Content_Types].xml", "OFD.xml", "mimetype"))
# What a machine leaves beside the files somebody packed.
_FURNITURE = re.compile(
    r"(?:^|/)(?:__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini)$", re.IGNORECASE
)
_DRIVE = re.compile(r"[A-Za-z]:")
# Findings about all of it, also when a bundle within is meant.
_FATAL = frozenset(("bomb", "climbing"))
_TOOL: Final = "unrar"


@dataclass(frozen=True, slots=True)
class Member:
    """A file within a bundle; `why` is the rule that kept it from being unpacked."""

    name: str
    body: bytes = b""
    why: str = ""


def is_mine(body: bytes) -> bool:
    """A rar, or a zip that is no document by itself."""
    if body.startswith(_RAR):
        return True
    return body.startswith(zipped.MAGIC) and not zipped.names(body) & _ONE_DOCUMENT


def members(body: bytes) -> Iterator[Member]:
    """The files in a bundle and in the bundles right within it. Raises Unreadable."""
    return _Unpacking().outer(body)


class _Unpacking:
    """What all bundles of one file hold, counted together."""

    def __init__(self) -> None:
        self._bytes: int = zipped.MAX_INFLATED
        self._members = _MAX_MEMBERS

    def outer(self, body: bytes) -> Iterator[Member]:
        for member in self._members_of(body):
            if not is_mine(member.body):
                yield member
                continue
            try:
                for inner in self._members_of(member.body):
                    name = f"{member.name}/{inner.name}"
                    if is_mine(inner.body):
                        yield Member(name, why="nested")
                    else:
                        yield Member(name, inner.body, inner.why)
            except Unreadable as error:
                if error.rule in _FATAL:
                    raise
                yield Member(member.name, why=error.rule)

    def _members_of(self, body: bytes) -> Iterator[Member]:
        return self._rar(body) if body.startswith(_RAR) else self._zip(body)

    def _zip(self, body: bytes) -> Iterator[Member]:
        with zipped.opened(body, "zip") as package:
            infos = {info: _safe(zipped.shown_name(info), "zip") for info in package.infos}
            for info, name in infos.items():
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise Unreadable("climbing", kind="zip", member=name)
            self._count("zip", (info.file_size for info in infos))
            for info, name in infos.items():
                if _is_file(name):
                    try:
                        yield Member(name, package.read(info))
                    except Unreadable as error:
                        if error.rule == "encrypted":
                            raise
                        yield Member(name, why=error.rule)

    def _rar(self, body: bytes) -> Iterator[Member]:
        import rarfile

        try:
            with rarfile.RarFile(BytesIO(body)) as archive:
                infos = {info: _safe(info.filename, "rar") for info in archive.infolist()}
                if archive.needs_password():
                    raise Unreadable("encrypted", kind="rar")
                ends = [info.data_offset + info.compress_size for info in infos]
                if not infos or max(ends) > len(body):
                    raise Unreadable("truncated", kind="rar")
                for info, name in infos.items():
                    if info.is_symlink():
                        raise Unreadable("climbing", kind="rar", member=name)
                self._count("rar", (info.file_size for info in infos))
                for info, name in infos.items():
                    if _is_file(name) and not info.is_dir():
                        yield self._unpacked(archive, info, name)
        except (rarfile.NeedFirstVolume, rarfile.NoCrypto) as error:
            raise Unreadable("damaged", kind="rar", why="a part of several") from error
        except (rarfile.Error, *zipped.BROKEN, IndexError) as error:
            raise Unreadable("truncated", kind="rar") from error

    def _unpacked(self, archive: Any, info: Any, name: str) -> Member:
        import rarfile

        try:
            with archive.open(info) as file:
                body = file.read(info.file_size)
        except rarfile.RarCannotExec:
            return Member(name, why="needs_tool")
        except (rarfile.Error, *zipped.BROKEN):
            return Member(name, why="damaged")
        return Member(name, body)

    def _count(self, kind: str, sizes: Iterable[int]) -> None:
        for size in sizes:
            self._bytes -= size
            self._members -= 1
        if self._bytes < 0:
            raise Unreadable("bomb", kind=kind, limit=f"{zipped.MAX_INFLATED >> 20} MB")
        if self._members < 0:
            raise Unreadable("bomb", kind=kind, limit=f"{_MAX_MEMBERS} members")


def _safe(name: str, kind: str) -> str:
    """A member's path with `/`; refuses one that leads out of the bundle."""
    path = name.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
        raise Unreadable("climbing", kind=kind, member=name)
    return path


def _is_file(name: str) -> bool:
    return not name.endswith("/") and not _FURNITURE.search(name)
