"""A run: one start of a spider, from its first request to its last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from storage.database import transact
from storage.rows import add, find_or_add
from storage.schema import attempts, captures, organs, portals, runs, starts, terms

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
class Terms:
    """What a start promises a portal: see the table `terms`."""

    delay_s: float
    opens: str
    closes: str
    timezone: str
    budget: int


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a spider. `pace` is what its delays are multiplied by."""

    spider: str
    software: str
    contact: str
    config_digest: str
    rehearsal: bool
    pace: float


@dataclass(frozen=True, slots=True)
class Begun:
    """The run that a start belongs to; `resumed` when it goes on with one that did not end."""

    run_id: int
    resumed: bool


def begin_run(
    engine: sa.Engine, start: Start, portals: Sequence[tuple[PortalRecord, Terms]]
) -> Begun:
    """Go on with the run of these portals that died or was stopped, else begin a new one.

    The caller holds the portals' locks, so a run that says `running` is dead. The portals and
    their governments are in the archive from here on.
    """
    now = datetime.now(UTC)
    told = {"software": start.software, "contact": start.contact}
    told["config_digest"] = start.config_digest

    def work(connection: sa.Connection) -> Begun:
        for portal, _ in portals:
            _keep_portal(connection, portal)
        keys = {portal.key for portal, _ in portals}
        unfinished = _unfinished(connection, start.spider, keys)
        if unfinished is None:
            row = {"spider": start.spider, "state": "running", "started_at": now, **told}
            run_id = add(connection, runs, row)
        else:
            run_id = unfinished
            connection.execute(
                runs.update()
                .where(runs.c.id == run_id)
                .values(state="running", reason=None, ended_at=None)
            )
        row = {"run_id": run_id, "started_at": now, **told}
        row |= {"rehearsal": start.rehearsal, "pace": start.pace}
        start_id = add(connection, starts, row)
        for portal, promised in portals:
            values = {"start_id": start_id, "portal": portal.key, **asdict(promised)}
            connection.execute(terms.insert().values(**values))
        return Begun(run_id, unfinished is not None)

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
    """Close a run; `state` is complete, incomplete, or stopped: then the next start goes on."""
    end = (
        runs.update()
        .where(runs.c.id == run_id)
        .values(state=state, reason=reason, stats=dict(stats), ended_at=datetime.now(UTC))
    )
    transact(engine, lambda connection: connection.execute(end))


def _unfinished(connection: sa.Connection, spider: str, keys: set[str]) -> int | None:
    """The newest run of exactly these portals that was stopped, or died, before its end."""
    candidates = (
        sa.select(runs.c.id)
        .where(runs.c.spider == spider, runs.c.state.in_(("running", "stopped")))
        .order_by(runs.c.id.desc())
    )
    for run_id in connection.execute(candidates).scalars():
        promised = sa.select(terms.c.portal).join(starts).where(starts.c.run_id == run_id)
        if set(connection.execute(promised).scalars()) == keys:
            return int(run_id)
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
