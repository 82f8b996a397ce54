"""What changed between two moments: published, edited, moved, removed, returned, withdrawn?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.care.withdrawals import tombstones
from storage.queries.history import differences
from storage.queries.organs import in_division
from storage.readings.standing import stands
from storage.schema import Moment, attempts, captures, observations, organs
from storage.schema import shown_aliases as aliases
from storage.schema import shown_reports as reports
from storage.schema import shown_versions as versions

Kind: TypeAlias = Literal[
    "attachment", "edited", "moved", "published", "removed", "returned", "withdrawn"
]
# When, what kind, and its number among those of one moment.
Cursor: TypeAlias = tuple[str, str, int]

_GOOD = ("ok", "not_modified")
_LEAST = timedelta(microseconds=1)
# So many rows are soon looked through.
_FEW = 5_000


class Event(TypedDict):
    """One change. `at` is when the archive saw it. `cells` and `prose` count the cells and the
    passages that are otherwise than in the version before; None where no two can be compared.
    `at`, `kind` and `number` together are the cursor.
    """

    at: str
    kind: Kind
    number: int
    division_code: str
    organ: str
    year: int
    version_id: int | None
    before_version_id: int | None
    capture_id: int | None
    cells: int | None
    prose: int | None
    url: str | None
    title: str | None


@leaves
def changes(
    connection: sa.Connection,
    *,
    since: datetime,
    until: datetime,
    division: str | None = None,
    organ_id: int | None = None,
    limit: int | None = None,
    after: Cursor | None = None,
) -> list[Event]:
    """All that the archive saw change after `since` and up to `until`, newest first.

    `limit`: no more than so many, those that come after the event `after` in this order.
    """
    short = _short(connection, since, until)
    few = not short and _few_reports(connection, division, organ_id)
    span = _Span(since, until, division, organ_id, limit, after, by_time=not few)
    told: list[Event] = []
    # Most are sights. What is older than all that is told already is not looked for.
    for asked in (_seen, _moved, _gone, _withdrawn):
        told = sorted([*told, *asked(connection, span)], key=_place, reverse=True)[:limit]
        full = bool(told) and len(told) == limit
        if full:
            last = datetime.fromisoformat(told[-1]["at"])
            span = replace(span, since=max(since, last - _LEAST))
        # Few sights of a long span are a move or a removal, and it would be looked at each.
        span = replace(span, by_time=short or (full and not few))
    for event in told:
        before, now = event["before_version_id"], event["version_id"]
        if before is not None and now is not None:
            event["cells"], event["prose"] = differences(connection, before, now)
    return told


def _few_reports(connection: sa.Connection, division: str | None, organ_id: int | None) -> bool:
    """Whether what is asked about has no more reports than are soon looked through."""
    s = stands(None).c
    query = sa.select(s.report_id)
    if organ_id is not None:
        query = query.where(s.organ_id == organ_id)
    if division is not None:
        query = query.where(in_division(s.division_code, division))
    return _no_more(connection, query)


def _short(connection: sa.Connection, since: datetime, until: datetime) -> bool:
    """Whether no more was captured in the span than is soon looked through."""
    c = captures.c
    query = sa.select(c.id).where(c.fetched_at > since, c.fetched_at <= until)
    return _no_more(connection, query)


def _no_more(connection: sa.Connection, query: sa.Select[Any]) -> bool:
    some = query.limit(_FEW + 1).subquery()
    count = sa.select(sa.func.count()).select_from(some)
    return bool(connection.execute(count).scalar_one() <= _FEW)


def _place(event: Event) -> Cursor:
    return event["at"], event["kind"], event["number"]


@dataclass(frozen=True, slots=True)
class _Span:
    """What is asked for, as conditions."""

    since: datetime
    until: datetime
    division: str | None
    organ_id: int | None
    limit: int | None
    after: Cursor | None
    # Whether the index of the moments finds it, or those of what it is about.
    by_time: bool

    def ask(
        self,
        connection: sa.Connection,
        query: sa.Select[Any],
        at: sa.ColumnElement[datetime],
        kind: sa.ColumnElement[str],
        number: sa.ColumnElement[int],
    ) -> Iterator[Event]:
        """One query's events, newest first. It brings the columns of an event but these three."""
        # No database knows beforehand which is the fewer; one that must compute looks elsewhere.
        at = at if self.by_time else sa.func.coalesce(at, at)
        o, place = organs.c, (at, kind, number)
        query = query.add_columns(at.label("at"), kind.label("kind"), number.label("number"))
        query = query.where(at > self.since, at <= self.until)
        if self.after is not None:
            moment = sa.literal(datetime.fromisoformat(self.after[0]), Moment)
            last = sa.tuple_(moment, *self.after[1:])
            query = query.where(at <= moment, sa.tuple_(*place) < last)
        if self.division is not None:
            query = query.where(in_division(o.division_code, self.division))
        if self.organ_id is not None:
            query = query.where(o.id == self.organ_id)
        if self.limit is not None:
            # An index gives the moments in their order, and not what else the order is made of.
            moments = query.with_only_columns(at).order_by(at.desc())
            last_of_all = moments.offset(max(self.limit - 1, 0)).limit(1)
            least = connection.execute(last_of_all).scalar()
            query = query if least is None else query.where(at >= least)
        query = query.order_by(*(column.desc() for column in place)).limit(self.limit)
        for row in connection.execute(query):
            yield Event(
                at=row.at.isoformat(),
                kind=row.kind,
                number=row.number,
                division_code=row.division_code,
                organ=row.organ,
                year=row.year,
                version_id=row.version_id,
                before_version_id=row.before_version_id,
                capture_id=row.capture_id,
                cells=None,
                prose=None,
                url=row.url,
                title=row.title,
            )


def _seen(connection: sa.Connection, span: _Span) -> Iterator[Event]:
    """Sights of a page or a file that was otherwise, or not there, at the sight before."""
    v, o = versions.c, observations.c
    # Most sights are of the only version there is; only others need a look at the one before.
    other = versions.alias("other").c
    others = sa.select(other.id).where(
        other.report_id == v.report_id, other.part == v.part, other.name == v.name, other.id != v.id
    )
    earlier, sight = versions.alias("earlier").c, observations.alias("sight").c
    sights = ((each.seen_at, each.version_id, each.capture_id) for each in (sight, o))
    then, now = (sa.tuple_(*each) for each in sights)
    before = (
        sa.select(earlier.id)
        .where(earlier.report_id == v.report_id, earlier.part == v.part, earlier.name == v.name)
        .where(sight.version_id == earlier.id)
        .where(then < now)
        .order_by(sight.seen_at.desc(), sight.version_id.desc(), sight.capture_id.desc())
        .limit(1)
    )
    last = before.scalar_subquery()
    query = (
        _of(v.id, last, o.capture_id, v.title)
        .select_from(observations)
        .join(versions, v.id == o.version_id)
        .join(captures, captures.c.id == o.capture_id)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .where(sa.or_(o.seen_at == v.first_seen, others.exists()))
        .where(last.is_distinct_from(v.id))
    )
    kind = sa.case(
        (v.part == "attachment", "attachment"), (last.is_(None), "published"), else_="edited"
    )
    return span.ask(connection, query, o.seen_at, kind, v.id)


def _moved(connection: sa.Connection, span: _Span) -> Iterator[Event]:
    """The first sight of a report's page at an address, where an earlier run had seen it at
    another.
    """
    v, o, a = versions.c, observations.c, aliases.c
    own, sight = versions.alias("own").c, observations.alias("sight").c
    other = aliases.alias("other").c
    others = sa.select(other.id).where(
        other.report_id == a.report_id, other.part == "page", other.id != a.id
    )
    look, asked = captures.alias("look").c, attempts.alias("asked").c
    in_run = (
        sa.select(asked.run_id)
        .where(asked.id == look.attempt_id, look.id == sight.capture_id)
        .scalar_subquery()
    )
    earlier = (
        sa.select(sight.alias_id)
        .where(own.report_id == v.report_id, own.part == "page", sight.version_id == own.id)
        .where(sight.seen_at < o.seen_at)
    )
    query = (
        _of(v.id, sa.null(), o.capture_id, v.title)
        .select_from(observations)
        .join(versions, v.id == o.version_id)
        .join(aliases, a.id == o.alias_id)
        .join(captures, captures.c.id == o.capture_id)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .where(v.part == "page", others.exists())
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(earlier.where(sight.alias_id != a.id, in_run < attempts.c.run_id).exists())
        .where(~earlier.where(sight.alias_id == a.id).exists())
    )
    return span.ask(connection, query, o.seen_at, sa.literal("moved"), a.id)


def _gone(connection: sa.Connection, span: _Span) -> Iterator[Event]:
    """Looks at a page's address that found nothing where something was, or something again."""
    a, look = aliases.c, captures.alias("look").c
    asked = attempts.alias("asked").c
    before = (
        sa.select(_is_gone(asked))
        .where(asked.id == look.attempt_id, look.url == captures.c.url)
        .where(sa.or_(_is_gone(asked) == 1, asked.outcome.in_(_GOOD)))
        .where(
            sa.tuple_(look.fetched_at, look.id) < sa.tuple_(captures.c.fetched_at, captures.c.id)
        )
        .order_by(look.fetched_at.desc(), look.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    now = _is_gone(attempts.c)
    # Where a part of a report is withdrawn, what is left of it must have stood at the address.
    hidden = [stone.report_id for stone in tombstones(connection).values()]
    left = sa.select(versions.c.id).join(observations, observations.c.version_id == versions.c.id)
    left = left.where(observations.c.alias_id == a.id)
    query = (
        _of(sa.null(), sa.null(), captures.c.id, a.title)
        .select_from(captures)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .join(aliases, a.url == captures.c.url)
        .join(reports, reports.c.id == a.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .where(a.part == "page", sa.or_(now == 1, attempts.c.outcome.in_(_GOOD)))
        .where(before != now, sa.or_(a.report_id.not_in(hidden), left.exists()))
    )
    kind = sa.case((now == 1, "removed"), else_="returned")
    return span.ask(connection, query, captures.c.fetched_at, kind, a.id)


def _is_gone(asked: Any) -> sa.ColumnElement[int]:
    """1 where an answer says that there is nothing."""
    no_such = sa.and_(asked.outcome == "client_error", asked.status.in_((404, 410)))
    return sa.case((sa.or_(asked.outcome == "soft_404", no_such), 1), else_=0)


def _withdrawn(connection: sa.Connection, span: _Span) -> Iterator[Event]:
    """What is withdrawn today, when it was; no more is told of it."""
    for stone in tombstones(connection).values():
        place: Cursor = (stone.since.isoformat(), "withdrawn", stone.report_id)
        if not span.since < stone.since <= span.until:
            continue
        if span.organ_id not in (None, stone.organ_id):
            continue
        if not stone.division_code.startswith(span.division or ""):
            continue
        if span.after is not None and place >= span.after:
            continue
        yield Event(
            at=place[0],
            kind="withdrawn",
            number=stone.report_id,
            division_code=stone.division_code,
            organ=stone.organ,
            year=stone.year,
            version_id=None,
            before_version_id=None,
            capture_id=None,
            cells=None,
            prose=None,
            url=None,
            title=f"({stone.sentence})",
        )


def _of(
    version_id: Any, before: Any, capture_id: Any, title: sa.ColumnElement[str]
) -> sa.Select[Any]:
    return (
        sa.select(organs.c.division_code, organs.c.name.label("organ"), reports.c.year)
        .add_columns(version_id.label("version_id"), before.label("before_version_id"))
        .add_columns(capture_id.label("capture_id"), captures.c.url, title.label("title"))
    )
