"""The nights of ten years, one after the other: the world goes on, the crawl looks, the ledger is
held against the truth, and every change waits for the night that shows it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from storage.database import open_for_reading, open_for_writing, transact
from storage.ledger.cells import Cell, ledger
from storage.rows import find_or_add
from storage.schema import (
    alert_events,
    alerts,
    attempts,
    lifetimes,
    organs,
    reports,
    versions,
)
from storage.settings import Settings
from tests.decade.events import LOCAL, Event, History, Organ, data, moment, site_data
from tests.decade.nights import crawl
from tests.decade.stage import Scene, night_of
from tests.decade.truth import Truth
from tests.replica.proxy import Replica

SEASON = range(1, 5)
IN_SIGHT = frozenset({"captured", "captured_late", "moved", "attachment_only", "unreadable"})
# Days on which a cell may change of itself: a new reporting year, and the mornings after deadlines.
TURNS = frozenset({(1, 1), (2, 1), (4, 1)})
# Longer than the schedule lets anything wait.
WAITS = timedelta(days=90)
# What must be said of each kind of trouble, by the end of the first night that meets it.
SAID = {
    "wall": {"blocked"},
    "down": {"portal_down"},
    "script": {"layout_drift", "listing_incomplete", "counts_out_of_bounds"},
    "missing": {"report_missing"},
    "remove": {"report_removed"},
}
_SHOWN = 12  # of the wrong cells


@dataclass
class Pending:
    """A change of the world that the archive does not show yet."""

    event: Event
    kind: str
    cell: tuple[str, str, int]
    versions: int = 0


@dataclass
class Gap:
    """Something that must be alarmed. `met`: the first night whose crawl could meet it."""

    kind: str
    portal: str
    subject: str
    since: datetime
    met: datetime | None = None
    alarmed: datetime | None = None


@dataclass
class Outcome:
    """What ten years came to."""

    days: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    nights_with_requests: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    wrong_days: int = 0
    missing_cells: list[str] = field(default_factory=list)
    late: Counter[str] = field(default_factory=Counter)
    latest: int = 0
    late_wrong: list[str] = field(default_factory=list)
    delays: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    unseen: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    baseline: dict[date, int] = field(default_factory=dict)


class Simulation:
    """Portals from their first day to their last, in one archive under `home`."""

    def __init__(self, histories: tuple[History, ...], first: date, last: date, home: Path) -> None:
        self.histories, self.first, self.last, self.home = histories, first, last, home
        self.keys = tuple(history.portal for history in histories)
        self.scene = Scene(histories, moment(data()["first"]))
        self.truth = {
            history.portal: Truth(history, moment(data()["first"])) for history in histories
        }
        for event in self.scene.play(moment(first)):
            self.truth[event.portal].tell(event)
        self.outcome = Outcome()
        self._pending: list[Pending] = []
        self._gaps: list[Gap] = []
        self._due: set[tuple[str, str, int]] = set()
        self._versions: dict[tuple[str, str, int], int] = {}
        self._sent = 0

    async def run(self, replica: Replica, scope: str) -> Outcome:
        day = self.first
        while day <= self.last:
            await self._day(replica, day, scope)
            day += timedelta(days=1)
        self._end()
        return self.outcome

    async def baseline(self, replica: Replica, home: Path, every: int) -> None:
        """Full crawls of the same world on sample days, into an archive of their own."""
        self.scene = replica.world = Scene(self.histories, moment(data()["first"]))
        day = self.first + timedelta(days=every // 2)
        while day <= self.last:
            self.scene.play(night_of(day))
            before = len(replica.log)
            if not any(stage.weather for stage in self.scene.stages.values()):
                await crawl(home, night_of(day), self.keys)
                self.outcome.baseline[day] = len(replica.log) - before
            replica.log.clear()
            day += timedelta(days=every)

    async def _day(self, replica: Replica, day: date, scope: str) -> None:
        night = night_of(day)
        for event in self.scene.play(night):
            self.truth[event.portal].tell(event)
            self._await(event)
        if day > self.first:
            self._reform(day)
        arguments = {"scope": scope} if scope else {}
        ended = await crawl(self.home, night, self.keys, **arguments)
        self.outcome.days += 1
        self.outcome.runs[ended.state] += 1
        if day == self.first:
            # Portals and what became of their organs before are known from the first crawl on.
            self._reform(day)
        asked, read = self._looks(replica, night)
        # Where nothing was asked the ledger says what it said, but on the days that the law names.
        if ended.run_id is not None or (day.month, day.day) in TURNS:
            self._judge(night, asked, read)

    def _reform(self, day: date) -> None:
        """On the day of a reform of organs somebody notes it in the portals' files."""
        for history in self.histories:
            for organ in history.organs:
                change = organ.begins or organ.ends
                if change == day or (change and change < day == self.first):
                    self._note(history, organ, moment(day))

    def _note(self, history: History, organ: Organ, at: datetime) -> None:
        names = {one.key: one.name for one in history.organs}
        row = {
            "begins": organ.begins.isoformat() if organ.begins else None,
            "ends": organ.ends.isoformat() if organ.ends else None,
            "becomes": [names[key] for key in organ.becomes],
            "evidence": "synthetic",
            "noted_at": at,
        }
        known = {"division_code": site_data(history.portal)["code"], "name": organ.name}

        def work(connection: sa.Connection) -> None:
            values = {"kind": organ.kind, "portal": history.portal}
            organ_id = find_or_add(connection, organs, known, values)[0]
            connection.execute(lifetimes.insert().values(organ_id=organ_id, **row))

        self._write(work)

    def _write(self, work: Callable[[sa.Connection], None]) -> None:
        engine = open_for_writing(self._settings)
        try:
            transact(engine, work)
        finally:
            engine.dispose()

    @property
    def _settings(self) -> Settings:
        return Settings(home=self.home, database_url=None)

    # --- the world's changes ------------------------------------------------------------------

    def _await(self, event: Event) -> None:
        if event.kind in ("wall", "down") or (event.kind == "redesign" and event.how == "script"):
            kind = "script" if event.kind == "redesign" else event.kind
            self._gaps.append(Gap(kind, event.portal, event.how, event.at))
        if event.kind == "end":
            for gap in self._gaps:
                if gap.portal == event.portal and gap.met is None:
                    gap.kind += " (over before anything was due)"
        if event.kind not in ("publish", "restore", "edit", "remove", "move"):
            return
        report = self.truth[event.portal].lives[event.subject].report
        cell = (event.portal, report.organ.name, report.year)
        for other in [one for one in self._pending if one.cell == cell]:
            # What nobody could see any more when it was looked for next.
            if event.kind == "remove":
                self._pending.remove(other)
                self.outcome.unseen.append(
                    f"{other.kind} {event.subject} {other.event.at:%Y-%m-%d}"
                )
        self._pending.append(Pending(event, event.kind, cell, self._versions.get(cell, 0)))

    def _looks(self, replica: Replica, night: datetime) -> tuple[set[str], set[str]]:
        """Tell the observers what was answered; the portals that were asked for anything, and those
        that were asked for a listing.
        """
        asked: set[str] = set()
        read: set[str] = set()
        for entry in replica.log:
            portal = next(
                (k for k, s in self.scene.stages.items() if entry.host in s.world.portals[0].hosts),
                None,
            )
            if portal is None or not entry.path:
                continue
            asked.add(portal)
            key = self.scene.stages[portal].report_at(entry.host, entry.path)
            if key is not None and entry.status in (200, 304):
                self.truth[portal].looked(key, night)
            if self.scene.stages[portal].is_listing(entry.path):
                read.add(portal)
                if entry.status == 200:
                    self.truth[portal].read(night)
        replica.log.clear()
        return asked, read

    # --- the archive --------------------------------------------------------------------------

    def _judge(self, night: datetime, asked: set[str], read: set[str]) -> None:
        now = night + timedelta(minutes=20)
        engine = open_for_reading(self._settings)
        assert engine is not None
        try:
            cells, rows, sent, said = transact(engine, lambda c: self._read(c, now))
        finally:
            engine.dispose()
        self.outcome.requests += sent - self._sent
        self.outcome.nights_with_requests += sent > self._sent
        self._sent = sent
        self._versions = rows
        by_cell = {
            (c["portal"], c["organ"], c["year"]): c for c in cells if c["portal"] in self.truth
        }
        self._compare(by_cell, now)
        self._detect(by_cell, rows, now)
        self._alarms(by_cell, said, asked, read, now)

    @staticmethod
    def _read(
        connection: sa.Connection, now: datetime
    ) -> tuple[list[Cell], dict[tuple[str, str, int], int], int, list[Any]]:
        query = (
            sa.select(organs.c.portal, organs.c.name, reports.c.year, sa.func.count())
            .select_from(versions.join(reports).join(organs))
            .where(versions.c.part == "page")
            .group_by(organs.c.portal, organs.c.name, reports.c.year)
        )
        counts = {(r[0], r[1], r[2]): r[3] for r in connection.execute(query)}
        never = ("asked", "interrupted", "circuit_open", "budget_spent", "robots_refused")
        sent = connection.execute(
            sa.select(sa.func.count()).where(attempts.c.outcome.not_in(never))
        ).scalar_one()
        events = (
            sa.select(alerts.c.kind, alerts.c.portal, alerts.c.subject, alert_events.c.at)
            .join(alert_events)
            .where(
                alert_events.c.event.in_(("opened", "reopened", "seen")),
                alert_events.c.at > now - timedelta(days=1),
            )
        )
        said = list(connection.execute(events))
        return ledger(connection, at=now), counts, sent, said

    def _compare(self, cells: dict[tuple[str, str, int], Cell], now: datetime) -> None:
        wrong = 0
        for key, cell in cells.items():
            portal, organ, year = key
            truth, state = self.truth[portal], cell["state"]
            self.outcome.cells[state] += 1
            if organ not in truth.organs:
                self.outcome.wrong.append(f"{now:%Y-%m-%d} {key}: an organ that nobody knows")
                continue
            if state == "unproven":
                kept = self.outcome.unknown if truth.healthy(now) else self.outcome.doubtful
                kept.append(f"{now:%Y-%m-%d} {key}: {cell['note']}")
                continue
            as_of = datetime.fromisoformat(cell["as_of"]) if cell["as_of"] else None
            right = truth.states(organ, year, as_of, now)
            if truth.at(truth.weather, now) and state in ("blocked", "portal_down"):
                right |= truth.states(organ, year, now, now)
            if state not in right:
                wrong += 1
                life = truth.by_cell.get((organ, year))
                self.outcome.wrong.append(
                    f"{now:%Y-%m-%d} {key}: {state} as of {cell['as_of']}, should be {right}"
                    f" | {life.report if life else None} {cell['note']}"
                )
        self.outcome.wrong_days += wrong > 0
        year = now.astimezone(LOCAL).year
        for portal, truth in self.truth.items():
            for (organ, of), life in truth.by_cell.items():
                if life.seen and of < year and (portal, organ, of) not in cells:
                    self.outcome.missing_cells.append(f"{now:%Y-%m-%d} {portal} {organ} {of}")

    def _detect(
        self,
        cells: dict[tuple[str, str, int], Cell],
        rows: dict[tuple[str, str, int], int],
        now: datetime,
    ) -> None:
        """Which changes the archive shows now."""
        for one in list(self._pending):
            cell = cells.get(one.cell)
            state = cell["state"] if cell else ""
            portal, organ, year = one.cell
            life = self.truth[portal].by_cell[organ, year]
            since = [seen for seen in life.seen if seen >= one.event.at]
            shown = {
                "publish": rows.get(one.cell, 0) > 0,
                "restore": state in IN_SIGHT and bool(since),
                "move": state in IN_SIGHT and bool(since),
                "edit": rows.get(one.cell, 0) > one.versions,
                "remove": state == "removed",
            }[one.kind]
            if not shown:
                continue
            self._pending.remove(one)
            season = "season" if one.event.at.astimezone(LOCAL).month in SEASON else "off season"
            hours = (now - one.event.at).total_seconds() / 3600
            self.outcome.delays[one.kind, season].append(hours)
            if one.kind == "publish" and cell is not None:
                self._late(one, cell)

    def _late(self, one: Pending, cell: Cell) -> None:
        truth = self.truth[one.cell[0]]
        life = truth.by_cell[one.cell[1], one.cell[2]]
        expected = truth.late_days(life)
        if expected is None:
            return
        self.outcome.late["found"] += 1
        self.outcome.latest = max(self.outcome.latest, expected)
        if cell["late_days"] == expected:
            self.outcome.late["dated"] += 1
        else:
            self.outcome.late_wrong.append(
                f"{one.cell}: {cell['late_days']} days, should be {expected}; {life.report}"
            )

    def _alarms(
        self,
        cells: dict[tuple[str, str, int], Cell],
        said: list[Any],
        asked: set[str],
        read: set[str],
        now: datetime,
    ) -> None:
        for key, cell in cells.items():
            gone = cell["state"] in ("absent", "removed")
            if gone and key not in self._due:
                self._due.add(key)
                kind = "missing" if cell["state"] == "absent" else "remove"
                if kind == "missing" and cell["deadline"] is None:
                    kind += " (owed by no day: in the ledger, and no alarm)"
                if now.astimezone(LOCAL).date() - timedelta(2) > self.first:
                    self._gaps.append(Gap(kind, key[0], f"{key[1]} {key[2]}", now, met=now))
            elif not gone:
                self._due.discard(key)
        for gap in self._gaps:
            # Who asks for reports alone does not meet a listing that nobody can read.
            if gap.met is None and gap.portal in (read if gap.kind == "script" else asked):
                gap.met = now
            wanted = SAID.get(gap.kind, set())
            if gap.alarmed is None and any(
                row.kind in wanted and row.portal == gap.portal and _is_about(gap, row.subject)
                for row in said
            ):
                gap.alarmed = now
        done = [gap for gap in self._gaps if gap.alarmed is not None or " (" in gap.kind]
        self.outcome.gaps += done
        self._gaps = [gap for gap in self._gaps if gap not in done]

    def _end(self) -> None:
        self.outcome.gaps += self._gaps
        # What changed in the last weeks may still be waiting for its turn.
        until = night_of(self.last) - WAITS
        self.outcome.unseen += [_said(one) for one in self._pending if one.event.at < until]


def _said(one: Pending) -> str:
    return f"{one.kind} {one.event.subject} {one.event.at:%Y-%m-%d}"


def _is_about(gap: Gap, subject: str) -> bool:
    return gap.kind not in ("missing", "remove") or all(
        part in subject for part in gap.subject.split(" ")
    )


def middle(hours: list[float]) -> float:
    return median(hours) if hours else 0.0
