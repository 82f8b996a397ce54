"""The explorer: the archive in a browser. A module of `pages` is found by standing there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.errors import DatabaseError, NotInArchive, StorageError, Withdrawn
from storage.explorer import pages
from storage.explorer.asked import Unclear
from storage.explorer.site import HERE, Site
from storage.explorer.state import Watch
from storage.settings import Settings

# No request leaves a page: nothing comes from elsewhere, and no script or style stands in it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src {}"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# What is refused: the status, and the sentence of words/error.toml.
_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    Withdrawn: (410, "withdrawn"),
    NotInArchive: (404, "not_here"),
    DatabaseError: (503, "database"),
}


def make_app(engine: sa.Engine, settings: Settings, *, replay: str = "") -> Starlette:
    """The application on an archive opened for reading; `replay`: the origin of archived pages."""
    watch = Watch(engine)
    site = Site(engine, settings, watch, replay)

    def refused(request: Request, error: Exception) -> Response:
        found = (told for kind, told in _REFUSALS.items() if isinstance(error, kind))
        status, key = next(found, (400, "refused"))
        if isinstance(error, Unclear):
            key, facts, detail = error.key, error.facts, ""
        else:
            facts, detail = {}, str(error)
        return site.page(
            request, "error.html.jinja", status=status, key=key, facts=facts, detail=detail
        )

    def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return site.page(
            request, "error.html.jinja", status=status, key="unknown", facts={}, detail=""
        )

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        watch.close()

    return Starlette(
        routes=[*_routes(site), Route("/static/htmx.js", _htmx), _static()],
        exception_handlers={StorageError: refused, HTTPException: unknown},
        middleware=[Middleware(Guard, policy=_POLICY.format(replay or "'none'"))],
        lifespan=life,
    )


def _routes(site: Site) -> Iterator[BaseRoute]:
    for module in sorted(each.name for each in iter_modules(pages.__path__)):
        yield from import_module(f"{pages.__name__}.{module}").routes(site)


def _static() -> Mount:
    return Mount("/static", StaticFiles(directory=HERE / "static"))


def _htmx(_request: Request) -> Response:
    """htmx, from the package that carries it; without it every page works all the same."""
    package = find_spec("js_lib_htmx")
    if package is None or package.origin is None:
        raise HTTPException(404)
    file = Path(package.origin).parent / "static/htmx/htmx.min.js"
    return FileResponse(file, media_type="text/javascript")


class Guard:
    """Every answer says what a browser may do with it; a page may say less for itself."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app, self.headers = app, {"Content-Security-Policy": policy, **_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(message)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)

    def _add(self, message: MutableMapping[str, Any]) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self.headers.items():
            headers.setdefault(name, value)
