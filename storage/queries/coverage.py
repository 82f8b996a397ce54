"""Which organ's report of which year does the archive hold, and how well was it read?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, Of, shown_aliases, shown_reports
from storage.care.leaving import leaves
from storage.care.withdrawals import Tombstone, tombstones
from storage.queries.organs import in_division
from storage.readings.standing import reports_of, stands
from storage.schema import is_government, organs, portals

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


class Tally(TypedDict):
    """How many reports of a division and a year are in one state."""

    division_code: str
    year: int
    state: State
    reports: int


@leaves
def coverage(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
    as_of: AsOf | None = None,
) -> list[Field]:
    """Every organ from its first year on (a government from 2008) to the newest in the archive.

    By division, government first. Empty while the archive holds no report at all. Of a moment, an
    organ is there from its first report that was there by then.
    """
    hidden = tombstones(connection)
    of = reports_of(division=division or None, organ_id=organ_id)
    years = [each.year for each in hidden.values()]
    newest = _newest_year(connection, as_of)
    if newest is None and not years:
        return []
    newest = max(years, default=0) if newest is None else max([newest, *years])
    known = _reports(connection, of, division, organ_id, hidden, as_of)
    mine = [] if organ_id is None else [organs.c.id == organ_id]
    if division:
        mine.append(in_division(organs.c.division_code, division))
    return [
        field
        for organ in connection.execute(_organs().where(*mine))
        for field in _fields(organ, known.get(organ.id, {}), newest)
        if year in (None, field["year"])
    ]


@leaves
def tallies(
    connection: sa.Connection, *, division: str | None = None, as_of: AsOf | None = None
) -> list[Tally]:
    """The map in sums, without what is missing or withdrawn; by division, year and state."""
    s = stands(as_of, reports_of(division=division or None)).c
    query = sa.select(s.division_code, s.year, s.state, sa.func.count().label("reports"))
    query = query.where(s.kind == "annual").group_by(s.division_code, s.year, s.state)
    if division:
        query = query.where(in_division(s.division_code, division))
    if stones := [each.report_id for each in tombstones(connection).values()]:
        query = query.where(sa.or_(s.state != "unreachable", s.report_id.not_in(stones)))
    rows = connection.execute(query.order_by(s.division_code, s.year, s.state))
    return [Tally(division_code=row[0], year=row[1], state=row[2], reports=row[3]) for row in rows]


def _newest_year(connection: sa.Connection, as_of: AsOf | None) -> int | None:
    """Of the reports that stand, or stood: asked year by year, for there are few and the first that
    is asked is mostly it.
    """
    s, a = stands(None).c, shown_aliases(None).c
    if as_of is None:
        return connection.execute(sa.select(sa.func.max(s.year))).scalar()
    years = sa.select(s.year).distinct().order_by(s.year.desc())
    began = connection.execute(sa.select(sa.func.min(a.first_seen))).scalar()
    if began is None or as_of.at < began:
        # Before the first sight nothing was known, and only what claims so had been published.
        if as_of.basis == "known":
            return None
        years = years.where(s.published <= as_of.in_china)
    for year in connection.execute(years).scalars().all():
        r = shown_reports(as_of, reports_of(year=year)).c
        if connection.execute(sa.select(r.id).limit(1)).first() is not None:
            return int(year)
    return None


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
    of: Of,
    division: str | None,
    organ_id: int | None,
    hidden: dict[int, Tombstone],
    as_of: AsOf | None,
) -> dict[int, dict[int, Field]]:
    """Organ id → year → field, of the reports there are."""
    standing = stands(as_of, of)
    s = standing.c
    chosen = [s.kind == "annual", *([s.organ_id == organ_id] if organ_id is not None else [])]
    if division:
        chosen.append(in_division(s.division_code, division))
    urls = _urls(connection, of, chosen, as_of)
    query = sa.select(standing, organs.c.name).select_from(standing)
    query = query.join(organs, organs.c.id == s.organ_id).where(*chosen)
    fields: dict[int, dict[int, Field]] = defaultdict(dict)
    for row in connection.execute(query):
        # Of what is hidden no version is left, and nothing else stands in its place.
        if row.report_id in hidden and row.state == "unreachable":
            continue
        fields[row.organ_id][row.year] = Field(
            division_code=row.division_code,
            organ=row.name,
            year=row.year,
            state=row.state,
            published=row.published,
            title=row.title,
            urls=urls[row.report_id],
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


def _urls(
    connection: sa.Connection,
    of: Of,
    chosen: list[sa.ColumnElement[bool]],
    as_of: AsOf | None,
) -> dict[int, list[str]]:
    """Report id → addresses of its page, oldest first."""
    aliases, standing = shown_aliases(as_of, of), stands(as_of, of)
    a, s = aliases.c, standing.c
    query = (
        sa.select(a.report_id, a.url)
        .select_from(standing)
        .join(aliases, a.report_id == s.report_id)
        .where(a.part == "page", *chosen)
        .order_by(a.first_seen, a.id)
    )
    urls: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        urls[row.report_id].append(row.url)
    return urls
