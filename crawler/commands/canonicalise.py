"""`scrapy canonicalise [--dry-run]`: the archive's digests by today's rules, without a network.

Exit codes: 0 every version has its digest by today's rules, 1 some were left as they were (a line
each on stderr), 2 the archive could not be opened, or is being written by a crawl.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from scrapy import Request
from scrapy.commands import ScrapyCommand
from scrapy.http import Response, TextResponse

from crawler.cms import cms_by_key, parse_page, recognise
from crawler.documents import html
from crawler.documents.canonical import RULE, RULE_BYTES, RULES, Canonical, digest, digest_file
from crawler.errors import GongkaiError, SourceError
from crawler.fetching.answers import open_answer
from crawler.fetching.encoding import EncodingMiddleware
from crawler.fetching.lock import PortalLocks
from crawler.portals import Registry, load
from storage.captures import recorded
from storage.database import open_for_writing, transact
from storage.errors import StorageError, WarcNotReadable
from storage.evidence.seal import seal
from storage.locks import DatabaseLocks
from storage.recanonical import (
    Outcome,
    Part,
    Said,
    Sighting,
    regroup,
    sightings,
    stale_parts,
)
from storage.settings import Settings

# What a change of the rules may change in what was sealed.
_TOUCHED = ("versions", "observations", "readings", "figures", "findings", "sections")
# A file that counts as its bytes may be one that a rule opens by now.
_SETTLED = frozenset(RULES) - {RULE_BYTES}


class Command(ScrapyCommand):
    requires_project = True
    requires_crawler_process = False

    def short_desc(self) -> str:
        return "Give every version of the archive its digest by today's rules (docs/versions.md)"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--dry-run", action="store_true", help="change nothing, say what would")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        try:
            self.exitcode = self._canonicalise(opts.dry_run)
        except (GongkaiError, StorageError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            self.exitcode = 2

    def _canonicalise(self, dry_run: bool) -> int:
        assert self.settings is not None
        limit = self.settings.getint("DOWNLOAD_MAXSIZE")
        registry, settings = load(cms_by_key()), Settings()
        engine = open_for_writing(settings)
        with PortalLocks(settings.home / "locks", registry.portals):
            locks = DatabaseLocks(engine, registry.portals)
            try:
                reader = _Reader(engine, settings, registry, limit)
                code = _settle(engine, reader, dry_run)
                if not dry_run:
                    reason = f"canonicalised by {', '.join(RULES)}"
                    seal(settings, datetime.now(UTC), accept=reason, only=_TOUCHED)
                return code
            finally:
                locks.release()
                engine.dispose()


def _settle(engine: sa.Engine, reader: _Reader, dry_run: bool) -> int:
    """Every part with a version by another rule than today's, each in one transaction."""
    with engine.connect() as connection:
        parts = stale_parts(connection, _SETTLED)
    total, unread = Outcome(), 0
    for part in parts:
        try:
            said = reader.part(part)
        except (SourceError, WarcNotReadable) as error:
            print(f"{part.organ} {part.year} {part.name or part.part}: {error}", file=sys.stderr)
            unread += 1
            continue
        total += _regroup(engine, part, said, dry_run)
    for line in total.refused:
        print(line, file=sys.stderr)
    would = "would be " if dry_run else ""
    print(
        f"{len(parts)} pages and files read again: {total.renamed} versions {would}renamed, "
        f"{total.merged} {would}merged into earlier ones, {total.made} {would}split off; "
        f"{len(total.refused)} left apart, {unread} not readable"
    )
    return 1 if total.refused or unread else 0


def _regroup(engine: sa.Engine, part: Part, said: Mapping[int, Said], dry_run: bool) -> Outcome:
    if not dry_run:
        return transact(engine, lambda connection: regroup(connection, part, said))
    with engine.connect() as connection:
        outcome = regroup(connection, part, said)
        connection.rollback()
    return outcome


@dataclass(frozen=True, slots=True)
class _Reader:
    """Captures opened again as the crawl opened them. `limit`: bytes a content may have."""

    engine: sa.Engine
    settings: Settings
    registry: Registry
    limit: int

    def part(self, part: Part) -> dict[int, Said]:
        """What each capture of the versions by older rules says. Raises SourceError."""
        with self.engine.connect() as connection:
            sights = sightings(connection, part, _SETTLED)
        read = self._page if part.part == "page" else self._file
        return {sight.capture_id: Said(*read(sight)) for sight in sights}

    def _file(self, sight: Sighting) -> Canonical:
        return digest_file(self._answer(sight).body)

    def _page(self, sight: Sighting) -> Canonical:
        request = Request(sight.url)
        response = EncodingMiddleware().process_response(request, self._answer(sight))
        portal = self.registry.portals.get(sight.portal or "")
        if portal is None or not isinstance(response, TextResponse):
            raise SourceError(
                f"capture {sight.capture_id} is no page of a registered portal: "
                "bring the portal's file back"
            )
        page = parse_page(response.url, response.text)
        article = recognise(page, (portal.cms, *portal.former_cms)).article(page)
        if article is None:
            raise SourceError(
                f"no article in capture {sight.capture_id}: the dialect of {portal.key} must "
                "know this page again"
            )
        head = (article.title, article.published, article.source)
        return Canonical(digest(html.read(article.body), *head), RULE)

    def _answer(self, sight: Sighting) -> Response:
        head, body = recorded(self.engine, self.settings.warc_directory, sight.capture_id)
        request = Request(sight.url)
        return open_answer(request, sight.purpose, head, body, self.limit, None).response
