"""The archive in figures for Prometheus: a text file after each run, and `/metrics`."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.alerts.record import open_alerts
from storage.errors import DirectoryError
from storage.ledger.cells import ledger
from storage.queries.spiders import spiders
from storage.schedule.due import Due, due
from storage.schema import attempts, captures, listing_reads, listings, reports, runs, versions
from storage.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_MISSING = "metrics need the extra `metrics`: pip install -e '.[metrics]'"


def exposition(connection: sa.Connection, settings: Settings, at: datetime) -> bytes:
    """The figures in the text format of Prometheus. Raises ModuleNotFoundError without it."""
    from prometheus_client import generate_latest

    return generate_latest(registry(connection, settings, at))


def write_metrics(connection: sa.Connection, settings: Settings, at: datetime) -> str | None:
    """Put the figures into a file, whole or not at all; why not, where the extra is missing.

    GONGKAI_METRICS names it (for the textfile collector of node_exporter), else it is
    `metrics.prom` in GONGKAI_HOME. Raises DirectoryError.
    """
    try:
        from prometheus_client import write_to_textfile
    except ModuleNotFoundError:
        return _MISSING
    path = Path(os.environ.get("GONGKAI_METRICS") or settings.home / "metrics.prom")
    try:
        write_to_textfile(str(path), registry(connection, settings, at))
    except OSError as error:
        raise DirectoryError(
            f"cannot write {path} ({error.strerror}): make its folder writable or name another "
            "file with GONGKAI_METRICS"
        ) from error
    return None


def registry(connection: sa.Connection, settings: Settings, at: datetime) -> CollectorRegistry:
    """Every figure of the archive as it is now."""
    from prometheus_client import CollectorRegistry

    found = CollectorRegistry()
    _gauge(found, "judged_timestamp_seconds", "When these figures were taken.", {(): at})
    _runs(found, connection)
    _listings(found, connection)
    cells = Counter((c["portal"], c["state"]) for c in ledger(connection, at=at))
    _gauge(found, "ledger_cells", "Organs and years by state.", cells, "portal", "state")
    waiting = {
        (key,): _waiting(due(connection, key, at, terms.timezone))
        for spider in spiders(connection)
        for key, terms in spider.portals.items()
    }
    _gauge(found, "due", "Listings, pages and entries that wait.", waiting, "portal")
    _alerts(found, connection)
    tables = {"captures": captures, "reports": reports, "versions": versions}
    count = {(name,): _count(connection, table) for name, table in tables.items()}
    _gauge(found, "rows", "Rows of the archive.", count, "table")
    _gauge(found, "archive_bytes", "Bytes on the disk.", _bytes(settings), "part")
    return found


def _runs(found: CollectorRegistry, connection: sa.Connection) -> None:
    newest = sa.select(sa.func.max(runs.c.id)).group_by(runs.c.spider)
    rows = connection.execute(sa.select(runs).where(runs.c.id.in_(newest))).all()
    started = {(row.spider,): row.started_at for row in rows}
    _gauge(found, "run_started_timestamp_seconds", "The newest run's start.", started, "spider")
    ended = {(row.spider,): row.ended_at for row in rows if row.ended_at is not None}
    _gauge(found, "run_ended_timestamp_seconds", "The newest run's end.", ended, "spider")
    state = {(row.spider, row.state): 1 for row in rows}
    _gauge(found, "run_state", "1 for the newest run's state.", state, "spider", "state")
    a = attempts.c
    asked: sa.Select[Any] = (
        sa.select(a.portal, a.outcome, sa.func.count())
        .where(a.run_id.in_([row.id for row in rows]), a.portal.is_not(None))
        .group_by(a.portal, a.outcome)
    )
    requests = {(row[0], row[1]): row[2] for row in connection.execute(asked)}
    told = "Requests of the newest runs."
    _gauge(found, "run_requests", told, requests, "portal", "outcome")


def _listings(found: CollectorRegistry, connection: sa.Connection) -> None:
    r = listing_reads.c
    newest = sa.select(sa.func.max(r.id)).group_by(r.listing_id)
    query: sa.Select[Any] = (
        sa.select(listings.c.portal, r.verdict, sa.func.count())
        .join(listings)
        .where(r.id.in_(newest))
        .group_by(listings.c.portal, r.verdict)
    )
    verdicts = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    told = "Listings by the verdict of the newest look."
    _gauge(found, "listings", told, verdicts, "portal", "verdict")


def _waiting(what: Due) -> int:
    parts = (what.listings, what.pages, what.entries)
    return sum(map(len, parts)) + (what.tree is not None)


def _alerts(found: CollectorRegistry, connection: sa.Connection) -> None:
    counted = Counter(
        (alert["kind"], alert["severity"], alert["state"], alert["portal"] or "")
        for alert in open_alerts(connection)
    )
    told = "Alerts that are not closed."
    _gauge(found, "alerts", told, counted, "kind", "severity", "state", "portal")


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _bytes(settings: Settings) -> dict[tuple[str], int]:
    warcs = settings.warc_directory
    sizes = {
        ("warc",): sum(path.stat().st_size for path in warcs.glob("*")) if warcs.is_dir() else 0
    }
    if settings.sqlite_path is not None and settings.sqlite_path.is_file():
        sizes["database",] = settings.sqlite_path.stat().st_size
    return sizes


def _gauge(
    found: CollectorRegistry,
    name: str,
    told: str,
    values: dict[Any, Any] | Counter[Any],
    *labels: str,
) -> None:
    """A gauge `gongkai_…` with a value for each tuple of labels; a moment is one in seconds."""
    from prometheus_client import Gauge

    gauge = Gauge(f"gongkai_{name}", told, labels, registry=found)
    for key, value in values.items():
        number = value.timestamp() if isinstance(value, datetime) else value
        (gauge.labels(*key) if labels else gauge).set(number)
