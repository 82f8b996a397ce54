"""One crawl of the faulty portals, as an operator would start it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from storage.settings import Settings
from tests.crawling import BIN, ROOT, Operator
from tests.faults.judge import Verdict, judge
from tests.faults.modes import MAXSIZE, TIMEOUT
from tests.faults.server import Entry, FaultReplica
from tests.faults.site import PLAIN, TUNNELLED, Site

_COMMAND = (
    *(
        str(BIN / "scrapy"),
        "crawl",
        "urumqi_districts",
        "-a",
        f"portals={','.join((*PLAIN, TUNNELLED))}",
    ),
    *("-s", f"DOWNLOAD_MAXSIZE={MAXSIZE}", "-s", f"DOWNLOAD_TIMEOUT={TIMEOUT}"),
)


@dataclass(frozen=True)
class Crawled:
    """An archive, the portals it was crawled from, and what they heard and sent."""

    settings: Settings
    site: Site
    log: list[Entry]
    stderr: str

    def verdict(self) -> Verdict:
        """The archive held against the log; a traceback is a miss too."""
        verdict = judge(self.settings, self.site, self.log)
        _, traceback, rest = self.stderr.partition("Traceback")
        if traceback:
            verdict.misses.append(f"the crawl showed a traceback: {rest[:2000]}")
        return verdict


def crawl(home: Path, site: Site) -> Crawled:
    """Into the archive in `home`. Raises CalledProcessError where the crawl could not start."""
    with FaultReplica(site) as replica:
        done = subprocess.run(
            _COMMAND,
            cwd=ROOT,
            env=Operator(home, replica.url, pace="0.001").environment(),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode not in {0, 3, 4}:
        raise subprocess.CalledProcessError(done.returncode, _COMMAND, stderr=done.stderr)
    return Crawled(Settings(home, database_url=None), site, replica.log, done.stderr)
