"""Redirects that always end in an answer or a failure, and never in silence.

Scrapy filters the target of a redirect like any link: one that leads to a page already seen, or to
itself, is dropped, and nobody hears of the request again. Here the target is asked for, so that an
old address becomes an alias, and a loop ends at REDIRECT_MAX_TIMES in an error.
"""

from __future__ import annotations

from scrapy import Request
from scrapy.downloadermiddlewares.redirect import MetaRefreshMiddleware, RedirectMiddleware
from scrapy.http import Response


class Redirects(RedirectMiddleware):
    # Without the deprecated `spider`, which Scrapy then does not pass.
    def process_response(  # type: ignore[override]
        self, request: Request, response: Response
    ) -> Request | Response:
        return _unfiltered(super().process_response(request, response))


class MetaRefreshes(MetaRefreshMiddleware):
    # Without the deprecated `spider`, which Scrapy then does not pass.
    def process_response(  # type: ignore[override]
        self, request: Request, response: Response
    ) -> Request | Response:
        return _unfiltered(super().process_response(request, response))


def _unfiltered(result: Request | Response) -> Request | Response:
    return result.replace(dont_filter=True) if isinstance(result, Request) else result
