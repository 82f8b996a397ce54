"""What is wrong or odd in the reports, as they stand today?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.schema import current_pages, findings, organs, reports


class OpenFinding(TypedDict):
    """A relation that fails, or another finding, of a report's current page."""

    division_code: str
    organ: str
    year: int
    rule: str
    verdict: str
    message: str
    message_zh: str
    cells: list[str]


def open_findings(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    rule: str | None = None,
    organ_id: int | None = None,
) -> list[OpenFinding]:
    """By division, organ and year, in the order of the report's relations."""
    f, o, r = findings.c, organs.c, reports.c
    wanted = {o.division_code: division, r.year: year, f.rule: rule, o.id: organ_id}
    query = (
        sa.select(o.division_code, o.name.label("organ"), r.year)
        .add_columns(f.rule, f.verdict, f.message, f.message_zh, f.cells)
        .select_from(findings)
        .join(current_pages, current_pages.c.reading_id == f.reading_id)
        .join(reports, r.id == current_pages.c.report_id)
        .join(organs)
        .where(*(column == value for column, value in wanted.items() if value is not None))
        .order_by(o.division_code, o.name, r.year, f.position)
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
    ]
