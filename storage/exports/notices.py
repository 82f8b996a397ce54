"""The statutory tables as the notices print them, in Chinese and English."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_suffix(".toml")


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
            notice["key"],
            notice["notice"],
            table["key"],
            table["zh"],
            table["en"],
            _labels(table["rows"]),
            _labels(table["columns"]),
        )
        for notice in tomllib.loads(_FILE.read_text("utf-8"))["notices"]
        for table in notice["tables"]
    )


def printed_in(table: str, cells: Iterable[tuple[str, str]], layout: str) -> Statutory | None:
    """The notice's table in which these cells (row, column) stand; that of `layout` first.

    A report may print one part by another notice than the rest; None where no notice has them.
    """
    wanted = frozenset(cells)
    fitting = [each for each in statutory() if each.key == table and wanted <= each.names]
    return min(fitting, key=lambda each: each.layout != layout, default=None)


def _labels(said: list[dict[str, str | list[str]]]) -> tuple[Label, ...]:
    return tuple(
        Label(str(each["key"]), str(each["zh"]), str(each["en"]), tuple(each.get("under", ())))
        for each in said
    )
