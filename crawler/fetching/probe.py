"""What does a host answer for an address that cannot exist? Asked once a host and run.

Some answer 200 with a page of words, some lead to their home page; a page like that, met later, is
a soft 404.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from crawler.fetching import outcomes
from crawler.fetching.answers import as_answer
from crawler.fetching.run import Run
from crawler.fetching.triage import Missing, learn
from crawler.portals import host_of

_NO_ANSWER: tuple[type[Exception], ...] = (IgnoreRequest, *outcomes.DOWNLOAD_ERRORS)


class ProbeMiddleware:
    """Behind robots.txt: a host that lets nobody in is not probed."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        if "visit" not in request.meta:
            return  # robots.txt, or a probe
        run = self._crawler.get_extension(Run)
        assert run is not None
        host = host_of(request.url)
        async with self._locks[host]:
            if host not in run.missing:
                run.missing[host] = await self._probe(run, request.url)

    async def _probe(self, run: Run, url: str) -> Missing | None:
        parts = urlsplit(url)
        # The run's number makes it the same address after a crash, and another one next time.
        address = f"{parts.scheme}://{parts.netloc}/gongkai-probe-{run.id:06d}.htm"
        request = Request(address, priority=_FIRST, meta={"purpose": "probe"})
        try:
            response = await self._crawler.engine.download_async(request)
        except _NO_ANSWER:
            return None
        return learn(as_answer(request, response))


_FIRST = 1000
