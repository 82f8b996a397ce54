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
from functools import partial

import sqlalchemy as sa
from scrapy.commands import ScrapyCommand

from crawler.commands.writing import held_archive
from crawler.documents import html
from crawler.documents.canonical import RULE, RULE_BYTES, RULES, Canonical, digest, digest_file
from crawler.errors import GongkaiError, SourceError
from crawler.pipelines.opened import find_file
from crawler.pipelines.reopened import Came, Reopener
from storage.database import transact
from storage.errors import StorageError, WarcNotReadable
from storage.evidence.seal import seal
from storage.readings.observing import file_of_capture
from storage.readings.recanonical import (
    Outcome,
    Part,
    Said,
    Sighting,
    regroup,
    sightings,
    stale_parts,
)

# What a change of the rules may change in what was sealed.
_TOUCHED = (
    *("versions", "observations", "readings", "figures", "findings", "sections"),
    *("grids", "indicators", "confirmations", "corrections"),
)
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
        with held_archive() as (engine, settings, registry):
            reader = _Reader(engine, Reopener(engine, settings, registry, limit))
            code = _settle(engine, reader, dry_run)
            if not dry_run:
                reason = f"canonicalised by {', '.join(RULES)}"
                seal(settings, datetime.now(UTC), accept=reason, only=_TOUCHED)
            return code


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
    """The parts of the archive read by today's rules."""

    engine: sa.Engine
    reopener: Reopener

    def part(self, part: Part) -> dict[int, Said]:
        """What each capture of the versions by older rules says. Raises SourceError."""
        with self.engine.connect() as connection:
            sights = sightings(connection, part, _SETTLED)
        read = self._page if part.part == "page" else partial(self._file, part)
        return {sight.capture_id: Said(*read(_came(sight))) for sight in sights}

    def _file(self, part: Part, came: Came) -> Canonical:
        root = self._root(part, came)
        file = find_file(root, self.reopener.file(came), part.name)
        return digest_file(file.body)

    def _root(self, part: Part, came: Came) -> str:
        with self.engine.connect() as connection:
            return file_of_capture(connection, came.capture_id, part.name)

    def _page(self, came: Came) -> Canonical:
        article = self.reopener.article(came)
        head = (article.title, article.published, article.source)
        return Canonical(digest(html.read(article.body), *head), RULE)


def _came(sight: Sighting) -> Came:
    return Came(sight.capture_id, sight.url, sight.portal, sight.purpose)
