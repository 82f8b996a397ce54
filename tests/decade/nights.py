"""Crawls of many nights in one process: the product's own spider, settings, extensions and
pipelines, through the replica. Only the clock is moved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import time_machine
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.settings import BaseSettings
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.project import get_project_settings
from scrapy.utils.reactor import install_reactor
from twisted.internet.task import react

from crawler.cms import cms_by_key
from crawler.errors import NothingDue
from crawler.fetching.run import Run
from crawler.portals import Registry, load
from crawler.spiders.urumqi_districts import UrumqiDistricts
from storage.database import make_engine

PACE = "0.0001"


class Districts(UrumqiDistricts):
    """Without the seeds: the addresses of 2026 are not known in 2016."""

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        super().update_settings(settings)
        unseeded = {portal.key: replace(portal, seeds=(), expect=()) for portal in cls.registry}
        cls.registry = Registry(unseeded)


@dataclass(frozen=True, slots=True)
class Night:
    """How a crawl ended."""

    run_id: int | None
    state: str
    reason: str


@contextmanager
def operating(home: Path, proxy: str) -> Iterator[None]:
    """The environment of an operator whose archive is in `home`."""
    ours = {
        "GONGKAI_HOME": str(home),
        "GONGKAI_CONTACT": "tests@localhost",
        "GONGKAI_PACE": PACE,
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "GONGKAI_DATABASE_URL": "",
    }
    with ExitStack() as held:
        held.enter_context(patch.dict(os.environ, ours))
        # A seal reads every seal before it, and each of what is written for people asks for the
        # ledger again: for ten years that is most of the simulation, and none of it is judged.
        for name in ("run.seal", "run.write_page", "run.write_owed"):
            held.enter_context(patch(f"crawler.fetching.{name}"))
        held.enter_context(patch("storage.alerts.watch.write_feed"))
        held.enter_context(patch("storage.alerts.watch.write_metrics", return_value=None))
        # A process a night would read the portals' files and compile each query anew; one process
        # for all of them need not.
        held.enter_context(patch("storage.database.make_engine", cache(make_engine)))
        registry = load(cms_by_key())
        held.enter_context(patch("crawler.spiders.walk.load", lambda _cms: registry))
        yield


async def crawl(home: Path, at: datetime, portals: tuple[str, ...], **arguments: str) -> Night:
    """One start of the crawl, as cron makes it."""
    with patch.dict(os.environ, {"GONGKAI_HOME": str(home)}), time_machine.travel(at, tick=True):
        runner = AsyncCrawlerRunner(get_project_settings())
        crawler = runner.create_crawler(Districts)
        try:
            await runner.crawl(crawler, portals=",".join(portals), **arguments)
        except NothingDue:
            return Night(None, "nothing due", "")
        run = crawler.get_extension(Run)
    assert run is not None
    return Night(run.id, run.state, run.reason)


def in_reactor(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in which crawls may be awaited; once a process. Raises SystemExit where it
    fails, after its failure was printed, or where a signal ends it.
    """
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    done = []

    async def whole() -> None:
        await work()
        done.append(True)

    try:
        react(lambda _reactor: deferred_from_coro(whole()))
    except SystemExit as end:
        if end.code or not done:
            raise SystemExit("the simulation did not come to its end") from end
