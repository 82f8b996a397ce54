"""What does the archive hold as a whole: divisions, organs, reports by year, versions, captures?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, shown_versions
from storage.care.leaving import leaves
from storage.queries.coverage import State
from storage.queries.organs import in_division
from storage.readings.standing import reports_of, stands
from storage.schema import captures, organs, portals, readings

# Of a county's code; a longer one stands for itself.
_DIGITS = 6


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
def divisions(
    connection: sa.Connection,
    *,
    division: str | None = None,
    digits: int | None = None,
    most: int | None = None,
) -> list[Division]:
    """By code; the name is its own portal's. `division`: a code or the beginning of codes.

    `digits`: those that begin with the same digits as one, under these, named as the division whose
    code is zero from there on. Nothing where there are more than `most`.
    """
    o, p = organs.c, portals.c
    mine, own = [_under(each.division_code, division) for each in (o, p)]
    code = _beginning(o.division_code, digits)
    counted = sa.select(code.label("code"), sa.func.count().label("organs")).where(*mine)
    known = sa.select(_beginning(p.division_code, digits)).where(*own)
    if most is not None:
        every = sa.select(code).where(*mine).union(known).limit(most + 1).subquery()
        if connection.execute(sa.select(sa.func.count()).select_from(every)).scalar_one() > most:
            return []
    found = {row.code: row.organs for row in connection.execute(counted.group_by(code))}
    codes = sorted({*found, *connection.execute(known.distinct()).scalars()})
    named = sa.select(p.division_code, p.name_zh, p.name_en).where(*own).order_by(p.key.desc())
    if digits is not None:
        named = named.where(p.division_code.in_([_whole(each) for each in codes]))
    names = {row.division_code: row for row in connection.execute(named)}
    return [
        Division(
            division_code=each,
            name_zh=names[_whole(each)].name_zh if _whole(each) in names else each,
            name_en=names[_whole(each)].name_en if _whole(each) in names else each,
            organs=found.get(each, 0),
        )
        for each in codes
    ]


@leaves
def divisions_named(connection: sa.Connection, name: str) -> list[str]:
    """The codes of the divisions that are called so, in either language."""
    p = portals.c
    query = sa.select(p.division_code).where(sa.or_(p.name_zh == name, p.name_en == name))
    return list(connection.execute(query.distinct().order_by(p.division_code)).scalars())


@leaves
def held(
    connection: sa.Connection,
    *,
    division: str | None = None,
    digits: int | None = None,
    as_of: AsOf | None = None,
) -> list[Held]:
    """Division × year, by division and year; years without a report have no row. `division` and
    `digits` as in `divisions`.
    """
    s = stands(as_of, reports_of(division=division)).c
    here = sa.func.sum(sa.case((s.state != "unreachable", 1), else_=0))
    read = sa.func.sum(sa.case((s.state == "read", 1), else_=0))
    code = _beginning(s.division_code, digits)
    query = (
        sa.select(code.label("code"), s.year, here.label("held"), read.label("read"))
        .where(s.kind == "annual", *_under(s.division_code, division))
        .group_by(code, s.year)
        .order_by(code, s.year)
    )
    return [
        Held(division_code=row.code, year=row.year, held=row.held, read=row.read)
        for row in connection.execute(query)
    ]


def _under(column: sa.ColumnElement[str], division: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if division is None else [in_division(column, division)]


def _beginning(column: sa.ColumnElement[str], digits: int | None) -> sa.ColumnElement[str]:
    return column if digits is None else sa.func.substr(column, 1, sa.literal_column(str(digits)))


def _whole(code: str) -> str:
    """The code of the division under which all that begin so stand."""
    return code.ljust(_DIGITS, "0")


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
