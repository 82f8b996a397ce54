"""The API, under the explorer's roof."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from storage.explorer.api import make_api
from storage.explorer.api.ways import BASE
from storage.explorer.site import Site


def routes(site: Site) -> list[BaseRoute]:
    return [Mount(BASE, make_api(site.engine, site.settings, replay=site.replay))]
