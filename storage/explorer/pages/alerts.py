"""`/alerts` and `/alerts/{id}`: what wants somebody, what to do, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.alerts.record import find_alert, kinds, open_alerts, story
from storage.explorer.asked import one_of, whole, word
from storage.explorer.site import Site, language

_WHICH = ("open", "all")
# Alerts on one page; the feed and `archive alerts` have them all.
_MOST = 200


def routes(site: Site) -> Iterator[Route]:
    def alerts(request: Request, connection: sa.Connection) -> Response:
        which = one_of(request, "which", _WHICH) or "open"
        kind = one_of(request, "kind", sorted(kinds()))
        portal = word(request, "portal")
        found = open_alerts(connection, kind=kind, portal=portal, closed=which == "all")
        lang = language(request)
        named = [
            (key, each.title.zh if lang == "zh" else each.title.en) for key, each in kinds().items()
        ]
        return site.page(
            request,
            "alerts.html.jinja",
            alerts=found[:_MOST],
            count=len(found),
            which=which,
            kind=kind,
            portal=portal,
            kinds=named,
        )

    def alert(request: Request, connection: sa.Connection) -> Response:
        alert_id = whole("alert", request.path_params["alert"])
        found, steps = find_alert(connection, alert_id), story(connection, alert_id)
        return site.page(request, "alert.html.jinja", alert=found, steps=steps)

    yield Route("/alerts", site.answer(alerts))
    yield Route("/alerts/{alert}", site.answer(alert))
