"""robots.txt, applied to every request that waits for it, with Crawl-delay; RFC 9309.

Scrapy's middleware hands its answer to the first waiting request only: the others then see no
rules. A lock per host mends that. And a robots.txt that cannot be had (5xx, no answer) means
"do not enter" here, where Scrapy takes it for leave to fetch everything.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler

from crawler.fetching import outcomes
from crawler.fetching.pace import Pace
from crawler.fetching.patience import Patience
from crawler.fetching.run import Run
from crawler.items import Refused

_CLOSED = b"User-agent: *\nDisallow: /\n"
_OPEN = b""
_NO_ANSWER: tuple[type[Exception], ...] = (IgnoreRequest, *outcomes.DOWNLOAD_ERRORS)


class RobotsMiddleware(RobotsTxtMiddleware):
    """One robots.txt a host and run, whole before anyone goes by it."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rules: dict[str, RobotParser] = {}
        self._pace: Pace = crawler.settings["PACE"]

    async def robot_parser(self, request: Request) -> RobotParser:
        url = urlparse_cached(request)
        origin = f"{url.scheme}://{url.netloc}"
        async with self._locks[origin]:
            if origin not in self._rules:
                self._rules[origin] = await self._fetch(origin)
        return self._rules[origin]

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest as error:
            self._run().refuse(request, outcomes.ROBOTS_REFUSED, "robots.txt disallows it")
            raise Refused(str(error)) from error

    async def _fetch(self, origin: str) -> RobotParser:
        request = Request(
            f"{origin}/robots.txt",
            priority=self.DOWNLOAD_PRIORITY,
            meta={"dont_obey_robotstxt": True},
        )
        try:
            response = await self.crawler.engine.download_async(request)
        except _NO_ANSWER:
            return self._closed(f"robots.txt of {origin} could not be had")
        # 429 is no answer either: whoever is too busy to say is too busy for us.
        if response.status >= 500 or response.status == 429:
            return self._closed(f"robots.txt of {origin} answered {response.status}")
        return self._read(origin, request, response)

    def _read(self, origin: str, request: Request, response: Response) -> RobotParser:
        parser = self._parser(response.body if response.status < 300 else _OPEN)
        asked = parser.crawl_delay(str(self._robotstxt_useragent)) or 0.0
        if asked > Patience.LONGEST:
            return self._closed(f"robots.txt of {origin} asks for a delay of {asked:.0f} s")
        if asked > 0:
            self._keep_crawl_delay(request, asked)
        return parser

    def _closed(self, reason: str) -> RobotParser:
        self._run().incomplete(reason)
        return self._parser(_CLOSED)

    def _keep_crawl_delay(self, request: Request, asked: float) -> None:
        downloader, slot = self.crawler.engine.downloader, request.meta["download_slot"]
        delay = max(self._pace.seconds(asked), downloader.slots[slot].delay)
        downloader.slots[slot].delay = delay
        # Scrapy drops an idle slot after a minute and makes it anew from these settings.
        downloader.per_slot_settings.setdefault(slot, {})["delay"] = delay

    def _parser(self, body: bytes) -> RobotParser:
        return build_from_crawler(self._parserimpl, self.crawler, body)

    def _run(self) -> Run:
        run = self.crawler.get_extension(Run)
        assert run is not None
        return run
