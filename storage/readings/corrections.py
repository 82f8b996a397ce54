"""What a person holds against the machine: one cell's figure, or whose report it is.

Rows are only added. Of a cell the newest correction counts; taking one back is a row as well. The
figure as published stays where it is: a correction is shown beside it, and asks for review when
what it was made against has changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from storage.asof import AsOf, current_pages, current_readings
from storage.errors import CorrectionRefused
from storage.readings import standing
from storage.readings.facts import load_reading
from storage.schema import (
    aliases,
    assessments,
    attempts,
    captures,
    corrections,
    observations,
    organs,
    reports,
    versions,
)

# What a corrected identity changes of what was sealed.
IDENTITY_TABLES = ("corrections", "reports", "aliases", "versions", "assessments")

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,8})?")


class Identity(NamedTuple):
    """Whose report, of which year."""

    division_code: str
    organ: str
    year: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Who says so, why, and on what evidence; none of the three may be empty."""

    author: str
    reason: str
    evidence: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction in force. `before` and `after` are `{raw, state}` and `{raw, state, value}` of
    a cell, or an identity; `review`: the source says something else by now than `before`.
    """

    id: int
    report_id: int
    cell: str | None
    url: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    entry: Entry
    review: bool


def correct_cell(
    conn: sa.Connection, report_id: int, cell: str, raw: str, entry: Entry
) -> dict[str, Any]:
    """Hold that a cell of the report as it stands says `raw`; what it was read as.

    Raises CorrectionRefused: no such cell, nothing changed, or no figure a cell can have.
    """
    before, reading_id = _standing(conn, report_id, cell)
    after = _figure(raw)
    if (before["raw"].strip(), before["state"]) == (after["raw"], after["state"]):
        raise CorrectionRefused(f"{cell} reads “{raw}” already: nothing to correct")
    _add(conn, report_id, entry, cell=cell, before=before, after=after, reading_id=reading_id)
    return before


def withdraw(conn: sa.Connection, report_id: int, cell: str, entry: Entry) -> None:
    """Take a cell's correction back. Raises CorrectionRefused where there is none."""
    made = {each.cell: each for each in in_force(conn, report_id)}
    if cell not in made:
        raise CorrectionRefused(f"{cell} has no correction: `archive corrections` lists them")
    _add(conn, report_id, entry, cell=cell, before=made[cell].after, after=None)


def correct_identity(
    conn: sa.Connection, report_id: int, said: Identity, entry: Entry, url: str | None = None
) -> int:
    """Hold that the report is another organ's or year's, or, with `url`, that this page of it and
    the files it leads to are; the id of the report it is now part of.

    What later crawls find at these addresses, and the files these pages lead to, go with it; what
    they find elsewhere is what it seems. Raises CorrectionRefused: unknown organ or
    address, nothing changed, or a version that was seen at both addresses.
    """
    was = _identity(conn, report_id)
    if said == was:
        raise CorrectionRefused(f"it is the report of {said.organ} for {said.year} already")
    organ_id = conn.execute(
        sa.select(organs.c.id).where(
            organs.c.division_code == said.division_code, organs.c.name == said.organ
        )
    ).scalar()
    if organ_id is None:
        raise CorrectionRefused(
            f"the archive knows no organ {said.organ} in {said.division_code}: "
            "`archive coverage` lists them"
        )
    urls = _addresses(conn, report_id, url)
    target = _find_report(conn, organ_id, said.year)
    if url is None and target is None:
        conn.execute(
            reports.update()
            .where(reports.c.id == report_id)
            .values(organ_id=organ_id, year=said.year)
        )
        target = report_id
    else:
        target = target or _add_report(conn, organ_id, said.year)
        _move(conn, report_id, target, urls)
    before, after = {**was._asdict(), "title": _title(conn, target)}, said._asdict()
    for each in urls:
        _add(conn, target, entry, url=each, before=before, after=after)
    standing.refresh(conn, {report_id, target})
    return target


def corrected_identity(
    conn: sa.Connection, seen: Identity, urls: Collection[str]
) -> Identity | None:
    """What a person said of the report that a crawl takes for `seen` at one of these addresses:
    its own, and that of the page that leads to it.
    """
    c = corrections.c
    query = (
        sa.select(c.url, c.before, c.after).where(c.cell.is_(None), c.url.in_(urls)).order_by(c.id)
    )
    said = seen
    for row in conn.execute(query):
        if Identity(*(row.before[name] for name in Identity._fields)) == said:
            said = Identity(*(row.after[name] for name in Identity._fields))
    return None if said == seen else said


def in_force(
    conn: sa.Connection, report_id: int | None = None, as_of: AsOf | None = None
) -> list[Correction]:
    """The corrections that count, of one report or of all, oldest first.

    What had been published is corrected by all that is held today; `review` asks what stood then.
    """
    c = corrections.c
    held = [c.made_at <= as_of.at] if as_of is not None and as_of.basis == "known" else []
    newest = sa.select(sa.func.max(c.id)).where(c.cell.is_not(None), *held)
    query = sa.select(corrections).where(
        c.after.is_not(None),
        sa.or_(c.cell.is_(None), c.id.in_(newest.group_by(c.report_id, c.cell))),
        *held,
    )
    if report_id is not None:
        query = query.where(c.report_id == report_id)
    rows = conn.execute(query.order_by(c.id)).all()
    return [_correction(conn, row, as_of) for row in rows]


def _correction(conn: sa.Connection, row: sa.Row[Any], as_of: AsOf | None) -> Correction:
    entry = Entry(row.author, row.reason, row.evidence, row.made_at)
    review = _wants_review(conn, row, as_of)
    return Correction(
        row.id, row.report_id, row.cell, row.url, row.before, row.after, entry, review
    )


def _wants_review(conn: sa.Connection, row: sa.Row[Any], as_of: AsOf | None) -> bool:
    if row.cell is None:
        return bool(_title(conn, row.report_id, as_of) != row.before["title"])
    try:
        found, _ = _standing(conn, row.report_id, row.cell, as_of)
    except CorrectionRefused:
        return True
    return bool(found != row.before)


def _standing(
    conn: sa.Connection, report_id: int, cell: str, as_of: AsOf | None = None
) -> tuple[dict[str, Any], int]:
    """A cell as it was read in the reading that stands for the report, and that reading."""
    current = current_readings(as_of, report_id).c
    query = sa.select(current.reading_id).where(current.report_id == report_id)
    reading_id = conn.execute(query).scalar()
    cells = () if reading_id is None else load_reading(conn, reading_id).cells
    found = next((each for each in cells if each.path == cell), None)
    if found is None or reading_id is None:
        raise CorrectionRefused(
            f"the report has no cell {cell}: `archive report` shows its tables, rows and columns"
        )
    return {"raw": found.raw, "state": found.state}, reading_id


def _figure(raw: str) -> dict[str, Any]:
    text = raw.strip()
    if not text:
        return {"raw": "", "state": "blank", "value": None}
    if text in ("-", "—", "/"):
        return {"raw": text, "state": "dash", "value": None}
    if not _NUMBER.fullmatch(text):
        raise CorrectionRefused(
            f"“{raw}” is no figure: give a number as 12 or 12.5, '' for a blank, or - for a dash"
        )
    state = "number" if Decimal(text) else "zero"
    return {"raw": text, "state": state, "value": text}


def _add(
    conn: sa.Connection,
    report_id: int,
    entry: Entry,
    *,
    before: dict[str, Any],
    after: dict[str, Any] | None,
    cell: str | None = None,
    url: str | None = None,
    reading_id: int | None = None,
) -> None:
    told = {"author": entry.author, "reason": entry.reason, "evidence": entry.evidence}
    for name, text in told.items():
        if not text.strip():
            raise CorrectionRefused(f"a correction needs its {name}: nobody could check it later")
    conn.execute(
        corrections.insert(),
        {
            **told,
            "report_id": report_id,
            "cell": cell,
            "url": url,
            "before": before,
            "after": after,
            "reading_id": reading_id,
            "made_at": entry.at,
        },
    )


def _identity(conn: sa.Connection, report_id: int) -> Identity:
    query = (
        sa.select(organs.c.division_code, organs.c.name, reports.c.year)
        .join(reports, reports.c.organ_id == organs.c.id)
        .where(reports.c.id == report_id)
    )
    return Identity(*conn.execute(query).one())


def _find_report(conn: sa.Connection, organ_id: int, year: int) -> int | None:
    r = reports.c
    query = sa.select(r.id).where(r.organ_id == organ_id, r.year == year, r.kind == "annual")
    return conn.execute(query).scalar()


def _add_report(conn: sa.Connection, organ_id: int, year: int) -> int:
    row = {"organ_id": organ_id, "year": year, "kind": "annual"}
    return int(conn.execute(reports.insert().returning(reports.c.id), row).scalar_one())


def _title(conn: sa.Connection, report_id: int, as_of: AsOf | None = None) -> str | None:
    """What the newest version of the report's page is titled."""
    v = versions.c
    query = sa.select(v.title).where(v.report_id == report_id, v.part == "page")
    query = query.order_by(v.last_seen.desc(), v.id.desc()).limit(1)
    if as_of is not None:
        page = current_pages(as_of, report_id).c
        query = sa.select(v.title).where(v.id == page.version_id, page.report_id == report_id)
    return conn.execute(query).scalar()


def _addresses(conn: sa.Connection, report_id: int, url: str | None) -> list[str]:
    """Those of the report; with `url` that one, and the files that were asked for from there."""
    a = aliases.c
    query = sa.select(a.url).where(a.report_id == report_id).order_by(a.id)
    if url is not None:
        asked_from_there = (
            sa.select(captures.c.url)
            .join(attempts, attempts.c.id == captures.c.attempt_id)
            .where(attempts.c.referrer == url)
        )
        query = query.where(sa.or_(a.url == url, a.url.in_(asked_from_there)))
    urls = list(conn.execute(query).scalars())
    if url is not None and url not in urls:
        raise CorrectionRefused(f"the report has no address {url}: `archive report` lists them")
    return urls


def _move(conn: sa.Connection, report_id: int, target: int, urls: Collection[str]) -> None:
    """The addresses, and the versions seen there, become the target's."""
    a, v, o = aliases.c, versions.c, observations.c
    mine = sa.select(a.id).where(a.report_id == report_id, a.url.in_(urls))
    moving = conn.execute(mine).scalars().all()
    seen = sa.select(o.version_id).where(o.alias_id.in_(moving)).distinct()
    elsewhere = sa.select(o.version_id).where(o.version_id.in_(seen), o.alias_id.not_in(moving))
    if conn.execute(elsewhere.limit(1)).first():
        raise CorrectionRefused(
            "the same content was seen at another address of the report: correct all of it"
        )
    twice = sa.select(v.id).where(
        v.report_id == target,
        v.canonical_digest.in_(sa.select(v.canonical_digest).where(v.id.in_(seen))),
    )
    known = sa.select(a.url).where(a.report_id == target)
    if (
        conn.execute(twice.limit(1)).first()
        or conn.execute(mine.where(a.url.in_(known)).limit(1)).first()
    ):
        raise CorrectionRefused("the other report has the same content, or address, already")
    conn.execute(versions.update().where(v.id.in_(seen)).values(report_id=target))
    conn.execute(aliases.update().where(a.id.in_(moving)).values(report_id=target))
    if conn.execute(sa.select(a.id).where(a.report_id == report_id).limit(1)).first() is None:
        _give_up(conn, report_id, target)


def _give_up(conn: sa.Connection, report_id: int, target: int) -> None:
    """A report of which nothing is left never was one."""
    for table in (corrections, assessments):
        mine = table.c.report_id == report_id
        conn.execute(table.update().where(mine).values(report_id=target))
    conn.execute(reports.delete().where(reports.c.id == report_id))


def corrected_reports(conn: sa.Connection) -> set[int]:
    """The reports that were corrected after what is said of them was said."""
    said = (
        sa.select(sa.func.max(assessments.c.assessed_at))
        .where(assessments.c.report_id == corrections.c.report_id)
        .scalar_subquery()
    )
    query = sa.select(corrections.c.report_id).where(
        sa.or_(said.is_(None), corrections.c.made_at > said)
    )
    return set(conn.execute(query.distinct()).scalars())
