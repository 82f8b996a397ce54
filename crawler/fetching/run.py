"""One crawl as a run of the archive: opens it, keeps every attempt, and says how it ended."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Self, TypeVar
from zlib import crc32

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response
from scrapy.settings import overridden_settings
from sqlalchemy import Connection

from crawler.errors import BusyError
from crawler.fetching import outcomes
from crawler.fetching.answers import open_answer
from crawler.fetching.guest import Guest
from crawler.fetching.lock import PortalLocks, explained
from crawler.fetching.pace import Pace, check_start
from crawler.fetching.planning import Plan, everything, what_is_due
from crawler.fetching.triage import Missing
from crawler.items import Visit
from crawler.portals import Life, Portal, host_of
from crawler.spiders.walk import PortalSpider
from storage.alerts.watch import watch
from storage.capture.captures import (
    Asked,
    Attempt,
    CaptureRef,
    Ending,
    Exchange,
    Recorder,
    Validated,
    header,
    liars,
    recorded,
    validators,
)
from storage.capture.recovery import recover
from storage.capture.runs import (
    LifeRecord,
    PortalRecord,
    Start,
    Terms,
    answered,
    answered_again,
    at_work,
    begin_run,
    end_run,
)
from storage.database import open_for_writing, transact
from storage.drift.drifts import Drift, drifts
from storage.drift.measures import keep_measures
from storage.errors import DatabaseError, PortalBusy, StorageError
from storage.evidence.seal import seal
from storage.locks import DatabaseLocks
from storage.runpage import write_owed, write_page
from storage.schedule.manners import BLOCKED
from storage.settings import Settings

T = TypeVar("T")
logger = logging.getLogger(__name__)
# Purposes whose answer may be a "not modified": listings are always read whole.
_VALIDATED = frozenset({"report", "seed", "attachment"})
# One page in so many is asked for whole in each run, others the next time.
READ_WHOLE_EVERY = 30
_TALLIED = (
    "attempts",
    "outcome/",
    "incomplete/",
    "blocked/",
    "drift/",
    "reports/",
    "attachments/",
)
# Purposes of the pages without which nothing can be said of a portal.
_LEADING = frozenset({"robots", "entry", "channel", "listing", "page"})


class Run:
    """Scrapy extension. `engine` and `recorder` serve the handler and the pipelines."""

    def __init__(self, crawler: Crawler, spider: PortalSpider) -> None:
        self.crawler = crawler
        self.spider = spider
        self.stats = crawler.stats
        self.state, self.reason = "running", ""
        self.missing: dict[str, Missing | None] = {}  # what each host answers for nothing
        self.abandoned = False
        self.faulty = False  # whether an exception of ours ended the reading of a page
        self._walls: dict[str, str] = {}  # leading pages behind a wall, and their portals
        self._closing: asyncio.Future[None] | None = None
        self._failures: list[str] = []  # what the archive could not do at the end
        self._unjudged = ""
        settings = Settings()
        self._warcs = settings.warc_directory
        with ExitStack() as held:
            # What is held is let go of where the start fails, and at the end of the run otherwise.
            self.engine = open_for_writing(settings)
            held.callback(self.engine.dispose)
            if spider.scope == "due":
                spider.portals = self._planned(spider).portals
            keys = [portal.key for portal in spider.portals]
            self._lock(held, settings.home / "locks", keys)
            # Of what is due, another start may have done some, and ended, in between.
            self.plan = self._planned(spider)
            spider.portals, spider.rounds = self.plan.portals, self.plan.rounds
            self._begin(crawler, spider)
            self._held = held.pop_all()

    def _lock(self, held: ExitStack, folder: Path, keys: list[str]) -> None:
        """Raises BusyError, which says who is at work."""
        try:
            held.enter_context(PortalLocks(folder, keys))
            held.callback(DatabaseLocks(self.engine, keys).release)
        except (BusyError, PortalBusy) as error:
            work = transact(self.engine, partial(at_work, portal=error.portal))
            patience = timedelta(seconds=self.crawler.settings.getfloat("WATCHDOG_SILENCE"))
            raise explained(error.portal, work, datetime.now(UTC), patience) from None

    def _planned(self, spider: PortalSpider) -> Plan:
        """What the spider's portals are to be asked for. Raises NothingDue."""

        def work(connection: Connection) -> Plan:
            if spider.scope == "all":
                return everything(connection, spider.portals)
            return what_is_due(
                connection, spider.name, spider.portals, spider.registry, datetime.now(UTC)
            )

        return transact(self.engine, work)

    def _begin(self, crawler: Crawler, spider: PortalSpider) -> None:
        """Go on with the run that did not end, or begin one."""
        start = _start(crawler, spider, self.plan)
        begun = begin_run(
            self.engine,
            start,
            [(_record(p), _terms(p, start.pace)) for p in spider.portals],
            [_life(p, life) for p in spider.portals for life in spider.lives.get(p.key, ())],
        )
        self.id, self.resumed = begun.run_id, begun.resumed
        self.recorder = Recorder(
            self.engine,
            self._warcs,
            self.id,
            {
                "software": f"{start.software} Scrapy/{version('Scrapy')}",
                "operator": start.contact,
                "robots": "obeyed",
                "http-header-user-agent": str(crawler.settings["USER_AGENT"]),
                "conformsTo": "WARC/1.1",
                "configuration-digest": start.config_digest,
            },
        )
        self._answered: dict[tuple[str, str | None], tuple[int, str, datetime]] = {}
        self._answered_again: dict[tuple[str, int], tuple[int, str, datetime]] = {}
        if self.resumed:
            recover(self.engine, self._warcs, self.id)
            self._answered = answered(self.engine, self.id)
            self._answered_again = answered_again(self.engine, self.id)
        self._liars = set(transact(self.engine, liars))
        self.guest = Guest(self, spider.portals, crawler.settings["PACE"], self._warcs)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        spider = crawler.spider
        if not isinstance(spider, PortalSpider):
            raise NotConfigured  # no spider of portals
        check_start(crawler.settings["PACE"], spider.portals, datetime.now(UTC))
        run = cls(crawler, spider)
        crawler.signals.connect(run._closed, signal=signals.spider_closed)
        crawler.signals.connect(run._spider_error, signal=signals.spider_error)
        crawler.signals.connect(run._item_error, signal=signals.item_error)
        return run

    @property
    def leaving(self) -> bool:
        """Whether the crawl was told to stop: nothing more is asked for then."""
        return self._closing is not None or not self.crawler.crawling

    def leave(self, reason: str) -> None:
        """Stop the crawl.

        Not awaited: closing waits for the downloads under way, and one of them may be calling.
        """
        if self._closing is None:
            closing = self.crawler.engine.close_spider_async(reason=reason)
            self._closing = asyncio.ensure_future(closing)

    def purpose(self, request: Request) -> str:
        """Why a request is made: its visit's purpose, else that of a middleware."""
        visit: Visit | None = request.meta.get("visit")
        return visit.purpose if visit else str(request.meta["purpose"])

    def missing_of(self, request: Request) -> Missing | None:
        """What the host of a request answers for an address that cannot exist."""
        return self.missing.get(host_of(request.url))

    def validators(self, request: Request) -> Validated | None:
        """The answer to this request that the archive has, if its server may be asked about it."""
        if self.purpose(request) not in _VALIDATED:
            return None
        return transact(self.engine, lambda c: validators(c, self._warcs, request.url))

    def may_trust(self, request: Request) -> bool:
        """Whether a server may say "not modified": none that lied, and not for every page always.

        Each run reads another part of the pages whole, whatever the server would say.
        """
        if request.meta["portal"] in self._liars:
            return False
        return crc32(request.url.encode()) % READ_WHOLE_EVERY != self.id % READ_WHOLE_EVERY

    def ask(self, request: Request) -> Asked:
        """The row of a request that goes out now."""
        asked = self.recorder.ask(self._attempt(request))
        request.meta["at"] = asked.attempt.started_at
        return asked

    def answer(
        self,
        request: Request,
        asked: Asked,
        ending: Ending,
        exchange: Exchange | None,
        known: Validated | None,
    ) -> None:
        """Make what came of it durable, and tell the request which capture holds its answer."""
        ref = self.recorder.answer(asked, ending, exchange, known)
        if ref is not None and exchange is not None:
            request.meta["capture_id"] = ref.id
            if known is not None and ending.outcome == outcomes.OK:
                self._compare(request, known, exchange, ref)
        self._note_wall(request, ending.outcome)
        self._count(ending.outcome)

    def _note_wall(self, request: Request, outcome: str) -> None:
        self._walls.pop(request.url, None)
        if outcome == BLOCKED and self.purpose(request) in _LEADING:
            self._walls[request.url] = request.meta["portal"]

    def refuse(self, request: Request, outcome: str, error: str = "") -> None:
        """Leave a row for a request that was never sent."""
        try:
            self.recorder.refuse(self._attempt(request), outcome, error)
        except StorageError as failure:
            self.abandon(failure)
            raise
        self._count(outcome)

    def answered(self, request: Request) -> tuple[int, str, datetime] | None:
        """Capture, outcome and time of the answer that this run has to a request.

        Of a page that is asked for several times in a run, each time has an answer of its own.
        """
        if times := request.meta.get("again"):
            return self._answered_again.get((request.url, times))
        own = self._answered.get((request.url, _referrer(request)))
        return own or self._answered.get((request.url, None))

    async def recorded(self, request: Request) -> Response:
        """The answer that the capture of a request stands for. Raises WarcNotReadable."""
        try:
            return await asyncio.to_thread(self._recorded, request)
        except DatabaseError as error:
            self.abandon(error)
            raise

    def _recorded(self, request: Request) -> Response:
        head, body = recorded(self.engine, self._warcs, request.meta["capture_id"])
        limit = self.crawler.settings.getint("DOWNLOAD_MAXSIZE")
        return open_answer(request, self.purpose(request), head, body, limit, None).response

    def _compare(
        self, request: Request, known: Validated, exchange: Exchange, ref: CaptureRef
    ) -> None:
        """Did the server change an answer and keep its validators?"""
        head, portal = exchange.response_head, request.meta["portal"]
        same = (header(head, b"etag"), header(head, b"last-modified"))
        if same != (known.etag, known.last_modified) or ref.payload_digest == known.payload_digest:
            return
        self._liars.add(portal)
        self.incomplete(f"{portal} changes pages and not their validators: read whole next time")

    def _attempt(self, request: Request) -> Attempt:
        return Attempt(
            run_id=self.id,
            portal=request.meta.get("portal"),
            url=request.url,
            purpose=self.purpose(request),
            started_at=datetime.now(UTC),
            retry=int(request.meta.get("retry_times", 0)),
            referrer=_referrer(request),
        )

    def _count(self, outcome: str) -> None:
        self.stats.inc_value("attempts")
        self.stats.inc_value(f"outcome/{outcome}")

    def incomplete(self, reason: str) -> None:
        """Say that something was left unasked or unread."""
        self.stats.inc_value(f"incomplete/{reason}")

    def abandon(self, error: StorageError) -> None:
        """Stop the crawl: what cannot be kept must not be asked for."""
        if not self.abandoned:
            self.abandoned = True
            logger.critical("%s", error)
            self.incomplete("archive cannot be written")
            self.leave("archive cannot be written")

    def _spider_error(self) -> None:
        self.faulty = True
        self.incomplete("spider error")

    def _item_error(self) -> None:
        self.faulty = True
        self.incomplete("item error")

    def _closed(self, reason: str) -> None:
        """Each step is taken whatever comes of another; what failed goes on to the log after."""
        with ExitStack() as steps:
            steps.callback(self._held.close)
            steps.callback(self._end, reason)
            if reason == "finished" and not self.abandoned:
                self._unjudged = "its measures could not be judged"
                steps.callback(self._measure)

    def _measure(self) -> None:
        """Keep what the spider counted, and say what is otherwise than it was.

        Only of a run that ends: one that goes on counts again what it replays.
        """
        counted = list(self.spider.measures.rows(self.spider.portals))

        def work(connection: Connection) -> list[Drift]:
            keep_measures(connection, self.id, counted)
            return drifts(connection, self.id)

        found = self._kept(lambda: transact(self.engine, work))
        if found is not None:
            self._unjudged = ""
            for drift in found:
                self.stats.inc_value(drift.key)

    def _end(self, reason: str) -> None:
        """Close the run in the archive; then judge, seal and describe what is there by now."""
        # A look at what is due may meet no report; a walk through everything may not.
        for key in self.plan.whole.intersection(self.spider.silent()):
            self.incomplete(f"{key} showed no report")
        for key in {*self._walls.values(), *self.guest.walled}:
            self.stats.inc_value(f"blocked/{key}")
        if self._unjudged:
            self.incomplete(self._unjudged)
        counts = self.stats.get_stats()
        gaps = sorted(key.removeprefix("incomplete/") for key in counts if key.startswith("incomp"))
        self.reason = reason if reason != "finished" else ", ".join(gaps) or "finished"
        # Told to leave, it stops: the next start goes on where this one ended.
        state = "stopped" if reason != "finished" else _worst(counts)
        tally = {key: value for key, value in counts.items() if key.startswith(_TALLIED)}
        # Where that fails it may still be running in the archive: the next start goes on with it.
        self.state = "not ended"
        if not self._kept(lambda: self._close(state, tally)):
            return
        # What follows may fail in part: the line that says so names what did.
        self.state = "not finished"
        settings, now = Settings(), datetime.now(UTC)
        with ExitStack() as steps:
            # Of runs that died: last, so that nothing in an old one hinders this one.
            steps.callback(self._write, write_owed)
            steps.callback(self._write, write_page)
            steps.callback(self._kept, lambda: seal(settings, now, self.id))
            steps.callback(self._kept, lambda: watch(settings, self.engine, run_id=self.id, at=now))
        if not self._failures:
            self.state = state

    def _close(self, state: str, tally: Mapping[str, int]) -> bool:
        self.recorder.close()
        end_run(self.engine, self.id, state, self.reason, tally)
        return True

    def _kept(self, step: Callable[[], T]) -> T | None:
        """A step of the end; what the archive could not do is told in a line and by the state."""
        try:
            return step()
        except StorageError as error:
            logger.critical("%s", error)
            self._failures.append(str(error))
            self.reason = "; ".join(self._failures)
            return None

    def _write(self, page: Callable[[Connection, Path, int], None]) -> None:
        """For people: a page that cannot be made takes nothing back of the run."""
        home = Settings().home
        try:
            transact(self.engine, lambda connection: page(connection, home, self.id))
        except StorageError as error:
            logger.error("%s", error)


def _worst(counts: Iterable[str]) -> str:
    """The state of a run that came to its end, by what was counted on the way."""
    for state in ("blocked", "drift", "incomplete"):
        if any(key.startswith(f"{state}/") for key in counts):
            return state
    return "complete"


def _referrer(request: Request) -> str | None:
    referrer = request.headers.get("Referer")
    return referrer.decode("latin-1") if referrer else None


def _start(crawler: Crawler, spider: PortalSpider, plan: Plan) -> Start:
    pace: Pace = crawler.settings["PACE"]
    return Start(
        spider=spider.name,
        software=f"gongkai/{version('gongkai')}",
        contact=pace.contact,
        config_digest=_configuration_digest(crawler, spider.portals),
        rehearsal=pace.rehearsal,
        pace=pace.factor,
        scope=spider.scope,
        due_since=plan.since,
    )


def _record(portal: Portal) -> PortalRecord:
    return PortalRecord(
        key=portal.key,
        division_code=portal.division_code,
        name_zh=portal.name_zh,
        name_en=portal.name_en,
        cms=portal.cms,
        government=portal.government,
    )


def _life(portal: Portal, life: Life) -> LifeRecord:
    return LifeRecord(
        portal=portal.key,
        division_code=portal.division_code,
        organ=life.organ,
        kind=life.kind,
        begins=life.begins.isoformat() if life.begins else None,
        ends=life.ends.isoformat() if life.ends else None,
        becomes=life.becomes,
        evidence=life.evidence,
    )


def _terms(portal: Portal, pace: float) -> Terms:
    return Terms(portal.delay * pace, *portal.window, portal.timezone, portal.budget)


def _configuration_digest(crawler: Crawler, portals: tuple[Portal, ...]) -> str:
    """What the operator and the portal files set, as one digest: equal crawls have equal ones."""
    lines = [f"{key}={value}" for key, value in overridden_settings(crawler.settings)]
    lines += [repr(portal) for portal in portals]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
