"""How did a report change: which versions were seen when, and which cells differ between them?"""

from __future__ import annotations

from typing import Any, TypedDict

import sqlalchemy as sa

from storage.facts import load_reading
from storage.queries.organs import Organ
from storage.queries.report import number, report_row
from storage.schema import captures, observations, readings, versions, warc_files


class Capture(TypedDict):
    """One sight of a version, and where its bytes lie."""

    id: int
    url: str
    fetched_at: str
    warc_file: str
    offset: int
    payload_digest: str
    revisit: bool


class Side(TypedDict):
    """A cell as one version has it."""

    raw: str
    state: str
    value: int | float | None


class Change(TypedDict):
    """A cell that differs from the version before; None where a version has no such cell."""

    path: str
    before: Side | None
    after: Side | None


class Version(TypedDict):
    """One version. `changed` is against the version of the same part and name before it."""

    part: str
    name: str
    title: str
    published: str | None
    canonical_digest: str
    canonical_rule: str
    first_seen: str
    last_seen: str
    captures: list[Capture]
    changed: list[Change]


def history(connection: sa.Connection, organ: Organ, year: int) -> list[Version]:
    """The versions of a report, page first, oldest first. Raises NotInArchive."""
    v = versions.c
    query = (
        sa.select(versions)
        .where(v.report_id == report_row(connection, organ, year).id)
        .order_by(v.part.desc(), v.name, v.first_seen, v.id)
    )
    history: list[Version] = []
    cells: dict[str, Side] = {}
    before: sa.Row[Any] | None = None
    for row in connection.execute(query).all():
        follows = before is not None and (before.part, before.name) == (row.part, row.name)
        earlier, cells = cells, _cells(connection, row.id)
        changed = _changes(earlier, cells) if follows else []
        history.append(_version(row, _captures(connection, row.id), changed))
        before = row
    return history


def _version(row: sa.Row[Any], seen: list[Capture], changed: list[Change]) -> Version:
    return Version(
        part=row.part,
        name=row.name,
        title=row.title,
        published=row.published,
        canonical_digest=row.canonical_digest,
        canonical_rule=row.canonical_rule,
        first_seen=row.first_seen.isoformat(),
        last_seen=row.last_seen.isoformat(),
        captures=seen,
        changed=changed,
    )


def _cells(connection: sa.Connection, version_id: int) -> dict[str, Side]:
    """Path → cell, by the newest reading of a version."""
    newest = sa.select(sa.func.max(readings.c.id)).where(readings.c.version_id == version_id)
    reading_id = connection.execute(newest).scalar()
    if reading_id is None:
        return {}
    return {
        cell.path: Side(raw=cell.raw, state=cell.state, value=number(cell.value))
        for cell in load_reading(connection, reading_id).cells
    }


def _changes(before: dict[str, Side], after: dict[str, Side]) -> list[Change]:
    paths = [*before, *(path for path in after if path not in before)]
    return [
        Change(path=path, before=before.get(path), after=after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _captures(connection: sa.Connection, version_id: int) -> list[Capture]:
    c = captures.c
    query = (
        sa.select(captures, warc_files.c.name.label("file"))
        .select_from(observations)
        .join(captures)
        .join(warc_files)
        .where(observations.c.version_id == version_id)
        .order_by(c.fetched_at, c.id)
    )
    return [
        Capture(
            id=row.id,
            url=row.url,
            fetched_at=row.fetched_at.isoformat(),
            warc_file=row.file,
            offset=row.warc_offset,
            payload_digest=row.payload_digest,
            revisit=row.revisit_of is not None,
        )
        for row in connection.execute(query)
    ]
