"""Fourth, when a run or a re-parse ends: the reports that changed are held against others.

Against their own copies, the year before, other organs of the city and the calendar. What is said
rests on readings of several reports, so it is kept apart from them (storage.readings.assessments).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from crawler.forms import PARSER
from crawler.forms.across import Copy, Organ, Subject, assess
from crawler.forms.model import Cell, State, Verdict
from crawler.pipelines.records import finding_record, reading_of
from storage.readings.assessments import keep_assessment, newest_assessments
from storage.readings.corrections import corrected_reports, in_force
from storage.readings.facts import FormRecord, load_reading
from storage.schema import (
    current_readings,
    current_versions,
    organs,
    readings,
    reports,
    versions,
)

# What a city's reports share the first digits of: GB/T 2260 has two for the province, two for it.
_CITY = 4
_KEPT = frozenset((Verdict.FAIL, Verdict.FINDING))
# The reading that stands for its report first.
_FIRST = (
    sa.case((current_versions.c.reading_id == current_readings.c.reading_id, 0), else_=1),
    current_versions.c.version_id,
)


def reports_to_assess(connection: Connection, parser: str | None = None) -> list[int]:
    """The reports whose newest assessment rests on other readings than it would today; and those
    corrected since, with those of the year after, which are held against them.

    `parser`: also those that another assessed. Told from what is kept, so that whoever comes after
    a process that died goes on with what that left.
    """
    r = reports.c
    rows = connection.execute(sa.select(r.id, r.organ_id, r.year).order_by(r.id)).all()
    known = {(row.organ_id, row.year): row.id for row in rows}
    shown, corrected = _shown(connection), corrected_reports(connection)
    said = newest_assessments(connection)
    waiting = []
    for row in rows:
        mine = shown.get(row.id, [])
        last = known.get((row.organ_id, row.year - 1))
        rests_on = {*mine, *shown.get(last, [])[:1]} if mine and last else set(mine)
        by, before = said.get(row.id, (parser, []))
        if rests_on != set(before) or by != (parser or by) or corrected & {row.id, last}:
            waiting.append(row.id)
    return waiting


def _shown(connection: Connection) -> dict[int | None, list[int]]:
    """Report → the readings of `_copies`, in its order."""
    shown: dict[int | None, list[int]] = defaultdict(list)
    for row in connection.execute(_shown_in().order_by(current_versions.c.report_id, *_FIRST)):
        shown[row.report_id].append(row.reading_id)
    return shown


def assess_report(
    connection: Connection, report_id: int, at: datetime, shapes: dict[int, FormRecord]
) -> bool:
    """Say of one report what follows from others; whether anything new is kept.

    `shapes` keeps the forms between calls (`load_reading`).
    """
    o, r = organs.c, reports.c
    query = sa.select(r.year, o.id.label("organ_id"), o.name, o.kind, o.division_code)
    row = connection.execute(query.select_from(reports).join(organs).where(r.id == report_id)).one()
    copies, ids = _copies(connection, report_id, row.year, shapes)
    if not copies:
        return keep_assessment(connection, report_id, PARSER, [], [], at)
    before = sa.select(r.id).where(r.organ_id == row.organ_id, r.year == row.year - 1)
    last_id = connection.execute(before).scalar()
    last, last_ids = _copies(connection, last_id, row.year - 1, shapes) if last_id else ([], [])
    subject = Subject(
        organ=Organ(row.name, row.kind, row.division_code),
        year=row.year,
        copies=tuple(copies),
        last=last[0] if last else None,
        others=_others(connection, row.organ_id, row.division_code, row.year),
    )
    said = [finding_record(each) for each in assess(subject) if each.verdict in _KEPT]
    return keep_assessment(connection, report_id, PARSER, [*ids, *last_ids[:1]], said, at)


def _copies(
    connection: Connection, report_id: int, year: int, shapes: dict[int, FormRecord]
) -> tuple[list[Copy], list[int]]:
    """The copies of a report that show its form or its prose, the one that stands for it first."""
    query = _shown_in().where(current_versions.c.report_id == report_id).order_by(*_FIRST)
    rows = connection.execute(query).all()
    corrected = {
        each.cell: each.after for each in in_force(connection, report_id) if each.cell is not None
    }
    copies: list[Copy] = []
    for row in rows:
        reading = reading_of(load_reading(connection, row.reading_id, shapes))
        by_person = [] if copies else [cell for cell in reading.cells if cell.path in corrected]
        told = tuple(_corrected(cell, corrected[cell.path]) for cell in by_person)
        copies.append(Copy(reading, year, row.published, row.name or row.part, told))
    published = next((each.published for each in copies if each.published), None)
    if copies and copies[0].published is None:
        copies[0] = replace(copies[0], published=published)
    return copies, [row.reading_id for row in rows]


def _shown_in() -> sa.Select[Any]:
    v = current_versions.c
    return (
        sa.select(v.report_id, v.reading_id, v.part, v.name, versions.c.published)
        .select_from(current_versions)
        .join(versions, versions.c.id == v.version_id)
        .join(readings, readings.c.id == v.reading_id)
        .join(current_readings, current_readings.c.report_id == v.report_id)
        .where(readings.c.layout != "unknown")
    )


def _corrected(cell: Cell, after: dict[str, str | None]) -> Cell:
    """The cell as a person reads it."""
    value = None if after["value"] is None else Decimal(after["value"])
    return cell._replace(
        raw=after["raw"] or "", state=State(str(after["state"])), value=value, unit=None
    )


def _others(
    connection: Connection, organ_id: int, division: str, year: int
) -> dict[str, tuple[int, ...]]:
    """What the prose of the city's other reports of the year is signed with, by organ."""
    o, r = organs.c, reports.c
    query = (
        sa.select(o.name, readings.c.signature)
        .select_from(reports)
        .join(organs)
        .join(current_readings, current_readings.c.report_id == r.id)
        .join(readings, readings.c.id == current_readings.c.reading_id)
        .where(r.year == year, o.division_code.startswith(division[:_CITY]), o.id != organ_id)
        .where(readings.c.signature.is_not(None))
        .order_by(o.name)
    )
    return {row.name: tuple(row.signature) for row in connection.execute(query)}
