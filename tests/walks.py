"""What a reader does in the explorer, in a real browser: the steps that tests and gallery share.

A walk is given an archive that was crawled twice, with a report that was edited in between, and
goes only by what the pages offer: it follows a link that stands on the page, or it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from storage.database import open_for_reading
from storage.explorer.app import make_app
from storage.explorer.replay import make_replay
from storage.ledger.cells import ledger
from storage.queries.changes import changes
from storage.queries.history import history
from storage.queries.organs import find_organ
from storage.queries.runs import recorded_runs
from storage.settings import Settings
from tests.browsing import served

# WCAG 2.2, A and AA.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

Shot = Callable[[Page, str], None]


@dataclass(frozen=True, slots=True)
class Subjects:
    """What an archive has to show, as its own questions tell it."""

    division: str
    absent: tuple[str, int]
    edited: tuple[str, int]
    cell: str
    sides: tuple[str, str]
    capture: int
    run: int

    def report(self) -> str:
        return self._of("reports", self.edited)

    def proof(self) -> str:
        return self._of("ledger", self.absent)

    def _of(self, kind: str, subject: tuple[str, int]) -> str:
        return f"/{kind}/{self.division}/{quote(subject[0])}/{subject[1]}"

    def pages(self) -> Iterator[tuple[str, str]]:
        """Name and address of a page of each type."""
        organ, year = self.edited
        place = f"{organ}/{year}"
        yield "overview", "/"
        yield "coverage", f"/coverage?division={self.division}"
        yield "proof", self.proof()
        yield "organ", f"/organs/{self.division}/{quote(organ)}"
        yield "report", self.report()
        yield "cell", f"/cells/{self.division}/{quote(organ)}/{year}/{self.cell}"
        yield "changes", "/changes"
        yield "diff", f"/diff?left={quote(f'{organ}/{year - 1}')}&right={quote(place)}"
        yield "findings", "/findings"
        yield "search", f"/search?q={quote('达坂')}"
        yield "capture", f"/captures/{self.capture}"
        yield "runs", "/runs"
        yield "run", f"/runs/{self.run}"
        yield "alerts", "/alerts"
        yield "about", "/about"
        yield "api", "/api"
        yield "nothing", "/nothing"


def subjects(connection: sa.Connection) -> Subjects:
    """Of an archive in which a report of a district has two versions that differ in a cell."""
    now = datetime.now(UTC)
    told = changes(connection, since=datetime(2000, 1, 1, tzinfo=UTC), until=now)
    edit = next(each for each in told if each["kind"] == "edited" and each["cells"])
    division, organ, year = edit["division_code"], edit["organ"], edit["year"]
    versions = history(connection, find_organ(connection, organ), year)
    changed = next(each for each in versions if each["changed"])
    cell = changed["changed"][0]
    before, after = cell["before"], cell["after"]
    assert before is not None
    assert after is not None
    cells = ledger(connection, at=now, division=division)
    absent = next(each for each in cells if each["state"] == "absent")
    return Subjects(
        division=division,
        absent=(absent["organ"], absent["year"]),
        edited=(organ, year),
        cell=cell["path"],
        sides=(before["raw"].strip(), after["raw"].strip()),
        capture=changed["captures"][0]["id"],
        run=recorded_runs(connection)[0]["id"],
    )


@contextmanager
def explored(settings: Settings) -> Iterator[tuple[str, str, Subjects]]:
    """The explorer and the origin of its archived pages, on loopback; and what there is to see."""
    engine = open_for_reading(settings)
    assert engine is not None
    try:
        with engine.connect() as connection:
            met = subjects(connection)
        with (
            served(make_replay(engine, settings)) as replay,
            served(make_app(engine, settings, replay=replay)) as origin,
        ):
            yield origin, replay, met
    finally:
        engine.dispose()


def no_shot(_page: Page, _name: str) -> None:
    """Nobody wants a picture."""


def to_proof(page: Page, origin: str, told: Subjects, shot: Shot = no_shot) -> None:
    """From the map to what proves that a report is missing, and to the bytes of that proof."""
    page.goto(f"{origin}/coverage?division={told.division}")
    shot(page, "coverage")
    _follow(page, told.proof())
    shot(page, "proof")
    _follow(page, "/captures/")
    assert "WARC" in page.inner_text("main")


def to_bytes(page: Page, origin: str, told: Subjects, shot: Shot = no_shot) -> None:
    """From a report to one of its cells, the WARC record behind it and the page as it looked."""
    page.goto(origin + told.report())
    shot(page, "report")
    organ, year = told.edited
    _follow(page, f"/cells/{told.division}/{quote(organ)}/{year}/{told.cell}")
    shot(page, "cell")
    _follow(page, "/captures/")
    shot(page, "capture")
    assert "sha256:" in page.inner_text("main")
    archived = page.locator("main a[href*='/captures/']:not([href^='/'])").first
    archived.click()
    page.wait_for_load_state()
    assert not page.url.startswith(origin), "an archived page is another origin's"
    assert any(str(year) in frame.inner_text("body") for frame in page.frames[1:])
    shot(page, "replay")


def to_hit(page: Page, origin: str, _told: Subjects, shot: Shot = no_shot) -> None:
    """From two characters to a report that holds them."""
    page.goto(f"{origin}/search")
    page.fill("input[name=q]", "达坂")
    page.press("input[name=q]", "Enter")
    page.wait_for_url("**/search?*")
    page.wait_for_selector("main mark")
    assert "达坂" in {each.strip() for each in page.locator("main mark").all_inner_texts()}
    shot(page, "search")
    _follow(page, "/reports/")
    assert "达坂" in page.content()


def to_difference(page: Page, origin: str, told: Subjects, shot: Shot = no_shot) -> None:
    """From what changed to the cell that did, before and after."""
    page.goto(f"{origin}/changes?division={told.division}")
    shot(page, "changes")
    _follow(page, "/diff?")
    sides = page.locator(f"main a[href*='/{told.cell}?version=']").all_inner_texts()
    assert tuple(each.strip() for each in sides) == told.sides, sides
    shot(page, "diff")


def to_other_language(page: Page, origin: str, told: Subjects, shot: Shot = no_shot) -> None:
    """The same page in the other language, and on from there in it."""
    page.goto(f"{origin}{told.report()}?lang=zh")
    assert page.get_attribute("html", "lang") == "zh-Hans"
    title = page.inner_text("h1")
    page.click("header a.language")
    page.wait_for_load_state()
    assert page.get_attribute("html", "lang") == "en"
    assert page.inner_text("h1") != title
    _follow(page, f"/organs/{told.division}/")
    assert page.get_attribute("html", "lang") == "en"
    shot(page, "organ")


def by_keyboard(page: Page, origin: str, told: Subjects) -> None:
    """Past the menu to the map, to a cell of it and to its proof: no pointer, every stop seen."""
    page.goto(f"{origin}/coverage?division={told.division}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    wanted = told.proof()
    for _ in range(2000):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUS)
        assert at["seen"], f"the focus is not to be seen at {at['href']}"
        if at["href"] and unquote(at["href"]).startswith(unquote(wanted)):
            break
    else:
        raise AssertionError(f"no key leads to {wanted}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ledger/**")
    assert told.absent[0] in page.inner_text("h1")


_FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  // The parts of a date are the browser's own, and it marks them itself.
  const seen = (drawn || at.type === "date") && box.width > 0 && box.height > 0;
  return {href: at.getAttribute("href"), seen};
}"""

WALKS = (to_proof, to_bytes, to_hit, to_difference, to_other_language)


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds against WCAG 2.2, A and AA, on the page that is open."""
    options = {"runOnly": {"type": "tag", "values": _RULES}}
    found = Axe().run(page, options=options)
    return [
        {"rule": each["id"], "nodes": [node["html"][:200] for node in each["nodes"]]}
        for each in found.response["violations"]
    ]


def _follow(page: Page, begins: str) -> None:
    """Click the first link of the content that leads there."""
    links = page.locator("main a[href]")
    for number in range(links.count()):
        href = links.nth(number).get_attribute("href") or ""
        if unquote(href).startswith(unquote(begins)):
            links.nth(number).click()
            page.wait_for_load_state()
            return
    raise AssertionError(f"{page.url} has no link to {begins}")


def shot_into(folder: Path) -> Shot:
    """Pictures of what a reader sees first."""

    def shot(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", animations="disabled")

    return shot
