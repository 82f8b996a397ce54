"""The explorer's pages. So far: the alerts as a feed, and the figures for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from storage.feed import feed
from storage.metrics import exposition
from storage.settings import Settings


def make_app(engine: sa.Engine, settings: Settings) -> Starlette:
    """The application on an archive opened for reading."""

    # Plain functions: Starlette runs them in a thread, where the database may take its time.
    def alerts_atom(_request: Request) -> Response:
        with engine.connect() as connection:
            return Response(feed(connection), media_type="application/atom+xml")

    def metrics(_request: Request) -> Response:
        try:
            with engine.connect() as connection:
                figures = exposition(connection, settings, datetime.now(UTC))
        except ModuleNotFoundError:
            cure = "needs the extra `metrics`: pip install -e '.[metrics]'\n"
            return PlainTextResponse(cure, status_code=501)
        return Response(figures, media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/alerts.atom", alerts_atom), Route("/metrics", metrics)])
