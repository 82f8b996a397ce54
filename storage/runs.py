"""A run: one start of a spider, from its first request to its last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from storage.database import transact
from storage.rows import add, find_or_add
from storage.schema import organs, portals, runs


@dataclass(frozen=True, slots=True)
class PortalRecord:
    """A portal of the registry; `government` is the canonical name of its government organ."""

    key: str
    division_code: str
    name_zh: str
    name_en: str
    cms: str
    government: str


def begin_run(
    engine: sa.Engine,
    spider: str,
    portals: Sequence[PortalRecord],
    software: str,
    contact: str,
    config_digest: str,
) -> int:
    """The id of a new run. Its portals and their governments are in the archive from here on."""
    row = {
        "spider": spider,
        "state": "running",
        "started_at": datetime.now(UTC),
        "software": software,
        "contact": contact,
        "config_digest": config_digest,
    }

    def work(connection: sa.Connection) -> int:
        for portal in portals:
            _keep_portal(connection, portal)
        return add(connection, runs, row)

    return transact(engine, work)


def end_run(
    engine: sa.Engine, run_id: int, state: str, reason: str, stats: Mapping[str, int]
) -> None:
    """Close a run; `state` is complete, incomplete or failed."""
    end = (
        runs.update()
        .where(runs.c.id == run_id)
        .values(state=state, reason=reason, stats=dict(stats), ended_at=datetime.now(UTC))
    )
    transact(engine, lambda connection: connection.execute(end))


def _keep_portal(connection: sa.Connection, portal: PortalRecord) -> None:
    values = asdict(portal)
    updated = connection.execute(
        portals.update().where(portals.c.key == portal.key).values(**values)
    )
    if not updated.rowcount:
        connection.execute(portals.insert().values(**values))
    find_or_add(
        connection,
        organs,
        {"division_code": portal.division_code, "name": portal.government},
        {"kind": "government", "portal": portal.key},
    )
