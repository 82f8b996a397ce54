"""What does one cell add up to, by division, kind of organ and year, and what was left out?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypedDict, get_args

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.care.withdrawals import Tombstone
from storage.errors import BadQuestion
from storage.queries.report import number
from storage.readings.onecell import (
    NO_CELL,
    NO_FIGURES,
    STATE_OF,
    WITHDRAWN,
    Corrected,
    Found,
    Scope,
    columns,
    corrected,
    found,
    positions,
    standing,
    stones,
)
from storage.schema import figures, organs

By = Literal["division", "kind", "year"]

# Digits behind the point that a sum keeps; a cell has no more.
_DIGITS = 8


class UnitSum(TypedDict):
    """Numbers whose cells carry a unit of their own: added up apart, nothing is converted."""

    unit: str
    value: int | float
    numbers: int


class Sum(TypedDict):
    """The sum over the reports of one year, of one division or one kind of organ where these were
    asked for (null where not). `value` is null where there is nothing to add.

    `numbers` and `zeros` are in it; left out are `blanks`, `dashes`, `texts`, `unread`, `no_cell`
    (the form has none), `no_figures` (no statutory tables were read), `withdrawn`, `personal` (a
    person's number stands there) and `units`. All these are together `reports`. Corrections are
    not in `value`: with them it is `corrected_value`, and `corrected` counts them.
    """

    division_code: str | None
    kind: str | None
    year: int
    value: int | float | None
    corrected_value: int | float | None
    corrected: int
    reports: int
    numbers: int
    zeros: int
    blanks: int
    dashes: int
    texts: int
    unread: int
    no_cell: int
    no_figures: int
    withdrawn: int
    personal: int
    units: list[UnitSum]


@leaves
def sums(
    connection: sa.Connection,
    *,
    cell: str,
    division: str | None = None,
    year: int | None = None,
    by: By = "division",
    as_of: AsOf | None = None,
) -> list[Sum]:
    """By year, then by division or kind of organ. Years are never added to each other: with the
    cells of two layouts a sum over years means nothing.

    Raises BadQuestion where no form has such a cell, or `by` is none of its words.
    """
    if by not in get_args(By):
        raise BadQuestion(f"sums by {by}: they are by {', '.join(get_args(By))}")
    scope = Scope(division=division, year=year, as_of=as_of)
    at, hidden = positions(connection, cell), stones(connection, scope)
    piles: _Piles = defaultdict(_Pile)
    any_long = False
    for key, row in _counted(connection, at, scope, by, hidden):
        any_long = any_long or bool(row.long)
        if not row.long:
            piles[key].take(row)
    if any_long:
        _take_long(connection, cell, scope, by, piles)
    _take_withdrawn(connection, hidden, scope, by, piles)
    _hold_corrected(connection, cell, scope, by, piles)
    order = sorted(piles, key=lambda key: (key[0], key[1] or "", key[2] or ""))
    return [piles[key].told(*key) for key in order]


# Year, division code, kind.
_Key: TypeAlias = tuple[int, str | None, str | None]


@dataclass
class _Pile:
    """What a sum is made of."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    total: Decimal = Decimal(0)
    held: int = 0
    shift: Decimal = Decimal(0)
    gained: int = 0
    units: dict[str, tuple[Decimal, int]] = field(default_factory=dict)

    def take(self, row: sa.Row[Any]) -> None:
        """A group of cells of one state, as SQL counted it."""
        if row.letter in (None, ""):
            self.counts[NO_FIGURES if row.form is None else NO_CELL] += row.reports
            return
        self.add(STATE_OF[row.letter], row.reports, _decimal(row.total), row.unit)

    def add(self, state: str, reports: int, total: Decimal, unit: str | None) -> None:
        if unit is None or state not in ("number", "zero"):
            self.counts[state] += reports
            self.total += total
            return
        before, numbers = self.units.get(unit, (Decimal(0), 0))
        self.units[unit] = (before + total, numbers + reports)

    def hold(self, each: Found, held: Corrected) -> None:
        """A correction stands beside the sum: what it would be with it."""
        counted = each.value is not None and each.unit is None
        self.held += 1
        self.shift += (held.value or Decimal(0)) - ((each.value if counted else None) or 0)
        self.gained += (held.value is not None) - counted

    def told(self, year: int, division: str | None, kind: str | None) -> Sum:
        n = self.counts
        added = n["number"] + n["zero"]
        units = sum(numbers for _, numbers in self.units.values())
        with_corrections = self.held and added + self.gained
        return Sum(
            division_code=division,
            kind=kind,
            year=year,
            value=number(self.total) if added else None,
            corrected_value=number(self.total + self.shift) if with_corrections else None,
            corrected=self.held,
            reports=sum(n.values()) + units,
            numbers=n["number"],
            zeros=n["zero"],
            blanks=n["blank"],
            dashes=n["dash"],
            texts=n["text"],
            unread=n["unread"],
            no_cell=n[NO_CELL],
            no_figures=n[NO_FIGURES],
            withdrawn=n[WITHDRAWN],
            personal=n["personal"],
            units=[
                UnitSum(unit=unit, value=number(value) or 0, numbers=numbers)
                for unit, (value, numbers) in sorted(self.units.items())
            ],
        )


_Piles: TypeAlias = dict[_Key, _Pile]


def _counted(
    connection: sa.Connection, at: Mapping[int, int], scope: Scope, by: By, hidden: Collection[int]
) -> Iterator[tuple[_Key, sa.Row[Any]]]:
    """Cells counted and added up by SQL; `long`: they may be a person's numbers."""
    reports = standing(scope)
    s, one = reports.c, columns(at, reports.c.form_id)
    # Of a report of which all was withdrawn nothing is read, and its tombstone is counted.
    gone = sa.and_(s.reading_id.is_(None), s.report_id.in_(hidden))
    # Grouped outside: a position is a parameter, and PostgreSQL takes two of them for two columns.
    cells = (
        sa.select(s.year, s.division_code, s.kind, one.letter.label("letter"))
        .add_columns(one.unit.label("unit"), one.value.label("value"))
        .add_columns(sa.case((s.form_id.is_not(None), 1)).label("form"))
        .add_columns(sa.case((one.long, 1), else_=0).label("long"))
        .select_from(reports.outerjoin(figures, figures.c.reading_id == s.reading_id))
        .where(*scope.conditions(reports), sa.not_(gone))
        .subquery("cells_of_reports")
    )
    c = cells.c
    told = {"division": [c.division_code], "kind": [c.kind], "year": []}[by]
    groups = [c.year, *told, c.letter, c.unit, c.form, c.long]
    query = sa.select(*groups, sa.func.count().label("reports")).group_by(*groups)
    for row in connection.execute(query.add_columns(sa.func.sum(c.value).label("total"))):
        division = row.division_code if by == "division" else None
        yield (row.year, division, row.kind if by == "kind" else None), row


def _take_long(connection: sa.Connection, cell: str, scope: Scope, by: By, piles: _Piles) -> None:
    """Numbers that may be a person's, one by one; there are hardly any."""
    for each in found(connection, cell, scope, long=True):
        if each.value is None:
            piles[_key(each, by)].counts["personal"] += 1
        else:
            piles[_key(each, by)].add(each.state, 1, each.value, each.unit)


def _take_withdrawn(
    connection: sa.Connection,
    hidden: Mapping[int, Tombstone],
    scope: Scope,
    by: By,
    piles: _Piles,
) -> None:
    """Those of which nothing is left to read."""
    left = {row[0] for row in connection.execute(_readable(hidden, scope))}
    gone = [stone for key, stone in hidden.items() if key not in left]
    o = organs.c
    owners = {each.organ_id for each in gone}
    named = sa.select(o.id, o.kind).where(o.id.in_(owners))
    kinds = {row.id: row.kind for row in connection.execute(named)}
    for stone in gone:
        division = stone.division_code if by == "division" else None
        kind = kinds[stone.organ_id] if by == "kind" else None
        piles[stone.year, division, kind].counts[WITHDRAWN] += 1


def _readable(hidden: Collection[int], scope: Scope) -> sa.Select[Any]:
    s = standing(scope).c
    return sa.select(s.report_id).where(s.report_id.in_(hidden), s.reading_id.is_not(None))


def _hold_corrected(
    connection: sa.Connection, cell: str, scope: Scope, by: By, piles: _Piles
) -> None:
    held = corrected(connection, cell, scope.as_of)
    for each in found(connection, cell, scope, reports=held) if held else ():
        piles[_key(each, by)].hold(each, held[each.report_id])


def _key(each: Found, by: By) -> _Key:
    division = each.division_code if by == "division" else None
    return (each.year, division, each.kind if by == "kind" else None)


def _decimal(total: float | None) -> Decimal:
    return Decimal(0) if total is None else round(Decimal(repr(total)), _DIGITS)
