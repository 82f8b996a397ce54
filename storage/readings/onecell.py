"""One cell of the statutory tables over many reports, taken out of the packed rows by SQL.

Of a whole archive 200 cells a report are not unpacked to look at one: each form says at which
position the cell stands, and the databases take that element out of the row alone. Where a figure
could be a person's number (`storage.care.personal`) it is looked at in Python and has no value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from storage.asof import AsOf, Of
from storage.care.personal import find
from storage.care.withdrawals import Tombstone, tombstones
from storage.errors import BadQuestion
from storage.queries.organs import in_division
from storage.readings.packing import STATES
from storage.readings.standing import reports_of, stands
from storage.schema import corrections, figures, form_cells, organs, readings

# Beyond the states of a cell: the report's form has no such cell; no statutory tables were read of
# the report; it was withdrawn.
NO_CELL, NO_FIGURES, WITHDRAWN = "no_cell", "no_figures", "withdrawn"
STATE_OF = {letter: state for state, letter in STATES.items()}

# So many characters a number has at least that may be a person's.
_LONG = 11
_FIRST_MARK = ord("0")


@dataclass(frozen=True, slots=True)
class Found:
    """The cell in one report; `value` without what is a person's number."""

    report_id: int
    organ_id: int
    division_code: str
    organ: str
    kind: str
    year: int
    layout: str | None
    form_id: int | None
    version_id: int | None
    reading_id: int | None
    raw: str
    state: str
    value: Decimal | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a person holds against the cell of a report."""

    raw: str
    state: str
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which reports: a division or the beginning of its code, an organ, years, a kind of organ."""

    division: str | None = None
    organ_id: int | None = None
    year: int | None = None
    kind: str | None = None
    organ_ids: Collection[int] | None = None
    as_of: AsOf | None = None

    @property
    def of(self) -> Of:
        """What is looked up of a moment: these reports, or a few more."""
        return reports_of(division=self.division, organ_id=self.organ_id, year=self.year)

    def stands(self) -> sa.FromClause:
        """The table `standing`, or what it would have said of these reports."""
        return stands(self.as_of, self.of)

    def conditions(self, standing: sa.FromClause) -> list[sa.ColumnElement[bool]]:
        """Of a selectable with these columns."""
        s = standing.c
        wanted = {"organ_id": self.organ_id, "year": self.year, "kind": self.kind}
        told = [s[name] == value for name, value in wanted.items() if value is not None]
        if self.division is not None:
            told.append(in_division(s.division_code, self.division))
        if self.organ_ids is not None:
            told.append(s.organ_id.in_(self.organ_ids))
        return told

    def holds(self, stone: Tombstone) -> bool:
        """Whether a withdrawn report is one of these."""
        wanted = {stone.organ_id: self.organ_id, stone.year: self.year}
        return (
            stone.kind == "annual"
            and all(value in (None, told) for told, value in wanted.items())
            and stone.division_code.startswith(self.division or "")
            and (self.organ_ids is None or stone.organ_id in self.organ_ids)
        )


def positions(connection: sa.Connection, cell: str) -> dict[int, int]:
    """Form → where the cell stands in its rows. Raises BadQuestion, with the near ones."""
    f = form_cells.c
    if cell.count(".") >= 2:
        table, row, column = cell.rsplit(".", 2)
        query = sa.select(f.form_id, f.position).where(
            f.table_key == table, f.row_key == row, f.column_key == column
        )
        if at := {row.form_id: row.position for row in connection.execute(query)}:
            return at
    keys = sa.select(f.table_key, f.row_key, f.column_key).distinct()
    known = sorted(".".join(row) for row in connection.execute(keys))
    if not known:
        raise BadQuestion(f"no cell {cell}: no statutory table was read yet")
    near = [path for path in known if cell and (cell in path or path.startswith(cell))]
    near = near or get_close_matches(cell, known, n=4, cutoff=0.4)
    cure = f"did you mean {', '.join(near[:4])}?" if near else f"a cell is named as {known[0]}"
    raise BadQuestion(f"no cell {cell or '(empty)'}: {cure}")


def standing(scope: Scope) -> sa.Subquery:
    """A row for each annual report that is shown, with the reading that stands for it, if any, and
    the version that was read.
    """
    stood = scope.stands()
    s, r, o = stood.c, readings.c, organs.c
    return (
        sa.select(s.report_id, s.organ_id, s.division_code, o.name.label("organ"), o.kind, s.year)
        .add_columns(s.reading_id, r.version_id, s.layout, s.form_id)
        .select_from(stood)
        .join(organs, o.id == s.organ_id)
        .outerjoin(readings, r.id == s.reading_id)
        .where(s.kind == "annual")
        .subquery("standing_readings")
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """The cell in SQL: its state's letter (NULL where there is no such cell), its number as it is
    written, that as a number, its unit; `long` where it may be a person's.
    """

    position: sa.ColumnElement[int]
    letter: sa.ColumnElement[str]
    written: sa.ColumnElement[str]
    value: sa.ColumnElement[float]
    unit: sa.ColumnElement[str]
    long: sa.ColumnElement[bool]


def columns(at: Mapping[int, int], form_id: sa.ColumnElement[Any]) -> Columns:
    """Of a query that joins `figures`; `at` is what `positions` says."""
    position = sa.case(dict(at), value=form_id, else_=None)
    written: sa.ColumnElement[str] = _Written(figures.c.numbers, position)
    return Columns(
        position=position,
        letter=sa.func.substr(figures.c.states, position + 1, 1),
        written=written,
        value=sa.cast(written, sa.Numeric(asdecimal=False)),
        unit=_Unit(figures.c.units, position),
        long=sa.func.length(written) >= _LONG,
    )


def found(
    connection: sa.Connection,
    cell: str,
    scope: Scope,
    *,
    long: bool = False,
    reports: Collection[int] | None = None,
) -> Iterator[Found]:
    """The cell in every report of the scope, by division, organ and year; with `long` only where
    its number may be a person's, with `reports` only in these. Raises BadQuestion.
    """
    at, rows = positions(connection, cell), standing(scope)
    s, one = rows.c, columns(at, rows.c.form_id)
    mark = sa.func.substr(figures.c.marks, one.position + 1, 1)
    query = (
        sa.select(rows)
        .add_columns(one.letter.label("letter"), one.written.label("written"))
        .add_columns(one.unit.label("unit"), mark.label("mark"))
        .add_columns(sa.case((mark.not_in(("", ".")), figures.c.raws)).label("raws"))
        .select_from(rows.outerjoin(figures, figures.c.reading_id == s.reading_id))
        .where(*scope.conditions(rows), *([one.long] if long else []))
        .order_by(s.division_code, s.organ, s.year, s.report_id)
    )
    if reports is not None:
        query = query.where(s.report_id.in_(reports))
    for row in connection.execute(query):
        yield _one(row)


def _one(row: sa.Row[Any]) -> Found:
    raw = row.raws[ord(row.mark) - _FIRST_MARK] if row.raws else (row.written or "")
    value = None if row.written is None or find(raw) else Decimal(row.written)
    if row.form_id is None:
        state = NO_FIGURES
    else:
        state = NO_CELL if not row.letter else STATE_OF[row.letter]
    return Found(
        report_id=row.report_id,
        organ_id=row.organ_id,
        division_code=row.division_code,
        organ=row.organ,
        kind=row.kind,
        year=row.year,
        layout=row.layout,
        form_id=row.form_id,
        version_id=row.version_id,
        reading_id=row.reading_id,
        raw=raw if state in STATES else "",
        state=state,
        value=value if state in STATES else None,
        unit=row.unit,
    )


def stones(connection: sa.Connection, scope: Scope) -> dict[int, Tombstone]:
    """Report → what stands there, of those of the scope of which anything is withdrawn. One that
    still has a reading is shown by that.
    """
    return {key: stone for key, stone in tombstones(connection).items() if scope.holds(stone)}


def corrected(
    connection: sa.Connection, cell: str, as_of: AsOf | None = None
) -> dict[int, Corrected]:
    """Report → what persons hold against this cell: of `known`, what they held by then."""
    c = corrections.c
    newest = sa.select(sa.func.max(c.id)).where(c.cell == cell)
    if as_of is not None and as_of.basis == "known":
        newest = newest.where(c.made_at <= as_of.at)
    query = sa.select(c.report_id, c.after).where(c.id.in_(newest.group_by(c.report_id)))
    return {
        row.report_id: _corrected(row.after)
        for row in connection.execute(query)
        if row.after is not None
    }


def _corrected(after: Mapping[str, str | None]) -> Corrected:
    raw, value = after["raw"] or "", after["value"]
    number = None if value is None or find(raw) else Decimal(value)
    return Corrected(raw, str(after["state"]), number)


class _Written(sa.sql.functions.GenericFunction[str]):
    """The n-th number of a packed row, with the digits it was given; NULL where there is none."""

    type = sa.Text()
    inherit_cache = True
    name = "packed_number"


@compiles(_Written, "sqlite")
def _written_on_sqlite(element: _Written, compiler: Any, **more: Any) -> str:
    numbers, position = (compiler.process(each, **more) for each in element.clauses)
    path = f"'$[' || ({position}) || ']'"
    return f"nullif({numbers} -> ({path}), 'null')"


@compiles(_Written, "postgresql")
def _written_on_postgresql(element: _Written, compiler: Any, **more: Any) -> str:
    numbers, position = (compiler.process(each, **more) for each in element.clauses)
    return f"({numbers} ->> ({position}))"


class _Unit(sa.sql.functions.GenericFunction[str]):
    """The unit that the n-th cell of a packed row carries, or NULL; hardly any row has units."""

    type = sa.Text()
    inherit_cache = True
    name = "packed_unit"


@compiles(_Unit, "sqlite")
def _unit_on_sqlite(element: _Unit, compiler: Any, **more: Any) -> str:
    units, position = (compiler.process(each, **more) for each in element.clauses)
    found = f"""json_extract({units}, '$."' || ({position}) || '"')"""
    return f"CASE WHEN {units} <> '{{}}' THEN {found} END"


@compiles(_Unit, "postgresql")
def _unit_on_postgresql(element: _Unit, compiler: Any, **more: Any) -> str:
    units, position = (compiler.process(each, **more) for each in element.clauses)
    return f"CASE WHEN {units}::text <> '{{}}' THEN {units} ->> ({position})::text END"
