"""Which reports does the archive hold, one after the other, however many there are?"""

from __future__ import annotations

from typing import TypedDict, cast

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.readings.onecell import Scope
from storage.schema import organs


class ListedReport(TypedDict):
    """A report as it stands. `state` is coverage's; `version_id` and `layout` are null where no
    version of its page, or no form, is there; `published` is the earliest date any version claims.
    """

    report_id: int
    division_code: str
    organ: str
    year: int
    kind: str
    state: str
    layout: str | None
    published: str | None
    title: str | None
    version_id: int | None
    reading_id: int | None


@leaves
def listed_reports(
    connection: sa.Connection,
    *,
    division: str | None = None,
    organ_id: int | None = None,
    year: int | None = None,
    kind: str | None = None,
    state: str | None = None,
    as_of: AsOf | None = None,
    limit: int | None = None,
    after: int | None = None,
) -> list[ListedReport]:
    """In the order in which the archive came to know them: new ones come last, so that a list can
    be gone on with `after` the `report_id` of its last row.
    """
    scope = Scope(division=division, organ_id=organ_id, year=year, as_of=as_of)
    reports = scope.stands()
    s = reports.c
    wanted = [*scope.conditions(reports), s.kind == (kind or "annual")]
    wanted += [s.state == state] if state is not None else []
    wanted += [s.report_id > after] if after is not None else []
    query = (
        sa.select(s.report_id, s.division_code, organs.c.name.label("organ"), s.year, s.kind)
        .add_columns(s.state, s.layout, s.published, s.title, s.version_id, s.reading_id)
        .select_from(reports)
        .join(organs, organs.c.id == s.organ_id)
        .where(*wanted)
        .order_by(s.report_id)
        .limit(limit)
    )
    return [cast(ListedReport, dict(row)) for row in connection.execute(query).mappings()]
