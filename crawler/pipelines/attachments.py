"""Second: a file that belongs to a report becomes an observation of that part of the report."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from scrapy.exceptions import DropItem

from crawler.documents.canonical import digest_file
from crawler.items import Attachment, Unreachable
from crawler.pipelines.base import ArchivePipeline
from crawler.pipelines.captures import Observed
from crawler.pipelines.records import report_key
from storage.facts import Observation, is_known, observe


class AttachmentPipeline(ArchivePipeline):
    def process_item(
        self, item: Observed | Attachment | Unreachable
    ) -> Observed | Attachment | Unreachable:
        if isinstance(item, Attachment):
            self._keep(item)
        return item

    def _keep(self, item: Attachment) -> None:
        if item.identity.year is None:
            self.run.incomplete("attachment of a report without a year")
            raise DropItem(f"{item.sight.url}: its report names no reporting year")
        key = report_key(item.sight.portal, item.identity)
        if item.of_page and not self.commit(lambda connection: is_known(connection, key)):
            raise DropItem(f"{item.sight.url}: its page is no report", log_level="INFO")
        name = item.name or _file_name(item.sight.url)
        said = digest_file(item.body)
        observation = Observation(
            key=key,
            part="attachment",
            name=name,
            url=item.sight.url,
            capture_id=item.sight.capture_id,
            canonical_digest=said.digest,
            canonical_rule=said.rule,
            title=name,
            published=None,
            source=None,
            media=_media(name, item.sight.url),
            seen_at=item.sight.at,
        )
        version = self.commit(lambda connection: observe(connection, observation))
        self.stats.inc_value("attachments/new version" if version.new else "attachments/unchanged")


def _file_name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _media(name: str, url: str) -> str:
    """The kind of file, by the ending of its name: docx, pdf …; empty when neither has one."""
    for text in (name, _file_name(url)):
        suffix = PurePosixPath(text.strip()).suffix
        if suffix:
            return suffix[1:].lower()
    return ""
