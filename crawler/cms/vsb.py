"""VSB (博达 Visual SiteBuilder): 天山区, and 沙依巴克区 before it moved."""

from __future__ import annotations

import re

from crawler.cms.attachments import is_vsb_file
from crawler.cms.base import Cms, Link, is_pager_word, local, page_stem

OLDER = re.compile(r"/(\d{1,4})\.html?$")
# More pages than any listing has.
MOST_PAGES = 100_000


class Vsb(Cms):
    key = "vsb"
    marks = re.compile(
        r"Visual SiteBuilder|/_sitegray/|\.vsb\.css|/system/resource/js/|_vsbscreen|v_news_content"
    )
    article_url = re.compile(r"/info/\d+/\d+\.html?$")
    # Any channel may be a list, so only rows tell; a pager's numbered page is sure to be one.
    listing_url = re.compile(r"^/(?!info/)[^?]+/\d+\.htm$")
    # The number after titlestyle is a component style and differs between lists and articles.
    titles = (
        "//form[.//*[starts-with(@id, 'vsb_content')]]"
        "//*[starts-with(normalize-space(@class), 'titlestyle')]",
        "//*[self::td or self::h1 or self::h2 or self::div or self::span]"
        "[starts-with(normalize-space(@class), 'titlestyle')]",
        "//form[.//*[starts-with(@id, 'vsb_content')]]//*[self::h1 or self::h2 or self::h3]",
    )
    bodies = (
        "//*[@id='vsb_content']",
        "//*[@id='vsb_content_2']",
        "//*[starts-with(@id, 'vsb_content_')]",
        "//*[contains(concat(' ', @class, ' '), ' v_news_content ')]",
    )
    rows = (
        "(//form)[2]//tr[td[2]//a/@href and td[5]]",
        "//form//tr[td[2]//a/@href and td[5]]",
    )
    row_links = ("td[2]//a[@href]", ".//a[@href]")
    row_dates = ("td[5]", ".//span", ".//td", ".")

    counts_down = True

    def is_own_file(self, url: str) -> bool:
        return is_vsb_file(url)

    def page_place(self, url: str) -> int:
        """`name.htm` comes first; of `name/<N>.htm` the highest number is the newest."""
        older = OLDER.search(local(url))
        return MOST_PAGES - int(older[1]) if older else 1

    def next_page(self, url: str, number: int) -> str | None:
        """Of three pages the older two are `name/2.htm` and `name/1.htm`."""
        return f"{page_stem(OLDER.sub('.htm', url))}/{number - 1}.htm"

    def is_page_of(self, listing: str, link: Link) -> bool:
        """`name.htm` is the newest page; older ones are `name/<N>.htm`, down to 1."""
        if self.is_article(link.url):
            return False
        stem, other = page_stem(listing), page_stem(link.url)
        if re.fullmatch(re.escape(stem) + r"/\d+", other):
            return True
        name, number = stem.rpartition("/")[::2]
        if not number.isdecimal():
            return False
        sibling = re.fullmatch(re.escape(name) + r"(?:/\d+)?", other)
        return bool(sibling) and is_pager_word(link.text)
