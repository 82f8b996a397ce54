"""A rule changed: the versions of a part are put together anew, by what their captures say now.

Observations move, never go. A version whose captures say two things is split, versions whose
captures say one become the earliest of them. Which digest a capture has is the caller's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa

from storage.readings import standing
from storage.readings.facts import load_reading
from storage.rows import add, add_if_new
from storage.schema import (
    attempts,
    captures,
    confirmations,
    corrections,
    figures,
    findings,
    grids,
    indicators,
    observations,
    organs,
    readings,
    reports,
    sections,
    versions,
)

_Version: TypeAlias = sa.Row[Any]


class Part(NamedTuple):
    """A page or file of a report; `name` is empty for the page."""

    report_id: int
    part: str
    name: str
    organ: str
    year: int


class Said(NamedTuple):
    """What a capture says: its canonical digest (hex), and by which rule."""

    digest: str
    rule: str


class Sighting(NamedTuple):
    """A version seen in a capture, and how the capture came: enough to read it again."""

    version_id: int
    capture_id: int
    alias_id: int
    seen_at: datetime
    url: str
    portal: str | None
    purpose: str


@dataclass(slots=True)
class Outcome:
    """What was done to the versions of a part, or of several.

    `renamed` have another digest or rule and the same captures; `merged` became part of an earlier
    one; `made` hold what was split off; `refused` says, a line each, what could not be merged.
    """

    renamed: int = 0
    merged: int = 0
    made: int = 0
    refused: list[str] = field(default_factory=list)

    def __iadd__(self, other: Outcome) -> Outcome:
        self.renamed += other.renamed
        self.merged += other.merged
        self.made += other.made
        self.refused += other.refused
        return self


def stale_parts(connection: sa.Connection, current: Collection[str]) -> list[Part]:
    """Parts with a version whose rule is not one of these."""
    v = versions.c
    query = (
        sa.select(v.report_id, v.part, v.name, organs.c.name.label("organ"), reports.c.year)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .where(v.canonical_rule.not_in(current))
        .distinct()
        .order_by(v.report_id, v.part, v.name)
    )
    return [Part(*row) for row in connection.execute(query)]


def sightings(
    connection: sa.Connection, part: Part, current: Collection[str] = ()
) -> list[Sighting]:
    """Every sight of the part's versions whose rule is not one of these, oldest first."""
    o = observations.c
    query = (
        sa.select(
            *(o.version_id, o.capture_id, o.alias_id, o.seen_at),
            *(captures.c.url, attempts.c.portal, attempts.c.purpose),
        )
        .join(versions, versions.c.id == o.version_id)
        .join(captures, captures.c.id == o.capture_id)
        .join(attempts, attempts.c.id == captures.c.attempt_id)
        .where(_of(part), versions.c.canonical_rule.not_in(current))
        .order_by(o.seen_at, o.capture_id)
    )
    return [Sighting(*row) for row in connection.execute(query)]


def regroup(connection: sa.Connection, part: Part, said: Mapping[int, Said]) -> Outcome:
    """Put the part's versions together by what their captures say.

    `said` by capture; a capture it does not name says what its version has. Two versions that say
    one thing and have readings of one parser with other cells are not merged: the later keeps its
    digest, its rule and its captures. Doing it twice changes nothing.
    """
    return _Regrouping(connection, part, said).carry_out()


class _Group:
    """Sights that say one thing; `keeper` is the version they will be of."""

    def __init__(self, said: Said) -> None:
        self.said = said
        self.sights: list[Sighting] = []
        self.anchored: list[int] = []  # versions whose first capture says this, oldest first
        self.keeper = 0


class _Regrouping:
    def __init__(self, connection: sa.Connection, part: Part, said: Mapping[int, Said]) -> None:
        self._connection = connection
        self._part = part
        v = versions.c
        rows = connection.execute(sa.select(versions).where(_of(part)).order_by(v.first_seen, v.id))
        self._versions: dict[int, _Version] = {row.id: row for row in rows}
        self._sights = sightings(connection, part)
        self._groups: dict[str, _Group] = {}
        for sight in self._sights:
            version = self._versions[sight.version_id]
            says = said.get(
                sight.capture_id, Said(version.canonical_digest, version.canonical_rule)
            )
            self._groups.setdefault(says.digest, _Group(says)).sights.append(sight)
        self._outcome = Outcome()
        self._refused: set[int] = set()
        self._merged: list[tuple[int, int]] = []

    def carry_out(self) -> Outcome:
        self._choose()
        self._leave_refused()
        self._make_room()
        for group in self._groups.values():
            if not group.keeper:
                group.keeper = self._make(group)
        for later, earlier in self._merged:
            self._move_readings(later, earlier)
        for group in self._groups.values():
            self._gather(group)
        for later, _ in self._merged:
            self._connection.execute(versions.delete().where(versions.c.id == later))
            self._outcome.merged += 1
        for group in self._groups.values():
            self._name(group)
        standing.refresh(self._connection, [self._part.report_id])
        return self._outcome

    def _choose(self) -> None:
        """A version goes with its first capture; of several that meet, the earliest stays."""
        of_capture = {
            (sight.version_id, sight.capture_id): group
            for group in self._groups.values()
            for sight in group.sights
        }
        for version in self._versions.values():
            of_capture[version.id, version.capture_id].anchored.append(version.id)
        for group in self._groups.values():
            if not group.anchored:
                continue
            group.keeper, *others = group.anchored
            together = [group.keeper]
            for later in others:
                parsers = {parser for one in together for parser in self._quarrels(one, later)}
                if parsers:
                    self._refuse(group, later, parsers)
                else:
                    together.append(later)
                    self._merged.append((later, group.keeper))

    def _quarrels(self, earlier: int, later: int) -> set[str]:
        """Parsers that read other cells in one version than in the other."""
        one, other = self._readings(earlier), self._readings(later)
        return {
            parser
            for parser in one.keys() & other.keys()
            if load_reading(self._connection, one[parser]).cells
            != load_reading(self._connection, other[parser]).cells
        }

    def _refuse(self, group: _Group, later: int, parsers: Iterable[str]) -> None:
        part, names = self._part, ", ".join(sorted(parsers))
        self._refused.add(later)
        self._outcome.refused.append(
            f"{part.organ} {part.year} {part.name or part.part}: versions {group.keeper} and "
            f"{later} say one thing, but {names} read other cells in them: left apart"
        )

    def _leave_refused(self) -> None:
        """Whatever its captures say, a version is changed as a whole or not at all."""
        for group in self._groups.values():
            group.sights = [s for s in group.sights if s.version_id not in self._refused]
        self._groups = {digest: group for digest, group in self._groups.items() if group.sights}
        if any(self._versions[each].canonical_digest in self._groups for each in self._refused):
            # What it is called by an old rule is what others would be called by the new one.
            self._groups, self._merged = {}, []

    def _make_room(self) -> None:
        """Digests are unique: whoever gets another gives its own up first."""
        leaving = [
            group.keeper
            for digest, group in self._groups.items()
            if group.keeper and self._versions[group.keeper].canonical_digest != digest
        ]
        for version_id in (*leaving, *(later for later, _ in self._merged)):
            self._update(version_id, canonical_digest=f"leaving {version_id}")

    def _make(self, group: _Group) -> int:
        """A version for what was split off, told as the one it was part of."""
        first = group.sights[0]
        whole = self._versions[first.version_id]._asdict()
        del whole["id"]
        self._outcome.made += 1
        return add(
            self._connection,
            versions,
            {**whole, "canonical_digest": group.said.digest, "capture_id": first.capture_id},
        )

    def _move_readings(self, later: int, earlier: int) -> None:
        there = self._readings(earlier)
        for parser, reading_id in self._readings(later).items():
            if parser not in there:
                self._connection.execute(
                    readings.update().where(readings.c.id == reading_id).values(version_id=earlier)
                )
                continue
            # Who confirmed it, or corrected what it says, meant the same cells.
            for table in (confirmations, corrections):
                meant = table.update().where(table.c.reading_id == reading_id)
                self._connection.execute(meant.values(reading_id=there[parser]))
            for table in (figures, findings, sections, indicators, grids):
                self._connection.execute(table.delete().where(table.c.reading_id == reading_id))
            self._connection.execute(readings.delete().where(readings.c.id == reading_id))

    def _gather(self, group: _Group) -> None:
        o = observations.c
        for sight in group.sights:
            if sight.version_id == group.keeper:
                continue
            add_if_new(
                self._connection,
                observations,
                {
                    "version_id": group.keeper,
                    "capture_id": sight.capture_id,
                    "alias_id": sight.alias_id,
                    "seen_at": sight.seen_at,
                },
            )
            self._connection.execute(
                observations.delete().where(
                    o.version_id == sight.version_id, o.capture_id == sight.capture_id
                )
            )

    def _name(self, group: _Group) -> None:
        """Digest and rule; where captures came or went, also what follows from them."""
        told: dict[str, Any] = {
            "canonical_digest": group.said.digest,
            "canonical_rule": group.said.rule,
        }
        held = {sight.capture_id for sight in self._sights if sight.version_id == group.keeper}
        if held != {sight.capture_id for sight in group.sights}:
            first, last = group.sights[0], group.sights[-1]
            told["capture_id"] = first.capture_id
            told |= {"first_seen": first.seen_at, "last_seen": last.seen_at}
        before = self._versions.get(group.keeper)
        if before is None:
            self._update(group.keeper, **told)
            return
        changed = {name: value for name, value in told.items() if before._mapping[name] != value}
        if changed:
            self._update(group.keeper, **changed)
        self._outcome.renamed += bool({"canonical_digest", "canonical_rule"} & changed.keys())

    def _readings(self, version_id: int) -> dict[str, int]:
        """Parser → reading."""
        query = sa.select(readings.c.parser, readings.c.id)
        rows = self._connection.execute(query.where(readings.c.version_id == version_id))
        return {row.parser: row.id for row in rows}

    def _update(self, version_id: int, **told: Any) -> None:
        self._connection.execute(
            versions.update().where(versions.c.id == version_id).values(**told)
        )


def _of(part: Part) -> sa.ColumnElement[bool]:
    v = versions.c
    return sa.and_(v.report_id == part.report_id, v.part == part.part, v.name == part.name)
