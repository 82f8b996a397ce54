"""What stands for each shown report: a row a report, kept up with every change it follows from.

The views say the same of one report as quickly; of a hundred thousand they take seconds, the table
`standing` does not. Whoever changes what a row follows from calls `refresh` in the same
transaction: facts, corrections and recanonical of this room, and storage.care.withdrawals.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from storage.asof import (
    KEPT,
    AsOf,
    Of,
    among,
    current_pages,
    current_readings,
    shown_aliases,
    shown_reports,
    shown_versions,
)
from storage.schema import organs, readings, standing, versions, withdrawals
from storage.schema import shown_reports as reports_shown
from storage.text import search


@lru_cache(KEPT)
def stands(as_of: AsOf | None, of: Of = None) -> sa.FromClause:
    """The table `standing`, or what it would have said at a moment of these reports: the same
    columns.
    """
    return standing if as_of is None else definition(as_of, of).subquery("standing_then")


@lru_cache(KEPT)
def reports_of(
    *, division: str | None = None, organ_id: int | None = None, year: int | None = None
) -> sa.Select[Any] | None:
    """The reports that a question is about, so that what stood is looked up of no others; None
    where it is about all. `division` is a code or the beginning of one.
    """
    r, o = reports_shown.c, organs.c
    wanted = [
        column == value
        for column, value in ((r.organ_id, organ_id), (r.year, year))
        if value is not None
    ]
    if division is not None:
        codes = o.division_code.startswith(division, autoescape=True)
        wanted.append(r.organ_id.in_(sa.select(o.id).where(codes)))
    return sa.select(r.id).where(*wanted) if wanted else None


def definition(as_of: AsOf | None, of: Of = None) -> sa.Select[Any]:
    """The columns of `standing` from the views: what its rows must be, today or at a moment; of
    all reports or of these.
    """
    reports, pages = shown_reports(as_of, of), current_pages(as_of, of)
    current, page = current_readings(as_of, of), shown_versions(as_of, of)
    page = page.alias("page")
    claims, listed = _claims(as_of, of), _listed(as_of, of)
    r, o, v, d, c = reports.c, organs.c, page.c, readings.c, claims.c
    state = sa.case(
        (sa.and_(d.form_id.is_not(None), d.unread > 0), "partly_read"),
        (d.form_id.is_not(None), "read"),
        (d.layout == "old", "old"),
        (c.files > 0, "attachment_only"),
        (v.id.is_(None), "unreachable"),
        else_="unread",
    )
    query = (
        sa.select(r.id.label("report_id"), o.id.label("organ_id"), o.division_code, r.year, r.kind)
        .add_columns(v.id.label("version_id"), d.id.label("reading_id"))
        .add_columns(d.layout, d.form_id, d.unread, c.published)
        .add_columns(sa.case((v.id.is_not(None), v.title), else_=listed.c.title).label("title"))
        .add_columns(state.label("state"))
        .select_from(reports)
        .join(organs, o.id == r.organ_id)
        .join(current, current.c.report_id == r.id)
        .outerjoin(pages, pages.c.report_id == r.id)
        .outerjoin(page, v.id == pages.c.version_id)
        .outerjoin(readings, d.id == current.c.reading_id)
        .outerjoin(claims, c.report_id == r.id)
        .outerjoin(listed, (listed.c.report_id == r.id) & (listed.c.newest == 1))
    )
    return query.where(*among(r.id, of))


def _claims(as_of: AsOf | None, of: Of) -> sa.Subquery:
    """The earliest date that a version of a report claims, and how many files there are."""
    v = shown_versions(as_of, of).alias("claiming").c
    files = sa.func.sum(sa.case((v.part == "attachment", 1), else_=0)).label("files")
    query = sa.select(v.report_id, sa.func.min(v.published).label("published"), files)
    return query.where(*among(v.report_id, of)).group_by(v.report_id).subquery("claims")


def _listed(as_of: AsOf | None, of: Of) -> sa.Subquery:
    """What the pages of a report are titled where they are listed; 1 for the newest address."""
    a = shown_aliases(as_of, of).alias("listing").c
    newest = sa.func.row_number().over(
        partition_by=a.report_id, order_by=(a.first_seen.desc(), a.id.desc())
    )
    query = sa.select(a.report_id, a.title, newest.label("newest")).where(a.part == "page")
    return query.where(*among(a.report_id, of)).subquery("listed")


_ROW = sa.select(standing).where(standing.c.report_id == sa.bindparam("of_report"))
_TRUTH = definition(None, sa.bindparam("of_report", type_=sa.Integer()))
_SEEN = sa.select(standing.c.version_id).where(standing.c.report_id == sa.bindparam("of_report"))
_SEEN = _SEEN.add_columns(
    sa.exists().where(withdrawals.c.url == sa.bindparam("at")).label("withdrawn")
)
_REMOVE = sa.delete(standing).where(standing.c.report_id == sa.bindparam("of_report"))
_CHANGE = sa.update(standing).where(standing.c.report_id == sa.bindparam("of_report"))


def refresh(connection: sa.Connection, reports: Iterable[int]) -> None:
    """Bring the rows of these reports up to what the views say; written only where they differ."""
    for report_id in reports:
        asked = {"of_report": report_id}
        row = connection.execute(_ROW, asked).one_or_none()
        truth = connection.execute(_TRUTH, asked).one_or_none()
        if truth is None:
            if row is not None:
                connection.execute(_REMOVE, asked)
        elif row is None:
            connection.execute(standing.insert(), dict(truth._mapping))
        elif tuple(row) != tuple(truth):
            connection.execute(_CHANGE, {**truth._mapping, **asked})
        search.refresh(connection, report_id)


def seen(connection: sa.Connection, report_id: int, url: str, version_id: int | None) -> None:
    """The report was seen again at this address, as this version of its page, or was only listed.

    Of a page that stands already nothing follows, unless its address is withdrawn.
    """
    row = connection.execute(_SEEN, {"of_report": report_id, "at": url}).one_or_none()
    same = row is not None and row.version_id == (version_id or row.version_id)
    if row is None or row.version_id is None or not same or row.withdrawn:
        refresh(connection, [report_id])


def refresh_version(connection: sa.Connection, version_id: int) -> None:
    """Bring up the row of the report that a version is of: another reading of it is in force."""
    query = sa.select(versions.c.report_id).where(versions.c.id == version_id)
    refresh(connection, connection.execute(query).scalars().all())


def rebuild(connection: sa.Connection) -> int:
    """Make the whole table anew; how many rows it has."""
    connection.execute(standing.delete())
    columns = [column.name for column in standing.c]
    connection.execute(standing.insert().from_select(columns, definition(None)))
    return int(connection.execute(sa.select(sa.func.count()).select_from(standing)).scalar_one())


def differing(connection: sa.Connection) -> list[int]:
    """The reports whose row is not what the views say, or is missing, or is one too many."""
    kept, truth = sa.select(standing), definition(None)
    apart = sa.union_all(
        sa.select(sa.except_(kept, truth).subquery().c.report_id),
        sa.select(sa.except_(truth, kept).subquery().c.report_id),
    ).subquery()
    query = sa.select(apart.c.report_id).distinct().order_by(apart.c.report_id)
    return list(connection.execute(query).scalars())
