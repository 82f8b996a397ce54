"""`python -m bench.crawl [PAGES …]`: what the evidence costs.

The whole product (every request a durable row, WARC synced, versions, cells, checks) against stock
Scrapy that follows the same links and keeps nothing; both from the same loopback site, interleaved.
CPU is user and system time of the crawling process; RSS is its peak. With several sizes the last
line is the growth of the peak from the first to the last.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
CRAWL = ("urumqi_districts", "-a", "portals=shuimogou")
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cost:
    """Seconds, seconds, megabytes."""

    wall: float
    cpu: float
    rss: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.crawl", description=__doc__)
    parser.add_argument("pages", type=int, nargs="*", default=[1000], help="sizes (default: 1000)")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs a size")
    parser.add_argument("--alone", action="store_true", help="without stock: for the growth only")
    options = parser.parse_args()
    peaks = []
    for pages in options.pages:
        theirs, ours = [], []
        with site(pages) as url:
            for _ in range(options.pairs):
                theirs += [] if options.alone else [stock(url)]
                ours.append(product(url, pages))
        show(pages, theirs, ours)
        peaks.append(median(cost.rss for cost in ours))
    if len(peaks) > 1:
        print(
            f"peak RSS, {options.pages[-1]} pages / {options.pages[0]}: {peaks[-1] / peaks[0]:.2f}"
        )


def show(pages: int, theirs: list[Cost], ours: list[Cost]) -> None:
    for name, each in (("stock", theirs), ("gongkai", ours)):
        if not each:
            continue
        print(
            f"{pages} pages, {name:<8} cpu {median(c.cpu for c in each):6.1f} s   "
            f"wall {median(c.wall for c in each):6.1f} s   "
            f"rss {median(c.rss for c in each):5.0f} MB"
        )
    for what in ("cpu", "wall", "rss") if theirs else ():
        pairs = zip(theirs, ours, strict=True)
        ratio = median(getattr(our, what) / getattr(their, what) for their, our in pairs)
        print(f"{pages} pages, {what} gongkai / stock: {ratio:.2f}")


@contextmanager
def site(pages: int) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.site", str(pages)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.communicate(timeout=10)


def stock(url: str) -> Cost:
    return measured([sys.executable, "-m", "bench.stock"], {"HTTP_PROXY": url})


def product(url: str, pages: int) -> Cost:
    """A crawl into a new archive, which must then hold every report."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"HTTP_PROXY": url, "GONGKAI_PACE": "0.0001", "GONGKAI_HOME": home}
        cost = measured(
            [sys.executable, "-m", "bench.roomy", "crawl", *CRAWL],
            environment,
        )
        found = subprocess.run(
            [BIN / "archive", "coverage", "--json"],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        assert found.stdout.count(b'"read"') == pages, "not every report was read"
    return cost


def measured(command: list[str], environment: dict[str, str]) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    assert status == 0, f"{command} ended with {status}"
    process.returncode = 0
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
