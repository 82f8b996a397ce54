"""Markdown as other tools write it → Document.

A pipe table is a grid where every line of it has the cells its rule announces. Where lines are
shorter its blanks were dropped, and its cells stay flattened text, which the forms judge.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from crawler.documents import html
from crawler.documents.charset import decode
from crawler.documents.model import Block, Document, Grid, GridCell

_RULE = frozenset("|:- \t")
_BAR = re.compile(r"(?<!\\)\|")
_OPEN, _CLOSE = (re.compile(tag, re.IGNORECASE) for tag in (r"<table\b", r"</table\s*>"))
_HEADING = re.compile(r" {0,3}#{1,6}\s+")
_LEAD = re.compile(r"^\s*(?:>\s?)*(?:[-*+]\s+)?")
_STRONG = re.compile(r"(\*\*\*|\*\*|__)(?=\S)(.{1,400}?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\]]{0,400})\]\([^)]{0,2000}\)")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_WORDS = re.compile(r"[\u2e80-\u9fff]")
# 无 and its likes may well be the value of two cells.
_SHORTEST: Final = 4
_KIND: Final = "md"
_UNNAMED: Final = "\ufffd"  # what a picture says is not told


def read(source: str | bytes) -> Document:
    """Open markdown. `tokens` holds the text with every cell, an empty token for a blank one."""
    text = decode(source).text if isinstance(source, bytes) else source
    reader = _Reader()
    at = 0
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    while (table := _OPEN.search(text, at)) and (end := _CLOSE.search(text, table.end())):
        reader.lines(text[at : table.start()].split("\n"))
        reader.markup(text[table.start() : end.end()])
        at = end.end()
    reader.lines(text[at:].split("\n"))
    return Document(_KIND, tuple(reader.blocks), tuple(reader.tokens) if reader.torn else ())


class _Reader:
    """`torn`: some table is no grid, so that the tokens are what is left of it."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.tokens: list[str] = []
        self.torn = False
        self._grids = 0

    def markup(self, written: str) -> None:
        """Add a table written in HTML."""
        for block in html.read(written).blocks:
            if block.grid is None:
                self._add(block.kind == "heading", block.text)
            else:
                self._grid(block.grid.rows)

    def lines(self, lines: list[str]) -> None:
        """Add text without HTML tables."""
        at = 0
        while at < len(lines):
            stop = _table_end(lines, at)
            if stop > at:
                self._table([_cells(line) for line in lines[at:stop] if not _is_rule(line)],
                            len(_cells(lines[at + 1])))  # fmt: skip
                at = stop
                continue
            self._line(lines[at])
            at += 1

    def _line(self, line: str) -> None:
        if _FENCE.match(line):
            return
        heading = _HEADING.match(line)
        words = line[heading.end() :].rstrip("# \t") if heading else _LEAD.sub("", line)
        self._add(heading is not None, _plain(words))

    def _add(self, heading: bool, text: str) -> None:
        if text.strip():
            self.blocks.append(Block("heading" if heading else "paragraph", text))
            self.tokens.append(text)

    def _table(self, rows: list[list[str]], width: int) -> None:
        if all(len(row) == width for row in rows):
            self._grid(tuple(_joined(row, number) for number, row in enumerate(rows)))
            return
        self.torn = True
        for row in rows:
            self.tokens += row
            self.blocks += [Block("paragraph", text) for text in row if text.strip()]

    def _grid(self, rows: tuple[tuple[GridCell, ...], ...]) -> None:
        self.blocks.append(Block("table", grid=Grid(self._grids, rows)))
        self._grids += 1
        self.tokens += [cell.text for row in rows for cell in row]


def _joined(row: list[str], number: int) -> tuple[GridCell, ...]:
    """The cells of a row; words that stand in several in a row are one cell that was merged."""
    cells: list[GridCell] = []
    for column, text in enumerate(row):
        if cells and len(text) >= _SHORTEST and text == cells[-1].text and _WORDS.search(text):
            cells[-1] = cells[-1]._replace(colspan=cells[-1].colspan + 1)
        else:
            cells.append(GridCell(text, number, column))
    return tuple(cells)


def _is_rule(line: str) -> bool:
    return "-" in line and "|" in line and _RULE.issuperset(line)


def _table_end(lines: list[str], at: int) -> int:
    """The line behind the table that begins here; `at` itself where none begins."""
    if at + 1 >= len(lines) or "|" not in lines[at] or not _is_rule(lines[at + 1]):
        return at
    stop = at + 2
    while stop < len(lines) and "|" in lines[stop]:
        stop += 1
    return stop


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [_plain(cell) or _UNNAMED * ("![" in cell) for cell in _BAR.split(line)]


def _plain(text: str) -> str:
    """The words without the signs around them."""
    text = _BREAK.sub("\n", text)
    text = _LINK.sub(r"\1", _STRONG.sub(r"\2", text))
    text = unescape(_ESCAPE.sub(r"\1", text))
    return text.strip(" \t\n")
