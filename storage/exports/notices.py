"""The statutory tables notice by notice, as who takes figures away meets them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from storage.readings.printed import Line, notices, sheets


@dataclass(frozen=True, slots=True)
class Label:
    """A row or a column; `under`: the labels that stand above it, outermost first."""

    key: str
    zh: str
    en: str
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statutory:
    """A table of a notice."""

    layout: str
    notice: str
    key: str
    zh: str
    en: str
    rows: tuple[Label, ...]
    columns: tuple[Label, ...]

    def cells(self) -> Iterator[tuple[Label, Label]]:
        """Row and column of every cell, row by row."""
        return ((row, column) for row in self.rows for column in self.columns)

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The keys of its cells."""
        return frozenset((row.key, column.key) for row, column in self.cells())


@cache
def statutory() -> tuple[Statutory, ...]:
    """Every table of every notice, in their order."""
    return tuple(
        Statutory(
            layout,
            notice,
            sheet.key,
            sheet.title.zh,
            sheet.title.en,
            _labels(each for each in sheet.rows if each.layout in ("", layout)),
            _labels(sheet.columns),
        )
        for layout, notice in notices().items()
        for sheet in sheets()
        if sheet.layout in ("", layout)
    )


def printed_in(table: str, cells: Iterable[tuple[str, str]], layout: str) -> Statutory | None:
    """The notice's table in which these cells (row, column) stand; that of `layout` first.

    A report may print one part by another notice than the rest; None where no notice has them.
    """
    wanted = frozenset(cells)
    fitting = [each for each in statutory() if each.key == table and wanted <= each.names]
    return min(fitting, key=lambda each: each.layout != layout, default=None)


def _labels(lines: Iterable[Line]) -> tuple[Label, ...]:
    return tuple(
        Label(line.key, line.label.zh, line.label.en, tuple(each.zh for each in line.under))
        for line in lines
    )
