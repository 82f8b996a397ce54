"""`/changes`: what was published, edited, moved, removed, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.asof import ZONE, AsOf
from storage.explorer.asked import Unclear, word
from storage.explorer.choices import choices, division_asked
from storage.explorer.site import Site
from storage.queries.changes import Cursor, Event, changes
from storage.queries.organs import find_organ

# Events on one page.
_MOST = 100
# Before any archive.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        since, until = word(request, "since"), word(request, "until")
        organ, division = word(request, "organ"), division_asked(request, connection)
        events = changes(
            connection,
            # A day counts from its beginning as the first, to its end as the last.
            since=max(AsOf.parse(since).at, _BEGINNING) - _DAY if since else _BEGINNING,
            until=AsOf.parse(until).at if until else datetime.now(UTC),
            division=division,
            organ_id=find_organ(connection, organ).id if organ else None,
            limit=_MOST + 1,
            after=_cursor(request),
        )
        shown = events[:_MOST]
        return site.page(
            request,
            "changes.html.jinja",
            days=[(day, list(each)) for day, each in groupby(shown, key=_day)],
            after=_written(shown[-1]) if len(events) > _MOST else None,
            begins=word(request, "after") is None,
            known=choices(connection),
            since=since,
            until=until,
            division=division,
            organ=organ,
        )

    yield Route("/changes", site.answer(page))


def _day(event: Event) -> str:
    return f"{datetime.fromisoformat(event['at']).astimezone(ZONE):%Y-%m-%d}"


def _written(event: Event) -> str:
    """The place of an event in the list, as `after` says it."""
    return f"{event['at']}~{event['kind']}~{event['number']}"


def _cursor(request: Request) -> Cursor | None:
    """What `after` says. Raises Unclear."""
    after = word(request, "after")
    if after is None:
        return None
    at, _, rest = after.partition("~")
    kind, _, number = rest.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise Unclear("date", name="after", value=after) from error
    if (
        moment.tzinfo is None
        or not 1 < moment.year < 9999
        or not (number.isascii() and number.isdigit() and len(number) < 10)
    ):
        raise Unclear("date", name="after", value=after)
    return at, kind, int(number)
