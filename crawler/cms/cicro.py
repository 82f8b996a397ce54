"""Cicro (德雅): 水磨沟区 and 米东区; 乌鲁木齐市 and 达坂城区 before they moved."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.cms.base import Cms, Link, Page, local
from crawler.cms.text import query, with_argument

# A listing that claims more pages than this is a mistake, not an archive.
MOST_PAGES = 500


class Cicro(Cms):
    key = "cicro"
    marks = re.compile(
        r"(?:iList|iIndex|nIndex)\.jsp\?|site_id=CMS|am-list-item-dated|am-article-title"
        r"|id=[\"']?(?:node-items|gk_list_table|gk-info)\b"
    )
    article_url = re.compile(r"^/(?!info/)[\w-]+(?:/[\w-]+)*/\d+\.htm$|/content\.jsp\?")
    listing_url = re.compile(r"/iList\.jsp\?")
    titles = (
        "//h1[@id='title']",
        "//*[@id='title']",
        "//h2[contains(@class, 'am-article-title')]",
        "//*[contains(@class, 'am-article-title')]",
    )
    bodies = (
        "//*[@id='info_content']",
        "//div[@id='text']",
        "//*[contains(@class, 'am-article-bd')]",
    )
    rows = (
        "//li[contains(@class, 'am-list-item-dated')]",
        "//*[@id='gk_list_table']//tr[.//a/@href]",
    )
    row_links = ("td[1]//a[@href]", ".//a[@href]")

    def next_page(self, url: str, number: int) -> str | None:
        return with_argument(url, "cur_page", str(number))

    def is_page_of(self, listing: str, link: Link) -> bool:
        """The same address but for `cur_page`; a pager may leave out arguments it does not need."""
        if local(link.url).split("?")[0] != local(listing).split("?")[0]:
            return False
        here, there = query(listing), query(link.url)
        ours = {key: here[key] for key in ("cat_id", "node_id") if key in here}
        return "cur_page" in there and all(there.get(key, ours[key]) == ours[key] for key in ours)

    def pages(
        self, page: Page, entries: Sequence[Link], total: int | None, count: int | None
    ) -> tuple[str, ...]:
        """What the pager links to; where a script moves it, page 1 and its total tell the rest."""
        found = super().pages(page, entries, total, count)
        if found or query(page.url).get("cur_page", "1") != "1" or not entries:
            return found
        pages = count or -(-(total or 0) // len(entries))
        numbers = range(2, min(pages, MOST_PAGES) + 1)
        return tuple(with_argument(page.url, "cur_page", str(number)) for number in numbers)
