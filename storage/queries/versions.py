"""What does one version of a report say, prose and all, and which parser read it so?"""

from __future__ import annotations

from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves, without_values
from storage.care.withdrawals import versions_withdrawn
from storage.errors import NotInArchive, Withdrawn
from storage.queries.organs import Organ
from storage.queries.report import (
    Cell,
    Finding,
    Indicator,
    KeptTable,
    cells_of,
    findings_of,
    indicator_of,
    kept_table,
    report_row,
)
from storage.readings.facts import ACTS, load_reading
from storage.readings.standing import stands
from storage.schema import readings
from storage.schema import shown_versions as versions

_V, _R = versions.c, readings.c
_VERSIONS = (
    sa.select(_V.id.label("version_id"), _V.part, _V.name, _V.media, _V.title, _V.published)
    .add_columns(_V.source, _V.capture_id, _R.body_title, _R.parser, _R.layout, _R.engine)
    .add_columns(_R.created_at)
    .select_from(versions)
    .outerjoin(readings, _R.version_id == _V.id)
)


class Section(TypedDict):
    """A section of the prose."""

    heading: str
    text: str


class ReadVersion(TypedDict):
    """A version as its reading in force has it; `parser`, `layout` and `read_at` are null where no
    reader opened it. `capture_id`: the first that holds it.
    """

    version_id: int
    part: str
    name: str
    media: str
    title: str
    body_title: str | None
    published: str | None
    source: str | None
    capture_id: int
    parser: str | None
    layout: str | None
    engine: str | None
    read_at: str | None
    cells: list[Cell]
    findings: list[Finding]
    sections: list[Section]
    indicators: list[Indicator]
    unclaimed: list[KeptTable]


@leaves
def read_version(
    connection: sa.Connection,
    organ: Organ,
    year: int,
    *,
    version_id: int | None = None,
    as_of: AsOf | None = None,
) -> ReadVersion | None:
    """A version of the report by its number in `history`, else the one whose reading stands for it;
    None where none does. Raises NotInArchive, and Withdrawn.
    """
    report_id = report_row(connection, organ, year, as_of).id
    if version_id is None:
        standing = stands(as_of, report_id).c
        mine = sa.select(standing.reading_id).where(standing.report_id == report_id)
        reading_id = connection.execute(mine).scalar()
        if reading_id is None:
            return None
        row: sa.Row[Any] | None = connection.execute(_VERSIONS.where(_R.id == reading_id)).one()
    else:
        reading_id = _reading_in_force(connection, version_id)
        found = _VERSIONS.where(_V.id == version_id, _V.report_id == report_id)
        row = connection.execute(found.where(_R.id.is_not_distinct_from(reading_id))).one_or_none()
        if row is None:
            raise _unknown(connection, report_id, organ, year, version_id)
    assert row is not None
    return _told(connection, row, reading_id)


def _unknown(
    connection: sa.Connection, report_id: int, organ: Organ, year: int, version_id: int
) -> NotInArchive:
    for withdrawn, _, sentence in versions_withdrawn(connection, report_id):
        if withdrawn == version_id:
            return Withdrawn(f"version {version_id} of {organ.name} for {year}: {sentence}")
    of_report = f"the report of {organ.name} for {year} has no version {version_id}"
    return NotInArchive(f"{of_report}: `archive history` lists them")


def _reading_in_force(connection: sa.Connection, version_id: int) -> int | None:
    last = sa.select(ACTS.c.reading_id).where(ACTS.c.version_id == version_id)
    newest = last.order_by(ACTS.c.at.desc(), ACTS.c.reading_id.desc()).limit(1)
    found: int | None = connection.execute(newest).scalar()
    return found


def _told(connection: sa.Connection, row: sa.Row[Any], reading_id: int | None) -> ReadVersion:
    reading = None
    if reading_id is not None:
        reading = without_values(load_reading(connection, reading_id))
    return ReadVersion(
        version_id=row.version_id,
        part=row.part,
        name=row.name,
        media=row.media,
        title=row.title,
        body_title=row.body_title,
        published=row.published,
        source=row.source,
        capture_id=row.capture_id,
        parser=row.parser,
        layout=row.layout,
        engine=row.engine,
        read_at=row.created_at.isoformat() if row.created_at else None,
        cells=cells_of(reading, {}) if reading else [],
        findings=findings_of([*reading.verdicts, *reading.findings]) if reading else [],
        sections=[Section(heading=h, text=t) for h, t in reading.sections] if reading else [],
        indicators=[indicator_of(each) for each in reading.indicators] if reading else [],
        unclaimed=[kept_table(grid) for grid in reading.grids if grid.rows] if reading else [],
    )
