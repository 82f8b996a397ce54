"""Every version of the archive read again, by several processes, in the order of its WARC files."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from crawler.cms import cms_by_key
from crawler.errors import SourceError
from crawler.pipelines.opened import cured, find_file, read_article, read_file
from crawler.pipelines.records import reading_record
from crawler.pipelines.reopened import Came, Reopener
from crawler.portals import load
from storage.database import open_for_reading
from storage.errors import StorageError
from storage.readings.facts import ReadingRecord, read_by
from storage.readings.observing import file_of_capture
from storage.schema import (
    attempts,
    captures,
    organs,
    reports,
    versions,
)
from storage.settings import Settings

# So many at a time: enough to be worth a message, few enough to be kept in one transaction.
_TOGETHER = 16


class Task(NamedTuple):
    """A version and how its first capture came; `title` is what a person calls it."""

    version_id: int
    part: str
    name: str
    title: str
    came: Came


class Reread(NamedTuple):
    """What a version says today, or why it could not be opened."""

    task: Task
    read: ReadingRecord | str


def tasks(connection: sa.Connection, parser: str | None) -> list[Task]:
    """The versions that `parser` has not read yet (None: all), in the order of their records."""
    v, c = versions.c, captures.c
    query = (
        sa.select(v.id, v.part, v.name, organs.c.name.label("organ"), reports.c.year)
        .add_columns(v.capture_id, c.url, attempts.c.portal, attempts.c.purpose)
        .select_from(versions)
        .join(captures, c.id == v.capture_id)
        .join(attempts, attempts.c.id == c.attempt_id)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .order_by(c.warc_file_id, c.warc_offset, v.id)
    )
    if parser is not None:
        query = query.where(v.id.not_in(read_by(parser, cured())))
    return [
        Task(
            *(row.id, row.part, row.name),
            f"{row.organ} {row.year} {row.name or row.part}",
            Came(row.capture_id, row.url, row.portal, row.purpose),
        )
        for row in connection.execute(query)
    ]


def reread(waiting: Sequence[Task], limit: int, jobs: int) -> Iterator[list[Reread]]:
    """Read them, a few at a time, in their order. `limit`: bytes a content may have.

    What a parser fails on, or a process dies of, costs that reading alone.
    """
    parts = [waiting[at : at + _TOGETHER] for at in range(0, len(waiting), _TOGETHER)]
    for part, read in _in_processes(parts, limit, jobs, ahead=2 * jobs):
        if not isinstance(read, Exception):
            yield read
            continue
        # One at a time, so that none is blamed for another's death.
        alone = _in_processes([[task] for task in part], limit, 1, ahead=1)
        yield [
            Reread(task, _fault(one)) if isinstance(one, Exception) else one[0]
            for (task,), one in alone
        ]


def _fault(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}"
    return f"the parser failed ({what}): report it with this file; the others are read"


def _in_processes(
    parts: Sequence[Sequence[Task]], limit: int, jobs: int, *, ahead: int
) -> Iterator[tuple[Sequence[Task], list[Reread] | Exception]]:
    """Each part, in order, with what it says or what the process that read it failed on.

    No more than `ahead` are read or wait to be kept. A process that dies leaves a pool that takes
    nothing any more: the next part begins another.
    """
    running: deque[tuple[Sequence[Task], Future[list[Reread]]]] = deque()
    coming, pool = iter(parts), _pool(jobs)
    try:
        while True:
            for part in islice(coming, ahead - len(running)):
                try:
                    future = pool.submit(_read_all, part, limit)
                except BrokenProcessPool:
                    pool.shutdown()
                    pool = _pool(jobs)
                    future = pool.submit(_read_all, part, limit)
                running.append((part, future))
            if not running:
                return
            part, future = running.popleft()
            error = future.exception()
            if error is None:
                yield part, future.result()
            elif isinstance(error, Exception):
                yield part, error
            else:
                raise error
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # A fork would take the parent's connections along.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _read_all(part: Sequence[Task], limit: int) -> list[Reread]:
    return [Reread(task, _read(_reopener(limit), task)) for task in part]


@cache
def _reopener(limit: int) -> Reopener:
    """One a process."""
    settings = Settings()
    engine = open_for_reading(settings)
    assert engine is not None, "an archive with versions is there"
    return Reopener(engine, settings, load(cms_by_key()), limit)


def _read(reopener: Reopener, task: Task) -> ReadingRecord | str:
    try:
        if task.part == "page":
            return reading_record(read_article(reopener.article(task.came)))
        body = reopener.file(task.came)
        with reopener.engine.connect() as connection:
            root = file_of_capture(connection, task.came.capture_id, task.name)
        return reading_record(read_file(find_file(root, body, task.name)))
    except (SourceError, StorageError) as error:
        return str(error)
