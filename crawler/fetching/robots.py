"""robots.txt, asked before anything else of an origin and kept for half a day (RFC 9309).

What it says and what follows from it stands in storage.schedule.manners and
crawler.fetching.guest; here it is asked, once, and whoever needs its rules waits. One that cannot
be had (5xx, a wall, no answer, a redirect to a host of nobody's, more than five redirects) means
"do not enter".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from crawler.fetching import outcomes
from crawler.fetching.guest import Guest
from crawler.fetching.run import Run
from crawler.items import Unusable
from storage.schedule.manners import origin_of

_NO_ANSWER: tuple[type[Exception], ...] = (IgnoreRequest, *outcomes.DOWNLOAD_ERRORS)
_FIRST = 1000  # before every page
# RFC 9309 allows a day; the rest is for requests that were let in and still wait for their turn.
_FRESH = timedelta(hours=12)


class RobotsMiddleware:
    """Behind the replay: what is answered from the archive needs nobody's leave."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        run = self._crawler.get_extension(Run)
        assert run is not None
        if run.purpose(request) != "robots":
            origin = origin_of(request.url)
            async with self._locks[origin]:
                if not _is_fresh(run.guest, origin):
                    await self._ask(run, origin, request.meta["portal"])
        run.guest.check(request)

    async def _ask(self, run: Run, origin: str, portal: str) -> None:
        # Without compression: whoever audits the archive reads what was sent.
        request = Request(
            f"{origin}/robots.txt",
            priority=_FIRST,
            headers={"Accept-Encoding": "identity"},
            meta={"purpose": "robots", "portal": portal},
        )
        guest = run.guest
        try:
            response = await self._crawler.engine.download_async(request)
        except Unusable as error:
            guest.learn(request, error.outcome, None)
        except _NO_ANSWER:
            if run.leaving:
                raise
            if not _is_fresh(guest, origin):
                guest.learn(request, outcomes.FAILED, None)
        else:
            # The handler has done so, unless the answer came from the archive.
            assert response.request is not None
            guest.learn(response.request, response.meta["outcome"], response)
        if closed := guest.robots[origin].rules.closed:
            run.incomplete(f"robots.txt of {origin} {closed}")


def _is_fresh(guest: Guest, origin: str) -> bool:
    told = guest.robots.get(origin)
    return told is not None and datetime.now(UTC) - told.at < _FRESH
