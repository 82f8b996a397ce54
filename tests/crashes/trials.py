"""What is done to a crawl: each trial kills, stops, starves or confuses it and lets it end."""

from __future__ import annotations

import random
import re
import resource
import signal
import sqlite3
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crawler.commands.exits import Exit
from tests.crashes.crawls import Crawl, Ended
from tests.crashes.inside import Orders
from tests.crashes.judge import shortest_gap
from tests.crashes.world import PORTALS

SMALL, LARGE = 32, 600  # reports
PAUSE = 20.0  # seconds a process is stopped, or its database locked
_RECORD = Orders("storage.capture.warc:WarcWriter.append", "after", 40)
_IMPATIENT = {"storage.database:_GIVE_UP_AFTER_S": 2, "storage.database:_BUSY_TIMEOUT_MS": 500}
_DELAY, _SLOW = 3.0, 3  # seconds that the portals' files ask for, and how much we add to them
_ONE_LINE = re.compile(r"\A[^\n]+\n\Z")

Act = Callable[[Crawl], Iterator[str]]


@dataclass(frozen=True)
class Trial:
    """`act` does it and yields what it finds wrong. `again`: which addresses may be asked for once
    more; `ends`: whether the crawl is then complete and its archive is held against the reference.
    """

    kind: str
    what: str
    act: Act
    reports: int = SMALL
    dialect: str = "sqlite"
    again: Callable[[str], bool] = lambda url: False
    ends: bool = True


def undisturbed(dialect: str, reports: int) -> Trial:
    return Trial("undisturbed", dialect, lambda crawl: iter(()), reports, dialect)


def random_kills(
    trials: int, seed: int, duration: float, reports: int = LARGE, postgresql: int = 0
) -> Iterator[Trial]:
    """Killed at random moments of the crawl's `duration`; every fifth twice, every tenth thrice."""
    dice = random.Random(seed)
    for number in range(trials):
        times = 3 if number % 10 == 9 else 2 if number % 5 == 4 else 1
        moments = [dice.uniform(0, duration) for _ in range(times)]
        dialect = "postgresql" if number < postgresql else "sqlite"
        what = f"{dialect}, after " + ", ".join(f"{moment:.2f} s" for moment in moments)
        yield Trial(f"killed at random, {dialect}", what, _killed_after(moments), reports, dialect)


def chosen_points(only: Sequence[str] = (), postgresql: bool = False) -> Iterator[Trial]:
    """Every point of points.toml; on PostgreSQL the last of each class."""
    last: dict[str, Trial] = {}
    with Path(__file__).with_name("points.toml").open("rb") as file:
        points = tomllib.load(file)["points"]
    for point in points:
        if only and point["class"] not in only:
            continue
        yield from (_point(point, nth, "sqlite") for nth in point["nth"])
        last[point["class"]] = _point(point, point["nth"][-1], "postgresql")
    if postgresql:
        yield from last.values()


def _point(point: dict[str, Any], nth: int, dialect: str) -> Trial:
    orders = Orders(point["at"], point["when"], nth, constants=point.get("constants", {}))
    first = [Orders(**point["first"])] if "first" in point else []
    what = f"{dialect}, {orders.when} call {nth} of {orders.at}"
    act = _killed_at([*first, orders], ended=point.get("ended", False))
    return Trial(point["class"], what, act, dialect=dialect)


def _killed_after(moments: Sequence[float]) -> Act:
    def act(crawl: Crawl) -> Iterator[str]:
        for moment in moments:
            if crawl.run(kill_after=moment).complete:
                break  # it was quicker
        yield from ()

    return act


def _killed_at(orders: Sequence[Orders], ended: bool = False) -> Act:
    def act(crawl: Crawl) -> Iterator[str]:
        for order in orders:
            if crawl.run(order).code != -signal.SIGKILL:
                yield f"call {order.nth} of {order.at} never came"
        if ended:
            sealed = crawl.operator.archive("seal")
            crawl.starts.append(Ended(sealed.returncode, sealed.stderr))

    return act


# --- stopped, and paused ----------------------------------------------------------------------


def told_to_stop(requests: int, signals: int) -> Trial:
    """SIGTERM once, or twice: the second time means at once."""

    def act(crawl: Crawl) -> Iterator[str]:
        process = crawl.begin()
        crawl.wait_for(requests)
        for _ in range(signals):
            process.terminate()
            time.sleep(0.05)
        ended = crawl.end(process)
        if ended.code != Exit.INCOMPLETE:
            yield f"told to stop, it ended with {ended.code}: {ended.gist}"

    return Trial("told to stop", f"SIGTERM {signals} times after {requests} requests", act)


def paused(seconds: float, *options: str) -> Trial:
    """SIGSTOP, a while later SIGCONT; connections may have timed out meanwhile."""

    def act(crawl: Crawl) -> Iterator[str]:
        process = crawl.begin(Orders(), *options)
        crawl.wait_for(30)
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        yield from _complete(crawl.end(process))

    return Trial("paused", f"for {seconds:.0f} s {' '.join(options)}", act)


def hail(kills: int, every: float, completes: bool) -> Trial:
    """Killed again and again, and started at once; `completes`: it gets to its end by that."""

    def act(crawl: Crawl) -> Iterator[str]:
        for _ in range(kills):
            if crawl.run(kill_after=every).complete:
                return
        if completes:
            yield f"{len(crawl.server.log)} requests in {kills} starts of {every:.1f} s each"

    return Trial("killed again and again", f"{kills} times every {every:.1f} s", act, LARGE)


def two_at_once(apart: float) -> Trial:
    """The second is refused, and the first is none the worse for it."""

    def act(crawl: Crawl) -> Iterator[str]:
        first = crawl.begin()
        time.sleep(apart)
        second = crawl.begin()
        ended = [crawl.end(second), crawl.end(first)]
        crawl.starts = [each for each in ended if each.code != Exit.BUSY]
        refused = [each for each in ended if each.code == Exit.BUSY]
        if len(refused) != 1 or not _ONE_LINE.match(refused[0].said):
            told = "; ".join(f"{each.code}: {each.gist}" for each in ended)
            yield f"not one was refused in a line, but {told}"

    return Trial("two starts at once", f"{apart} s apart", act)


# --- the database and the disk ----------------------------------------------------------------


def locked(seconds: float, dialect: str) -> Trial:
    """Somebody holds the database for less than the crawl's patience."""

    def act(crawl: Crawl) -> Iterator[str]:
        process = crawl.begin()
        crawl.wait_for(30)
        with _held(crawl):
            time.sleep(seconds)
        yield from _complete(crawl.end(process))

    return Trial("database locked", f"{dialect}, for {seconds:.0f} s", act, dialect=dialect)


def locked_for_good(requests: int) -> Trial:
    """Somebody holds the database for longer; patience is cut down to seconds."""

    def act(crawl: Crawl) -> Iterator[str]:
        process = crawl.begin(Orders(constants=_IMPATIENT))
        crawl.wait_for(requests)
        with _held(crawl):
            ended = crawl.end(process)
        yield from _stopped(ended, "locked")

    return Trial("database locked for good", f"after {requests} requests", act)


def connections_cut(times: int) -> Trial:
    """PostgreSQL ends the crawl's connections, as it does when it is restarted."""

    def act(crawl: Crawl) -> Iterator[str]:
        engine = sa.create_engine(crawl.database_url, isolation_level="AUTOCOMMIT")
        process = crawl.begin()
        with engine.connect() as connection:
            for number in range(times):
                crawl.wait_for(10 + 7 * number)
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        engine.dispose()
        yield from _complete(crawl.end(process))

    return Trial("connections cut", f"{times} times", act, dialect="postgresql")


@contextmanager
def _held(crawl: Crawl) -> Iterator[None]:
    """The database held so that nobody else can write."""
    if crawl.database_url:
        engine = sa.create_engine(crawl.database_url)
        with engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
            yield
        engine.dispose()
        return
    path = crawl.settings.sqlite_path
    assert path is not None
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def full_disk(kilobytes: int, apart: bool = False) -> Trial:
    """The archive's home is a file system of this size, and then a larger one.

    `apart`: the database lies elsewhere, so that it is the WARC file that finds no room.
    """

    def act(crawl: Crawl) -> Iterator[str]:
        crawl.home.mkdir()
        if apart:
            crawl.database_url = f"sqlite:///{crawl.home.with_name('apart.sqlite')}"
        _mount(crawl.home, f"size={kilobytes}k")
        try:
            yield from _stopped(crawl.run(), "room" if apart else "full")
            _mount(crawl.home, "remount,size=64m")
            yield from _complete(crawl.finish())
        finally:
            _keep(crawl.home)

    what = f"at {kilobytes} kB" + (", the database elsewhere" if apart else "")
    return Trial("disk full", what, act)


def limited_files(kilobytes: int) -> Trial:
    """No file may grow beyond this size: for where nothing can be mounted."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    def act(crawl: Crawl) -> Iterator[str]:
        yield from _stopped(crawl.end(crawl.begin(before=limit)), "")

    return Trial("files limited", f"to {kilobytes} kB", act)


def may_mount(folder: Path) -> bool:
    """Whether this process may mount file systems."""
    try:
        _mount(folder, "size=64k")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    subprocess.run(["umount", folder], check=True)
    return True


def _mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def _keep(folder: Path) -> None:
    """Move what lies on the mounted file system to where it was mounted."""
    aside = folder.with_name("aside")
    subprocess.run(["cp", "-a", folder, aside], check=True)
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()
    aside.rename(folder)


# --- the clock --------------------------------------------------------------------------------


def clock_moved(seconds: float) -> Trial:
    """The second start's clock is wrong. Two days on, listings and robots.txt are stale."""

    def act(crawl: Crawl) -> Iterator[str]:
        crawl.run(_RECORD)
        yield from _complete(crawl.run(Orders(clock=seconds)))

    def again(url: str) -> bool:
        return seconds > 86400 and url.endswith((".gov.cn/", "/robots.txt", "cat_id=1"))

    return Trial("clock moved", f"by {seconds:.0f} s", act, again=again)


def delay_over_restart(seconds: float) -> Trial:
    """At a slow pace: who was asked just before the death is not asked too soon after it.

    The delay is longer than a start takes, so that a start that forgot it would be caught.
    """

    def act(crawl: Crawl) -> Iterator[str]:
        crawl.pace = str(_SLOW)
        for _ in range(2):
            process = crawl.begin()
            heard = len(crawl.server.log)
            crawl.wait_for(heard + 2 * len(PORTALS) - 1)
            crawl.end(process, kill_after=seconds)
        gap = shortest_gap(crawl.server.log)
        if gap < _DELAY * _SLOW - 0.05:
            yield f"two requests to one host are {gap:.2f} s apart, not {_DELAY * _SLOW} s"

    return Trial("delay over a restart", f"killed {seconds} s after an answer", act, ends=False)


def _complete(ended: Ended) -> Iterator[str]:
    if not ended.complete:
        yield f"ended with {ended.code}: {ended.gist}"


def _stopped(ended: Ended, word: str) -> Iterator[str]:
    """It ended by itself, and said why in words for a person."""
    if ended.code not in {1, 2} or word not in ended.said or "Traceback" in ended.said:
        yield f"did not stop cleanly: {ended.code}, {ended.gist}"
