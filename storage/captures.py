"""Raw versions: every attempt leaves a row, every answer its bytes; and the bytes back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from storage import warc
from storage.database import transact
from storage.errors import NotInArchive, WarcNotReadable
from storage.rows import add, find_or_add
from storage.schema import attempts, captures, warc_files
from storage.warc import Exchange

__all__ = ["Attempt", "CaptureRef", "Exchange", "Recorder", "payload"]


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made, answered or not.

    `purpose` says why it was made (robots, entry, listing, report, attachment, seed, probe,
    redirect), `outcome` what came of it (ok, http_error, redirect, dns, timeout, …; an open set).
    """

    run_id: int
    portal: str | None
    url: str
    purpose: str
    started_at: datetime
    duration_ms: int
    outcome: str
    status: int | None = None
    size: int = 0
    retry: int = 0
    error: str | None = None
    referrer: str | None = None


@dataclass(frozen=True, slots=True)
class CaptureRef:
    """The row of a capture; `payload_digest` is that of its record, letter for letter."""

    id: int
    attempt_id: int
    payload_digest: str
    revisit: bool


@dataclass(frozen=True, slots=True)
class _Stored:
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
        directory.mkdir(parents=True, exist_ok=True)
        warc.seal_leftovers(directory)
        self._writer = warc.WarcWriter(directory, run_id, warcinfo)

    def record(self, attempt: Attempt, exchange: Exchange | None) -> CaptureRef | None:
        """Keep an attempt and its answer; None when there was no answer.

        The bytes are on the disk before the rows that point to them are committed. Raises
        WarcNotWritten or DatabaseUnavailable; then no row points to this answer.
        """
        with self._lock:
            if exchange is None:
                transact(self._engine, lambda connection: _add_attempt(connection, attempt))
                return None
            stored = self._store(attempt, exchange)
            return transact(
                self._engine,
                lambda connection: _add_capture(connection, attempt, exchange, stored),
            )

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

    def _store(self, attempt: Attempt, exchange: Exchange) -> _Stored:
        payload_digest = warc.digest(exchange.body)
        earlier = None
        # Only a page worth finding again; every empty body and every error page would match.
        if exchange.status == 200 and exchange.body:
            earlier = transact(self._engine, lambda c: _find_original(c, payload_digest))
        record_id = warc.new_record_id()
        records = warc.exchange_records(
            exchange,
            attempt.started_at,
            record_id,
            payload_digest,
            warc.Original(earlier.url, earlier.fetched_at, earlier.record_id) if earlier else None,
        )
        file, offsets = self._writer.append(records)
        return _Stored(
            file,
            offsets[0],
            len(records[0]),
            record_id,
            payload_digest,
            earlier.id if earlier else None,
        )


def payload(engine: sa.Engine, directory: Path, capture_id: int) -> bytes:
    """The body of a capture as received (a revisit's from its original), checked by its digest.

    Raises NotInArchive, or WarcNotReadable when the bytes are not there or not the same any more.
    """
    with engine.connect() as connection:
        row = _place(connection, capture_id)
    path = warc.locate(directory, row.name)
    _, _, body = warc.read_record(path, row.warc_offset)
    if warc.digest(body) != row.payload_digest:
        raise WarcNotReadable(
            f"the record at {row.warc_offset} of {path} is not what was captured "
            f"({row.payload_digest}): bring the file back from a copy"
        )
    return body


def _place(connection: sa.Connection, capture_id: int) -> sa.Row[str, int, str]:
    """File, offset and digest of the record that holds a capture's payload."""
    asked = captures.alias("asked")
    row = connection.execute(
        sa.select(warc_files.c.name, captures.c.warc_offset, asked.c.payload_digest)
        .select_from(asked)
        .join(captures, captures.c.id == sa.func.coalesce(asked.c.revisit_of, asked.c.id))
        .join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        .where(asked.c.id == capture_id)
    ).one_or_none()
    if row is None:
        raise NotInArchive(f"there is no capture {capture_id}: `archive history` lists them")
    return row


def _find_original(
    connection: sa.Connection, payload_digest: str
) -> sa.Row[int, str, datetime, str] | None:
    return connection.execute(_ORIGINAL, {"payload_digest": payload_digest}).one_or_none()


def _add_attempt(connection: sa.Connection, attempt: Attempt) -> int:
    return add(connection, attempts, asdict(attempt))


def _add_capture(
    connection: sa.Connection, attempt: Attempt, exchange: Exchange, stored: _Stored
) -> CaptureRef:
    attempt_id = _add_attempt(connection, attempt)
    file_id, _ = find_or_add(
        connection, warc_files, {"name": stored.file}, {"run_id": attempt.run_id}
    )
    row = {
        "attempt_id": attempt_id,
        "url": exchange.url,
        "fetched_at": attempt.started_at,
        "status": exchange.status,
        "content_type": exchange.content_type,
        "size": len(exchange.body),
        "payload_digest": stored.payload_digest,
        "warc_file_id": file_id,
        "warc_offset": stored.offset,
        "warc_length": stored.length,
        "record_id": stored.record_id,
        "revisit_of": stored.revisit_of,
    }
    revisit = stored.revisit_of is not None
    return CaptureRef(add(connection, captures, row), attempt_id, stored.payload_digest, revisit)
