"""What did our visits cost a host, and was it what we promised? For the host's operator to read.

From the rows of attempts, captures, starts and terms, and, for what the host asked of us, the heads
of its own answers. `archive audit politeness` proves rule by rule; this page tells of cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.capture.captures import header
from storage.capture.heads import HeadReader
from storage.care.leaving import leaves
from storage.errors import NotInArchive, WarcNotReadable
from storage.schedule.manners import (
    BLOCKED,
    NEVER_SENT,
    TROUBLE,
    may_ask_to_wait,
    retry_after,
    within,
)
from storage.schema import attempts, captures, starts, terms, warc_files

# Requests that follow each other closer than this belong to one visit.
_PAUSE = timedelta(minutes=1)
# Clocks are read a moment before or after what they time.
_PART, _TICK = 0.01, 0.001


class Promise(TypedDict):
    """What the newest start promised: seconds between requests, hours, requests a day."""

    delay_s: float
    opens: str
    closes: str
    timezone: str
    budget: int


class Broken(TypedDict):
    """How often what was promised was not kept."""

    gaps: int
    hours: int
    budgets: int


class Impact(TypedDict):
    """Our visits to one host. Days, nights and hours are the host's own; a night is named by the
    day it ends on. `errors` are answers that show trouble, a wall, or none at all; `withheld` are
    requests that were never sent, by the reason. `shortest_gap_s` is from start to start.
    """

    host: str
    contact: str
    first: str
    last: str
    nights: int
    requests: int
    bytes: int
    errors: int
    by_purpose: dict[str, int]
    by_hour: dict[str, int]
    busiest_day: str
    busiest_day_requests: int
    busiest_day_bytes: int
    busiest_hour_requests: int
    longest_visit_requests: int
    longest_visit_s: float
    shortest_gap_s: float | None
    most_at_once: int
    robots_asked: int
    withheld: dict[str, int]
    waits_asked: int
    waits_honoured: int
    promised: Promise
    broken: Broken


@leaves
def impact(connection: sa.Connection, directory: Path, *, host: str | None = None) -> list[Impact]:
    """Of one host, or of all by name. `directory` holds the WARC files; a wait asked for in one
    that was moved away is not counted. Raises NotInArchive.
    """
    promises = _promises(connection)
    told: dict[str, _Account] = {}
    with HeadReader(directory) as heads, _rows(connection) as rows:
        for row in rows:
            at = _host(row.url)
            promised = promises.get((row.run_id, row.portal))
            if promised is None or host not in (None, at):
                continue
            account = told.setdefault(at, _Account(at))
            account.add(row, promised, heads)
    if host is not None and host not in told:
        raise NotInArchive(f"the archive never asked a host {host}: `archive impact` lists them")
    return [told[name].told() for name in sorted(told)]


@dataclass(frozen=True, slots=True)
class _Promised:
    """What the newest start of a run promised a portal."""

    contact: str
    delay: float
    opens: str
    closes: str
    timezone: str
    budget: int
    rehearsal: bool


@dataclass(slots=True)
class _Account:
    """What one host was asked, in the order of time."""

    host: str
    promised: _Promised | None = None
    first: datetime | None = None
    last: datetime | None = None
    ends: list[datetime] = field(default_factory=list)
    errors: int = 0
    size: int = 0
    purposes: Counter[str] = field(default_factory=Counter)
    by_hour: Counter[int] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)
    bytes_a_day: Counter[date] = field(default_factory=Counter)
    hours: Counter[datetime] = field(default_factory=Counter)
    nights: set[date] = field(default_factory=set)
    withheld: Counter[str] = field(default_factory=Counter)
    visit: tuple[datetime, int] | None = None
    longest: tuple[int, float] = (0, 0.0)
    shortest: float | None = None
    most_at_once: int = 0
    budgets: dict[date, int] = field(default_factory=dict)
    gaps_broken: int = 0
    hours_broken: int = 0
    waits: int = 0
    honoured: int = 0
    wanted: datetime | None = None

    def add(self, row: sa.Row[Any], promised: _Promised, heads: HeadReader) -> None:
        self.promised = promised
        if row.outcome in NEVER_SENT:
            self.withheld[row.outcome] += 1
            return
        at: datetime = row.started_at
        self._wait(at)
        self._gap(at, promised)
        self._count(row, at, promised)
        self._answer(row, at, heads)
        self.last = at

    def _gap(self, at: datetime, promised: _Promised) -> None:
        if self.last is None:
            self.first = at
        else:
            gap = (at - self.last).total_seconds()
            self.shortest = gap if self.shortest is None else min(self.shortest, gap)
            self.gaps_broken += gap < promised.delay * (1 - _PART) - _TICK
        if self.visit is None or self.last is None or at - self.last > _PAUSE:
            self.visit = (at, 0)
        begun, count = self.visit
        self.visit = (begun, count + 1)
        self.longest = max(self.longest, (count + 1, (at - begun).total_seconds()))

    def _count(self, row: sa.Row[Any], at: datetime, promised: _Promised) -> None:
        local = at.astimezone(ZoneInfo(promised.timezone))
        self.size += row.size
        self.purposes[row.purpose] += 1
        self.errors += row.outcome in TROUBLE or row.outcome == BLOCKED
        self.by_hour[local.hour] += 1
        self.days[local.date()] += 1
        self.bytes_a_day[local.date()] += row.size
        self.hours[local.replace(minute=0, second=0, microsecond=0)] += 1
        self.nights.add((local + timedelta(hours=12)).date())
        self.budgets[local.date()] = promised.budget
        open_now = promised.rehearsal or within(
            promised.opens, promised.closes, promised.timezone, at
        )
        self.hours_broken += not open_now

    def _answer(self, row: sa.Row[Any], at: datetime, heads: HeadReader) -> None:
        ended = at + timedelta(milliseconds=row.duration_ms)
        self.ends = [each for each in self.ends if each > at] + [ended]
        self.most_at_once = max(self.most_at_once, len(self.ends))
        if row.name is None or not may_ask_to_wait(row.status):
            return
        try:
            head = heads.read(row.name, row.warc_offset).http
        except WarcNotReadable:
            return
        if seconds := retry_after(header(head, b"retry-after"), ended):
            self.waits += 1
            self.honoured += 1  # until the next request says otherwise
            self.wanted = ended + timedelta(seconds=seconds * (1 - _PART))

    def _wait(self, at: datetime) -> None:
        if self.wanted is not None:
            self.honoured -= at < self.wanted
            self.wanted = None

    def told(self) -> Impact:
        promised = self.promised
        assert promised is not None
        busiest = max(self.days, key=lambda day: self.days[day], default=None)
        over = sum(count > self.budgets[day] for day, count in self.days.items())
        return Impact(
            host=self.host,
            contact=promised.contact,
            first=self.first.isoformat() if self.first else "",
            last=self.last.isoformat() if self.last else "",
            nights=len(self.nights),
            requests=self.days.total(),
            bytes=self.size,
            errors=self.errors,
            by_purpose=dict(self.purposes.most_common()),
            by_hour={f"{hour:02}": self.by_hour[hour] for hour in sorted(self.by_hour)},
            busiest_day=busiest.isoformat() if busiest else "",
            busiest_day_requests=self.days[busiest] if busiest else 0,
            busiest_day_bytes=max(self.bytes_a_day.values(), default=0),
            busiest_hour_requests=max(self.hours.values(), default=0),
            longest_visit_requests=self.longest[0],
            longest_visit_s=round(self.longest[1], 1),
            shortest_gap_s=None if self.shortest is None else round(self.shortest, 3),
            most_at_once=self.most_at_once,
            robots_asked=self.purposes["robots"],
            withheld=dict(self.withheld.most_common()),
            waits_asked=self.waits,
            waits_honoured=self.honoured,
            promised=Promise(
                delay_s=promised.delay,
                opens=promised.opens,
                closes=promised.closes,
                timezone=promised.timezone,
                budget=promised.budget,
            ),
            broken=Broken(gaps=self.gaps_broken, hours=self.hours_broken, budgets=over),
        )


def _promises(connection: sa.Connection) -> dict[tuple[int, str], _Promised]:
    """Run and portal → what its newest start promised."""
    s, t = starts.c, terms.c
    query = (
        sa.select(s.run_id, t.portal, s.contact, s.rehearsal, s.pace, t.delay_s)
        .add_columns(t.opens, t.closes, t.timezone, t.budget)
        .join(terms, t.start_id == s.id)
        .order_by(s.id)
    )
    return {
        (row.run_id, row.portal): _Promised(
            row.contact,
            row.delay_s * row.pace,
            row.opens,
            row.closes,
            row.timezone,
            row.budget,
            row.rehearsal,
        )
        for row in connection.execute(query)
    }


@contextmanager
def _rows(connection: sa.Connection) -> Iterator[sa.CursorResult[Any]]:
    a, c = attempts.c, captures.c
    query = (
        sa.select(a.run_id, a.portal, a.url, a.purpose, a.started_at, a.duration_ms, a.outcome)
        .add_columns(a.size, c.status, c.warc_offset, warc_files.c.name)
        .select_from(attempts)
        .outerjoin(captures, c.attempt_id == a.id)
        .outerjoin(warc_files, warc_files.c.id == c.warc_file_id)
        .order_by(a.started_at, a.id)
    )
    with connection.execute(query, execution_options={"yield_per": 500}) as rows:
        yield rows


@lru_cache(maxsize=1024)
def _host(url: str) -> str:
    return urlsplit(url).hostname or url
