"""Leave when the night is over: a run that outlasts its portals' window ends incomplete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import create_looping_call

from crawler.fetching.pace import in_window
from crawler.fetching.run import Run
from crawler.spiders.walk import PortalSpider


class Window:
    """Scrapy extension: looks at the clock once a minute."""

    def __init__(self, crawler: Crawler, spider: PortalSpider) -> None:
        self._crawler, self._portals = crawler, spider.portals
        self._watch = create_looping_call(self._look)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if crawler.settings["PACE"].rehearsal:
            raise NotConfigured  # a rehearsal may run at any hour; a message would be a warning
        if not isinstance(crawler.spider, PortalSpider):
            raise NotConfigured  # no spider of portals
        window = cls(crawler, crawler.spider)
        crawler.signals.connect(window._opened, signal=signals.spider_opened)
        crawler.signals.connect(window._closed, signal=signals.spider_closed)
        return window

    def _opened(self) -> None:
        self._watch.start(60)

    def _closed(self) -> None:
        if self._watch.running:
            self._watch.stop()

    def _look(self) -> None:
        now = datetime.now(UTC)
        if not all(in_window(portal, now) for portal in self._portals):
            run = self._crawler.get_extension(Run)
            assert run is not None
            run.leave("window closed")
