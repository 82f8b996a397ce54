"""The statutory tables as the notices print them: labels in both languages, and how they span."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

_FILE = Path(__file__).with_name("printed.toml")


class Label(NamedTuple):
    """What a head says: the notice's words, and what they mean."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row or a column; `under`: the groups above it, outermost first."""

    key: str
    label: Label
    under: tuple[Label, ...] = ()

    @property
    def labels(self) -> tuple[Label, ...]:
        return (*self.under, self.label)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as the notice of this layout prints it. `across`: its rows stand side by side, each a
    block of columns.
    """

    key: str
    layout: str
    title: Label
    corner: Label
    above: Label | None
    across: bool
    columns: tuple[Line, ...]
    rows: tuple[Line, ...]

    def cells(self) -> Iterator[tuple[str, Line, Line]]:
        """The path of every cell with its row and column, row by row."""
        return (
            (f"{self.key}.{row.key}.{column.key}", row, column)
            for row in self.rows
            for column in self.columns
        )

    def paths(self) -> list[str]:
        """Every cell, row by row."""
        return [path for path, _, _ in self.cells()]


@dataclass(frozen=True, slots=True)
class Head:
    """A label that spans so many rows and columns of a table."""

    label: Label
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table ready to be drawn: rows of heads, then rows of heads and the paths of their cells.

    `stub`: how many columns the heads of a row take.
    """

    title: Label
    stub: int
    heads: list[list[Head]]
    rows: list[tuple[list[Head], list[str]]]


@cache
def _told() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def notices() -> dict[str, str]:
    """Layout → the document that prescribes it."""
    return dict(_told()["notices"])


@cache
def sheets() -> tuple[Sheet, ...]:
    """Every table of every notice, in their order."""
    told = _told()
    groups = {key: Label(**label) for key, label in told["groups"].items()}
    return tuple(
        _sheet(table, layout, groups)
        for layout in notices()
        for table in told["tables"]
        if _is_printed(table, layout)
    )


def drawn(paths: Collection[str]) -> tuple[list[Drawn], list[str]]:
    """The tables that these cells fill, as printed; and the cells that stand in none of them.

    Where the notices differ, a table is drawn as the notice prints it that more cells are of.
    """
    left, tables = dict.fromkeys(paths), []
    for _, same in groupby(sorted(sheets(), key=_place), key=lambda sheet: sheet.key):
        best = max(same, key=lambda sheet: _fit(sheet, left))
        mine = [path for path in best.paths() if path in left]
        if mine:
            tables.append(_draw(best, set(mine)))
        for path in mine:
            del left[path]
    return tables, list(left)


@cache
def label_of(path: str, layout: str | None = None) -> tuple[Label, ...]:
    """What stands over and beside a cell, outermost first; empty for a cell of no notice."""
    for sheet in sorted(sheets(), key=lambda sheet: sheet.layout != layout):
        for cell, row, column in sheet.cells():
            if cell == path:
                return (sheet.title, *row.labels, *column.labels)
    return ()


def _fit(sheet: Sheet, there: Collection[str]) -> tuple[int, int]:
    """How many of these cells it prints, then how few others."""
    paths = sheet.paths()
    found = sum(path in there for path in paths)
    return found, found - len(paths)


def _place(sheet: Sheet) -> int:
    return [each.key for each in sheets()].index(sheet.key)


def _is_printed(told: dict[str, Any], layout: str) -> bool:
    """Whether the notice of this layout has the table or row: all have one that names no layout."""
    return bool(told.get("layout", layout) == layout)


def _sheet(table: dict[str, Any], layout: str, groups: dict[str, Label]) -> Sheet:
    def line(told: dict[str, Any]) -> Line:
        under = tuple(groups[key] for key in told.get("under", ()))
        return Line(told["key"], Label(told["zh"], told["en"]), under)

    return Sheet(
        key=table["key"],
        layout=layout,
        title=Label(**table["title"]),
        corner=Label(**table["corner"]),
        above=Label(**table["above"]) if "above" in table else None,
        across=table.get("across", False),
        columns=tuple(map(line, table["columns"])),
        rows=tuple(line(row) for row in table["rows"] if _is_printed(row, layout)),
    )


def _draw(sheet: Sheet, there: set[str]) -> Drawn:
    rows = [
        r for r in sheet.rows if any(f"{sheet.key}.{r.key}.{c.key}" in there for c in sheet.columns)
    ]
    if sheet.across:
        columns = [Line(f"{r.key}.{c.key}", c.label, r.labels) for r in rows for c in sheet.columns]
        return Drawn(
            sheet.title, 0, _heads(columns), [([], [f"{sheet.key}.{c.key}" for c in columns])]
        )
    stub = max(len(row.labels) for row in rows)
    heads = _heads(sheet.columns)
    if sheet.above is not None:
        heads = [[Head(sheet.above, 1, len(sheet.columns))], *heads]
    heads[0].insert(0, Head(sheet.corner, len(heads), stub))
    beside = _beside(rows, stub)
    cells = [[f"{sheet.key}.{row.key}.{c.key}" for c in sheet.columns] for row in rows]
    return Drawn(sheet.title, stub, heads, list(zip(beside, cells, strict=True)))


def _heads(columns: Sequence[Line]) -> list[list[Head]]:
    """The rows of heads over the columns, outermost first; the outermost of a column with fewer
    reaches down, so that those of the columns themselves stand in one line.
    """
    depth = max(len(column.labels) for column in columns)

    def known(column: Line, level: int) -> tuple[tuple[Label, ...], int, str]:
        short = depth - len(column.labels)
        labels = (column.labels[0],) * short + column.labels
        return labels[: level + 1], short, column.key if level == depth - 1 else ""

    return [
        [
            Head(labels[-1], 1 if level else 1 + short, len(list(same)))
            for (labels, short, _), same in groupby(columns, key=partial(known, level=level))
            if level == 0 or level > short
        ]
        for level in range(depth)
    ]


def _beside(rows: Sequence[Line], stub: int) -> list[list[Head]]:
    """The heads of each row; a group stands in its first row and reaches down, a row's own label
    to the right.
    """
    beside: list[list[Head]] = [[] for _ in rows]
    for level in range(stub):
        at = 0
        for labels, same in groupby(rows, key=lambda row: row.labels[: level + 1]):
            lines = list(same)
            if len(labels) == level + 1:
                own = labels == lines[0].labels
                beside[at].append(Head(labels[-1], len(lines), stub - level if own else 1))
            at += len(lines)
    return beside
