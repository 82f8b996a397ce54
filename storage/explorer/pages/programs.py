"""The API, under the explorer's roof."""

from __future__ import annotations

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route

from storage.explorer.api import make_api
from storage.explorer.api.ways import BASE
from storage.explorer.site import Site


def routes(site: Site) -> list[BaseRoute]:
    return [
        # To where it begins; by no host, which a client may make up.
        Route(BASE, lambda _request: RedirectResponse(f"{BASE}/", 308)),
        Mount(BASE, make_api(site.engine, site.settings, replay=site.replay)),
    ]
