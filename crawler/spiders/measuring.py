"""What a crawl counts of its pages while it reads them, so that a change of layout shows.

Counted by portal and template (dialect and kind of page) and within it by skin, the sketch of the
page's frame: what a page shows depends on its skin, and a run by schedule sees another mixture of
skins than a whole one. The counts say how many pages had what (named in storage/drift/drift.toml).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml.html import HtmlElement
from scrapy.http import Response

from crawler.cms.base import Article, Cms, Listing, Page
from crawler.cms.skeleton import sketch
from crawler.cms.text import elements, text_of
from crawler.items import Visit
from crawler.portals import Portal
from crawler.portals.titles import is_report, year_of

# Reports from this year on have the tables of 2019 or 2021; the older are prose.
FIRST_TABLES = 2019
# A table with so many cells, so many of them bare figures, is taken for the statutory ones.
CELLS, FIGURES = 20, 5
# Different frames of one template that are told apart; a page of one more counts as the last.
MOST_SKETCHES = 200


@dataclass(slots=True)
class Skin:
    """Pages whose frames have one sketch. `capture` holds the first of them."""

    capture: int
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """One portal: what was asked for and what came, and its templates by name and sketch."""

    asked: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    totals: Counter[str] = field(default_factory=Counter)
    templates: dict[str, dict[str, Skin]] = field(default_factory=lambda: defaultdict(dict))


class Measures:
    """The counts of one crawl."""

    def __init__(self) -> None:
        self._portals: dict[str, Tally] = defaultdict(Tally)

    def page(self, response: Response, page: Page, cms: Cms, article: Article | None) -> None:
        """A page that came, and the article it is, if any."""
        visit: Visit = response.meta["visit"]
        tally = self._portals[visit.portal]
        tally.asked[visit.purpose]["pages"] += 1
        if article is None:
            return
        tally.asked[visit.purpose]["article"] += 1
        tally.totals["reports"] += is_report(article.title)
        frame = sketch(page.tree, article.body)
        self._skin(tally, f"{cms.key} article", frame, response).update(
            _of_article(page, cms, article)
        )

    def listing(self, response: Response, page: Page, cms: Cms, listing: Listing | None) -> None:
        """The listing that a page is, if any."""
        visit: Visit = response.meta["visit"]
        if listing is None:
            return
        tally = self._portals[visit.portal]
        tally.totals["listings"] += visit.purpose != "page"
        tally.totals["entries"] += len(listing.entries)
        if listing.entries:
            tally.asked[visit.purpose]["listing"] += 1
        frame = sketch(page.tree)
        self._skin(tally, f"{cms.key} listing", frame, response).update(
            _of_listing(page, cms, listing)
        )

    def _skin(self, tally: Tally, template: str, frame: str, response: Response) -> Counter[str]:
        skins = tally.templates[template]
        if frame not in skins and len(skins) >= MOST_SKETCHES:
            frame = next(reversed(skins))
        if frame not in skins:
            skins[frame] = Skin(response.meta["capture_id"])
        return skins[frame].counts

    def rows(self, portals: Sequence[Portal]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Portal key, template and counts, for the table `measures` (docs/drift.md)."""
        for portal in portals:
            tally = self._portals[portal.key]
            expect = {bound.what: [bound.least, bound.most] for bound in portal.expect}
            asked = {purpose: dict(counts) for purpose, counts in tally.asked.items()}
            yield portal.key, "portal", {"asked": asked, **tally.totals, "expect": expect}
            for template, skins in tally.templates.items():
                counted = [
                    {"sketch": frame, "capture": skin.capture, **skin.counts}
                    for frame, skin in skins.items()
                ]
                yield portal.key, template, {"skins": counted}


def _of_article(page: Page, cms: Cms, article: Article) -> Iterator[str]:
    """What this article has, a word each."""
    yield "pages"
    if article.title:
        yield "title"
    if len(article.published or "") >= len("2020-03-06"):  # not only the month of the address
        yield "date"
    if article.source:
        yield "source"
    if not {warning.rule for warning in article.warnings} & {"page.empty", "page.images"}:
        yield "text"
    if article.attachments:
        yield "files"
    if (year_of(article.title) or 0) >= FIRST_TABLES and is_report(article.title):
        yield "statutory"
        if _has_figures(article.body):
            yield "figures"
    bodies = (number for number, path in enumerate(cms.bodies) if article.body in _at(page, path))
    yield from _matched("body", next(bodies, None))
    titles = (number for number, path in enumerate(cms.titles) if any(_texts(page, path)))
    yield from _matched("heading", next(titles, None))


def _of_listing(page: Page, cms: Cms, listing: Listing) -> Iterator[str]:
    yield "pages"
    yield from ["rows"] * len(listing.entries)
    if listing.declared_total is not None:
        yield "total"
    if listing.declared_pages is not None:
        yield "page_count"
    if not listing.entries:
        return
    yield "filled"
    if all(entry.date for entry in listing.entries):
        yield "dated"
    matched = (number for number, path in enumerate(cms.rows) if _at(page, path))
    yield from _matched("row", next(matched, None))


def _matched(what: str, number: int | None) -> Iterator[str]:
    """`body` where an XPath of the dialect found it, and which: `body:0`; else nothing."""
    if number is not None:
        yield what
        yield f"{what}:{number}"


def _at(page: Page, path: str) -> list[HtmlElement]:
    return elements(page.tree, path)


def _texts(page: Page, path: str) -> Iterator[str]:
    return (text_of(item) for item in _at(page, path))


def _has_figures(body: HtmlElement) -> bool:
    figures = 0
    for cells, cell in enumerate(body.iter("td", "th"), 1):
        figures += "".join(cell.itertext()).strip().isdigit()
        if cells >= CELLS and figures >= FIGURES:
            return True
    return False
