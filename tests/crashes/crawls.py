"""Crawls that are started, killed and started again, over one archive."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from storage.settings import Settings
from tests.crashes.inside import Orders
from tests.crashes.server import Server
from tests.crashes.world import PORTALS
from tests.crawling import BIN, ROOT, Operator

HOOK = Path(__file__).with_name("hook")
COMMAND = (str(BIN / "scrapy"), "crawl", "urumqi_districts", "-a", f"portals={','.join(PORTALS)}")
LONGEST = 300.0  # seconds a start may take
_GIST = 300  # characters
NO_ORDERS = Orders()


@dataclass(frozen=True)
class Ended:
    """How a start ended: its exit code (-9 killed) and what it said on stderr."""

    code: int
    said: str

    @property
    def complete(self) -> bool:
        return self.code == 0

    @property
    def gist(self) -> str:
        """The beginning and the end of what it said, on one line."""
        words = " ".join(self.said.split())
        return words if len(words) <= 2 * _GIST else f"{words[:_GIST]} … {words[-_GIST:]}"


@dataclass
class Crawl:
    """One archive and its portals. `starts` are those that have ended; `pace` as GONGKAI_PACE."""

    server: Server
    home: Path
    database_url: str = ""
    pace: str = "0.0003"
    starts: list[Ended] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(self.home, self.database_url or None)

    @property
    def operator(self) -> Operator:
        return Operator(self.home, self.server.url, self.database_url, self.pace)

    @property
    def deaths(self) -> int:
        """Starts that left something unfinished."""
        return sum(not ended.complete for ended in self.starts)

    def begin(
        self,
        orders: Orders = NO_ORDERS,
        *options: str,
        before: Callable[[], None] | None = None,
    ) -> subprocess.Popen[str]:
        """Start the spider with these options; `before` runs in the new process."""
        ours = {"PYTHONPATH": f"{HOOK}:{ROOT}"} | orders.environment()
        return subprocess.Popen(
            [*COMMAND, *options],
            cwd=ROOT,
            env=self.operator.environment() | ours,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )

    def end(self, process: subprocess.Popen[str], kill_after: float | None = None) -> Ended:
        """Wait for its end, or kill it after so many seconds. Raises TimeoutExpired."""
        try:
            _, said = process.communicate(timeout=LONGEST if kill_after is None else kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
            if kill_after is None:
                raise
        self.starts.append(Ended(process.returncode, said))
        return self.starts[-1]

    def run(self, orders: Orders = NO_ORDERS, kill_after: float | None = None) -> Ended:
        return self.end(self.begin(orders), kill_after)

    def wait_for(self, requests: int) -> None:
        """Until the portals have heard so many requests. Raises TimeoutError."""
        until = monotonic() + LONGEST
        while len(self.server.log) < requests:
            if monotonic() > until:
                raise TimeoutError(f"{len(self.server.log)} requests, not {requests}")
            sleep(0.01)

    def finish(self) -> Ended:
        """Start it again, unless it is complete: then a start would begin another run."""
        if self.starts and self.starts[-1].complete:
            return self.starts[-1]
        return self.run()
