"""What a CMS dialect answers about one page. It never sees a running crawl.

A dialect is a subclass of `Cms` in its own module of this package: mostly XPath attributes, tried
in order until one finds something, and a few address patterns. There is no list of dialects.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from lxml import html
from lxml.etree import ParserError
from lxml.html import HtmlElement

import crawler.cms
from crawler.cms import dates
from crawler.cms.attachments import files, has_file_extension
from crawler.cms.bodies import body_by_place, body_warnings, has_content
from crawler.cms.heads import head_table, trail
from crawler.cms.rows import beside, dated_row
from crawler.cms.text import (
    absolute,
    elements,
    first,
    label,
    meta,
    normal,
    path_of,
    pieces,
    pieces_before,
    text_of,
)
from crawler.words import Remark

# Characters no HTML parser accepts; they come from cut GBK pages and Word pastes.
UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
INLINE = re.compile(r"</?(?:span|font|b|strong|i|em|u|o:p)(?:\s[^<>]*)?>", re.IGNORECASE)
PAGER_WORD = re.compile(
    r"(?:第?\s*\d{1,3}\s*页?|首\s*页|第一页|[上前]一?页|[下后]一?页|[尾末]\s*页|最后一?页|[<>«»‹›.…]+)"
)
# Which page of its listing an address is: `…_2.shtml`, `?page=2`, `&cur_page=2`.
PAGE_NUMBER = re.compile(r"_(\d{1,3})\.s?html?$|[?&](?:cur_)?page=(\d{1,4})(?=&|$)")
TOTAL = re.compile(r"共\s*(?:有|计)?\s*(\d+)\s*(?:条|篇)")
PAGE_COUNT = re.compile(r"共\s*(?:有|计)?\s*(\d+)\s*页|条\s*\d+\s*/\s*(\d+)(?!\s*[/\d])")
# Where the dialect's own XPaths find no title. The last: any tag, if its class says so.
HEADINGS = ("//h1 | //h2", "//h3", "//*[contains(@class, 'title')]")
# Pieces of text before the body that are searched when nothing stands between title and body.
NEAR = 12
# Pieces after the title that may hold its date and source.
HEAD_PIECES = 40


@dataclass(frozen=True, slots=True)
class Link:
    """A link as a page shows it. `url`: absolute, no fragment; `date`: as written beside it."""

    url: str
    text: str
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing. `pages` are the other pages of this listing that this one names.

    `attachments` are files a listing names beside its entries (UCAP's JSON); `pages` of a shell
    that a script fills is the address of the JSON.
    """

    entries: tuple[Link, ...]
    pages: tuple[str, ...] = ()
    declared_total: int | None = None
    declared_pages: int | None = None
    attachments: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """One article. `published` is ISO (`2020-03-06 14:38`, `2020-03-06`), to the precision shown.

    `warnings` say where the page's own statements disagree or a selector met something unexpected.
    """

    title: str
    body: HtmlElement
    published: str | None = None
    source: str | None = None
    breadcrumb: tuple[str, ...] = ()
    attachments: tuple[Link, ...] = ()
    warnings: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A decoded answer. `url` is the address it was fetched from, `base` a `<base href>` if set."""

    url: str
    text: str
    tree: HtmlElement
    base: str = ""

    def absolute(self, href: str | None) -> str | None:
        """The address a link of this page leads to; None for what a crawler cannot follow."""
        return absolute(self.base or self.url, href or "")


def parse_page(url: str, text: str) -> Page:
    """A page from its decoded text, whatever the text: empty, with an XML declaration, torn.

    Word pastes leave thousands of inline elements open; the parser gives up beyond 2,048 levels,
    and then the page is read again without them.
    """
    clean = UNREADABLE.sub("", text)
    tree, complete = read_tree(clean)
    if not complete:
        tree, _ = read_tree(INLINE.sub("", clean))
    base = next((item.get("href") for item in tree.iter("base") if item.get("href")), "")
    return Page(url, clean, tree, absolute(url, base or "") or "")


def read_tree(text: str) -> tuple[HtmlElement, bool]:
    """The tree of a text, and whether the parser came to its end."""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        tree = html.document_fromstring(text.encode("utf-8"), parser=parser)
    except ParserError:  # nothing but white space or comments
        return html.document_fromstring(b"<html><body></body></html>"), True
    return tree, not any("depth" in error.message for error in parser.error_log)


class Cms:
    """One CMS dialect. Subclasses set the attributes; the methods serve all of them.

    Of each tuple of XPaths the first that finds something wins, so a portal's deviating skin is
    one more entry. Row paths are relative to the row.
    """

    key: ClassVar[str]
    marks: ClassVar[re.Pattern[str]]  # in the page's text: the family's fingerprint
    article_url: ClassVar[re.Pattern[str]]  # searched in path?query
    listing_url: ClassVar[re.Pattern[str]]  # a listing even when it shows no row
    titles: ClassVar[tuple[str, ...]] = ()
    bodies: ClassVar[tuple[str, ...]]
    rows: ClassVar[tuple[str, ...]] = ()
    row_links: ClassVar[tuple[str, ...]] = (".//a[@href]",)
    row_dates: ClassVar[tuple[str, ...]] = (".//span", ".//em | .//i | .//td", ".")
    # Whether the numbers in the addresses of a listing's pages count down to its last.
    counts_down: ClassVar[bool] = False

    # --- addresses -------------------------------------------------------------------------

    def fingerprint(self, page: Page) -> bool:
        """Does the page's text carry the marks of this family?"""
        return bool(self.marks.search(page.text))

    def kinds_of_mark(self, page: Page) -> int:
        """How many different marks of this family the page's text carries."""
        return len({mark[0].lower() for mark in self.marks.finditer(page.text)})

    def is_article(self, url: str) -> bool:
        """Has the address the form of this dialect's articles?"""
        return bool(self.article_url.search(local(url)))

    def is_listing(self, url: str) -> bool:
        """Has the address the form of this dialect's listings?"""
        return bool(self.listing_url.search(local(url)))

    def is_attachment(self, url: str) -> bool:
        """Does the address lead to a file?"""
        return has_file_extension(url) or self.is_own_file(url)

    def is_own_file(self, url: str) -> bool:
        """Is it an address this CMS gives to files only?"""
        return False

    def is_page_of(self, listing: str, link: Link) -> bool:
        """Is `link` another page of the listing at the address `listing`?"""
        stem, other = page_stem(listing), page_stem(link.url)
        if self.is_article(link.url):
            return False
        if stem == other:
            return True
        return bool(
            PAGER_WORD.fullmatch(normal(link.text))
            and re.match(re.escape(stem) + r"[/_?&-]", other)
        )

    def page_place(self, url: str) -> int:
        """A number that orders the pages of a listing; its first page has the smallest.

        Two addresses of one page, with and without `cur_page=1`, have the same.
        """
        found = PAGE_NUMBER.search(local(url))
        return int(found[1] or found[2]) if found else 1

    def next_page(self, url: str, number: int) -> str | None:
        """The address that page `number` of the listing at `url` has if there are so many."""
        del url, number
        return None

    # --- what a page says of itself --------------------------------------------------------

    def breadcrumb(self, page: Page) -> tuple[str, ...]:
        """The trail as shown, from 首页; it may end in a placeholder such as 正文."""
        return trail(page.tree)

    def channel_title(self, page: Page) -> str:
        """The name of the channel a page is or belongs to; empty when it names none."""
        named = meta(page.tree, "ColumnName")
        steps = [step for step in self.breadcrumb(page) if step not in ("正文", "详细内容", "首页")]
        return named or (steps[-1] if steps else "") or window_title(page)

    def links(self, page: Page) -> tuple[Link, ...]:
        """Every followable link of the page, menus and trees too.

        An address stands once for each of its texts: 详细 and the title may lead to the same page.
        """
        found: dict[str, dict[str, None]] = {}
        for anchor in page.tree.iter("a", "area"):
            url = page.absolute(anchor.get("href"))
            if url:
                found.setdefault(url, {})[label(anchor)] = None
        return tuple(
            Link(url, text)
            for url, texts in found.items()
            for text in texts
            if text or len(texts) == 1
        )

    # --- listings --------------------------------------------------------------------------

    def listing(self, page: Page) -> Listing | None:
        """The page as a listing, or None: an article, a home page, a page without rows."""
        if self.is_article(page.url) or is_front_page(page.url) or self.article(page):
            return None
        entries = self.own_entries(page) or tuple(self.dated_entries(page))
        if not entries and not self.is_listing(page.url):
            return None
        total, count = self.declared(page)
        return Listing(entries, self.pages(page, entries, total, count), total, count)

    def declared(self, page: Page) -> tuple[int | None, int | None]:
        """How many entries and how many pages the listing says it has."""
        text = normal(text_of(page.tree))
        total, pages = TOTAL.search(text), PAGE_COUNT.search(text)
        count = next(filter(None, pages.groups()), None) if pages else None
        return number(total[1]) if total else None, number(count) if count else None

    def own_entries(self, page: Page) -> tuple[Link, ...]:
        """The rows that this dialect's own XPaths find."""
        for path in self.rows:
            entries = tuple(
                filter(None, (self.entry(page, row) for row in elements(page.tree, path)))
            )
            if entries:
                return entries
        return ()

    def dated_entries(self, page: Page) -> Iterator[Link]:
        """Rows of any other skin: a small element that holds a link and a date beside it."""
        seen: set[HtmlElement] = set()
        for anchor in page.tree.iter("a"):
            row = dated_row(anchor)
            if row is not None and row not in seen:
                seen.add(row)
                entry = self.entry(page, row)
                if entry:
                    yield entry

    def entry(self, page: Page, row: HtmlElement) -> Link | None:
        """The article a row links to, by its full title, with the date beside it."""
        for path in self.row_links:
            found = [
                Link(url, label(anchor), beside(row, self.row_dates))
                for anchor in elements(row, path)
                if (url := page.absolute(anchor.get("href")))
            ]
            named = [link for link in found if link.text and not is_pager_word(link.text)]
            if named:
                known = [link for link in named if self.is_article(link.url)]
                return max(known or named, key=lambda link: len(link.text))
        return None

    def pages(
        self, page: Page, entries: Sequence[Link], total: int | None, count: int | None
    ) -> tuple[str, ...]:
        """The other pages of the listing, as the pager's links and choices give them."""
        rows = {entry.url for entry in entries}
        found = [*self.links(page), *options(page)]
        return tuple(
            dict.fromkeys(
                link.url
                for link in found
                if link.url not in rows and link.url != page.url and self.is_page_of(page.url, link)
            )
        )

    # --- articles --------------------------------------------------------------------------

    def article(self, page: Page) -> Article | None:
        """The page as an article, or None: no body, no title, or the rows of a listing."""
        body, by_place = self.body(page), False
        if body is None and self.is_article(page.url):
            body, by_place = body_by_place(page.tree), True
        if body is None or (not self.is_article(page.url) and self.own_entries(page)):
            return None
        lines, table = head_table(page.tree, body)
        heading = self.heading(page, body)
        title = self.title(page, heading, table)
        if not title:
            return None
        head = self.head(page, heading, body, lines)
        attached = files(page.tree, page.base or page.url, heading, body, self.is_own_file)
        attachments = tuple(Link(url, name) for url, name in attached)
        warnings = [
            *head.warnings,
            *dates.year_warning(title, head.published),
            *body_warnings(body, attachments),
            *([Remark("page.by_place")] if by_place else []),
        ]
        steps = self.breadcrumb(page)
        return Article(
            title, body, head.published, head.source, steps, attachments, tuple(warnings)
        )

    def body(self, page: Page) -> HtmlElement | None:
        """The element of the text; one with content goes before an empty one."""
        found = [item for path in self.bodies for item in elements(page.tree, path)]
        filled = next((item for item in found if has_content(item)), None)
        empty = found[0] if found and self.is_article(page.url) else None
        return empty if filled is None else filled

    def heading(self, page: Page, body: HtmlElement) -> HtmlElement | None:
        """The element that shows the title, above the body; inside it when none stands above."""
        order = {element: place for place, element in enumerate(page.tree.iter())}
        within, top = set(body.iter()), order[body]
        window = "".join(map(text_of, elements(page.tree, "//title")))
        anywhere = [
            [item for item in elements(page.tree, path) if text_of(item)]
            for path in (*self.titles, *HEADINGS)
        ]
        above = [[item for item in group if order[item] < top] for group in anywhere]
        last = next((group[-1] for group in above if group), None)
        if last is None:
            return next((item for group in anywhere for item in group if item in within), None)
        # The dialect's own XPath is certain. Among mere headings (a masthead may be an <h1> too)
        # the one that <title> repeats at length is better than the last one.
        own = next((group for group in above[: len(self.titles)] if group), None)
        rivals = own if own else [item for group in above for item in group]
        named = [item for item in rivals if text_of(item) in window]
        return max([*named, last], key=lambda item: len(text_of(item)))

    def title(self, page: Page, heading: HtmlElement | None, table: Mapping[str, str]) -> str:
        """The full title: as declared, as shown, as in the head table, as in the window."""
        named = meta(page.tree, "ArticleTitle") or ("" if heading is None else text_of(heading))
        named = named or table.get("标题", "") or table.get("名称", "")
        return named or (window_title(page) if self.is_article(page.url) else "")

    def head(
        self, page: Page, heading: HtmlElement | None, body: HtmlElement, lines: Sequence[str]
    ) -> dates.Head:
        """Date and source from the metas, the head table and the text between title and body."""
        before, after_title = pieces_before(page.tree, body, heading)
        between = before[after_title:][:HEAD_PIECES] if after_title else before[-NEAR:]
        if heading is not None and heading in set(body.iter()):
            between = pieces(body)[:NEAR]
        month = url_month(page.url) if self.is_article(page.url) else None
        return dates.read_head(
            [*lines, *between],
            meta(page.tree, "PubDate"),
            meta(page.tree, "ContentSource"),
            month,
        )


# --- the parts the methods share -----------------------------------------------------------


def local(url: str) -> str:
    """Path and query of an address."""
    return re.sub(r"^[a-z]+://[^/?]*", "", url, flags=re.IGNORECASE).split("#")[0]


def page_stem(url: str) -> str:
    """An address without what numbers its page: `…/list_2.shtml` and `…/list.shtml` share one."""
    return re.sub(r"(?:_\d{1,3})?\.s?html?$", "", url.split("#")[0].split("?")[0])


def is_front_page(url: str) -> bool:
    return bool(re.fullmatch(r"/?(?:(?:index|default)\.\w+)?", local(url).split("?")[0]))


def window_title(page: Page) -> str:
    """The first part of `<title>`: portals append their name after a hyphen or a bar."""
    shown = first(page.tree, ("//head/title", "//title"))
    return "" if shown is None else re.split(r"\s*[-_|–—]+\s*", text_of(shown))[0]


def is_pager_word(text: str) -> bool:
    return bool(PAGER_WORD.fullmatch(normal(text))) or text in ("更多", "更多>>", "MORE", "more")


def options(page: Page) -> Iterator[Link]:
    """The choices of a pager's drop-down list."""
    for option in page.tree.iter("option"):
        url = page.absolute(option.get("value"))
        if url and "/" in (option.get("value") or ""):
            yield Link(url, text_of(option))


def number(digits: str) -> int | None:
    """A count as written; None for one no listing has."""
    return int(digits) if len(digits) < 8 else None


def url_month(url: str) -> str | None:
    """The publish month in a UCAP address, `…/202003/…`, as `2020-03`."""
    match = re.search(r"/((?:19|20)\d\d)(0[1-9]|1[0-2])/", path_of(url))
    return f"{match[1]}-{match[2]}" if match else None


# --- which dialect a page speaks -----------------------------------------------------------


@cache
def cms_by_key() -> Mapping[str, Cms]:
    """Every dialect of this package by its key; a module is found by standing here."""
    found: dict[str, Cms] = {}
    for module in pkgutil.iter_modules(crawler.cms.__path__):
        for value in vars(importlib.import_module(f"crawler.cms.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Cms) and "key" in vars(value):
                found[value.key] = value()
    return found


def recognise(page: Page, preferred: Sequence[str]) -> Cms:
    """The dialect a page speaks, by its marks and its address.

    `preferred` holds at least one key: the portal's CMS today, then its former ones. Another
    dialect is taken only when none of these fits and the page bears its marks.
    """
    known = cms_by_key()
    own = [known[key] for key in preferred]
    # A page of the site before may bear a mark of today's: in a link of its menu.
    best = max(
        own,
        key=lambda cms: (cms.fingerprint(page) + claims(cms, page.url), cms.kinds_of_mark(page)),
    )
    if best.fingerprint(page) or claims(best, page.url):
        return best
    return next((cms for cms in known.values() if cms.fingerprint(page)), own[0])


def claims(cms: Cms, url: str) -> bool:
    return cms.is_article(url) or cms.is_listing(url)
