"""What is wrong or odd in the reports, as they stand today?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.leaving import leaves
from storage.schema import (
    assessment_findings,
    assessments,
    current_readings,
    findings,
    organs,
)
from storage.schema import shown_reports as reports
from storage.withdrawals import withdrawn_readings


class OpenFinding(TypedDict):
    """A relation that fails, or another finding, of a report as it stands today."""

    division_code: str
    organ: str
    year: int
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
) -> list[OpenFinding]:
    """By division, organ and year: what its reading says in the order of the report's relations,
    then what follows from holding it against others."""
    f, a, o, r = findings.c, assessment_findings.c, organs.c, reports.c
    wanted = {o.division_code: division, r.year: year, f.rule: rule, o.id: organ_id}
    in_readings = (
        sa.select(o.division_code, o.name.label("organ"), r.year)
        .add_columns(f.rule, f.verdict, f.message, f.message_zh, f.cells)
        .add_columns(sa.literal(0).label("later"), f.position)
        # A union's columns are of the first question's types, and SQLite keeps JSON as text.
        .add_columns(sa.type_coerce(sa.null(), assessments.c.readings.type).label("rests_on"))
        .select_from(findings)
        .join(current_readings, current_readings.c.reading_id == f.reading_id)
        .join(reports, r.id == current_readings.c.report_id)
        .join(organs, o.id == r.organ_id)
        .where(*(column == value for column, value in wanted.items() if value is not None))
    )
    wanted[a.rule] = wanted.pop(f.rule)
    newest = sa.select(sa.func.max(assessments.c.id)).group_by(assessments.c.report_id)
    hidden = withdrawn_readings(connection)
    across = (
        sa.select(o.division_code, o.name.label("organ"), r.year)
        .add_columns(a.rule, a.verdict, a.message, a.message_zh, a.cells)
        .add_columns(sa.literal(1).label("later"), a.position, assessments.c.readings)
        .select_from(assessment_findings)
        .join(assessments)
        .join(reports, r.id == assessments.c.report_id)
        .join(organs, o.id == r.organ_id)
        .where(assessments.c.id.in_(newest))
        .where(*(column == value for column, value in wanted.items() if value is not None))
    )
    query = in_readings.union_all(across).order_by(
        "division_code", "organ", "year", "later", "position"
    )
    return [
        OpenFinding(
            division_code=row.division_code,
            organ=row.organ,
            year=row.year,
            rule=row.rule,
            verdict=row.verdict,
            message=row.message,
            message_zh=row.message_zh or row.message,
            cells=row.cells,
        )
        for row in connection.execute(query)
        if hidden.isdisjoint(row.rests_on or ())
    ]
