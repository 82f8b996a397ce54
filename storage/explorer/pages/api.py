"""`/api`: the API for people, from the declarations that it is served by."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.explorer.api.declare import words
from storage.explorer.api.resources import endpoints
from storage.explorer.api.ways import BASE
from storage.explorer.site import Site


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request) -> Response:
        return site.page(
            request, "api.html.jinja", endpoints=endpoints(), api_words=words(), base=BASE
        )

    yield Route("/api", page)
