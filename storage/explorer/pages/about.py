"""`/about`: what this is, its limits, how to cite it, and which programs made it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.explorer.site import Site
from storage.queries.holdings import makers
from storage.queries.runs import recorded_runs
from storage.schema import REVISION


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        newest = recorded_runs(connection, limit=1)
        return site.page(
            request,
            "about.html.jinja",
            newest=newest[0] if newest else None,
            parsers=makers(connection),
            schema=REVISION,
            origin=str(request.base_url).rstrip("/"),
        )

    yield Route("/about", site.answer(page))
