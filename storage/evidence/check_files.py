"""Every WARC file against the manifest, every record against its digests, every row's record."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.evidence.changes import Runs
from storage.evidence.dependants import resting_on_captures
from storage.evidence.manifest import Chain
from storage.evidence.records import OPEN, Claim, Examined, Fault, Job, examine
from storage.evidence.rows import plain
from storage.evidence.verdict import FROM_A_COPY, OR_ACCEPT, Verdict
from storage.schema import captures, warc_files

_NAME = re.compile(r"\d{8}T\d+Z-(\d{6,})-\d{5,}\.warc\.gz")
_NAMED = 3
# Fewer bytes are read before other processes are ready.
_ALONE = 1 << 24
_CORES = os.cpu_count() or 1
_AHEAD = 2 * _CORES


def listing(directory: Path) -> dict[str, int]:
    """Name and size of whatever lies among the WARC files."""
    found = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        with suppress(FileNotFoundError):  # sealed at this moment: its rows lead to it
            found[path.name] = path.lstat().st_size
    return found


@contextmanager
def readers(listed: Mapping[str, int]) -> Iterator[ProcessPoolExecutor | None]:
    """Processes to read the files with, a core each; None where they are not worth starting.

    They are forked here and now: call it before there is a connection they would share.
    """
    if _CORES == 1 or sum(listed.values()) < _ALONE:
        yield None
        return
    with ProcessPoolExecutor(_CORES, multiprocessing.get_context("fork")) as pool:
        pool.submit(os.getpid).result()
        yield pool


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The check of all WARC files; with `whole` of every record in them.

    `listed` must be older than what `connection` sees, so that every file has its run.
    """

    connection: sa.Connection
    directory: Path
    listed: Mapping[str, int]
    chain: Chain
    now: Runs
    verdict: Verdict
    whole: bool
    pool: ProcessPoolExecutor | None

    def run(self) -> None:
        names = self._names() | self.chain.files.keys()
        for job, found in _examined(self._jobs(names), self.pool):
            if found is None:
                self._missing(job)
            else:
                self._judge(job, found)

    def _names(self) -> set[str]:
        """The WARC files by their sealed names; what else lies there belongs to nothing."""
        names: set[str] = set()
        for file in sorted(self.listed):
            name = file.removesuffix(OPEN)
            if not _NAME.fullmatch(name):
                self._wrong(file, "belongs to nothing", "move it out of the archive")
                continue
            # A listing made while a file is sealed may show it under both names.
            if name in names and (self.directory / file).exists():
                self._wrong(file, "lies there sealed and open", "move the shorter one away")
            names.add(name)
        return names

    def _jobs(self, names: set[str]) -> Iterator[Job]:
        """First the files that rows lead to, then the others."""
        rows = self.connection.execute(
            _captures(self.connection.dialect.name), execution_options={"yield_per": 1000}
        )
        for name, group in groupby(rows, key=lambda row: row.name):
            names.discard(name)
            yield Job(self.directory, name, [self._claim(row) for row in group], self.whole)
        for name in sorted(names):
            yield Job(self.directory, name, [], self.whole)

    def _claim(self, row: Any) -> Claim:
        headers = {
            "WARC-Type": "response",
            "WARC-Record-ID": row.record_id,
            "WARC-Target-URI": row.url,
            "WARC-Date": _warc_date(row.fetched_at),
            "WARC-Payload-Digest": row.payload_digest,
        }
        size = row.size
        if row.revisit_of is not None:
            size = None
            headers |= {
                "WARC-Type": "revisit",
                "WARC-Refers-To": row.original_record_id,
                "WARC-Refers-To-Target-URI": row.original_url,
                "WARC-Refers-To-Date": _warc_date(row.original_fetched_at),
            }
            self._revisit(row)
        return Claim(
            row.id, row.attempt_id, row.warc_offset, row.warc_length, row.status, size, headers
        )

    def _revisit(self, row: Any) -> None:
        """Its original must hold the payload itself; one that has no row is a lost reference."""
        if row.original_record_id is None:
            return
        if row.original_of is not None:
            what = f"is a revisit of {row.revisit_of}, which is a revisit itself"
        elif row.original_digest != row.payload_digest:
            what = f"is a revisit of {row.revisit_of}, which has another payload"
        else:
            return
        rests = resting_on_captures(self.connection, [row.id])
        self.verdict.wrong(f"captures {row.id}", what, FROM_A_COPY, rests)

    def _missing(self, job: Job) -> None:
        if job.claims or job.name in self.chain.files:
            what = f"is missing, with the records of {_counted(len(job.claims), 'capture')}"
            self._wrong(job.name, what, _AGAIN, [claim.capture_id for claim in job.claims])
        # Else one without any record, which the next start took away.

    def _judge(self, job: Job, found: Examined) -> None:
        self.verdict.files += 1
        self.verdict.bytes += found.size
        self.verdict.records += found.records
        sealed = self.chain.files.get(found.name)
        captured = [claim.capture_id for claim in job.claims]
        if sealed is None:
            self._unsealed(found, captured)
        elif found.size != sealed.size:
            what = f"was sealed with {sealed.size} bytes and has {found.size}"
            self._wrong(found.name, what, _AGAIN, captured)
        elif found.sha256 != sealed.sha256:
            what = f"was sealed with the SHA-256 {sealed.sha256} and has {found.sha256}"
            self._wrong(found.name, what, _AGAIN, [] if self.whole else captured)
        self._faults(found)
        self._unclaimed(found)

    def _unsealed(self, found: Examined, captured: list[int]) -> None:
        run = int(_NAME.fullmatch(found.name)[1])  # type: ignore[index]
        if run not in self.now.digests:
            self._wrong(found.name, f"is of run {run}, which has no row", _STRANGER, captured)
        elif run in self.now.open:
            self.verdict.unsealed["files"] += 1
        elif self.chain.head is not None:
            what = f"is of run {run}, which was sealed without it"
            self._wrong(found.name, what, _STRANGER, captured)

    def _faults(self, found: Examined) -> None:
        faults = found.faults
        if found.open and found.torn is not None:
            behind = found.size - found.torn
            self.verdict.notes.append(
                f"{self.directory / found.name}{OPEN}: the last {behind} bytes are no whole record "
                "(a crawl is writing them, or died: the next start cuts them off)"
            )
            faults = [each for each in faults if each.capture_id or each.offset != found.torn]
        if faults:
            named = [f"the record at {fault.offset}{_of(fault)} {fault.what}" for fault in faults]
            doubtful = [fault.capture_id for fault in faults if fault.capture_id is not None]
            self._wrong(found.name, _listed(named), _AGAIN, doubtful)

    def _unclaimed(self, found: Examined) -> None:
        run = int(_NAME.fullmatch(found.name)[1])  # type: ignore[index]
        if not found.unclaimed:
            return
        count = _counted(len(found.unclaimed), "record")
        if run in self.now.open - self.now.settled:
            self.verdict.notes.append(
                f"{self.directory / found.name}: {count} without a row yet, of run {run}, which "
                "has not ended"
            )
            return
        named = [f"at {offset} ({uri})" for offset, uri in found.unclaimed]
        self._wrong(found.name, f"{count} without a row: {_listed(named)}", FROM_A_COPY)

    def _wrong(self, name: str, what: str, cure: str, captured: Iterable[int] = ()) -> None:
        ids = list(captured)
        rests = resting_on_captures(self.connection, ids) if ids else ""
        self.verdict.wrong(str(self.directory / name), what, cure, rests)


_AGAIN = f"bring the file back from a copy; {OR_ACCEPT}"
_STRANGER = "bring the database back from a copy, or move the file out of the archive"


def _examined(
    jobs: Iterator[Job], pool: ProcessPoolExecutor | None
) -> Iterator[tuple[Job, Examined | None]]:
    """Each job with what was found, a few at a time: the rows of all files need not fit."""
    if pool is None:
        for job in jobs:
            yield job, examine(job)
        return
    running: dict[Future[Examined | None], Job] = {}
    while True:
        for job in islice(jobs, max(0, _AHEAD - len(running))):
            running[pool.submit(examine, job)] = job
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()


def _captures(dialect: str) -> sa.Select[Any]:
    """The rows of all captures, file by file in the order of their records."""
    original = captures.alias("original")
    c, o = captures.c, original.c
    number = sa.BigInteger
    return (
        sa.select(
            warc_files.c.name,
            c.id,
            c.attempt_id,
            sa.cast(c.warc_offset, number).label("warc_offset"),
            c.warc_length,
            c.status,
            c.size,
            c.record_id,
            c.url,
            plain(c.fetched_at, dialect).label("fetched_at"),
            c.payload_digest,
            c.revisit_of,
            o.record_id.label("original_record_id"),
            o.url.label("original_url"),
            plain(o.fetched_at, dialect).label("original_fetched_at"),
            o.payload_digest.label("original_digest"),
            o.revisit_of.label("original_of"),
        )
        .select_from(captures)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .outerjoin(original, original.c.id == c.revisit_of)
        .order_by(c.warc_file_id, sa.cast(c.warc_offset, number))
    )


def _warc_date(stored: object) -> str:
    """`2020-03-06 06:38:00.000000` in the words of a record; anything else equals none."""
    return str(stored).replace(" ", "T") + "Z"


def _of(fault: Fault) -> str:
    return "" if fault.capture_id is None else f" (capture {fault.capture_id})"


def _listed(named: list[str]) -> str:
    more = len(named) - _NAMED
    return "; ".join(named[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
