"""What a reading says otherwise than the one before: cell by cell, and why."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from storage.readings.facts import CellRecord, FindingRecord, ReadingRecord


class Change(NamedTuple):
    """One cell; `before` or `after` is empty where only one form has it."""

    path: str
    before: str
    after: str
    why: str


def changes(before: ReadingRecord, now: ReadingRecord) -> list[Change]:
    """The cells that are read otherwise, in the order of the form."""
    old = {cell.path: cell for cell in before.cells}
    new = {cell.path: cell for cell in now.cells}
    return [
        Change(path, _said(old.get(path)), _said(new.get(path)), _why(path, before, now))
        for path in dict.fromkeys((*old, *new))
        if _figure(old.get(path)) != _figure(new.get(path))
    ]


def shown(change: Change) -> str:
    """One line."""
    return f"  {change.path}: {change.before} → {change.after} ({change.why})"


def _figure(cell: CellRecord | None) -> object:
    return cell and (cell.raw, cell.state, cell.value, cell.unit, cell.confidence)


def _said(cell: CellRecord | None) -> str:
    if cell is None:
        return "no such cell"
    return f"“{cell.raw.strip()}” {cell.state}" if cell.raw.strip() else cell.state


def _why(path: str, before: ReadingRecord, now: ReadingRecord) -> str:
    """A finding about the cell that came or went; else another form; else another measure."""
    old, new = _naming(path, before), _naming(path, now)
    if came := list((new - old).elements()):
        return "; ".join(came)
    if gone := list((old - new).elements()):
        return f"no longer: {'; '.join(gone)}"
    if before.layout != now.layout:
        return f"layout {before.layout} became {now.layout}"
    return "the text is judged otherwise"


def _naming(path: str, reading: ReadingRecord) -> Counter[str]:
    findings: tuple[FindingRecord, ...] = reading.findings
    return Counter(finding.message for finding in findings if path in finding.cells)
