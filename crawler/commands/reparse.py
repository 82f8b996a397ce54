"""`scrapy reparse [--dry-run | --check] [--jobs N]`: read the archive again, without a network.

Every page and file that today's parser has not read yet is opened from its WARC record and read.
What would change is printed first, cell by cell with the reason, then kept beside the older
reading. A re-parse that was broken off is gone on with by the next.

Exit codes: 0 done; 1 something could not be read (a line each on stderr), or, with --check, is
not read as it was; 2 the archive could not be opened, or is being written by a crawl.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa
from scrapy.commands import ScrapyCommand

from crawler.commands.writing import held_archive
from crawler.errors import GongkaiError
from crawler.forms import PARSER
from crawler.pipelines.assessing import assess_report, reports_to_assess
from crawler.pipelines.changes import changes, shown
from crawler.pipelines.rereading import Reread, Task, reread, tasks
from storage.database import transact
from storage.errors import StorageError
from storage.evidence.seal import seal
from storage.readings.facts import (
    ReadingRecord,
    ReadOtherwise,
    content,
    keep_reading,
    newest_reading,
)

# Found by the crawl, not in the document: taken over from the reading before.
_OF_CRAWL = "year"


class Command(ScrapyCommand):
    requires_project = True
    requires_crawler_process = False

    def short_desc(self) -> str:
        return "Read the archive again with today's parser, without a network (docs/forms.md)"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--dry-run", action="store_true", help="keep nothing, say what would")
        parser.add_argument(
            "--check",
            action="store_true",
            help="read everything again, also what this parser has read; keep nothing",
        )
        parser.add_argument(
            "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: every core)"
        )

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        try:
            self.exitcode = self._reparse(opts.dry_run, opts.check, max(1, opts.jobs))
        except (GongkaiError, StorageError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            self.exitcode = 2

    def _reparse(self, dry_run: bool, check: bool, jobs: int) -> int:
        assert self.settings is not None
        limit = self.settings.getint("DOWNLOAD_MAXSIZE")
        with held_archive() as (engine, settings, _):
            with engine.connect() as connection:
                waiting = tasks(connection, None if check else PARSER)
            work = _Reparse(engine, keep=not (dry_run or check))
            for read in reread(waiting, limit, jobs):
                work.settle(read)
            if work.keep:
                work.assess()
                # Also what a re-parse that was broken off has kept.
                seal(settings, datetime.now(UTC), accept=f"read again by {PARSER}", only=())
            work.say(jobs)
            failed = work.counts["failed"] + work.left
            return 1 if failed or (check and work.differs) else 0


class _Reparse:
    """What was read so far; `keep` unless only asked. `left`: readings that could not be kept."""

    def __init__(self, engine: sa.Engine, *, keep: bool) -> None:
        self.keep = keep
        self.counts: Counter[str] = Counter()
        self.left = 0
        self._engine = engine
        self._cells = 0

    @property
    def differs(self) -> bool:
        """Whether anything is read otherwise than it was."""
        return bool(self.counts["changed"] + self.counts["otherwise"])

    def settle(self, read: Sequence[Reread]) -> None:
        """Print what would change, then keep it: one transaction for what came together."""
        kept: list[tuple[Task, ReadingRecord]] = []
        with self._engine.connect() as connection:
            for one in read:
                if isinstance(one.read, str):
                    print(f"{one.task.title}: {one.read}", file=sys.stderr)
                    self.counts["failed"] += 1
                    continue
                before = newest_reading(connection, one.task.version_id)
                now = _with_what_the_crawl_said(one.read, before)
                self._compare(one.task, before, now)
                kept.append((one.task, now))
        if self.keep and kept:
            for task, why in transact(self._engine, partial(_keep, kept=kept)):
                print(f"{task.title}: {why}", file=sys.stderr)
                self.left += 1

    def _compare(self, task: Task, before: ReadingRecord | None, now: ReadingRecord) -> None:
        if before is None:
            self.counts["new"] += 1
        elif content(before) == content(now):
            self.counts["same"] += 1
        elif found := changes(before, now):
            self.counts["changed"] += 1
            self._cells += len(found)
            print(task.title, *map(shown, found), sep="\n")
        else:
            self.counts["otherwise"] += 1
            print(f"{task.title}: the same figures, with other words about them")

    def assess(self) -> None:
        """Hold what changed, and what a person corrected meanwhile, against the others; all of it
        where the relations are read by another parser."""
        assess = partial(assess_report, shapes={})
        for report_id in transact(self._engine, partial(reports_to_assess, parser=PARSER)):
            transact(self._engine, partial(assess, report_id=report_id, at=datetime.now(UTC)))

    def say(self, jobs: int) -> None:
        """One line about it all."""
        counts = self.counts
        would = "" if self.keep else " would"
        print(
            f"{counts.total()} pages and files read again by {PARSER} in {jobs} processes: "
            f"{counts['same']}{would} say the same, {counts['changed']}{would} have other cells "
            f"({self._cells} cells), {counts['otherwise']}{would} say otherwise, "
            f"{counts['new']} were never read, {counts['failed']} could not be read"
        )


def _keep(
    connection: sa.Connection, kept: Sequence[tuple[Task, ReadingRecord]]
) -> list[tuple[Task, str]]:
    """What could not be kept, and why."""
    now = datetime.now(UTC)
    left = []
    for task, reading in kept:
        try:
            keep_reading(connection, task.version_id, reading, now)
        except ReadOtherwise as error:
            left.append((task, f"{error}: its reading of then stays; report it with this file"))
    return left


def _with_what_the_crawl_said(now: ReadingRecord, before: ReadingRecord | None) -> ReadingRecord:
    if before is None:
        return now
    kept = tuple(finding for finding in before.findings if finding.rule == _OF_CRAWL)
    return replace(now, findings=(*now.findings, *kept))
