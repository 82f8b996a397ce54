"""How did a report change: which versions were seen when, and which cells differ between them?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf, reading_of, shown_versions
from storage.care.leaving import leaves, without_values
from storage.care.withdrawals import versions_withdrawn
from storage.queries.organs import Organ
from storage.queries.report import number, report_row
from storage.readings.facts import load_reading, newest_reading, record_digest
from storage.schema import captures, observations, warc_files


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


class Passage(TypedDict):
    """Paragraphs of a section that read otherwise than in the version before; may be empty."""

    heading: str
    before: str
    after: str


class Version(TypedDict):
    """One version. `changed` (cells) and `rewritten` (prose) are against the version of the same
    part and name before it. Of a withdrawn one nothing is told but since when and why.
    """

    id: int
    part: str
    name: str
    title: str
    published: str | None
    canonical_digest: str
    canonical_rule: str
    record_digest: str | None
    first_seen: str
    last_seen: str
    captures: list[Capture]
    changed: list[Change]
    rewritten: list[Passage]
    withdrawn: str | None


@leaves
def history(
    connection: sa.Connection, organ: Organ, year: int, *, as_of: AsOf | None = None
) -> list[Version]:
    """The versions of a report, page first, oldest first, then those that were withdrawn.

    Of a moment those that had been there by then, with the sights that tell so. Raises
    NotInArchive.
    """
    report_id = report_row(connection, organ, year, as_of).id
    versions = shown_versions(as_of, report_id)
    v = versions.c
    query = (
        sa.select(versions)
        .where(v.report_id == report_id)
        .order_by(v.part.desc(), v.name, v.first_seen, v.id)
    )
    told: list[Version] = []
    earlier, before = _Content(), None
    for row in connection.execute(query).all():
        content = _content(connection, row.id, as_of)
        follows = before is not None and (before.part, before.name) == (row.part, row.name)
        seen = _captures(connection, row.id, row.last_seen)
        told.append(_version(row, seen, earlier if follows else content, content))
        earlier, before = content, row
    return told + [_tombstone(*each) for each in versions_withdrawn(connection, report_id)]


@leaves
def changed_cells(
    connection: sa.Connection, before: int, after: int, *, as_of: AsOf | None = None
) -> list[Change]:
    """The cells in which two versions differ; none where a version was not read, or its figures
    are the same.
    """
    old, new = _content(connection, before, as_of), _content(connection, after, as_of)
    if old.digest is None or new.digest is None or old.digest == new.digest:
        return []
    return _changes(old.cells, new.cells)


def differences(
    connection: sa.Connection, before: int, after: int
) -> tuple[int | None, int | None]:
    """In how many cells and passages two versions differ; None where one was not read."""
    old, new = _content(connection, before, None), _content(connection, after, None)
    cells = None
    if old.digest is not None and new.digest is not None:
        cells = 0 if old.digest == new.digest else len(_changes(old.cells, new.cells))
    read = old.digest or old.prose, new.digest or new.prose
    return cells, len(_rewritten(old.prose, new.prose)) if all(read) else None


@dataclass(frozen=True, slots=True)
class _Content:
    """What the reading in force of a version holds: path → cell, and (heading, paragraph)."""

    digest: str | None = None
    cells: dict[str, Side] = field(default_factory=dict)
    prose: list[tuple[str, str]] = field(default_factory=list)


def _version(
    row: sa.Row[Any], seen: list[Capture], earlier: _Content, content: _Content
) -> Version:
    return Version(
        id=row.id,
        part=row.part,
        name=row.name,
        title=row.title,
        published=row.published,
        canonical_digest=row.canonical_digest,
        canonical_rule=row.canonical_rule,
        record_digest=content.digest,
        first_seen=row.first_seen.isoformat(),
        last_seen=row.last_seen.isoformat(),
        captures=seen,
        changed=_changes(earlier.cells, content.cells),
        rewritten=_rewritten(earlier.prose, content.prose),
        withdrawn=None,
    )


def _tombstone(version_id: int, part: str, sentence: str) -> Version:
    return Version(
        id=version_id,
        part=part,
        name="",
        title="",
        published=None,
        canonical_digest="",
        canonical_rule="",
        record_digest=None,
        first_seen="",
        last_seen="",
        captures=[],
        changed=[],
        rewritten=[],
        withdrawn=sentence,
    )


def _content(connection: sa.Connection, version_id: int, as_of: AsOf | None) -> _Content:
    if as_of is None:
        reading = newest_reading(connection, version_id)
    else:
        in_force = sa.select(reading_of(sa.literal(version_id), as_of))
        reading_id = connection.execute(in_force).scalar()
        reading = None if reading_id is None else load_reading(connection, reading_id)
    if reading is None:
        return _Content()
    digest, reading = record_digest(reading), without_values(reading)
    return _Content(
        digest,
        {
            cell.path: Side(raw=cell.raw, state=cell.state, value=number(cell.value))
            for cell in reading.cells
        },
        [(heading, line) for heading, text in reading.sections for line in text.splitlines()],
    )


def _changes(before: dict[str, Side], after: dict[str, Side]) -> list[Change]:
    paths = [*before, *(path for path in after if path not in before)]
    return [
        Change(path=path, before=before.get(path), after=after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _rewritten(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> list[Passage]:
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [
        Passage(
            heading=(after[j1:j2] or before[i1:i2])[0][0],
            before="\n".join(line for _, line in before[i1:i2]),
            after="\n".join(line for _, line in after[j1:j2]),
        )
        for step, i1, i2, j1, j2 in steps
        if step != "equal"
    ]


def _captures(connection: sa.Connection, version_id: int, until: datetime) -> list[Capture]:
    c, o = captures.c, observations.c
    query = (
        sa.select(captures, warc_files.c.name.label("file"))
        .select_from(observations)
        .join(captures)
        .join(warc_files)
        .where(o.version_id == version_id, o.seen_at <= until)
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
