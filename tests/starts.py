"""Starts that overlap, that meet a run that hangs, that come after missed nights.

`python -m tests.starts` tries each with the shipped commands, in processes of their own, and prints
exit codes and how many runs the archive then has. Synthetic: one portal on loopback.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from crawler.commands.exits import Exit
from tests.crashes.crawls import HOOK
from tests.crashes.inside import Orders
from tests.crawling import BIN, ROOT, Operator
from tests.scripted import GONE, Answer, Scripted, page, scripted

SPIDER, PORTAL = "urumqi_districts", "shuimogou"
# Seconds; the product waits for ninety minutes.
SILENCE = 6
TITLE = "水磨沟区人民政府2021年政府信息公开工作年度报告"


@dataclass(frozen=True)
class Outcome:
    """How the starts of a case ended, in their order, and the states of the runs there are.

    `asked` counts the requests of each start; `said` is stderr of each.
    """

    codes: tuple[int, ...]
    states: tuple[str, ...]
    said: tuple[str, ...]
    asked: tuple[int, ...] = ()
    sound: bool = True


class Site:
    """One portal with one report. While `held`, its home page is not answered."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        self.released.set()
        text = f'<h1 id="title">{TITLE}</h1><div id="text"><p>一、总体情况</p><p>无</p></div>'
        html = f"<html><head><title>{TITLE}</title></head><body>{text}</body></html>"
        self._answers = {
            "/": page(("/good/good/1.htm", TITLE), ("/nb", "政府信息公开年报")),
            "/nb": page(("/good/good/1.htm", TITLE), title="年报"),
            "/good/good/1.htm": Answer(
                html.encode(), headers={"Content-Type": "text/html; charset=utf-8"}
            ),
        }

    def answer(self, host: str, target: str) -> Answer:
        if target == "/":
            self.asked.set()
            self.released.wait(60)
        return self._answers.get(target, GONE)


@dataclass(frozen=True)
class Stage:
    """A portal, and somebody who crawls it."""

    site: Site
    host: Scripted
    operator: Operator

    def begin(self, orders: Orders | None = None, *options: str) -> subprocess.Popen[str]:
        """A start as cron makes it; `orders` are done to its process."""
        hook = {"PYTHONPATH": f"{HOOK}:{ROOT}"} | orders.environment() if orders else {}
        command = [str(BIN / "scrapy"), "crawl", SPIDER, "-a", f"portals={PORTAL}"]
        return subprocess.Popen(
            [*command, "-a", "scope=due", *options],
            cwd=ROOT,
            env=self.operator.environment() | hook,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, orders: Orders | None = None) -> tuple[int, str]:
        return ended(self.begin(orders))

    def outcome(self, *starts: tuple[int, str], asked: tuple[int, ...] = ()) -> Outcome:
        states = tuple(run["state"] for run in reversed(self.operator.ask("runs")))
        sound = self.operator.archive("verify").returncode == 0
        codes, said = tuple(code for code, _ in starts), tuple(text for _, text in starts)
        return Outcome(codes, states, said, asked, sound)


def ended(start: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said."""
    _, said = start.communicate(timeout=60)
    return start.returncode, said


@contextmanager
def stage(home: Path, database_url: str = "") -> Iterator[Stage]:
    site = Site()
    with scripted(site.answer) as host:
        try:
            yield Stage(site, host, Operator(home, host.url, database_url))
        finally:
            site.released.set()


def overlapping(home: Path, database_url: str = "") -> Outcome:
    """A start while the run of another is at work."""
    with stage(home, database_url) as on:
        on.site.released.clear()
        first = on.begin()
        assert on.site.asked.wait(60)
        second = on.run()
        on.site.released.set()
        return on.outcome(ended(first), second)


def hanging(home: Path, database_url: str = "") -> Outcome:
    """A start during a run whose disk never answers, and one after that run has ended itself."""
    with stage(home, database_url) as on:
        # The fourth answer: robots.txt, the probe and the home page are kept by then.
        disk = Orders("storage.capture.captures:Recorder.answer", when="hang", nth=4)
        first = on.begin(disk, "-s", f"WATCHDOG_SILENCE={SILENCE}")
        assert on.site.asked.wait(60)
        second = on.run()
        hung = ended(first)
        before = len(on.host.asked)
        third = on.run()
        return on.outcome(hung, second, third, asked=(before, 0, len(on.host.asked) - before))


def missed(home: Path, database_url: str = "") -> Outcome:
    """A start after five missed nights of the season, and one more that night."""
    with stage(home, database_url) as on:
        began = Orders(clock=_until_february())
        later = replace(began, clock=began.clock + timedelta(days=6).total_seconds())
        again = replace(later, clock=later.clock + timedelta(hours=2).total_seconds())
        starts, asked = [], []
        for orders in (began, later, again):
            before = len(on.host.asked)
            starts.append(on.run(orders))
            asked.append(len(on.host.asked) - before)
        return on.outcome(*starts, asked=tuple(asked))


def _until_february() -> float:
    """Seconds until a night of the season."""
    now = datetime.now(UTC)
    night = datetime(now.year + 1, 2, 10, 0, 10, tzinfo=ZoneInfo("Asia/Shanghai"))
    return (night - now).total_seconds()


CASES = {
    "two starts that overlap": overlapping,
    "a start during a run that hangs, and the next": hanging,
    "a start after five missed nights, and one more": missed,
}
WANTED = {
    "two starts that overlap": ((Exit.COMPLETE, Exit.BUSY), ("complete",)),
    "a start during a run that hangs, and the next": (
        (Exit.INTERNAL, Exit.BUSY, Exit.COMPLETE),
        ("complete",),
    ),
    "a start after five missed nights, and one more": (
        (Exit.COMPLETE, Exit.COMPLETE, Exit.COMPLETE),
        ("complete", "complete"),
    ),
}


def main() -> int:
    wrong = 0
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory(prefix="gongkai-starts-") as folder:
            found = case(Path(folder))
        right = (found.codes, found.states) == WANTED[name] and found.sound
        wrong += not right
        print(
            f"{name}: exit codes {', '.join(map(str, found.codes))}; "
            f"{len(found.states)} runs ({', '.join(found.states)}); "
            f"verify {'sound' if found.sound else 'NOT SOUND'}: {'right' if right else 'WRONG'}"
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
