"""Which captures show the reports that are wanted, and what keeps a record of them here.

A record leaves as it lies: address and heads with the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.asof import AsOf
from storage.capture.warc import locate, read_record
from storage.exports.source import Selection
from storage.queries.bytes import Door, Inside, Why, body_of, look_into
from storage.schema import captures, observations, organs, reports, versions, warc_files

ORPHANS = "captures whose payload does not leave"
_SAID: Mapping[Why, str] = {
    "withdrawn": "captures of what is withdrawn",
    "personal": "captures with numbers of persons",
    "unseen": "captures of files that nobody could look into",
}
# Rows of the database that are held at once.
_HELD = 1000


@dataclass(frozen=True, slots=True)
class Sight:
    """A version seen in a capture, and where its bytes lie."""

    portal: str
    year: int
    capture_id: int
    part: str
    title: str
    url: str
    fetched_at: datetime
    revisit_of: int | None
    file: str
    offset: int
    length: int


def why_not(door: Door, directory: Path, sight: Sight) -> str:
    """What keeps a record here; empty where nothing does. Raises WarcNotReadable."""

    def look() -> Inside:
        headers, head, body = read_record(locate(directory, sight.file), sight.offset)
        told = (sight.url, *headers.values(), head.decode("latin-1"))
        return look_into(body_of(head, body), *told)

    why = door.why_not(sight.capture_id, look)
    return "" if why is None else _SAID[why]


def sights(connection: sa.Connection, wanted: Selection) -> Iterator[Sight]:
    """Every capture of the reports that are wanted, by portal, year and time, each once: of a
    bundle of files, which is one capture of several versions, with the first of them.
    """
    query = _sights(wanted.as_of)
    o = organs.c
    for column, value in ((o.id, wanted.organ_id), (reports.c.year, wanted.year)):
        query = query if value is None else query.where(column == value)
    if wanted.portal is not None:
        query = query.where(o.portal == wanted.portal)
    if wanted.division is not None:
        query = query.where(o.division_code.startswith(wanted.division, autoescape=True))
    before: tuple[str, int, int] | None = None
    for row in connection.execute(query.execution_options(yield_per=_HELD)):
        sight = Sight(*row)
        if (sight.portal, sight.year, sight.capture_id) != before:
            yield sight
        before = sight.portal, sight.year, sight.capture_id


def capture(connection: sa.Connection, sight: Sight) -> Sight | None:
    """The capture that holds the payload of a revisit, with what is known of the revisit."""
    c = captures.c
    query = (
        sa.select(c.id, c.url, c.fetched_at, warc_files.c.name, c.warc_offset, c.warc_length)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .where(c.id == sight.revisit_of)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return replace(
        sight,
        capture_id=row.id,
        part="",
        title="",
        url=row.url,
        fetched_at=row.fetched_at,
        revisit_of=None,
        file=row.name,
        offset=row.warc_offset,
        length=row.warc_length,
    )


def _sights(as_of: AsOf | None) -> sa.Select[Any]:
    v, c, o = versions.c, captures.c, observations.c
    query = (
        sa.select(organs.c.portal, reports.c.year, c.id, v.part, v.title)
        .add_columns(c.url, c.fetched_at, c.revisit_of)
        .add_columns(warc_files.c.name, c.warc_offset, c.warc_length)
        .select_from(observations)
        .join(versions, v.id == o.version_id)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .join(captures, c.id == o.capture_id)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .order_by(organs.c.portal, reports.c.year, c.fetched_at, c.id, v.id)
    )
    return query if as_of is None else query.where(o.seen_at <= as_of.at)
