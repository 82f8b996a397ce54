"""Faults of many kinds, one alert each; clean runs, none.

    python -m tests.thirty [--no-crawls]

Each fault is planted in a healthy archive. The run that meets it must open exactly one alert, of
the right class; the next run, with the fault still there, must say nothing new; when the fault is
cured the alert must close (by itself, or by a person where its class wants one); and when the fault
recurs it must open again. The nights are written as rows (tests/estate.py); a few faults are met by
real crawls of a scripted host as well. Exits 1 on a miss.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from storage.alerts.record import Event, close, kinds, open_alerts
from storage.capture.captures import Attempt, Ending, Recorder
from storage.database import make_engine, transact, upgrade
from storage.readings.corrections import Entry, Identity, correct_identity
from storage.schema import alert_events, attempts, organs, reports, runs
from tests.crawling import Operator
from tests.databases import exchange
from tests.estate import FIRST_NIGHT, Channel, Estate, Portal, without, world
from tests.scripted import Answer, page, scripted

CLEAN_RUNS = 100
_MEMORY = Path("/dev/shm")
Change = Callable[[Estate], None]


@dataclass(frozen=True)
class Fault:
    """`plant` is done again after `cure`; `again` instead of it, where a thing cannot happen twice
    in the same way. `closer`: `itself`, `person`, or `month` (a month later, by itself).
    """

    name: str
    kind: str
    plant: Change
    cure: Change
    again: Change | None = None
    before: Change | None = None
    closer: str = "itself"
    nights: int = 4  # healthy ones before


@dataclass
class Outcome:
    """What became of a fault; None for what was not tried."""

    name: str
    kind: str
    opened: list[str]
    quiet: bool
    closed: bool | None = None
    reopened: bool | None = None

    @property
    def right(self) -> bool:
        rest = (self.quiet, self.closed, self.reopened)
        return self.opened == [self.kind] and False not in rest


# --- faults -------------------------------------------------------------------------------------


def first(estate: Estate) -> Portal:
    return estate.portals[0]


def healthy(estate: Estate) -> None:
    first(estate).answers = lambda _purpose, _url: None


def answering(outcome: str, *purposes: str) -> Change:
    """Every request, or those of some purposes, end like this."""

    def plant(estate: Estate) -> None:
        first(estate).answers = lambda purpose, _url: (
            outcome if not purposes or purpose in purposes else None
        )

    return plant


def half_way(estate: Estate) -> None:
    """It answers, then fails, then is left alone."""
    asked: list[str] = []

    def answers(purpose: str, url: str) -> str | None:
        if purpose != "report":
            asked.clear()
            return None
        asked.append(url)
        return "timeout" if len(asked) < 6 else "circuit_open"

    first(estate).answers = answers


def closed_robots(estate: Estate) -> None:
    """robots.txt cannot be had, so nothing else is asked for."""
    first(estate).answers = lambda purpose, _url: (
        "server_error" if purpose == "robots" else "robots_refused"
    )


def led_away(estate: Estate) -> None:
    """The pages redirect to a host that no file names."""

    def beside(connection: sa.Connection, run_id: int, at: datetime) -> None:
        row = {"run_id": run_id, "portal": first(estate).key, "purpose": "report", "retry": 0}
        row |= {"url": "http://www.xjtsq-gov.example/info/1.htm", "outcome": "out_of_scope"}
        row |= {"error": "its host is in no portal's file", "started_at": at}
        connection.execute(attempts.insert().values(**row, duration_ms=0, size=0))

    estate.beside = beside


def nothing_beside(estate: Estate) -> None:
    estate.beside = lambda _connection, _run, _at: None


def rule(name: str) -> Change:
    def plant(estate: Estate) -> None:
        next(iter(first(estate).channels.values())).rule = name

    return plant


def gone_channel(outcome: str) -> Change:
    def plant(estate: Estate) -> None:
        next(iter(first(estate).channels.values())).outcome = outcome

    return plant


def new_channel(estate: Estate, number: int) -> None:
    portal = first(estate)
    url = f"http://{portal.host}/nb9{number}.htm"
    portal.channels[url] = Channel(url, f"其他年报{number}", estate.day)


def measured(**changed: int) -> Change:
    def plant(estate: Estate) -> None:
        first(estate).measure = lambda counts: {**counts, **changed}

    return plant


def expecting(least: int, most: int) -> Change:
    def plant(estate: Estate) -> None:
        first(estate).expect = {"reports": [least, most]}

    return plant


ORGAN_YEAR = 2025


def organ(estate: Estate) -> str:
    return next(iter(first(estate).organs))


def keep_back(estate: Estate) -> None:
    """An organ's report does not come in time; so far nobody can know."""
    without(estate, first(estate), organ(estate), ORGAN_YEAR)
    estate.until(date(2026, 2, 1))


def keep_back_government(estate: Estate) -> None:
    without(estate, first(estate), first(estate).government, ORGAN_YEAR)
    estate.nights(2)
    estate.rest((date(2026, 3, 30) - estate.day).days)
    estate.nights(2)


def nothing(_estate: Estate) -> None:
    pass


def publish(day: date, said: str = "", government: bool = False) -> Change:
    """The report that was kept back comes, on a day, and bears a date."""

    def plant(estate: Estate) -> None:
        portal = first(estate)
        estate.rest(max((day - estate.day).days, 0))
        name = portal.government if government else organ(estate)
        channel = list(portal.channels)[0 if government else 1]
        portal.publish(name, ORGAN_YEAR, day, channel, said)

    return plant


def misattributed(estate: Estate) -> None:
    """A person says that the report that came is another year's."""
    place = organs.c.name == organ(estate)
    query = sa.select(reports.c.id).join(organs).where(place, reports.c.year == ORGAN_YEAR)
    entry = Entry("a person", "read again", "the page", datetime.now(UTC))
    said = Identity(first(estate).division, organ(estate), 2018)

    def work(connection: sa.Connection) -> None:
        correct_identity(connection, connection.execute(query).scalar_one(), said, entry)

    transact(estate.engine, work)


def missing_until_february(estate: Estate) -> None:
    """That it is missing was told already."""
    keep_back(estate)
    estate.until(date(2026, 2, 3))


def redated(said: str) -> Change:
    def plant(estate: Estate) -> None:
        first(estate).page(organ(estate), ORGAN_YEAR).published = said

    return plant


def page_of(estate: Estate) -> Any:
    return first(estate).page(organ(estate), 2024)


def page_ends(outcome: str) -> Change:
    def plant(estate: Estate) -> None:
        page_of(estate).outcome = outcome

    return plant


def removed(estate: Estate) -> None:
    page_of(estate).outcome = "client_error"


def figures(*raws: str) -> Change:
    def plant(estate: Estate) -> None:
        page_of(estate).figures = raws

    return plant


def move(year: int) -> Change:
    """A report is at another address, and the old one is dead."""

    def plant(estate: Estate) -> None:
        portal = first(estate)
        old = portal.page(organ(estate), year)
        old.outcome = "client_error"
        new = portal.publish(old.organ, year, estate.day, list(portal.channels)[1], old.published)
        new.figures, new.title = old.figures, old.title

    return plant


def new_organ(name: str) -> Change:
    def plant(estate: Estate) -> None:
        portal = first(estate)
        portal.organs[f"天山区{name}"] = "department"
        channel = list(portal.channels)[1]
        portal.publish(f"天山区{name}", 2025, estate.day, channel)

    return plant


def silent_for_two(estate: Estate) -> None:
    """An organ owes two years: each was told. The third says that it fell silent."""
    for year in (2025, 2026, 2027):
        without(estate, first(estate), organ(estate), year)
    estate.nights(3)
    for year in (2026, 2027, 2028):
        estate.rest((date(year, 2, 2) - estate.day).days if year < 2028 else 0)
        estate.nights(2 if year < 2028 else 0)
    estate.rest((date(2028, 1, 28) - estate.day).days)
    estate.nights(3)


def to_february_2028(estate: Estate) -> None:
    estate.rest((date(2028, 2, 2) - estate.day).days)


def unread_till(day: date) -> Change:
    """The deadline passes, and a listing was not looked at."""

    def plant(estate: Estate) -> None:
        list(first(estate).channels.values())[1].read = False
        for each in first(estate).all_pages():
            if each.organ in first(estate).organs and each.since.year == day.year:
                each.since = date(day.year, 1, 25)
        estate.rest((day - estate.day).days)

    return plant


def read_again(estate: Estate) -> None:
    list(first(estate).channels.values())[1].read = True


def spider_error(estate: Estate) -> None:
    estate.gaps = {"spider error"}


def odd_gap(estate: Estate) -> None:
    estate.gaps = {"a page, or nothing, in place of an attachment"}


def no_gap(estate: Estate) -> None:
    estate.gaps = set()


def missed(estate: Estate) -> None:
    """Five nights without a start, though something was due."""
    estate.due_since = datetime.combine(estate.day, datetime.min.time(), UTC)
    estate.rest(5)


def on_time(estate: Estate) -> None:
    estate.due_since = None


def hangs(estate: Estate) -> None:
    """A run that never ends, and asks for nothing any more."""
    estate.ends = False
    estate.night()
    estate.ends = True


def goes_on(estate: Estate) -> None:
    ended = runs.update().where(runs.c.state == "running")
    transact(estate.engine, lambda c: c.execute(ended.values(state="complete", stats={})))


def cut_off(estate: Estate) -> None:
    def beside(connection: sa.Connection, run_id: int, at: datetime) -> None:
        row = {"run_id": run_id, "portal": first(estate).key, "purpose": "report", "retry": 0}
        row |= {"url": f"http://{first(estate).host}/info/1.htm", "outcome": "interrupted"}
        connection.execute(attempts.insert().values(**row, started_at=at, duration_ms=0, size=0))

    estate.beside = beside


class _Disk:
    """What `disk_usage` says while a disk is full."""

    free = 900_000_000


def full_disk(_estate: Estate) -> None:
    patch("storage.alarms.operation.disk_usage", lambda _path: _Disk).start()


def room(_estate: Estate) -> None:
    patch.stopall()


def clock_set_back(estate: Estate) -> None:
    estate.clock = timedelta(days=-30)


def clock_right(estate: Estate) -> None:
    estate.clock = timedelta()


def servers_say(skew: timedelta) -> Change:
    """The servers' Date headers, as records that can be read."""

    def plant(estate: Estate) -> None:
        def beside(connection: sa.Connection, run_id: int, at: datetime) -> None:
            pass

        estate.beside = beside
        _dated(estate, skew)

    return plant


def _dated(estate: Estate, skew: timedelta) -> None:
    """A run whose answers were really recorded, each with a Date."""
    at = datetime.combine(estate.day, datetime.min.time(), UTC) + timedelta(hours=16)
    told = {"software": "test", "contact": "test", "config_digest": "0", "started_at": at}
    row = {"spider": "urumqi_city", "state": "complete", "ended_at": at, "stats": {}, **told}

    def begin(connection: sa.Connection) -> int:
        result = connection.execute(runs.insert().values(**row).returning(runs.c.id))
        return int(result.scalar_one())

    run_id = transact(estate.engine, begin)
    with Recorder(estate.engine, estate.settings.warc_directory, run_id, {}) as recorder:
        for number, portal in enumerate(estate.portals):
            url = f"http://{portal.host}/info/{number + 1}.htm"
            asked = recorder.ask(Attempt(run_id, portal.key, url, "report", at))
            said = (at + skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
            head = f"HTTP/1.1 200 OK\r\nDate: {said}\r\n\r\n".encode()
            recorder.answer(asked, Ending("ok", 1, 200, 4), exchange(b"page", url, head=head))


FAULTS = (
    Fault("a wall (412) before every page", "blocked", answering("blocked"), healthy),
    Fault("a wall before the files only", "blocked", answering("blocked", "report"), healthy),
    Fault("no answer at all", "portal_down", answering("timeout"), healthy),
    Fault("the name is not known any more", "portal_down", answering("dns"), healthy),
    Fault("500 for every page", "portal_down", answering("server_error"), healthy),
    Fault("maintenance notices", "portal_down", answering("maintenance"), healthy),
    Fault("it fails half way through", "portal_down", half_way, healthy),
    Fault("robots.txt answers 503", "portal_down", closed_robots, healthy),
    Fault("its certificate has expired", "tls", answering("tls"), healthy),
    Fault(
        "robots.txt shuts us out of the reports",
        "robots_refused",
        answering("robots_refused", "report"),
        healthy,
    ),
    Fault("told to come back later", "retry_later", answering("retry_later", "report"), healthy),
    Fault(
        "the day's budget is spent", "budget_spent", answering("budget_spent", "report"), healthy
    ),
    Fault("pages lead to a foreign host", "foreign_host", led_away, nothing_beside),
    Fault(
        "the name leads into a private network",
        "private_address",
        answering("private_address", "report"),
        healthy,
    ),
    Fault("a listing declares more than it shows", "listing_incomplete", rule("total"), rule("")),
    Fault("a listing repeats a page", "listing_incomplete", rule("repeated"), rule("")),
    Fault("a listing is gone", "listings_gone", gone_channel("client_error"), gone_channel("ok")),
    Fault(
        "a new listing",
        "new_channel",
        partial(new_channel, number=1),
        nothing,
        again=partial(new_channel, number=2),
        closer="month",
    ),
    Fault(
        "no page shows a date any more",
        "layout_drift",
        measured(date=0),
        measured(),
        nights=12,
    ),
    Fault(
        "bodies are found by their place only",
        "layout_drift",
        measured(**{"body:0": 0, "body": 0}),
        measured(),
        nights=12,
    ),
    Fault("more reports than can be", "counts_out_of_bounds", expecting(0, 3), expecting(0, 999)),
    Fault(
        "an organ's report does not come",
        "report_missing",
        nothing,
        publish(date(2026, 2, 10)),
        before=keep_back,
        again=misattributed,
        nights=3,
    ),
    Fault(
        "a government's report does not come",
        "report_missing",
        nothing,
        nothing,
        before=keep_back_government,
        closer="person",
        nights=3,
    ),
    Fault(
        "a report comes late",
        "report_late",
        publish(date(2026, 2, 10)),
        nothing,
        again=redated("2026-02-08"),
        before=missing_until_february,
        closer="person",
        nights=3,
    ),
    Fault(
        "a report comes late, with a date in time",
        "backdated",
        publish(date(2026, 2, 10), said="2026-01-30"),
        nothing,
        again=redated("2026-01-20"),
        before=missing_until_february,
        closer="person",
        nights=3,
    ),
    Fault("a report is taken away", "report_removed", removed, page_ends("ok")),
    Fault(
        "published figures change",
        "report_changed_figures",
        figures("9", "9", "9", "9"),
        nothing,
        again=figures("9", "9", "9", "8"),
        closer="person",
    ),
    Fault(
        "a report moves",
        "moved",
        move(2023),
        nothing,
        again=move(2022),
        closer="month",
    ),
    Fault(
        "an organ nobody knew",
        "organ_unknown_new",
        new_organ("某某局"),
        nothing,
        again=new_organ("某某署"),
        closer="person",
    ),
    Fault(
        "an organ owes a third year",
        "organ_silent",
        to_february_2028,
        nothing,
        again=nothing,
        before=silent_for_two,
        closer="person",
        nights=3,
    ),
    Fault(
        "the listing goes unread from before the deadline on",
        "unproven",
        unread_till(date(2026, 2, 5)),
        read_again,
        again=unread_till(date(2027, 2, 5)),
        nights=3,
    ),
    Fault("five nights were missed", "run_missed", missed, on_time),
    Fault("a run hangs", "run_hung", hangs, goes_on),
    Fault("a run was cut off", "run_hung", cut_off, nothing_beside),
    Fault("the spider breaks", "run_failed", spider_error, no_gap),
    Fault("something odd was left out", "run_incomplete", odd_gap, no_gap),
    Fault("the disk is nearly full", "disk_low", full_disk, room),
    Fault("the clock was set back", "clock_wrong", clock_set_back, clock_right),
    Fault(
        "the clock is an hour behind the servers",
        "clock_wrong",
        servers_say(timedelta(hours=1)),
        servers_say(timedelta(seconds=2)),
    ),
)


# --- the proof ----------------------------------------------------------------------------------


def tried(fault: Fault, home: Path, template: Path) -> Outcome:
    """Plant, leave, cure, plant again."""
    estate = Estate.make(home, template, world(seed=len(fault.name)))
    try:
        return _tried(fault, estate)
    finally:
        patch.stopall()
        estate.engine.dispose()


def _tried(fault: Fault, estate: Estate) -> Outcome:
    estate.nights(fault.nights)
    (fault.before or nothing)(estate)
    fault.plant(estate)
    opened = _news(estate.night())
    quiet = not _news(estate.night())
    closed = _closed(fault, estate)
    (fault.again or fault.plant)(estate)
    again = [event for event in estate.night() if event.event in ("opened", "reopened")]
    return Outcome(
        fault.name,
        fault.kind,
        [event.alert["kind"] for event in opened],
        quiet,
        closed,
        [event.alert["kind"] for event in again] == [fault.kind],
    )


def _news(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.event in ("opened", "reopened", "seen")]


def _closed(fault: Fault, estate: Estate) -> bool:
    fault.cure(estate)
    if fault.closer == "person":
        _close(estate, fault.kind)
        if kinds()[fault.kind].lasts:  # it is still so, and will open again
            return not _open(estate, fault.kind)
    if fault.closer == "month":
        estate.rest(32)
    estate.night()
    return not _open(estate, fault.kind)


def _open(estate: Estate, kind: str) -> list[Any]:
    return transact(estate.engine, lambda c: open_alerts(c, kind=kind))


def _close(estate: Estate, kind: str) -> None:
    def work(connection: sa.Connection) -> None:
        for alert in open_alerts(connection, kind=kind):
            close(connection, alert["id"], "a person", "looked at", datetime.now(UTC))

    transact(estate.engine, work)


def clean_runs(folder: Path, template: Path, wanted: int = CLEAN_RUNS) -> int:
    """Runs of healthy worlds of several sizes, in all seasons, some nights apart; their alerts."""
    done = found = 0
    for seed in range(1, 1000):
        chance = random.Random(seed)
        estate = Estate.make(folder / f"clean{seed}", template, world(seed, chance.randint(1, 4)))
        estate.day = FIRST_NIGHT + timedelta(days=chance.randint(0, 700))
        for portal in estate.portals:
            for channel in portal.channels.values():
                channel.since = estate.day
        for _ in range(min(10, wanted - done)):
            estate.night()
            estate.rest(chance.choice((0, 0, 0, 1, 3, 9, 30)))
            done += 1
        found += transact(estate.engine, _events)
        for alert in transact(estate.engine, open_alerts):
            print(f"clean world {seed}: {alert['kind']} {alert['message']}")
        estate.engine.dispose()
        if done == wanted:
            break
    return found


def _events(connection: sa.Connection) -> int:
    count = sa.select(sa.func.count()).select_from(alert_events)
    return int(connection.execute(count).scalar_one())


# --- real crawls --------------------------------------------------------------------------------

_HOME = page(("/nb/nb/2024.htm", "水磨沟区2024年政府信息公开工作年度报告"))
_REPORT = Answer(
    "<h1 id='title'>水磨沟区2024年政府信息公开工作年度报告</h1>"
    "<div id='text'>总体情况</div>".encode(),
    headers={"Content-Type": "text/html; charset=utf-8"},
)
_GONE = Answer(b"gone", 404)
_WALL = Answer(b"<script>document.cookie='__jsl_clearance=1'</script>", 412)
_BROKEN = Answer(b"<html>broken</html>", 503)
_CLOSED = Answer(b"User-agent: *\nDisallow: /nb/\n", headers={"Content-Type": "text/plain"})
_LATER = Answer(b"later", 503, {"Retry-After": "86400"})
_AWAY = Answer(b"", 302, {"Location": "http://www.elsewhere.example/"})


def _site(target: str) -> Answer:
    return {"/": _HOME, "/nb/nb/2024.htm": _REPORT}.get(target, _GONE)


CRAWLS: tuple[tuple[str, str, Callable[[str], Answer]], ...] = (
    ("a wall met by a crawl", "blocked", lambda _target: _WALL),
    ("503 met by a crawl", "portal_down", lambda _target: _BROKEN),
    (
        "robots.txt read by a crawl",
        "robots_refused",
        lambda target: _CLOSED if target == "/robots.txt" else _site(target),
    ),
    (
        "a redirect followed by a crawl",
        "foreign_host",
        lambda target: _AWAY if target == "/nb/nb/2024.htm" else _site(target),
    ),
)


def crawled(name: str, kind: str, answer: Callable[[str], Answer], home: Path) -> Outcome:
    """One healthy crawl, then two that meet the fault."""
    now: list[Callable[[str], Answer]] = [_site]
    with scripted(lambda _host, target: now[0](target)) as host:
        operator = Operator(home, host.url)
        operator.crawl("urumqi_districts", portals="shuimogou")
        before = operator.ask("alerts", "--all")
        now[0] = answer
        operator.crawl("urumqi_districts", portals="shuimogou")
        opened = operator.ask("alerts", "--all")
        operator.crawl("urumqi_districts", portals="shuimogou")
        later = operator.ask("alerts", "--all")
    found = [alert["kind"] for alert in (*before, *opened)]
    same = [(a["id"], a["said"], a["seen"]) for a in opened]
    return Outcome(name, kind, found, same == [(a["id"], a["said"], a["seen"]) for a in later])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--no-crawls", action="store_true", help="rows only")
    parser.add_argument("--only", default="", help="faults whose class or name holds this")
    asked = parser.parse_args()
    began = monotonic()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        template = prepared(Path(folder))
        outcomes = []
        for outcome in _all(Path(folder), template, asked):
            outcomes.append(outcome)
            print(_line(outcome), flush=True)
        noise = 0 if asked.only else clean_runs(Path(folder), template)
    right = sum(outcome.right for outcome in outcomes)
    classes = len(Counter(outcome.kind for outcome in outcomes))
    print(f"{right} of {len(outcomes)} faults of {classes} classes told right (of {len(kinds())})")
    if not asked.only:
        print(f"{CLEAN_RUNS} clean runs: {noise} alerts")
    print(f"{monotonic() - began:.0f} s")
    return 0 if right == len(outcomes) and not noise else 1


def prepared(folder: Path) -> Path:
    """An empty archive to begin from."""
    template = folder / "template.sqlite"
    engine = make_engine(f"sqlite:///{template}")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    return template


def _all(folder: Path, template: Path, asked: argparse.Namespace) -> Iterator[Outcome]:
    for number, fault in enumerate(FAULTS):
        if asked.only in f"{fault.kind} {fault.name}":
            yield tried(fault, folder / f"fault{number}", template)
    for number, (name, kind, answer) in enumerate(CRAWLS):
        if not asked.no_crawls and asked.only in f"{kind} {name}":
            yield crawled(name, kind, answer, folder / f"crawl{number}")


def _line(outcome: Outcome) -> str:
    found = ", ".join(outcome.opened) or "nothing"
    flags = " ".join(
        word if flag else f"NOT {word}"
        for word, flag in (
            ("said once", outcome.quiet),
            ("closed", outcome.closed),
            ("reopened", outcome.reopened),
        )
        if flag is not None
    )
    mark = "ok  " if outcome.right else "MISS"
    wrong = "" if outcome.opened == [outcome.kind] else f" (should be {outcome.kind})"
    return f"{mark} {outcome.name}: {found}{wrong}; {flags}"


if __name__ == "__main__":
    sys.exit(main())
