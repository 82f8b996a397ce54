"""What is there to take away of each report: figures, prose, and down to which bytes they lead?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, current_versions
from storage.care.leaving import leaves
from storage.queries.report import Report, _report
from storage.readings.facts import FormRecord
from storage.readings.standing import reports_of, stands
from storage.schema import (
    captures,
    is_government,
    organs,
    portals,
    readings,
    sections,
    warc_files,
)
from storage.schema import shown_versions as versions

# Reports whose keys are held at once.
_HELD = 500


class Origin(TypedDict):
    """A version that stands, and where the bytes lie that it was first seen in."""

    part: str
    name: str
    media: str
    version_id: int
    url: str
    canonical_digest: str
    capture_id: int
    captured_at: str
    payload_digest: str
    record_id: str
    warc_file: str
    warc_offset: int
    warc_length: int


class Prose(TypedDict):
    """A section of the prose."""

    heading: str
    text: str


class Taken(TypedDict):
    """A report with the keys of what stands for it. `read` is the version that the figures are
    read from, else that of the page; `origins` are the page's and the attachments'.
    """

    report_id: int
    organ_kind: str
    portal: str
    kind: str
    reading_id: int | None
    parser: str | None
    read: Origin | None
    origins: list[Origin]
    sections: list[Prose]
    report: Report


@leaves
def taken(
    connection: sa.Connection,
    *,
    division: str | None = None,
    organ_id: int | None = None,
    year: int | None = None,
    portal: str | None = None,
    as_of: AsOf | None = None,
) -> Iterator[Taken]:
    """Every report, one after the other, by division (government first), organ and year.

    `division` is a code or the beginning of one.
    """
    of = reports_of(division=division, organ_id=organ_id, year=year)
    standing, o = stands(as_of, of), organs.c
    s = standing.c
    wanted = [
        *([o.division_code.startswith(division, autoescape=True)] if division else []),
        *([o.id == organ_id] if organ_id is not None else []),
        *([s.year == year] if year is not None else []),
        *([o.portal == portal] if portal is not None else []),
    ]
    query = (
        sa.select(s.report_id.label("id"), s.year, s.division_code, o.name.label("organ"))
        .add_columns(s.version_id, s.reading_id, s.title, s.published, versions.c.source)
        .add_columns(s.kind, o.kind.label("organ_kind"), o.portal)
        .select_from(standing)
        .join(organs, o.id == s.organ_id)
        .join(portals)
        .outerjoin(versions, versions.c.id == s.version_id)
        .where(*wanted)
        .order_by(o.division_code, is_government.desc(), o.name, s.year, s.report_id)
    )
    shapes: dict[int, FormRecord] = {}
    for row in connection.execute(query.execution_options(yield_per=_HELD)):
        yield _taken(connection, row, shapes, as_of)


def _taken(
    connection: sa.Connection, row: Any, shapes: dict[int, FormRecord], as_of: AsOf | None
) -> Taken:
    r = readings.c
    read = connection.execute(sa.select(r.version_id, r.parser).where(r.id == row.reading_id))
    version_id, parser = read.one_or_none() or (row.version_id, None)
    origins = _origins(connection, row.id, as_of)
    return Taken(
        report_id=row.id,
        organ_kind=row.organ_kind,
        portal=row.portal,
        kind=row.kind,
        reading_id=row.reading_id,
        parser=parser,
        read=next((each for each in origins if each["version_id"] == version_id), None),
        origins=origins,
        sections=_sections(connection, row.reading_id),
        report=_report(connection, row, shapes, as_of),
    )


def _origins(connection: sa.Connection, report_id: int, as_of: AsOf | None) -> list[Origin]:
    """The page first, then the files by name."""
    current = current_versions(as_of, report_id)
    n, v, c = current.c, versions.c, captures.c
    query = (
        sa.select(v.part, v.name, v.media, v.id, v.canonical_digest)
        .add_columns(c.url, c.id.label("capture_id"), c.fetched_at, c.payload_digest, c.record_id)
        .add_columns(warc_files.c.name.label("file"), c.warc_offset, c.warc_length)
        .select_from(current)
        .join(versions, v.id == n.version_id)
        .join(captures, c.id == v.capture_id)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .where(n.report_id == report_id)
        .order_by(v.part.desc(), v.name, v.id)
    )
    return [
        Origin(
            part=each.part,
            name=each.name,
            media=each.media,
            version_id=each.id,
            url=each.url,
            canonical_digest=each.canonical_digest,
            capture_id=each.capture_id,
            captured_at=each.fetched_at.isoformat(),
            payload_digest=each.payload_digest,
            record_id=each.record_id,
            warc_file=each.file,
            warc_offset=each.warc_offset,
            warc_length=each.warc_length,
        )
        for each in connection.execute(query)
    ]


def _sections(connection: sa.Connection, reading_id: int | None) -> list[Prose]:
    s = sections.c
    query = sa.select(s.heading, s.text).where(s.reading_id == reading_id).order_by(s.position)
    return [Prose(heading=each.heading, text=each.text) for each in connection.execute(query)]
