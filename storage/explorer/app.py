"""The explorer: the archive in a browser. A module of `pages` is found by standing there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from storage.care.personal import masked
from storage.errors import DatabaseError, NotInArchive, StorageError, Withdrawn
from storage.explorer import pages
from storage.explorer.asked import Unclear
from storage.explorer.guard import Guard
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
    # What is withdrawn tomorrow is shown by no cache that did not ask.
    "Cache-Control": "no-cache",
}
# What is refused: the status, and the sentence of words/error.toml.
_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    Withdrawn: (410, "withdrawn"),
    NotInArchive: (404, "not_here"),
    DatabaseError: (503, "database"),
    DBAPIError: (503, "database"),
    NoConnection: (503, "database"),
}
# Of a sentence that names what was asked, so much is said.
_LONGEST = 300


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
            # What a driver says of a database is nothing for readers.
            said = str(error) if isinstance(error, StorageError) else ""
            facts, detail = {}, masked(said)[:_LONGEST]
        return site.page(
            request, "error.html.jinja", status=status, key=key, facts=facts, detail=detail
        )

    def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = site.page(
            request,
            "error.html.jinja",
            status=error.status_code,
            key="unknown",
            facts={},
            detail="",
        )
        answer.headers.update(error.headers or {})
        return answer

    def broken(request: Request, _error: Exception) -> Response:
        # Starlette says this outside of what guards the other answers.
        answer = site.page(
            request, "error.html.jinja", status=500, key="broken", facts={}, detail=""
        )
        answer.headers.update(headers)
        return answer

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        watch.close()

    headers = {"Content-Security-Policy": _POLICY.format(replay or "'none'"), **_HEADERS}
    app = Starlette(
        routes=[*_routes(site), Route("/static/htmx.js", _htmx), _static()],
        exception_handlers={
            **dict.fromkeys((StorageError, DBAPIError, NoConnection), refused),
            HTTPException: unknown,
            Exception: broken,
        },
        middleware=[Middleware(Guard, headers=headers)],
        lifespan=life,
    )
    # It would name the host that a client made up.
    app.router.redirect_slashes = False
    return app


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
