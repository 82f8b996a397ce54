"""When was the archive fed, by which spider, and how did each run end?"""

from __future__ import annotations

from typing import Any, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.schema import attempts, captures, runs


class Run(TypedDict):
    """One run. `state` stays `running` for a run that died; `bytes` are of the answers' bodies."""

    id: int
    spider: str
    state: str
    reason: str | None
    started_at: str
    ended_at: str | None
    attempts: int
    captures: int
    bytes: int
    software: str
    contact: str
    config_digest: str
    stats: dict[str, int]


@leaves
def recorded_runs(connection: sa.Connection, *, limit: int | None = None) -> list[Run]:
    """The runs, newest first, or only so many of the newest."""
    query = sa.select(runs).order_by(runs.c.id.desc()).limit(limit)
    rows = connection.execute(query).all()
    tallies = _tallies(connection, [row.id for row in rows]) if rows else {}
    return [_run(row, *tallies.get(row.id, (0, 0, 0))) for row in rows]


def _run(row: sa.Row[Any], attempts: int, captures: int, size: int) -> Run:
    return Run(
        id=row.id,
        spider=row.spider,
        state=row.state,
        reason=row.reason,
        started_at=row.started_at.isoformat(),
        ended_at=row.ended_at.isoformat() if row.ended_at else None,
        attempts=attempts,
        captures=captures,
        bytes=size,
        software=row.software,
        contact=row.contact,
        config_digest=row.config_digest,
        stats=row.stats or {},
    )


def _tallies(connection: sa.Connection, ids: list[int]) -> dict[int, tuple[int, int, int]]:
    """Run id → attempts, captures, bytes."""
    count, size = sa.func.count, sa.func.coalesce(sa.func.sum(captures.c.size), 0)
    query = (
        sa.select(attempts.c.run_id, count(attempts.c.id), count(captures.c.id), size)
        .outerjoin(captures)
        .where(attempts.c.run_id.between(min(ids), max(ids)))
        .group_by(attempts.c.run_id)
    )
    return {row[0]: (row[1], row[2], int(row[3])) for row in connection.execute(query)}
