"""Which organ's report of which year does the archive hold, and how well was it read?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, TypedDict

import sqlalchemy as sa

from storage.leaving import leaves
from storage.schema import (
    current_pages,
    current_readings,
    is_government,
    organs,
    portals,
    readings,
)
from storage.schema import shown_aliases as aliases
from storage.schema import shown_reports as reports
from storage.schema import shown_versions as versions
from storage.withdrawals import Tombstone, tombstones

# The year the first 条例 came into force: no organ owed a report before.
FIRST_YEAR = 2008

State: TypeAlias = Literal[
    "read",
    "partly_read",
    "old",
    "unread",
    "attachment_only",
    "unreachable",
    "missing",
    "withdrawn",
]


class Field(TypedDict):
    """One organ and year. `published` is the earliest date any version claims; `withdrawn` says
    since when and why nothing is shown.
    """

    division_code: str
    organ: str
    year: int
    state: State
    published: str | None
    title: str | None
    urls: list[str]
    withdrawn: str | None


@leaves
def coverage(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
) -> list[Field]:
    """Every organ from its first year on (a government from 2008) to the newest in the archive.

    By division, government first. Empty while the archive holds no report at all.
    """
    hidden = tombstones(connection)
    years = [each.year for each in hidden.values()]
    newest = connection.execute(sa.select(sa.func.max(reports.c.year))).scalar()
    if newest is None and not years:
        return []
    newest = max(years, default=0) if newest is None else max([newest, *years])
    wanted = [
        *([organs.c.division_code == division] if division else []),
        *([organs.c.id == organ_id] if organ_id else []),
    ]
    known = _reports(connection, wanted, hidden)
    return [
        field
        for organ in connection.execute(_organs().where(*wanted))
        for field in _fields(organ, known.get(organ.id, {}), newest)
        if year in (None, field["year"])
    ]


def _fields(organ: sa.Row[Any], known: dict[int, Field], newest: int) -> Iterator[Field]:
    owed_from = [FIRST_YEAR] if organ.is_government else []
    for year in range(min([*owed_from, *known], default=newest + 1), newest + 1):
        yield known.get(year) or Field(
            division_code=organ.division_code,
            organ=organ.name,
            year=year,
            state="missing",
            published=None,
            title=None,
            urls=[],
            withdrawn=None,
        )


def _organs() -> sa.Select[Any]:
    return (
        sa.select(organs.c.id, organs.c.division_code, organs.c.name)
        .add_columns(is_government.label("is_government"))
        .join(portals)
        .order_by(organs.c.division_code, is_government.desc(), organs.c.name)
    )


def _reports(
    connection: sa.Connection,
    wanted: list[sa.ColumnElement[bool]],
    hidden: dict[int, Tombstone],
) -> dict[int, dict[int, Field]]:
    """Organ id → year → field, of the reports there are."""
    chosen = sa.select(reports.c.id).join(organs, organs.c.id == reports.c.organ_id)
    chosen = chosen.where(reports.c.kind == "annual", *wanted)
    urls, listed_as = _aliases(connection, chosen)
    claims = _claims(connection, chosen)
    fields: dict[int, dict[int, Field]] = defaultdict(dict)
    for row in connection.execute(_pages().where(reports.c.id.in_(chosen))):
        if row.id in hidden and row.id not in claims:
            continue
        published, has_attachment = claims.get(row.id, (None, False))
        fields[row.organ_id][row.year] = Field(
            division_code=row.division_code,
            organ=row.name,
            year=row.year,
            state=_state(row, has_attachment),
            published=published,
            title=row.title if row.version_id else listed_as.get(row.id),
            urls=urls[row.id],
            withdrawn=None,
        )
    for stone in hidden.values():
        if stone.kind == "annual" and stone.year not in fields[stone.organ_id]:
            fields[stone.organ_id][stone.year] = _tombstone(stone)
    return fields


def _tombstone(stone: Tombstone) -> Field:
    return Field(
        division_code=stone.division_code,
        organ=stone.organ,
        year=stone.year,
        state="withdrawn",
        published=None,
        title=None,
        urls=[],
        withdrawn=stone.sentence,
    )


def _pages() -> sa.Select[Any]:
    page, reading = current_pages.c, readings.c
    return (
        sa.select(
            reports.c.id,
            reports.c.organ_id,
            reports.c.year,
            organs.c.division_code,
            organs.c.name,
            page.version_id,
            versions.c.title,
            reading.layout,
            reading.form_id,
            reading.unread,
        )
        .select_from(reports)
        .join(organs, organs.c.id == reports.c.organ_id)
        .outerjoin(current_pages, page.report_id == reports.c.id)
        .outerjoin(versions, versions.c.id == page.version_id)
        .join(current_readings, current_readings.c.report_id == reports.c.id)
        .outerjoin(readings, reading.id == current_readings.c.reading_id)
    )


def _state(row: sa.Row[Any], has_attachment: bool) -> State:
    if row.form_id is not None:
        return "partly_read" if row.unread else "read"
    if row.layout == "old":
        return "old"
    if has_attachment:
        return "attachment_only"
    return "unreachable" if row.version_id is None else "unread"


def _aliases(
    connection: sa.Connection, chosen: sa.Select[Any]
) -> tuple[dict[int, list[str]], dict[int, str]]:
    """Report id → addresses of its page, oldest first; and → the title it was last listed under."""
    a = aliases.c
    query = (
        sa.select(a.report_id, a.url, a.title)
        .where(a.part == "page", a.report_id.in_(chosen))
        .order_by(a.first_seen, a.id)
    )
    urls: dict[int, list[str]] = defaultdict(list)
    titles = {}
    for row in connection.execute(query):
        urls[row.report_id].append(row.url)
        titles[row.report_id] = row.title
    return urls, titles


def _claims(
    connection: sa.Connection, chosen: sa.Select[Any]
) -> dict[int, tuple[str | None, bool]]:
    """Report id → (earliest date any version claims, whether it has an attachment)."""
    v = versions.c
    query = (
        sa.select(
            v.report_id,
            sa.func.min(v.published),
            sa.func.max(sa.case((v.part == "attachment", 1), else_=0)),
        )
        .where(v.report_id.in_(chosen))
        .group_by(v.report_id)
    )
    return {row[0]: (row[1], bool(row[2])) for row in connection.execute(query)}
