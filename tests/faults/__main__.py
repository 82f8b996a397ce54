"""`python -m tests.faults --each 50`: crawl the faulty portals and hold the archive against them.

Exit code 0: every request has its row, its outcome and its bytes. 1: something is amiss.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.judge import Verdict
from tests.faults.modes import MODES
from tests.faults.run import crawl
from tests.faults.site import Site

_SHOWN = 40  # misses


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--each", type=int, default=2, help="addresses a mode (default: 2)")
    parser.add_argument("--only", nargs="+", choices=MODES, metavar="MODE", default=())
    parser.add_argument("--home", type=Path, help="keep the archive here; twice: two crawls")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            crawled = crawl(options.home or Path(folder), Site(options.each, options.only))
        except subprocess.CalledProcessError as error:
            print(f"the crawl could not start:\n{error.stderr}", file=sys.stderr)
            return 1
        seconds = time.monotonic() - started
        verdict = crawled.verdict()
    show(verdict)
    print(f"{len(crawled.log)} requests, {len(verdict.misses)} misses, crawled in {seconds:.0f} s")
    return 1 if verdict.misses else 0


def show(verdict: Verdict) -> None:
    print(f"{'mode':<20} {'attempts':>8} {'rows right':>10} {'bytes equal':>11}")
    for mode, line in verdict.lines.items():
        print(f"{mode:<20} {line.attempts:>8} {line.rows_right:>10} {line.bytes_equal:>11}")
    for miss in verdict.misses[:_SHOWN]:
        print(miss)
    if len(verdict.misses) > _SHOWN:
        print(f"… and {len(verdict.misses) - _SHOWN} more")


if __name__ == "__main__":
    sys.exit(main())
