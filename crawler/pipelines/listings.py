"""Fourth: what a run found of a listing is kept, and that it found nothing of one it should have.

A listing that nobody reached has its row too, so that no listing goes unnoticed by falling silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from crawler.items import ListingRead
from crawler.pipelines.base import ArchivePipeline
from crawler.spiders.walk import PortalSpider
from crawler.words import said
from storage.capture.listings import Entry, Look, keep_look, reads_of, watched


class ListingsPipeline(ArchivePipeline):
    def process_item(self, item: Any) -> Any:
        if isinstance(item, ListingRead):
            self.commit(lambda connection: keep_look(connection, self._look(item)))
            self.stats.inc_value(f"listings/{item.verdict}")
        return item

    def close_spider(self) -> None:
        if self.run.abandoned or self.run.leaving:
            return  # the next start goes on, and will know
        for read in self.commit(self._left):
            self.process_item(read)

    def _left(self, connection: Connection) -> list[ListingRead]:
        """Listings that this run should have read and of which it has said nothing yet."""
        spider = self.crawler.spider
        assert isinstance(spider, PortalSpider)
        told = {read.listing_id for read in reads_of(connection, self.run.id)}
        return [*self._known(connection, spider, told), *spider.unanswered()]

    def _known(
        self, connection: Connection, spider: PortalSpider, told: set[int]
    ) -> Iterator[ListingRead]:
        now = datetime.now(UTC)
        for portal in spider.portals:
            for standing in watched(connection, portal.key):
                fate = spider.fate(portal.key, standing.url)
                if fate is None or standing.id in told:
                    continue
                yield ListingRead(
                    portal=standing.portal,
                    url=standing.url,
                    title=standing.title,
                    annual=standing.annual,
                    trail=standing.trail,
                    depth=standing.depth,
                    read_at=now,
                    scope="whole",
                    verdict=fate.verdict,
                    why=fate.why,
                )

    def _look(self, read: ListingRead) -> Look:
        sentence = None if read.why is None else said(read.why.rule, read.why.facts)
        return Look(
            portal=read.portal,
            url=read.url,
            title=read.title,
            annual=read.annual,
            trail=read.trail,
            depth=read.depth,
            run_id=self.run.id,
            read_at=read.read_at,
            scope=read.scope,
            verdict=read.verdict,
            rule=None if read.why is None else read.why.rule,
            reason=sentence and sentence.en,
            reason_zh=sentence and sentence.zh,
            pages=read.pages,
            declared_total=read.declared_total,
            declared_pages=read.declared_pages,
            captures=read.captures,
            entries=tuple(
                Entry(each.url, each.title, each.shown, each.is_report) for each in read.entries
            ),
        )
