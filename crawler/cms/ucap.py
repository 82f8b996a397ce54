"""UCAP (开普云): 乌鲁木齐市, 沙依巴克区, 头屯河区, 达坂城区, 乌鲁木齐县, 自治区."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Any

from lxml.html import HtmlElement

from crawler.cms.attachments import has_file_extension
from crawler.cms.base import Cms, Link, Listing, Page, local
from crawler.cms.bodies import body_by_place
from crawler.cms.text import absolute, file_name, fold, meta, query, with_argument

PAGER = re.compile(
    r"createPageHTML\(\s*['\"][^'\"]*['\"]\s*,\s*(\d{1,6})\s*,\s*\d+\s*,"
    r"\s*['\"]([\w./-]+)['\"]\s*,\s*['\"](s?html?)['\"]\s*(?:,\s*(\d{1,7}))?"
)
SEARCH = re.compile(
    r"((?:/common)?/search(?:List)?/[0-9a-zA-Z]{6,40})(\?[^\s\"'<>]*_isJson=true[^\s\"'<>]*)?"
)
CHANNEL = re.compile(r"channelid['\"]?\s*[:=]\s*['\"]([0-9a-zA-Z]{6,40})['\"]", re.IGNORECASE)
ARGUMENTS = "?page=1&_pageSize=20&_isAgg=true&_isJson=true"
# A listing that claims more pages than this is a mistake, not an archive.
MOST_PAGES = 500
# Channels that may be the report themselves.
SINGLE = re.compile(r"/zfxxgk_(?:onedetail|xxgkz[dn])\.shtml$")
# Homes and redirects: without rows they are no listing that a script would fill.
NO_LISTING = re.compile(r"/(?:index|zwgk|jump|redirect_\w+)(?:_\d+)?\.shtml$")


class Ucap(Cms):
    key = "ucap"
    marks = re.compile(
        r"<UCAP(?:TITLE|CONTENT)|UCAP-CONTENT|/interface-cms/|zfxxgk_gkn|gknbxq_|gknr_list"
        r"|<meta[^>]+(?:ColumnName|channelid)[\"']|createPageHTML\(\s*['\"]",
        re.IGNORECASE,
    )
    article_url = re.compile(r"/\d{6}/[0-9a-f]{32}\.shtml$", re.IGNORECASE)
    # Templates by pattern, and the numeric channels that two portals had before (/openscat/…).
    listing_url = re.compile(
        r"/(?:zfxxgk_\w+|(?:common_|o)?list(?:_\w+)?|zwgk|jump|redirect_\w+)\.shtml$"
        r"|^/channels/\d+(?:_\d+)?\.html?$|^/openscat/|/search(?:List)?/\w+\?"
    )
    titles = (
        "//*[contains(@class, 'gknbxq_top')]//h2",
        "//ucaptitle",
    )
    bodies = (
        "//*[contains(@class, 'gknbxq_detail')]",
        "//*[@id='NewsContent']",
        "//*[@id='zoomcon']",
        "//*[@id='UCAP-CONTENT']",
        "//ucapcontent",
        "//*[contains(@class, 'ewebeditor_doc')]",
        "//*[@id='xxgkzn_detail']",
    )
    rows = (
        "//*[contains(@class, 'gknr_list')]//dd[.//a/@href]",
        "//*[contains(@class, 'gknr_list')]//li[.//a/@href]",
    )
    row_dates = ("span", ".//span", ".")

    def is_own_file(self, url: str) -> bool:
        return "/files/" in local(url) and has_file_extension(url)

    def next_page(self, url: str, number: int) -> str | None:
        """`<template>_2.shtml`; of the JSON, its argument."""
        if "_isJson=" in url:
            return with_argument(url, "page", str(number))
        return re.sub(r"(?:_\d{1,3})?\.(s?html?)$", rf"_{number}.\1", url)

    def listing(self, page: Page) -> Listing | None:
        """Rows of a page, results of the JSON behind it, or a shell that names its JSON."""
        if page.text.lstrip().startswith("{"):
            return self.results(page)
        listing = super().listing(page)
        if listing is None or listing.entries:
            return listing
        source = None if NO_LISTING.search(page.url) else json_address(page)
        return replace(listing, pages=(source,)) if source else listing

    def title(self, page: Page, heading: HtmlElement | None, table: Mapping[str, str]) -> str:
        """A channel that is itself the report may carry no title but its own."""
        return super().title(page, heading, table) or meta(page.tree, "ColumnName")

    def body(self, page: Page) -> HtmlElement | None:
        body = super().body(page)
        if body is None and SINGLE.search(page.url) and not any(self.dated_entries(page)):
            return body_by_place(page.tree)
        return body

    def declared(self, page: Page) -> tuple[int | None, int | None]:
        pager = PAGER.search(page.text)
        if not pager:
            return super().declared(page)
        return int(pager[4]) if pager[4] else None, int(pager[1])

    def pages(
        self, page: Page, entries: Sequence[Link], total: int | None, count: int | None
    ) -> tuple[str, ...]:
        """`<template>.shtml`, `<template>_2.shtml` …, as many as the pager's script is told."""
        pager = PAGER.search(page.text)
        found = super().pages(page, entries, total, count)
        if not pager:
            return found
        numbers = range(1, min(int(pager[1]), MOST_PAGES) + 1)
        names = (f"{pager[2]}{f'_{number}' if number > 1 else ''}.{pager[3]}" for number in numbers)
        addresses = filter(None, (absolute(page.url, name) for name in names))
        return tuple(dict.fromkeys(url for url in (*addresses, *found) if url != page.url))

    def results(self, page: Page) -> Listing | None:
        """A JSON answer: `data.{rows,total,results[].{title,url,publishedTimeStr,resList}}`."""
        data = mapping(mapping(read_json(page.text)).get("data"))
        if not isinstance(data.get("results"), list):
            return None
        results = [mapping(result) for result in data["results"]]
        entries = tuple(filter(None, (result_entry(page.url, result) for result in results)))
        attachments = tuple(link for result in results for link in result_files(page.url, result))
        total, rows = count_of(data.get("total")), count_of(data.get("rows")) or len(results)
        pages = -(-total // rows) if total is not None and rows else None
        here = count_of(query(page.url).get("page")) or 1
        others = (n for n in range(1, min(pages or 1, MOST_PAGES) + 1) if n != here)
        addresses = tuple(with_argument(page.url, "page", str(n)) for n in others)
        return Listing(entries, addresses, total, pages, attachments)


def json_address(page: Page) -> str | None:
    """The JSON a shell's script asks for: written out, or by the channel's id."""
    written = SEARCH.search(page.text)
    if written:
        return absolute(page.url, written[1] + (written[2] or ARGUMENTS).replace("&amp;", "&"))
    named = CHANNEL.search(page.text)
    channel = meta(page.tree, "channelid") or (named[1] if named else "")
    return absolute(page.url, f"/common/search/{channel}{ARGUMENTS}") if channel else None


def read_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a torn answer, or one nested to break its reader
        return None


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def count_of(value: object) -> int | None:
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None


def result_entry(base: str, result: Mapping[str, Any]) -> Link | None:
    """One result; its title may carry the search's mark-up."""
    url = absolute(base, str(result.get("url") or ""))
    title = fold(unescape(re.sub(r"<[^>]*>", "", str(result.get("title") or ""))))
    date = fold(str(result.get("publishedTimeStr") or "")) or None
    return Link(url, title, date) if url and title else None


def result_files(base: str, result: Mapping[str, Any]) -> Iterator[Link]:
    """The files of a result. What the entries of `resList` call their fields was not seen."""
    article = absolute(base, str(result.get("url") or "")) or base
    listed = result.get("resList")
    for item in map(mapping, listed if isinstance(listed, list) else []):
        texts = {key: value for key, value in item.items() if isinstance(value, str)}
        addresses = (u for v in texts.values() if "/" in v and (u := absolute(article, v)))
        url = next(filter(has_file_extension, addresses), None)
        names = (fold(value) for key, value in texts.items() if "name" in key.lower())
        if url:
            yield Link(url, next(filter(None, names), file_name(url)))
