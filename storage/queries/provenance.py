"""Where does a figure come from, step by step, down to the record that holds its bytes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, shown_versions
from storage.care.leaving import leaves, without_values
from storage.errors import BadQuestion, NotInArchive
from storage.queries.organs import Organ
from storage.queries.report import CellPlace, number, place_of, report_row
from storage.readings.facts import ACTS, load_reading
from storage.readings.onecell import NO_FIGURES, Scope, corrected, found
from storage.schema import (
    attempts,
    captures,
    forms,
    observations,
    readings,
    runs,
    warc_files,
)


class ProvenCell(TypedDict):
    """The cell as it was read; `place` as in the report. `corrected_*`: what a person holds against
    it, null where nobody does.
    """

    path: str
    raw: str
    state: str
    value: int | float | None
    unit: str | None
    place: CellPlace | None
    corrected_raw: str | None
    corrected_value: int | float | None


class ProvenReading(TypedDict):
    """Which parser read it by which form; `confirmed_by` is who said the same last."""

    id: int
    parser: str
    confirmed_by: str | None
    read_at: str
    layout: str
    form: str
    form_digest: str
    record_digest: str | None
    engine: str | None


class ProvenVersion(TypedDict):
    """The content in which it stands."""

    id: int
    part: str
    name: str
    media: str
    title: str
    published: str | None
    canonical_digest: str
    canonical_rule: str
    first_seen: str
    last_seen: str


class Record(TypedDict):
    """A record in a WARC file: it begins at `offset` and is `length` bytes long."""

    capture_id: int
    warc_file: str
    offset: int
    length: int
    record_id: str


class ProvenCapture(TypedDict):
    """One sight of that content. `record` is what was written then; `bytes_in` the record that
    holds the bytes: the same, or of a revisit the one it leads to, over all that lie between.
    """

    id: int
    url: str
    fetched_at: str
    status: int
    content_type: str | None
    size: int
    payload_digest: str
    run_id: int
    software: str
    record: Record
    revisit_of: int | None
    bytes_in: Record


class Provenance(TypedDict):
    """The chain of one figure; `captures` are oldest first."""

    division_code: str
    organ: str
    year: int
    cell: ProvenCell
    reading: ProvenReading
    version: ProvenVersion
    captures: list[ProvenCapture]


@leaves
def provenance(
    connection: sa.Connection, organ: Organ, year: int, cell: str, *, as_of: AsOf | None = None
) -> Provenance:
    """The chain of the figure that stands for the report.

    Raises NotInArchive where there is no such report or nothing was read in it, Withdrawn, and
    BadQuestion where no form has such a cell, or not the form of this report.
    """
    scope = Scope(organ_id=organ.id, year=year, as_of=as_of)
    standing = next(found(connection, cell, scope), None)
    if standing is None or standing.reading_id is None or standing.version_id is None:
        # Says which years there are, or that it was withdrawn.
        report_row(connection, organ, year)
        raise NotInArchive(
            f"nothing was read in the report of {organ.name} for {year}: "
            "`archive history` shows what there is"
        )
    if standing.state == NO_FIGURES:
        raise NotInArchive(
            f"the report of {organ.name} for {year} has no statutory tables that could be read: "
            "`archive report` shows what was"
        )
    reading = without_values(load_reading(connection, standing.reading_id))
    read = next((each for each in reading.cells if each.path == cell), None)
    if read is None:
        raise BadQuestion(
            f"the report of {organ.name} for {year} is of the layout {reading.layout}, "
            f"whose form has no cell {cell}: `archive ask series` shows which years have it"
        )
    held = corrected(connection, cell, as_of).get(standing.report_id)
    return Provenance(
        division_code=organ.division_code,
        organ=organ.name,
        year=year,
        cell=ProvenCell(
            path=cell,
            raw=read.raw,
            state=read.state,
            value=number(read.value),
            unit=read.unit,
            place=place_of(read, {grid.ordinal: grid for grid in reading.grids}),
            corrected_raw=held.raw if held else None,
            corrected_value=number(held.value) if held else None,
        ),
        reading=_reading(connection, standing.reading_id),
        version=_version(connection, standing.report_id, standing.version_id, as_of),
        captures=_captures(connection, standing.version_id, as_of),
    )


def _reading(connection: sa.Connection, reading_id: int) -> ProvenReading:
    r = readings.c
    query = (
        sa.select(readings, forms.c.key, forms.c.digest)
        .join(forms, forms.c.id == r.form_id)
        .where(r.id == reading_id)
    )
    row = connection.execute(query).one()
    acts = sa.select(ACTS.c.parser).where(ACTS.c.reading_id == reading_id)
    last = connection.execute(acts.order_by(ACTS.c.at.desc()).limit(1)).scalar_one()
    return ProvenReading(
        id=row.id,
        parser=row.parser,
        confirmed_by=None if last == row.parser else last,
        read_at=row.created_at.isoformat(),
        layout=row.layout,
        form=row.key,
        form_digest=row.digest,
        record_digest=row.record_digest,
        engine=row.engine,
    )


def _version(
    connection: sa.Connection, report_id: int, version_id: int, as_of: AsOf | None
) -> ProvenVersion:
    versions = shown_versions(as_of, report_id)
    row = connection.execute(sa.select(versions).where(versions.c.id == version_id)).one()
    return ProvenVersion(
        id=row.id,
        part=row.part,
        name=row.name,
        media=row.media,
        title=row.title,
        published=row.published,
        canonical_digest=row.canonical_digest,
        canonical_rule=row.canonical_rule,
        first_seen=row.first_seen.isoformat(),
        last_seen=row.last_seen.isoformat(),
    )


def _captures(
    connection: sa.Connection, version_id: int, as_of: AsOf | None
) -> list[ProvenCapture]:
    o = observations.c
    seen = sa.select(o.capture_id).where(o.version_id == version_id)
    if as_of is not None and as_of.basis == "known":
        seen = seen.where(o.seen_at <= as_of.at)
    rows = _rows(connection, captures.c.id.in_(seen))
    chain = {row.id: row for row in rows}
    # A revisit of a revisit leads on; each step is one more look.
    while wanted := {row.revisit_of for row in chain.values()} - {None} - chain.keys():
        chain |= {row.id: row for row in _rows(connection, captures.c.id.in_(wanted))}
    return [_capture(row, chain) for row in rows]


def _rows(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    c, a = captures.c, attempts.c
    query = (
        sa.select(captures, warc_files.c.name.label("file"), a.run_id, runs.c.software)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .join(attempts, a.id == c.attempt_id)
        .join(runs, runs.c.id == a.run_id)
        .where(which)
        .order_by(c.fetched_at, c.id)
    )
    return list(connection.execute(query))


def _capture(row: sa.Row[Any], chain: Mapping[int, sa.Row[Any]]) -> ProvenCapture:
    holder, met = row, {row.id}
    while holder.revisit_of is not None and holder.revisit_of not in met:
        holder = chain[holder.revisit_of]
        met.add(holder.id)
    return ProvenCapture(
        id=row.id,
        url=row.url,
        fetched_at=row.fetched_at.isoformat(),
        status=row.status,
        content_type=row.content_type,
        size=row.size,
        payload_digest=row.payload_digest,
        run_id=row.run_id,
        software=row.software,
        record=_record(row),
        revisit_of=row.revisit_of,
        bytes_in=_record(holder),
    )


def _record(row: sa.Row[Any]) -> Record:
    return Record(
        capture_id=row.id,
        warc_file=row.file,
        offset=row.warc_offset,
        length=row.warc_length,
        record_id=row.record_id,
    )
