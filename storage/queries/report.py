"""What does one organ's report of one year say, where does it stand, and does it add up?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, Of, shown_aliases, shown_reports, shown_versions
from storage.care.leaving import leaves, personal_in, without_values
from storage.care.withdrawals import tombstones, withdrawn_readings
from storage.errors import NotInArchive, Withdrawn
from storage.queries.organs import Organ
from storage.readings.assessments import assessment_at
from storage.readings.corrections import in_force
from storage.readings.facts import (
    FindingRecord,
    FormRecord,
    GridRecord,
    IndicatorRecord,
    ReadingRecord,
    load_reading,
)
from storage.readings.packing import CellRecord
from storage.readings.standing import reports_of, stands
from storage.schema import (
    captures,
    is_government,
    organs,
    portals,
    readings,
    warc_files,
)
from storage.schema import reports as every_report
from storage.schema import shown_versions as versions


class Cell(TypedDict):
    """One cell. `value` is null unless the state is number or zero."""

    table: str
    row: str
    column: str
    raw: str
    state: str
    value: int | float | None
    place: CellPlace | None
    correction: CellCorrection | None


class CellPlace(TypedDict):
    """Where a cell stands in its file: the number of its table from 0 (-1 in flattened text, where
    `row` counts the texts), row and column from 0, page or worksheet from 1, and, where the file
    has a geometry, the box `[left, top, right, bottom]` on that page.
    """

    table: int
    row: int
    column: int
    page: int | None
    box: list[float] | None


class CellCorrection(TypedDict):
    """What a person holds against a cell; `review`: the source says something else by now."""

    raw: str
    state: str
    value: int | float | None
    author: str
    reason: str
    evidence: str
    made_at: str
    review: bool


class Indicator(TypedDict):
    """A line of the statistics of 2014; `key` is null but for the stable ones."""

    key: str | None
    block: str
    label: str
    unit: str
    raw: str
    state: str
    value: int | float | None


class KeptTable(TypedDict):
    """A table that nobody claimed; `rows` hold `[text, row, column, rowspan, colspan]` a cell."""

    page: int | None
    sheet: str | None
    rows: Sequence[Sequence[Sequence[str | int]]]


class Finding(TypedDict):
    """A relation with its verdict, or another statement (verdict `finding`)."""

    rule: str
    verdict: str
    message: str
    message_zh: str
    cells: tuple[str, ...]


class Attachment(TypedDict):
    """The newest version of an attachment; `sha256` (hex) of the file as served."""

    name: str
    kind: str
    sha256: str
    url: str


class Report(TypedDict):
    """A report as it stands today; `tables` is nested as table → row → column.

    `read_from` is empty where the figures are the page's, else the file's name they stand in;
    `engine` names what recognised them in an image; `masked` counts the numbers of persons that
    were covered, by kind. A corrected cell has `<column>_corrected` beside it in `tables`.
    """

    division_code: str
    organ: str
    year: int
    title: str | None
    body_title: str | None
    published: str | None
    source: str | None
    form: str | None
    read_from: str
    engine: str | None
    urls: list[str]
    attachments: list[Attachment]
    tables: dict[str, Any]
    cells: list[Cell]
    findings: list[Finding]
    indicators: list[Indicator]
    unclaimed: list[KeptTable]
    masked: dict[str, int]


class Source(TypedDict):
    """Where the bytes of a version lie."""

    part: str
    name: str
    url: str
    fetched_at: str
    warc_file: str
    offset: int
    payload_digest: str


def holds_reports(connection: sa.Connection) -> bool:
    """Whether the archive knows any report at all."""
    return connection.execute(sa.select(every_report.c.id).limit(1)).scalar() is not None


@leaves
def report(
    connection: sa.Connection, organ: Organ, year: int, *, as_of: AsOf | None = None
) -> Report:
    """The report, by the version of its page that stands, or stood then. Raises NotInArchive."""
    return _report(connection, report_row(connection, organ, year, as_of), {}, as_of)


@leaves
def all_reports(connection: sa.Connection, *, as_of: AsOf | None = None) -> Iterator[Report]:
    """Every report of the archive, by division (government first), organ and year."""
    shapes: dict[int, FormRecord] = {}
    for row in connection.execute(_rows(as_of)).all():
        yield _report(connection, row, shapes, as_of)


@leaves
def sources(
    connection: sa.Connection, organ: Organ, year: int, *, as_of: AsOf | None = None
) -> list[Source]:
    """Down to file, offset and digest: the version of the page that stands, then the files'."""
    row = report_row(connection, organ, year, as_of)
    kept = [] if row.version_id is None else [row.version_id]
    kept += [attachment.id for attachment in _newest_attachments(connection, row.id, as_of)]
    v, c = versions.c, captures.c
    query = (
        sa.select(v.id, v.part, v.name, c.url, c.fetched_at, c.payload_digest)
        .add_columns(warc_files.c.name.label("file"), c.warc_offset)
        .select_from(versions)
        .join(captures, c.id == v.capture_id)
        .join(warc_files)
        .where(v.id.in_(kept))
    )
    found = sorted(connection.execute(query), key=lambda each: kept.index(each.id))
    return [
        Source(
            part=each.part,
            name=each.name,
            url=each.url,
            fetched_at=each.fetched_at.isoformat(),
            warc_file=each.file,
            offset=each.warc_offset,
            payload_digest=each.payload_digest,
        )
        for each in found
    ]


def report_row(
    connection: sa.Connection, organ: Organ, year: int, as_of: AsOf | None = None
) -> sa.Row[Any]:
    """The report's row with its current version. Raises NotInArchive with the years there are."""
    r = shown_reports(None).c
    mine = sa.select(r.id, r.year).where(r.organ_id == organ.id, r.kind == "annual")
    report_id = connection.execute(mine.where(r.year == year)).scalar()
    row = None
    if report_id is not None:
        row = connection.execute(_rows(as_of, report_id)).one_or_none()
    stone = next(
        (
            each
            for each in tombstones(connection).values()
            if (each.organ_id, each.year, each.kind) == (organ.id, year, "annual")
        ),
        None,
    )
    left = sa.select(versions.c.id).where(versions.c.report_id == report_id)
    if stone is not None and connection.execute(left.limit(1)).first() is None:
        raise Withdrawn(f"the report of {organ.name} for {year}: {stone.sentence}")
    if row is not None:
        return row
    t = shown_reports(as_of, reports_of(organ_id=organ.id)).c
    then = sa.select(t.year).where(t.organ_id == organ.id, t.kind == "annual").order_by(t.year)
    years = list(map(str, connection.execute(then).scalars()))
    known = f"it has {', '.join(years)}" if years else "it has none of this organ"
    what = f"the archive has no report of {organ.name} for {year}"
    if as_of is None:
        raise NotInArchive(f"{what}: {known}")
    raise NotInArchive(f"{what} as {as_of}: {known}")


def number(value: Decimal | None) -> int | float | None:
    """A cell's value for JSON: an integer where it is one."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _rows(as_of: AsOf | None, report_id: Of = None) -> sa.Select[Any]:
    standing = stands(as_of, report_id)
    s, o = standing.c, organs.c
    query = (
        sa.select(s.report_id.label("id"), s.year, s.division_code, organs.c.name.label("organ"))
        .add_columns(s.version_id, s.reading_id, s.title, s.published, versions.c.source)
        .select_from(standing)
        .join(organs, o.id == s.organ_id)
        .join(portals)
        .outerjoin(versions, versions.c.id == s.version_id)
        .order_by(o.division_code, is_government.desc(), o.name, s.year, s.report_id)
    )
    return query if report_id is None else query.where(s.report_id == report_id)


def _report(
    connection: sa.Connection,
    row: sa.Row[Any],
    shapes: dict[int, FormRecord],
    as_of: AsOf | None,
) -> Report:
    reading = None
    if row.reading_id:
        reading = without_values(load_reading(connection, row.reading_id, shapes))
    corrected = _corrected(connection, row.id, as_of)
    across = _said_across(connection, row.id, as_of)
    told = Report(
        division_code=row.division_code,
        organ=row.organ,
        year=row.year,
        title=row.title,
        body_title=reading.body_title if reading else None,
        published=row.published,
        source=row.source,
        form=reading.layout if reading and reading.layout != "unknown" else None,
        read_from=_read_from(connection, row.reading_id),
        engine=reading.engine if reading else None,
        urls=_urls(connection, row.id, as_of),
        attachments=_attachments(connection, row.id, as_of),
        tables=_tables(reading.cells, corrected) if reading else {},
        cells=cells_of(reading, corrected) if reading else [],
        findings=findings_of([*_said_in(reading), *across]),
        indicators=[indicator_of(each) for each in reading.indicators] if reading else [],
        unclaimed=[kept_table(grid) for grid in reading.grids if grid.rows] if reading else [],
        masked={},
    )
    told["masked"] = {str(kind): count for kind, count in personal_in(told).items()}
    return told


def _said_across(
    connection: sa.Connection, report_id: int, as_of: AsOf | None
) -> Sequence[FindingRecord]:
    """What follows from others, if none of them was withdrawn since."""
    said, rests_on = assessment_at(connection, report_id, as_of)
    return said if withdrawn_readings(connection).isdisjoint(rests_on) else ()


def _read_from(connection: sa.Connection, reading_id: int | None) -> str:
    v = versions.c
    query = sa.select(v.name).join(readings, readings.c.version_id == v.id)
    return connection.execute(query.where(readings.c.id == reading_id)).scalar() or ""


def _corrected(
    connection: sa.Connection, report_id: int, as_of: AsOf | None
) -> dict[str, CellCorrection]:
    """What persons hold against cells of the report, by cell."""
    return {
        each.cell: CellCorrection(
            raw=each.after["raw"],
            state=each.after["state"],
            value=None if each.after["value"] is None else number(Decimal(each.after["value"])),
            author=each.entry.author,
            reason=each.entry.reason,
            evidence=each.entry.evidence,
            made_at=each.entry.at.isoformat(),
            review=each.review,
        )
        for each in in_force(connection, report_id, as_of)
        if each.cell is not None
    }


def indicator_of(found: IndicatorRecord) -> Indicator:
    return Indicator(
        key=found.key,
        block=found.block,
        label=found.label,
        unit=found.unit,
        raw=found.raw,
        state=found.state,
        value=number(found.value),
    )


def kept_table(grid: GridRecord) -> KeptTable:
    return KeptTable(page=grid.page, sheet=grid.sheet, rows=grid.rows or ())


def _urls(connection: sa.Connection, report_id: int, as_of: AsOf | None) -> list[str]:
    """Addresses of its page, oldest first."""
    a = shown_aliases(as_of, report_id).c
    query = sa.select(a.url).where(a.report_id == report_id, a.part == "page")
    return list(connection.execute(query.order_by(a.first_seen, a.id)).scalars())


def _newest_attachments(
    connection: sa.Connection, report_id: int, as_of: AsOf | None
) -> list[sa.Row[Any]]:
    said = shown_versions(as_of, report_id)
    v, c = said.c, captures.c
    query = (
        sa.select(v.id, v.name, v.media, v.canonical_rule, v.canonical_digest)
        .add_columns(c.url, c.payload_digest)
        .select_from(said)
        .join(captures, c.id == v.capture_id)
        .where(v.report_id == report_id, v.part == "attachment")
        .order_by(v.last_seen, v.id)
    )
    newest = {row.name: row for row in connection.execute(query)}
    return [newest[name] for name in sorted(newest)]


def _attachments(connection: sa.Connection, report_id: int, as_of: AsOf | None) -> list[Attachment]:
    return [
        Attachment(name=row.name, kind=row.media, sha256=_file_digest(row), url=row.url)
        for row in _newest_attachments(connection, report_id, as_of)
    ]


def _file_digest(row: sa.Row[Any]) -> str:
    """Of the file as served; a rule of another name left something out of its digest."""
    plain = row.canonical_rule.startswith("bytes/")
    found: str = row.canonical_digest if plain else row.payload_digest
    return found.removeprefix("sha256:")


def _tables(
    cells: tuple[CellRecord, ...], corrected: Mapping[str, CellCorrection]
) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for cell in cells:
        row = tables
        for key in (*cell.table.split("."), cell.row):
            row = row.setdefault(key, {})
        row[cell.column] = number(cell.value)
        if cell.unit is not None:
            row[f"{cell.column}_unit"] = cell.unit
            row[f"{cell.column}_raw"] = cell.raw
        if cell.path in corrected:
            row[f"{cell.column}_corrected"] = corrected[cell.path]["value"]
    return tables


def cells_of(reading: ReadingRecord, corrected: Mapping[str, CellCorrection]) -> list[Cell]:
    grids = {grid.ordinal: grid for grid in reading.grids}
    return [_cell(cell, grids, corrected.get(cell.path)) for cell in reading.cells]


def place_of(cell: CellRecord, grids: Mapping[int, GridRecord]) -> CellPlace | None:
    """Where a cell stands, with the grids of its reading by their ordinals."""
    if cell.place is None:
        return None
    table, row, column = cell.place
    grid = grids.get(table)
    box = None
    if grid and row + 1 < len(grid.ys) and column + 1 < len(grid.xs):
        box = [grid.xs[column], grid.ys[row], grid.xs[column + 1], grid.ys[row + 1]]
    page = None if grid is None else grid.page
    return CellPlace(table=table, row=row, column=column, page=page, box=box)


def _cell(
    cell: CellRecord, grids: Mapping[int, GridRecord], correction: CellCorrection | None
) -> Cell:
    return Cell(
        table=cell.table,
        row=cell.row,
        column=cell.column,
        raw=cell.raw,
        state=cell.state,
        value=number(cell.value),
        place=place_of(cell, grids),
        correction=correction,
    )


def _said_in(reading: ReadingRecord | None) -> tuple[FindingRecord, ...]:
    return (*reading.verdicts, *reading.findings) if reading else ()


def findings_of(said: Iterable[FindingRecord]) -> list[Finding]:
    return [
        Finding(
            rule=each.rule,
            verdict=each.verdict,
            message=each.message,
            message_zh=each.message_zh or each.message,
            cells=each.cells,
        )
        for each in said
    ]
