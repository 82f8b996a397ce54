"""Verifying: is everything that was sealed still there, and is nothing else there?

It only reads, and may be asked while a crawl is running: what is newer than the newest manifest
entry is counted, not condemned. The order matters: what is written last, the manifest, is looked at
first, then the folder, the database, the files, so that whatever one of them names is there to be
found in the next. Rows and files are checked side by side, each with its own look at the database.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from storage.database import address, consistent, is_passing, open_for_reading
from storage.errors import DatabaseUnavailable, NotAnArchive
from storage.evidence.changes import Runs, runs_now
from storage.evidence.check_files import FileCheck, listing, readers
from storage.evidence.check_rows import check_rows, check_tables
from storage.evidence.manifest import FOLDER, Chain, locked, read_chain, strays
from storage.evidence.rows import prepare
from storage.evidence.verdict import FROM_A_COPY, Verdict
from storage.settings import Settings

_OURS = {"warc", "locks", FOLDER}
_WITHOUT = (
    "bring the folder back from a copy; without one, move it away and run `archive seal`, which "
    "begins a new chain: what was sealed before cannot be proved then"
)


def verify(settings: Settings, *, quick: bool = False, head: str | None = None) -> Verdict | None:
    """Hold the archive against its manifest; None where there is no archive yet.

    `quick` leaves out the records within the files and the references between the rows. `head` is
    a digest noted elsewhere, which must be in the chain. Raises what open_for_reading raises, and
    NotAnArchive where there are WARC files and no database.
    """
    verdict = Verdict()
    chain = _chain(settings.home / FOLDER, verdict, head)
    listed = listing(settings.warc_directory)
    with readers(listed) as pool:
        asked = (settings, chain, not quick)
        begun = pool.submit(_check_rows, *asked) if pool else None
        files = _check_files(*asked, listed, pool)
        rows = begun.result() if begun else _check_rows(*asked)
    if rows is None or files is None:
        if listed or chain.entries:
            raise NotAnArchive(
                f"{settings.home} has files of an archive and no database: bring it back from a "
                "copy, or set GONGKAI_DATABASE_URL"
            )
        return None
    verdict += rows
    verdict += files
    _strangers(settings, verdict)
    return verdict


def _check_rows(settings: Settings, chain: Chain, whole: bool) -> Verdict | None:
    verdict = Verdict()
    with _looking(settings, verdict) as connection:
        if connection is None:
            return None
        now = runs_now(connection, chain)
        _standing(chain, now, verdict)
        check_rows(connection, chain, now, verdict)
        if whole:
            check_tables(connection, verdict)
    return verdict


def _check_files(
    settings: Settings,
    chain: Chain,
    whole: bool,
    listed: Mapping[str, int],
    pool: ProcessPoolExecutor | None,
) -> Verdict | None:
    verdict = Verdict()
    with _looking(settings, verdict) as connection:
        if connection is None:
            return None
        now, folder = runs_now(connection, chain), settings.warc_directory
        FileCheck(connection, folder, listed, chain, now, verdict, whole, pool).run()
    return verdict


@contextmanager
def _looking(settings: Settings, verdict: Verdict) -> Iterator[sa.Connection | None]:
    """One moment of the database, if there is one. Damage stops this check and not the other."""
    engine = open_for_reading(settings)
    if engine is None:
        yield None
        return
    try:
        with consistent(engine).connect() as connection:
            prepare(connection)
            yield connection
    except DatabaseError as error:
        said, where = str(error.orig).strip().splitlines()[0], address(engine)
        if is_passing(error):
            raise DatabaseUnavailable(f"{where} went away ({said}): try again") from error
        verdict.wrong(where, f"cannot be read on ({said})", FROM_A_COPY)
    finally:
        engine.dispose()


def _chain(folder: Path, verdict: Verdict, head: str | None) -> Chain:
    if folder.is_dir():
        with locked(folder, fcntl.LOCK_SH):
            chain = read_chain(folder)
            left = strays(folder, chain.head.name if chain.head else None)
    else:
        chain, left = Chain(), []
    for broken in chain.breaks:
        verdict.wrong(str(folder / broken.name), broken.what, _WITHOUT)
    for path in left:
        verdict.notes.append(f"{path}: left by a seal that was interrupted; the next takes it away")
    verdict.entries = len(chain.entries)
    verdict.head = chain.head.digest if chain.head else None
    if head is not None and head not in {entry.digest for entry in chain.entries}:
        what = f"no entry has the digest {head}: the chain was cut short or written anew"
        verdict.wrong(str(folder), what, _WITHOUT)
    return chain


def _standing(chain: Chain, now: Runs, verdict: Verdict) -> None:
    """Which runs the manifest does not cover."""
    ended = sorted(now.settled)
    if chain.head is None and not chain.breaks and ended:
        what = "there is no manifest, so nothing says what the rows and files should be"
        verdict.wrong(FOLDER, what, f"bring it back from a copy; the first is written by {_SEAL}")
    elif ended:
        verdict.notes.append(f"{_runs(ended)} ended and not sealed: {_SEAL}")
    if going := sorted(now.open - now.settled):
        verdict.notes.append(
            f"{_runs(going)} not ended: under way, or left by a crawl that died or was stopped; "
            "its rows are sealed when it ends"
        )


def _strangers(settings: Settings, verdict: Verdict) -> None:
    """What lies in the home and is no part of the archive."""
    if not settings.home.is_dir():
        return
    ours = set(_OURS)
    if settings.sqlite_path is not None and settings.sqlite_path.parent == settings.home:
        name = settings.sqlite_path.name
        ours |= {name, f"{name}-wal", f"{name}-shm", f"{name}-journal"}
    for path in sorted(settings.home.iterdir()):
        if path.name not in ours:
            verdict.notes.append(f"{path}: is no part of the archive")
    folder = settings.home / FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix not in {".json", ".part"}:
            verdict.wrong(str(path), "belongs to nothing", "move it out of the archive")


_SEAL = "`archive seal`"


def _runs(ids: list[int]) -> str:
    few = ", ".join(map(str, ids[:3])) + (", …" if len(ids) > 3 else "")
    return f"run {few} has" if len(ids) == 1 else f"runs {few} have"
