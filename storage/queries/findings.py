"""What is wrong or odd in the reports, as they stand today or stood at a moment?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.care.withdrawals import withdrawn_readings
from storage.queries.organs import in_division
from storage.readings.assessments import is_in_force
from storage.readings.onecell import Scope
from storage.schema import assessment_findings, assessments, findings, organs

# Division, organ and year; a cursor adds the number of the last finding that was told.
Place: TypeAlias = tuple[str, str, int]
Cursor: TypeAlias = tuple[str, str, int, int]

_CHUNK = 500
# What follows from holding a report against others comes after all that its reading says.
_LATER = 100_000


class OpenFinding(TypedDict):
    """A relation that fails, or another finding, of a report as it stands. `number` is its place
    among what is said of the report.
    """

    division_code: str
    organ: str
    year: int
    number: int
    rule: str
    verdict: str
    message: str
    message_zh: str
    cells: list[str]


@leaves
def open_findings(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    rule: str | None = None,
    organ_id: int | None = None,
    as_of: AsOf | None = None,
    limit: int | None = None,
    after: Cursor | None = None,
) -> list[OpenFinding]:
    """By division, organ and year: what its reading says in the order of the report's relations,
    then what follows from holding it against others.

    `limit`: no more than so many, those that come after the finding `after`.
    """
    scope = Scope(division=division, organ_id=organ_id, year=year, as_of=as_of)
    ask = _Ask(connection, scope, rule)
    if limit is None and after is None:
        return ask.told(ask.findings(None))
    told: list[OpenFinding] = []
    # All that is said of the last report was told, but where a cursor begins in the middle of one.
    place, number = (after[:3], after[3]) if after else (None, None)
    while limit is None or len(told) < limit:
        reports = ask.reports(place, number, limit or _CHUNK)
        if not reports:
            break
        rows = ask.findings([row.report_id for row in reports])
        if number is not None:
            rows = [row for row in rows if _place(row) != place or row.number > number]
        told += ask.told(rows)
        place, number = _place(reports[-1]), None
    return told[:limit]


@dataclass(frozen=True, slots=True)
class _Ask:
    """One question, as queries."""

    connection: sa.Connection
    scope: Scope
    rule: str | None

    def reports(self, after: Place | None, number: int | None, limit: int) -> Sequence[Any]:
        """So many reports of which anything is said: those after this one, or, where what is said
        of it was told up to a number, from it on.
        """
        standing, o = self.scope.stands(), organs.c
        s, f = standing.c, findings.c
        read = sa.select(f.reading_id).where(f.reading_id == s.reading_id, *self._is(f.rule))
        query = (
            sa.select(s.report_id, o.division_code, o.name.label("organ"), s.year)
            .select_from(organs)
            .join(standing, s.organ_id == _given(o.id))
            .where(*self._wanted(standing))
            .where(sa.or_(read.exists(), self._said_across(standing)))
            .order_by(o.division_code, o.name, s.year)
            .limit(limit)
        )
        if after is not None:
            key, last = sa.tuple_(o.division_code, o.name, s.year), sa.tuple_(*after)
            query = query.where(key > last if number is None else key >= last)
            query = query.where(sa.tuple_(o.division_code, o.name) >= sa.tuple_(*after[:2]))
        return self.connection.execute(query).all()

    def findings(self, reports: Sequence[int] | None) -> Sequence[sa.Row[Any]]:
        """All that is said of these reports, or of all."""
        f, a, o, standing = findings.c, assessment_findings.c, organs.c, self.scope.stands()
        s = standing.c
        chosen = self._wanted(standing)
        if reports is not None:
            chosen.append(s.report_id.in_(reports))
        in_readings = (
            sa.select(*_key(s))
            .add_columns(f.rule, f.verdict, f.message, f.message_zh, f.cells)
            .add_columns(f.position.label("number"))
            # A union's columns are of the first question's types, and SQLite keeps JSON as text.
            .add_columns(sa.type_coerce(sa.null(), assessments.c.readings.type).label("rests_on"))
            .select_from(standing)
            .join(findings, f.reading_id == s.reading_id)
            .join(organs, o.id == s.organ_id)
            .where(*chosen, *self._is(f.rule))
        )
        across = (
            sa.select(*_key(s))
            .add_columns(a.rule, a.verdict, a.message, a.message_zh, a.cells)
            .add_columns((a.position + _LATER).label("number"), assessments.c.readings)
            .select_from(standing)
            .join(assessments, assessments.c.report_id == s.report_id)
            .join(assessment_findings, a.assessment_id == assessments.c.id)
            .join(organs, o.id == s.organ_id)
            .where(*chosen, *self._is(a.rule), self._in_force(standing))
        )
        query = in_readings.union_all(across)
        ordered = query.order_by("division_code", "organ", "year", "number")
        return self.connection.execute(ordered).all()

    def told(self, rows: Sequence[sa.Row[Any]]) -> list[OpenFinding]:
        """Without what rests on something that was withdrawn since."""
        hidden = withdrawn_readings(self.connection)
        return [
            OpenFinding(
                division_code=row.division_code,
                organ=row.organ,
                year=row.year,
                number=row.number,
                rule=row.rule,
                verdict=row.verdict,
                message=row.message,
                message_zh=row.message_zh or row.message,
                cells=row.cells,
            )
            for row in rows
            if hidden.isdisjoint(row.rests_on or ())
        ]

    def _said_across(self, standing: sa.FromClause) -> sa.ColumnElement[bool]:
        """Whether what is in force of a report says anything that is asked for."""
        a = assessment_findings.c
        query = (
            sa.select(assessments.c.id)
            .join(assessment_findings, a.assessment_id == assessments.c.id)
            .where(assessments.c.report_id == standing.c.report_id, *self._is(a.rule))
            .where(self._in_force(standing))
        )
        return query.correlate(standing).exists()

    def _in_force(self, standing: sa.FromClause) -> sa.ColumnElement[bool]:
        return is_in_force(standing, self.scope.as_of, self.scope.of)

    def _wanted(self, standing: sa.FromClause) -> list[sa.ColumnElement[bool]]:
        wanted = self.scope.conditions(standing)
        if self.scope.division is not None:
            # Of the organs too: it is by their index that the first are found.
            wanted.append(in_division(organs.c.division_code, self.scope.division))
        return wanted

    def _is(self, rule: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        return [] if self.rule is None else [rule == self.rule]


def _given(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """SQLite then goes by organs in their order and stops where there are enough reports; else it
    sorts all of the year, or of the archive, to give the first fifty.
    """
    return sa.UnaryExpression(column, operator=custom_op("+"))


def _key(s: Any) -> tuple[sa.ColumnElement[Any], ...]:
    """Labelled: SQLite orders a union by names that it was given."""
    o = organs.c
    return (
        o.division_code.label("division_code"),
        o.name.label("organ"),
        s.year.label("year"),
    )


def _place(row: sa.Row[Any]) -> Place:
    return (row.division_code, row.organ, row.year)
