"""Bare addresses: a channel is a directory, an article is its `content_<id>`. 新市区 (高新区)."""

from __future__ import annotations

import re

from lxml.html import HtmlElement

from crawler.cms.base import Cms, Page
from crawler.cms.bodies import body_by_place
from crawler.cms.text import with_argument


class ContentN(Cms):
    key = "content_n"
    marks = re.compile(r"href=[\"']?[^\"'> ]*/content_\d+(?![\w.])")
    article_url = re.compile(r"/content_\d+/?$")
    listing_url = re.compile(r"^(?:/[a-z][a-z0-9_-]*)+/?$(?<!/index)")
    bodies = (
        "//*[@id='zoom' or @id='zoomcon' or @id='NewsContent']",
        "//*[contains(@class, 'article-content') or contains(@class, 'TRS_Editor')]",
    )

    def next_page(self, url: str, number: int) -> str | None:
        """How this family pages was not seen; what its page does with the argument tells."""
        return with_argument(url, "page", str(number))

    def body(self, page: Page) -> HtmlElement | None:
        """No markup of this family was seen: the text below the head line is found by its place."""
        body = super().body(page)
        return body_by_place(page.tree) if body is None and self.is_article(page.url) else body
