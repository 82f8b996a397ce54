"""Fourth, when a run or a re-parse ends: the reports that changed are held against others.

Against their own copies, the year before, other organs of the city and the calendar. What is said
rests on readings of several reports, so it is kept apart from them (storage.assessments).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from crawler.forms import PARSER
from crawler.forms.across import Copy, Organ, Subject, assess
from crawler.forms.model import Cell, State, Verdict
from crawler.pipelines.records import finding_record, reading_of
from storage.assessments import keep_assessment
from storage.corrections import in_force
from storage.facts import load_reading
from storage.schema import (
    attempts,
    captures,
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


def new_in_run(connection: Connection, run_id: int) -> set[int]:
    """The reports of which a run brought a new version, in whichever of its starts."""
    query = (
        sa.select(versions.c.report_id)
        .join(captures, captures.c.id == versions.c.capture_id)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(attempts.c.run_id == run_id)
    )
    return set(connection.execute(query.distinct()).scalars())


def reports_to_assess(connection: Connection, touched: Collection[int]) -> list[int]:
    """These reports, and those of the year after, which are held against them."""
    later = reports.alias()
    query = (
        sa.select(reports.c.id, later.c.id)
        .select_from(reports)
        .outerjoin(
            later, (later.c.organ_id == reports.c.organ_id) & (later.c.year == reports.c.year + 1)
        )
    )
    rows = [row for row in connection.execute(query) if row[0] in touched]
    return sorted({each for row in rows for each in row if each is not None})


def assess_report(connection: Connection, report_id: int, at: datetime) -> bool:
    """Say of one report what follows from others; whether that is new."""
    o, r = organs.c, reports.c
    query = sa.select(r.year, o.id.label("organ_id"), o.name, o.kind, o.division_code)
    row = connection.execute(query.select_from(reports).join(organs).where(r.id == report_id)).one()
    copies, ids = _copies(connection, report_id, row.year)
    if not copies:
        return False
    before = sa.select(r.id).where(r.organ_id == row.organ_id, r.year == row.year - 1)
    last_id = connection.execute(before).scalar()
    last, last_ids = _copies(connection, last_id, row.year - 1) if last_id else ([], [])
    subject = Subject(
        organ=Organ(row.name, row.kind, row.division_code),
        year=row.year,
        copies=tuple(copies),
        last=last[0] if last else None,
        others=_others(connection, row.organ_id, row.division_code, row.year),
    )
    said = [finding_record(each) for each in assess(subject) if each.verdict in _KEPT]
    return keep_assessment(connection, report_id, PARSER, [*ids, *last_ids[:1]], said, at)


def _copies(connection: Connection, report_id: int, year: int) -> tuple[list[Copy], list[int]]:
    """The copies of a report that show its form or its prose, the one that stands for it first."""
    v, standing = current_versions.c, current_readings.c
    query = (
        sa.select(v.reading_id, v.part, v.name, versions.c.published)
        .select_from(current_versions)
        .join(versions, versions.c.id == v.version_id)
        .join(readings, readings.c.id == v.reading_id)
        .join(current_readings, standing.report_id == v.report_id)
        .where(v.report_id == report_id, readings.c.layout != "unknown")
        .order_by(sa.case((v.reading_id == standing.reading_id, 0), else_=1), v.version_id)
    )
    rows = connection.execute(query).all()
    corrected = {
        each.cell: each.after for each in in_force(connection, report_id) if each.cell is not None
    }
    copies: list[Copy] = []
    for row in rows:
        reading = reading_of(load_reading(connection, row.reading_id))
        if not copies:
            cells = tuple(_corrected(cell, corrected) for cell in reading.cells)
            reading = replace(reading, cells=cells)
        copies.append(Copy(reading, year, row.published, row.name or row.part))
    published = next((each.published for each in copies if each.published), None)
    if copies and copies[0].published is None:
        copies[0] = replace(copies[0], published=published)
    return copies, [row.reading_id for row in rows]


def _corrected(cell: Cell, corrected: dict[str, dict[str, str | None]]) -> Cell:
    """The cell as a person reads it, where a person has."""
    after = corrected.get(cell.path)
    if after is None:
        return cell
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
