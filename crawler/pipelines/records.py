"""The crawl's own types as the archive's records."""

from __future__ import annotations

from typing import cast

from crawler.documents.model import Grid, GridCell
from crawler.forms import PARSER
from crawler.forms.likeness import signature
from crawler.forms.model import Cell, Finding, Layout, Reading, Section, State
from crawler.portals.titles import Identity
from storage.readings.facts import (
    CellRecord,
    FindingRecord,
    FormRecord,
    GridRecord,
    IndicatorRecord,
    ReadingRecord,
)
from storage.readings.observing import ReportKey


def report_key(sight_portal: str, identity: Identity) -> ReportKey:
    """Identity of a report in the archive; its year must be known."""
    assert identity.year is not None
    return ReportKey(
        portal=sight_portal,
        division_code=identity.division_code,
        organ=identity.organ,
        organ_kind=identity.organ_kind,
        year=identity.year,
    )


def reading_record(reading: Reading, more: tuple[Finding, ...] = ()) -> ReadingRecord:
    """A reading with what the page itself gave reason to say."""
    return ReadingRecord(
        parser=f"{PARSER}+{reading.engine}" if reading.engine else PARSER,
        layout=reading.layout,
        body_title=reading.body_title,
        form=_form(reading),
        cells=tuple(
            CellRecord(
                cell.table,
                cell.row,
                cell.column,
                cell.raw,
                str(cell.state),
                cell.value,
                cell.unit,
                cell.place,
                cell.confidence,
            )
            for cell in reading.cells
        ),
        verdicts=tuple(map(finding_record, reading.checks)),
        findings=tuple(map(finding_record, (*reading.findings, *more))),
        sections=tuple((section.heading, section.text) for section in reading.sections),
        indicators=tuple(
            IndicatorRecord(*each[:5], str(each.state), each.value, each.place)
            for each in reading.indicators
        ),
        grids=tuple(
            _grid(grid, grid.ordinal not in reading.unclaimed)
            for grid in reading.grids
            if grid.page or grid.xs or grid.ordinal in reading.unclaimed
        ),
        signature=signature(reading.sections),
        engine=reading.engine or None,
    )


def reading_of(record: ReadingRecord) -> Reading:
    """A stored reading as the relations between reports take it; without its grids."""
    return Reading(
        layout=cast("Layout", record.layout),
        body_title=record.body_title,
        cells=tuple(_cell(cell) for cell in record.cells),
        checks=(),
        findings=(),
        sections=tuple(Section(*section) for section in record.sections),
        engine=record.engine or "",
    )


def _cell(cell: CellRecord) -> Cell:
    names = (cell.table, cell.row, cell.column)
    return Cell(*names, cell.raw, State(cell.state), cell.value, cell.unit, cell.place)


def _grid(grid: Grid, claimed: bool) -> GridRecord:
    rows = None if claimed else [[_grid_cell(cell) for cell in row] for row in grid.rows]
    return GridRecord(grid.ordinal, grid.page, grid.sheet or None, grid.xs, grid.ys, claimed, rows)


def _form(reading: Reading) -> FormRecord | None:
    if not reading.cells:
        return None
    return FormRecord(
        key=reading.layout,
        cells=tuple((cell.table, cell.row, cell.column) for cell in reading.cells),
        checks=tuple((check.rule, check.cells) for check in reading.checks),
    )


def _grid_cell(cell: GridCell) -> list[str | int]:
    return [cell.text, cell.row, cell.column, cell.rowspan, cell.colspan]


def finding_record(finding: Finding) -> FindingRecord:
    """A statement with its sentences."""
    return FindingRecord(
        finding.rule,
        str(finding.verdict),
        finding.message,
        finding.message_zh,
        finding.cells,
    )
