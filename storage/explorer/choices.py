"""Which divisions a reader can choose from, or name."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from starlette.requests import Request

from storage.explorer.asked import word
from storage.queries.holdings import Division, divisions, divisions_named

# More than these nobody looks through in one list, and a page of them all is slow to send.
MOST = 100


def choices(connection: sa.Connection) -> Sequence[Division]:
    """The divisions of the archive; none where they are too many: then a field takes a name, a code
    or the beginning of one.
    """
    return divisions(connection, most=MOST)


def division_asked(request: Request, connection: sa.Connection) -> str | None:
    """What `division` says: a code or the beginning of one, also where it names it in words."""
    asked = word(request, "division")
    if asked is None or asked.isdigit():
        return asked
    named = divisions_named(connection, asked)
    return named[0] if len(named) == 1 else asked
