"""`python -m tests.hostile [K/N]`: hostile archived pages and names, visited in a real browser.

Four runs of the same archive: as it is served, and three controls: neither the rewriting nor the
policy, the policy alone, the rewriting alone. The first must see nothing run and nothing leave; the
control without both must see it, or the proof could not fail. Exit code 1 otherwise.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import sqlalchemy as sa
from playwright.sync_api import ConsoleMessage, Dialog, Error, Page
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
from tests.browsing import EXECUTABLE, MISSING, Browser, browser, served
from tests.hostile.names import wrong_with
from tests.hostile.world import Case, build

# Long enough for a refresh after 0 s, a handler and its beacon.
_PATIENCE_MS = 400
_AT_ONCE = 10


def main(arguments: Sequence[str]) -> int:
    """`K/N` visits the Kth of N parts of the cases alone.

    0 when nothing ran or left, every name was safe, and the control saw them act."""
    if not EXECUTABLE.exists():
        print(MISSING, file=sys.stderr)
        return 1
    began = time.monotonic()
    console = Console(width=max(Console().width, 100))
    with TemporaryDirectory(prefix="gongkai-hostile-") as folder, served(heard := Beacon()) as at:
        settings = Settings(home=Path(folder), database_url=None)
        writing = open_for_writing(settings)
        part, _, parts = (arguments[0] if arguments else "1/1").partition("/")
        cases = build(writing, settings, at)[int(part) - 1 :: int(parts)]
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
    before = len(heard.heard)
    # Each needs the other's origin in its policy.
    with served(explorer := Late()) as front, browser(language="en-US") as chromium:
        replay = make_replay(engine, settings, explorer=front, page=page, policy=policy)
        with served(replay) as behind:
            explorer.app = make_app(engine, settings, replay=behind)
            chromium.allowed = frozenset({front, behind})
            alone, framed, told_of = (
                f"{behind}/captures/{{}}/page",
                f"{behind}/captures/{{}}",
                f"{front}/captures/{{}}",
            )
            ways = [alone, framed, told_of] if whole else [alone]
            tabs = [Tab(chromium.page()) for _ in range(_AT_ONCE)]
            for way in ways:
                shown = [case for case in cases if not case.name or way != alone]
                for at in range(0, len(shown), _AT_ONCE):
                    told.ran |= visit(chromium, tabs, shown[at : at + _AT_ONCE], way)
            named = [case.capture_id for case in cases if case.name] if whole else []
            for number in named:
                if said := wrong_with(chromium, f"{behind}/captures/{number}/file"):
                    told.unsafe[number] = said
    asked = [urlsplit(url).path for url in chromium.outside]
    for path in (*heard.heard[before:], *asked):
        found = re.match(r"/(ran|out)/(\d+)", path)
        # 0: a request of nobody's, such as for the icon of a page outside.
        kind, case = found.groups() if found else ("out", "0")
        (told.ran if kind == "ran" else told.left).add(int(case))
    return told


@dataclass
class Late:
    """An application that comes once its origin is known."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass
class Tab:
    """A tab, and whether what it shows said anything: on the console, in a dialog, in a title."""

    page: Page
    said: bool = False

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        self.said |= message.text.startswith("ran ")

    def _dialog(self, dialog: Dialog) -> None:
        self.said = True
        dialog.dismiss()


def visit(chromium: Browser, tabs: Sequence[Tab], cases: Sequence[Case], way: str) -> set[int]:
    """Open each in a tab, let it do what it does of itself, then click what wants to be clicked;
    the captures that were seen to run.
    """
    pairs = list(zip(cases, tabs, strict=False))
    for case, tab in pairs:
        tab.said = False
        # A download, or a frame that goes away meanwhile: what counts is what is heard.
        with suppress(Error):
            tab.page.goto(way.format(case.capture_id), wait_until="commit")
    tabs[0].page.wait_for_timeout(_PATIENCE_MS)
    clicking = [pair for pair in pairs if pair[0].clicks]
    for _, tab in clicking:
        for frame in tab.page.frames:
            with suppress(Error):
                frame.locator("#click").click(timeout=300, force=True, no_wait_after=True)
    if clicking:
        tabs[0].page.wait_for_timeout(_PATIENCE_MS)
    ran = {case.capture_id for case, tab in pairs if tab.said or has_title(tab)}
    mine = {tab.page for tab in tabs}
    for other in chromium.context.pages:
        if other not in mine:
            other.close()
    return ran


def has_title(tab: Tab) -> bool:
    """Whether a script gave the page, or a frame in it, a title."""
    # A frame that never came to have a document keeps whoever asks for its title waiting.
    loaded = [each for each in tab.page.frames if urlsplit(each.url).scheme in ("http", "about")]
    with suppress(Error):
        return any(frame.title() == "ran" for frame in loaded if frame.url != "about:blank")
    return False


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
            console.print(f"{each.name}: {labels.get(number, 'something')} acted")
    for number, said in runs[0].unsafe.items():
        console.print(f"{labels[number]}: {said}")


def is_proven(cases: Sequence[Case], runs: Sequence[Run]) -> bool:
    served_, neither, *_ = runs
    quiet = not (served_.ran or served_.left or served_.unsafe)
    # A proof that saw fewer than half of them act would not see one that acts tomorrow.
    armed = sum(not case.name for case in cases)
    return quiet and len(neither.ran | neither.left) * 2 > armed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
