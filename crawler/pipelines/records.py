"""The crawl's own types as the archive's records."""

from __future__ import annotations

from crawler.forms import PARSER
from crawler.forms.model import Finding, Reading
from crawler.portals.titles import Identity
from storage.facts import CellRecord, FindingRecord, FormRecord, ReadingRecord, ReportKey


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
        parser=PARSER,
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
            )
            for cell in reading.cells
        ),
        verdicts=tuple(map(_finding, reading.checks)),
        findings=tuple(map(_finding, (*reading.findings, *more))),
        sections=tuple((section.heading, section.text) for section in reading.sections),
    )


def _form(reading: Reading) -> FormRecord | None:
    if not reading.cells:
        return None
    return FormRecord(
        key=reading.layout,
        cells=tuple((cell.table, cell.row, cell.column) for cell in reading.cells),
        checks=tuple((check.rule, check.cells) for check in reading.checks),
    )


def _finding(finding: Finding) -> FindingRecord:
    return FindingRecord(
        finding.rule,
        str(finding.verdict),
        finding.message,
        finding.message_zh,
        finding.cells,
    )
