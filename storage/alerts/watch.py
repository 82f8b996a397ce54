"""After a run, or without one: judge the archive, keep its alerts, tell people, show figures."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import datetime

import sqlalchemy as sa

from storage.alarms import judge
from storage.alerts.feed import write_feed
from storage.alerts.metrics import write_metrics
from storage.alerts.notify import tell
from storage.alerts.record import Event, sound
from storage.database import transact
from storage.settings import Settings

logger = logging.getLogger(__name__)
FEED = "alerts.atom"


def watch(
    settings: Settings, engine: sa.Engine, *, run_id: int | None, at: datetime
) -> list[Event]:
    """Judge the archive as it is at `at`; what became of alerts by it.

    The alerts are kept before anybody is told. Raises DatabaseUnavailable, DirectoryError.
    """

    def work(connection: sa.Connection) -> list[Event]:
        judged = judge(connection, settings, at)
        return sound(
            connection,
            judged.alarms,
            run_id=run_id,
            at=at,
            looked_at=judged.looked_at,
            held=judged.held,
        )

    events = transact(engine, work)
    tell(engine, run_id=run_id, at=at)
    with engine.connect() as connection, ExitStack() as steps:
        # Each is written whatever comes of the other.
        steps.callback(_write_metrics, connection, settings, at)
        steps.callback(write_feed, connection, settings.home / FEED)
    return events


def _write_metrics(connection: sa.Connection, settings: Settings, at: datetime) -> None:
    missing = write_metrics(connection, settings, at)
    if missing is not None:
        logger.debug("%s", missing)
