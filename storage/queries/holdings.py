"""What does the archive hold as a whole: divisions, organs, reports by year, versions, captures?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, shown_versions
from storage.leaving import leaves
from storage.queries.coverage import State
from storage.schema import captures, organs, portals, readings
from storage.standing import reports_of, stands


class Division(TypedDict):
    """A division with its names and how many organs the archive knows there."""

    division_code: str
    name_zh: str
    name_en: str
    organs: int


class Held(TypedDict):
    """How many annual reports of a division and year are here: `held` with a version, `read` with
    every cell of their statutory tables.
    """

    division_code: str
    year: int
    held: int
    read: int


class Totals(TypedDict):
    """Counts over the whole archive."""

    divisions: int
    organs: int
    reports: int
    versions: int
    captures: int


class Quality(TypedDict):
    """How well the report of one organ and year was read."""

    organ: str
    year: int
    state: State


class Maker(TypedDict):
    """A parser, and for how many reports its reading stands."""

    parser: str
    reports: int


@leaves
def divisions(connection: sa.Connection) -> list[Division]:
    """By code; the name is its own portal's."""
    o, p = organs.c, portals.c
    names = {
        row.division_code: row
        for row in connection.execute(sa.select(portals).order_by(p.key.desc()))
    }
    query = sa.select(o.division_code, sa.func.count().label("organs")).group_by(o.division_code)
    found = {row.division_code: row.organs for row in connection.execute(query)}
    return [
        Division(
            division_code=code,
            name_zh=names[code].name_zh if code in names else code,
            name_en=names[code].name_en if code in names else code,
            organs=found.get(code, 0),
        )
        for code in sorted({*names, *found})
    ]


@leaves
def held(
    connection: sa.Connection, *, division: str | None = None, as_of: AsOf | None = None
) -> list[Held]:
    """Division × year, by division and year; years without a report have no row."""
    s = stands(as_of, reports_of(division=division)).c
    here = sa.func.sum(sa.case((s.state != "unreachable", 1), else_=0))
    read = sa.func.sum(sa.case((s.state == "read", 1), else_=0))
    query = (
        sa.select(s.division_code, s.year, here.label("held"), read.label("read"))
        .where(s.kind == "annual")
        .group_by(s.division_code, s.year)
        .order_by(s.division_code, s.year)
    )
    if division is not None:
        query = query.where(s.division_code == division)
    return [
        Held(division_code=row.division_code, year=row.year, held=row.held, read=row.read)
        for row in connection.execute(query)
    ]


@leaves
def totals(connection: sa.Connection) -> Totals:
    """Of what is shown today."""
    s = stands(None)
    v = shown_versions(None)

    def count(source: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(source).where(*where)
        return int(connection.execute(query).scalar_one())

    code = sa.select(organs.c.division_code).distinct().subquery()
    return Totals(
        divisions=count(code),
        organs=count(organs),
        reports=count(s, s.c.kind == "annual", s.c.state != "unreachable"),
        versions=count(v),
        captures=count(captures),
    )


@leaves
def qualities(
    connection: sa.Connection, *, division: str, as_of: AsOf | None = None
) -> list[Quality]:
    """Of each report of a division how well it was read, as coverage says it."""
    s, o = stands(as_of, reports_of(division=division)).c, organs.c
    query = (
        sa.select(o.name, s.year, s.state)
        .join(organs, o.id == s.organ_id)
        .where(s.kind == "annual", s.division_code == division)
    )
    return [
        Quality(organ=row.name, year=row.year, state=row.state) for row in connection.execute(query)
    ]


@leaves
def makers(connection: sa.Connection) -> list[Maker]:
    """The parsers whose readings stand for a report today, the most used first."""
    r, standing = readings.c, stands(None)
    query = (
        sa.select(r.parser, sa.func.count().label("reports"))
        .join(standing, standing.c.reading_id == r.id)
        .group_by(r.parser)
        .order_by(sa.desc("reports"), r.parser)
    )
    return [Maker(parser=row.parser, reports=row.reports) for row in connection.execute(query)]
