"""Third: a version that this parser has not read yet is read into cells, checks and findings.

Its bytes and its version already stand: a fault of the parser loses no page.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from crawler.forms import PARSER
from crawler.forms.model import Finding
from crawler.items import ReportPage, Unreachable
from crawler.pipelines.assessing import assess_report, reports_to_assess
from crawler.pipelines.attachments import ObservedFiles
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.captures import Observed
from crawler.pipelines.opened import File, cured, read_article, read_file
from crawler.pipelines.records import reading_record
from crawler.portals.titles import year_of
from crawler.words import Remark
from storage.readings.facts import ReadingRecord, find_reading, keep_reading
from storage.readings.observing import VersionRef

Item = Observed | ObservedFiles | Unreachable


class FactsPipeline(ArchivePipeline):
    def process_item(self, item: Item) -> Item:
        if isinstance(item, Observed):
            self._keep(item.version, partial(_of_page, item))
        elif isinstance(item, ObservedFiles):
            # Each is read, whatever the parser makes of another; then it is said.
            with ExitStack() as files:
                for version, file in item.files:
                    files.callback(self._keep, version, partial(_of_file, file))
        return item

    def close_spider(self) -> None:
        """Hold the reports that changed against their copies, the year before and the others.

        Also what a run, or a re-parse, that was killed had read before.
        """
        if self.run.abandoned:
            return
        assess = partial(assess_report, shapes={})
        for report_id in self.commit(reports_to_assess):
            self.commit(partial(assess, report_id=report_id, at=datetime.now(UTC)))

    def _keep(self, version: VersionRef, read: Callable[[], ReadingRecord]) -> None:
        known = partial(find_reading, version_id=version.id, parser=PARSER, cured=cured())
        if self.commit(known) is not None:
            return
        record = read()
        now = datetime.now(UTC)
        if self.commit(partial(keep_reading, version_id=version.id, reading=record, at=now)):
            self.stats.inc_value("reports/readings")


def _of_file(file: File) -> ReadingRecord:
    return reading_record(read_file(file))


def _of_page(item: Observed) -> ReadingRecord:
    reading = item.reading or read_article(item.page.article, item.document)
    return reading_record(reading, _of_crawl(item.page))


def _of_crawl(page: ReportPage) -> tuple[Finding, ...]:
    """What listing and calendar say about the page; a re-parse takes it over."""
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
