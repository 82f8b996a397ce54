"""What do persons hold against the machine, and which of it wants a second look?"""

from __future__ import annotations

from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.readings.corrections import in_force
from storage.schema import organs
from storage.schema import shown_reports as reports


class Correction(TypedDict):
    """A correction in force. `cell` is null where it says whose report it is; `review`: the source
    says something else by now than when it was made.
    """

    division_code: str
    organ: str
    year: int
    cell: str | None
    url: str | None
    before: str
    after: str
    author: str
    reason: str
    evidence: str
    made_at: str
    review: bool


@leaves
def corrections(connection: sa.Connection, *, as_of: AsOf | None = None) -> list[Correction]:
    """Of all reports, oldest first; of a moment, what was held then (storage.asof)."""
    o, r = organs.c, reports.c
    query = sa.select(r.id, r.year, o.name, o.division_code).join(organs, o.id == r.organ_id)
    known = {row.id: row for row in connection.execute(query)}
    return [
        Correction(
            division_code=known[each.report_id].division_code,
            organ=known[each.report_id].name,
            year=known[each.report_id].year,
            cell=each.cell,
            url=each.url,
            before=_shown(each.before),
            after=_shown(each.after),
            author=each.entry.author,
            reason=each.entry.reason,
            evidence=each.entry.evidence,
            made_at=each.entry.at.isoformat(),
            review=each.review,
        )
        for each in in_force(connection, as_of=as_of)
        if each.report_id in known
    ]


def _shown(said: dict[str, Any]) -> str:
    """A figure, or whose report of which year."""
    if "organ" in said:
        return f"{said['organ']} {said['year']}"
    return f"{said['raw'].strip()} ({said['state']})".strip()
