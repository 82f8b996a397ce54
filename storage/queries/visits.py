"""What does the next visitor of a portal have to know of those before: when, how often, how met?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.capture import warc
from storage.capture.captures import header
from storage.errors import WarcNotReadable
from storage.schedule.manners import LONGEST_ABSENCE, NEVER_SENT, may_ask_to_wait, retry_after
from storage.schema import attempts, captures, warc_files

# With retries and our own deaths between them, more than a circuit breaker ever looks back on.
_RECENT = 50


@dataclass(frozen=True, slots=True)
class Past:
    """The requests that a portal has got so far, by any run.

    `today` counts those since its local midnight; `wanted_back` is the end of its longest
    Retry-After; `recent` are address and outcome of the last ones, oldest first.
    """

    last: datetime | None
    today: int
    wanted_back: datetime | None
    recent: tuple[tuple[str, str], ...]


def past(
    connection: sa.Connection, directory: Path, portal: str, timezone: str, now: datetime
) -> Past:
    """`directory` holds the WARC files; an answer whose file was moved away asks for nothing."""
    a = attempts.c
    sent = sa.and_(a.portal == portal, a.outcome.not_in(sorted(NEVER_SENT)))
    local = now.astimezone(ZoneInfo(timezone))
    midnight = datetime.combine(local.date(), time(), local.tzinfo)
    newest = sa.select(a.started_at, a.url, a.outcome).where(sent)
    recent = connection.execute(newest.order_by(a.started_at.desc()).limit(_RECENT)).all()
    today = sa.select(sa.func.count()).where(sent, a.started_at >= midnight)
    return Past(
        last=recent[0].started_at if recent else None,
        today=connection.execute(today).scalar_one(),
        wanted_back=_wanted_back(connection, directory, portal, now - LONGEST_ABSENCE),
        recent=tuple((row.url, row.outcome) for row in reversed(recent)),
    )


def _wanted_back(
    connection: sa.Connection, directory: Path, portal: str, since: datetime
) -> datetime | None:
    """The latest moment to which answers since then asked to wait."""
    query = (
        sa.select(captures.c.status, captures.c.warc_offset, warc_files.c.name)
        .add_columns(attempts.c.started_at, attempts.c.duration_ms)
        .select_from(attempts)
        .join(captures, captures.c.attempt_id == attempts.c.id)
        .join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        .where(attempts.c.portal == portal, attempts.c.started_at >= since)
        .where(captures.c.status >= 300)
    )
    latest = None
    for row in connection.execute(query):
        if not may_ask_to_wait(row.status):
            continue
        try:
            _, head, _ = warc.read_record(warc.locate(directory, row.name), row.warc_offset)
        except WarcNotReadable:
            continue
        ended = row.started_at + timedelta(milliseconds=row.duration_ms)
        seconds = retry_after(header(head, b"retry-after"), ended)
        until = ended + timedelta(seconds=seconds)
        if seconds and (latest is None or until > latest):
            latest = until
    return latest
