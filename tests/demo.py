"""`make demo`: the main job end to end on the replica's nine portals, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crawler.cms import cms_by_key
from crawler.portals import load
from tests.crawling import BIN, ROOT, Operator
from tests.replica import Replica, World
from tests.replica.judge import Verdict, judge

HOME = Path("var/demo")
CONTACT = "demo@localhost"
SPIDERS = ("urumqi_districts", "urumqi_city")
SEED = "乌鲁木齐市天山区人民政府 2019"


def main() -> int:
    """0 when both crawls are complete, every report is stored, and no rule broken by the log."""
    shutil.rmtree(ROOT / HOME, ignore_errors=True)
    console = Console(width=max(Console().width, 100))
    started = time.monotonic()
    world = World.base()
    with Replica(world) as replica:
        operator = Operator(HOME, replica.url, pace="0.05", contact=CONTACT)
        complete = [crawl(console, operator, spider) for spider in SPIDERS]
        verdict = judge(world, replica.log, CONTACT)
    show(console, operator, world, verdict)
    console.print(f"wall time {time.monotonic() - started:.0f} s")
    console.print(
        "\nThe seed of it all, cell by cell and down to its bytes; what each run found;"
        " and all of it in a browser:"
    )
    console.print(f"  GONGKAI_HOME={HOME} .venv/bin/archive report {SEED}", highlight=False)
    console.print(f"  {HOME}/runs/latest.html", highlight=False)
    console.print(f"  GONGKAI_HOME={HOME} .venv/bin/archive serve", highlight=False)
    kept = stored(operator) == Counter(report.portal for report in world.expected())
    return 0 if all(complete) and kept and not verdict.violations else 1


def crawl(console: Console, operator: Operator, spider: str) -> bool:
    """One spider through the replica, as its operator would start it; whether it is complete."""
    console.print(
        f"[bold]HTTP_PROXY={operator.proxy} scrapy crawl {spider}[/bold]", highlight=False
    )
    started = time.monotonic()
    done = subprocess.run(
        [BIN / "scrapy", "crawl", spider],
        cwd=ROOT,
        env=operator.environment(),
        check=False,
    )
    console.print(f"  exit code {done.returncode}, {time.monotonic() - started:.0f} s")
    return done.returncode == 0


def stored(operator: Operator) -> Counter[str]:
    """How many reports the archive holds a version of, by portal."""
    keys = {portal.division_code: portal.key for portal in load(cms_by_key())}
    fields = operator.ask("coverage")
    return Counter(
        keys[field["division_code"]]
        for field in fields
        if field["state"] not in {"missing", "unreachable"}
    )


def show(console: Console, operator: Operator, world: World, verdict: Verdict) -> None:
    """What was found, what it holds, and the coverage map."""
    archive(operator, "coverage")
    table = Table("portal", "reports found", "expected", box=None)
    found = stored(operator)
    for key, expected in sorted(Counter(report.portal for report in world.expected()).items()):
        table.add_row(key, str(found[key]), str(expected))
    console.print(table)
    for violation in verdict.violations:
        console.print(f"[red]violation:[/red] {violation}")
    captures = sum(run["captures"] for run in operator.ask("runs"))
    lines = operator.archive("report", "--all", "--json").stdout.splitlines()
    cells = Counter(cell["state"] for line in lines for cell in json.loads(line)["cells"])
    findings = Counter(finding["verdict"] for finding in operator.ask("findings"))
    console.print(
        f"{captures} captures, {len(lines)} reports, {cells.total()} cells "
        f"({counted(cells)}), {findings.total()} findings ({counted(findings)})"
    )
    owed = Counter(cell["state"].replace("_", " ") for cell in operator.ask("ledger"))
    console.print(f"ledger: {owed.total()} cells ({counted(owed)})")


def counted(counter: Counter[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counter.most_common())


def archive(operator: Operator, *arguments: str) -> None:
    """An `archive` command whose answer goes straight to the terminal."""
    sys.stdout.flush()
    environment = operator.environment() | {"COLUMNS": "110"}
    subprocess.run([BIN / "archive", *arguments], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
