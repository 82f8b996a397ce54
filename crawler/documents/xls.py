"""xls → Document: the records of a workbook of Excel 97 and later ([MS-XLS], BIFF8)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from crawler.documents import cfb
from crawler.documents.figures import builtin, shown
from crawler.documents.model import Document
from crawler.documents.sheets import MAX_CELLS, Merge, Sheet, document
from crawler.errors import Unreadable

_KIND: Final = "xls"
_STREAM: Final = "Workbook"
_OLD_STREAM: Final = "Book"
_BIFF8: Final = 0x0600
_BOF, _EOF, _CONTINUE, _FILE_PASS = 0x0809, 0x000A, 0x003C, 0x002F
_DATE_MODE, _FORMAT, _XF, _FONT, _BOUND_SHEET, _SST = 0x0022, 0x041E, 0x00E0, 0x0031, 0x0085, 0x00FC
_ROW, _COLUMNS, _WINDOW, _MERGED = 0x0208, 0x007D, 0x023E, 0x00E5
_LABEL_SST, _LABEL, _RICH, _NUMBER, _RK, _MUL_RK = 0x00FD, 0x0204, 0x00D6, 0x0203, 0x027E, 0x00BD
_BLANK, _MUL_BLANK, _BOOL, _FORMULA, _STRING = 0x0201, 0x00BE, 0x0205, 0x0006, 0x0207
_WORKSHEET: Final = 0
_STRUCK: Final = 0x08
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
           0x24: "#NUM!", 0x2A: "#N/A"}  # fmt: skip
_WIDE, _EXTENDED, _RUNS = 0x01, 0x04, 0x08
_F_ROW_HIDDEN, _F_COLUMN_HIDDEN, _F_ZEROS = 0x20, 0x01, 0x10
_MOST_COLUMNS: Final = 256
_NO_FONT: Final = 4  # fonts are numbered 0 1 2 3 5 6 …


def is_mine(body: bytes) -> bool:
    """A compound file with a workbook and no text document at its root; also when it is torn."""
    if not body.startswith(cfb.MAGIC):
        return False
    try:
        roots = cfb.names(body)
    except cfb.Broken:
        return _entry(_STREAM) in body and _entry("WordDocument") not in body
    return bool(roots & {_STREAM, _OLD_STREAM}) and "WordDocument" not in roots


def _entry(name: str) -> bytes:
    """How a directory writes a name."""
    return (name + "\0").encode("utf-16-le")


def read(body: bytes) -> Document:
    """Open a workbook; its hidden sheets are left out. Raises Unreadable."""
    try:
        streams = cfb.outermost(body, (_STREAM,))
        if _STREAM not in streams:
            raise Unreadable("damaged", kind=_KIND, why="it was saved by Excel 95 or older")
        return document(_KIND, _Workbook(streams[_STREAM]).sheets())
    except cfb.Torn as error:
        raise Unreadable("truncated", kind=_KIND) from error
    except cfb.Broken as error:
        raise Unreadable("damaged", kind=_KIND, why=str(error)) from error
    except (struct.error, IndexError) as error:
        raise Unreadable("damaged", kind=_KIND, why="a record that ends too soon") from error


class _Record(NamedTuple):
    kind: int
    data: bytes


class _Tab(NamedTuple):
    """A sheet as the workbook lists it."""

    start: int
    hidden: bool
    worksheet: bool
    name: str


class _Workbook:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._tabs: list[_Tab] = []
        self._texts: list[str] = []
        self._styles: list[int] = []
        self._codes = dict(builtin())
        self._raised: list[bool] = []
        self._from_1904 = False
        if struct.unpack_from("<HHH", data)[::2] != (_BOF, _BIFF8):
            raise Unreadable("damaged", kind=_KIND, why="no workbook of Excel 97 or later")
        self._read_globals()

    def _records(self, at: int) -> Iterator[_Record]:
        """The records of one substream, those of charts within it left out."""
        depth = 0
        while True:
            kind, length = struct.unpack_from("<HH", self._data, at)
            data = self._data[at + 4 : at + 4 + length]
            if len(data) < length:
                raise Unreadable("truncated", kind=_KIND)
            at += 4 + length
            depth += (kind == _BOF) - (kind == _EOF)
            if depth == 0:
                return
            if depth == 1:
                yield _Record(kind, data)

    def _read_globals(self) -> None:
        pieces: list[bytes] = []
        in_texts = False
        for kind, data in self._records(0):
            if kind == _FILE_PASS:
                raise Unreadable("encrypted", kind=_KIND)
            in_texts = kind == _SST or (in_texts and kind == _CONTINUE)
            if in_texts:
                pieces.append(data)
            elif kind == _DATE_MODE:
                self._from_1904 = data[:1] == b"\1"
            elif kind == _FORMAT:
                self._codes[_short(data, 0)] = _Pieces([data], 2).text()
            elif kind == _XF:
                self._styles.append(_short(data, 2))
            elif kind == _FONT:
                self._raised.append(_short(data, 8) in (1, 2) or bool(_short(data, 2) & _STRUCK))
            elif kind == _BOUND_SHEET:
                start, state, type_ = struct.unpack_from("<IBB", data)
                name = _Pieces([data], 6).text(short=True)
                self._tabs.append(_Tab(start, bool(state & 3), type_ == _WORKSHEET, name))
        if pieces:
            self._texts = list(self._shared(pieces))

    def _shared(self, pieces: list[bytes]) -> Iterator[str]:
        count = struct.unpack_from("<I", pieces[0], 4)[0]
        reader = _Pieces(pieces, 8)
        for _ in range(count):
            if reader.at_end():
                return
            yield self._marked(*reader.rich())

    def _marked(self, text: str, runs: tuple[tuple[int, int], ...]) -> str:
        """The text with its raised and struck parts in brackets: they are no part of a figure."""
        if not any(self._is_raised(font) for _, font in runs):
            return text
        ends = [start for start, _ in runs[1:]] + [len(text)]
        out = text[: runs[0][0]]
        for (start, font), end in zip(runs, ends, strict=True):
            part = text[start:end]
            out += f"[{part}]" if part and self._is_raised(font) else part
        return out

    def _is_raised(self, font: int) -> bool:
        at = font - (font > _NO_FONT)
        return at < len(self._raised) and self._raised[at]

    def sheets(self) -> list[Sheet]:
        """Every worksheet in the order of its tabs."""
        found: list[Sheet] = []
        cells = 0
        for tab in self._tabs:
            if not tab.worksheet:
                continue
            sheet = Sheet(tab.name, tab.hidden)
            if not tab.hidden:
                self._fill(sheet, tab.start)
            cells += len(sheet.cells)
            if cells > MAX_CELLS:
                raise Unreadable("bomb", kind=_KIND, limit=f"{MAX_CELLS:,} cells")
            found.append(sheet)
        return found

    def _fill(self, sheet: Sheet, start: int) -> None:
        zeros = True
        figures: list[tuple[int, int, int, float]] = []
        waiting: tuple[int, int] | None = None  # the formula whose text comes next
        for kind, data in self._records(start):
            if kind in _CELLS:
                row, column = struct.unpack_from("<HH", data)
                waiting = None
                if kind == _FORMULA and data[12:14] == b"\xff\xff":
                    sheet.cells[row, column] = _result(data[6:12])
                    waiting = (row, column) if data[6] == 0 else None
                elif kind in _FIGURES:
                    figures += _figures(kind, data, row, column)
                else:
                    for at, text in self._texts_of(kind, data, column):
                        sheet.cells[row, at] = text
            elif kind == _STRING and waiting:
                sheet.cells[waiting] = _Pieces([data], 0).text()
            elif kind == _WINDOW:
                zeros = bool(_short(data, 0) & _F_ZEROS)
            elif kind == _ROW and _short(data, 12) & _F_ROW_HIDDEN:
                sheet.hidden_rows.add(_short(data, 0))
            elif kind == _COLUMNS and _short(data, 8) & _F_COLUMN_HIDDEN:
                last = min(_short(data, 2), _MOST_COLUMNS)
                sheet.hidden_columns.update(range(_short(data, 0), last + 1))
            elif kind == _MERGED:
                count = min(_short(data, 0), len(data) // 8)
                for top, bottom, left, right in struct.iter_unpack("<4H", data[2 : 2 + 8 * count]):
                    sheet.merges.append(Merge(top, left, bottom, right))
        # Whether zeros are shown is said behind the cells.
        for row, column, style, number in figures:
            sheet.cells[row, column] = self._shown(number, style) if number or zeros else ""

    def _texts_of(self, kind: int, data: bytes, column: int) -> Iterator[tuple[int, str]]:
        if kind == _MUL_BLANK:
            last = min(_short(data, len(data) - 2), _MOST_COLUMNS)
            yield from ((at, "") for at in range(column, last + 1))
        elif kind == _LABEL_SST:
            (number,) = struct.unpack_from("<I", data, 6)
            yield column, self._texts[number] if number < len(self._texts) else "\ufffd"
        elif kind in (_LABEL, _RICH):
            yield column, _Pieces([data], 6).text()
        elif kind == _BOOL:
            yield column, _result(bytes((1 + data[7], 0, data[6])))
        else:
            yield column, ""

    def _shown(self, number: float, style: int) -> str:
        if not math.isfinite(number):
            return "#NUM!"
        code = self._codes.get(self._styles[style]) if style < len(self._styles) else None
        return shown(number, code or "General", self._from_1904)


_FIGURES = frozenset((_NUMBER, _RK, _MUL_RK, _FORMULA))
_CELLS = _FIGURES | {_LABEL_SST, _LABEL, _RICH, _BLANK, _MUL_BLANK, _BOOL}


def _figures(
    kind: int, data: bytes, row: int, column: int
) -> Iterator[tuple[int, int, int, float]]:
    """(row, column, style, number) of the numbers in a record."""
    if kind == _MUL_RK:
        for at in range((len(data) - 6) // 6):
            style, packed = struct.unpack_from("<HI", data, 4 + 6 * at)
            yield row, column + at, style, _unpacked(packed)
    else:
        style = _short(data, 4)
        if kind == _RK:
            yield row, column, style, _unpacked(struct.unpack_from("<I", data, 6)[0])
        else:
            yield row, column, style, struct.unpack_from("<d", data, 6)[0]


def _unpacked(packed: int) -> float:
    """[MS-XLS] 2.5.217: thirty bits of an integer or of a double, perhaps times 100."""
    if packed & 2:
        number = float((packed >> 2) - (1 << 30 if packed & 0x80000000 else 0))
    else:
        number = struct.unpack("<d", bytes(4) + struct.pack("<I", packed & 0xFFFFFFFC))[0]
    return number / 100 if packed & 1 else number


def _result(value: bytes) -> str:
    """What a formula shows that gives no number: [MS-XLS] 2.5.133; a text follows by itself."""
    if value[0] == 1:
        return "TRUE" if value[2] else "FALSE"
    return _ERRORS.get(value[2], "#N/A") if value[0] == 2 else ""


def _short(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])


class _Pieces:
    """Strings in a record and those that continue it."""

    def __init__(self, pieces: list[bytes], at: int) -> None:
        self._pieces = pieces
        self._number = 0
        self._at = at

    def at_end(self) -> bool:
        return self._number >= len(self._pieces) - 1 and self._at >= len(self._pieces[-1])

    def text(self, short: bool = False) -> str:
        """A string behind its length (in one byte where `short`) and how wide it is written."""
        length = self._bytes(1)[0] if short else _short(self._bytes(2), 0)
        return self._letters(length, bool(self._bytes(1)[0] & _WIDE))

    def rich(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """A shared string: its text, and where which font begins."""
        length, flags = _short(self._bytes(2), 0), self._bytes(1)[0]
        runs = _short(self._bytes(2), 0) if flags & _RUNS else 0
        extra = struct.unpack("<I", self._bytes(4))[0] if flags & _EXTENDED else 0
        text = self._letters(length, bool(flags & _WIDE))
        fonts = tuple(struct.iter_unpack("<HH", self._bytes(4 * runs)))
        self._bytes(extra)
        return text, fonts

    def _letters(self, length: int, wide: bool) -> str:
        out: list[str] = []
        while length:
            if self._at >= len(self._pieces[self._number]):
                self._next()
                wide = bool(self._bytes(1)[0] & _WIDE)
            piece = self._pieces[self._number]
            count = min(length, (len(piece) - self._at) // (1 + wide))
            if not count:
                raise Unreadable("damaged", kind=_KIND, why="a letter cut in two")
            data = piece[self._at : self._at + count * (1 + wide)]
            out.append(data.decode("utf-16-le" if wide else "latin-1", "replace"))
            self._at += len(data)
            length -= count
        return "".join(out)

    def _bytes(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            if self._at >= len(self._pieces[self._number]):
                self._next()
            part = self._pieces[self._number][self._at : self._at + count - len(out)]
            self._at += len(part)
            out += part
        return out

    def _next(self) -> None:
        self._number += 1
        self._at = 0
        if self._number >= len(self._pieces):
            raise Unreadable("truncated", kind=_KIND)
