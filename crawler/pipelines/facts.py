"""Third: a version that this parser has not read yet is read into cells, checks and findings.

Its bytes and its version already stand: a fault of the parser loses no page.
"""

from __future__ import annotations

from datetime import UTC, datetime

from crawler.forms import PARSER
from crawler.forms.model import Finding
from crawler.items import ReportPage, Unreachable
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.captures import Observed
from crawler.pipelines.records import reading_record
from crawler.portals.titles import year_of
from crawler.words import Remark
from storage.facts import find_reading

Item = Observed | ObservedFiles | Unreachable


class FactsPipeline(ArchivePipeline):
    """`touched`: the reports that say something new; what follows is said when the run ends."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._touched: set[int] = set()

    def process_item(self, item: Item) -> Item:
        if isinstance(item, Observed):
            page = item.page
            self._keep(
                item.version,
                lambda: reading_record(
                    item.reading or read_article(page.article, item.document), _of_page(page)
                ),
            )
        elif isinstance(item, ObservedFiles):
            for version, file in item.files:
                self._keep(version, lambda file=file: reading_record(read_file(file)))
        return item

    def close_spider(self) -> None:
        """Hold the reports that changed against their copies, the year before and the others."""
        for report_id in sorted(self._touched):
            self.commit(lambda connection, each=report_id: assess(connection, each))

    def _keep(self, version: VersionRef, read: Callable[[], ReadingRecord]) -> None:
        if self.commit(lambda connection: find_reading(connection, version.id, PARSER)) is not None:
            return
        record = read()
        now = datetime.now(UTC)
        if self.commit(lambda connection: keep_reading(connection, version.id, record, now)):
            self._touched.add(version.report_id)
            self.stats.inc_value("reports/readings")


def _of_page(page: ReportPage) -> tuple[Finding, ...]:
    """What listing and calendar say about the page; only the crawl knows it."""
    remarks = []
    published, year = page.article.published, page.identity.year
    if page.identity.inferred:
        remarks.append(Remark("year.inferred", {"year": str(year), "published": str(published)}))
    if published and year and int(published[:4]) != year + 1:
        remarks.append(Remark("year.dated", {"year": str(year), "published": published}))
    listed = year_of(page.listed_as)
    if listed and year and listed != year:
        remarks.append(Remark("year.listed", {"year": str(year), "title": page.listed_as}))
    return tuple(map(Finding.remark, remarks))
