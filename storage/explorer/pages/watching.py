"""For other programs: the alerts as a feed, and the figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from storage.alerts.feed import feed
from storage.alerts.metrics import exposition
from storage.explorer.site import Site


def routes(site: Site) -> Iterator[Route]:
    def alerts_atom(_request: Request, connection: sa.Connection) -> Response:
        return Response(feed(connection), media_type="application/atom+xml")

    def metrics(_request: Request, connection: sa.Connection) -> Response:
        try:
            figures = exposition(connection, site.settings, datetime.now(UTC))
        except ModuleNotFoundError:
            cure = "needs the extra `metrics`: pip install -e '.[metrics]'\n"
            return PlainTextResponse(cure, status_code=501)
        return Response(figures, media_type="text/plain; version=0.0.4; charset=utf-8")

    yield Route("/alerts.atom", site.answer(alerts_atom))
    yield Route("/metrics", site.answer(metrics, lasting=False))
