"""`python -m tests.reparse_proof [--reports 2000]`: the archive read again without a network.

Fills an archive (synthetic), corrects one figure in a hundred, and then, in processes that have no
network interface but a dead loopback: reads everything again and holds it against what was kept,
byte for byte; reads it with one label variant removed, which must print exactly the cells of that
label; and again with the variant back. Every correction must stand at the end. It also says how
much faster two processes are than one. Exit code 1 where anything of that is not so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from storage.database import make_engine, transact
from storage.readings.corrections import Entry, correct_cell, in_force
from storage.schema import current_readings
from storage.settings import Settings
from tests.crawling import ROOT
from tests.databases import NOW
from tests.stocked import KINDS, kind_of, reports_of, stocked

# A spelling of 规范性文件 that nothing else recognises: its row becomes unread.
VARIANT = ', variants = ["行政规范性文件"]'
LABEL, ROW = "行政规范性文件", "2019.item1.rows.normative_documents"
COLUMNS = ("newly_made", "newly_published", "published_total")
CORRECTED = "applications.new_received.total"
_OFFLINE = ("unshare", "--net", "--map-root-user")


@dataclass(frozen=True)
class Done:
    """A re-parse: what it printed, and how long it took in seconds."""

    code: int
    out: str
    seconds: float


def reparse(home: Path, *options: str, root: Path = ROOT) -> Done:
    """`scrapy reparse` in a process without a network."""
    scrapy = Path(sys.executable).parent / "scrapy"
    began = time.perf_counter()
    done = subprocess.run(
        [*_OFFLINE, sys.executable, scrapy, "reparse", *options],
        cwd=root,
        env={**os.environ, "GONGKAI_HOME": str(home), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stderr.write(done.stderr)
    return Done(done.returncode, done.stdout, time.perf_counter() - began)


def without_variant(folder: Path) -> Path:
    """A copy of the code whose form of 2019 lacks one spelling of one label."""
    root = folder / "older"
    root.mkdir()
    for name in ("crawler", "storage", "migrations"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("scrapy.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    form = root / "crawler" / "forms" / "2019.toml"
    text = form.read_text("utf-8")
    assert VARIANT in text
    form.write_text(text.replace(VARIANT, ""), "utf-8")
    return root


def affected(count: int, kinds: Sequence[str] = KINDS) -> set[str]:
    """The cells that hang on that spelling, as a re-parse names them."""
    found = set()
    for number, report in enumerate(reports_of(count)):
        if report.layout == "2019" and report.labels[ROW] == LABEL:
            kind = kind_of(number, kinds)
            for part in ("page", *([f"{report.title}.{kind}"] if kind else [])):
                name = f"{report.organ} {report.year} {part}"
                found |= {f"{name} art20.item1.normative_documents.{key}" for key in COLUMNS}
    return found


def printed(out: str) -> set[str]:
    """The cells a re-parse says it reads otherwise."""
    found, title = set(), ""
    for line in out.splitlines():
        if line.startswith("  "):
            found.add(f"{title} {line.strip().partition(':')[0]}")
        else:
            title = line
    return found


def correct_some(engine: sa.Engine) -> int:
    """One cell of every hundredth report; how many."""
    entry = Entry("a proof", "to see it stand", "none", NOW)
    with engine.connect() as connection:
        ids = list(connection.execute(sa.select(current_readings.c.report_id)).scalars())[::100]
    for report_id in ids:
        for figure in ("987654", "987655"):
            told = {"report_id": report_id, "cell": CORRECTED, "raw": figure, "entry": entry}
            transact(engine, partial(correct_cell, **told))
    return len(ids)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=1, help="of one process against two")
    asked = parser.parse_args()
    failed = False

    def say(what: str, right: bool) -> None:
        nonlocal failed
        failed |= not right
        print(f"{what}: {'yes' if right else 'NO'}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = Settings(home=home, database_url=None)
        stocked(settings, asked.reports).dispose()
        engine = make_engine(settings.url)
        corrected = correct_some(engine)
        ratios = []
        for _ in range(asked.pairs):
            one, two = (reparse(home, "--check", "--jobs", jobs) for jobs in "12")
            ratios.append(one.seconds / two.seconds)
            print(one.out, two.out, sep="", end="")
            say("every reading is reproduced byte for byte", not one.code and not two.code)
        print(f"one process / two: {sorted(ratios)[len(ratios) // 2]:.2f}")
        older = without_variant(Path(folder))
        dry = reparse(home, "--dry-run", root=older)
        wanted = affected(asked.reports)
        say(
            f"without a spelling {len(wanted)} cells change, and no other",
            printed(dry.out) == wanted,
        )
        say("what it would change it changes", printed(reparse(home, root=older).out) == wanted)
        say("nothing is left to do", "0 pages and files" in reparse(home, root=older).out)
        say("with the spelling back they change back", printed(reparse(home).out) == wanted)
        with engine.connect() as connection:
            standing = [each for each in in_force(connection) if each.after["raw"] == "987655"]
        say(f"{corrected} of {corrected} corrections stand", len(standing) == corrected)
        engine.dispose()
        verify = subprocess.run(
            [Path(sys.executable).parent / "archive", "verify", "--quick"],
            env={**os.environ, "GONGKAI_HOME": str(home)},
            capture_output=True,
            check=False,
        )
        say("the archive is sound", not verify.returncode)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
