"""Worksheets → Document: what stands alone on its row is a paragraph, the rest are grids."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from crawler.documents.model import Block, Document, Grid, GridCell, Remark
from crawler.errors import Unreadable

# Blank cells included; a report has some 500.
MAX_CELLS: Final = 500_000
_MAX_SPAN: Final = 64
_MAX_GAP: Final = 1000
_LONGEST_LABEL: Final = 80


class Merge(NamedTuple):
    """Rows and columns of a merged cell, from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """One worksheet. `cells` holds what is shown by (row, column), a formatted blank as "": a
    worksheet keeps those, so that a cell that is not here is not part of any table drawn on it.
    """

    name: str
    hidden: bool = False
    cells: dict[tuple[int, int], str] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def document(kind: str, sheets: list[Sheet]) -> Document:
    """The visible sheets in their order, each a page. Raises Unreadable."""
    blocks: list[Block] = []
    remarks: list[Remark] = []
    for page, sheet in enumerate(sheets, 1):
        if sheet.hidden:
            remarks.append(Remark("sheet_left", {"sheet": sheet.name}))
            continue
        for found in _Drawn(kind, sheet).parts():
            if isinstance(found, str):
                blocks.append(Block("paragraph", found, page=page))
            else:
                ordinal = sum(block.grid is not None for block in blocks)
                grid = Grid(ordinal, found, page, sheet.name)
                blocks.append(Block("table", grid=grid, page=page))
    return Document(kind, tuple(blocks), remarks=tuple(remarks))


@dataclass(slots=True)
class _Row:
    """A visible row by its new number: texts by column; `covered`: where another cell reaches in,
    `above`: where that cell begins on a row above; `gap`: an empty row stands before it.
    """

    gap: bool
    cells: dict[int, str] = field(default_factory=dict)
    covered: set[int] = field(default_factory=set)
    above: bool = False

    @property
    def own(self) -> dict[int, str]:
        """The cells that begin here."""
        return {at: text for at, text in self.cells.items() if at not in self.covered}

    @property
    def right(self) -> int:
        """The column behind the last."""
        return 1 + max((*self.cells, *self.covered))


class _Drawn:
    """One sheet without its hidden rows and columns, the rest numbered anew."""

    def __init__(self, kind: str, sheet: Sheet) -> None:
        self._kind = kind
        self._room = MAX_CELLS
        self._tops = sorted({row for row, _ in sheet.cells} - sheet.hidden_rows)
        self._lefts = sorted({column for _, column in sheet.cells} - sheet.hidden_columns)
        columns = {old: new for new, old in enumerate(self._lefts)}
        rows = {old: _Row(gap=False) for old in self._tops}
        for (row, column), text in sheet.cells.items():
            if row in rows and column in columns:
                rows[row].cells[columns[column]] = text
        self._rows = list(rows.values())
        for previous, row in pairwise(self._tops):
            between = range(previous + 1, row)
            rows[row].gap = any(number not in sheet.hidden_rows for number in between[:_MAX_GAP])
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}
        for merge in sheet.merges:
            self._merge(merge, sheet.cells.get((merge.top, merge.left), ""))

    def _merge(self, merge: Merge, text: str) -> None:
        top, bottom = bisect_left(self._tops, merge.top), bisect_right(self._tops, merge.bottom)
        left, right = bisect_left(self._lefts, merge.left), bisect_right(self._lefts, merge.right)
        if top >= bottom or left >= right:
            return
        self._take((bottom - top) * (right - left))
        if any(at in self._rows[top].covered for at in range(left, right)):
            return  # merged cells never overlap
        self._rows[top].cells[left] = text
        self._spans[top, left] = (bottom - top, right - left)
        for number in range(top, bottom):
            row = self._rows[number]
            row.covered.update(range(left + (number == top), right))
            row.above = row.above or number > top

    def _take(self, cells: int) -> None:
        self._room -= cells
        if self._room < 0:
            raise Unreadable("bomb", kind=self._kind, limit=f"{MAX_CELLS:,} cells")

    def parts(self) -> Iterator[str | tuple[tuple[GridCell, ...], ...]]:
        """Paragraphs and the rows of grids, in reading order."""
        alone = [self._is_alone(number) for number in range(len(self._rows))]
        if self._is_ragged(alone):
            # Blank cells without a format leave no trace: a short text may be a row's label.
            alone = [is_alone and not self._may_be_label(number, alone)
                     for number, is_alone in enumerate(alone)]  # fmt: skip
        start = 0
        for stop in self._ends(alone):
            if alone[start]:
                yield next(text for text in self._rows[start].own.values() if text.strip())
            elif any(text.strip() for row in self._rows[start:stop] for text in row.cells.values()):
                yield self._grid(start, stop)
            start = stop

    def _ends(self, alone: list[bool]) -> Iterator[int]:
        """Behind the last row of every paragraph and table."""
        for number in range(1, len(self._rows)):
            row = self._rows[number]
            if alone[number - 1] or alone[number] or (row.gap and not row.above):
                yield number
        if self._rows:
            yield len(self._rows)

    def _is_alone(self, number: int) -> bool:
        row = self._rows[number]
        texts = [text for text in row.own.values() if text.strip()]
        if len(texts) != 1 or row.above or self._is_tall(number):
            return False
        return len(row.own) == 1 or len(texts[0]) > _LONGEST_LABEL

    def _is_tall(self, number: int) -> bool:
        return any(self._spans.get((number, at), (1, 1))[0] > 1 for at in self._rows[number].own)

    def _is_ragged(self, alone: list[bool]) -> bool:
        """Are there rows of one table that end in different columns, and no formatted blanks?"""
        if any(not text for row in self._rows for text in row.own.values()):
            return False
        start = 0
        for stop in self._ends(alone):
            if len({row.right for row in self._rows[start:stop]}) > 1:
                return True
            start = stop
        return False

    def _may_be_label(self, number: int, alone: list[bool]) -> bool:
        row = self._rows[number]
        ((column, text),) = ((at, text) for at, text in row.own.items() if text.strip())
        below_table = number > 0 and not alone[number - 1] and not row.gap
        return below_table and len(text) <= _LONGEST_LABEL and (number, column) not in self._spans

    def _grid(self, start: int, stop: int) -> tuple[tuple[GridCell, ...], ...]:
        rows = self._rows[start:stop]
        left = min(min((*row.cells, *row.covered)) for row in rows)
        right = max(row.right for row in rows)
        self._take((right - left) * len(rows))
        return tuple(
            tuple(
                self._cell(number, at, start, stop, left)
                for at in range(left, right)
                if at not in self._rows[number].covered
            )
            for number in range(start, stop)
        )

    def _cell(self, number: int, at: int, start: int, stop: int, left: int) -> GridCell:
        down, across = self._spans.get((number, at), (1, 1))
        text = self._rows[number].cells.get(at, "")
        return GridCell(
            text, number - start, at - left, min(down, stop - number), min(across, _MAX_SPAN)
        )
