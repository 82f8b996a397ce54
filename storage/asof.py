"""The archive as of a moment: what it knew then, or what was published then.

Two questions that are easily taken for one, so each has a name:

- `known`: rows that were there by then. A version counts once it was seen, a reading once it was
  made or confirmed, a correction once it was held, an assessment once it was said.
- `published`: the version that stood then, by every observation up to today and the dates the
  versions claim, read with the readings in force today.

Under both, what is withdrawn today is shown of no moment, and whose report an address is, is
today's. docs/asof.md tells the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from storage import schema
from storage.errors import BadQuestion
from storage.schema import (
    Moment,
    confirmations,
    observations,
    readings,
)

Basis = Literal["known", "published"]

# Dates that pages show are of this place, and so is a day that somebody asks about.
ZONE = ZoneInfo("Asia/Shanghai")
# The reports that are asked about, where they are one or those of a query: a moment of all of them
# is long to look up.
Of = int | sa.ColumnElement[int] | sa.Select[Any] | None
# A moment is asked for in several statements that share their parts, and to build those takes
# longer than the database needs for one report.
KEPT = 64


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment, with its time zone, and what is asked of it."""

    at: datetime
    basis: Basis = "known"

    def __str__(self) -> str:
        """In a sentence: `known at 2024-03-01 23:59 in China`."""
        return f"{self.basis} at {self.at.astimezone(ZONE):%Y-%m-%d %H:%M} in China"

    @property
    def in_china(self) -> str:
        """As pages write a moment, to the second: what claims are held against."""
        return self.at.astimezone(ZONE).replace(tzinfo=None).isoformat(" ", "seconds")

    @classmethod
    def parse(cls, asked: str, basis: str = "known") -> Self:
        """From a day, which means its end in China, or a moment with its time zone.

        Raises BadQuestion.

        >>> AsOf.parse("2024-03-01").at.isoformat()
        '2024-03-01T15:59:59.999999+00:00'
        """
        for known in get_args(Basis):
            if basis == known:
                return cls(moment(asked), known)
        raise BadQuestion(f"the basis {basis}: it is one of {', '.join(get_args(Basis))}")


def moment(asked: str) -> datetime:
    """The end of a day in China, or a moment with its time zone. Raises BadQuestion."""
    try:
        found = datetime.fromisoformat(asked)
        if found.tzinfo is not None:
            # Pages show their dates in China: the last hours of the year 9999 are none there.
            return found.astimezone(ZONE).astimezone(UTC)
        if len(asked) <= len("2026-04-01"):
            end = found.replace(tzinfo=ZONE) + timedelta(days=1, microseconds=-1)
            return end.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadQuestion(f"{asked}: no date such as 2026-04-01") from error
    raise BadQuestion(f"{asked}: say in which time zone, or give the day alone")


@lru_cache(KEPT)
def shown_reports(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`shown_reports`: of a moment, those of which an address was known or a version stood."""
    if as_of is None:
        return schema.shown_reports
    r = schema.shown_reports.c
    query = sa.select(*r).where(r.id.in_(_reports_then(as_of, of)), *among(r.id, of))
    return query.subquery("reports_then")


@lru_cache(KEPT)
def shown_aliases(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`shown_aliases`: of a moment, those that were known, or where a version stood by then."""
    if as_of is None:
        return schema.shown_aliases
    a = schema.shown_aliases.c
    then: sa.ColumnElement[bool] = a.first_seen <= _at(as_of)
    if as_of.basis == "published":
        s = _sights(as_of, of).c
        then = sa.or_(then, a.id.in_(sa.select(s.alias_id)))
    return sa.select(*a).where(then, *among(a.report_id, of)).subquery("aliases_then")


@lru_cache(KEPT)
def shown_versions(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`shown_versions`: of a moment, those that had been there by then; `last_seen` is the last
    sight that tells so.
    """
    if as_of is None:
        return schema.shown_versions
    v = schema.shown_versions.c
    own = [column for column in v if column.name != "last_seen"]
    if as_of.basis == "known":
        seen = _last_sight(as_of, v.id)
        query = sa.select(*own, seen.label("last_seen")).where(seen.is_not(None))
        return query.where(*among(v.report_id, of)).subquery("versions_then")
    s = _sights(as_of, of).c
    last = sa.select(s.version_id, sa.func.max(s.seen_at).label("last_seen"))
    seen_then = last.group_by(s.version_id).subquery("seen_then")
    query = sa.select(*own, seen_then.c.last_seen).join(seen_then, seen_then.c.version_id == v.id)
    query = query.where(*among(v.report_id, of))
    return query.subquery("versions_then")


@lru_cache(KEPT)
def current_versions(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`current_versions`: of each page and file the version that stood, with its reading."""
    if as_of is None:
        return schema.current_versions
    if as_of.basis == "known":
        v = shown_versions(as_of, of).c
        of_part, version_id, last = (v.report_id, v.part, v.name), v.id, v.last_seen
    else:
        s = _sights(as_of, of).c
        of_part, version_id, last = (s.report_id, s.part, s.name), s.version_id, s.seen_at
    rank = sa.func.row_number().over(
        partition_by=of_part, order_by=(last.desc(), version_id.desc())
    )
    ranked = sa.select(
        *of_part, version_id.label("version_id"), last.label("last_seen"), rank.label("rank")
    ).subquery("ranked_versions")
    c = ranked.c
    return (
        sa.select(c.report_id, c.part, c.name, c.version_id)
        .add_columns(reading_of(c.version_id, as_of).label("reading_id"), c.last_seen)
        .where(c.rank == 1)
        .subquery("current_versions_then")
    )


@lru_cache(KEPT)
def current_pages(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`current_pages`: those of `current_versions` that are pages."""
    if as_of is None:
        return schema.current_pages
    c = current_versions(as_of, of).c
    query = sa.select(c.report_id, c.version_id, c.reading_id).where(c.part == "page")
    return query.subquery("current_pages_then")


@lru_cache(KEPT)
def current_readings(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """`current_readings`: of each report there was the reading that stood for it, or NULL."""
    if as_of is None:
        return schema.current_readings
    v, r = current_versions(as_of, of).c, readings.c
    best = sa.func.row_number().over(
        partition_by=v.report_id,
        order_by=(
            sa.case((r.form_id.is_not(None), 0), (r.layout == "old", 1), else_=2),
            sa.case((v.part == "page", 0), else_=1),
            v.last_seen.desc(),
            v.version_id.desc(),
        ),
    )
    ranked = (
        sa.select(v.report_id, r.id.label("reading_id"), best.label("rank"))
        .join(readings, r.id == v.reading_id)
        .subquery("ranked_readings")
    )
    p, n = schema.reports.c, ranked.c
    return (
        sa.select(p.id.label("report_id"), n.reading_id)
        .outerjoin(ranked, (n.report_id == p.id) & (n.rank == 1))
        .where(p.id.in_(_reports_then(as_of, of)), *among(p.id, of))
        .subquery("current_readings_then")
    )


def reading_of(version_id: sa.ColumnElement[Any], as_of: AsOf) -> sa.ScalarSelect[Any]:
    """The reading of a version that was in force; of `published`, the one in force today."""
    r, c = readings.c, confirmations.c
    confirmed = sa.select(sa.func.max(c.confirmed_at)).where(c.reading_id == r.id)
    query = sa.select(r.id).where(r.version_id == version_id)
    if as_of.basis == "known":
        confirmed = confirmed.where(c.confirmed_at <= _at(as_of))
        query = query.where(r.created_at <= _at(as_of))
    in_force = sa.func.coalesce(confirmed.scalar_subquery(), r.created_at)
    return query.order_by(in_force.desc(), r.id.desc()).limit(1).scalar_subquery()


def _reports_then(as_of: AsOf, of: Of) -> sa.Select[Any]:
    return sa.select(shown_aliases(as_of, of).c.report_id)


def among(column: sa.ColumnElement[Any], of: Of) -> list[sa.ColumnElement[bool]]:
    """The condition that a report's number is one of these; none where all are asked for."""
    if of is None:
        return []
    return [column.in_(of) if isinstance(of, sa.Select) else column == of]


def _last_sight(as_of: AsOf, version_id: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    o = observations.c
    query = sa.select(sa.func.max(o.seen_at))
    return query.where(o.version_id == version_id, o.seen_at <= _at(as_of)).scalar_subquery()


@lru_cache(KEPT)
def _sights(as_of: AsOf, of: Of) -> sa.CTE:
    """The observations that tell of the time up to the moment: those made by then, and of each
    page and file the first after it, if the date its version claims lies between the two.

    A date before the reporting year is no date of publication; one of a day, a month or a year
    counts from its end.
    """
    v, o, r = schema.shown_versions.c, observations.c, schema.reports.c
    before = sa.func.lag(o.seen_at).over(
        partition_by=(v.report_id, v.part, v.name), order_by=(o.seen_at, v.id)
    )
    seen = (
        sa.select(v.report_id, v.part, v.name, v.published, r.year)
        .add_columns(o.version_id, o.alias_id, o.seen_at, before.label("before"))
        .select_from(schema.shown_versions)
        .join(observations, o.version_id == v.id)
        .join(schema.reports, r.id == v.report_id)
        .where(*among(v.report_id, of))
        .subquery("seen")
    )
    s = seen.c
    claim = _to_its_end(s.published)
    claimed = sa.and_(
        s.published >= sa.cast(s.year, sa.Text),
        claim <= as_of.in_china,
        sa.or_(s.before.is_(None), claim > _InChina(s.before)),
    )
    return sa.select(*s).where(sa.or_(s.seen_at <= _at(as_of), claimed)).cte()


def _to_its_end(claim: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A claimed date as its last second, in letters: `2020-03` becomes `2020-03-31 23:59:59`."""
    ends = {4: "-12-31 23:59:59", 7: "-31 23:59:59", 10: " 23:59:59", 16: ":59"}
    return claim + sa.case(ends, value=sa.func.length(claim), else_="")


def _at(as_of: AsOf) -> sa.ColumnElement[datetime]:
    return sa.literal(as_of.at, Moment)


class _InChina(sa.sql.functions.GenericFunction[str]):
    """A moment of the database as the date and time that a clock in China shows."""

    type = sa.Text()
    inherit_cache = True
    name = "in_china"


@compiles(_InChina, "sqlite")
def _in_china_on_sqlite(element: _InChina, compiler: Any, **more: Any) -> str:
    return f"datetime({compiler.process(element.clauses, **more)}, '+8 hours')"


@compiles(_InChina, "postgresql")
def _in_china_on_postgresql(element: _InChina, compiler: Any, **more: Any) -> str:
    said = compiler.process(element.clauses, **more)
    return f"to_char({said} AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS')"
