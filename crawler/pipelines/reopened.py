"""Captures opened again as the crawl opened them, from the archive alone: no network."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from scrapy import Request
from scrapy.http import Response, TextResponse

from crawler.cms import parse_page, recognise
from crawler.cms.base import Article
from crawler.errors import SourceError
from crawler.fetching.answers import open_answer
from crawler.fetching.encoding import EncodingMiddleware
from crawler.portals import Registry
from storage.capture.captures import recorded
from storage.settings import Settings


@dataclass(frozen=True, slots=True)
class Came:
    """How a capture came: enough to open it again."""

    capture_id: int
    url: str
    portal: str | None
    purpose: str


@dataclass(frozen=True, slots=True)
class Reopener:
    """`limit`: bytes a content may have."""

    engine: sa.Engine
    settings: Settings
    registry: Registry
    limit: int

    def file(self, came: Came) -> bytes:
        """The content of a file. Raises SourceError, WarcNotReadable."""
        return self._answer(came).body

    def article(self, came: Came) -> Article:
        """The article of a page. Raises SourceError, WarcNotReadable."""
        request = Request(came.url)
        response = EncodingMiddleware().process_response(request, self._answer(came))
        portal = self.registry.portals.get(came.portal or "")
        if portal is None or not isinstance(response, TextResponse):
            raise SourceError(
                f"capture {came.capture_id} is no page of a registered portal: "
                "bring the portal's file back"
            )
        page = parse_page(response.url, response.text)
        article = recognise(page, (portal.cms, *portal.former_cms)).article(page)
        if article is None:
            raise SourceError(
                f"no article in capture {came.capture_id}: the dialect of {portal.key} must "
                "know this page again"
            )
        return article

    def _answer(self, came: Came) -> Response:
        head, body = recorded(self.engine, self.settings.warc_directory, came.capture_id)
        request = Request(came.url)
        return open_answer(request, came.purpose, head, body, self.limit, None).response
