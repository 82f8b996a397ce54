"""What was withdrawn or restored, by whom and why? The audit."""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.care.personal import masked
from storage.schema import organs, withdrawals, withdrawn
from storage.schema import reports as every_report
from storage.schema import versions as every_version


class Act(TypedDict):
    """One withdrawal or restoration. `version` and `url` are null where the report was meant, and
    organ and year where an address was; `in_force`: it hides something today.
    """

    division_code: str | None
    organ: str | None
    year: int | None
    version: int | None
    url: str | None
    action: str
    author: str
    reason: str
    made_at: str
    in_force: bool


def acts(connection: sa.Connection) -> list[Act]:
    """Every act there was, oldest first.

    The one answer that names withdrawn addresses: nobody could restore one that is not named.
    """
    w, r, v = withdrawals.c, every_report.c, every_version.c
    in_force = sa.select(withdrawn.c.id)
    query = (
        sa.select(organs.c.division_code, organs.c.name, r.year, w.version_id, w.url, w.action)
        .add_columns(w.author, w.reason, w.made_at, w.id.in_(in_force).label("in_force"))
        .select_from(withdrawals)
        .outerjoin(every_version, v.id == w.version_id)
        .outerjoin(every_report, r.id == sa.func.coalesce(w.report_id, v.report_id))
        .outerjoin(organs, organs.c.id == r.organ_id)
        .order_by(w.id)
    )
    return [
        Act(
            division_code=row.division_code,
            organ=row.name,
            year=row.year,
            version=row.version_id,
            url=row.url,
            action=row.action,
            author=masked(row.author),
            reason=masked(row.reason),
            made_at=row.made_at.isoformat(),
            in_force=bool(row.in_force),
        )
        for row in connection.execute(query)
    ]
