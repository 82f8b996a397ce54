"""Do the runs go as they should, and does the machine? From the runs, the disk and the clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from shutil import disk_usage
from typing import Any

import sqlalchemy as sa

from storage.alarms.ground import Ground
from storage.alerts.record import Alarm, Texts, alarm, kinds
from storage.capture.captures import header
from storage.capture.heads import HeadReader
from storage.errors import WarcNotReadable
from storage.queries.spiders import Spider, spiders
from storage.schedule.due import due
from storage.schema import attempts, captures, runs, starts, warc_files

KINDS = ("run_failed", "run_hung", "run_missed", "disk_low", "clock_wrong", "run_incomplete")
# What a run says of itself where the fault is ours.
_OURS = frozenset({"spider error", "item error", "archive cannot be written"})
# A portal may ask for an hour between two requests.
_SILENCE = timedelta(hours=3)
# A nightly start that is put off by a long run, and one more night.
_PUT_OFF = timedelta(hours=36)
_ROOM = 1_000_000_000  # bytes
# Servers' clocks are off by minutes, and an answer takes some.
_SKEW = timedelta(minutes=15)
# So many newest runs may tell what other clocks say.
_WITNESSES = 5


def judge(ground: Ground) -> Iterator[Alarm]:
    """What is wrong with the runs and the machine, of all spiders together."""
    for run in _newest_runs(ground):
        failed = sorted(_gaps(run) & _OURS)
        if failed:
            reason = ", ".join(failed)
            facts = {"spider": run.spider, "reason": reason}
            yield alarm("run_failed", run.spider, facts, after={"run": run.id, "why": failed})
    yield from _hung(ground)
    yield from _missed(ground)
    if disk_usage(_standing(ground)).free < _ROOM:
        yield alarm("disk_low", "disk", {"limit": f"{_ROOM / 1e9:.0f} GB"})
    yield from _clock(ground)


def left_out(ground: Ground, others: Sequence[Alarm]) -> Iterator[Alarm]:
    """Why newest runs are incomplete, as far as none of the other alarms is the cause."""
    explained = [
        re.compile(pattern) for kind in {each.kind for each in others}
        for pattern in kinds()[kind].explains
    ]  # fmt: skip
    for run in _newest_runs(ground):
        left = sorted(
            gap
            for gap in _gaps(run) - _OURS
            if not any(pattern.search(gap) for pattern in explained)
        )
        if left:
            facts = {"spider": run.spider, "reason": ", ".join(left)}
            yield alarm("run_incomplete", run.spider, facts, after={"why": left})


def _gaps(run: sa.Row[Any]) -> set[str]:
    """What a run says it left out or could not do."""
    said = run.stats or {}
    return {key.removeprefix("incomplete/") for key in said if key.startswith("incomplete/")}


def _newest_runs(ground: Ground) -> list[sa.Row[Any]]:
    """Of each spider the newest run that ended."""
    ended = runs.c.state.not_in(("running", "stopped"))
    newest = sa.select(sa.func.max(runs.c.id)).where(ended).group_by(runs.c.spider)
    query: sa.Select[Any] = (
        sa.select(runs.c.id, runs.c.spider, runs.c.stats)
        .where(runs.c.id.in_(newest))
        .order_by(runs.c.spider)
    )
    return list(ground.connection.execute(query))


def _hung(ground: Ground) -> Iterator[Alarm]:
    """Runs that did not end and ask for nothing any more, and newest ones that were cut off."""
    a = attempts.c
    at_work: sa.Select[Any] = (
        sa.select(runs.c.id, runs.c.spider)
        .add_columns(sa.func.max(starts.c.started_at).label("started"))
        .join(starts)
        .where(runs.c.state == "running")
        .group_by(runs.c.id, runs.c.spider)
    )
    for run in ground.connection.execute(at_work).all():
        newest = sa.select(sa.func.max(a.started_at)).where(a.run_id == run.id)
        asked = ground.connection.execute(newest).scalar()
        since = run.started if asked is None else max(asked, run.started)
        if ground.at - since > _SILENCE:
            yield _silent(run, since)
    for run in _newest_runs(ground):
        cut = sa.select(sa.func.max(a.started_at)).where(
            a.run_id == run.id, a.outcome == "interrupted"
        )
        since = ground.connection.execute(cut).scalar()
        if since is not None:
            yield _silent(run, since)


def _silent(run: sa.Row[Any], since: datetime) -> Alarm:
    facts = {"run": str(run.id), "spider": run.spider, "since": _minute(since)}
    return alarm("run_hung", run.spider, facts, after={"run": run.id})


def _missed(ground: Ground) -> Iterator[Alarm]:
    """Of each spider: was something due for long, and nobody started?

    Till now; else, before its newest start.
    """
    for spider in spiders(ground.connection):
        last, before = _last_starts(ground, spider.name)
        waits = None
        if ground.at - last.started_at > _PUT_OFF:
            waits = _waiting(ground, spider)
        if waits is not None and ground.at - max(waits, last.started_at) > _PUT_OFF:
            yield _gap(spider.name, max(waits, last.started_at), ground.at)
        elif last.due_since is not None and before is not None:
            since = max(last.due_since, before.started_at)
            if last.started_at - since > _PUT_OFF:
                yield _gap(spider.name, since, last.started_at)


def _last_starts(ground: Ground, spider: str) -> tuple[sa.Row[Any], sa.Row[Any] | None]:
    """The newest start of a spider, and the one before it."""
    query: sa.Select[Any] = (
        sa.select(starts.c.started_at, starts.c.due_since)
        .join(runs)
        .where(runs.c.spider == spider)
        .order_by(starts.c.id.desc())
        .limit(2)
    )
    found = list(ground.connection.execute(query))
    return found[0], found[1] if len(found) > 1 else None


def _waiting(ground: Ground, spider: Spider) -> datetime | None:
    """Since when the oldest of what is due has been waiting."""
    since = (
        due(ground.connection, key, ground.at, terms.timezone).since
        for key, terms in spider.portals.items()
    )
    return min((each for each in since if each is not None), default=None)


def _gap(spider: str, since: datetime, until: datetime) -> Alarm:
    facts = {"spider": spider, "since": _minute(since), "until": _minute(until)}
    after = {"since": since.isoformat(), "until": until.isoformat()}
    return alarm("run_missed", spider, facts, after=after)


def _clock(ground: Ground) -> Iterator[Alarm]:
    """Does the clock go backwards, or otherwise than those of the servers?"""
    query = sa.select(sa.func.max(attempts.c.started_at))
    newest = ground.connection.execute(query).scalar()
    if newest is not None and newest - ground.at > _SKEW:
        reason = Texts(
            f"the archive has requests of {_minute(newest)}, which is yet to come",
            f"档案中有 {_minute(newest)} 的请求，晚于当前时间",
        )
        yield alarm("clock_wrong", "behind the archive", {"reason": reason})
    skews = _skews(ground)
    off = [skew for skew in skews if abs(skew) > _SKEW]
    # One server may be wrong; of several, most are not, and never alike.
    if len(skews) > 1 and len(off) * 2 > len(skews) and max(off) - min(off) < _SKEW:
        hours = round(sorted(off)[len(off) // 2] / timedelta(hours=1), 1)
        reason = Texts(
            f"the servers' clocks are {hours:+} hours off it",
            f"各网站服务器时间与本机相差 {hours:+} 小时",
        )
        yield alarm("clock_wrong", "against the servers", {"reason": reason})


def _skews(ground: Ground) -> list[timedelta]:
    """How far the clock of each portal was ahead of ours, in the newest run that met several."""
    c = captures.c
    recent = sa.select(runs.c.id).order_by(runs.c.id.desc()).limit(_WITNESSES)
    for run_id in ground.connection.execute(recent).scalars().all():
        newest = (
            sa.select(sa.func.max(c.id))
            .join(attempts)
            .where(attempts.c.run_id == run_id)
            .group_by(attempts.c.portal)
        )
        query: sa.Select[Any] = (
            sa.select(c.fetched_at, c.warc_offset, warc_files.c.name)
            .join(warc_files)
            .where(c.id.in_(newest))
        )
        skews = list(_told(ground, ground.connection.execute(query).all()))
        if len(skews) > 1:
            return skews
    return []


def _told(ground: Ground, rows: Sequence[sa.Row[Any]]) -> Iterator[timedelta]:
    with HeadReader(ground.settings.warc_directory) as reader:
        for row in rows:
            try:
                head = reader.read(row.name, row.warc_offset).http
            except WarcNotReadable:
                continue  # shipped away
            date, age = header(head, b"date"), header(head, b"age") or "0"
            try:
                said = parsedate_to_datetime(date or "")
            except (ValueError, OverflowError):
                continue
            # A server that does not say its zone says nothing; an answer from a cache is older.
            if said.tzinfo is not None and age.isdecimal() and len(age) < 9:
                yield said + timedelta(seconds=int(age)) - row.fetched_at


def _standing(ground: Ground) -> str:
    """The folder of the archive, or the nearest one above it that is there."""
    home = ground.settings.home.absolute()
    return str(next(folder for folder in (home, *home.parents) if folder.is_dir()))


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
