"""`python -m tests.decade`: ten years of nights against worlds that change, in minutes.

Exit code 0 when every bound holds, 1 otherwise. See docs/decade.md.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from tests.decade.events import data, history
from tests.decade.nights import in_reactor, operating
from tests.decade.report import merged, print_table
from tests.decade.simulation import Outcome, Simulation
from tests.replica.proxy import Replica

SHM = Path("/dev/shm")


def main() -> int:
    told = _arguments().parse_args()
    began = time.monotonic()
    keys = told.portals.split(",") if told.portals else list(data()["portals"])
    folder = told.home or Path(
        tempfile.mkdtemp(prefix="decade-", dir=SHM if SHM.is_dir() else None)
    )
    if told.outcome:
        told.outcome.write_bytes(pickle.dumps(_simulate(told, keys, folder)))
        return 0
    alone = told.jobs == 1
    found = _simulate(told, keys, folder) if alone else merged(_apart(told, keys, folder))
    holds = print_table(found)
    print(f"{time.monotonic() - began:.0f} s; the archives are in {folder}")
    return 0 if holds else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.decade", description=__doc__)
    parser.add_argument("--portals", default="", help="keys, separated by commas; all by default")
    parser.add_argument("--first", type=date.fromisoformat, default=data()["first"])
    parser.add_argument("--years", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="portals at a time")
    parser.add_argument("--every", type=int, default=91, help="days between full crawls; 0: none")
    parser.add_argument("--scope", default="due", help="due, or all: a full crawl a night")
    parser.add_argument("--home", type=Path, help="where the archives go")
    parser.add_argument("--outcome", type=Path, help=argparse.SUPPRESS)
    return parser


def _simulate(told: argparse.Namespace, keys: list[str], folder: Path) -> Outcome:
    first, last = told.first, told.first + timedelta(days=round(told.years * 365.25) - 1)
    histories = tuple(history(key, told.seed, data()["first"], data()["last"]) for key in keys)
    home = folder / "-".join(keys)
    simulation = Simulation(histories, first, last, home)
    with Replica(simulation.scene) as replica, operating(home, replica.url):

        async def work() -> None:
            await simulation.run(replica, told.scope)
            if told.every:
                await simulation.baseline(replica, home.with_suffix(".daily"), told.every)

        in_reactor(work)
    return simulation.outcome


def _apart(told: argparse.Namespace, keys: list[str], folder: Path) -> list[Outcome]:
    """A process and an archive for each portal, `jobs` of them at a time."""
    with ThreadPoolExecutor(told.jobs) as pool:
        return list(pool.map(lambda key: _one(told, key, folder), keys))


def _one(told: argparse.Namespace, key: str, folder: Path) -> Outcome:
    file = folder / f"{key}.outcome"
    command = [sys.executable, "-m", "tests.decade", "--portals", key]
    for name in ("first", "years", "seed", "every", "scope"):
        command += [f"--{name}", str(getattr(told, name))]
    if subprocess.call([*command, "--home", str(folder), "--outcome", str(file)]):
        raise SystemExit(f"{key} could not be simulated: see above")
    found: Outcome = pickle.loads(file.read_bytes())
    return found


if __name__ == "__main__":
    sys.exit(main())
