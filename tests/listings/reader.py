"""The shipped spider over one site, in this process: no socket, no database, no waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from scrapy import Request
from scrapy.http import HtmlResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.cms import cms_by_key
from crawler.items import ListingRead, Visit
from crawler.portals import load
from crawler.spiders.plan import Round, Watched
from crawler.spiders.urumqi_districts import UrumqiDistricts
from tests.listings.site import PLACES, Site

# A minute before the first answer; each comes a minute after the one before.
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Outcome:
    """What the spider said of a listing; `gaps`: why the run is incomplete."""

    reads: tuple[ListingRead, ...]
    gaps: tuple[str, ...]
    reports: frozenset[str]

    @property
    def entries(self) -> set[str]:
        return {entry.url for read in self.reads for entry in read.entries}

    @property
    def complete(self) -> bool:
        """Whether somebody who reads the verdict and the run's state takes this for everything."""
        return [read.verdict for read in self.reads] == ["complete"] and not self.gaps


class Stats:
    """Scrapy's counters, as far as the spider uses them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def inc_value(self, key: str) -> None:
        self.counts[key] += 1


class _Crawler:
    def __init__(self) -> None:
        self.stats = Stats()


def watch(site: Site, known: dict[str, str] | None = None) -> Watched:
    """The listing as the archive knows it: nothing of it, or these entries."""
    return Watched(site.url, "年报", True, ("年报",), 1, known or {}, whole=known is None)


def read(site: Site, known: dict[str, str] | None = None, rests: Iterable[str] = ()) -> Outcome:
    """Read the listing of a site, whole, or down to the known; `rests` need no asking."""
    portal = PLACES[site.dialect][0]
    UrumqiDistricts.registry = load(cms_by_key())
    spider: Any = UrumqiDistricts(portals=portal)
    spider.crawler = _Crawler()
    plan = Round(tree=False, listings=(watch(site, known),), rests=frozenset(rests))
    spider.rounds = {portal: plan}
    reads: list[ListingRead] = []
    reports: set[str] = set()
    numbers = count(1)
    asked: set[str] = set()
    waiting = [spider._request(site.url, _first(spider, portal), 0)]
    while waiting:
        waiting.sort(key=lambda request: -request.priority)
        request = waiting.pop(0)
        if request.meta["visit"].purpose == "report":
            reports.add(request.url)
            continue
        if not request.dont_filter and request.url in asked:
            continue
        asked.add(request.url)
        assert len(asked) < 100, "a listing of a few pages"
        number = next(numbers)
        request.meta.update(capture_id=number, at=BEGAN + number * MINUTE)
        found = _answered(spider, site, request)
        for item in found:
            if isinstance(item, ListingRead):
                reads.append(item)
            elif isinstance(item, Request):
                waiting.append(item)
    gaps = tuple(key for key in spider.crawler.stats.counts if key.startswith("incomplete/"))
    return Outcome((*reads, *spider.unanswered()), gaps, frozenset(reports))


def _first(spider: Any, portal: str) -> Visit:
    """The visit with which the plan's listing is asked for."""
    watched = spider.rounds[portal].listings[0]
    return Visit(portal, "listing", watched.depth, watched.trail)


def _answered(spider: Any, site: Site, request: Request) -> Iterable[Any]:
    status, text = site.answer(request.url)
    response = HtmlResponse(
        request.url, status=status, body=text.encode(), encoding="utf-8", request=request
    )
    if status == 200:
        return list(spider.parse(response))
    failure: Any = Failure(HttpError(response, "not ok"))  # type: ignore[no-untyped-call]
    failure.request = request
    return list(spider.failed(failure))
