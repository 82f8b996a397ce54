"""What is shown to nobody any more: a report, one of its versions, or an address.

Rows are only added: of a thing the newest counts, and taking a withdrawal back is a row as well, so
the table is its own audit. Nothing is deleted: bytes, rows and readings stay where they are, behind
the restricted tier (docs/care.md). What hides it are the views `shown_reports`, `shown_versions`,
`shown_aliases` and those that rest on them; who answers a question asks these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from storage.care.personal import masked
from storage.errors import WithdrawalRefused
from storage.readings import standing
from storage.schema import (
    aliases,
    attempts,
    captures,
    observations,
    organs,
    readings,
    reports,
    shown_aliases,
    versions,
    withdrawals,
    withdrawn,
    withdrawn_versions,
)

WITHDRAWN, RESTORED = "withdrawn", "restored"

_EVER = sa.select(withdrawals.c.id).limit(1)

# How what stands in place of a withdrawn thing begins.
TOMBSTONE = "withdrawn on"


@dataclass(frozen=True, slots=True)
class Thing:
    """What is withdrawn: a report, a version, or an address wherever it was captured; one of them.

    A version goes with its content, at whatever addresses that was seen; an address with every
    version that was seen there.
    """

    report_id: int | None = None
    version_id: int | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stands where something was. `whole`: the report itself was withdrawn, not a part."""

    report_id: int
    organ_id: int
    division_code: str
    organ: str
    year: int
    kind: str
    whole: bool
    since: datetime
    reason: str

    @property
    def sentence(self) -> str:
        return said(self.since, self.reason)


def said(since: datetime, reason: str) -> str:
    """What whoever asks for it reads.

    >>> from datetime import UTC
    >>> said(datetime(2026, 3, 1, tzinfo=UTC), "a court's order")
    "withdrawn on 2026-03-01: a court's order"
    """
    return f"{TOMBSTONE} {since:%Y-%m-%d}: {masked(reason)}"


def find_thing(
    conn: sa.Connection,
    organ_id: int | None,
    year: int | None,
    version_id: int | None = None,
    url: str | None = None,
) -> Thing:
    """What is meant: an address, else a report, or one of its versions. Raises WithdrawalRefused.

    An address need not be known yet: it may be withdrawn before it is captured.
    """
    if url is not None:
        return Thing(url=url)
    report = sa.select(reports.c.id).where(
        reports.c.organ_id == organ_id, reports.c.year == year, reports.c.kind == "annual"
    )
    report_id = conn.execute(report).scalar()
    if report_id is None:
        raise WithdrawalRefused(
            f"the archive has no such report for {year}: `archive coverage` lists them"
        )
    if version_id is None:
        return Thing(report_id=report_id)
    mine = sa.select(versions.c.id).where(
        versions.c.report_id == report_id, versions.c.id == version_id
    )
    if conn.execute(mine).first() is None:
        raise WithdrawalRefused(
            f"the report has no version {version_id}: `archive history` lists them"
        )
    return Thing(version_id=version_id)


def withdraw(conn: sa.Connection, thing: Thing, author: str, reason: str, at: datetime) -> None:
    """Hide it from now on. Raises WithdrawalRefused."""
    if _in_force(conn, thing):
        raise WithdrawalRefused("it is withdrawn already: `archive withdrawals` lists what is")
    _add(conn, thing, WITHDRAWN, author, reason, at)


def restore(conn: sa.Connection, thing: Thing, author: str, reason: str, at: datetime) -> None:
    """Show it again. Raises WithdrawalRefused."""
    if not _in_force(conn, thing):
        raise WithdrawalRefused("it is not withdrawn: `archive withdrawals` lists what is")
    _add(conn, thing, RESTORED, author, reason, at)


def tombstones(conn: sa.Connection) -> dict[int, Tombstone]:
    """Report → what of it is withdrawn: the whole, else the newest of its parts."""
    if not _any(conn):
        return {}
    w, v = withdrawn.c, versions.c
    parts = (
        sa.select(w.report_id, w.id)
        .where(w.report_id.is_not(None))
        .union(
            sa.select(v.report_id, withdrawn_versions.c.withdrawal_id).join(
                withdrawn_versions, withdrawn_versions.c.version_id == v.id
            ),
            sa.select(aliases.c.report_id, w.id).join(withdrawn, w.url == aliases.c.url),
        )
        .subquery()
    )
    report_id, withdrawal_id = parts.c
    query = (
        sa.select(reports.c.id, reports.c.organ_id, organs.c.division_code, organs.c.name)
        .add_columns(reports.c.year, reports.c.kind, w.report_id.is_not(None).label("whole"))
        .add_columns(w.made_at, w.reason)
        .select_from(parts)
        .join(withdrawn, w.id == withdrawal_id)
        .join(reports, reports.c.id == report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .order_by(w.report_id.is_not(None), w.id)
    )
    return {row[0]: Tombstone(*row) for row in conn.execute(query)}


def versions_withdrawn(conn: sa.Connection, report_id: int) -> list[tuple[int, str, str]]:
    """Version, page or attachment, and what stands there instead; of one report."""
    v, w = versions.c, withdrawn.c
    query = (
        sa.select(v.id, v.part, w.made_at, w.reason)
        .join(withdrawn_versions, withdrawn_versions.c.version_id == v.id)
        .join(withdrawn, w.id == withdrawn_versions.c.withdrawal_id)
        .where(v.report_id == report_id)
        .order_by(v.id, w.id)
    )
    told = {row.id: row for row in conn.execute(query)}
    return [(each.id, each.part, said(each.made_at, each.reason)) for each in told.values()]


def withdrawn_addresses(conn: sa.Connection) -> Mapping[str, str]:
    """Addresses that nobody is shown → what stands there instead.

    One that also led to something that is shown stays.
    """
    if not _any(conn):
        return {}
    a = aliases.c
    rows = conn.execute(sa.select(withdrawn)).all()
    told = {row.url: said(row.made_at, row.reason) for row in rows if row.url is not None}
    whole = {row.report_id: row for row in rows if row.report_id is not None}
    # In two steps: a database that joins them begins at the addresses, of which there are many.
    shown = sa.exists().where(shown_aliases.c.url == a.url)
    query = sa.select(a.url, a.report_id).where(a.report_id.in_(whole), ~shown)
    for row in conn.execute(query) if whole else ():
        told[row.url] = said(whole[row.report_id].made_at, whole[row.report_id].reason)
    return told


def capture_withdrawn(conn: sa.Connection, capture_id: int) -> str | None:
    """What stands instead of a capture that nobody is shown, bytes and heads; else None.

    Hidden are captures of a withdrawn address, of what a withdrawn page alone led to, and all that
    have the bytes in which a withdrawn version was seen, at whatever address.
    """
    if not _any(conn):
        return None
    own, same, w = captures.alias("own"), captures.alias("same"), withdrawn.c
    asked = (
        sa.select(own.c.url, attempts.c.referrer, attempts.c.purpose)
        .join(attempts, attempts.c.id == own.c.attempt_id)
        .where(own.c.id == capture_id)
    )
    row = conn.execute(asked).one_or_none()
    if row is None:
        return None
    hidden = withdrawn_addresses(conn)
    led = row.referrer if row.purpose == "attachment" else None
    if stone := hidden.get(row.url) or hidden.get(led or ""):
        return stone
    seen = (
        sa.select(w.made_at, w.reason)
        .select_from(own)
        .join(same, same.c.payload_digest == own.c.payload_digest)
        .join(observations, observations.c.capture_id == same.c.id)
        .join(withdrawn_versions, withdrawn_versions.c.version_id == observations.c.version_id)
        .join(withdrawn, w.id == withdrawn_versions.c.withdrawal_id)
        .where(own.c.id == capture_id)
        .order_by(w.id.desc())
        .limit(1)
    )
    found = conn.execute(seen).one_or_none()
    return None if found is None else said(found.made_at, found.reason)


def organs_at(conn: sa.Connection, url: str) -> list[str]:
    """The organs of whose reports this is, or was, an address."""
    query = (
        sa.select(organs.c.name)
        .join(reports, reports.c.organ_id == organs.c.id)
        .join(aliases, aliases.c.report_id == reports.c.id)
        .where(aliases.c.url == url)
    )
    return list(conn.execute(query.distinct()).scalars())


def withdrawn_subjects(conn: sa.Connection) -> Mapping[str, str]:
    """Reports as alerts name them, organ and year, of which anything is withdrawn → what stands
    there instead.
    """
    return {f"{each.organ} {each.year}": each.sentence for each in tombstones(conn).values()}


def withdrawn_readings(conn: sa.Connection) -> frozenset[int]:
    """Readings of what is withdrawn: nothing that rests on one is shown either."""
    if not _any(conn):
        return frozenset()
    query = sa.select(readings.c.id).join(
        withdrawn_versions, withdrawn_versions.c.version_id == readings.c.version_id
    )
    return frozenset(conn.execute(query).scalars())


def _any(conn: sa.Connection) -> bool:
    """Whether anything ever was: asked many times a page, and mostly nothing was."""
    return conn.execute(_EVER).first() is not None


def _in_force(conn: sa.Connection, thing: Thing) -> bool:
    return conn.execute(sa.select(withdrawn.c.id).where(*_is(thing)).limit(1)).first() is not None


def _is(thing: Thing) -> list[sa.ColumnElement[bool]]:
    w = withdrawn.c
    return [
        w.report_id.is_not_distinct_from(thing.report_id),
        w.version_id.is_not_distinct_from(thing.version_id),
        w.url.is_not_distinct_from(thing.url),
    ]


def _add(
    conn: sa.Connection, thing: Thing, action: str, author: str, reason: str, at: datetime
) -> None:
    for option, text in (("--by", author), ("--reason", reason)):
        if not text.strip():
            raise WithdrawalRefused(f"who asks for it will want to know: give {option}")
    row: dict[str, Any] = {
        "report_id": thing.report_id,
        "version_id": thing.version_id,
        "url": thing.url,
        "action": action,
        "author": author,
        "reason": reason,
        "made_at": at,
    }
    conn.execute(withdrawals.insert(), row)
    standing.refresh(conn, _reports_of(conn, thing))


def _reports_of(conn: sa.Connection, thing: Thing) -> set[int]:
    """The reports of which it is, or is a part."""
    if thing.report_id is not None:
        return {thing.report_id}
    v, a, o = versions.c, aliases.c, observations.c
    if thing.version_id is not None:
        query = sa.select(v.report_id).where(v.id == thing.version_id)
        return set(conn.execute(query).scalars())
    at_address = sa.select(a.id).where(a.url == thing.url)
    seen_there = sa.select(v.report_id).join(observations, o.version_id == v.id)
    known = sa.select(a.report_id).where(a.url == thing.url)
    both = known.union(seen_there.where(o.alias_id.in_(at_address)))
    return set(conn.execute(both).scalars())
