"""xlsx → Document: every cell as it is shown, from the sheets' own XML.

The library for it knows neither number formats (a 0 shown as a dash or not at all, a unit behind
the figure) nor hidden rows, and takes memory for the whole area between two distant cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from crawler.documents import zipped
from crawler.documents.figures import builtin, shown
from crawler.documents.model import Document
from crawler.documents.ooxml import RELATIONS, SHEET, is_package, main_part, parse, relations
from crawler.documents.sheets import MAX_CELLS, Merge, Sheet, document
from crawler.documents.zipped import Package
from crawler.errors import Unreadable

_KIND: Final = "xlsx"
_MAIN: Final = "xl/workbook.xml"
_S: Final = f"{{{SHEET}}}"
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_MOST_COLUMNS: Final = 16_384
_UNNAMED = "\ufffd"
_ON = frozenset(("1", "true"))
_RAISED = frozenset(("superscript", "subscript"))


def is_mine(body: bytes) -> bool:
    """A package with parts in xl/."""
    return is_package(body, "xl/")


def read(body: bytes) -> Document:
    """Open a workbook; its hidden sheets are left out. Raises Unreadable."""
    with zipped.opened(body, _KIND) as package:
        main = main_part(package, _MAIN)
        book = parse(package.read(main), _KIND)
        reader = _Reader(package, main, book)
        return document(_KIND, list(reader.sheets(book)))


class _Reader:
    """What the sheets of a workbook share: texts, formats and the calendar."""

    def __init__(self, package: Package, main: str, book: etree._Element) -> None:
        self._package = package
        self._parts = relations(package, main)
        properties = book.find(f"{_S}workbookPr")
        self._from_1904 = properties is not None and properties.get("date1904") in _ON
        figured = book.find(f"{_S}calcPr")
        self._is_stale = figured is not None and figured.get("fullCalcOnLoad") in _ON
        self._texts = [_rich(item) for item in self._of_type("sharedStrings", "si")]
        codes = dict(builtin())
        for item in self._of_type("styles", "numFmt"):
            codes[_int(item.get("numFmtId"), 0)] = item.get("formatCode", "")
        self._formats = [
            codes.get(_int(style.get("numFmtId"), 0), "General")
            for styles in self._of_type("styles", "cellXfs")
            for style in styles.iter(f"{_S}xf")
        ]

    def _of_type(self, part: str, element: str) -> Iterator[etree._Element]:
        for type_, name in self._parts.values():
            if type_.endswith("/" + part) and name in self._package:
                yield from parse(self._package.read(name), _KIND).iter(_S + element)
                return

    def sheets(self, book: etree._Element) -> Iterator[Sheet]:
        """Every worksheet in the order of its tabs."""
        for item in book.iter(f"{_S}sheet"):
            sheet = Sheet(item.get("name", ""), item.get("state", "visible") != "visible")
            type_, part = self._parts.get(item.get(f"{{{RELATIONS}}}id", ""), ("", ""))
            if part not in self._package:
                raise Unreadable("damaged", kind=_KIND, why=f"no part for {sheet.name}")
            if type_.endswith("/worksheet"):
                if not sheet.hidden:
                    self._fill(sheet, parse(self._package.read(part), _KIND))
                yield sheet

    def _fill(self, sheet: Sheet, root: etree._Element) -> None:
        view = root.find(f"{_S}sheetViews/{_S}sheetView")
        zeros = view is None or view.get("showZeros", "1") in _ON
        for columns in root.iter(f"{_S}col"):
            if columns.get("hidden") in _ON:
                first, last = (_int(columns.get(key), 0) for key in ("min", "max"))
                sheet.hidden_columns.update(range(first - 1, min(last, _MOST_COLUMNS)))
        at = 0
        for row in root.iter(f"{_S}row"):
            at = _int(row.get("r"), at + 1)
            if row.get("hidden") in _ON:
                sheet.hidden_rows.add(at - 1)
            column = 0
            for cell in row.iterchildren(f"{_S}c"):
                column = _column(cell.get("r"), column + 1)
                sheet.cells[at - 1, column - 1] = self._shown(cell, zeros)
        if len(sheet.cells) > MAX_CELLS:
            raise Unreadable("bomb", kind=_KIND, limit=f"{MAX_CELLS:,} cells")
        for merged in root.iter(f"{_S}mergeCell"):
            start, _, end = merged.get("ref", "").partition(":")
            corner, opposite = _PLACE.fullmatch(start), _PLACE.fullmatch(end)
            if corner and opposite:
                top, left = int(corner[2]) - 1, _number(corner[1]) - 1
                bottom, right = int(opposite[2]) - 1, _number(opposite[1]) - 1
                sheet.merges.append(Merge(top, left, bottom, right))

    def _shown(self, cell: etree._Element, zeros: bool) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = cell.find(f"{_S}is")
            return "" if inline is None else _rich(inline)
        value = cell.find(f"{_S}v")
        text = "" if value is None else value.text or ""
        if kind == "s":
            at = _int(text, -1)
            return self._texts[at] if 0 <= at < len(self._texts) else "\ufffd"
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if kind != "n":
            return text
        # Programs that cannot calculate write nothing, or 0, where a worksheet shows a result.
        is_open = not text.strip() or (self._is_stale and text.strip() == "0")
        if is_open and cell.find(f"{_S}f") is not None:
            return _UNNAMED
        return self._figure(text, cell, zeros) if text.strip() else text

    def _figure(self, text: str, cell: etree._Element, zeros: bool) -> str:
        try:
            number = float(text)
            if not zeros and number == 0:
                return ""
            style = _int(cell.get("s"), 0)
            code = self._formats[style] if style < len(self._formats) else "General"
            return shown(number, code, self._from_1904)
        except (ValueError, OverflowError):
            return text  # NaN, infinity, or no number at all


def _rich(item: etree._Element) -> str:
    """The text of a string, readings of it left out. A raised part is a note mark: 22¹ would read
    221, as would a 2 struck out before 21.
    """
    pieces: list[str] = []
    for node in item.iter(f"{_S}t"):
        run = node.getparent()
        if run is None or run.tag == f"{_S}rPh":
            continue
        text = node.text or ""
        is_apart = run.tag == f"{_S}r" and _is_apart(run)
        pieces.append(f"[{text}]" if is_apart else text)
    return "".join(pieces).replace("_x000D_", "")


def _is_apart(run: etree._Element) -> bool:
    """Is it raised or struck out?"""
    raised, struck = run.find(f"{_S}rPr/{_S}vertAlign"), run.find(f"{_S}rPr/{_S}strike")
    return (raised is not None and raised.get("val") in _RAISED) or (
        struck is not None and struck.get("val", "1") in _ON
    )


def _int(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def _column(place: str | None, otherwise: int) -> int:
    found = _PLACE.fullmatch(place or "")
    return min(_number(found[1]), _MOST_COLUMNS) if found else otherwise


def _number(letters: str) -> int:
    """
    >>> _number("A"), _number("AB")
    (1, 28)
    """
    value = 0
    for letter in letters:
        value = value * 26 + ord(letter) - 64
    return value
