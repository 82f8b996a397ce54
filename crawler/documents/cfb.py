"""The container of doc, xls, ppt and wps (OLE2, [MS-CFB]): its streams by path, or a refusal.

Read strictly: every sector is where the tables say, no chain runs in a circle, no two streams
share bytes beyond what the file holds. Whatever a lenient reader would guess at is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# A report has ten or twenty streams; pictures and embedded files bring some more.
_MOST_ENTRIES = 4096
_CUTOFF = 4096  # a shorter stream lies in the mini stream
_MINI = 64
_ENTRY = 128
_END = 0xFFFFFFFE
_NONE = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5

Path = tuple[str, ...]


class _Entry(NamedTuple):
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


class Broken(Exception):
    """Not a compound file, or one whose tables contradict each other or the file's length."""


class Torn(Broken):
    """Its tables lead beyond the end of the file: the rest of it is missing."""


def streams(body: bytes) -> dict[Path, bytes]:
    """Every stream by its path of names. Raises Broken."""
    return _Container(body).streams()


def names(body: bytes) -> frozenset[str]:
    """The names of the streams that stand in no folder. Raises Broken."""
    return frozenset(path[0] for path, _ in _Container(body).tree() if len(path) == 1)


def outermost(body: bytes, wanted: Collection[str]) -> dict[str, bytes]:
    """Those of the wanted streams that stand in no folder; whatever else is damaged is let be.

    Raises Broken.
    """
    return _Container(body).outermost(wanted)


class _Container:
    def __init__(self, body: bytes) -> None:
        if len(body) < 512 or not body.startswith(MAGIC):
            raise Broken("no compound file")
        version, order, shift, mini = struct.unpack_from("<4H", body, 26)
        if (version, shift) not in {(3, 9), (4, 12)} or (order, mini) != (0xFFFE, 6):
            raise Broken("no compound file of a known version")
        self._body = body
        self._sector = 1 << shift
        self._version = version
        self._count = (len(body) - 1) // self._sector  # a last sector may be cut short
        fats, directory = struct.unpack_from("<2I", body, 44)
        cutoff, minifat, minifats, difat, difats = struct.unpack_from("<5I", body, 56)
        if cutoff != _CUTOFF:
            raise Broken("an unknown cutoff")
        fat = b"".join(map(self._at, self._fat_sectors(fats, difat, difats)))
        if len(fat) % self._sector:
            raise Broken("a table that is cut short")
        self._fat = _table(fat)
        self._entries = self._directory(directory)
        root = self._entries[0]
        if minifats * self._sector > len(body) // 16 + self._sector:
            raise Broken("more tables than sectors")
        self._minifat = _table(self._chain(minifat, minifats * self._sector))
        self._ministream = self._chain(root.start, root.size)

    def streams(self) -> dict[Path, bytes]:
        found: dict[Path, bytes] = {}
        size = 0
        for path, entry in self.tree():
            size += entry.size
            if path in found or size > len(self._body):
                raise Broken("streams that share a name or bytes")
            found[path] = self._read(entry)
        return found

    def outermost(self, wanted: Collection[str]) -> dict[str, bytes]:
        tree = ((path[0], entry) for path, entry in self.tree() if len(path) == 1)
        return {name: self._read(entry) for name, entry in tree if name in wanted}

    def _at(self, sector: int) -> bytes:
        if sector >= self._count:
            raise Torn("a sector outside the file")
        start = (sector + 1) * self._sector
        return self._body[start : start + self._sector]

    def _fat_sectors(self, wanted: int, difat: int, difats: int) -> list[int]:
        """The sectors that hold the FAT: 109 are named in the header, more in a chain of lists."""
        fill = self._sector // 4
        if wanted > self._count // fill + 2 or difats > wanted // fill + 2:
            raise Broken("more tables than sectors")
        sectors = list(struct.unpack_from("<109I", self._body, 76))
        for _ in range(difats):
            *more, difat = _table(self._at(difat))
            sectors += more
        sectors = [sector for sector in sectors if sector != _NONE]
        if len(sectors) != wanted:
            raise Broken("a wrong number of tables")
        return sectors

    def _chain(self, start: int, size: int) -> bytes:
        sectors = _follow(start, self._fat, -(-size // self._sector))
        return b"".join(map(self._at, sectors))[:size]

    def _read(self, entry: _Entry) -> bytes:
        if entry.size >= _CUTOFF:
            data = self._chain(entry.start, entry.size)
        else:
            sectors = _follow(entry.start, self._minifat, -(-entry.size // _MINI))
            starts = (sector * _MINI for sector in sectors)
            data = b"".join(self._ministream[start : start + _MINI] for start in starts)
        if len(data) < entry.size:
            raise Torn("a stream shorter than it says")
        return data[: entry.size]

    def _directory(self, start: int) -> list[_Entry]:
        data = b"".join(map(self._at, _whole(start, self._fat)))
        if len(data) % _ENTRY or not _ENTRY <= len(data) <= _MOST_ENTRIES * _ENTRY:
            raise Broken("no directory, or too large a one")
        entries = [self._entry(data[at : at + _ENTRY]) for at in range(0, len(data), _ENTRY)]
        if entries[0].kind != _ROOT:
            raise Broken("a directory without a root")
        return entries

    def _entry(self, data: bytes) -> _Entry:
        length, kind, left, right, child = struct.unpack_from("<HBx3I", data, 64)
        start, size = struct.unpack_from("<IQ", data, 116)
        if self._version == 3:
            size &= 0xFFFFFFFF  # the upper half is garbage with some writers
        if length > 64 or length % 2:
            raise Broken("a name longer than its field, or cut in a letter")
        name = data[: max(length - 2, 0)].decode("utf-16-le", "surrogatepass")
        return _Entry(name, kind, left, right, child, start, size)

    def tree(self) -> Iterator[tuple[Path, _Entry]]:
        """The streams below the root. An entry is reached once."""
        seen: set[int] = set()
        waiting: list[tuple[int, Path]] = [(self._entries[0].child, ())]
        while waiting:
            number, above = waiting.pop()
            if number == _NONE:
                continue
            if number >= len(self._entries) or number in seen:
                raise Broken("a directory that is no tree")
            seen.add(number)
            entry = self._entries[number]
            path = (*above, entry.name)
            waiting += [(entry.left, above), (entry.right, above)]
            if entry.kind == _STREAM:
                yield path, entry
            elif entry.kind == _STORAGE:
                waiting.append((entry.child, path))
            else:
                raise Broken("an unknown kind of entry")


def _table(data: bytes) -> tuple[int, ...]:
    words = len(data) // 4
    return struct.unpack(f"<{words}I", data[: words * 4])


def _whole(start: int, table: tuple[int, ...]) -> Iterator[int]:
    """A chain of sectors to its end."""
    for _ in range(len(table) + 1):
        if start == _END:
            return
        if start >= len(table):
            break
        yield start
        start = table[start]
    raise Broken("a broken chain of sectors")


def _follow(start: int, table: tuple[int, ...], wanted: int) -> list[int]:
    """The first `wanted` sectors of a chain: one longer than its stream has room to spare."""
    sectors = list(islice(_whole(start, table), wanted)) if wanted else []
    if len(sectors) < wanted:
        raise Broken("a chain shorter than its stream")
    return sectors
