"""Sealing: what is new in the archive is written into the manifest, at the end of every run."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from storage.database import address, consistent, open_for_reading, transact
from storage.errors import DatabaseUnavailable, DirectoryError, ManifestBroken
from storage.evidence.changes import (
    Change,
    Runs,
    runs_now,
    state_now,
    unexplained,
)
from storage.evidence.ledger import Strand, compared, new_segments
from storage.evidence.manifest import FOLDER, Chain, Entry, State, add_entry, locked, read_chain
from storage.evidence.rows import BY_RUN, GROWING, anchor_of, key_of, lines, prepare
from storage.schema import DERIVED, REVISION, attempts, metadata
from storage.settings import Settings

_BLOCK = 1 << 20


# What `accept` may take over: the tables, and the WARC files.
FILES = "files"
EVERYTHING = frozenset({*metadata.tables, FILES}) - DERIVED


@dataclass(slots=True)
class _Survey:
    """What the database has to say for an entry."""

    runs: dict[int, str | None]
    rows: dict[str, list[list[int | str | None]]]
    state: State
    changed: list[Change]


def seal(
    settings: Settings,
    at: datetime,
    run_id: int | None = None,
    accept: str | None = None,
    only: Collection[str] | None = None,
) -> Entry | None:
    """Add an entry to the manifest; None when no run has been at work since the newest.

    `run_id` is the run whose end this is. What was sealed before stays as it was sealed, even where
    it has changed since: `archive verify` goes on naming it. `accept`, the reason for a change made
    on purpose and by no run, takes over what changed in `only` these of EVERYTHING (default: all),
    and stands in the entry; with none of them it takes over the rows that were added.

    Never writes to the database; it holds no writer up for longer than a moment. Raises
    ManifestBroken, DirectoryError, DatabaseUnavailable and what open_for_reading raises.
    """
    accepted = frozenset() if accept is None else EVERYTHING if only is None else frozenset(only)
    engine = open_for_reading(settings)
    if engine is None:
        return None
    directory = settings.home / FOLDER
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory, fcntl.LOCK_EX):
            chain = read_chain(directory)
            for broken in chain.breaks:
                raise ManifestBroken(
                    f"{directory / broken.name} {broken.what}: bring the folder back from a copy; "
                    "without one, move it away and run `archive seal`, which begins a new chain"
                )
            survey = transact(
                consistent(engine), lambda connection: _survey(connection, chain, accept, accepted)
            )
            if survey is None:
                return None
            files = _files(settings.warc_directory, chain, again=FILES in accepted)
            said = {
                "run": run_id,
                "software": f"gongkai/{version('gongkai')}",
                "schema": REVISION,
                "accepted": accept,
                "changed": survey.changed,
                "files": dict(files),
                "runs": survey.runs,
                "rows": survey.rows,
                "counts": _counts(chain, survey.rows),
            }
            return add_entry(directory, chain, at, said, survey.state)
    except DatabaseError as error:
        raise DatabaseUnavailable(
            f"{address(engine)} cannot be read ({str(error.orig).strip()}): bring it back from a "
            "copy, then run `archive seal`"
        ) from error
    except OSError as error:
        raise DirectoryError(
            f"cannot use {error.filename or directory} ({error.strerror}): make it readable and "
            "its folder writable, then run `archive seal`"
        ) from error
    finally:
        engine.dispose()


def _survey(
    connection: sa.Connection, chain: Chain, accept: str | None, accepted: Collection[str]
) -> _Survey | None:
    _settle(connection)
    prepare(connection)
    now = runs_now(connection, chain)
    if not now.at_work and accept is None:
        return None
    rows = {}
    for name in (*GROWING, *BY_RUN):
        if name in accepted:
            rows[name] = list(_anew(connection, chain, now, name))
        elif name in BY_RUN:
            rows[name] = list(_of_runs(connection, chain, now, name))
        else:
            rows[name] = [[None, *segment] for segment in _grown(connection, chain, name)]
    if not now.at_work and not accepted and not any(rows.values()):
        return None
    state = state_now(connection)
    damage, _ = unexplained(connection, chain, now, state)
    for change in damage:
        if change.table not in accepted:
            _keep(state[change.table], change.key, change.before)
    return _Survey(
        _runs(chain, now, anew="runs" in accepted),
        {name: segments for name, segments in rows.items() if segments},
        state,
        [change for change in damage if change.table in accepted],
    )


def _runs(chain: Chain, now: Runs, *, anew: bool) -> dict[int, str | None]:
    """The rows of runs that have ended; None for one that goes on, or that is gone."""
    said: dict[int, str | None] = {run: now.digests[run] for run in sorted(now.settled)}
    said |= dict.fromkeys(sorted(now.resumed - now.settled))
    if anew:
        sealed = chain.runs.items() - now.digests.items()
        said |= {run: now.digests.get(run) for run, _ in sorted(sealed) if run not in now.open}
    return said


def _anew(
    connection: sa.Connection, chain: Chain, now: Runs, name: str
) -> Iterator[list[int | str | None]]:
    """Every row as it is now; only what differs from the chain, or is new, is said."""
    ended = now.settled | (chain.runs.keys() - now.open)
    for run, strand in compared(lines(connection, metadata.tables[name]), chain, name).items():
        if run is None or run in ended:
            for segment in (*(found for _, found in strand.differing), *strand.fresh):
                yield [run, *segment]


def _grown(connection: sa.Connection, chain: Chain, name: str) -> Iterator[Any]:
    table = metadata.tables[name]
    horizon = connection.execute(sa.select(sa.func.max(anchor_of(table)))).scalar()
    after = chain.horizon(name)
    behind = () if after is None else (key_of(table) > after,)
    yield from new_segments(lines(connection, table, *behind), after, horizon)


def _of_runs(
    connection: sa.Connection, chain: Chain, now: Runs, name: str
) -> Iterator[list[int | str | None]]:
    table = metadata.tables[name]
    rows = lines(connection, table, attempts.c.run_id.in_(sorted(now.settled)))
    for run, strand in compared(rows, chain, name, now.settled).items():
        for segment in (*_late(strand), *strand.fresh):
            yield [run, *segment]


def _late(strand: Strand) -> Iterator[Any]:
    """Segments of a resumed run that it added rows to: it read a page it had captured before."""
    return (found for sealed, found in strand.differing if found.rows > sealed.rows)


def _counts(chain: Chain, rows: Mapping[str, list[list[Any]]]) -> dict[str, int]:
    """How many rows of each table are sealed with this entry; `runs` and the state apart."""
    sealed = {
        (table, run, last): segment.rows
        for (table, run), segments in chain.segments.items()
        for last, segment in segments.items()
    }
    for table, segments in rows.items():
        sealed |= {(table, run, last): count for run, _, last, count, _ in segments}
    counts = dict.fromkeys((*GROWING, *BY_RUN), 0)
    for (table, _, _), count in sealed.items():
        counts[table] += count
    return counts


def _keep(rows: dict[str, dict[str, Any]], key: str, before: dict[str, Any] | None) -> None:
    if before is None:
        del rows[key]
    else:
        rows[key] = before


def _settle(connection: sa.Connection) -> None:
    """See no row without those whose numbers were drawn before its own.

    On PostgreSQL a transaction under way may hold a lower id than one that is committed. Waiting
    for every writer once, and then looking, leaves none out; the locks are let go before the rows
    are read. On SQLite numbers are drawn and committed in one order.
    """
    if connection.dialect.name != "postgresql":
        return
    with connection.begin_nested() as moment:
        # Writers queue behind a lock that is waited for; one that hangs must not hold up a crawl.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        names = ", ".join(metadata.tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE MODE")
        connection.exec_driver_sql("SELECT 1")  # the transaction sees this moment from here on
        moment.rollback()


def _files(directory: Path, chain: Chain, *, again: bool) -> Iterator[tuple[str, list[Any]]]:
    """Size and SHA-256 of every file that is new; looked at `again`, of every one that differs."""
    for path in sorted(directory.glob("*.warc.gz")):
        if path.name in chain.files and not again:
            continue
        sealed = [path.stat().st_size, _digest(path)]
        if sealed != list(chain.files.get(path.name, ())):
            yield path.name, sealed


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
