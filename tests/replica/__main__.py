"""`python -m tests.replica`: the nine synthetic portals behind a proxy, for a while."""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import date
from pathlib import Path

from tests.replica.proxy import Replica
from tests.replica.world import TODAY, World


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.replica", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--log", type=Path, help="append every request to this file, as JSON lines")
    parser.add_argument("--world", choices=("base", "edited"), default="base")
    parser.add_argument("--seed", type=int, default=1, help="which edits the edited world has")
    parser.add_argument("--today", type=date.fromisoformat, default=TODAY, help="YYYY-MM-DD")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--seconds", type=float, default=3600, help="stop by itself after these")
    return parser.parse_args()


def main() -> None:
    """Serve until a signal comes or the time is over."""
    options = arguments()
    world = World.base(options.today)
    if options.world == "edited":
        world = world.with_edits(options.seed)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Replica(world, options.port, options.log, options.latency) as replica:
        print(f"replica listening on {replica.url}", flush=True)
        stop.wait(options.seconds)


if __name__ == "__main__":
    main()
