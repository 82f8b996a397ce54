"""`/search`: which reports say this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.errors import BadQuestion
from storage.explorer.asked import Unclear, number, one_of, whole, word
from storage.explorer.choices import choices, division_asked
from storage.explorer.site import Site
from storage.queries.organs import find_organ
from storage.queries.search import search

_KINDS = ("government", "office", "department", "township")
# What a report must be to be found by its words, as coverage says it.
_STATES = ("read", "partly_read", "old", "unread", "attachment_only")
_MOST = 20


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        asked: dict[str, Any] = {
            "q": word(request, "q"),
            "division": division_asked(request, connection),
            "organ": word(request, "organ"),
            "year": number(request, "year"),
            "kind": one_of(request, "kind", _KINDS),
            "state": one_of(request, "state", _STATES),
        }
        found, sentence = None, ""
        if asked["q"] is not None:
            organ = asked["organ"]
            try:
                found = search(
                    connection,
                    words=asked["q"],
                    division=asked["division"],
                    organ_id=find_organ(connection, organ).id if organ else None,
                    year=asked["year"],
                    kind=asked["kind"],
                    state=asked["state"],
                    limit=_MOST,
                    after=_cursor(request),
                )
            except BadQuestion as error:
                sentence = str(error)
        return site.page(
            request,
            "search.html.jinja",
            status=400 if sentence else 200,
            found=found,
            sentence=sentence,
            asked_for=asked,
            after="-".join(map(str, found["after"])) if found and found["after"] else None,
            begins=word(request, "after") is None,
            known=choices(connection),
            kinds=_KINDS,
            states=_STATES,
        )

    yield Route("/search", site.answer(page))


def _cursor(request: Request) -> tuple[int, int] | None:
    """What `after` says: year and version. Raises Unclear."""
    after = word(request, "after")
    if after is None:
        return None
    year, _, version = after.partition("-")
    if not version:
        raise Unclear("number", name="after", value=after)
    return whole("after", year), whole("after", version)
