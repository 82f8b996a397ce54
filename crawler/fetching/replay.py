"""A run that died goes on: what it has captured is taken from the archive and not asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response

from crawler.fetching import outcomes
from crawler.fetching.run import Run
from crawler.items import Unusable
from storage.errors import WarcNotReadable

# A listing of yesterday may lack what was published since, and robots.txt is kept for half a day;
# a report that this run has, it has.
_LASTING = frozenset({"report", "seed", "attachment", "probe"})
_FRESH = timedelta(hours=12)


class ReplayMiddleware:
    """Behind the scope, before robots.txt: nothing is sent for what it answers."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> Response | None:
        run = self._crawler.get_extension(Run)
        assert run is not None
        found = run.answered(request)
        if found is None:
            return None
        capture_id, outcome, at = found
        if run.purpose(request) not in _LASTING and datetime.now(UTC) - at > _FRESH:
            return None
        request.meta.update(capture_id=capture_id, outcome=outcome, at=at)
        if outcomes.is_unusable(outcome, run.purpose(request)):
            raise Unusable(request.url, outcome)
        try:
            return await run.recorded(request)
        except WarcNotReadable:
            return None  # its file is not here any more: asked again
