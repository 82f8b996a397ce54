"""`scrapy crawl SPIDER [-a portals=KEY,KEY] [-a scope=due]`, with our checks before and an exit
code after: see exits.py.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from scrapy.commands.crawl import Command as CrawlCommand
from scrapy.crawler import Crawler

from crawler.commands.exits import Exit, exit_of
from crawler.errors import BusyError, ConfigurationError, GongkaiError, NothingDue
from crawler.fetching.pace import check_start
from crawler.fetching.run import Run
from crawler.spiders.walk import PortalSpider
from storage.database import open_for_writing
from storage.errors import StorageError
from storage.settings import Settings


class Command(CrawlCommand):
    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        try:
            crawler = self._ready(args, opts)
        except (GongkaiError, StorageError) as error:
            self._refuse(error)
            return
        assert self.crawler_process is not None
        crawling = self.crawler_process.crawl(crawler, **opts.spargs)
        assert isinstance(crawling, asyncio.Task)
        self.crawler_process.start()
        failure = crawling.exception() if crawling.done() and not crawling.cancelled() else None
        if isinstance(failure, NothingDue):
            if sys.stderr.isatty():
                print(failure, file=sys.stderr)
            return
        if isinstance(failure, GongkaiError | StorageError):
            self._refuse(failure)
            return
        if failure is not None:
            raise failure
        self._say(crawler)

    def _ready(self, args: list[str], opts: argparse.Namespace) -> Crawler:
        """The crawler, after everything that can be known beforehand has been checked."""
        assert self.crawler_process is not None
        spiders = self.crawler_process.spider_loader.list()
        if len(args) != 1 or args[0] not in spiders:
            raise ConfigurationError(f"name one spider to crawl: {', '.join(spiders)}")
        crawler = self._create_crawler(args[0])
        if not issubclass(crawler.spidercls, PortalSpider):
            raise ConfigurationError(f"{args[0]} crawls no portals: derive it from PortalSpider")
        if unknown := sorted(set(opts.spargs) - {"portals", "scope"}):
            raise ConfigurationError(
                f"no argument {unknown[0]!r}: there are -a portals=KEY and -a scope=due"
            )
        if not crawler.settings.getbool("ROBOTSTXT_OBEY"):
            raise ConfigurationError("a guest obeys robots.txt: leave ROBOTSTXT_OBEY as it is")
        portals = crawler.spidercls.chosen(opts.spargs.get("portals", ""))
        check_start(crawler.settings["PACE"], portals, datetime.now(UTC))
        open_for_writing(Settings()).dispose()
        return crawler

    def _refuse(self, error: Exception) -> None:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        busy = isinstance(error, BusyError)
        self.exitcode = Exit.BUSY if busy else Exit.CONFIGURATION

    def _say(self, crawler: Crawler) -> None:
        """One line for a person; for cron only what is not as it should be."""
        try:
            run = crawler.get_extension(Run)
        except RuntimeError:  # it ended before it had extensions
            run = None
        complete = run is not None and run.state == "complete"
        self.exitcode = Exit.INTERNAL if run is None else exit_of(run.state, faulty=run.faulty)
        if run is None:
            print("the crawl could not start: see the lines above", file=sys.stderr)
        elif not complete or sys.stderr.isatty():
            print(f"run {run.id} {run.state}: {run.reason}", file=sys.stderr)
