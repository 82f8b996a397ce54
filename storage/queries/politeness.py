"""Was every request that went out one that a good guest may make? Proved from the archive alone.

The evidence: the rows of the attempts, what each start promised its portals, the heads of requests
and answers as they went over the wire, and the bodies of the robots.txt that were in force. How a
robots.txt or a Retry-After is read stands in storage.schedule.manners, for the crawler too; whether
it was kept is found out here, from the times and words of the archive. docs/politeness.md has the
rules.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote, urljoin, urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.capture import warc
from storage.capture.captures import header
from storage.capture.heads import HeadReader
from storage.care.leaving import leaves
from storage.errors import NotInArchive, WarcNotReadable
from storage.schedule.manners import (
    BLOCKED,
    LONGEST_ABSENCE,
    NEVER_SENT,
    REST,
    ROBOTS_LAST,
    ROBOTS_LIMIT,
    TROUBLE,
    TROUBLES,
    UNTOLD,
    WALLS,
    Robots,
    is_public,
    may_ask_to_wait,
    origin_of,
    retry_after,
    within,
)
from storage.schema import attempts, captures, runs, starts, terms, warc_files

# Clocks are read a moment before or after what they time: a hundredth of a wait, a millisecond and,
# where an hour of the day is the limit, a second.
_PART, _TICK, _SECOND = 0.01, 0.001, timedelta(seconds=1)
# A robots.txt and a Retry-After may be a day old each.
_LOOK_BACK = ROBOTS_LAST + LONGEST_ABSENCE

Broken = tuple[str, str]  # a rule and a sentence


class Violation(TypedDict):
    """One request that should not have been made, or not then."""

    rule: str
    attempt: int
    at: str
    portal: str | None
    url: str
    sentence: str


class Audit(TypedDict):
    """`requests` that went out and were looked at."""

    requests: int
    violations: list[Violation]


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a start promised a portal."""

    start: int
    rehearsal: bool
    pace: float
    contact: str
    delay: float
    opens: str
    closes: str
    timezone: str
    budget: int


@dataclass(frozen=True, slots=True)
class _Last:
    """The request before."""

    attempt: int
    start: int
    started: datetime
    ended: datetime


@dataclass(slots=True)
class _Streak:
    """Addresses without a good answer since the last good one, and why that is too many."""

    bad: set[str] = field(default_factory=set)
    walled: set[str] = field(default_factory=set)
    open: str = ""


@leaves
def audit(
    connection: sa.Connection,
    directory: Path,
    *,
    run: int | None = None,
    since: datetime | None = None,
) -> Audit:
    """Every broken rule, portal by portal in the order of time; all runs, or one, or since then.

    `directory` holds the WARC files. Raises NotInArchive for a run that is not there, and
    WarcNotReadable: without its evidence nothing is proved.
    """
    first, last = _span(connection, run, since)
    asked: Audit = {"requests": 0, "violations": []}
    with HeadReader(directory) as heads, _sent(connection, first, last) as sent:
        evidence = _Evidence(connection, directory, heads)
        for portal, rows in groupby(sent, lambda row: row.portal):
            watch = _Watch(portal, evidence)
            for row in rows:
                broken = list(watch.see(row))
                if (run is None or row.run_id == run) and (
                    since is None or row.started_at >= since
                ):
                    asked["requests"] += 1
                    asked["violations"] += [_violation(row, *each) for each in broken]
    return asked


def _span(
    connection: sa.Connection, run: int | None, since: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """From when on and until when requests have to be known."""
    first, last = since, None
    if run is not None:
        a = attempts.c
        if connection.execute(sa.select(runs.c.id).where(runs.c.id == run)).one_or_none() is None:
            raise NotInArchive(f"there is no run {run}: `archive runs` lists them")
        ends = sa.select(sa.func.min(a.started_at), sa.func.max(a.started_at))
        begun, last = connection.execute(ends.where(a.run_id == run)).one()
        first = max(filter(None, (begun, since)), default=None)
    return first and first - _LOOK_BACK, last


def _sent(
    connection: sa.Connection, first: datetime | None, last: datetime | None
) -> sa.CursorResult[Any]:
    a, c = attempts.c, captures.c
    query = (
        sa.select(a.id, a.run_id, a.portal, a.url, a.purpose, a.started_at, a.duration_ms)
        .add_columns(a.outcome, c.id.label("capture"), c.status, c.payload_digest, c.revisit_of)
        .add_columns(c.warc_offset, c.warc_length, warc_files.c.name)
        .select_from(attempts)
        .outerjoin(captures, c.attempt_id == a.id)
        .outerjoin(warc_files, warc_files.c.id == c.warc_file_id)
        .where(a.outcome.not_in(sorted(NEVER_SENT)))
        .order_by(a.portal, a.started_at, a.id)
    )
    if first is not None:
        query = query.where(a.started_at >= first)
    if last is not None:
        query = query.where(a.started_at <= last)
    return connection.execute(query, execution_options={"yield_per": 500})


class _Evidence:
    """What the archive holds beside the rows of the attempts."""

    def __init__(self, connection: sa.Connection, directory: Path, heads: HeadReader) -> None:
        self.heads = heads
        self._connection, self._directory = connection, directory
        self._promises: dict[tuple[int, str], list[tuple[datetime, _Promise]]] = {}
        self._rules: dict[str, Robots] = {}

    def promise(self, run: int, portal: str, at: datetime) -> _Promise | None:
        """By the newest start of the run up to that moment."""
        if (run, portal) not in self._promises:
            _make_room(self._promises)
            self._promises[run, portal] = self._promised(run, portal)
        made = [promise for began, promise in self._promises[run, portal] if began <= at]
        return made[-1] if made else None

    def robots(self, row: sa.Row[Any], head: bytes) -> Robots:
        """The rules that an answer to the question for robots.txt set."""
        if row.outcome != "ok":
            return Robots.of_answer(row.outcome, row.status)
        if row.payload_digest not in self._rules:
            _make_room(self._rules)
            body = self._body(row)
            encoding = header(head, b"content-encoding") or ""
            rules = Robots.of_answer("ok", row.status, _plain(body, encoding.lower()))
            self._rules[row.payload_digest] = rules
        return self._rules[row.payload_digest]

    def _body(self, row: sa.Row[Any]) -> bytes:
        """What was answered; a revisit's from the record of its original."""
        place = (
            sa.select(warc_files.c.name, captures.c.warc_offset)
            .join(captures)
            .where(captures.c.id == (row.revisit_of or row.capture))
        )
        name, offset = self._connection.execute(place).one()
        path = warc.locate(self._directory, name)
        _, _, body = warc.read_record(path, offset)
        if warc.digest(body) != row.payload_digest:
            raise WarcNotReadable(
                f"the record at {offset} of {path} is not what was captured "
                f"({row.payload_digest}): bring the file back from a copy"
            )
        return body

    def _promised(self, run: int, portal: str) -> list[tuple[datetime, _Promise]]:
        s, t = starts.c, terms.c
        query = (
            sa.select(s.started_at, s.id, s.rehearsal, s.pace, s.contact)
            .add_columns(t.delay_s, t.opens, t.closes, t.timezone, t.budget)
            .join(terms, t.start_id == s.id)
            .where(s.run_id == run, t.portal == portal)
            .order_by(s.started_at, s.id)
        )
        return [(row[0], _Promise(*row[1:])) for row in self._connection.execute(query)]


class _Watch:
    """Follows the requests that one portal got, in their order."""

    def __init__(self, portal: str | None, evidence: _Evidence) -> None:
        self._portal, self._evidence = portal, evidence
        self._robots: dict[tuple[int, str], tuple[datetime, Robots]] = {}
        self._redirected: dict[tuple[int, str], set[str]] = {}
        self._last: _Last | None = None
        self._last_of: dict[str, _Last] = {}
        self._wanted_back: tuple[datetime, int] | None = None
        self._day: tuple[date, int] | None = None
        self._streak = _Streak()

    def see(self, row: sa.Row[Any]) -> Iterator[Broken]:
        """The rules that this request broke."""
        if self._portal is None:
            yield "scope", "it went to a host of no portal"
            return
        promise = self._evidence.promise(row.run_id, self._portal, row.started_at)
        if promise is None:
            yield "terms", f"no start of run {row.run_id} promised {self._portal} anything"
            return
        yield from self._gaps(row, promise)
        yield from self._hours(row, promise)
        origin = origin_of(row.url)
        yield from self._by_robots(row, promise, origin)
        yield from self._circuit(row, promise)
        yield from self._budget(row, promise)
        answer = b""
        if row.capture is not None:
            record, answer = self._evidence.heads.read(row.name, row.warc_offset)
            yield from self._wire(row, promise, record)
        self._remember(row, promise, origin, answer)

    def _gaps(self, row: sa.Row[Any], promise: _Promise) -> Iterator[Broken]:
        if self._last is not None:
            before = self._last
            if (over := _seconds(before.ended - row.started_at)) > 2 * _TICK:
                yield "overlap", f"attempt {before.attempt} ended {over:.3f} s after its start"
            if (gap := _seconds(row.started_at - before.started)) < _least(promise.delay):
                yield (
                    "delay",
                    f"{gap:.3f} s after attempt {before.attempt}, promised {promise.delay:g} s",
                )
        if self._wanted_back is not None:
            until, attempt = self._wanted_back
            if (left := _seconds(until - row.started_at)) > _TICK + _PART:
                yield "retry-after", f"attempt {attempt} was told to wait {left:.3f} s longer"

    def _hours(self, row: sa.Row[Any], promise: _Promise) -> Iterator[Broken]:
        if promise.rehearsal:
            return

        def is_open(at: datetime) -> bool:
            return within(promise.opens, promise.closes, promise.timezone, at)

        if not _about(is_open, row.started_at):
            hours = f"{promise.opens} to {promise.closes} {promise.timezone}"
            yield "window", f"promised were requests from {hours} only"

    def _by_robots(self, row: sa.Row[Any], promise: _Promise, origin: str) -> Iterator[Broken]:
        at, rules = self._robots.get((row.run_id, origin), (None, None))
        before = self._last_of.get(origin)
        if rules is not None and before is not None:
            delay = rules.delay(row.started_at) * promise.pace
            if (gap := _seconds(row.started_at - before.started)) < _least(delay):
                yield (
                    "robots-delay",
                    f"{gap:.3f} s after attempt {before.attempt}, robots.txt asks for {delay:g} s",
                )
        if row.purpose == "robots":
            return
        if at is None or rules is None:
            yield "robots-first", f"run {row.run_id} had not asked for robots.txt of {origin}"
        elif row.started_at - at > ROBOTS_LAST:
            yield "robots-first", f"robots.txt of {origin} was asked more than a day before"
        elif rules.closed:
            yield "robots", f"robots.txt of {origin} {rules.closed}"
        elif not rules.allows(row.url):
            yield "robots", "robots.txt disallows it"
        elif not _about(rules.is_visited_at, row.started_at):
            yield "visit-time", "robots.txt lets nobody in at this hour"

    def _circuit(self, row: sa.Row[Any], promise: _Promise) -> Iterator[Broken]:
        """Judged by what was known before; then this request's own end is heard."""
        streak, last = self._streak, self._last
        if streak.open and last is not None:
            if promise.start == last.start or row.started_at - last.started < REST:
                yield "circuit", f"the portal was to be left alone: {streak.open}"
            else:
                self._streak = streak = _Streak()
        if row.outcome in UNTOLD:
            return
        if row.outcome == BLOCKED:
            streak.bad.add(row.url)
            streak.walled.add(row.url)
        elif row.outcome in TROUBLE:
            streak.bad.add(row.url)
            streak.walled.clear()
        elif not streak.open:
            self._streak = streak = _Streak()
        if len(streak.walled) >= WALLS:
            streak.open = f"{WALLS} answers in a row were a wall"
        elif len(streak.bad) >= TROUBLES:
            streak.open = f"{TROUBLES} requests in a row failed"

    def _budget(self, row: sa.Row[Any], promise: _Promise) -> Iterator[Broken]:
        today = row.started_at.astimezone(ZoneInfo(promise.timezone)).date()
        day, spent = self._day or (today, 0)
        self._day = (today, spent + 1 if day == today else 1)
        if self._day[1] > promise.budget:
            yield "budget", f"request {self._day[1]} of {today}, promised were {promise.budget}"

    def _wire(self, row: sa.Row[Any], promise: _Promise, record: bytes) -> Iterator[Broken]:
        """What the records themselves say."""
        address = header(record, b"WARC-IP-Address")
        if address and not promise.rehearsal and not is_public(address):
            yield "address", f"{address} answered, which is no public address"
        asked = self._evidence.heads.read(row.name, row.warc_offset + row.warc_length)
        if header(asked.record, b"WARC-Type") != "request":
            raise WarcNotReadable(
                f"the request of attempt {row.id} does not stand behind its answer in {row.name}: "
                "ask `archive verify`"
            )
        agent = header(asked.http, b"User-Agent") or ""
        if promise.contact not in agent:
            yield "contact", f"its User-Agent {agent!r} does not name {promise.contact}"

    def _remember(self, row: sa.Row[Any], promise: _Promise, origin: str, answer: bytes) -> None:
        ended = row.started_at + timedelta(milliseconds=row.duration_ms)
        last = _Last(row.id, promise.start, row.started_at, ended)
        self._last = self._last_of[origin] = last
        if answer and may_ask_to_wait(row.status):
            seconds = retry_after(header(answer, b"retry-after"), ended)
            until = ended + timedelta(seconds=seconds)
            if seconds and (self._wanted_back is None or until > self._wanted_back[0]):
                self._wanted_back = until, row.id
        if row.purpose == "robots":
            self._hear_robots(row, answer)

    def _hear_robots(self, row: sa.Row[Any], answer: bytes) -> None:
        """From now on these rules hold, for the origin and for whoever redirected here."""
        _make_room(self._robots)
        origins = self._redirected.pop((row.run_id, _bare(row.url)), set())
        if urlsplit(row.url).path == "/robots.txt":
            origins.add(origin_of(row.url))
        if row.outcome == "redirect":
            target = urljoin(row.url, header(answer, b"location") or "")
            self._redirected[row.run_id, _bare(target)] = origins
            return
        rules = self._evidence.robots(row, answer)
        for origin in origins:
            self._robots[row.run_id, origin] = row.started_at, rules


def _violation(row: sa.Row[Any], rule: str, sentence: str) -> Violation:
    return Violation(
        rule=rule,
        attempt=row.id,
        at=row.started_at.isoformat(),
        portal=row.portal,
        url=row.url,
        sentence=sentence,
    )


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _least(delay: float) -> float:
    """The shortest gap that a clock may show for a delay that was kept."""
    return delay - _PART * delay - _TICK


def _about(holds: Callable[[datetime], bool], at: datetime) -> bool:
    """Whether it holds then or held a second before."""
    return holds(at) or holds(at - _SECOND)


def _bare(url: str) -> str:
    """An address as two ways of writing it have in common."""
    return unquote(url).partition("#")[0]


def _plain(body: bytes, encoding: str) -> bytes:
    """A body without gzip or deflate; one that is only called compressed stays as it is."""
    for wbits in {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}.get(encoding, ()):
        try:
            return zlib.decompressobj(wbits).decompress(body, ROBOTS_LIMIT + 1)
        except zlib.error:
            continue
    return body


def _make_room(kept: dict[Any, Any], most: int = 512) -> None:
    """Forget the oldest entry: a hundred thousand requests need no more memory than a thousand."""
    if len(kept) >= most:
        del kept[next(iter(kept))]
