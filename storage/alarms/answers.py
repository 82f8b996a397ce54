"""Does each portal let us in, and does it answer? From the newest run that asked it anything.

A wall or an outage is one cause, whatever could not be had because of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from storage.alarms.ground import Ground
from storage.alerts.record import Alarm, alarm
from storage.schedule.manners import BLOCKED, NEVER_SENT, TROUBLE, UNTOLD
from storage.schema import attempts, runs

KINDS = (
    "blocked",
    "portal_down",
    "tls",
    "robots_refused",
    "retry_later",
    "budget_spent",
    "foreign_host",
    "private_address",
)
# Asked before and beside what is wanted: they may be answered where nothing else is.
_BESIDE = frozenset({"robots", "probe"})
# As the crawler says it of a host that no portal's file names.
_FOREIGN = "its host is in no portal's file"


@dataclass(slots=True)
class _Host:
    """What a host answered in a run: address → outcome of the last attempt."""

    wanted: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> dict[str, str]:
        """Of what was wanted, else of what was asked beside, the answers to what was sent."""
        for outcomes in (self.wanted, self.beside):
            sent = {url: word for url, word in outcomes.items() if word not in NEVER_SENT}
            if sent:
                return sent
        return {}

    @property
    def walled(self) -> list[str]:
        return [url for url, word in (self.beside | self.wanted).items() if word == BLOCKED]

    @property
    def trouble(self) -> str | None:
        """The outcome of most, where none was answered."""
        outcomes = Counter(self.sent.values())
        if not outcomes or not outcomes.keys() <= TROUBLE:
            return None
        return outcomes.most_common(1)[0][0]

    def ended(self, outcome: str) -> list[str]:
        return [url for url, word in (self.beside | self.wanted).items() if word == outcome]


def judge(ground: Ground) -> Iterator[Alarm]:
    """What is wrong with the answers of each portal."""
    for portal in ground.portals:
        run = _newest_run(ground, portal)
        if run is not None:
            yield from _judge(ground, portal, run)


def _judge(ground: Ground, portal: str, run: int) -> Iterator[Alarm]:
    rows = _attempts(ground, portal, run)
    hosts: defaultdict[str, _Host] = defaultdict(_Host)
    foreign = set()
    for row in rows:
        host = urlsplit(row.url).hostname or ""
        if row.outcome == "out_of_scope":
            if row.error == _FOREIGN and row.purpose not in _BESIDE:
                foreign.add(host)
            continue
        side = hosts[host].beside if row.purpose in _BESIDE else hosts[host].wanted
        side[row.url] = row.outcome
    for name, host in hosts.items():
        yield from _of_host(ground, portal, run, name, host)
    if any(host.ended("budget_spent") for host in hosts.values()):
        yield alarm("budget_spent", portal, {"where": ground.names[portal]}, portal=portal)
    for name in sorted(foreign - _foreign_before(ground, portal)):
        facts = {"where": ground.names[portal], "host": name}
        yield alarm("foreign_host", name, facts, portal=portal, host=name)


def _of_host(ground: Ground, portal: str, run: int, name: str, host: _Host) -> Iterator[Alarm]:
    facts = {"where": ground.names[portal], "host": name}
    if host.walled:
        good = _last_good(ground, portal, run, name)
        yield alarm("blocked", name, facts, portal=portal, host=name, last_good=good)
        return
    if host.trouble is not None or host.ended("circuit_open"):
        outcome = host.trouble or "circuit_open"
        good = _last_good(ground, portal, run, name)
        kind = "tls" if outcome == "tls" else "portal_down"
        facts["outcome"] = outcome
        yield alarm(kind, name, facts, portal=portal, host=name, last_good=good)
        return
    if host.ended("private_address"):
        yield alarm("private_address", name, facts, portal=portal, host=name)
    refused = _visited(ground, portal, run, host.ended("robots_refused"))
    if refused:
        after = {"refused": refused}
        yield alarm("robots_refused", name, facts, portal=portal, host=name, after=after)
    if host.ended("retry_later"):
        yield alarm("retry_later", name, facts, portal=portal, host=name)


def _newest_run(ground: Ground, portal: str) -> int | None:
    """The newest run that sent this portal anything, and ended."""
    a = attempts.c
    query = (
        sa.select(a.run_id)
        .join(runs)
        .where(a.portal == portal, a.outcome.not_in(NEVER_SENT | UNTOLD))
        .where(runs.c.state != "running")
        .order_by(a.started_at.desc())
        .limit(1)
    )
    return ground.connection.execute(query).scalar()


def _attempts(ground: Ground, portal: str, run: int) -> list[sa.Row[Any]]:
    a = attempts.c
    query: sa.Select[Any] = (
        sa.select(a.url, a.purpose, a.outcome, a.error)
        .where(a.run_id == run, a.portal == portal, a.outcome.not_in(UNTOLD))
        .order_by(a.id)
    )
    return list(ground.connection.execute(query))


def _last_good(ground: Ground, portal: str, run: int, host: str) -> str | None:
    """When this host gave a good answer last, before this run."""
    a = attempts.c
    query = (
        sa.select(a.started_at)
        .where(a.portal == portal, a.run_id < run, a.outcome == "ok", a.purpose.not_in(_BESIDE))
        .where(sa.or_(*(a.url.startswith(f"{scheme}://{host}/") for scheme in ("http", "https"))))
        .order_by(a.started_at.desc())
        .limit(1)
    )
    at = ground.connection.execute(query).scalar()
    return None if at is None else at.isoformat()


def _visited(ground: Ground, portal: str, run: int, urls: list[str]) -> list[str]:
    """Those of these addresses that were visited before this run; a few, to be shown."""
    a = attempts.c
    query = (
        sa.select(a.url)
        .where(a.portal == portal, a.run_id < run, a.outcome == "ok", a.url.in_(urls[:500]))
        .distinct()
        .order_by(a.url)
        .limit(10)
    )
    return list(ground.connection.execute(query).scalars())


def _foreign_before(ground: Ground, portal: str) -> set[str]:
    """Foreign hosts that the portal led to from the beginning."""
    if portal not in ground.began:
        return set()
    a = attempts.c
    query = sa.select(a.url).where(
        a.portal == portal, a.error == _FOREIGN, a.started_at <= ground.began[portal]
    )
    return {urlsplit(url).hostname or "" for url in ground.connection.execute(query).scalars()}
