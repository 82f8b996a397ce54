"""Second: a file that belongs to a report becomes an observation of that part of the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from scrapy.exceptions import DropItem

from crawler.documents.canonical import digest_file
from crawler.items import Attachment, Unreachable
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.captures import Observed
from crawler.pipelines.opened import File, files_of
from crawler.pipelines.records import report_key
from storage.readings.observing import Observation, ReportKey, VersionRef, is_known, observe


@dataclass(frozen=True, slots=True)
class ObservedFiles:
    """A file that stands in the archive, and those within it where it is a bundle."""

    files: tuple[tuple[VersionRef, File], ...]


class AttachmentPipeline(ArchivePipeline):
    def process_item(
        self, item: Observed | Attachment | Unreachable
    ) -> Observed | ObservedFiles | Unreachable:
        return self._keep(item) if isinstance(item, Attachment) else item

    def _keep(self, item: Attachment) -> ObservedFiles:
        if item.identity.year is None:
            self.run.incomplete("attachment of a report without a year")
            raise DropItem(f"{item.sight.url}: its report names no reporting year")
        key = report_key(item.sight.portal, item.identity)
        urls = (item.sight.url, item.page)
        if item.of_page and not self.commit(partial(is_known, key=key, urls=urls)):
            raise DropItem(f"{item.sight.url}: its page is no report", log_level="INFO")
        files = tuple(files_of(item.name or _file_name(item.sight.url), item.body))
        seen = [_observation(key, item, file) for file in files]
        versions = self.commit(lambda connection: [observe(connection, each) for each in seen])
        new = versions[0].new
        self.stats.inc_value("attachments/new version" if new else "attachments/unchanged")
        return ObservedFiles(tuple(zip(versions, files, strict=True)))


def _observation(key: ReportKey, item: Attachment, file: File) -> Observation:
    said, sight = digest_file(file.body), item.sight
    return Observation(
        key=key,
        part="attachment",
        name=file.name,
        url=sight.url,
        capture_id=sight.capture_id,
        canonical_digest=said.digest,
        canonical_rule=said.rule,
        title=file.name,
        published=None,
        source=None,
        media=_media(file.name, sight.url),
        seen_at=sight.at,
        page=item.page,
    )


def _file_name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _media(name: str, url: str) -> str:
    """The kind of file, by the ending of its name: docx, pdf …; empty when neither has one."""
    for text in (name, _file_name(url)):
        suffix = PurePosixPath(text.strip()).suffix
        if suffix:
            return suffix[1:].lower()
    return ""
