"""Ask registered hosts only, in their portal's slot; in a rehearsal ask nobody but the replica."""

from __future__ import annotations

from typing import Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from crawler.fetching import outcomes
from crawler.fetching.pace import Pace
from crawler.fetching.run import Run
from crawler.portals import host_of
from crawler.portals.titles import rules
from crawler.spiders.walk import PortalSpider


class ScopeMiddleware:
    """First of the downloader middlewares: redirect targets and robots.txt pass here too."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._pace: Pace = crawler.settings["PACE"]

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        spider, run = self._crawler.spider, self._crawler.get_extension(Run)
        assert isinstance(spider, PortalSpider)
        assert run is not None
        portal = spider.registry.by_host.get(host_of(request.url))
        if portal is None:
            run.refuse(request, outcomes.OUT_OF_SCOPE, "its host is in no portal's file")
            raise IgnoreRequest(f"{request.url}: no portal has this host")
        if portal not in spider.portals:
            # Nobody was promised anything there, and another process may be crawling it.
            run.refuse(request, outcomes.OUT_OF_SCOPE, f"this run does not crawl {portal.key}")
            raise IgnoreRequest(f"{request.url}: {portal.key} is not of this run")
        request.meta["portal"] = portal.key
        if len(request.url) > (longest := rules()["bounds"]["url"]):
            run.refuse(request, outcomes.OUT_OF_SCOPE, f"it is longer than {longest} characters")
            raise IgnoreRequest(f"{request.url[:80]}…: longer than {longest} characters")
        # One slot a portal: its alias hosts are one server, and share one delay.
        request.meta["download_slot"] = portal.key
        if self._pace.rehearsal:
            # Whatever the scheme and NO_PROXY say: a rehearsal never leaves this machine.
            request.meta["proxy"] = self._pace.proxy
