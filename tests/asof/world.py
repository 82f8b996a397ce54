"""A history of edits, put into an archive act by act, that keeps its own truth: synthetic.

The truth is told from the acts alone, by the intervals in which each content stood; nothing of it
is asked of the archive.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.asof import AsOf
from storage.database import transact
from storage.errors import CorrectionRefused
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import keep_reading
from storage.readings.observing import Observation, ReportKey, observe
from tests.databases import Crawl, exchange, key, reading

BEGIN = datetime(2021, 1, 4, 3, 0, tzinfo=UTC)
YEARS = (2018, 2019, 2020)
ORGANS = ("天山区教育局", "天山区财政局", "天山区民政局")
CELL = "applications.granted.total"
_CHINA = ZoneInfo("Asia/Shanghai")
_PARSERS = ("test/1", "test/2")


@dataclass(frozen=True, slots=True)
class Sight:
    """A content of a page, seen at an address; `claim` is the date it shows."""

    at: datetime
    content: int
    url: str
    claim: str | None


@dataclass(slots=True)
class Told:
    """What became of one report: the acts, and nothing that follows from them."""

    key: ReportKey
    sights: list[Sight] = field(default_factory=list)
    # Content → (when, which parser's reading was in force from then on).
    readings: dict[int, list[tuple[datetime, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    corrections: list[tuple[datetime, str]] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)
    report_id: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands at a moment: the content, by which parser's reading, and what corrects it."""

    content: int
    parser: int | None
    corrected: str | None
    seen: frozenset[int]
    urls: frozenset[str]


def truth(told: Told, as_of: AsOf) -> Answer | None:
    """What must be answered at a moment; None where nothing of the report was there."""
    known, at = as_of.basis == "known", as_of.at
    stood = [
        (sight, sight.at if known else _from(told, place))
        for place, sight in enumerate(told.sights)
    ]
    seen = [sight for sight, since in stood if since <= at]
    if not seen:
        return None
    content = seen[-1].content
    read = [parser for when, parser in told.readings[content] if not known or when <= at]
    held = [raw for when, raw in told.corrections if not known or when <= at]
    return Answer(
        content,
        read[-1] if read else None,
        held[-1] if held else None,
        frozenset(sight.content for sight in seen),
        frozenset(sight.url for sight in seen),
    )


def _from(told: Told, place: int) -> datetime:
    """Since when a sight tells: from the date its page claims, where that lies between the sight
    before and this one and not before the reporting year, else from the sight itself.
    """
    sight = told.sights[place]
    claimed = _end(sight.claim)
    if claimed is None or claimed > sight.at or claimed.year < told.key.year:
        return sight.at
    if place and claimed <= told.sights[place - 1].at:
        return sight.at
    return claimed


def _end(claim: str | None) -> datetime | None:
    """The last second that a claimed date may mean."""
    if claim is None:
        return None
    if len(claim) == len("2021-01"):
        year, month = map(int, claim.split("-"))
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=_CHINA)
        return after - timedelta(seconds=1)
    said = datetime.fromisoformat(claim).replace(tzinfo=_CHINA)
    if len(claim) == len("2021-01-04"):
        return said + timedelta(days=1, seconds=-1)
    return said + timedelta(seconds=59)


@dataclass(slots=True)
class World:
    """The history as it goes on. `moments`: when what report was changed; `counts`: how often what
    was done.
    """

    engine: sa.Engine
    crawl: Crawl
    random: Random
    reports: list[Told] = field(default_factory=list)
    moments: list[tuple[datetime, Told]] = field(default_factory=list)
    years: tuple[int, ...] = YEARS
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _contents: count[int] = field(default_factory=lambda: count(1))
    _addresses: count[int] = field(default_factory=lambda: count(1))

    def go_on(self, edits: int) -> None:
        """Publish the reports, then act until so many edits were made."""
        self.reports = [
            Told(key(organ, year, "department")) for organ in ORGANS for year in self.years
        ]
        for told in self.reports:
            self._see(told, next(self._contents), self._address(), "published")
        acts = (self._edit, self._edit, self._edit, self._move, self._remove, self._return)
        more = (self._again, self._read_anew, self._correct)
        while self.counts["edited"] + self.counts["edited back"] < edits:
            self.random.choice((*acts, *more))(self.random.choice(self.reports))

    def _edit(self, told: Told) -> None:
        self._see(told, next(self._contents), told.sights[-1].url, "edited")

    def _return(self, told: Told) -> None:
        before = [each.content for each in told.sights if each.content != told.sights[-1].content]
        if before:
            self._see(told, self.random.choice(before), told.sights[-1].url, "edited back")

    def _again(self, told: Told) -> None:
        self._see(told, told.sights[-1].content, told.sights[-1].url, "seen again")

    def _move(self, told: Told) -> None:
        self._see(told, told.sights[-1].content, self._address(), "moved")

    def _remove(self, told: Told) -> None:
        at = self._later(told)
        gone = exchange(b"gone", told.sights[-1].url, 404, b"HTTP/1.1 404 Not Found\r\n\r\n")
        self._clock(at)
        self.crawl.capture(gone, "client_error")
        self.counts["removed"] += 1

    def _read_anew(self, told: Told) -> None:
        """By the newer parser, or by the older once more: both are in force from then on."""
        content = self.random.choice(sorted(told.versions))
        at, parser = self._later(told), 1 - told.readings[content][-1][1]
        self._read(told, content, parser, at)
        self.counts["read by another parser"] += 1

    def _correct(self, told: Told) -> None:
        at, raw = self._later(told), str(self.random.randrange(10_000, 99_999))
        entry = Entry("a reader", "the file says so", "http://h/evidence", at)

        def work(connection: sa.Connection) -> None:
            correct_cell(connection, told.report_id, CELL, raw, entry)

        try:
            transact(self.engine, work)
        except CorrectionRefused:
            return
        told.corrections.append((at, raw))
        self.counts["corrected"] += 1

    def _see(self, told: Told, content: int, url: str, act: str) -> None:
        at = self._later(told)
        self._clock(at)
        claim = self._claim(told, content, at)
        body = f"<html>content {content}</html>".encode()
        ref = self.crawl.capture(exchange(body, url))
        seen = Observation(
            key=told.key,
            part="page",
            name="",
            url=url,
            capture_id=ref.id,
            canonical_digest=f"{content:064}",
            canonical_rule="page/1",
            title=f"content {content}",
            published=claim,
            source=None,
            media="html",
            seen_at=at,
        )
        version = transact(self.engine, lambda connection: observe(connection, seen))
        told.report_id = version.report_id
        told.sights.append(Sight(at, content, url, claim))
        self.counts[act] += 1
        if version.new:
            told.versions[content] = version.id
            self._read(told, content, 0, at + timedelta(hours=self.random.choice((0, 5))))

    def _claim(self, told: Told, content: int, at: datetime) -> str | None:
        """As pages do: the day of the edit, that of the first edition, a wrong one, or none."""
        for sight in told.sights:
            if sight.content == content:
                return sight.claim
        day = (at - timedelta(days=self.random.randrange(3))).astimezone(_CHINA)
        first = told.sights[0].claim if told.sights else None
        shapes = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m")
        edited = day.strftime(self.random.choice(shapes))
        return self.random.choice((edited, edited, edited, first, "2001-01-01", "2031-01-01", None))

    def _read(self, told: Told, content: int, parser: int, at: datetime) -> None:
        read = reading(*raws(content, parser), parser=_PARSERS[parser])
        version_id = told.versions[content]
        transact(self.engine, lambda connection: keep_reading(connection, version_id, read, at))
        told.readings[content].append((at, parser))
        self.moments.append((at, told))

    def _later(self, told: Told) -> datetime:
        """A moment after all there were: hours or weeks."""
        gap = timedelta(minutes=self.random.choice((90, 700, 2000, 9000, 30_000)))
        at = max((when for when, _ in self.moments), default=BEGIN) + gap
        self.moments.append((at, told))
        return at

    def _clock(self, at: datetime) -> None:
        self.crawl.set(at)

    def _address(self) -> str:
        return f"http://www.xjtsq.gov.cn/info/{next(self._addresses)}.htm"


def raws(content: int, parser: int) -> tuple[str, str, str, str]:
    """The cells of a content as a parser reads them."""
    return (str(content), "5万元", str(parser), str(content * 2))
