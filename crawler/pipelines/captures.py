"""First: a capture becomes an observation of a report, and a version where its content is new."""

from __future__ import annotations

from dataclasses import dataclass

from scrapy.exceptions import DropItem
from sqlalchemy import Connection

from crawler.documents import html
from crawler.documents.canonical import RULE, digest
from crawler.documents.model import Document
from crawler.forms.model import Reading
from crawler.items import Attachment, ReportPage, Unreachable
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.opened import read_article
from crawler.pipelines.records import report_key
from storage.readings.observing import Observation, VersionRef, observe, sight


@dataclass(frozen=True, slots=True)
class Observed:
    """A report page that stands in the archive, with what was opened on the way."""

    page: ReportPage
    document: Document
    version: VersionRef
    reading: Reading | None = None


class CapturePipeline(ArchivePipeline):
    def process_item(
        self, item: ReportPage | Attachment | Unreachable
    ) -> Observed | Attachment | Unreachable:
        if isinstance(item, ReportPage):
            return self._page(item)
        if isinstance(item, Unreachable):
            self._unreachable(item)
        return item

    def _page(self, page: ReportPage) -> Observed:
        document = html.read(page.article.body)
        reading = None
        if not page.certain:
            reading = read_article(page.article, document)
            if reading.layout == "unknown":
                self._not_a_report(page)
        if page.identity.year is None:
            self.run.incomplete("report without a year")
            raise DropItem(f"{page.sight.url}: nothing on this page names a reporting year")
        article = page.article
        observation = Observation(
            key=report_key(page.sight.portal, page.identity),
            part="page",
            name="",
            url=page.sight.url,
            capture_id=page.sight.capture_id,
            canonical_digest=digest(document, article.title, article.published, article.source),
            canonical_rule=RULE,
            title=article.title,
            published=article.published,
            source=article.source,
            media="html",
            seen_at=page.sight.at,
        )
        version = self.commit(lambda connection: self._observe(connection, page, observation))
        self.stats.inc_value("reports/new version" if version.new else "reports/unchanged")
        return Observed(page, document, version, reading)

    def _observe(
        self, connection: Connection, page: ReportPage, observation: Observation
    ) -> VersionRef:
        """The page where it stands, and the addresses that redirect to it, as its aliases."""
        title, at = page.article.title, page.sight.at
        for url in page.sight.redirected:
            sight(connection, observation.key, url, title, at, "redirect")
        return observe(connection, observation)

    def _not_a_report(self, page: ReportPage) -> None:
        """Neither its title nor its content is a report's: kept as a capture, and nothing more."""
        if page.told:
            self.run.incomplete("a report's page shows none")
            self._unreachable(
                Unreachable(
                    page.sight.portal,
                    page.sight.url,
                    page.identity,
                    page.listed_as,
                    "not_a_report",
                    page.sight.at,
                )
            )
        raise DropItem(f"{page.sight.url}: no report", log_level="INFO")

    def _unreachable(self, item: Unreachable) -> None:
        if item.identity.year is None:
            return
        key = report_key(item.portal, item.identity)
        self.commit(
            lambda connection: sight(connection, key, item.url, item.title, item.at, item.outcome)
        )
        self.stats.inc_value(f"reports/{item.outcome}")
