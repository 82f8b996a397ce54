"""Checks of what is kept: database, WARC files, manifest, room for more, and the clock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from shutil import disk_usage
from statistics import median
from typing import Any

import sqlalchemy as sa

from storage.capture.captures import header
from storage.capture.heads import HeadReader
from storage.capture.warc import locate
from storage.doctor.model import Patient, Said, asked
from storage.errors import WarcNotReadable
from storage.evidence.manifest import FOLDER, locked, read_chain
from storage.schema import REVISION, attempts, captures, runs, warc_files

_FROM_A_COPY = "bring it back from a copy; `archive verify` names everything that is wrong"
# Of disk use. A season's nights differ, so a month is looked at.
_LOOKED_AT = timedelta(days=30)
_FEWEST_DAYS = 60
_LEAST_FREE = 2_000_000_000  # bytes; a crawl stops asking below half a gigabyte
# Servers' clocks differ by seconds; a certificate, a deadline and a Retry-After bear no minutes.
_OFF_BY = 120  # seconds
_NEWEST = 25


def integrity(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """The schema is this checkout's (else nothing opens), and SQLite's pages are whole."""
    there = asked(connection)
    if there.dialect.name == "sqlite":
        found = there.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            yield "cannot_run", f"the database is damaged: {found}", _FROM_A_COPY
            return
    yield "well", f"schema {REVISION} on {there.dialect.name}", ""


def files(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """Every WARC file that rows point into is there and long enough."""
    c = captures.c
    query = (
        sa.select(warc_files.c.name, sa.func.max(c.warc_offset + c.warc_length))
        .outerjoin(captures, c.warc_file_id == warc_files.c.id)
        .group_by(warc_files.c.name)
        .order_by(warc_files.c.name)
    )
    directory, bad, count = patient.settings.warc_directory, [], 0
    for name, least in asked(connection).execute(query):
        count += 1
        try:
            size = locate(directory, name).stat().st_size
        except WarcNotReadable:
            bad.append(f"{name} is not there")
            continue
        if size < (least or 0):
            bad.append(f"{name} ends before its last record")
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        yield "attention", f"of {count} WARC files {bad[0]}{more}", _FROM_A_COPY
    else:
        yield "well", f"{count} WARC files are there", ""


def manifest(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """The chain is whole up to its head."""
    folder = patient.settings.home / FOLDER
    if not folder.is_dir():
        yield "well", "nothing was sealed yet", ""
        return
    with locked(folder, fcntl.LOCK_SH):
        chain = read_chain(folder)
    for broken in chain.breaks:
        yield "attention", f"{folder / broken.name} {broken.what}", _FROM_A_COPY
    if chain.head is not None and not chain.breaks:
        yield "well", f"{len(chain.entries)} entries, head sha256:{chain.head.digest}", ""


def disk(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """How long the free room lasts if the next weeks bring what the last did."""
    free = disk_usage(patient.settings.home).free
    c = captures.c
    since = patient.now - _LOOKED_AT
    kept = sa.select(sa.func.coalesce(sa.func.sum(c.warc_length), 0), sa.func.min(c.fetched_at))
    used, first = asked(connection).execute(kept.where(c.fetched_at >= since)).one()
    used = int(used)
    days = max((patient.now - first) / timedelta(days=1), 1.0) if first else 1.0
    lasts = free * days / used if used else float("inf")
    told = f"{free / 1e9:.1f} GB free; the last {days:.0f} days took {used / 1e6:.0f} MB"
    if free < _LEAST_FREE:
        yield "attention", told, "make room: a crawl asks for nothing when the disk is full"
    elif lasts < _FEWEST_DAYS:
        yield (
            "attention",
            f"{told}: enough for {lasts:.0f} days",
            (
                "make room, or move old WARC files to another disk and link to them from "
                "GONGKAI_HOME/warc"
            ),
        )
    else:
        yield "well", told, ""


def clock(patient: Patient, connection: sa.Connection | None) -> Iterator[Said]:
    """Nothing was captured in the future, and the servers' clocks agree with ours."""
    there = asked(connection)
    for what, column in (("run", runs.c.started_at), ("capture", captures.c.fetched_at)):
        newest = there.execute(sa.select(sa.func.max(column))).scalar()
        if newest is not None and newest > patient.now + timedelta(seconds=_OFF_BY):
            yield (
                "attention",
                f"the newest {what} is of {newest:%Y-%m-%d %H:%M} UTC, the future",
                ("this machine's clock is, or was then, wrong: set it by NTP"),
            )
    offsets = list(_offsets(patient, there))
    if len(offsets) < 3:
        yield "well", "too few answers with a date to hold the clock against", ""
        return
    off = median(offsets)
    if abs(off) > _OFF_BY:
        way = "behind" if off > 0 else "ahead of"
        yield (
            "attention",
            (
                f"at the last {len(offsets)} answers this machine's clock was {abs(off):.0f} s "
                f"{way} the servers'"
            ),
            "set it by NTP (`timedatectl` shows whether it is): times of captures are evidence",
        )
    else:
        yield "well", f"within {abs(off):.0f} s of the servers' clocks", ""


def _offsets(patient: Patient, connection: sa.Connection) -> Iterator[float]:
    """Seconds that each server was ahead of us in its newest answers."""
    with HeadReader(patient.settings.warc_directory) as heads:
        for row in connection.execute(_newest()):
            try:
                head = heads.read(row.name, row.warc_offset).http
            except WarcNotReadable:
                continue
            if (said := header(head, b"date")) is None:
                continue
            try:
                at = parsedate_to_datetime(said)
            except ValueError:
                continue
            ended = row.started_at + timedelta(milliseconds=row.duration_ms)
            if at.tzinfo is not None:
                yield (at - ended).total_seconds()


def _newest() -> sa.Select[Any]:
    a, c = attempts.c, captures.c
    return (
        sa.select(warc_files.c.name, c.warc_offset, a.started_at, a.duration_ms)
        .join(attempts, a.id == c.attempt_id)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .order_by(c.id.desc())
        .limit(_NEWEST)
    )
