"""A small writer of binary Word files ([MS-DOC]), enough for paragraphs, runs and tables.

Written from the published description and apart from the reader. `Layout` varies what the format
leaves open: how the text is cut into pieces, which of them are compressed, where they lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.noise import compound_file

PARAGRAPH, CELL, PAGE = "\r", "\x07", "\x0c"

HIDDEN = struct.pack("<HB", 0x083C, 1)
DELETED = struct.pack("<HB", 0x0800, 1)
RAISED = struct.pack("<HB", 0x2A48, 1)

_TEXT_AT = 0x400
_LONGEST = 400  # of properties in a page; longer ones stand in the data stream


@dataclass(frozen=True)
class Layout:
    """`piece` is the longest piece, 0 for the whole text as one; `longest` how long properties
    may be before they stand elsewhere; `boxes` are text boxes: where each is anchored, its text.
    `parts` are further tables, by the place in the head that names them.
    """

    seed: int = 0
    piece: int = 0
    compressed: bool = True
    longest: int = _LONGEST
    boxes: tuple[tuple[int, str], ...] = ()
    parts: tuple[tuple[int, bytes], ...] = ()
    flags: int = 0
    version: int = 0x00C1


PLAIN = Layout()


@dataclass(frozen=True)
class Cell:
    """A cell of a row: its right edge is the next one's left. `flags` as in TC80."""

    paragraphs: Sequence[str]
    width: int
    flags: int = 0


FIRST_DOWN, MORE_DOWN = 0x60, 0x20
FIRST_ACROSS, MORE_ACROSS = 1, 2


class WordFile:
    """Text and properties in the order they are written; `bytes` makes the file."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._length = 0
        self._runs: list[tuple[int, bytes]] = []  # up to where, properties
        self._paragraphs: list[tuple[int, bytes]] = []

    def run(self, text: str, properties: bytes = b"") -> None:
        """Some characters of a paragraph."""
        self._text.append(text)
        self._length += len(text.encode("utf-16-le", "surrogatepass")) // 2
        self._runs.append((self._length, properties))

    def end(
        self, mark: str = PARAGRAPH, properties: bytes = b"", style: int = 0, run: bytes = b""
    ) -> None:
        """The mark of a paragraph; `run` are properties of the mark itself."""
        self.run(mark, run)
        self._paragraphs.append((self._length, struct.pack("<H", style) + properties))

    def paragraph(self, text: str, style: int = 0) -> None:
        self.run(text)
        self.end(style=style)

    def row(self, cells: Sequence[Cell], left: int = -108, depth: int = 1) -> None:
        """One row of a table."""
        for cell in cells:
            *lines, last = cell.paragraphs or [""]
            for line in lines:
                self.run(line)
                self.end(properties=in_table(depth))
            self.run(last)
            self.end_cell(depth)
        self.end_row(cells, left, depth)

    def end_cell(self, depth: int = 1) -> None:
        mark, more = (CELL, b"") if depth == 1 else (PARAGRAPH, struct.pack("<HB", 0x244B, 1))
        self.end(mark, in_table(depth) + more)

    def end_row(self, cells: Sequence[Cell], left: int = -108, depth: int = 1) -> None:
        mark, code = (CELL, 0x2417) if depth == 1 else (PARAGRAPH, 0x244C)
        ending = struct.pack("<HB", code, 1)
        if depth > 1:
            ending += struct.pack("<HB", 0x244B, 1)
        self.end(mark, in_table(depth) + ending + definition(cells, left))

    def bytes(self, layout: Layout = PLAIN) -> bytes:
        """The whole file."""
        random = Random(layout.seed)
        boxed = [f"{text}\r" for _, text in layout.boxes]
        text = "".join(self._text + boxed)
        units = text.encode("utf-16-le", "surrogatepass")
        total = len(units) // 2
        cuts = _cuts(total, layout.piece, random)
        stored, pieces = _stored(units, cuts, layout, random)
        data = bytearray()
        marks = [(end, _shortened(more, layout.longest, data)) for end, more in self._paragraphs]
        marks = [*marks, (total, b"\0\0")]
        stream = bytearray(_TEXT_AT) + stored
        table = bytearray(b"\0" * 8)
        parts = {
            0x1A2: _clx(pieces),
            0xFA: _bins(stream, _spans(pieces, [*self._runs, (total, b"")]), 1),
            0x102: _bins(stream, _spans(pieces, marks), 13),
            0x192: bytes(600),  # the document's own properties
            0x1DA: _shapes([place for place, _ in layout.boxes]),
            0x25A: _boxes(boxed),
            **dict(layout.parts),
        }
        for at, part in parts.items():
            struct.pack_into("<2I", stream, at, len(table), len(part))
            table += part
        boxes = sum(map(len, boxed))
        struct.pack_into("<4H", stream, 0, 0xA5EC, layout.version, 0, 0x0804)
        struct.pack_into("<H", stream, 10, 0x0200 | layout.flags)
        struct.pack_into("<2I", stream, 0x18, _TEXT_AT, _TEXT_AT + len(stored))
        for at, number in ((0x20, 14), (0x3E, 22), (0x98, 93)):
            struct.pack_into("<H", stream, at, number)
        struct.pack_into("<I", stream, 0x4C, total - boxes)
        struct.pack_into("<I", stream, 0x64, boxes)
        streams = {"WordDocument": bytes(stream), "1Table": bytes(table)}
        if data:
            streams["Data"] = bytes(data)
        return compound_file(streams, random)


def in_table(depth: int) -> bytes:
    more = struct.pack("<Hi", 0x6649, depth) if depth > 1 else b""
    return struct.pack("<HB", 0x2416, 1) + more


def definition(cells: Sequence[Cell], left: int) -> bytes:
    """sprmTDefTable."""
    edges = [left]
    for cell in cells:
        edges.append(edges[-1] + cell.width)
    body = struct.pack(f"<B{len(edges)}h", len(cells), *edges)
    body += b"".join(struct.pack("<2H16x", cell.flags, cell.width) for cell in cells)
    return struct.pack("<2H", 0xD608, len(body) + 1) + body


STYLES, LISTS, OVERRIDES = 0xA2, 0x2E2, 0x2EA
OF_PARAGRAPHS, OF_CHARACTERS = 1, 2
NO_BASE = 0xFFF


@dataclass(frozen=True)
class Style:
    """A style: of paragraphs or of characters, and what it says of each."""

    kind: int
    paragraph: bytes = b""
    character: bytes = b""
    based: int = NO_BASE


def style_sheet(styles: Mapping[int, Style]) -> bytes:
    """STSH."""
    count = max(styles) + 1
    sheet = struct.pack("<H9H", 18, count, 10, *[0] * 7)
    for number in range(count):
        style = styles.get(number)
        body = b"" if style is None else _style(style, number)
        sheet += struct.pack("<H", len(body)) + body + b"\0" * (len(body) % 2)
    return sheet


def _style(style: Style, number: int) -> bytes:
    told = [style.character]
    if style.kind == OF_PARAGRAPHS:
        told.insert(0, struct.pack("<H", number) + style.paragraph)
    body = struct.pack("<5H", 0x0FFE, style.kind | style.based << 4, len(told), 0, 0)
    body += struct.pack("<H", 2) + "样式\0".encode("utf-16-le")
    for part in told:
        body += struct.pack("<H", len(part)) + part + b"\0" * (len(part) % 2)
    return body


def in_list(number: int, level: int) -> bytes:
    """Properties of a paragraph in a list."""
    return struct.pack("<HHHB", 0x460B, number, 0x260A, level)


def list_tables(
    lists: Mapping[int, Sequence[tuple[int, int, str]]],
    uses: Sequence[tuple[int, Mapping[int, int]]],
) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """PlfLst and PlfLfo. A level is its first number, its format's and its text, where U+0000 is
    the number of the first level; a use is a list and the numbers its levels begin with anew.
    """
    heads, bodies = struct.pack("<H", len(lists)), b""
    for number, levels in lists.items():
        heads += struct.pack("<I22xBx", number, len(levels) == 1)
        for start, format_, text in levels:
            bodies += struct.pack("<IB10xB12x", start, format_, 2)
            bodies += struct.pack("<H", len(text)) + text.encode("utf-16-le")
    records, more = struct.pack("<I", len(uses)), b""
    for number, starts in uses:
        records += struct.pack("<I8xB3x", number, len(starts))
        more += b"\xff" * 4
        for level, start in starts.items():
            more += struct.pack("<2I", start, 0x10 | level)
    return (LISTS, heads + bodies), (OVERRIDES, records + more)


_Piece = tuple[int, int, int, int]  # first and last place in the text, offset, bytes a character


def _cuts(total: int, longest: int, random: Random) -> list[int]:
    cuts = [0]
    while longest and cuts[-1] + longest < total:
        cuts.append(cuts[-1] + random.randint(1, longest))
    return [*cuts, total]


def _stored(
    units: bytes, cuts: Sequence[int], layout: Layout, random: Random
) -> tuple[bytes, list[_Piece]]:
    """The pieces in some order, those of Latin letters a byte a character."""
    spans = list(pairwise(cuts))
    if layout.piece:
        random.shuffle(spans)
    stored = bytearray()
    pieces: list[_Piece] = []
    for start, end in spans:
        wide = units[2 * start : 2 * end]
        narrow = wide[0::2]
        width = 1 if layout.compressed and not any(wide[1::2]) and max(narrow) < 0x80 else 2
        pieces.append((start, end, _TEXT_AT + len(stored), width))
        stored += narrow if width == 1 else wide
        stored += b"\0" * (len(stored) % 2)
    return bytes(stored), pieces


def _clx(pieces: Iterable[_Piece]) -> bytes:
    ordered = sorted(pieces)
    places = [piece[0] for piece in ordered] + [ordered[-1][1]]
    plc = struct.pack(f"<{len(places)}I", *places)
    for _, _, offset, width in ordered:
        fc = 2 * offset | 0x40000000 if width == 1 else offset
        plc += struct.pack("<HIH", 0, fc, 0)
    return struct.pack("<BI", 2, len(plc)) + plc


def _shapes(anchors: Sequence[int]) -> bytes:
    """Where each shape is anchored; its number is its place in the list."""
    places = sorted(range(len(anchors)), key=lambda number: anchors[number])
    plc = struct.pack(f"<{len(places) + 1}I", *(anchors[number] for number in places), 1 << 20)
    return plc + b"".join(struct.pack("<I22x", 1024 + number) for number in places)


def _boxes(texts: Sequence[str]) -> bytes:
    """Where the text of each box begins, and whose it is."""
    plc = struct.pack("<I", 0)
    for number in range(1, len(texts) + 1):
        plc += struct.pack("<I", sum(map(len, texts[:number])))
    return plc + b"".join(struct.pack("<14xI4x", 1024 + number) for number in range(len(texts)))


def _spans(
    pieces: Iterable[_Piece], properties: Sequence[tuple[int, bytes]]
) -> list[tuple[int, int, bytes]]:
    """Where in the stream which properties hold, in the stream's order."""
    found = []
    for start, end, offset, width in sorted(pieces, key=lambda piece: piece[2]):
        at = start
        for upto, more in properties:
            if at < upto and at < end:
                stop = min(upto, end)
                first = offset + (at - start) * width
                found.append((first, offset + (stop - start) * width, more))
                at = stop
    return found


def _bins(stream: bytearray, spans: Sequence[tuple[int, int, bytes]], width: int) -> bytes:
    """Write the pages behind the stream; which page is for which offset."""
    stream.extend(bytes(-len(stream) % 512))
    starts, numbers = [], []
    waiting = list(spans)
    while waiting:
        taken, held = _page(waiting, width)
        starts.append(waiting[0][0])
        numbers.append(len(stream) // 512)
        stream.extend(held)
        del waiting[:taken]
    plc = struct.pack(f"<{len(starts)}I", *starts) + struct.pack("<I", spans[-1][1])
    return plc + struct.pack(f"<{len(numbers)}I", *numbers)


def _page(spans: Sequence[tuple[int, int, bytes]], width: int) -> tuple[int, bytes]:
    """As many runs as one page holds; equal properties stand in it once."""
    page = bytearray(512)
    places: dict[bytes, int] = {}
    low, count = 510, 0
    for _, _, more in spans:
        room = _packed(more, width)
        at = low if room in places else (low - len(room)) & ~1
        if 4 * (count + 2) + width * (count + 1) > at:
            break
        if room not in places:
            places[room] = low = at
            page[at : at + len(room)] = room
        count += 1
    runs = spans[:count]
    offsets = [start for start, _, _ in runs] + [runs[-1][1]]
    struct.pack_into(f"<{count + 1}I", page, 0, *offsets)
    for number, (_, _, more) in enumerate(runs):
        place = places[_packed(more, width)] // 2 if more else 0
        page[4 * (count + 1) + width * number] = place
    page[-1] = count
    return count, bytes(page)


def _packed(more: bytes, width: int) -> bytes:
    if width == 1:
        return bytes([len(more)]) + more
    if len(more) % 2:
        return bytes([(len(more) + 1) // 2]) + more
    return bytes([0, len(more) // 2]) + more


def _shortened(more: bytes, longest: int, data: bytearray) -> bytes:
    """Properties too long for a page go to the data stream."""
    if len(more) <= longest:
        return more
    at = len(data)
    data += struct.pack("<H", len(more) - 2) + more[2:]
    return more[:2] + struct.pack("<HI", 0x6646, at)
