"""`/captures/{id}`: one answer as it came, with its headers and the WARC record that holds it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.errors import Withdrawn
from storage.explorer.asked import whole
from storage.explorer.site import Site
from storage.queries.captures import captured


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        view = captured(connection, site.settings, whole("id", request.path_params["id"]))
        if view["withdrawn"] is not None:
            raise Withdrawn(view["withdrawn"])
        return site.page(request, "capture.html.jinja", view=view)

    # Not lasting: a WARC file may come or go without a word in the database.
    yield Route("/captures/{id}", site.answer(page, lasting=False))
