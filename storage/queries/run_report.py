"""What did a run find that is new, changed, missing or odd, and what stood in its way?"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.alerts.record import rank
from storage.care.leaving import leaves
from storage.drift.drifts import drifts
from storage.errors import NotInArchive
from storage.ledger.cells import Cell, State, ledger
from storage.queries.history import Change, history
from storage.queries.organs import Organ
from storage.schema import (
    alert_events,
    alerts,
    attempts,
    captures,
    listing_reads,
    listings,
    organs,
    runs,
    shown_aliases,
    shown_reports,
    shown_versions,
    starts,
)

# Outcomes after which the address was there, or surely not.
_ANSWERED = (
    *("ok", "redirect", "not_modified", "client_error", "soft_404", "shell", "empty"),
    *("robots_refused", "out_of_scope"),
)
_GONE = ("client_error", "soft_404")
# Outcomes that are worth a word though the run may be complete.
_ODD = ("soft_404", "empty", "bad_encoding", "too_large", "truncated", "redirect_loop")
# States of the ledger in which a report that is due is not to be had.
MISSING: tuple[State, ...] = (
    "absent",
    "removed",
    "unreadable",
    "blocked",
    "portal_down",
    "unproven",
)


class ReportLine(TypedDict):
    """A report. `capture_id` holds what is said of it; `published` as the page claims."""

    organ: str
    year: int
    title: str
    published: str | None
    url: str
    capture_id: int | None


class ChangedReport(ReportLine):
    """A report with a new version. `cells` differ from the version before it of that part."""

    part: str
    cells: list[Change]
    rewritten: int


class Traffic(TypedDict):
    """Requests, answers and bytes of one portal; `before` of the run that asked it before."""

    portal: str
    requests: int
    answers: int
    bytes: int
    before: dict[str, int] | None


class Wall(TypedDict):
    """Addresses of a portal that gave no answer; `capture_id`: the newest evidence, if any."""

    portal: str
    outcome: str
    addresses: int
    url: str
    capture_id: int | None


class Unproven(TypedDict):
    """A listing that was not proven complete."""

    portal: str
    title: str
    url: str
    verdict: str
    rule: str | None
    reason: str | None
    reason_zh: str | None
    captures: list[int]


class LedgerSums(TypedDict):
    """The ledger of the portals that the run asked, at its end: cells by state; and what became
    missing or came late since the run that asked the portal before.
    """

    states: dict[str, int]
    missing: list[Cell]
    late: list[Cell]


class AlertLine(TypedDict):
    """What became of an alert in the run: opened, reopened or closed; and what it says."""

    id: int
    event: str
    kind: str
    subject: str
    message: str
    message_zh: str


class RunReport(TypedDict):
    """Everything that a run page shows, in full. `ended_at` is None for a run that is at work or
    died; `odd` are words of the run's statistics, each with a count.
    """

    id: int
    spider: str
    scope: str
    portals: list[str]
    state: str
    reason: str | None
    started_at: str
    ended_at: str | None
    starts: int
    before: int | None
    drift: list[dict[str, Any]]
    walls: list[Wall]
    listings: list[Unproven]
    ledger: LedgerSums
    alerts: list[AlertLine]
    new: list[ReportLine]
    changed: list[ChangedReport]
    removed: list[ReportLine]
    moved: list[ReportLine]
    traffic: list[Traffic]
    odd: dict[str, int]


@leaves
def newest_run(connection: sa.Connection) -> int | None:
    """The number of the newest run; None in an archive without one."""
    newest: int | None = connection.execute(sa.select(sa.func.max(runs.c.id))).scalar()
    return newest


@leaves
def run_report(connection: sa.Connection, run_id: int) -> RunReport:
    """One run. Raises NotInArchive."""
    run = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
    if run is None:
        newest = newest_run(connection)
        known = "it holds none yet" if newest is None else f"the newest is {newest}"
        raise NotInArchive(f"the archive has no run {run_id}: {known}, see `archive runs`")
    began = sa.select(starts.c.scope).where(starts.c.run_id == run_id).order_by(starts.c.id.desc())
    scopes = list(connection.execute(began).scalars())
    asked = _portals(connection, run_id)
    before = _before(connection, run)
    return RunReport(
        id=run.id,
        spider=run.spider,
        scope=(scopes[0] if scopes else None) or "all",
        portals=asked,
        state=run.state,
        reason=run.reason,
        started_at=run.started_at.isoformat(),
        ended_at=run.ended_at.isoformat() if run.ended_at else None,
        starts=len(scopes),
        before=before.id if before else None,
        drift=[asdict(drift) for drift in drifts(connection, run_id)],
        walls=_walls(connection, run_id),
        listings=_listings(connection, run_id),
        ledger=_ledger(connection, run, asked),
        alerts=_alerts(connection, run_id),
        new=_new(connection, run_id),
        changed=_changed(connection, run_id),
        removed=_removed(connection, run_id),
        moved=_moved(connection, run_id),
        traffic=_traffic(connection, run_id),
        odd=_odd(run.stats or {}),
    )


def _portals(connection: sa.Connection, run_id: int) -> list[str]:
    query = sa.select(attempts.c.portal).where(attempts.c.run_id == run_id).distinct()
    return sorted(key for key in connection.execute(query).scalars() if key)


def _before(connection: sa.Connection, run: sa.Row[Any]) -> Any:
    """The run of this spider that ended last before this one began."""
    query = (
        sa.select(runs.c.id, runs.c.ended_at)
        .where(runs.c.spider == run.spider, runs.c.id < run.id, runs.c.ended_at.is_not(None))
        .order_by(runs.c.id.desc())
    )
    return connection.execute(query.limit(1)).first()


# --- reports --------------------------------------------------------------------------------------


def _versions(run_id: int) -> sa.Select[Any]:
    """Versions first captured in a run, with their reports."""
    return (
        sa.select(shown_versions, organs.c.name.label("organ"), organs.c.id.label("organ_id"))
        .add_columns(shown_reports.c.year, captures.c.url)
        .select_from(shown_versions)
        .join(captures, captures.c.id == shown_versions.c.capture_id)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .join(shown_reports, shown_reports.c.id == shown_versions.c.report_id)
        .join(organs, organs.c.id == shown_reports.c.organ_id)
        .where(attempts.c.run_id == run_id)
        .order_by(organs.c.division_code, organs.c.name, shown_reports.c.year, shown_versions.c.id)
    )


def _earlier(run_id: int) -> sa.Select[Any]:
    """Reports that runs before this one have versions of."""
    return (
        sa.select(shown_versions.c.report_id)
        .join(captures, captures.c.id == shown_versions.c.capture_id)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(attempts.c.run_id < run_id)
    )


def _line(row: Any) -> ReportLine:
    return ReportLine(
        organ=row.organ,
        year=row.year,
        title=row.title,
        published=row.published,
        url=row.url,
        capture_id=row.capture_id,
    )


def _new(connection: sa.Connection, run_id: int) -> list[ReportLine]:
    """Reports without any earlier version, newest years first; by its page where it has one."""
    query = _versions(run_id).where(shown_versions.c.report_id.not_in(_earlier(run_id)))
    found: dict[int, sa.Row[Any]] = {}
    for row in connection.execute(query):
        if row.report_id not in found or row.part == "page":
            found.setdefault(row.report_id, row)
    return sorted(map(_line, found.values()), key=lambda line: -line["year"])


def _changed(connection: sa.Connection, run_id: int) -> list[ChangedReport]:
    """Versions that this run added to reports of earlier runs."""
    query = _versions(run_id).where(shown_versions.c.report_id.in_(_earlier(run_id)))
    return [_change(connection, row) for row in connection.execute(query).all()]


def _change(connection: sa.Connection, row: sa.Row[Any]) -> ChangedReport:
    place = connection.execute(sa.select(organs).where(organs.c.id == row.organ_id)).one()
    organ = Organ(place.id, place.division_code, place.name)
    told = history(connection, organ, row.year)
    same = (one for one in told if (one["part"], one["name"]) == (row.part, row.name))
    mine = next(one for one in same if one["canonical_digest"] == row.canonical_digest)
    return ChangedReport(
        organ=row.organ,
        year=row.year,
        title=row.title,
        published=row.published,
        url=row.url,
        capture_id=row.capture_id,
        part=row.part,
        cells=mine["changed"],
        rewritten=len(mine["rewritten"]),
    )


def _known(run_id: int) -> sa.Select[Any]:
    return (
        sa.select(
            shown_aliases.c.url,
            shown_aliases.c.title,
            shown_reports.c.year,
            organs.c.name.label("organ"),
        )
        .add_columns(sa.null().label("published"), shown_aliases.c.report_id)
        .select_from(shown_aliases)
        .join(shown_reports, shown_reports.c.id == shown_aliases.c.report_id)
        .join(organs, organs.c.id == shown_reports.c.organ_id)
        .where(shown_aliases.c.part == "page", shown_aliases.c.report_id.in_(_earlier(run_id)))
        .order_by(organs.c.division_code, organs.c.name, shown_reports.c.year, shown_aliases.c.id)
    )


def _removed(connection: sa.Connection, run_id: int) -> list[ReportLine]:
    """Addresses of captured reports at which this run found nothing any more."""
    newest = sa.func.max(captures.c.id).label("capture_id")
    answers = (
        sa.select(attempts.c.url, newest)
        .join(captures, captures.c.attempt_id == attempts.c.id)
        .where(attempts.c.run_id == run_id, attempts.c.outcome.in_(_GONE))
        .group_by(attempts.c.url)
        .subquery()
    )
    query = _known(run_id).add_columns(answers.c.capture_id)
    query = query.join(answers, answers.c.url == shown_aliases.c.url)
    return [_line(row) for row in connection.execute(query)]


def _moved(connection: sa.Connection, run_id: int) -> list[ReportLine]:
    """Addresses at which this run was the first to find a report of earlier runs."""
    own = (
        sa.select(captures.c.url, sa.func.max(captures.c.id).label("capture_id"))
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(attempts.c.run_id == run_id, attempts.c.outcome == "ok")
        .group_by(captures.c.url)
        .subquery()
    )
    again = (
        sa.select(captures.c.id)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(captures.c.url == own.c.url, attempts.c.run_id < run_id)
    )
    query = _known(run_id).add_columns(own.c.capture_id).join(own, own.c.url == shown_aliases.c.url)
    return [_line(row) for row in connection.execute(query.where(~again.exists()))]


# --- what stood in the way ------------------------------------------------------------------------


def _walls(connection: sa.Connection, run_id: int) -> list[Wall]:
    a = attempts.c
    answered = sa.select(a.url).where(a.run_id == run_id, a.outcome.in_(_ANSWERED))
    query = (
        sa.select(a.portal, a.outcome, sa.func.count(a.url.distinct()), sa.func.min(a.url))
        .add_columns(sa.func.max(captures.c.id))
        .select_from(attempts)
        .outerjoin(captures, captures.c.attempt_id == a.id)
        .where(a.run_id == run_id, a.url.not_in(answered), a.purpose != "probe")
        .group_by(a.portal, a.outcome)
        .order_by(sa.func.count(a.url.distinct()).desc(), a.portal, a.outcome)
    )
    return [
        Wall(portal=row[0] or "", outcome=row[1], addresses=row[2], url=row[3], capture_id=row[4])
        for row in connection.execute(query)
    ]


def _listings(connection: sa.Connection, run_id: int) -> list[Unproven]:
    r = listing_reads.c
    query = (
        sa.select(listings.c.portal, listings.c.title, listings.c.url)
        .add_columns(r.verdict, r.rule, r.reason, r.reason_zh, r.captures)
        .join(listings, listings.c.id == r.listing_id)
        .where(r.run_id == run_id, r.verdict.not_in(("complete", "not_asked")))
        .order_by(listings.c.portal, r.id)
    )
    return [
        Unproven(
            portal=row.portal,
            title=row.title,
            url=row.url,
            verdict=row.verdict,
            rule=row.rule,
            reason=row.reason,
            reason_zh=row.reason_zh,
            captures=row.captures,
        )
        for row in connection.execute(query)
    ]


def _ledger(connection: sa.Connection, run: Any, asked: list[str]) -> LedgerSums:
    """Of a first look at a portal everything is new."""
    at = run.ended_at or datetime.now(UTC)
    now = [cell for cell in ledger(connection, at=at) if cell["portal"] in asked]
    since = _looked_before(connection, run.id)
    fresh = [cell for cell in now if (cell["since"] or "") > since.get(cell["portal"], "")]
    fresh.sort(key=lambda cell: -cell["year"])
    return LedgerSums(
        states=dict(sorted(Counter(cell["state"] for cell in now).items())),
        missing=[cell for cell in fresh if cell["state"] in MISSING],
        late=[cell for cell in fresh if cell["state"] == "captured_late"],
    )


def _looked_before(connection: sa.Connection, run_id: int) -> dict[str, str]:
    """Portal → when the last run ended that asked it before this one."""
    a = attempts.c
    query: sa.Select[Any] = (
        sa.select(a.portal, sa.func.max(runs.c.ended_at))
        .join(runs)
        .where(a.run_id < run_id, a.portal.is_not(None), runs.c.ended_at.is_not(None))
        .group_by(a.portal)
    )
    return {portal: ended.isoformat() for portal, ended in connection.execute(query)}


def _alerts(connection: sa.Connection, run_id: int) -> list[AlertLine]:
    """What goes on before what is over, worst first."""
    e, said, any_said = alert_events.c, alert_events.alias(), alert_events.alias().c
    # An event that closes says nothing itself.
    newest = (
        sa.select(sa.func.max(any_said.id))
        .where(any_said.alert_id == e.alert_id, any_said.id <= e.id, any_said.message.is_not(None))
        .scalar_subquery()
    )
    query = (
        sa.select(alerts.c.id, e.event, alerts.c.kind, alerts.c.subject)
        .add_columns(said.c.message, said.c.message_zh)
        .select_from(alert_events)
        .join(alerts, alerts.c.id == e.alert_id)
        .join(said, said.c.id == newest)
        .where(e.run_id == run_id, e.event.in_(("opened", "reopened", "closed")))
        .order_by(e.id)
    )
    found = [
        AlertLine(
            id=row.id,
            event=row.event,
            kind=row.kind,
            subject=row.subject,
            message=row.message,
            message_zh=row.message_zh,
        )
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda each: (each["event"] == "closed", rank(each["kind"])))


def _traffic(connection: sa.Connection, run_id: int) -> list[Traffic]:
    a = attempts.c
    sums = (
        sa.select(a.portal, a.run_id, sa.func.count(a.id), sa.func.count(captures.c.id))
        .add_columns(sa.func.coalesce(sa.func.sum(captures.c.size), 0))
        .select_from(attempts)
        .outerjoin(captures, captures.c.attempt_id == a.id)
        .group_by(a.portal, a.run_id)
    )
    own = connection.execute(sums.where(a.run_id == run_id, a.portal.is_not(None))).all()
    earlier: dict[str, dict[str, int]] = {}
    for portal, *_ in own:
        newest = sa.select(a.run_id).where(a.portal == portal, a.run_id < run_id)
        last = connection.execute(newest.order_by(a.started_at.desc()).limit(1)).scalar()
        if last is not None:
            of_portal = sums.where(a.run_id == last, a.portal == portal)
            row = connection.execute(of_portal).one()
            sizes = {"requests": int(row[2]), "answers": int(row[3]), "bytes": int(row[4])}
            earlier[portal] = {"run": last, **sizes}
    return [
        Traffic(
            portal=row[0],
            requests=int(row[2]),
            answers=int(row[3]),
            bytes=int(row[4]),
            before=earlier.get(row[0]),
        )
        for row in sorted(own, key=lambda row: str(row[0]))
    ]


def _odd(stats: dict[str, int]) -> dict[str, int]:
    """Why it is not complete, and answers that are kept and could not be read."""
    found: dict[str, int] = defaultdict(int)
    for key, count in stats.items():
        kind, _, rest = key.partition("/")
        if kind == "incomplete" or (kind == "outcome" and rest in _ODD):
            found[rest] += count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
