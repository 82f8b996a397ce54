"""Which reports there are, where they were seen, and their versions.

Every function takes a connection: the caller owns the transaction, so that a report's sighting,
observation and reading are kept together or not at all (`storage.database.transact`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from storage.readings import standing
from storage.readings.corrections import Identity, corrected_identity
from storage.rows import add_if_new, find_or_add
from storage.schema import aliases, observations, organs, reports, versions


@dataclass(frozen=True, slots=True)
class ReportKey:
    """What makes a report the same report wherever it is found. `portal` must be in the archive."""

    portal: str
    division_code: str
    organ: str
    organ_kind: str
    year: int
    kind: str = "annual"


@dataclass(frozen=True, slots=True)
class Observation:
    """A report's page or attachment, seen in a capture.

    `part` is page or attachment; `name` is empty for the page, else the attachment's file name.
    `canonical_digest` is the content's by `canonical_rule` (`page/2`, `ooxml/1`, `bytes/1` …);
    `published` is ISO to the precision shown; `media` html, docx, pdf, …; `page` the address of the
    page that led to an attachment.
    """

    key: ReportKey
    part: str
    name: str
    url: str
    capture_id: int
    canonical_digest: str
    canonical_rule: str
    title: str
    published: str | None
    source: str | None
    media: str
    seen_at: datetime
    page: str = ""


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version; `new` when this observation is the first of it."""

    id: int
    report_id: int
    new: bool


def sight(
    conn: sa.Connection, key: ReportKey, url: str, title: str, seen_at: datetime, outcome: str
) -> int:
    """A report known from a listing or a seed whose page could not be captured; its id.

    `outcome` is that of the attempt.
    """
    report_id = _report(conn, key, (url,))
    _alias(conn, report_id, url, "page", "", title, seen_at, outcome)
    standing.seen(conn, report_id, url, None)
    return report_id


def is_known(conn: sa.Connection, key: ReportKey, urls: Collection[str]) -> bool:
    """Whether the archive has the report that these addresses belong to, captured or not."""
    key = _corrected(conn, key, urls)
    query = (
        sa.select(reports.c.id)
        .join(organs)
        .where(organs.c.division_code == key.division_code, organs.c.name == key.organ)
        .where(reports.c.year == key.year, reports.c.kind == key.kind)
    )
    return conn.execute(query).first() is not None


def observe(conn: sa.Connection, observation: Observation) -> VersionRef:
    """Keep that a version was seen. Content seen before is the same version seen again."""
    o = observation
    report_id = _report(conn, o.key, (o.url, o.page))
    alias_id = _alias(conn, report_id, o.url, o.part, o.name, o.title, o.seen_at, "ok")
    version_id, new = find_or_add(
        conn,
        versions,
        {
            "report_id": report_id,
            "part": o.part,
            "name": o.name,
            "canonical_digest": o.canonical_digest,
        },
        {
            "canonical_rule": o.canonical_rule,
            "media": o.media,
            "title": o.title,
            "published": o.published,
            "source": o.source,
            "capture_id": o.capture_id,
            "first_seen": o.seen_at,
            "last_seen": o.seen_at,
        },
    )
    if not new:
        _see_again(conn, versions, version_id, o.seen_at)
    seen = {"version_id": version_id, "capture_id": o.capture_id}
    add_if_new(conn, observations, {**seen, "alias_id": alias_id, "seen_at": o.seen_at})
    if new or o.part != "page":
        standing.refresh(conn, [report_id])
    else:
        standing.seen(conn, report_id, o.url, version_id)
    return VersionRef(version_id, report_id, new)


def file_of_capture(conn: sa.Connection, capture_id: int, name: str) -> str:
    """The name of the file that was captured, of which `name` is that file or a member."""
    v, o = versions.c, observations.c
    query = (
        sa.select(v.name)
        .join(observations, o.version_id == v.id)
        .where(o.capture_id == capture_id, v.part == "attachment")
    )
    names: Sequence[str] = conn.execute(query).scalars().all()
    return min((each for each in names if f"{name}/".startswith(f"{each}/")), key=len)


def _corrected(conn: sa.Connection, key: ReportKey, urls: Collection[str]) -> ReportKey:
    """A person may have said that the report at one of them is another's than it seems."""
    said = corrected_identity(conn, Identity(key.division_code, key.organ, key.year), urls)
    if said is None:
        return key
    return replace(key, division_code=said.division_code, organ=said.organ, year=said.year)


def _report(conn: sa.Connection, key: ReportKey, urls: Collection[str]) -> int:
    """The report at these addresses."""
    key = _corrected(conn, key, urls)
    organ_id, _ = find_or_add(
        conn,
        organs,
        {"division_code": key.division_code, "name": key.organ},
        {"kind": key.organ_kind, "portal": key.portal},
    )
    report_id, _ = find_or_add(
        conn, reports, {"organ_id": organ_id, "year": key.year, "kind": key.kind}, {}
    )
    return report_id


def _alias(
    conn: sa.Connection,
    report_id: int,
    url: str,
    part: str,
    name: str,
    title: str,
    seen_at: datetime,
    outcome: str,
) -> int:
    alias_id, new = find_or_add(
        conn,
        aliases,
        {"report_id": report_id, "url": url},
        {
            "part": part,
            "name": name,
            "title": title,
            "first_seen": seen_at,
            "last_seen": seen_at,
            "last_outcome": outcome,
        },
    )
    if not new:
        _see_again(conn, aliases, alias_id, seen_at, title=title, last_outcome=outcome)
    return alias_id


def _see_again(
    conn: sa.Connection, table: sa.Table, row_id: int, seen_at: datetime, **changes: str
) -> None:
    """Move `last_seen` forward; an older capture brought in later changes nothing but the past."""
    row = table.c
    conn.execute(
        table.update()
        .where(row.id == row_id, row.last_seen <= seen_at)
        .values(last_seen=seen_at, **changes)
    )
    conn.execute(
        table.update().where(row.id == row_id, row.first_seen > seen_at).values(first_seen=seen_at)
    )
