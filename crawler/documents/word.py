"""The binary Word file ([MS-DOC], Word 97 to 2003 and WPS Writer): its characters and properties.

The text is a list of pieces. What is said of a character or a paragraph stands in pages of 512
bytes, found by the place of the text in the stream and not by its place in the text.
"""

from __future__ import annotations

import codecs
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from crawler.documents.flow import Down, Rule
from crawler.documents.numbering import Numbering
from crawler.documents.word_modifiers import DEFINE, SHORT, Told, modifiers, told
from crawler.documents.word_styles import numbering, styles
from crawler.errors import Unreadable

KIND = "doc"
# A long report has 60,000 characters, in some hundred pieces where it was saved in haste.
_MOST_CHARACTERS = 1 << 19
_MOST_PIECES = 1 << 16

_WORD_97, _WORD_6 = 0xA5EC, 0xA5DC
_OLDEST = 0x00C1
_FIB_SHAPE = ((0x20, 14), (0x3E, 22))  # csw, cslw: what stands before and behind them is fixed
_FIB_LENGTH = 0x9A + 93 * 8
_F_ENCRYPTED, _F_TABLE_1 = 0x0100, 0x0200
_CCP = 0x4C  # the lengths of the stories, the main text first, one number between them unused
_STORIES = 8
_BOXES = 6
_FC_CHARACTERS, _FC_PARAGRAPHS, _FC_CLX = 0xFA, 0x102, 0x1A2
_FC_STYLES, _FC_LISTS, _FC_OVERRIDES = 0xA2, 0x2E2, 0x2EA
_FC_SHAPES, _FC_BOXES = 0x1DA, 0x25A
_SHAPE, _BOX, _BOX_SHAPE = 26, 22, 14  # lengths of an entry; where a box names its shape

_PAGE = 512
_ANSI = "".join(
    bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256)
)  # five codes have no character of their own

# Single property modifiers ([MS-DOC] 2.6) of paragraphs and rows.
_IN_TABLE, _ROW_END, _DEPTH, _DEPTH_BY = 0x2416, 0x2417, 0x6649, 0x664A
_INNER_CELL, _INNER_ROW_END = 0x244B, 0x244C
_ELSEWHERE = {0x6645, 0x6646, 0x646B}
_MERGE, _MERGE_DOWN = 0x5624, 0xD62B
# These rebuild a row after it was defined, in files saved in haste by old versions.
_REBUILD = {0x5622, 0x5625, 0x7621, 0x7623}


class Paragraph(NamedTuple):
    """What is said of the paragraph a mark ends. `depth` is 1 in a table, 2 in a table in it."""

    heading: bool = False
    depth: int = 0
    cell_end: bool = False  # of a table in a cell; elsewhere the mark itself says so
    row_end: bool = False
    rules: tuple[Rule, ...] | None = None
    hidden: bool = False  # by its style
    list: int = 0  # 0: in none
    level: int = 0


_PLAIN = Told()


class _Piece(NamedTuple):
    start: int
    end: int
    offset: int  # in the stream
    width: int  # bytes a character
    more: bytes  # properties the piece adds


def damaged(why: str) -> Unreadable:
    return Unreadable("damaged", kind=KIND, why=why)


class Word:
    """An opened file. `text` is the main text and behind it, from `main` on, that of text boxes, a
    UTF-16 unit a character; places are counted in it. Raises Unreadable.
    """

    def __init__(self, streams: Mapping[str, bytes]) -> None:
        self._stream = streams.get("WordDocument", b"")
        flags = _checked(self._stream)
        name = "1Table" if flags & _F_TABLE_1 else "0Table"
        if name not in streams:
            raise damaged(f"no stream {name}")
        self._table = streams[name]
        self._data = streams.get("Data", b"")
        self._prcs: list[bytes] = []
        pieces = self._clx(self._part(_FC_CLX))
        self._pieces, self.main = self._stories(pieces)
        self._starts = [piece.start for piece in self._pieces]
        self.text = "".join(map(self._characters, self._pieces))
        self._runs = _Bins(self._stream, self._part(_FC_CHARACTERS), 1)
        self._marks = _Bins(self._stream, self._part(_FC_PARAGRAPHS), 13)
        self._styles = styles(self._part(_FC_STYLES))
        self._told = lru_cache(maxsize=1024)(self._paragraph)

    def numbering(self) -> Numbering:
        """The lists paragraphs are in."""
        lists = int(struct.unpack_from("<I", self._stream, _FC_LISTS)[0])
        return numbering(self._table, lists, self._part(_FC_OVERRIDES))

    def runs(self) -> Iterator[tuple[int, int, Told]]:
        """Where characters are told to be anything: start, end and what."""
        for piece in self._pieces:
            start = piece.start
            while start < piece.end:
                offset = piece.offset + (start - piece.start) * piece.width
                upto, properties = self._runs.at(offset)
                length = max(1, (upto - offset) // piece.width)
                end = min(piece.end, start + length)
                found = told(properties[1:] + piece.more)
                if found.style in self._styles:
                    found = self._styles[found.style].under(found)
                if found != _PLAIN:
                    yield start, end, found
                start = end

    def paragraph(self, place: int) -> Paragraph:
        """The paragraph whose mark stands at this place."""
        piece = self._pieces[bisect_right(self._starts, place) - 1]
        _, properties = self._marks.at(piece.offset + (place - piece.start) * piece.width)
        return self._told(properties, piece.more)

    def boxes(self) -> list[tuple[int, int, int]]:
        """Each text box: the place it is anchored at, and where its text begins and ends."""
        shapes = _plc(self._part(_FC_SHAPES), _SHAPE)
        anchors = {entry[:4]: min(place, self.main) for place, _, entry in shapes}
        return sorted(
            (anchors.get(entry[_BOX_SHAPE : _BOX_SHAPE + 4], self.main), self.main + start, end)
            for start, stop, entry in _plc(self._part(_FC_BOXES), _BOX)
            for end in [min(self.main + stop, len(self.text))]
            if self.main + start < end
        )

    def _paragraph(self, properties: bytes, more: bytes) -> Paragraph:
        """Rows of a table are told alike, and so are their cells."""
        style, own = properties[1:3], properties[3:]
        number = int.from_bytes(style, "little")
        whole = b"".join([own, *map(self._elsewhere, _elsewhere(own)), more])
        found = self._styles.get(number, _PLAIN).under(told(whole))
        return _paragraph(whole)._replace(
            # The first styles of every file are these: nine headings behind the plain text.
            heading=1 <= number <= 9,
            hidden=bool(found.hidden),
            list=found.list or 0,
            level=found.level or 0,
        )

    def _elsewhere(self, offset: int) -> bytes:
        """Properties too long for their page, from the data stream."""
        if offset + 2 > len(self._data):
            raise damaged("properties outside their stream")
        length = int.from_bytes(self._data[offset : offset + 2], "little")
        return self._data[offset + 2 : offset + 2 + length]

    def _part(self, at: int) -> bytes:
        start, length = struct.unpack_from("<2I", self._stream, at)
        if start + length > len(self._table):
            raise damaged("a table outside its stream")
        return self._table[start : start + length]

    def _clx(self, clx: bytes) -> bytes:
        """The list of pieces; what stands before it are properties that pieces share."""
        at = 0
        while at + 3 <= len(clx) and clx[at] == 1:
            length = int.from_bytes(clx[at + 1 : at + 3], "little")
            self._prcs.append(clx[at + 3 : at + 3 + length])
            at += 3 + length
        if clx[at : at + 1] != b"\2" or at + 5 > len(clx):
            raise damaged("no list of pieces")
        length = int.from_bytes(clx[at + 1 : at + 5], "little")
        pieces = clx[at + 5 : at + 5 + length]
        if len(pieces) < length or length % 12 != 4:
            raise damaged("a list of pieces that is cut short")
        return pieces

    def _stories(self, plc: bytes) -> tuple[list[_Piece], int]:
        """The pieces of the main text and of the text boxes, as one text; where the boxes begin."""
        lengths = struct.unpack_from(f"<{_STORIES}I", self._stream, _CCP)
        main, boxes = lengths[0], lengths[_BOXES]
        if main + boxes > _MOST_CHARACTERS or len(plc) > 12 * _MOST_PIECES:
            raise Unreadable("bomb", kind=KIND, limit=f"{_MOST_CHARACTERS:,} characters")
        count = (len(plc) - 4) // 12
        places = struct.unpack_from(f"<{count + 1}I", plc)
        if any(one > other for one, other in pairwise(places)) or places[-1] < main:
            raise damaged("pieces out of order")
        before = sum(lengths[1:_BOXES]) - lengths[3]  # the fourth is no length
        wanted = ((0, main, 0), (main + before, main + before + boxes, -before))
        found = []
        for first, last, shift in wanted:
            for number, (start, end) in enumerate(pairwise(places)):
                fc, prm = struct.unpack_from("<2xIH", plc, 4 * (count + 1) + 8 * number)
                low, high = max(start, first), min(end, last)
                if low < high:
                    width = 1 if fc & 0x40000000 else 2
                    offset = (fc & 0x3FFFFFFF) // (3 - width) + (low - start) * width
                    more = self._of_piece(prm)
                    found.append(_Piece(low + shift, high + shift, offset, width, more))
        return found, main

    def _of_piece(self, prm: int) -> bytes:
        if prm & 1:
            return self._prcs[prm >> 1] if prm >> 1 < len(self._prcs) else b""
        code = SHORT.get(prm >> 1 & 0x7F)
        return struct.pack("<HB", code, prm >> 8) if code else b""

    def _characters(self, piece: _Piece) -> str:
        length = piece.end - piece.start
        data = self._stream[piece.offset : piece.offset + length * piece.width]
        if len(data) < length * piece.width:
            raise damaged("text outside its stream")
        if piece.width == 1:
            return codecs.charmap_decode(data, "strict", _ANSI)[0]
        text = data.decode("utf-16-le", "surrogatepass")
        # A rare character is two units, and places count units.
        return (
            text if len(text) == length else "".join(map(chr, struct.unpack(f"<{length}H", data)))
        )


def _checked(stream: bytes) -> int:
    """The flags of the file's head, if it is one that can be read."""
    if len(stream) < 32:
        raise damaged("no text")
    magic, version = struct.unpack_from("<2H", stream)
    flags = int(struct.unpack_from("<H", stream, 10)[0])
    if magic == _WORD_6 or (magic == _WORD_97 and version < _OLDEST):
        raise Unreadable("too_old", kind=KIND)
    if magic != _WORD_97 or len(stream) < _FIB_LENGTH:
        raise damaged("no head")
    if flags & _F_ENCRYPTED:
        raise Unreadable("encrypted", kind=KIND)
    if any(struct.unpack_from("<H", stream, at)[0] != words for at, words in _FIB_SHAPE):
        raise damaged("an unknown head")
    return flags


def _plc(data: bytes, width: int) -> Iterator[tuple[int, int, bytes]]:
    """Places in a text, and what is said of each: from where, up to where, an entry."""
    count = max(len(data) - 4, 0) // (4 + width)
    places = struct.unpack_from(f"<{count + 1}I", data) if count else ()
    if any(one > other for one, other in pairwise(places)):
        raise damaged("places out of order")
    for number, (start, end) in enumerate(pairwise(places)):
        at = 4 * (count + 1) + width * number
        yield start, end, data[at : at + width]


class _Bins:
    """Which page tells of the text at an offset of the stream, and what it says ([MS-DOC] 2.8)."""

    def __init__(self, stream: bytes, plc: bytes, width: int) -> None:
        count = (len(plc) - 4) // 8
        if count < 1:
            raise damaged("no properties")
        self._stream, self._width = stream, width
        self._starts = struct.unpack_from(f"<{count + 1}I", plc)
        self._numbers = struct.unpack_from(f"<{count}I", plc, 4 * (count + 1))
        if any(one > other for one, other in pairwise(self._starts)):
            raise damaged("pages out of order")
        self._opened = -1
        self._page = b""
        self._offsets: tuple[int, ...] = ()

    def at(self, offset: int) -> tuple[int, bytes]:
        """Up to which offset, and a byte (a length) with the properties behind it, or nothing."""
        bin_ = bisect_right(self._starts, offset) - 1
        if bin_ < 0:
            return self._starts[0], b""
        if bin_ >= len(self._numbers):
            return 1 << 32, b""
        if self._numbers[bin_] != self._opened:
            self._open(self._numbers[bin_])
        run = bisect_right(self._offsets, offset) - 1
        if run < 0:
            return self._offsets[0], b""
        if run >= len(self._offsets) - 1:
            return self._starts[bin_ + 1], b""
        place = 2 * self._page[4 * len(self._offsets) + self._width * run]
        return self._offsets[run + 1], self._properties(place) if place else b""

    def _open(self, number: int) -> None:
        self._opened, start = number, (number & 0x3FFFFF) * _PAGE
        self._page = self._stream[start : start + _PAGE]
        if len(self._page) < _PAGE:
            raise damaged("a page outside its stream")
        count = self._page[-1]
        if 4 * (count + 1) + self._width * count >= _PAGE:
            raise damaged("a page too full")
        self._offsets = struct.unpack_from(f"<{count + 1}I", self._page)
        if any(one > other for one, other in pairwise(self._offsets)):
            raise damaged("a page out of order")

    def _properties(self, place: int) -> bytes:
        length = self._page[place]
        if self._width == 1:
            return self._page[place : place + 1 + length]
        if length:
            return self._page[place : place + 2 * length]
        # Where the length is even it stands in a second byte.
        length = self._page[place + 1] if place + 1 < _PAGE else 0
        return self._page[place + 1 : place + 2 + 2 * length]


def _elsewhere(properties: bytes) -> Iterator[int]:
    for code, operand in modifiers(properties):
        if code in _ELSEWHERE:
            yield int.from_bytes(operand, "little")


def _paragraph(properties: bytes) -> Paragraph:
    in_table = row_end = inner_row_end = cell_end = False
    depth = 0
    cells: list[_Cell] | None = None
    for code, operand in modifiers(properties):
        if code == _IN_TABLE:
            in_table = operand != b"\0"
        elif code == _ROW_END:
            row_end = operand != b"\0"
        elif code == _INNER_CELL:
            cell_end = operand != b"\0"
        elif code == _INNER_ROW_END:
            inner_row_end = operand != b"\0"
        elif code == _DEPTH:
            depth = int.from_bytes(operand, "little", signed=True)
        elif code == _DEPTH_BY:
            depth += int.from_bytes(operand, "little", signed=True)
        elif code == DEFINE:
            cells = _defined(operand)
        elif cells is not None:
            cells = _merged(cells, code, operand)
    depth = max(depth, 1) if in_table else 0
    return Paragraph(
        depth=depth,
        cell_end=cell_end and depth > 1,
        row_end=inner_row_end if depth > 1 else row_end,
        rules=None if cells is None else _rules(cells),
    )


_DOWN: tuple[Down, ...] = ("", "more", "first", "first")


class _Cell(NamedTuple):
    left: int
    right: int
    across: int  # [MS-DOC] 2.9.317: not 0 for each of a set of cells merged side by side
    down: int


def _defined(operand: bytes) -> list[_Cell] | None:
    """The cells of a row as sprmTDefTable lists them: edges, then flags for some or all."""
    count = operand[0] if operand else 0
    if not count or len(operand) < 1 + 2 * (count + 1):
        return None
    edges = struct.unpack_from(f"<{count + 1}h", operand, 1)
    first = 1 + 2 * (count + 1)
    flags = [
        int.from_bytes(operand[first + 20 * n : first + 20 * n + 2], "little") for n in range(count)
    ]
    return [
        _Cell(left, right, flag & 3, flag >> 5 & 3)
        for (left, right), flag in zip(pairwise(edges), flags, strict=True)
    ]


def _merged(cells: list[_Cell], code: int, operand: bytes) -> list[_Cell] | None:
    """The cells after a modifier of their row; None where it rebuilds the row."""
    if code in _REBUILD:
        return None
    if code == _MERGE_DOWN and len(operand) == 2 and operand[0] < len(cells):
        changed = cells[operand[0]]._replace(down=operand[1] & 3)
        return [*cells[: operand[0]], changed, *cells[operand[0] + 1 :]]
    if code == _MERGE:
        first, limit = operand
        return [
            cell._replace(across=2 if number == first else 1) if first <= number < limit else cell
            for number, cell in enumerate(cells)
        ]
    return cells


def _rules(cells: Iterable[_Cell]) -> tuple[Rule, ...]:
    """Which of two values marks the first of a merged set differs between descriptions of the
    format; the cell that begins the set tells.
    """
    found: list[Rule] = []
    opened = 0
    for cell in cells:
        beside = bool(opened and cell.across and cell.across != opened)
        if not beside:
            opened = cell.across
        found.append(Rule(cell.left, cell.right, beside, _DOWN[cell.down]))
    return tuple(found)
