"""Where do the bytes of a capture lie?"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from storage.schema import captures, warc_files


class Place(NamedTuple):
    """A WARC file, and where in it the record begins."""

    warc_file: str
    offset: int
    payload_digest: str


def places(connection: sa.Connection, ids: Collection[int]) -> dict[int, Place]:
    """Capture → place, of those that the archive has."""
    c = captures.c
    query = (
        sa.select(c.id, warc_files.c.name, c.warc_offset, c.payload_digest)
        .join(warc_files)
        .where(c.id.in_(ids))
    )
    return {row[0]: Place(*row[1:]) for row in connection.execute(query)}
