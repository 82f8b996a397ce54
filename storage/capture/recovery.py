"""What a run that died left behind, put in order before it goes on.

Three things can be amiss: a torn tail of a WARC file (storage.capture.warc cuts it), a record whose
rows were never committed (adopted here by the number of its attempt), and an attempt that was under
way (it is `interrupted`; whether the server saw it nobody can know).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from storage.capture import warc
from storage.capture.captures import (
    ASKED,
    INTERRUPTED,
    Asked,
    Attempt,
    Ending,
    Stored,
    add_capture,
    end_attempt,
    payload,
)
from storage.database import transact
from storage.schema import attempts, captures, warc_files


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many answers were adopted, and how many attempts had none."""

    adopted: int
    interrupted: int


def recover(engine: sa.Engine, directory: Path, run_id: int) -> Recovered:
    """Put a dead run in order. Its WARC files must be sealed; nobody may be writing to the run.

    What an adopted answer was, its record says. Doing it twice changes nothing. Raises
    WarcNotReadable, DatabaseUnavailable.
    """
    open_attempts = transact(engine, lambda connection: _under_way(connection, run_id))
    adopted = 0
    if open_attempts:
        for path in sorted(directory.glob(f"*-{run_id:06d}-*.warc.gz")):
            adopted += _adopt_from(engine, path, open_attempts)
    left = transact(engine, lambda connection: _interrupt(connection, run_id))
    return Recovered(adopted, left)


def _under_way(connection: sa.Connection, run_id: int) -> dict[int, Attempt]:
    a = attempts.c
    query = sa.select(attempts).where(a.run_id == run_id, a.outcome == ASKED)
    return {
        row.id: Attempt(
            row.run_id, row.portal, row.url, row.purpose, row.started_at, row.retry, row.referrer
        )
        for row in connection.execute(query)
    }


def _adopt_from(engine: sa.Engine, path: Path, waiting: dict[int, Attempt]) -> int:
    begin = transact(engine, lambda connection: _end_of_rows(connection, path.name))
    adopted = 0
    for offset, length, headers, block in warc.records(path, begin):
        attempt = waiting.get(int(headers.get(warc.ATTEMPT, 0)))
        if attempt is None or headers["WARC-Type"] not in {"response", "revisit"}:
            continue
        asked = Asked(int(headers[warc.ATTEMPT]), attempt)
        original = _original(engine, headers)
        head, body = warc.split(block)
        if original is not None and headers["WARC-Profile"] == warc.IDENTICAL:
            body = payload(engine, path.parent, original)
        ending = Ending(headers[warc.OUTCOME], status=int(head.split(None, 2)[1]), size=len(body))
        stored = _stored(path.name, offset, length, headers, original)

        def work(
            connection: sa.Connection,
            asked: Asked = asked,
            ending: Ending = ending,
            head: bytes = head,
            stored: Stored = stored,
        ) -> None:
            end_attempt(connection, asked, ending)
            add_capture(connection, asked, ending.status or 0, head, ending.size, stored)

        transact(engine, work)
        adopted += 1
    return adopted


def _end_of_rows(connection: sa.Connection, name: str) -> int:
    """Where the newest record with a row ends; 0 for a file without any."""
    end = sa.func.max(captures.c.warc_offset + captures.c.warc_length)
    query = sa.select(end).join(warc_files, warc_files.c.id == captures.c.warc_file_id)
    return int(connection.execute(query.where(warc_files.c.name == name)).scalar() or 0)


def _original(engine: sa.Engine, headers: dict[str, str]) -> int | None:
    """The capture a revisit record refers to."""
    if headers["WARC-Type"] != "revisit":
        return None
    of = sa.select(captures.c.id).where(captures.c.record_id == headers["WARC-Refers-To"])
    return transact(engine, lambda connection: int(connection.execute(of).scalar_one()))


def _stored(
    name: str, offset: int, length: int, headers: dict[str, str], original: int | None
) -> Stored:
    return Stored(
        name,
        offset,
        length,
        headers["WARC-Record-ID"],
        headers["WARC-Payload-Digest"],
        original,
    )


def _interrupt(connection: sa.Connection, run_id: int) -> int:
    a = attempts.c
    update = attempts.update().where(a.run_id == run_id, a.outcome == ASKED)
    return connection.execute(update.values(outcome=INTERRUPTED)).rowcount
