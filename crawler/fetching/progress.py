"""A line of progress where a person is watching; nothing at all under cron."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured


class Progress:
    """Scrapy extension: answers and reports counted on the terminal."""

    def __init__(self, crawler: Crawler) -> None:
        self._stats = crawler.stats
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not sys.stderr.isatty():
            raise NotConfigured  # nobody is watching; a message would be a warning
        progress = cls(crawler)
        crawler.signals.connect(progress._opened, signal=signals.spider_opened)
        crawler.signals.connect(progress._count, signal=signals.response_received)
        crawler.signals.connect(progress._closed, signal=signals.spider_closed)
        return progress

    def _opened(self) -> None:
        self._bar.start()

    def _count(self) -> None:
        answers = self._stats.get_value("attempts", 0)
        reports = self._stats.get_value("reports/new version", 0)
        known = self._stats.get_value("reports/unchanged", 0)
        self._bar.update(
            self._task, description=f"{answers} attempts, {reports} new reports, {known} unchanged"
        )

    def _closed(self) -> None:
        self._bar.stop()
