"""What of a portal is due now, since when and why; and when anything will be.

Computed from what was last done, never from a list of nights: whatever nights were missed, the
next start does once what is due then. How often what is asked for stands in calendar.toml.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.ledger.known import ending
from storage.schedule.calendar import Calendar, Rhythm, Season, calendar, midnight
from storage.schedule.manners import BLOCKED, NEVER_SENT, REST, TROUBLE, UNTOLD
from storage.schema import (
    Moment,
    aliases,
    attempts,
    listing_changes,
    listing_reads,
    listings,
    organs,
    reports,
    versions,
)

# Keys of [why] in calendar.toml.
Why = Literal[
    "new",
    "rhythm",
    "whole",
    "deadline",
    "incomplete",
    "failed",
    "gone",
    "lookback",
    "turn",
    "unreachable",
    "listed",
]

# More of them in a row change nothing any more.
_MOST_FAILURES = 60


_PORTAL = sa.bindparam("portal", type_=sa.Text)
_SINCE = sa.bindparam("since", type_=Moment)
_SENT = attempts.c.outcome.not_in(sorted(NEVER_SENT | UNTOLD))
_BAD = attempts.c.outcome.in_(sorted(TROUBLE | {BLOCKED}))
_OF_PORTAL = listing_reads.c.listing_id.in_(
    sa.select(listings.c.id).where(listings.c.portal == _PORTAL)
)
# Made once: to put a query together costs as long as to answer it.
_LISTINGS = sa.select(listings).where(listings.c.portal == _PORTAL).order_by(listings.c.url)
# Of each listing, scope and verdict: the first and the last read.
_READS = (
    sa.select(listing_reads.c.listing_id, listing_reads.c.scope, listing_reads.c.verdict)
    .add_columns(sa.func.min(listing_reads.c.read_at).label("first"))
    .add_columns(sa.func.max(listing_reads.c.read_at).label("at"))
    .where(_OF_PORTAL, listing_reads.c.read_at >= _SINCE)
    .group_by(listing_reads.c.listing_id, listing_reads.c.scope, listing_reads.c.verdict)
)
# Listing, moment and number of the changes of reports that each read found.
_CHANGES = (
    sa.select(listing_reads.c.listing_id, listing_reads.c.read_at)
    .add_columns(sa.func.count().label("changes"))
    .join(listing_changes, listing_changes.c.listing_read_id == listing_reads.c.id)
    .where(_OF_PORTAL, listing_reads.c.read_at >= _SINCE, listing_changes.c.is_report)
    .group_by(listing_reads.c.id, listing_reads.c.listing_id, listing_reads.c.read_at)
)
_FAILURES = (
    sa.select(listing_reads.c.id)
    .where(listing_reads.c.listing_id == sa.bindparam("listing"), listing_reads.c.read_at > _SINCE)
    .limit(_MOST_FAILURES)
)
_WALKS = (
    sa.select(attempts.c.started_at, attempts.c.run_id)
    .where(attempts.c.portal == _PORTAL, attempts.c.purpose == "entry", _SENT)
    .order_by(attempts.c.started_at.desc())
    .limit(_MOST_FAILURES)
)
_WALKED = (
    sa.select(attempts.c.url, attempts.c.outcome)
    .where(attempts.c.run_id == sa.bindparam("run"), attempts.c.portal == _PORTAL)
    .where(attempts.c.purpose.in_(("entry", "channel", "listing")))
    .order_by(attempts.c.id)
)
# Reports and files: when each was last asked for, and when it last gave a good answer.
_ASKED = (
    sa.select(attempts.c.url, sa.func.max(attempts.c.started_at).label("tried"))
    .add_columns(sa.func.max(sa.case((~_BAD, attempts.c.started_at))).label("good"))
    .where(attempts.c.portal == _PORTAL, attempts.c.started_at >= _SINCE, _SENT)
    .where(attempts.c.purpose.in_(("report", "seed", "attachment")))
    .group_by(attempts.c.url)
)
_FAILED = (
    sa.select(sa.func.min(attempts.c.started_at))
    .where(attempts.c.portal == _PORTAL, attempts.c.started_at > _SINCE, _SENT)
    .where(attempts.c.url == sa.bindparam("url"))
)
_OF_PAGES = (
    sa.select(versions.c.report_id, sa.func.max(versions.c.last_seen).label("good"))
    .add_columns(sa.func.min(versions.c.published).label("published"))
    .join(reports, reports.c.id == versions.c.report_id)
    .join(organs, organs.c.id == reports.c.organ_id)
    .where(versions.c.part == "page", organs.c.portal == _PORTAL)
    .group_by(versions.c.report_id)
    .subquery()
)
# Every address of every report of a portal's organs, with what is known of its page.
_ALIASES = (
    sa.select(aliases, reports.c.year, organs.c.division_code)
    .add_columns(organs.c.name.label("organ"), organs.c.kind.label("organ_kind"))
    .add_columns(_OF_PAGES.c.good, _OF_PAGES.c.published)
    .select_from(aliases)
    .join(reports, reports.c.id == aliases.c.report_id)
    .join(organs, organs.c.id == reports.c.organ_id)
    .outerjoin(_OF_PAGES, _OF_PAGES.c.report_id == reports.c.id)
    .where(organs.c.portal == _PORTAL)
    .order_by(aliases.c.id)
)
_SHOWN = (
    sa.select(listing_changes.c.url, listing_changes.c.title, listing_changes.c.change)
    .add_columns(listing_changes.c.is_report)
    .add_columns(listing_reads.c.listing_id, listing_reads.c.read_at, listings.c.trail)
    .select_from(listing_changes)
    .join(listing_reads, listing_reads.c.id == listing_changes.c.listing_read_id)
    .join(listings, listings.c.id == listing_reads.c.listing_id)
    .where(listings.c.portal == _PORTAL)
    .order_by(listing_reads.c.id, listing_changes.c.position)
)


class Turn(NamedTuple):
    """When something becomes due, and why. `whole`: of a listing, every page.

    From `soon` on a visit that is made anyway takes it along; None where it is not to be hurried.
    """

    at: datetime
    why: Why
    whole: bool = False
    soon: datetime | None = None

    def is_up(self, now: datetime, *, visited: bool) -> bool:
        return self.at <= now or (visited and self.soon is not None and self.soon <= now)


@dataclass(frozen=True, slots=True)
class DueListing:
    """A listing to be read, `whole` or its first pages; `every` is its rhythm in days."""

    id: int
    url: str
    title: str
    whole: bool
    why: Why
    since: datetime
    every: float


@dataclass(frozen=True, slots=True)
class DuePage:
    """A report's page, or a file that no living page leads to, to be asked for again; `lives`
    when it was there the last time.
    """

    url: str
    title: str
    division_code: str
    organ: str
    organ_kind: str
    year: int
    why: Why
    since: datetime
    lives: bool


@dataclass(frozen=True, slots=True)
class DueEntry:
    """A report that a listing shows and nobody has asked for yet; `trail` led to the listing."""

    url: str
    title: str
    trail: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """What of a portal is due at `at`.

    `tree`: since when and why its disclosure tree is to be walked. `resting` are the addresses of
    known listings, pages and files that need no asking. `next` is the first moment at which
    anything that is not due becomes so; None while nothing is known of the portal.
    """

    portal: str
    at: datetime
    tree: Turn | None
    listings: tuple[DueListing, ...]
    pages: tuple[DuePage, ...]
    entries: tuple[DueEntry, ...]
    resting: frozenset[str]
    next: datetime | None

    @property
    def since(self) -> datetime | None:
        """Since when the oldest of what is due has been waiting; None where nothing is."""
        waiting = [each.since for each in self.listings]
        waiting += [each.since for each in self.pages]
        waiting += [each.since for each in self.entries]
        waiting += [self.tree.at] if self.tree else []
        return min(waiting, default=None)


def due(connection: sa.Connection, portal: str, now: datetime, timezone: str) -> Due:
    """What of a portal is due. `now` is aware; `timezone` names the portal's own."""
    return _Schedule(connection, portal, now, ZoneInfo(timezone)).due()


@dataclass(slots=True)
class _History:
    """What is known of the reads of one listing within the calendar's history."""

    last: datetime | None = None
    verdict: str = ""
    first_good: datetime | None = None
    good: datetime | None = None
    whole: datetime | None = None
    failures: int = 0
    changes: list[tuple[datetime, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Schedule:
    """One answer in the making."""

    connection: sa.Connection
    portal: str
    now: datetime
    zone: ZoneInfo
    calendar: Calendar = field(default_factory=calendar)
    today: date = field(init=False)
    season: Season = field(init=False)
    wakes: datetime = field(init=False)  # when the next dense season begins

    def __post_init__(self) -> None:
        self.today = self._day(self.now)
        self.season = self.calendar.season(self.today)
        begins = midnight(self.calendar.next_dense(self.today), self.zone)
        self.wakes = begins.astimezone(UTC)

    def _ask(self, query: sa.Select[Any], **values: Any) -> Sequence[sa.Row[Any]]:
        return self.connection.execute(query, {"portal": self.portal, **values}).all()

    def due(self) -> Due:
        """Everything that is due; where anything is, with what would be soon."""
        known = self._listings()
        pages = self._ask(_ALIASES)
        asked = {row.url: row for row in self._ask(_ASKED, since=self.now - self._memory)}
        tree = self._tree(known)
        looks = {row.id: self._listing_turn(row, history) for row, history in known}
        looked_at = dict(self._page_turns(pages, asked))
        entries = dict(self._entry_turns({row.url for row in pages}, asked))
        turns = [tree, *looks.values(), *looked_at.values(), *entries.values()]
        visited = any(turn.at <= self.now for turn in turns)

        def is_up(turn: Turn) -> bool:
            return turn.is_up(self.now, visited=visited)

        chosen = {url: turn for url, turn in looked_at.items() if is_up(turn)}
        listed = tuple(
            self._due_listing(row, looks[row.id], history)
            for row, history in known
            if is_up(looks[row.id])
        )
        return Due(
            portal=self.portal,
            at=self.now,
            tree=tree if is_up(tree) else None,
            listings=listed,
            pages=tuple(
                _due_page(row, chosen[url])
                for url, row in {row.url: row for row in reversed(pages)}.items()
                if url in chosen
            ),
            entries=tuple(entry for entry, turn in entries.items() if is_up(turn)),
            resting=self._resting(known, pages, asked, listed, chosen),
            next=min((turn.at for turn in turns if not is_up(turn)), default=None),
        )

    # --- listings -----------------------------------------------------------------------------

    def _listings(self) -> list[tuple[sa.Row[Any], _History]]:
        found: defaultdict[int, _History] = defaultdict(_History)
        since = self.now - self.calendar.history
        for row in self._ask(_READS, since=since):
            history = found[row.listing_id]
            if history.last is None or row.at > history.last:
                history.last, history.verdict = row.at, row.verdict
            if row.verdict == "complete":
                history.first_good = min(history.first_good or row.first, row.first)
                history.good = max(history.good or row.at, row.at)
                if row.scope == "whole":
                    history.whole = max(history.whole or row.at, row.at)
        for row in self._ask(_CHANGES, since=since):
            found[row.listing_id].changes.append((row.read_at, row.changes))
        for listing_id, history in found.items():
            if history.verdict != "complete":
                bad = self._ask(_FAILURES, listing=listing_id, since=history.good or since)
                history.failures = len(bad)
        return [(row, found[row.id]) for row in self._ask(_LISTINGS)]

    def _every(self, history: _History, first_seen: datetime) -> tuple[float, float]:
        """The rhythm of a listing in days: now, and in the dense season.

        As it was learned by the last good read: a rhythm must not slow down while it is waited for.
        """
        # What the first good read finds was there before: it is no change.
        since = history.first_good or first_seen
        changed = [
            self._day(at) for at, count in history.changes if at > since for _ in range(count)
        ]
        return self._rhythms("listing", since, history.good or since, changed)

    def _rhythms(
        self,
        what: Literal["listing", "tree"],
        since: datetime,
        until: datetime,
        changed: list[date],
    ) -> tuple[float, float]:
        """Days by today's season, and by the dense one, after changes on these days."""
        begin, end = self._day(max(since, self.now - self.calendar.history)), self._day(until)
        dense = self.calendar.dense_days(begin, end)
        sparse = max((end - begin).days + 1 - dense, 0)
        in_dense = sum(map(self.calendar.is_dense, changed))
        prior, days = self.calendar.prior
        rhythm: Rhythm = getattr(self.calendar.dense, what)
        in_season = rhythm.days(in_dense + prior, dense + days)
        if self.calendar.is_dense(self.today):
            return in_season, in_season
        rhythm = getattr(self.calendar.sparse, what)
        return rhythm.days(len(changed) - in_dense + prior, sparse + days), in_season

    def _listing_turn(self, row: sa.Row[Any], history: _History) -> Turn:
        if history.last is None:
            return Turn(row.first_seen, "new", True)
        deadline = self.calendar.last_deadline(self.now, self.zone)
        coming = self.calendar.next_deadline(self.now, self.zone)
        missed = history.whole is None or history.whole < deadline
        if history.verdict != "complete":
            return self._retry_turn(history, missed, deadline)
        assert history.good is not None
        now, dense = self._every(history, row.first_seen)
        if history.whole is None:
            whole = Turn(history.good, "whole", True)
        else:
            at = self._spaced(history.whole, self.season.whole, self.calendar.dense.whole)
            whole = Turn(at, "whole", True, self._soon(history.good, at))
        morning = Turn(deadline if missed else coming, "deadline", True)
        at = self._spaced(history.good, now, dense)
        head = Turn(at, "rhythm", soon=self._soon(history.good, at))
        first = min((morning, whole, head), key=lambda turn: turn.at)
        # A read that is due anyway is a whole one where that is due, too.
        if not first.whole and min(morning.at, whole.at) <= self.now:
            return morning if morning.at <= self.now else whole
        return first

    def _retry_turn(self, history: _History, missed: bool, deadline: datetime) -> Turn:
        assert history.last is not None
        gone = history.verdict == "gone"
        gap = self.season.retry(max(history.failures, 1), gone=gone)
        at = self._after(history.last, gap)
        if missed and history.last < deadline:
            at = min(at, deadline)
        why: Why = "gone" if gone else "incomplete"
        if history.verdict not in ("gone", "incomplete"):
            why = "failed"
        whole_at = history.whole and self._after(history.whole, self.season.whole)
        whole = history.verdict == "incomplete" or missed or not whole_at or whole_at <= self.now
        return Turn(at, why, whole)

    def _due_listing(self, row: sa.Row[Any], turn: Turn, history: _History) -> DueListing:
        every, _ = self._every(history, row.first_seen)
        return DueListing(row.id, row.url, row.title, turn.whole, turn.why, turn.at, every)

    # --- the tree -----------------------------------------------------------------------------

    def _tree(self, known: list[tuple[sa.Row[Any], _History]]) -> Turn:
        """By the last walks from the portal's entries, at the rhythm in which listings come."""
        walks = self._ask(_WALKS)
        if not walks:
            return Turn(self.now, "new")
        last = walks[0].started_at
        failures, urls = 0, {row.url for row, _ in known}
        for run_id in dict.fromkeys(walk.run_id for walk in walks):
            if failures == len(self.season.failed) or not self._met_trouble(run_id, urls):
                break
            failures += 1
        deadline = self.calendar.last_deadline(self.now, self.zone)
        if last < deadline:
            # A report may be late, or stand in a new channel: only a walk after the day tells.
            return Turn(deadline, "deadline")
        if failures:
            return Turn(self._after(last, self.season.retry(failures, gone=False)), "failed")
        seen = [row.first_seen for row, _ in known]
        first = min(seen, default=last)
        # What the first walk finds was there before; what a move brought long ago tells nothing.
        since = max(first + self.calendar.first_look, self.now - self.calendar.history)
        came = [self._day(at) for at in seen if at > since]
        now, dense = self._rhythms("tree", first, last, came)
        at = self._spaced(last, now, dense)
        coming = self.calendar.next_deadline(self.now, self.zone)
        if coming <= at:
            return Turn(coming, "deadline")
        return Turn(at, "rhythm", soon=self._soon(last, at))

    def _met_trouble(self, run_id: int, known: set[str]) -> bool:
        """Whether a page on the way to the listings gave no good answer in that run.

        The listings that are known are tried again by themselves.
        """
        last = {row.url: row.outcome for row in self._ask(_WALKED, run=run_id)}
        bad = {url for url, word in last.items() if word == BLOCKED or word in TROUBLE}
        return bool(bad - known)

    # --- reports ------------------------------------------------------------------------------

    def _page_turns(
        self, pages: Sequence[sa.Row[Any]], asked: Mapping[str, sa.Row[Any]]
    ) -> Iterator[tuple[str, Turn]]:
        """Address → turn, of pages and of files that no living page leads to."""
        began = min((row.first_seen for row in pages), default=self.now)
        living = {r.report_id for r in pages if r.part == "page" and r.last_outcome == "ok"}
        for row in pages:
            lives = row.report_id in living
            if row.part == "page" or not lives:
                yield row.url, self._page_turn(row, began, asked.get(row.url), lives=lives)

    def _page_turn(
        self, row: sa.Row[Any], began: datetime, asked: sa.Row[Any] | None, *, lives: bool
    ) -> Turn:
        tried = row.last_seen if asked is None else max(row.last_seen, asked.tried)
        # An old address of a report that lives elsewhere tells little, whatever it answers.
        if row.last_outcome != "ok" and not lives:
            return self._absence_turn(row, tried)
        young = self.season.of_age(self._age(row, began)) if row.last_outcome == "ok" else None
        if young is not None:
            at = self._after(tried, young)
            return Turn(at, "lookback", soon=self._soon(tried, at))
        dense, sparse, season = self.calendar.dense, self.calendar.sparse, self.season
        every, longest = season.turn, max(dense.turn, sparse.turn)
        if ending(row.last_outcome) == "gone":
            every, longest = season.elsewhere, max(dense.elsewhere, sparse.elsewhere)
        seen = self._day(tried)
        begins = self.calendar.begins(self.today) - timedelta(days=1)
        # What was taken along before its turn has had it.
        after = max(seen + timedelta(days=math.ceil(season.together)), begins)
        turn = self.calendar.turn(self.portal, row.url, after, every, season.step)
        turn = min(turn, seen + timedelta(days=longest))
        at = midnight(turn, self.zone).astimezone(UTC)
        return Turn(at, "turn", soon=self._soon(tried, at))

    def _absence_turn(self, row: sa.Row[Any], tried: datetime) -> Turn:
        """Later and later from the first failure on, which is not the last good answer."""
        failing = row.first_seen
        if row.good is not None:
            since = max(row.good, self.now - self._memory)
            failed = self._ask(_FAILED, url=row.url, since=since)[0][0]
            failing = failed or tried
        gap = self.season.absence(max(tried - failing, timedelta()) / timedelta(days=1))
        return Turn(self._after(tried, gap), "unreachable")

    @property
    def _memory(self) -> timedelta:
        """How far back requests for reports are looked at."""
        return timedelta(days=max(self.season.turn, self.season.unreachable[1]))

    def _age(self, row: sa.Row[Any], began: datetime) -> float:
        """Days since a page appeared: by its own date only where it stood before we looked."""
        if row.first_seen > began + self.calendar.first_look:
            return float((self.today - self._day(row.first_seen)).days)
        try:
            born = date.fromisoformat((row.published or "")[:10])
        except ValueError:
            born = date.min
        return float((self.today - born).days)

    def _entry_turns(
        self, known: set[str], asked: Mapping[str, sa.Row[Any]]
    ) -> Iterator[tuple[DueEntry, Turn]]:
        """Reports that a listing shows now and that have never given a good answer."""
        shown: dict[tuple[int, str], DueEntry] = {}
        for row in self._ask(_SHOWN):
            if row.change == "removed" or not row.is_report:
                shown.pop((row.listing_id, row.url), None)
            elif row.url not in known:
                entry = DueEntry(row.url, row.title, tuple(row.trail), row.read_at)
                shown.setdefault((row.listing_id, row.url), entry)
        for entry in {entry.url: entry for entry in shown.values()}.values():
            found = asked.get(entry.url)
            if found is None:
                # The run that read the listing may have ended a moment ago.
                yield entry, Turn(entry.since + REST, "listed")
            elif found.good is None:
                failing = max(found.tried - entry.since, timedelta()) / timedelta(days=1)
                at = self._after(found.tried, self.season.absence(failing))
                yield entry, Turn(at, "listed")

    def _resting(
        self,
        known: list[tuple[sa.Row[Any], _History]],
        pages: Sequence[sa.Row[Any]],
        asked: Mapping[str, sa.Row[Any]],
        listed: tuple[DueListing, ...],
        chosen: Mapping[str, Turn],
    ) -> frozenset[str]:
        """A file rests unless its report's page is asked for: who looks at the page looks at it."""
        reading = {each.url for each in listed}
        looked_at = {row.report_id for row in pages if row.url in chosen}
        awake = {row.url for row in pages if row.part != "page" and row.report_id in looked_at}
        awake |= reading | set(chosen)
        everything = {row.url for row, _ in known} | {row.url for row in pages}
        everything |= {url for url, row in asked.items() if row.good is not None}
        return frozenset(everything - awake)

    # --- moments ------------------------------------------------------------------------------

    def _day(self, at: datetime) -> date:
        return _day_of(at, self.zone)

    def _after(self, at: datetime, days: float) -> datetime:
        """So many nights later: a little early, so that a night's start finds it due."""
        return at + max(timedelta(days=days) - self.calendar.early, REST)

    def _soon(self, last: datetime, at: datetime) -> datetime:
        """When what is due at `at` may be taken along: not before half of the wait is over."""
        return max(at - timedelta(days=self.season.together), last + (at - last) / 2)

    def _spaced(self, at: datetime, now: float, dense: float) -> datetime:
        """So many days later by today's rhythm, or by that of the season if it begins before."""
        return min(self._after(at, now), max(self.wakes, self._after(at, dense)))


@lru_cache(maxsize=4096)  # the same few moments again and again
def _day_of(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _due_page(row: sa.Row[Any], turn: Turn) -> DuePage:
    return DuePage(
        url=row.url,
        title=row.title,
        division_code=row.division_code,
        organ=row.organ,
        organ_kind=row.organ_kind,
        year=row.year,
        why=turn.why,
        since=turn.at,
        lives=row.last_outcome == "ok",
    )
