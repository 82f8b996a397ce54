"""Checks of the crawls: when the last one began, and how the last ones ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile

import sqlalchemy as sa

from storage.doctor.model import Patient, Said, asked
from storage.schema import attempts, runs, starts

# Cron starts every night, due or not.
_MISSED = timedelta(days=2)
# A window lasts a night; a run that says it goes on after a day without a request does not.
_HUNG = timedelta(hours=24)
_LOOKED_AT = 10
_TOO_OFTEN = 3


def starting(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """The last start is not longer ago than nights lie apart."""
    newest = asked(connection).execute(sa.select(sa.func.max(starts.c.started_at))).scalar()
    if newest is None:
        yield "attention", "no crawl was ever started", "`scrapy crawl urumqi_districts` starts one"
    elif patient.now - newest > _MISSED:
        nights = (patient.now - newest) // timedelta(days=1)
        yield (
            "attention",
            f"the last start was {nights} days ago",
            ("see that cron runs (the check `schedule`), and its mails; the next start makes up"),
        )
    else:
        yield "well", f"last start {newest:%Y-%m-%d %H:%M} UTC", ""


def ending(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """Whether a run hangs, and whether the last ones ended well."""
    there = asked(connection)
    yield from _hanging(patient, there)
    query = sa.select(runs).where(runs.c.state != "running").order_by(runs.c.id.desc())
    newest = there.execute(query.limit(_LOOKED_AT)).all()
    if not newest:
        return
    bad = list(takewhile(lambda run: run.state != "complete", newest))
    if not bad:
        yield "well", f"run {newest[0].id} ended {newest[0].state}", ""
        return
    last = f"run {bad[0].id} ended {bad[0].state}: {bad[0].reason or 'no reason given'}"
    cure = _CURES.get(bad[0].state, "`archive runs` tells of each")
    if len(bad) >= _TOO_OFTEN:
        yield "attention", f"none of the last {len(bad)} runs was complete; {last}", cure
    elif bad[0].state in _CURES:
        yield "attention", last, cure
    else:
        yield "well", f"{last}; the next start goes on", ""


_CURES = {
    "blocked": "a portal does not want us: look at it in a browser, write to its operator, wait",
    "drift": "a portal's pages look otherwise: `scrapy portals` and docs/cms.md",
    "incomplete": "`archive runs` says what is owed; if it stays, `archive alerts` says what to do",
}


def _hanging(patient: Patient, connection: sa.Connection) -> Iterator[Said]:
    open_runs = sa.select(runs.c.id, runs.c.started_at).where(runs.c.state == "running")
    for run in connection.execute(open_runs).all():
        asked_last = sa.select(sa.func.max(attempts.c.started_at)).where(
            attempts.c.run_id == run.id
        )
        last = connection.execute(asked_last).scalar() or run.started_at
        if patient.now - last > _HUNG:
            yield (
                "attention",
                f"run {run.id} runs and has asked for nothing since {last:%Y-%m-%d %H:%M} UTC",
                ("if its process is still there, end it; the next start goes on with the run"),
            )
