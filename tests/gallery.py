"""`python -m tests.gallery`: the explorer of the replica's world, walked, judged and pictured.

Two crawls of the replica, the second after five reports were edited; then each walk of tests.walks
in a real browser with and without script and by keyboard alone, axe over every type of page in both
languages, light and dark, wide and narrow, and the pictures of docs/gallery. Ends with 1 where a
walk fails, axe finds something, or a page asks for anything from elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Error

from storage.settings import Settings
from tests.browsing import Browser, browser
from tests.crawling import ROOT, Operator
from tests.replica import Replica, World
from tests.walks import (
    WALKS,
    Subjects,
    by_keyboard,
    explored,
    no_shot,
    shot_into,
    violations,
)

_SPIDERS = ("urumqi_districts", "urumqi_city")
# Pictures of their own: type of page, name, scheme, width.
_PICTURES = (
    ("overview", "overview", "light", 1280),
    ("report", "report-dark", "dark", 1280),
    ("report", "report-narrow", "light", 360),
    ("coverage", "coverage-narrow", "dark", 360),
    ("findings", "findings", "light", 1280),
    ("run", "run", "light", 1280),
    ("organ", "series", "light", 1280),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    parser.add_argument("--home", type=Path, help="an archive that this command crawled before")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="gallery-") as folder:
        home = told.home or Path(folder)
        if not (home / "archive.sqlite").is_file():
            crawl(home)
        with explored(Settings(home=home)) as (origin, replay, met):
            faults = [
                *_walked(origin, replay, met, told.out),
                *_judged(origin, replay, met),
            ]
            _pictured(origin, met, told.out)
    print("\n".join(faults) or "every walk reached its end, and nothing was found")
    return 1 if faults else 0


def crawl(home: Path) -> None:
    """The replica's world, and once more after edits."""
    world = World.base()
    for each in (world, world.with_edits(seed=1, reports=5, attachments=1)):
        with Replica(each, latency=0.002) as replica:
            operator = Operator(home, replica.url)
            for spider in _SPIDERS:
                done = operator.crawl(spider)
                if done.returncode:
                    raise SystemExit(done.stderr)


def _walked(origin: str, replay: str, met: Subjects, out: Path) -> list[str]:
    """Each walk with script and pictures, without script, and by keyboard."""
    faults: list[str] = []
    for script, shot in ((True, shot_into(out)), (False, no_shot)):
        with browser(javascript=script) as reader:
            for walk in WALKS:
                page = reader.page()
                name = f"{walk.__name__} {'with' if script else 'without'} script"
                faults += _tried(name, partial(walk, page, origin, met, shot))
                page.close()
            if script:
                faults += _tried("by keyboard", partial(by_keyboard, reader.page(), origin, met))
            faults += _outside(reader, origin, replay)
    return faults


def _tried(name: str, walk: partial[None]) -> list[str]:
    try:
        walk()
    except (AssertionError, Error) as error:
        print(f"walk {name}: FAILED")
        return [f"{name}: {error}"]
    print(f"walk {name}: to its end")
    return []


def _judged(origin: str, replay: str, met: Subjects) -> list[str]:
    """axe over every type of page, in every dress."""
    faults: list[str] = []
    found: Counter[str] = Counter()
    looked = 0
    for width in (1280, 360):
        with browser(width=width) as reader:
            page = reader.page()
            for (name, address), lang, scheme in product(
                met.pages(), ("zh", "en"), ("light", "dark")
            ):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                joint = "&" if "?" in address else "?"
                page.goto(f"{origin}{address}{joint}lang={lang}")
                looked += 1
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    faults.append(f"{name} {lang} is wider than {width} px")
                for each in violations(page):
                    found[name] += 1
                    faults.append(f"axe: {name} {lang} {scheme} {width}: {each}")
            faults += _outside(reader, origin, replay)
    for name, _ in met.pages():
        print(f"axe {name:10} {found[name]} violations")
    print(f"axe looked at {looked} pages: {found.total()} violations")
    return faults


def _outside(reader: Browser, origin: str, replay: str) -> list[str]:
    begins = (f"{origin}/", f"{replay}/", "data:", "about:", "blob:")
    asked = [url for url in reader.requests if not url.startswith(begins)]
    print(f"{len(reader.requests)} requests, {len(asked)} to anywhere else")
    return [f"asked for {url}" for url in asked]


def _pictured(origin: str, met: Subjects, out: Path) -> None:
    addresses = dict(met.pages())
    for kind, name, scheme, width in _PICTURES:
        with browser(width=width) as reader:
            page = reader.page()
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.goto(origin + addresses[kind])
            if name == "series":
                page.locator("main img").first.scroll_into_view_if_needed()
            page.screenshot(path=out / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
