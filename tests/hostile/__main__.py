"""`python -m tests.hostile`: hostile archived pages and names, visited in a real browser.

Four runs of the same archive: as it is served, and three controls: neither the rewriting nor the
policy, the policy alone, the rewriting alone. The first must see nothing run and nothing leave; the
control without both must see it, or the proof could not fail. Exit code 1 otherwise.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from playwright.sync_api import Dialog, Error, Page
from rich.console import Console
from rich.table import Table
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from storage.database import open_for_reading, open_for_writing
from storage.explorer.app import make_app
from storage.explorer.archived import Place, harmless_page
from storage.explorer.replay import PAGE_POLICY, make_replay
from storage.settings import Settings
from tests.browsing import EXECUTABLE, MISSING, Browser, browser, is_within, served
from tests.hostile.names import wrong_with
from tests.hostile.world import Case, build

# Long enough for a refresh after 0 s, a handler and its beacon.
_PATIENCE_MS = 120


def main() -> int:
    """0 when nothing ran or left, every name was safe, and the control saw them act."""
    if not EXECUTABLE.exists():
        print(MISSING, file=sys.stderr)
        return 1
    began = time.monotonic()
    console = Console(width=max(Console().width, 100))
    with TemporaryDirectory(prefix="gongkai-hostile-") as folder, served(heard := Beacon()) as at:
        settings = Settings(home=Path(folder), database_url=None)
        writing = open_for_writing(settings)
        cases = build(writing, settings, at)
        writing.dispose()
        engine = open_for_reading(settings)
        assert engine is not None
        runs = [
            run(name, engine, settings, cases, heard, page, policy)
            for name, page, policy in (
                ("as served", harmless_page, PAGE_POLICY),
                ("neither", as_it_came, ""),
                ("policy alone", as_it_came, PAGE_POLICY),
                ("rewriting alone", harmless_page, ""),
            )
        ]
        engine.dispose()
    show(console, cases, runs)
    console.print(f"wall time {time.monotonic() - began:.0f} s")
    return 0 if is_proven(cases, runs) else 1


def as_it_came(text: str, _place: Place) -> str:
    """The control: the page with all it wants to do."""
    return text


@dataclass
class Beacon:
    """Listens outside of both origins: `/ran/N` is asked by scripts, `/out/N` by anything."""

    heard: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heard.append(Request(scope).url.path)
        await Response(b"", media_type="text/plain")(scope, receive, send)


@dataclass
class Run:
    """What was seen of each case: captures that ran, that asked outside, names that are unsafe."""

    name: str
    ran: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    unsafe: dict[int, str] = field(default_factory=dict)


def run(
    name: str,
    engine: sa.Engine,
    settings: Settings,
    cases: Sequence[Case],
    heard: Beacon,
    page: Callable[[str, Place], str],
    policy: str,
) -> Run:
    """Visit every case: on its own page of the explorer, in the replay's frame, and alone."""
    told = Run(name)
    whole = page is harmless_page and bool(policy)
    # Each needs the other's origin in its policy.
    with served(explorer := Late()) as front, browser(language="en-US") as chromium:
        replay = make_replay(engine, settings, explorer=front, page=page, policy=policy)
        with served(replay) as behind:
            explorer.app = make_app(engine, settings, replay=behind)
            chromium.allowed = frozenset({front, behind})
            for case in cases:
                addresses = [f"{behind}/captures/{case.capture_id}/page"]
                if whole:
                    addresses.append(f"{behind}/captures/{case.capture_id}")
                    addresses.append(f"{front}/captures/{case.capture_id}")
                with watched(chromium, heard, told, case) as tab:
                    for address in addresses:
                        visit(tab, address)
                if whole and case.name:
                    said = wrong_with(chromium, f"{behind}/captures/{case.capture_id}/file")
                    told.unsafe |= {case.capture_id: said} if said else {}
    return told


@dataclass
class Late:
    """An application that comes once its origin is known."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def watched(chromium: Browser, heard: Beacon, told: Run, case: Case) -> Iterator[Page]:
    """A tab; at its end what happened in it is counted."""
    before, asked = len(heard.heard), len(chromium.requests)
    signs: list[str] = []
    tab = chromium.page()
    tab.on("console", lambda said: signs.append(said.text) if said.text[:4] == "ran " else None)

    def dismiss(dialog: Dialog) -> None:
        signs.append("dialog")
        dialog.dismiss()

    tab.on("dialog", dismiss)
    try:
        yield tab
        titles = [frame.title() for frame in tab.frames]
    except Error:
        titles = []
    finally:
        for each in chromium.context.pages:
            each.close()
    fresh = heard.heard[before:]
    if signs or "ran" in titles or any(path.startswith("/ran/") for path in fresh):
        told.ran.add(case.capture_id)
    outside = [url for url in chromium.requests[asked:] if not is_within(url, chromium.allowed)]
    if fresh or outside:
        told.left.add(case.capture_id)


def visit(tab: Page, address: str) -> None:
    """Open it, let it do what it does of itself, then click what asks to be clicked."""
    try:
        tab.goto(address, wait_until="load")
        tab.wait_for_timeout(_PATIENCE_MS)
        for frame in tab.frames:
            if frame.locator("#click").count():
                frame.locator("#click").first.click(timeout=500, force=True, no_wait_after=True)
                tab.wait_for_timeout(_PATIENCE_MS)
    except Error:
        # A download, a frame that went away, a thing that could not be clicked: what counts is
        # what was heard.
        tab.wait_for_timeout(_PATIENCE_MS)


def show(console: Console, cases: Sequence[Case], runs: Sequence[Run]) -> None:
    """A line a kind: how many ran a script, and how many asked for something outside."""
    table = Table("kind", "cases", *(f"{each.name}: ran / left" for each in runs), "unsafe names")
    counts = Counter(case.kind for case in cases)
    for kind, count in counts.items():
        mine = {case.capture_id for case in cases if case.kind == kind}
        seen = (f"{len(mine & each.ran)} / {len(mine & each.left)}" for each in runs)
        table.add_row(kind, str(count), *seen, str(len(mine & set(runs[0].unsafe))))
    seen = (f"{len(each.ran)} / {len(each.left)}" for each in runs)
    table.add_row("all", str(len(cases)), *seen, str(len(runs[0].unsafe)), style="bold")
    console.print(table)
    labels = {case.capture_id: f"{case.kind}: {case.label}" for case in cases}
    for each in (runs[0], *runs[2:]):
        for number in sorted(each.ran | each.left):
            console.print(f"{each.name}: {labels[number]} acted")
    for number, said in runs[0].unsafe.items():
        console.print(f"{labels[number]}: {said}")


def is_proven(cases: Sequence[Case], runs: Sequence[Run]) -> bool:
    served_, neither, *_ = runs
    quiet = not (served_.ran or served_.left or served_.unsafe)
    # A proof that saw fewer than half of them act would not see one that acts tomorrow.
    armed = sum(not case.name for case in cases)
    return quiet and len(neither.ran | neither.left) * 2 > armed


if __name__ == "__main__":
    sys.exit(main())
