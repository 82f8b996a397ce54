"""What every pipeline needs: the run's archive, and one guarded transaction a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem
from sqlalchemy import Connection

from crawler.fetching.run import Run
from storage.database import transact
from storage.errors import StorageError

T = TypeVar("T")


class ArchivePipeline:
    """Base of the pipelines: `self.commit(work)` runs `work(connection)` whole or not at all."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.stats = crawler.stats

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    @property
    def run(self) -> Run:
        run = self.crawler.get_extension(Run)
        assert run is not None, "only portal spiders yield items"
        return run

    def commit(self, work: Callable[[Connection], T]) -> T:
        """Raises DropItem where the archive cannot be written: the next start brings it again."""
        if not self.run.abandoned:
            try:
                return transact(self.run.engine, work)
            except StorageError as error:
                self.run.abandon(error)
        raise DropItem("the archive cannot be written", log_level="INFO")
