"""Reports held against their copies, the year before, their neighbours and the calendar.

What follows from several readings is kept apart from them, and anew only where it rests on other
readings, says something else or is said by another parser than before: `assessments` is the history
of what could be said of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from storage.asof import KEPT, AsOf, Of, among, current_versions
from storage.readings.facts import FindingRecord
from storage.schema import assessment_findings, assessments, readings, versions


def keep_assessment(
    conn: sa.Connection,
    report_id: int,
    parser: str,
    readings: Sequence[int],
    findings: Sequence[FindingRecord],
    at: datetime,
) -> bool:
    """Keep what was said of a report on the ground of these readings; whether anything is new."""
    before = _newest(conn, report_id)
    if before is None and not readings:
        return False
    if (
        before is not None
        and (before.parser, set(before.readings)) == (parser, set(readings))
        and _said(conn, before.id) == list(findings)
    ):
        return False
    row = {"report_id": report_id, "parser": parser, "readings": list(readings), "assessed_at": at}
    added = assessments.insert().returning(assessments.c.id)
    assessment_id = conn.execute(added, row).scalar_one()
    lines = [
        {"assessment_id": assessment_id, "position": i, **asdict(finding)}
        for i, finding in enumerate(findings)
    ]
    if lines:
        conn.execute(assessment_findings.insert(), lines)
    return True


def assessments_in_force(as_of: AsOf | None, of: Of = None) -> sa.Subquery:
    """`report_id` and `assessment_id`: the newest of each report; of a moment, the newest by then.

    Of what had been published it is the newest that rests on nothing but readings of what stood.
    """
    a = assessments.c
    query = sa.select(a.report_id, sa.func.max(a.id).label("assessment_id")).group_by(a.report_id)
    query = query.where(*among(a.report_id, of))
    if as_of is not None and as_of.basis == "known":
        query = query.where(a.assessed_at <= as_of.at)
    elif as_of is not None:
        v = current_versions(as_of, _rested_on(of)).c
        # A NULL among them, and nothing would be known to be another.
        stood = sa.select(v.reading_id).where(v.reading_id.is_not(None))
        reading = _readings_of(assessments)
        other = sa.select(sa.literal(1)).select_from(reading)
        other = other.where(sa.cast(reading.c.value, sa.Integer).not_in(stood))
        query = query.where(~other.exists())
    return query.subquery("assessments_in_force")


@lru_cache(KEPT)
def _rested_on(of: Of) -> Of:
    """The reports whose readings assessments of these rest on: the year before is one of them."""
    if of is None:
        return None
    resting, r, v = assessments.alias("resting"), readings.c, versions.c
    reading = _readings_of(resting)
    return (
        sa.select(v.report_id)
        .select_from(resting.join(reading, sa.true()))
        .join(readings, r.id == sa.cast(reading.c.value, sa.Integer))
        .join(versions, v.id == r.version_id)
        .where(*among(resting.c.report_id, of))
    )


def is_in_force(
    reports: sa.FromClause, as_of: AsOf | None, of: Of = None
) -> sa.ColumnElement[bool]:
    """Whether an assessment is in force of the report at which an enclosing question is, all of
    whose reports are `of`: by an index, where `assessments_in_force` looks all of them up, unless
    what stood must be looked up anyway.
    """
    if as_of is not None and as_of.basis == "published":
        in_force = assessments_in_force(as_of, of).c.assessment_id
        return assessments.c.id.in_(sa.select(in_force))
    a = assessments.alias("newest").c
    newest = sa.select(sa.func.max(a.id)).where(a.report_id == reports.c.report_id)
    if as_of is not None:
        newest = newest.where(a.assessed_at <= as_of.at)
    return assessments.c.id == newest.correlate(reports).scalar_subquery()


def _readings_of(said: sa.FromClause) -> sa.TableValuedAlias:
    """The readings that an assessment rests on, a row each."""
    return _elements(said.c.readings).table_valued(sa.column("value", sa.Text))


class _elements(sa.sql.functions.GenericFunction[Any]):  # noqa: N801  named as SQL would
    """The elements of a JSON array, a row each."""

    inherit_cache = True
    name = "elements"


@compiles(_elements, "sqlite")
def _elements_on_sqlite(element: _elements, compiler: Any, **more: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **more)})"


@compiles(_elements, "postgresql")
def _elements_on_postgresql(element: _elements, compiler: Any, **more: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **more)})"


def assessment_of(conn: sa.Connection, report_id: int) -> list[FindingRecord]:
    """What is said of the report today; nothing where it was never assessed."""
    return assessment_at(conn, report_id, None)[0]


def assessment_at(
    conn: sa.Connection, report_id: int, as_of: AsOf | None
) -> tuple[list[FindingRecord], list[int]]:
    """What is or was said of the report, and the readings that rests on."""
    a, newest = assessments.c, assessments_in_force(as_of, report_id).c
    query = sa.select(a.id, a.readings).where(a.id == newest.assessment_id)
    row = conn.execute(query).one_or_none()
    return ([], []) if row is None else (_said(conn, row.id), row.readings)


def newest_assessments(
    conn: sa.Connection, report_id: int | None = None
) -> dict[int, tuple[str, list[int]]]:
    """Report → who assessed it last, on the ground of which readings; of one report or of all."""
    a = assessments.c
    newest = sa.select(sa.func.max(a.id)).group_by(a.report_id)
    if report_id is not None:
        newest = newest.where(a.report_id == report_id)
    query = sa.select(a.report_id, a.parser, a.readings).where(a.id.in_(newest))
    return {row.report_id: (row.parser, row.readings) for row in conn.execute(query)}


def _newest(conn: sa.Connection, report_id: int) -> sa.Row[Any] | None:
    query = sa.select(assessments).where(assessments.c.report_id == report_id)
    return conn.execute(query.order_by(assessments.c.id.desc()).limit(1)).one_or_none()


def _said(conn: sa.Connection, assessment_id: int) -> list[FindingRecord]:
    f = assessment_findings.c
    query = (
        sa.select(f.rule, f.verdict, f.message, f.message_zh, f.cells)
        .where(f.assessment_id == assessment_id)
        .order_by(f.position)
    )
    return [FindingRecord(*row[:4], tuple(row.cells)) for row in conn.execute(query)]
