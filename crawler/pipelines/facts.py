"""Third: a version that this parser has not read yet is read into cells, checks and findings.

Its bytes and its version already stand: a fault of the parser loses no page.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from crawler.forms import PARSER
from crawler.forms.model import Finding
from crawler.forms.reading import read
from crawler.items import Attachment, ReportPage, Unreachable
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.captures import Observed
from crawler.pipelines.records import reading_record
from crawler.portals.titles import year_of
from crawler.words import Remark
from storage.facts import find_reading, store_reading

Item = Observed | Attachment | Unreachable


class FactsPipeline(ArchivePipeline):
    def process_item(self, item: Item) -> Item:
        if isinstance(item, Observed):
            self.commit(lambda connection: self._read(connection, item))
        return item

    def _read(self, connection: Connection, item: Observed) -> None:
        if find_reading(connection, item.version.id, PARSER) is not None:
            return
        reading = item.reading or read(item.document)
        record = reading_record(reading, _of_page(item.page))
        store_reading(connection, item.version.id, record, datetime.now(UTC))
        self.stats.inc_value("reports/readings")


def _of_page(page: ReportPage) -> tuple[Finding, ...]:
    """What page, listing and calendar say about each other."""
    remarks = [*page.article.warnings]
    published, year = page.article.published, page.identity.year
    if page.identity.inferred:
        remarks.append(Remark("year.inferred", {"year": str(year), "published": str(published)}))
    if published and year and int(published[:4]) != year + 1:
        remarks.append(Remark("year.dated", {"year": str(year), "published": published}))
    listed = year_of(page.listed_as)
    if listed and year and listed != year:
        remarks.append(Remark("year.listed", {"year": str(year), "title": page.listed_as}))
    return tuple(map(Finding.remark, remarks))
