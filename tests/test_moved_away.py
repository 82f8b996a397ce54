"""What was there and is gone may have moved: the same run looks for it in every listing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from scrapy import Request
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.cms import cms_by_key
from crawler.portals import load
from crawler.portals.titles import Identity
from crawler.spiders.plan import Recheck, Round, Watched
from crawler.spiders.urumqi_districts import UrumqiDistricts

HOST = "http://www.xjtsq.gov.cn"
LISTING = f"{HOST}/open/ndbg/bmnb.htm"
PAGE = f"{HOST}/info/4263/1.htm"
TITLE = "天山区教育局2020年政府信息公开工作年度报告"


class Stats:
    def inc_value(self, key: str) -> None:
        """Counted by nobody."""


def spider(*, lives: bool) -> UrumqiDistricts:
    """One that knows a listing, which rests, and asks for a report's page again."""
    UrumqiDistricts.registry = load(cms_by_key())
    made = UrumqiDistricts(portals="tianshan")
    made.crawler = SimpleNamespace(stats=Stats())  # type: ignore[assignment]
    identity = Identity("650102", "天山区教育局", "department", 2020)
    watched = Watched(LISTING, "部门年报", True, ("年报",), 2, {PAGE: TITLE}, whole=False)
    made.rounds = {
        "tianshan": Round(
            tree=False,
            rechecks=(Recheck(PAGE, TITLE, identity, lives=lives),),
            rests=frozenset({LISTING}),
            known={LISTING: watched},
        )
    }
    return made


def asked(made: UrumqiDistricts) -> Request:
    """The one request it starts with."""

    async def starts() -> list[object]:
        return [request async for request in made.start()]

    (request,) = asyncio.run(starts())
    assert isinstance(request, Request)
    return request


def gone(request: Request) -> Failure:
    response = Response(request.url, status=404, request=request)
    failure = Failure(HttpError(response))  # type: ignore[no-untyped-call]
    failure.request = request  # type: ignore[attr-defined]
    return failure


def test_a_page_that_was_there_and_is_gone_is_looked_for_once() -> None:
    made = spider(lives=True)
    request = asked(made)
    urls = {each.url for each in made.failed(gone(request)) if isinstance(each, Request)}
    portal = made.registry.portals["tianshan"]
    assert {LISTING, portal.home, *portal.disclosure} <= urls
    assert LISTING not in made.round("tianshan").rests
    assert made.round("tianshan").known[LISTING].whole
    assert not [each for each in made.failed(gone(request)) if isinstance(each, Request)]


def test_a_page_that_was_gone_before_is_no_news() -> None:
    made = spider(lives=False)
    request = asked(made)
    assert not [each for each in made.failed(gone(request)) if isinstance(each, Request)]
    assert not made.round("tianshan").tree
