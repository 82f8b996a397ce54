"""A few portals and the nights on which they are crawled, as the rows a crawl leaves: synthetic.

No crawl and no server: an `Estate` is what the portals show and how they answer, and `night` writes
what a run that met it would have written, through the product's own calls where they need no
network, and then judges the archive as the end of every run does.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from storage.alarms import judge
from storage.alerts.record import Event, sound
from storage.capture.listings import Entry, Look, keep_look
from storage.database import make_engine, transact
from storage.drift.measures import keep_measures
from storage.readings.facts import store_reading
from storage.readings.observing import Observation, ReportKey, observe, sight
from storage.rows import add, find_or_add
from storage.schedule.manners import BLOCKED, NEVER_SENT, TROUBLE
from storage.schema import attempts, captures, organs, portals, runs, starts, terms, warc_files
from storage.settings import Settings
from tests.databases import reading

FIRST_NIGHT = date(2026, 1, 10)
_TOLD = {"software": "gongkai/test", "contact": "test@example.org", "config_digest": "0"}
# As the crawler counts the pages of a portal.
_HAS = {"pages": 1, "title": 1, "date": 1, "source": 1, "text": 1, "body": 1, "body:0": 1}
_SPIDER = "urumqi_districts"


@dataclass
class Page:
    """A report's page; `since` is the day from which on it is there."""

    url: str
    organ: str
    year: int
    title: str
    published: str
    figures: tuple[str, ...]
    since: date
    outcome: str = "ok"


@dataclass
class Channel:
    """A listing; `rule` when it cannot be proven complete."""

    url: str
    title: str
    since: date
    rule: str = ""
    outcome: str = "ok"
    read: bool = True


@dataclass
class Portal:
    """A portal with its organs (name → kind). `answers` says what becomes of a request (purpose,
    address), None for what the thing itself says.
    """

    key: str
    division: str
    host: str
    government: str
    organs: dict[str, str] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    pages: dict[str, list[Page]] = field(default_factory=dict)  # by address of the channel
    answers: Callable[[str, str], str | None] = lambda _purpose, _url: None
    errors: dict[str, str] = field(default_factory=dict)
    measure: Callable[[dict[str, Any]], dict[str, Any]] = lambda counts: counts
    expect: dict[str, list[int]] = field(default_factory=dict)

    def all_pages(self) -> Iterator[Page]:
        for pages in self.pages.values():
            yield from pages

    def page(self, organ: str, year: int) -> Page:
        return next(page for page in self.all_pages() if (page.organ, page.year) == (organ, year))

    def publish(self, organ: str, year: int, day: date, channel: str = "", said: str = "") -> Page:
        """A report appears on a day; `said` is the date it bears."""
        channel = channel or next(iter(self.channels))
        number = sum(map(len, self.pages.values())) + 1
        page = Page(
            url=f"http://{self.host}/info/{number}.htm",
            organ=organ,
            year=year,
            title=f"{organ}{year}年政府信息公开工作年度报告",
            published=said or day.isoformat(),
            figures=(str(number), "2", "3", "4"),
            since=day,
        )
        self.pages.setdefault(channel, []).append(page)
        return page


@dataclass
class Estate:
    """The portals, and the archive that is made of them in `home`."""

    home: Path
    portals: list[Portal]
    day: date = FIRST_NIGHT
    engine: sa.Engine = field(init=False)
    gaps: set[str] = field(default_factory=set)
    due_since: datetime | None = None
    # What a night does beside: to the connection, with the run and its moment.
    beside: Callable[[sa.Connection, int, datetime], None] = lambda _c, _run, _at: None
    clock: timedelta = timedelta()
    ends: bool = True
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, database_url=f"sqlite:///{self.home / 'archive.sqlite'}")

    @classmethod
    def make(cls, home: Path, template: Path, portals: list[Portal]) -> Estate:
        home.mkdir(parents=True)
        shutil.copy(template, home / "archive.sqlite")
        estate = cls(home, portals)
        estate.engine = make_engine(estate.settings.url)
        return estate

    def nights(self, number: int) -> list[Event]:
        """Some nights; what became of alerts by them."""
        return [event for _ in range(number) for event in self.night()]

    def until(self, day: date) -> list[Event]:
        """Every night before `day`."""
        return self.nights((day - self.day).days)

    def night(self) -> list[Event]:
        """One crawl of everything, half an hour after 23:00 in Ürümqi's official time."""
        at = datetime.combine(self.day, time(15, 30), UTC) + self.clock
        run_id = transact(self.engine, lambda connection: self._crawl(connection, at))
        self.day += timedelta(days=1)
        return self.check(run_id, at + timedelta(minutes=30))

    def rest(self, days: int) -> None:
        """Nights without a crawl."""
        self.day += timedelta(days=days)

    def check(self, run_id: int | None = None, at: datetime | None = None) -> list[Event]:
        """Judge the archive, as the end of a run does."""
        moment = at or datetime.combine(self.day, time(15, 30), UTC) + self.clock

        def work(connection: sa.Connection) -> list[Event]:
            found = judge(connection, self.settings, moment)
            return sound(
                connection,
                found.alarms,
                run_id=run_id,
                at=moment,
                looked_at=found.looked_at,
                held=found.held,
            )

        return transact(self.engine, work)

    def _crawl(self, connection: sa.Connection, at: datetime) -> int:
        told = {"spider": _SPIDER, "state": "running", "started_at": at, **_TOLD}
        run_id = add(connection, runs, told)
        row = {"run_id": run_id, "started_at": at, "rehearsal": False, "pace": 1.0, **_TOLD}
        row |= {"scope": "all", "due_since": self.due_since or at - timedelta(hours=2)}
        start = add(connection, starts, row)
        visits = [_Visits(connection, self, portal, run_id, start, at) for portal in self.portals]
        for visit in visits:
            visit.make()
        self.beside(connection, run_id, at)
        gaps = self.gaps.union(*(visit.gaps for visit in visits))
        if self.ends:
            state = "incomplete" if gaps else "complete"
            stats = {f"incomplete/{gap}": 1 for gap in gaps}
            end = runs.update().where(runs.c.id == run_id)
            ended = at + timedelta(minutes=29)
            connection.execute(end.values(state=state, stats=stats, ended_at=ended))
        return run_id


@dataclass
class _Visits:
    """What one run does at one portal."""

    connection: sa.Connection
    estate: Estate
    portal: Portal
    run_id: int
    start: int
    at: datetime
    gaps: set[str] = field(default_factory=set)
    seconds: int = 0
    seen: int = 0

    def make(self) -> None:
        self._promise()
        home = f"http://{self.portal.host}"
        told = self._ask("robots", f"{home}/robots.txt", "client_error")[0]
        if told != "client_error":
            self.gaps.add(f"robots.txt of {home} could not be had ({told})")
        self._missed("entry", self._ask("entry", f"{home}/", "ok")[0])
        shown = [c for c in self.portal.channels.values() if c.read and c.since <= self.estate.day]
        for channel in shown:
            self._listing(channel)
        if not self.seen:
            self.gaps.add(f"{self.portal.key} showed no report")
        counts = {"sketch": "0" * 240, "capture": 1, **dict.fromkeys(_HAS, self.seen)}
        counts = self.portal.measure(counts)
        kept: list[tuple[str, str, Any]] = [
            (self.portal.key, "portal", {"asked": {}, "reports": self.seen,
                                         "expect": self.portal.expect})
        ]  # fmt: skip
        if self.seen:
            kept.append((self.portal.key, "vsb article", {"skins": [counts]}))
        keep_measures(self.connection, self.run_id, kept)

    def _promise(self) -> None:
        p = self.portal
        names = {"name_zh": p.government[:3], "name_en": p.key.title(), "cms": "vsb"}
        row = {"key": p.key, "division_code": p.division, "government": p.government, **names}
        known = sa.select(portals.c.key).where(portals.c.key == p.key)
        if self.connection.execute(known).scalar() is None:
            self.connection.execute(portals.insert().values(**row))
            identity = {"division_code": p.division, "name": p.government}
            others = {"kind": "government", "portal": p.key}
            find_or_add(self.connection, organs, identity, others)
        promised = {"delay_s": 3.0, "opens": "22:00", "closes": "09:00", "budget": 5000}
        promised |= {"start_id": self.start, "portal": p.key, "timezone": "Asia/Shanghai"}
        self.connection.execute(terms.insert().values(**promised))

    def _ask(self, purpose: str, url: str, own: str) -> tuple[str, int | None, datetime]:
        """Outcome, capture and time of a request."""
        self.seconds += 3
        at = self.at + timedelta(seconds=self.seconds)
        outcome = self.portal.answers(purpose, url) or own
        row = {"run_id": self.run_id, "portal": self.portal.key, "url": url, "purpose": purpose}
        row |= {"started_at": at, "duration_ms": 9, "outcome": outcome, "size": 9, "retry": 0}
        row |= {"status": _status(outcome), "error": self.portal.errors.get(outcome)}
        attempt = add(self.connection, attempts, row)
        if _status(outcome) is None:
            return outcome, None, at
        name = f"estate-{self.run_id}.warc.gz"
        file, _ = find_or_add(self.connection, warc_files, {"name": name}, {"run_id": self.run_id})
        row = {"attempt_id": attempt, "url": url, "fetched_at": at, "status": _status(outcome)}
        row |= {"size": 9, "payload_digest": f"sha256:{attempt}", "warc_file_id": file}
        row |= {"warc_offset": attempt, "warc_length": 1, "record_id": f"<{attempt}>"}
        return outcome, add(self.connection, captures, row), at

    def _missed(self, purpose: str, outcome: str) -> None:
        """What the crawler calls incomplete, in its words."""
        key, host = self.portal.key, self.portal.host
        said = {
            "ok": None,
            "client_error": None,
            "not_modified": None,
            "circuit_open": f"{key} is left alone: 3 answers in a row were a wall",
            "budget_spent": f"{key}: the day's budget of 5000 requests is spent",
            "retry_later": "told to come back later",
            "private_address": f"{host} has a private address",
            "robots_refused": None,
            "blocked": f"{purpose} blocked",
            "maintenance": f"{purpose} maintenance",
        }
        gap = said.get(outcome, f"{purpose} not answered")
        if gap:
            self.gaps.add(gap)

    def _listing(self, channel: Channel) -> None:
        pages = [p for p in self.portal.pages.get(channel.url, []) if p.since <= self.estate.day]
        outcome, capture, at = self._ask("listing", channel.url, channel.outcome)
        self._missed("listing", outcome)
        verdict = _verdict(outcome)
        rule = reason = None
        if verdict == "complete" and channel.rule:
            verdict, rule = "incomplete", channel.rule
            reason = f"the listing broke the rule {rule}"
            self.gaps.add("a listing declares more than it shows")
        good = verdict in ("complete", "incomplete")
        shown = [Entry(p.url, p.title, p.published, True) for p in pages] if good else []
        look = Look(
            self.portal.key, channel.url, channel.title, True, (channel.title,), 1, self.run_id,
            at, "whole", verdict, rule, reason, 1, len(shown) or None, 1,
            (capture,) if capture and good else (), tuple(shown),
        )  # fmt: skip
        keep_look(self.connection, look)
        for page in pages if good else []:
            self._page(page)

    def _page(self, page: Page) -> None:
        outcome, capture, at = self._ask("report", page.url, page.outcome)
        kind = self.portal.organs.get(page.organ, "government")
        key = ReportKey(self.portal.key, self.portal.division, page.organ, kind, page.year)
        if outcome != "ok" or capture is None:
            if outcome not in ("ok", "not_modified"):
                word = "http_404" if outcome == "client_error" else outcome
                sight(self.connection, key, page.url, page.title, at, word)
                self._missed("report", outcome)
            return
        self.seen += 1
        content = "".join((page.title, page.published, *page.figures)).encode()
        seen = observe(
            self.connection,
            Observation(
                key, "page", "", page.url, capture, hashlib.sha256(content).hexdigest(), "page/2",
                page.title, page.published, None, "html", at,
            ),
        )  # fmt: skip
        if seen.new:
            store_reading(self.connection, seen.id, reading(*page.figures), at)


def _status(outcome: str) -> int | None:
    if outcome in NEVER_SENT or outcome in ("timeout", "dns", "refused", "reset", "tls"):
        return None
    return {"ok": 200, "client_error": 404, BLOCKED: 412, "server_error": 503}.get(outcome, 200)


def _verdict(outcome: str) -> Any:
    if outcome == BLOCKED:
        return "blocked"
    if outcome == "client_error":
        return "gone"
    if outcome in NEVER_SENT:
        return "not_asked"
    return "down" if outcome in TROUBLE else "complete"


_DIVISIONS = (
    ("tianshan", "650102", "www.xjtsq.gov.cn", "天山区"),
    ("midong", "650109", "www.xjmd.gov.cn", "米东区"),
    ("shuimogou", "650105", "www.xjsmgq.gov.cn", "水磨沟区"),
    ("xinshi", "650104", "www.uhdz.gov.cn", "新市区"),
)
_BUREAUS = ("教育局", "民政局", "财政局", "司法局", "审计局", "水务局")


def world(seed: int = 0, size: int = 2) -> list[Portal]:
    """Healthy portals whose organs publish in time, each year; which ones, the seed decides."""
    chance = random.Random(seed)
    return [_portal(*given, chance) for given in _DIVISIONS[:size]]


def _portal(key: str, division: str, host: str, name: str, chance: random.Random) -> Portal:
    government = f"乌鲁木齐市{name}人民政府"
    portal = Portal(key, division, host, government)
    for number, title in enumerate(("政府年报", "部门年报"), 1):
        url = f"http://{host}/nb{number}.htm"
        portal.channels[url] = Channel(url, title, FIRST_NIGHT)
    first, second = portal.channels
    bureaus = sorted(chance.sample(_BUREAUS, 3))
    portal.organs = {f"{name}{bureau}": "department" for bureau in bureaus}
    for year in range(2022, 2031):
        day = date(year + 1, 3, chance.randint(1, 30))
        portal.publish(government, year, day, first)
        for organ in portal.organs:
            portal.publish(organ, year, date(year + 1, 1, chance.randint(16, 30)), second)
    return portal


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def without(estate: Estate, portal: Portal, organ: str, year: int) -> Page:
    """Take a report that is not out yet out of the world."""
    page = portal.page(organ, year)
    for pages in portal.pages.values():
        if page in pages:
            pages.remove(page)
    return replace(page)
