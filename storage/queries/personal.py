"""Where in the archive do numbers of persons stand? Never which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves, personal_in
from storage.care.personal import Kind
from storage.readings.assessments import assessment_of
from storage.readings.facts import ReadingRecord, load_reading
from storage.schema import current_versions, organs, readings
from storage.schema import shown_aliases as aliases
from storage.schema import shown_reports as reports
from storage.schema import shown_versions as versions


class Place(TypedDict):
    """`count` numbers of a kind at a place of a report; `version` is null for what is said of the
    report from outside: the addresses and titles it was listed under, what follows from others.
    """

    division_code: str
    organ: str
    year: int
    version: int | None
    place: str
    kind: str
    count: int


@leaves
def personal(connection: sa.Connection) -> list[Place]:
    """By division, organ and year, in what is shown of the newest version of each page and file."""
    o, r = organs.c, reports.c
    query = (
        sa.select(r.id, r.year, o.division_code, o.name)
        .join(organs, o.id == r.organ_id)
        .order_by(o.division_code, o.name, r.year, r.id)
    )
    return [
        Place(
            division_code=row.division_code,
            organ=row.name,
            year=row.year,
            version=version,
            place=place,
            kind=kind,
            count=count,
        )
        for row in connection.execute(query).all()
        for version, place, text in _texts(connection, row.id)
        for kind, count in sorted(personal_in(text).items())
    ]


@leaves
def personal_in_version(connection: sa.Connection, version_id: int) -> dict[Kind, int]:
    """How many numbers of persons what was ever read of a version holds, by kind."""
    v = versions.c
    query = sa.select(v.name, v.title, v.source).where(v.id == version_id)
    version = connection.execute(query).one_or_none()
    if version is None:
        return {}
    texts = [version.name, version.title, version.source or ""]
    read = sa.select(readings.c.id).where(readings.c.version_id == version_id)
    for reading_id in connection.execute(read).scalars().all():
        texts += [text for _, text in _texts_read(load_reading(connection, reading_id))]
    return dict(personal_in(texts))


def _texts(connection: sa.Connection, report_id: int) -> Iterator[tuple[int | None, str, str]]:
    a = aliases.c
    listed = sa.select(a.url, a.name, a.title).where(a.report_id == report_id).order_by(a.id)
    for row in connection.execute(listed):
        yield None, "address", row.url
        yield None, "name of the file", row.name
        yield None, "title in the listing", row.title
    for finding in assessment_of(connection, report_id):
        yield None, f"finding {finding.rule}", f"{finding.message}\n{finding.message_zh}"
    v, current = versions.c, current_versions.c
    query = (
        sa.select(v.id, v.name, v.title, v.source, current.reading_id)
        .join(current_versions, current.version_id == v.id)
        .where(v.report_id == report_id)
        .order_by(v.id)
    )
    for version in connection.execute(query).all():
        yield from ((version.id, place, text) for place, text in _texts_of(connection, version))


def _texts_of(connection: sa.Connection, version: Any) -> Iterator[tuple[str, str]]:
    yield "title", version.title
    yield "source", version.source or ""
    if version.reading_id is not None:
        yield from _texts_read(load_reading(connection, version.reading_id))


def _texts_read(reading: ReadingRecord) -> Iterator[tuple[str, str]]:
    yield "title in the text", reading.body_title or ""
    for number, (heading, text) in enumerate(reading.sections, 1):
        yield f"heading of section {number}", heading
        yield f"section {number}", text
    for cell in reading.cells:
        yield f"cell {cell.path}", cell.raw
    for number, line in enumerate(reading.indicators, 1):
        yield f"indicator {number}", f"{line.block}\n{line.label}\n{line.raw}"
    for grid in reading.grids:
        for row in grid.rows or ():
            for shown, at, column, *_ in row:
                yield f"table {grid.ordinal}, row {at}, column {column}", str(shown)
    for finding in (*reading.verdicts, *reading.findings):
        yield f"finding {finding.rule}", f"{finding.message}\n{finding.message_zh}"
