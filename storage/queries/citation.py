"""How is a report, or one of its figures, cited, so that others find the same bytes?"""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from storage.asof import AsOf, reading_of, shown_versions
from storage.care.leaving import leaves, without_values
from storage.errors import BadQuestion, NotInArchive
from storage.queries.organs import Organ
from storage.queries.report import number, report_row
from storage.readings.facts import load_reading, newest_reading
from storage.schema import captures, organs, readings, warc_files


class CitedFigure(TypedDict):
    """A figure as published in the version that is cited."""

    path: str
    raw: str
    state: str
    value: int | float | None


class Citation(TypedDict):
    """A version of a report. `published` is its own date as shown; `captured_at` that of its first
    capture; `number` counts the versions of the page or file from 1; `address` is its place in the
    explorer.
    """

    division_code: str
    organ: str
    year: int
    title: str
    published: str | None
    url: str
    captured_at: str
    version_id: int
    number: int
    canonical_digest: str
    payload_digest: str
    record_id: str
    warc_file: str
    warc_offset: int
    address: str
    figure: CitedFigure | None


@leaves
def citation(
    connection: sa.Connection,
    organ: Organ,
    year: int,
    *,
    cell: str | None = None,
    version_id: int | None = None,
    as_of: AsOf | None = None,
) -> Citation:
    """Of the version that stands, or stood then, or of another one, with a figure of it.

    With a figure and no version: of the one that the figures are read from, which may be a file.

    Raises NotInArchive for a report, version or capture there is not, BadQuestion for a cell.
    """
    row = report_row(connection, organ, year, as_of)
    wanted = version_id if version_id is not None else row.version_id
    if version_id is None and cell is not None and row.reading_id is not None:
        read_from = sa.select(readings.c.version_id).where(readings.c.id == row.reading_id)
        wanted = connection.execute(read_from).scalar_one()
    there = shown_versions(as_of, row.id)
    v, c = there.c, captures.c
    query = (
        sa.select(v.id, v.part, v.name, v.title, v.published, v.canonical_digest, v.first_seen)
        .add_columns(c.url, c.fetched_at, c.payload_digest, c.record_id, c.warc_offset)
        .add_columns(warc_files.c.name.label("file"))
        .select_from(there)
        .join(captures, c.id == v.capture_id)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .where(v.report_id == row.id, v.id == wanted)
    )
    found = connection.execute(query).one_or_none()
    if found is None:
        which = "captured version" if version_id is None else f"version {version_id}"
        then = "" if as_of is None else f" as {as_of}"
        raise NotInArchive(
            f"the report of {organ.name} for {year} has no {which}{then}: `archive history` lists "
            "them"
        )
    earlier = sa.select(sa.func.count()).where(
        v.report_id == row.id,
        v.part == found.part,
        v.name == found.name,
        sa.tuple_(v.first_seen, v.id) <= sa.tuple_(found.first_seen, found.id),
    )
    code = connection.execute(
        sa.select(organs.c.division_code).where(organs.c.id == organ.id)
    ).scalar_one()
    place = "/".join(quote(str(each), safe="") for each in (code, organ.name, year))
    return Citation(
        division_code=code,
        organ=organ.name,
        year=year,
        title=found.title,
        published=found.published,
        url=found.url,
        captured_at=found.fetched_at.isoformat(),
        version_id=found.id,
        number=connection.execute(earlier).scalar_one(),
        canonical_digest=found.canonical_digest,
        payload_digest=found.payload_digest,
        record_id=found.record_id,
        warc_file=found.file,
        warc_offset=found.warc_offset,
        address=f"/reports/{place}?{urlencode({'version': found.id})}",
        figure=None if cell is None else _figure(connection, found.id, cell, as_of),
    )


def _figure(
    connection: sa.Connection, version_id: int, path: str, as_of: AsOf | None
) -> CitedFigure:
    if as_of is None:
        reading = newest_reading(connection, version_id)
    else:
        then = sa.literal(version_id, sa.Integer())
        reading_id = connection.execute(sa.select(reading_of(then, as_of))).scalar()
        reading = None if reading_id is None else load_reading(connection, reading_id)
    cells = without_values(reading).cells if reading is not None else ()
    for cell in cells:
        if cell.path == path:
            return CitedFigure(path=path, raw=cell.raw, state=cell.state, value=number(cell.value))
    raise BadQuestion(f"version {version_id} has no cell {path}: docs/forms.md names them")
