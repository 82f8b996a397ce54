"""A run: one start of a spider, from its first request to its last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from storage.database import transact
from storage.rows import add, find_or_add
from storage.schema import attempts, captures, lifetimes, organs, portals, runs, starts, terms

# Outcomes that a resumed run takes for answered. `not_modified` stands for the answer it confirmed.
_FINAL = (
    "ok",
    "redirect",
    "redirect_loop",
    "not_modified",
    "client_error",
    "soft_404",
    "shell",
    "empty",
)
# States of a run that has no end yet.
UNFINISHED = ("running", "stopped")
# The purpose of an attempt that asks for a listing's page once more.
_AGAIN = "again"


@dataclass(frozen=True, slots=True)
class PortalRecord:
    """A portal of the registry; `government` is the canonical name of its government organ."""

    key: str
    division_code: str
    name_zh: str
    name_en: str
    cms: str
    government: str


@dataclass(frozen=True, slots=True)
class LifeRecord:
    """An organ of the registry's files; `begins` and `ends` are ISO dates, `becomes` names."""

    portal: str
    division_code: str
    organ: str
    kind: str
    begins: str | None
    ends: str | None
    becomes: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a start promises a portal: see the table `terms`."""

    delay_s: float
    opens: str
    closes: str
    timezone: str
    budget: int


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a spider. `pace` is what its delays are multiplied by.

    `scope` is `all`, or `due`: what the schedule says, the oldest since `due_since`.
    """

    spider: str
    software: str
    contact: str
    config_digest: str
    rehearsal: bool
    pace: float
    scope: str = "all"
    due_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The run that a start belongs to; `resumed` when it goes on with one that did not end."""

    run_id: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that was stopped, died, or is at work; `whole` are those of its portals that an
    earlier start of it was to ask for everything, `walked` those whose tree it entered: nobody
    knows how far it came.
    """

    run_id: int
    portals: frozenset[str]
    whole: frozenset[str]
    walked: frozenset[str]


@dataclass(frozen=True, slots=True)
class AtWork:
    """A run that has no end yet: when its newest start was, and when it last asked for anything."""

    run_id: int
    since: datetime
    asked: datetime | None


def begin_run(
    engine: sa.Engine,
    start: Start,
    portals: Sequence[tuple[PortalRecord, Terms]],
    lives: Sequence[LifeRecord] = (),
) -> Begun:
    """Go on with the run of these portals that died or was stopped, else begin a new one.

    A start for what is due goes on with any run of some of them: what is due is hardly twice the
    same set, and what was begun comes first. The caller holds the portals' locks, so a run that
    says `running` is dead. The portals, their governments and the organs of `lives` are in the
    archive from here on.
    """
    now = datetime.now(UTC)
    told = {"software": start.software, "contact": start.contact}
    told["config_digest"] = start.config_digest

    def work(connection: sa.Connection) -> Begun:
        for portal, _ in portals:
            _keep_portal(connection, portal)
        for life in lives:
            _keep_life(connection, life, now)
        keys = {portal.key for portal, _ in portals}
        left = unfinished(connection, start.spider, keys, exactly=start.scope == "all")
        if left is None:
            row = {"spider": start.spider, "state": "running", "started_at": now, **told}
            run_id = add(connection, runs, row)
        else:
            run_id = left.run_id
            connection.execute(
                runs.update()
                .where(runs.c.id == run_id)
                .values(state="running", reason=None, ended_at=None)
            )
        row = {"run_id": run_id, "started_at": now, **told}
        row |= {"rehearsal": start.rehearsal, "pace": start.pace}
        row |= {"scope": start.scope, "due_since": start.due_since}
        start_id = add(connection, starts, row)
        for portal, promised in portals:
            values = {"start_id": start_id, "portal": portal.key, **asdict(promised)}
            connection.execute(terms.insert().values(**values))
        return Begun(run_id, left is not None)

    return transact(engine, work)


def answered(
    engine: sa.Engine, run_id: int
) -> dict[tuple[str, str | None], tuple[int, str, datetime]]:
    """What a run has already: address and referrer → capture, outcome and time of the last answer.

    Under the referrer None stands the last answer whoever asked: a file of two reports is asked
    for by each, and each sees its own again. Answers that were none (a server's own failure, a
    wall, a torn body) are asked for again.
    """
    first = _final(run_id).where(attempts.c.purpose != _AGAIN)
    rows = transact(engine, lambda connection: connection.execute(first).all())
    return {
        (row.url, referrer): (row.id, row.outcome, row.started_at)
        for row in rows
        for referrer in (row.referrer, None)
    }


def answered_again(
    engine: sa.Engine, run_id: int
) -> dict[tuple[str, int], tuple[int, str, datetime]]:
    """The same of the pages of listings that a run asks for again: address and how manieth time."""
    again = _final(run_id).where(attempts.c.purpose == _AGAIN)
    rows = transact(engine, lambda connection: connection.execute(again).all())
    times: Counter[str] = Counter()
    found = {}
    for row in rows:
        times[row.url] += 1
        found[row.url, times[row.url]] = (row.id, row.outcome, row.started_at)
    return found


def _final(run_id: int) -> sa.Select[Any]:
    a, c = attempts.c, captures.c
    return (
        sa.select(a.url, a.referrer, c.id, a.outcome, a.started_at)
        .join(captures, c.attempt_id == a.id)
        .where(a.run_id == run_id, a.outcome.in_(_FINAL))
        .order_by(c.id)
    )


def end_run(
    engine: sa.Engine, run_id: int, state: str, reason: str, stats: Mapping[str, int]
) -> None:
    """Close a run; `state` is complete, incomplete, blocked, drift, or stopped: then the next start
    goes on.
    """
    end = (
        runs.update()
        .where(runs.c.id == run_id)
        .values(state=state, reason=reason, stats=dict(stats), ended_at=datetime.now(UTC))
    )
    transact(engine, lambda connection: connection.execute(end))


def at_work(connection: sa.Connection, portal: str) -> AtWork | None:
    """The run that whoever holds a portal's lock is at work on."""
    newest = (
        sa.select(runs.c.id, starts.c.started_at)
        .join(starts, starts.c.run_id == runs.c.id)
        .join(terms, terms.c.start_id == starts.c.id)
        .where(runs.c.state == "running", terms.c.portal == portal)
        .order_by(starts.c.id.desc())
    )
    row = connection.execute(newest.limit(1)).first()
    if row is None:
        return None
    asked = sa.select(sa.func.max(attempts.c.started_at)).where(attempts.c.run_id == row.id)
    return AtWork(row.id, row.started_at, connection.execute(asked).scalar())


def unfinished(
    connection: sa.Connection, spider: str, keys: Collection[str], *, exactly: bool
) -> Unfinished | None:
    """The newest run of a spider, of `exactly` these portals or of some of them, that has no end.

    Who holds none of the portals' locks cannot tell whether it is still at work.
    """
    candidates = (
        sa.select(runs.c.id)
        .where(runs.c.spider == spider, runs.c.state.in_(UNFINISHED))
        .order_by(runs.c.id.desc())
    )
    for run_id in connection.execute(candidates).scalars():
        promised = sa.select(terms.c.portal, starts.c.scope).join(starts)
        rows = connection.execute(promised.where(starts.c.run_id == run_id)).all()
        of_run = frozenset(row.portal for row in rows)
        if of_run == set(keys) or (not exactly and of_run and of_run <= set(keys)):
            whole = frozenset(row.portal for row in rows if row.scope != "due")
            entered = sa.select(attempts.c.portal).where(
                attempts.c.run_id == run_id, attempts.c.purpose == "entry"
            )
            walked = of_run.intersection(connection.execute(entered.distinct()).scalars())
            return Unfinished(int(run_id), of_run, whole, walked)
    return None


def _keep_portal(connection: sa.Connection, portal: PortalRecord) -> None:
    values = asdict(portal)
    updated = connection.execute(
        portals.update().where(portals.c.key == portal.key).values(**values)
    )
    if not updated.rowcount:
        connection.execute(portals.insert().values(**values))
    find_or_add(
        connection,
        organs,
        {"division_code": portal.division_code, "name": portal.government},
        {"kind": "government", "portal": portal.key},
    )


def _keep_life(connection: sa.Connection, life: LifeRecord, now: datetime) -> None:
    """The organ, and what is known of its life where that says something new."""
    organ_id, _ = find_or_add(
        connection,
        organs,
        {"division_code": life.division_code, "name": life.organ},
        {"kind": life.kind, "portal": life.portal},
    )
    row: dict[str, object] = {"organ_id": organ_id, "begins": life.begins, "ends": life.ends}
    row |= {"becomes": list(life.becomes), "evidence": life.evidence}
    newest = (
        sa.select(lifetimes)
        .where(lifetimes.c.organ_id == organ_id)
        .order_by(lifetimes.c.id.desc())
        .limit(1)
    )
    known = connection.execute(newest).mappings().first()
    if known is None or any(known[key] != value for key, value in row.items()):
        add(connection, lifetimes, {**row, "noted_at": now})
