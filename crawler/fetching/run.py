"""One crawl as a run of the archive: opens it, keeps every attempt, and says how it ended."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Self

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.settings import overridden_settings

from crawler.fetching.lock import PortalLocks
from crawler.fetching.pace import check_start
from crawler.items import Visit
from crawler.portals import Portal
from crawler.spiders.walk import PortalSpider
from storage.captures import Attempt, Exchange, Recorder
from storage.database import open_for_writing
from storage.errors import StorageError
from storage.runs import PortalRecord, begin_run, end_run
from storage.settings import Settings

logger = logging.getLogger(__name__)
_TALLIED = ("attempts", "outcome/", "incomplete/", "reports/", "attachments/")


class Run:
    """Scrapy extension. `engine` and `recorder` serve the handler and the pipelines."""

    def __init__(self, crawler: Crawler, spider: PortalSpider) -> None:
        self.crawler = crawler
        self.spider = spider
        self.stats = crawler.stats
        self.state, self.reason = "running", ""
        self._closing: asyncio.Future[None] | None = None
        settings = Settings()
        self.engine = open_for_writing(settings)
        keys = [portal.key for portal in spider.portals]
        self._locks = PortalLocks(settings.home / "locks", keys)
        contact = str(crawler.settings["PACE"].contact)
        digest = _configuration_digest(crawler, spider.portals)
        software = f"gongkai/{version('gongkai')}"
        self.id = begin_run(
            self.engine,
            spider.name,
            [_portal_record(portal) for portal in spider.portals],
            software,
            contact,
            digest,
        )
        self.recorder = Recorder(
            self.engine,
            settings.warc_directory,
            self.id,
            {
                "software": f"{software} Scrapy/{version('Scrapy')}",
                "operator": contact,
                "robots": "obeyed",
                "http-header-user-agent": str(crawler.settings["USER_AGENT"]),
                "conformsTo": "WARC/1.1",
                "configuration-digest": digest,
            },
        )

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

    def keep(self, request: Request, attempt: Attempt, exchange: Exchange | None) -> None:
        """Make the attempt durable, and tell the request which capture holds its answer."""
        ref = self.recorder.record(attempt, exchange)
        if ref is not None:
            request.meta["capture_id"] = ref.id
        self.stats.inc_value("attempts")
        self.stats.inc_value(f"outcome/{attempt.outcome}")

    def refuse(self, request: Request, outcome: str, error: str = "") -> None:
        """Leave a row for a request that was never sent."""
        attempt = self.attempt(request, datetime.now(UTC), outcome, error=error)
        try:
            self.keep(request, attempt, None)
        except StorageError as failure:
            self.abandon(failure)
            raise

    def attempt(
        self,
        request: Request,
        started_at: datetime,
        outcome: str,
        *,
        status: int | None = None,
        size: int = 0,
        error: str = "",
    ) -> Attempt:
        visit: Visit | None = request.meta.get("visit")
        elapsed = datetime.now(UTC) - started_at
        referrer = request.headers.get("Referer")
        return Attempt(
            run_id=self.id,
            portal=visit.portal if visit else request.meta.get("portal"),
            url=request.url,
            purpose=visit.purpose if visit else "robots",
            started_at=started_at,
            duration_ms=round(elapsed.total_seconds() * 1000),
            outcome=outcome,
            status=status,
            size=size,
            retry=int(request.meta.get("retry_times", 0)),
            error=error or None,
            referrer=referrer.decode("latin-1") if referrer else None,
        )

    def incomplete(self, reason: str) -> None:
        """Say that something was left unasked or unread."""
        self.stats.inc_value(f"incomplete/{reason}")

    def abandon(self, error: StorageError) -> None:
        """Stop the crawl: what cannot be kept must not be asked for."""
        if self._closing is None:
            logger.critical("%s", error)
            self.incomplete("archive cannot be written")
            self.leave("archive cannot be written")

    def _spider_error(self) -> None:
        self.incomplete("spider error")

    def _item_error(self) -> None:
        self.incomplete("item error")

    def _closed(self, reason: str) -> None:
        for key in self.spider.silent():
            self.incomplete(f"{key} showed no report")
        counts = self.stats.get_stats()
        gaps = sorted(key.removeprefix("incomplete/") for key in counts if key.startswith("incomp"))
        self.reason = reason if reason != "finished" else ", ".join(gaps) or "finished"
        state = "complete" if self.reason == "finished" else "incomplete"
        tally = {key: value for key, value in counts.items() if key.startswith(_TALLIED)}
        try:
            self.recorder.close()
        finally:
            end_run(self.engine, self.id, state, self.reason, tally)
            self.state = state
            self.engine.dispose()
            self._locks.release()


def _portal_record(portal: Portal) -> PortalRecord:
    return PortalRecord(
        key=portal.key,
        division_code=portal.division_code,
        name_zh=portal.name_zh,
        name_en=portal.name_en,
        cms=portal.cms,
        government=portal.government,
    )


def _configuration_digest(crawler: Crawler, portals: tuple[Portal, ...]) -> str:
    """What the operator and the portal files set, as one digest: equal crawls have equal ones."""
    lines = [f"{key}={value}" for key, value in overridden_settings(crawler.settings)]
    lines += [repr(portal) for portal in portals]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
