"""Makes the plan of a crawl from the archive: what each portal is to be asked for this time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from crawler.errors import NothingDue
from crawler.portals import Portal, Registry
from crawler.portals.titles import Identity, identify
from crawler.spiders.plan import Recheck, Round, Watched
from storage.capture.listings import Standing, watched
from storage.capture.runs import unfinished
from storage.schedule.due import Due, DuePage, due


@dataclass(frozen=True, slots=True)
class Plan:
    """What a start asks its portals for. Of `portals` those with nothing to do are missing.

    `whole` are the keys of the portals that are asked for everything; `since`: how long the oldest
    of what is due has been waiting.
    """

    portals: tuple[Portal, ...]
    rounds: Mapping[str, Round]
    whole: frozenset[str]
    since: datetime | None = None


def everything(connection: Connection, portals: Sequence[Portal]) -> Plan:
    """Every page of every portal, with what is known to hold it against."""
    keys = frozenset(portal.key for portal in portals)
    return Plan(tuple(portals), {key: _all_of(connection, key) for key in keys}, keys)


def what_is_due(
    connection: Connection,
    spider: str,
    portals: Sequence[Portal],
    registry: Registry,
    now: datetime,
) -> Plan:
    """What the schedule says, and before all a run of these portals that has no end yet.

    Raises NothingDue.
    """
    left = unfinished(connection, spider, [p.key for p in portals], exactly=False)
    begun = left.portals if left else frozenset[str]()
    whole = left.whole if left else frozenset[str]()
    walked = left.walked if left else frozenset[str]()
    waiting = {p.key: due(connection, p.key, now, p.timezone) for p in portals}
    at_work = tuple(p for p in portals if p.key in begun or waiting[p.key].since is not None)
    if not at_work:
        raise NothingDue("nothing is due: `archive schedule` says what comes next")
    rounds = {
        portal.key: _all_of(connection, portal.key)
        if portal.key in whole
        else _round(connection, portal, registry, waiting[portal.key], portal.key in walked)
        for portal in at_work
    }
    since = [at for each in waiting.values() if (at := each.since) is not None]
    return Plan(at_work, rounds, whole, min(since, default=None))


def _all_of(connection: Connection, key: str) -> Round:
    return Round(known={each.url: _watched(each) for each in watched(connection, key)})


def _round(
    connection: Connection, portal: Portal, registry: Registry, what: Due, walked: bool
) -> Round:
    """`walked`: the run that has no end yet was walking the tree, and goes on with that."""
    known = {each.id: each for each in watched(connection, portal.key)}
    rechecks = [
        Recheck(page.url, page.title, _identity(page), lives=page.lives) for page in what.pages
    ]
    rechecks += [
        Recheck(each.url, each.title, identify(portal, (each.title,), each.trail, others=registry))
        for each in what.entries
    ]
    return Round(
        tree=what.tree is not None or walked,
        listings=tuple(_watched(known[each.id], whole=each.whole) for each in what.listings),
        rechecks=tuple(rechecks),
        rests=what.resting,
        known={each.url: _watched(each) for each in known.values()},
    )


def _identity(page: DuePage) -> Identity:
    return Identity(page.division_code, page.organ, page.organ_kind, page.year)


def _watched(each: Standing, *, whole: bool = True) -> Watched:
    titles = {url: entry.title for url, entry in each.entries.items()}
    return Watched(
        url=each.url,
        title=each.title,
        annual=each.annual,
        trail=each.trail,
        depth=each.depth,
        known=titles,
        whole=whole,
        lives=each.last is None or each.last.verdict != "gone",
    )
