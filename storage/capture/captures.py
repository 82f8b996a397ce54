"""Raw versions: every attempt leaves a row, every answer its bytes; and the bytes back again.

An attempt's row is committed before the request goes out (`ask`) and completed when it has ended
(`answer`), so that even a request during which the process was killed is in the archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from shutil import disk_usage
from threading import Lock
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from storage.capture import warc
from storage.capture.warc import Exchange, Tls
from storage.database import transact
from storage.errors import DiskNearlyFull, NotInArchive, WarcNotReadable
from storage.rows import add, find_or_add
from storage.schema import attempts, captures, warc_files

__all__ = [
    "ASKED",
    "INTERRUPTED",
    "Asked",
    "Attempt",
    "CaptureRef",
    "Ending",
    "Exchange",
    "Recorder",
    "Tls",
    "Validated",
    "liars",
    "payload",
    "recorded",
    "validators",
]

# Room for an answer, its rows, and the end of the run; a database that runs out of it is hurt.
_FLOOR = 16_000_000
# Outcomes of an attempt that has not ended: under way, and cut off by the death of its process.
ASKED, INTERRUPTED = "asked", "interrupted"

_ORIGINAL = (
    sa.select(captures.c.id, captures.c.url, captures.c.fetched_at, captures.c.record_id)
    .where(
        captures.c.payload_digest == sa.bindparam("payload_digest"),
        captures.c.status == 200,
        captures.c.revisit_of.is_(None),
    )
    .order_by(captures.c.id)
    .limit(1)
)
_newest, _original = captures.alias("newest"), captures.alias("original")
_WHOLE = (
    sa.select(
        _original.c.id,
        _newest.c.etag,
        _newest.c.last_modified,
        _original.c.url,
        _original.c.fetched_at,
        _original.c.record_id,
        _original.c.payload_digest,
        warc_files.c.name,
    )
    .select_from(_newest)
    .join(attempts, attempts.c.id == _newest.c.attempt_id)
    .join(_original, _original.c.id == sa.func.coalesce(_newest.c.revisit_of, _newest.c.id))
    .join(warc_files, warc_files.c.id == _original.c.warc_file_id)
    .where(
        _newest.c.url == sa.bindparam("url"), _newest.c.status == 200, attempts.c.outcome == "ok"
    )
    .order_by(_newest.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, before it is made.

    `purpose` says why (robots, probe, entry, channel, seed, listing, page, again, report,
    attachment).
    """

    run_id: int
    portal: str | None
    url: str
    purpose: str
    started_at: datetime
    retry: int = 0
    referrer: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An attempt that has its row."""

    id: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of an attempt: `outcome` in a word (docs/database.md lists them)."""

    outcome: str
    duration_ms: int = 0
    status: int | None = None
    size: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CaptureRef:
    """The row of a capture; `payload_digest` is that of its record, letter for letter."""

    id: int
    attempt_id: int
    payload_digest: str
    revisit: bool


@dataclass(frozen=True, slots=True)
class Validated:
    """A capture that its server may be asked about: the validators it came with.

    `capture_id` is the capture that holds the payload; `original` its record.
    """

    capture_id: int
    etag: str | None
    last_modified: str | None
    original: warc.Original
    payload_digest: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the record of an exchange lies and what it refers to."""

    file: str
    offset: int
    length: int
    record_id: str
    payload_digest: str
    revisit_of: int | None


class Recorder:
    """Records the attempts of one run. Thread safe; close it, or use it in a `with`.

    On opening it seals the WARC files that dead runs left behind.
    """

    def __init__(
        self, engine: sa.Engine, directory: Path, run_id: int, warcinfo: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._lock = Lock()
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        warc.seal_leftovers(directory)
        self._writer = warc.WarcWriter(directory, run_id, warcinfo)

    def ask(self, attempt: Attempt) -> Asked:
        """Write down that a request goes out now.

        Raises DatabaseUnavailable or DiskNearlyFull; do not send it then. A commit whose answer was
        lost may have left the row: it then says `asked` until a next start finds it.
        """
        free = disk_usage(self._directory).free
        if free < _FLOOR:
            raise DiskNearlyFull(
                f"the disk of {self._directory} is full but for {free / 1e6:.0f} MB: make room, "
                "then start the run again"
            )
        row = {**asdict(attempt), "outcome": ASKED, "duration_ms": 0, "size": 0}
        with self._lock:
            return Asked(transact(self._engine, lambda c: add(c, attempts, row)), attempt)

    def answer(
        self,
        asked: Asked,
        ending: Ending,
        exchange: Exchange | None = None,
        validated: Validated | None = None,
    ) -> CaptureRef | None:
        """Keep what came of an attempt; None when there was no answer.

        `validated`: the capture that a 304 says is still good. The bytes are on the disk before
        the row that points to them is committed. Raises WarcNotWritten or DatabaseUnavailable;
        then no row points to this answer.
        """
        with self._lock:
            if exchange is None:
                transact(self._engine, lambda connection: end_attempt(connection, asked, ending))
                return None
            stored = self._store(asked, ending.outcome, exchange, validated)

            def work(connection: sa.Connection) -> CaptureRef:
                end_attempt(connection, asked, ending)
                return add_capture(
                    connection,
                    asked,
                    exchange.status,
                    exchange.response_head,
                    len(exchange.body),
                    stored,
                )

            return transact(self._engine, work)

    def refuse(self, attempt: Attempt, outcome: str, error: str) -> None:
        """Write down a request that was never sent, and why."""
        row = {**asdict(attempt), "outcome": outcome, "duration_ms": 0, "size": 0, "error": error}
        with self._lock:
            transact(self._engine, lambda connection: add(connection, attempts, row))

    def close(self) -> None:
        """Seal the WARC file."""
        with self._lock:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _store(
        self, asked: Asked, outcome: str, exchange: Exchange, validated: Validated | None
    ) -> Stored:
        payload_digest = warc.digest(exchange.body)
        original, original_id = None, None
        if exchange.status == 304 and validated is not None:
            payload_digest = validated.payload_digest
            original, original_id = validated.original, validated.capture_id
        # Only a page worth finding again; every empty body and every error page would match.
        elif exchange.status == 200 and exchange.body:
            earlier = transact(self._engine, lambda c: _find_original(c, payload_digest))
            if earlier is not None:
                original = warc.Original(earlier.url, earlier.fetched_at, earlier.record_id)
                original_id = earlier.id
        record_id = warc.new_record_id()
        records = warc.exchange_records(
            exchange,
            asked.id,
            outcome,
            asked.attempt.started_at,
            record_id,
            payload_digest,
            original,
        )
        file, offsets = self._writer.append(records)
        return Stored(file, offsets[0], len(records[0]), record_id, payload_digest, original_id)


def payload(engine: sa.Engine, directory: Path, capture_id: int) -> bytes:
    """The body of a capture as received (a revisit's from its original), checked by its digest.

    Raises NotInArchive, or WarcNotReadable when the bytes are not there or not the same any more.
    """
    return recorded(engine, directory, capture_id)[1]


def recorded(engine: sa.Engine, directory: Path, capture_id: int) -> tuple[bytes, bytes]:
    """Head and body that a capture stands for; after a 304 those of the answer it confirmed.

    Raises NotInArchive, or WarcNotReadable when the bytes are not there or not the same any more.
    """
    own, kept = transact(engine, lambda connection: _places(connection, capture_id))
    path = warc.locate(directory, kept.name)
    _, head, body = warc.read_record(path, kept.warc_offset)
    if warc.digest(body) != kept.payload_digest:
        raise WarcNotReadable(
            f"the record at {kept.warc_offset} of {path} is not what was captured "
            f"({kept.payload_digest}): bring the file back from a copy"
        )
    if own != kept and own.status != 304:
        _, head, _ = warc.read_record(warc.locate(directory, own.name), own.warc_offset)
    return head, body


def validators(connection: sa.Connection, directory: Path, url: str) -> Validated | None:
    """The newest whole capture of an address, if it came with a validator and lies here."""
    newest = connection.execute(_WHOLE, {"url": url}).one_or_none()
    if newest is None or not (newest.etag or newest.last_modified):
        return None
    try:
        warc.locate(directory, newest.name)
    except WarcNotReadable:
        return None  # shipped away: the page itself is asked for
    return Validated(
        newest.id,
        newest.etag,
        newest.last_modified,
        warc.Original(newest.url, newest.fetched_at, newest.record_id),
        newest.payload_digest,
    )


def liars(connection: sa.Connection) -> frozenset[str]:
    """Portals that sent two payloads of one address under the same validators."""
    c = captures.c
    lies = (
        sa.select(attempts.c.portal)
        .join(captures)
        .where(c.status == 200, sa.or_(c.etag.is_not(None), c.last_modified.is_not(None)))
        .group_by(attempts.c.portal, c.url, c.etag, c.last_modified)
        .having(sa.func.count(c.payload_digest.distinct()) > 1)
    )
    return frozenset(connection.execute(lies.distinct()).scalars())


def _places(
    connection: sa.Connection, capture_id: int
) -> tuple[sa.Row[str, int, str, int], sa.Row[str, int, str, int]]:
    """File, offset, digest and status of a capture's record, and of the one with its payload."""
    c = captures.c
    query = (
        sa.select(warc_files.c.name, c.warc_offset, c.payload_digest, c.status)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .where(c.id == sa.bindparam("id"))
    )
    original = connection.execute(sa.select(c.revisit_of).where(c.id == capture_id)).one_or_none()
    if original is None:
        raise NotInArchive(f"there is no capture {capture_id}: `archive history` lists them")
    own = connection.execute(query, {"id": capture_id}).one()
    if original.revisit_of is None:
        return own, own
    return own, connection.execute(query, {"id": original.revisit_of}).one()


def _find_original(
    connection: sa.Connection, payload_digest: str
) -> sa.Row[int, str, datetime, str] | None:
    return connection.execute(_ORIGINAL, {"payload_digest": payload_digest}).one_or_none()


def end_attempt(connection: sa.Connection, asked: Asked, ending: Ending) -> None:
    connection.execute(
        attempts.update().where(attempts.c.id == sa.bindparam("asked")),
        {"asked": asked.id, **asdict(ending)},
    )


def add_capture(
    connection: sa.Connection, asked: Asked, status: int, head: bytes, size: int, stored: Stored
) -> CaptureRef:
    """The row of an answer whose record is durable; `head` is that of the answer, to the byte."""
    file_id, _ = find_or_add(
        connection, warc_files, {"name": stored.file}, {"run_id": asked.attempt.run_id}
    )
    row = {
        "attempt_id": asked.id,
        "url": asked.attempt.url,
        "fetched_at": asked.attempt.started_at,
        "status": status,
        "content_type": header(head, b"content-type"),
        "etag": header(head, b"etag"),
        "last_modified": header(head, b"last-modified"),
        "size": size,
        "payload_digest": stored.payload_digest,
        "warc_file_id": file_id,
        "warc_offset": stored.offset,
        "warc_length": stored.length,
        "record_id": stored.record_id,
        "revisit_of": stored.revisit_of,
    }
    revisit = stored.revisit_of is not None
    return CaptureRef(add(connection, captures, row), asked.id, stored.payload_digest, revisit)


def header(head: bytes, name: bytes) -> str | None:
    """The first value of a field of an HTTP head.

    >>> header(b"HTTP/1.1 200 OK\\r\\neTag:  a \\r\\n\\r\\n", b"etag")
    'a'
    """
    found = re.search(rb"^%b[ \t]*:[ \t]*(.*?)[ \t]*\r?$" % name, head, re.I | re.M)
    return found[1].decode("latin-1") if found and found[1] else None
