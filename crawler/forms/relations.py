"""The relations that cross tables and reports, as data, and what all of them are judged by."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from crawler.forms.definition import Form, Table, forms
from crawler.forms.model import Cell, Layout, State, Verdict

Strength: TypeAlias = Literal["must", "soft", "warning", "info", "conflict", "finding"]
Cells: TypeAlias = Mapping[str, Cell]

NUMBERS = frozenset((State.NUMBER, State.ZERO))


@dataclass(frozen=True)
class AcrossYears:
    """`left` equals the sum of `right` in each column or row of each of the tables. A term is a
    key of this report, `last.` and a key for last year's; a minus before it takes it off.
    """

    rule: str
    layouts: frozenset[str]
    tables: tuple[str, ...]
    each: Literal["column", "row"]
    left: str
    right: tuple[str, ...]


@dataclass(frozen=True)
class Jumps:
    """A jump: the larger figure is `least` or more, and `factor` times the smaller."""

    factor: int
    least: int
    same_layout: tuple[str, ...]
    any_layout: tuple[str, ...]


@dataclass(frozen=True)
class Likeness:
    """How prose is compared; see relations.toml."""

    piece: int
    least: int
    same: float
    same_by_signature: float
    rough: float
    permutations: int
    seed: int
    statutory: tuple[str, ...]


@dataclass(frozen=True)
class Relations:
    """relations.toml."""

    verdicts: Mapping[str, Verdict]
    strengths: Mapping[str, Strength]
    years: tuple[AcrossYears, ...]
    most_conflicts: int
    money: Mapping[str, Decimal]
    regulations: Mapping[str, str]
    signed: frozenset[str]
    decimals: frozenset[str]
    jumps: Jumps
    deadlines: tuple[Mapping[str, Any], ...]
    likeness: Likeness


@cache
def relations() -> Relations:
    path = Path(__file__).with_name("relations.toml")
    data = tomllib.loads(path.read_text("utf-8"))
    strengths = {name: Verdict(word) for name, word in data["strengths"].items()}
    counts = data["counts"]
    return Relations(
        verdicts={rule: strengths[strength] for rule, strength in data["rules"].items()},
        strengths=data["rules"],
        years=tuple(
            AcrossYears(
                item["rule"],
                frozenset(item["layouts"]),
                tuple(item["tables"]),
                item["each"],
                item["left"],
                tuple(item["right"]),
            )
            for item in data["years"]
        ),
        most_conflicts=data["copies"]["most"],
        money={unit: Decimal(yuan) for unit, yuan in data["money"].items()},
        regulations=data["regulations"],
        signed=frozenset(counts["signed"]),
        decimals=frozenset(counts["decimals"]),
        jumps=Jumps(**_tuples(counts["jumps"])),
        deadlines=tuple(data["deadlines"]),
        likeness=Likeness(**_tuples(data["likeness"])),
    )


def _tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def strength(rule: str) -> Strength:
    """How strongly a relation binds: must, soft, conflict, warning, info or finding.

    Raises:
        KeyError: `rule` is no relation.
    """
    return relations().strengths[rule]


def broken(rule: str) -> Verdict:
    """The verdict where a relation does not hold."""
    return relations().verdicts[rule]


class Term(NamedTuple):
    """A cell in a sum: its path as findings name it, the cell, and 1 or -1."""

    path: str
    cell: Cell | None
    sign: int = 1


class Sum(NamedTuple):
    """`value` is None where a cell is missing, unread, a dash or text; `blanks` counts as 0."""

    value: Decimal | None
    blanks: int
    numbers: int

    @property
    def text(self) -> str:
        return "" if self.value is None else plain(self.value)


def add(terms: Collection[Term]) -> Sum:
    blanks = numbers = 0
    value = Decimal(0)
    for _, cell, sign in terms:
        if cell is None:
            return Sum(None, 0, 0)
        if cell.state in NUMBERS and cell.value is not None:
            numbers += 1
            value += sign * cell.value
        elif cell.state is State.BLANK:
            blanks += 1
        else:
            return Sum(None, 0, 0)
    return Sum(value, blanks, numbers)


def plain(value: Decimal) -> str:
    """A figure without exponent.

    >>> plain(Decimal("1E+2")), plain(Decimal("5446.75"))
    ('100', '5446.75')
    """
    return format(value, "f")


def label_of(layout: Layout, cell: Cell) -> str:
    """How a clerk finds the cell: the label of its row, and of its column.

    >>> label_of("2021", Cell("applications", "granted", "total", "1", State.NUMBER))
    '（一）予以公开（总计）'
    """
    return _labels(layout)[cell.table, cell.row, cell.column]


@cache
def _labels(layout: Layout) -> dict[tuple[str, str, str], str]:
    form = forms()[layout]
    found = dict[tuple[str, str, str], str]()
    for printed in (form, form.merged):
        if printed:
            found |= {
                (table.key, row.key, column.key): f"{row.label}（{column.label}）"
                for table in printed.tables
                for row in table.rows
                for column in table.columns
            }
    return found


def table_of(layout: Layout, key: str) -> Table | None:
    """None where the layout has no such table."""
    form: Form | None = forms().get(layout)
    return next((table for table in form.tables if table.key == key), None) if form else None


@cache
def unit_of(layout: Layout, table: str, column: str) -> str | None:
    """The unit the form prescribes for a column."""
    found = table_of(layout, table)
    columns = found.columns if found else ()
    return next((each.unit for each in columns if each.key == column), None)


def deadline(kind: str, year: int) -> tuple[date, ...]:
    """The last day on which the report for `year` may be published: none where the law names no
    such organ, two where it may be the one or the other.
    """
    known = [entry for entry in relations().deadlines if entry["since"] <= year]
    if not known:
        return ()
    entry = known[-1]
    days = entry.get(kind, entry.get("all", ()))
    return tuple(date.fromisoformat(f"{year + 1}-{day}") for day in days)


def span(published: str) -> tuple[date, date] | None:
    """First and last day an ISO date of any precision (2020, 2020-03, 2020-03-06T14:38) may mean.
    None for what is no date.

    >>> span("2024-02")
    (datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    """
    parts = published[:10].split("-")
    try:
        if len(parts) == 3:
            day = date.fromisoformat("-".join(parts))
            return day, day
        year, month = int(parts[0]), int(parts[1]) if len(parts) == 2 else 0
        first = date(year, month or 1, 1)
        after = date(year + 1, 1, 1) if month in (0, 12) else date(year, month + 1, 1)
    except ValueError:
        return None
    return first, after - timedelta(days=1)
