"""doc, xls, ppt, wps: the streams by path; properties, save counters and dates are left out.

The places are those of [MS-DOC] (FIB, Dop) and [MS-XLS] (BIFF8). A word processor older than 97
has others: its streams count as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from crawler.documents import cfb
from crawler.documents.canonical.base import Content, NotUnderstood

RULE = "ole/1"
MAGIC = cfb.MAGIC

_PROPERTIES = {"\x05SummaryInformation", "\x05DocumentSummaryInformation"}
_ENCRYPTED = ("EncryptedPackage",)

# [MS-DOC] 2.5: offsets in the FIB as (offset, length).
_WORD_97 = 0x00C1
_FIB_LENGTH = 0x9A + 93 * 8
_FIB_SHAPE = ((0x20, 14), (0x3E, 22))  # csw, cslw: what stands before and behind them is fixed
_F_ENCRYPTED = 0x0100
_F_TABLE_1 = 0x0200
_F_QUICK_SAVES = 0x00F0
_FC_DOP = 0x192
# The product that saved it, its magic numbers, and the builds that created and revised it.
_FIB_NOISE = ((0x04, 2), (0x22, 8), (0x44, 8))
# [MS-DOC] 2.7.2 DopBase: created, revised, printed, revision, minutes edited.
_DOP_BASE = 84
_DOP_NOISE = (0x14, 18)

# [MS-XLS] 2.3
_BOF, _EOF = 0x0809, 0x000A
_BIFF8 = 0x0600
_FILE_PASS = 0x002F
_BOUND_SHEET = 0x0085
_RECORD_NOISE = {
    0x005C,  # WriteAccess: who saved it
    0x003D,  # Window1: where the window stood, which sheet was open
    0x001D,  # Selection
    0x00A0,  # Scl: the zoom
    0x01C1,  # RecalcId: which Excel calculated it
    0x020B,  # Index, DBCell, ExtSST: where other records stand
    0x00D7,
    0x00FF,
}


def feed(body: bytes, content: Content) -> None:
    """Put the content of a compound file. Raises NotUnderstood."""
    try:
        streams = cfb.streams(body)
    except cfb.Broken as broken:
        raise NotUnderstood(str(broken)) from broken
    if _ENCRYPTED in streams:
        raise NotUnderstood("encrypted")
    table, dop = _dop(streams)
    for path in sorted(streams):
        if path[-1] in _PROPERTIES:
            continue
        # A name may hold anything but U+0000.
        content.put("\0".join(path))
        data = streams[path]
        if path == ("WordDocument",):
            content.put(_document(data))
        elif path == (table,):
            content.put(_blanked(data, dop))
        elif path == ("Workbook",) and _is_biff8(data):
            content.put(*_records(data))
        else:
            content.put(data)


def _is_word_97(data: bytes) -> bool:
    if len(data) < _FIB_LENGTH or data[:2] != b"\xec\xa5":
        return False
    shape = all(_short(data, at) == words for at, words in _FIB_SHAPE)
    return shape and _short(data, 2) >= _WORD_97


def _dop(streams: dict[cfb.Path, bytes]) -> tuple[str, tuple[int, int]]:
    """Which stream holds the document's properties, and where in it what every save changes."""
    data = streams.get(("WordDocument",), b"")
    if not _is_word_97(data):
        return "", (0, 0)
    flags = _short(data, 0x0A)
    if flags & _F_ENCRYPTED:
        raise NotUnderstood("encrypted")
    table = "1Table" if flags & _F_TABLE_1 else "0Table"
    start, length = struct.unpack_from("<2I", data, _FC_DOP)
    if length < _DOP_BASE or start + length > len(streams.get((table,), b"")):
        raise NotUnderstood("a document without its properties")
    return table, (start + _DOP_NOISE[0], _DOP_NOISE[1])


def _document(data: bytes) -> bytes | bytearray:
    if not _is_word_97(data):
        return data
    blanked = _blanked(data, *_FIB_NOISE)
    struct.pack_into("<H", blanked, 0x0A, _short(data, 0x0A) & ~_F_QUICK_SAVES)
    return blanked


def _blanked(data: bytes, *places: tuple[int, int]) -> bytearray:
    blanked = bytearray(data)
    for start, length in places:
        blanked[start : start + length] = bytes(length)
    return blanked


def _is_biff8(data: bytes) -> bool:
    return len(data) >= 6 and (_short(data, 0), _short(data, 4)) == (_BOF, _BIFF8)


def _records(data: bytes) -> Iterator[bytes | bytearray]:
    """The records of a workbook; a walk that leaves the stream is refused."""
    at = depth = 0
    while depth or _short(data, at) == _BOF:
        kind, end = _short(data, at), at + 4 + _short(data, at + 2)
        if end > len(data) or kind == _FILE_PASS:
            raise NotUnderstood("damaged or encrypted")
        record = data[at:end]
        if kind == _BOF:
            depth += 1
            # Behind version and kind: the build that wrote it.
            yield record[:8]
        elif kind == _BOUND_SHEET:
            yield _blanked(record, (4, 4))  # where the sheet begins in the stream
        elif kind not in _RECORD_NOISE:
            yield record
        depth -= kind == _EOF
        at = end
        if not depth and len(data) - at < 4:
            break
    # Streams are filled up to a whole number of sectors.
    yield data[at:].rstrip(b"\0")


def _short(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise NotUnderstood("a stream that ends too soon")
    return int.from_bytes(data[at : at + 2], "little")
