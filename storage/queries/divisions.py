"""Which divisions does the archive know, and how much of each does it hold?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, shown_reports
from storage.leaving import leaves
from storage.schema import organs, portals


class Division(TypedDict):
    """A division with the portal that its government runs; years are null without a report."""

    division_code: str
    name: str
    name_en: str
    portal: str
    government: str
    organs: int
    reports: int
    first_report: int | None
    last_report: int | None


@leaves
def divisions(connection: sa.Connection, *, as_of: AsOf | None = None) -> list[Division]:
    """By code, then by portal."""
    p, o, reports = portals.c, organs.c, shown_reports(as_of)
    r = reports.c
    count, distinct = sa.func.count, sa.distinct
    query = (
        sa.select(p.division_code, p.name_zh, p.name_en, p.key, p.government)
        .add_columns(count(distinct(o.id)).label("organs"), count(r.id).label("reports"))
        .add_columns(sa.func.min(r.year).label("first"), sa.func.max(r.year).label("last"))
        .select_from(portals)
        .outerjoin(organs, o.portal == p.key)
        .outerjoin(reports, sa.and_(r.organ_id == o.id, r.kind == "annual"))
        .group_by(p.division_code, p.name_zh, p.name_en, p.key, p.government)
        .order_by(p.division_code, p.key)
    )
    return [
        Division(
            division_code=row.division_code,
            name=row.name_zh,
            name_en=row.name_en,
            portal=row.key,
            government=row.government,
            organs=row.organs,
            reports=row.reports,
            first_report=row.first,
            last_report=row.last,
        )
        for row in connection.execute(query)
    ]
