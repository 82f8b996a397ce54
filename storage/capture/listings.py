"""Listings and the looks at them: what each shows, since when, and how surely that is all.

A look keeps only what it found otherwise than the looks before it, so that a listing that nobody
touches costs one row a look. What a listing shows now is the fold of its changes, newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from storage.rows import add, find_or_add
from storage.schema import listing_changes, listing_reads, listings

Scope = Literal["whole", "head"]
Verdict = Literal["complete", "incomplete", "blocked", "down", "gone", "not_asked"]

# Verdicts of looks whose entries were seen with our own eyes.
_SEEN = frozenset({"complete", "incomplete"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a listing. `shown`: the date beside it, as written."""

    url: str
    title: str
    shown: str | None
    is_report: bool


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a listing. `url`: of its first page; `entries`: each address once, as shown.

    `rule` and `reason` say why it is not complete; of a complete one, what is odd about it.
    `captures` are those of the pages that were read, in their order.
    """

    portal: str
    url: str
    title: str
    annual: bool
    trail: tuple[str, ...]
    depth: int
    run_id: int
    read_at: datetime
    scope: Scope
    verdict: Verdict
    rule: str | None
    reason: str | None
    pages: int
    declared_total: int | None
    declared_pages: int | None
    captures: tuple[int, ...]
    entries: tuple[Entry, ...]
    reason_zh: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A look as the archive keeps it; `entries` is how many it showed."""

    id: int
    listing_id: int
    run_id: int
    read_at: datetime
    scope: Scope
    verdict: Verdict
    rule: str | None
    reason: str | None
    reason_zh: str | None
    pages: int
    entries: int
    declared_total: int | None
    declared_pages: int | None
    captures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A known listing: what it shows by all looks so far, and the newest look of each kind.

    `last`: of any kind; `proven`: the newest complete one; `whole`: the newest complete one of
    every page.
    """

    id: int
    portal: str
    url: str
    title: str
    annual: bool
    trail: tuple[str, ...]
    depth: int
    first_seen: datetime
    entries: dict[str, Entry]
    last: Read | None
    proven: Read | None
    whole: Read | None


class _Change(NamedTuple):
    change: str
    entry: Entry


def keep_look(connection: sa.Connection, look: Look) -> int:
    """Keep a look with what it found changed; the id of its row.

    A run that goes on after a crash judges again what it had judged: the same look twice is one.
    It may have seen a listing before another run did, which knows better: then that one's id.
    """
    identity = {"portal": look.portal, "url": look.url}
    others = {
        "title": look.title,
        "annual": look.annual,
        "trail": list(look.trail),
        "depth": look.depth,
        "first_seen": look.read_at,
    }
    listing_id, _ = find_or_add(connection, listings, identity, others)
    if (later := _later(connection, listing_id, look)) is not None:
        return later
    changes = list(_changes(entries_of(connection, listing_id), look))
    row = {
        "listing_id": listing_id,
        "run_id": look.run_id,
        "read_at": look.read_at,
        "scope": look.scope,
        "verdict": look.verdict,
        "rule": look.rule,
        "reason": look.reason,
        "reason_zh": look.reason_zh,
        "pages": look.pages,
        "entries": len(look.entries),
        "declared_total": look.declared_total,
        "declared_pages": look.declared_pages,
        "captures": list(look.captures),
    }
    if not changes and (kept := _kept(connection, row)) is not None:
        return kept
    read_id = add(connection, listing_reads, row)
    if changes:
        connection.execute(
            listing_changes.insert(),
            [_row(read_id, position, each) for position, each in enumerate(changes)],
        )
    return read_id


def entries_of(
    connection: sa.Connection, listing_id: int, at: datetime | None = None
) -> dict[str, Entry]:
    """What a listing shows by all looks up to `at` (by all there are), by address."""
    r = listing_reads.c
    query = _changes_of(r.listing_id == listing_id)
    if at is not None:
        query = query.where(r.read_at <= at)
    return _fold(_Change(row.change, _entry(row)) for row in connection.execute(query))


def watched(connection: sa.Connection, portal: str) -> list[Standing]:
    """The known listings of a portal, by address, as all looks so far leave them."""
    of_portal = listing_reads.c.listing_id.in_(
        sa.select(listings.c.id).where(listings.c.portal == portal)
    )
    changes: dict[int, list[_Change]] = {}
    for row in connection.execute(_changes_of(of_portal)):
        changes.setdefault(row.listing_id, []).append(_Change(row.change, _entry(row)))
    reads: dict[int, list[Read]] = {}
    for read in _newest(connection, of_portal):
        reads.setdefault(read.listing_id, []).append(read)
    known = sa.select(listings).where(listings.c.portal == portal).order_by(listings.c.url)
    return [
        _standing(row, _fold(changes.get(row.id, ())), reads.get(row.id, []))
        for row in connection.execute(known)
    ]


def reads_of(connection: sa.Connection, run_id: int) -> list[Read]:
    """Every look of a run, in the order they were kept."""
    query = sa.select(listing_reads).where(listing_reads.c.run_id == run_id)
    return [_read(row) for row in connection.execute(query.order_by(listing_reads.c.id))]


def _changes(known: Mapping[str, Entry], look: Look) -> Iterator[_Change]:
    """What a look shows otherwise. Only one of every page, proven so, says what is not there."""
    if look.verdict not in _SEEN:
        return
    shown = {entry.url: entry for entry in look.entries}
    for url, entry in shown.items():
        before = known.get(url)
        if before is None:
            yield _Change("added", entry)
        elif before.title != entry.title:
            yield _Change("retitled", entry)
    if look.verdict == "complete" and look.scope == "whole":
        for url, before in known.items():
            if url not in shown:
                yield _Change("removed", before)


def _later(connection: sa.Connection, listing_id: int, look: Look) -> int | None:
    """The newest look that another run took at the listing after this one."""
    r = listing_reads.c
    query = sa.select(r.id).where(
        r.listing_id == listing_id, r.read_at > look.read_at, r.run_id != look.run_id
    )
    seen = query.where(r.verdict.in_(_SEEN)).order_by(r.read_at.desc())
    return connection.execute(seen.limit(1)).scalar()


def _kept(connection: sa.Connection, row: Mapping[str, Any]) -> int | None:
    """The newest look of this run at the listing, if it is the same."""
    r = listing_reads.c
    of_run = sa.select(listing_reads).where(
        r.listing_id == row["listing_id"], r.run_id == row["run_id"]
    )
    newest = connection.execute(of_run.order_by(r.id.desc()).limit(1)).mappings().first()
    if newest is None or any(newest[key] != row[key] for key in row if key != "read_at"):
        return None
    return int(newest["id"])


def _changes_of(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    c, r = listing_changes.c, listing_reads.c
    return (
        sa.select(r.listing_id, c.change, c.url, c.title, c.shown, c.is_report)
        .join(listing_reads, r.id == c.listing_read_id)
        .where(which)
        .order_by(r.id, c.position)
    )


def _newest(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Iterator[Read]:
    """Of each listing the newest look of each scope and verdict, oldest first."""
    r = listing_reads.c
    newest = sa.select(sa.func.max(r.id)).where(which).group_by(r.listing_id, r.scope, r.verdict)
    query = sa.select(listing_reads).where(r.id.in_(newest)).order_by(r.id)
    yield from map(_read, connection.execute(query))


def _fold(changes: Iterable[_Change]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for change, entry in changes:
        if change == "removed":
            entries.pop(entry.url, None)
        else:
            entries[entry.url] = entry
    return entries


def _standing(row: Any, entries: dict[str, Entry], reads: list[Read]) -> Standing:
    proven = [read for read in reads if read.verdict == "complete"]
    whole = [read for read in proven if read.scope == "whole"]
    return Standing(
        id=row.id,
        portal=row.portal,
        url=row.url,
        title=row.title,
        annual=row.annual,
        trail=tuple(row.trail),
        depth=row.depth,
        first_seen=row.first_seen,
        entries=entries,
        last=reads[-1] if reads else None,
        proven=proven[-1] if proven else None,
        whole=whole[-1] if whole else None,
    )


def _read(row: Any) -> Read:
    values = dict(row._mapping)
    return Read(**{**values, "captures": tuple(values["captures"])})


def _entry(row: Any) -> Entry:
    return Entry(row.url, row.title, row.shown, row.is_report)


def _row(read_id: int, position: int, changed: _Change) -> dict[str, Any]:
    entry = changed.entry
    return {
        "listing_read_id": read_id,
        "position": position,
        "change": changed.change,
        "url": entry.url,
        "title": entry.title,
        "shown": entry.shown,
        "is_report": entry.is_report,
    }
