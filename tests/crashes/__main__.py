"""`python -m tests.crashes`: crawls killed, starved and confused, held against an undisturbed one.

Exit code 0: every archive is exact. 1: something was lost, doubled or torn. See docs/crashes.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from tests.crashes import trials
from tests.crashes.crawls import Crawl
from tests.crashes.judge import Snapshot, Verdict, judge, snapshot
from tests.crashes.server import Server
from tests.crashes.trials import LARGE, PAUSE, SMALL, Trial
from tests.crashes.world import World
from tests.databases import postgresql_server


@dataclass
class Line:
    """What came of the trials of one kind."""

    trials: int = 0
    exact: int = 0
    refetched: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    seconds: float = 0.0


@dataclass
class Bench:
    """Runs trials; `url_of` makes a database of this name. `references` by size of the world.

    `keep`: a folder for the homes of trials that were not exact.
    """

    url_of: Callable[[str], str]
    keep: Path | None = None
    references: dict[int, Snapshot] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def reference(self, reports: int) -> float:
        """Make the undisturbed crawl of so many reports; how long it took, in seconds."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, Server(World(reports)) as server:
            crawl = Crawl(server, Path(folder))
            ended = crawl.run()
            seconds = time.monotonic() - started
            if not ended.complete:
                raise SystemExit(f"the undisturbed crawl is not complete: {ended.gist}")
            self.references[reports] = snapshot(crawl.settings, server.log)
        found = {key[:4] for key in self.references[reports].facts["versions"]}
        if len(found) != reports:
            raise SystemExit(f"the undisturbed crawl found {len(found)} reports, not {reports}")
        return seconds

    def run(self, trial: Trial) -> tuple[Trial, Verdict, float]:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, Server(World(trial.reports)) as server:
            crawl = Crawl(server, Path(folder) / "home", self._database(trial))
            misses = list(trial.act(crawl))
            verdict = self._verdict(trial, crawl) if trial.ends else Verdict()
            verdict.misses[:0] = misses
            if verdict.misses and self.keep:
                shutil.copytree(crawl.home, self.keep / f"{trial.kind} {time.time_ns()}")
        return trial, verdict, time.monotonic() - started

    def _database(self, trial: Trial) -> str:
        return self.url_of(f"crash{next(self._numbers)}") if trial.dialect == "postgresql" else ""

    def _verdict(self, trial: Trial, crawl: Crawl) -> Verdict:
        log, reference = crawl.server.log, self.references[trial.reports]
        ended = crawl.finish()
        again = [url for url in reference.heard if trial.again(url)]
        verdict = judge(crawl.settings, log, reference, crawl.deaths, again)
        if ended.code or ended.said:
            verdict.misses.insert(0, f"the last start ended with {ended.code}: {ended.gist}")
        verified = crawl.operator.archive("verify")
        if verified.returncode:
            said = " ".join((verified.stdout + verified.stderr).split())
            verdict.misses.append(f"archive verify: {said[:1000]}")
        return verdict


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="at random (default: 50)")
    parser.add_argument("--seed", type=int, default=2008, help="of the moments (default: 2008)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time (default: 2)")
    parser.add_argument(
        "--pause", type=float, default=PAUSE, help=f"seconds stopped or locked (default: {PAUSE})"
    )
    parser.add_argument("--keep", type=Path, help="folder for the archives that are not exact")
    parser.add_argument("--only", metavar="WORD", default="", help="kinds that have this word")
    return parser.parse_args()


def planned(options: argparse.Namespace, duration: float) -> Iterator[Trial]:
    yield from (trials.undisturbed(dialect, SMALL) for dialect in ("sqlite", "postgresql"))
    yield from trials.random_kills(
        options.kills, options.seed, duration, postgresql=options.kills // 5
    )
    yield from trials.chosen_points(postgresql=True)
    yield from (trials.told_to_stop(requests, 1) for requests in (3, 20, 60))
    yield trials.told_to_stop(40, 2)
    yield from (trials.paused(options.pause), trials.paused(options.pause, *_SHORT_TIMEOUT))
    yield from (trials.locked(options.pause, dialect) for dialect in ("sqlite", "postgresql"))
    yield from (trials.locked_for_good(requests) for requests in (2, 20, 50))
    yield from (trials.connections_cut(times) for times in (1, 8))
    yield from (trials.clock_moved(seconds) for seconds in (-3600, 2 * 86400))
    yield from (trials.two_at_once(apart) for apart in (0, 0, 0.02, 0.1, 0.5, 3))
    yield from (trials.hail(10, 0.5, False), trials.hail(10, 0.5 * duration, True))
    yield from (trials.limited_files(size) for size in (20, 200))
    with tempfile.TemporaryDirectory() as folder:
        mountable = trials.may_mount(Path(folder))
    if mountable:
        yield from (trials.full_disk(size) for size in (100, 400, 600, 800, 1000))
        yield from (trials.full_disk(size, apart=True) for size in (4, 24, 60))
    else:
        print("disk full: not tried, for nothing may be mounted here", file=sys.stderr)
    yield trials.delay_over_restart(0.5)


_SHORT_TIMEOUT = ("-s", "DOWNLOAD_TIMEOUT=5")


def main() -> int:
    options = arguments()
    started = time.monotonic()
    with postgresql_server() as address:
        bench = Bench(lambda name: _new_database(address, name), options.keep)
        duration = bench.reference(LARGE)
        bench.reference(SMALL)
        chosen = [trial for trial in planned(options, duration) if options.only in trial.kind]
        with ThreadPoolExecutor(options.jobs) as pool:
            lines, misses = tally(pool.map(bench.run, chosen))
    show(lines)
    for miss in misses:
        print(miss)
    print(f"an undisturbed crawl of {LARGE} reports takes {duration:.0f} s")
    print(f"{len(chosen)} trials, {len(misses)} misses, {time.monotonic() - started:.0f} s")
    return 1 if misses else 0


def tally(results: Iterator[tuple[Trial, Verdict, float]]) -> tuple[dict[str, Line], list[str]]:
    """The table's lines by kind, and what was wrong."""
    lines: defaultdict[str, Line] = defaultdict(Line)
    misses: list[str] = []
    for trial, verdict, seconds in results:
        line = lines[trial.kind]
        line.trials += 1
        line.exact += verdict.exact
        line.refetched = max(line.refetched, verdict.refetched)
        line.lost += verdict.lost
        line.doubled += verdict.doubled
        line.torn += verdict.torn
        line.seconds += seconds
        found = [f"{trial.kind}, {trial.what}: {miss}" for miss in verdict.misses]
        misses += found
        for miss in found:
            print(miss, file=sys.stderr, flush=True)
    return lines, misses


def show(lines: dict[str, Line]) -> None:
    print("| what was done | trials | exact | refetched, at most | lost | doubled | torn | s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind, line in lines.items():
        print(
            f"| {kind} | {line.trials} | {line.exact} | {line.refetched} | {line.lost} "
            f"| {line.doubled} | {line.torn} | {line.seconds:.0f} |"
        )


def _new_database(address: Callable[[str], str], name: str) -> str:
    admin = sa.create_engine(address("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return address(name)


if __name__ == "__main__":
    sys.exit(main())
