"""What happens in ten invented years: from decade.toml, a portal and a seed, every event with its
moment. The world is built from it (tests.decade.stage), and so is the truth (tests.decade.truth).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
REPLICA = HERE.parent / "replica"
LOCAL = ZoneInfo("Asia/Shanghai")
Kind = Literal[
    "publish",
    "edit",
    "remove",
    "restore",
    "move",
    "notice",
    "migrate",
    "wall",
    "down",
    "redesign",
    "end",
]


@cache
def data() -> dict[str, Any]:
    return tomllib.loads((HERE / "decade.toml").read_text("utf-8"))


@cache
def site_data(portal: str) -> dict[str, Any]:
    """Hosts, names and robots.txt of a portal, as the replica has them."""
    return tomllib.loads((REPLICA / "portals" / f"{portal}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Organ:
    """`name` as the archive names it; `ends` is the first day without it."""

    key: str
    kind: str
    name: str
    title_name: str
    begins: date | None
    ends: date | None
    becomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One report, published at all or never. `shown` is the date its page shows."""

    key: str
    organ: Organ
    year: int
    deadline: date | None
    appears: datetime | None
    shown: date | None


@dataclass(frozen=True, slots=True)
class Event:
    """`subject` is a report's key, or empty: then it is the portal's. `how` says more of a kind."""

    at: datetime
    portal: str
    kind: Kind
    subject: str = ""
    how: str = ""


@dataclass(frozen=True)
class History:
    """One portal's ten years. `events` are sorted; those of `reports` that are there already when
    the archive begins have no event.
    """

    portal: str
    organs: tuple[Organ, ...]
    reports: Mapping[str, Report]
    events: tuple[Event, ...]


def history(portal: str, seed: int, first: date, last: date) -> History:
    return _Author(portal, seed, first, last).write()


def moment(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """A local time of a day, as UTC."""
    return datetime.combine(day, time(hour, minute), LOCAL).astimezone(UTC)


def deadline(kind: str, year: int) -> date | None:
    """The last day on which the report of `year` is on time, by the 条例 in force then."""
    if kind == "township":
        return None
    if year < 2019 or kind == "government":
        return date(year + 1, 3, 31)
    return date(year + 1, 1, 31)


class _Author:
    def __init__(self, portal: str, seed: int, first: date, last: date) -> None:
        self.portal, self.first, self.last = portal, first, last
        self.rng = Random(f"{seed}/{portal}")
        self.rates: dict[str, int] = data()["reports"]
        self.events: list[Event] = []

    def write(self) -> History:
        organs = tuple(self.organs())
        reports = {
            report.key: report
            for organ in organs
            for year in range(self.first_year(organ), self.last.year)
            if self.owes(organ, year)
            for report in [self.report(organ, year)]
        }
        for report in reports.values():
            self.fate(report)
        for era in data()["portals"][self.portal]["eras"]:
            if "from" in era:
                self.happens(era["from"], 3, "migrate", how=str(era["from"]))
        self.troubles()
        self.notices()
        events = [e for e in self.events if e.at < moment(self.last + timedelta(1))]
        events.sort(key=lambda event: (event.at, event.subject, event.kind))
        return History(self.portal, organs, reports, tuple(events))

    def organs(self) -> Iterator[Organ]:
        site = site_data(self.portal)
        government = next(one for one in site["organs"] if one.get("kind") == "government")
        for entry in data()["organs"]:
            name = site["name"] + entry.get("name", "")
            is_government = entry.get("kind") == "government"
            yield Organ(
                key=entry["key"],
                kind=entry.get("kind", "department"),
                name=government["name"] if is_government else name,
                title_name=government["title_name"] if is_government else name,
                begins=entry.get("begins"),
                ends=entry.get("ends"),
                becomes=tuple(entry.get("becomes", ())),
            )

    def first_year(self, organ: Organ) -> int:
        former = data()["former"]
        return int(former["government" if organ.kind == "government" else "others"])

    def owes(self, organ: Organ, year: int) -> bool:
        """An organ that ends early in a year has reported the year before."""
        if organ.begins and year < organ.begins.year:
            return False
        return not (organ.ends and year >= organ.ends.year)

    # --- reports ------------------------------------------------------------------------------

    def report(self, organ: Organ, year: int) -> Report:
        key, until = f"{self.portal}/{organ.key}/{year}", deadline(organ.kind, year)
        day = shown = self.on_time(organ, year)
        if day < self.first:
            there = self.rng.random() * 100 >= data()["former"]["missing"]
            at = moment(day, 10) if there else None
            return Report(key, organ, year, until, at, day if there else None)
        chance = self.rng.random() * 100
        rates = self.rates
        latest = [organ.key, year] in data()["reports"]["latest"]
        if chance < rates["never"] and not latest:
            return Report(key, organ, year, until, None, None)
        if until is not None and chance < rates["never"] + rates["late"] + rates["backdated"]:
            longest = float(rates["longest_delay"])
            delay = max(2, round(longest ** self.rng.random()))
            if organ.ends and until + timedelta(delay) >= organ.ends:
                delay = 0
            if chance < rates["never"] + rates["late"]:
                day = shown = until + timedelta(delay) if delay else day
            elif delay:
                day = until + timedelta(min(delay, 60))
        at = moment(day, self.rng.randrange(9, 18), self.rng.randrange(60))
        if until is not None and latest:
            day = shown = until + timedelta(self.rates["longest_delay"])
            at = moment(day, 10)
        self.events.append(Event(at, self.portal, "publish", key))
        return Report(key, organ, year, until, at, shown)

    def on_time(self, organ: Organ, year: int) -> date:
        last = {"government": 80, "township": 40}.get(organ.kind, 30 if year >= 2019 else 80)
        if organ.ends and year + 1 >= organ.ends.year:
            last = 40
        return date(year + 1, 1, 1) + timedelta(self.rng.randrange(3, last))

    def fate(self, report: Report) -> None:
        """At most one thing befalls a report after it appeared, apart from a first correction."""
        if report.appears is None:
            return
        rates, rng = self.rates, self.rng
        began = max(report.appears.astimezone(LOCAL).date(), self.first)
        if report.appears >= moment(self.first) and rng.random() * 100 < rates["edited_soon"]:
            self.befalls(began + timedelta(rng.randrange(2, 15)), report, "edit")
        span = (self.last - began).days - 40
        if span < 40:
            return
        day = began + timedelta(rng.randrange(20, span))
        chance = rng.random() * 100
        for name in ("edited_later", "removed", "withdrawn_for_a_time", "moved"):
            chance -= rates[name]
            if chance < 0:
                kinds: dict[str, Kind] = {"edited_later": "edit", "moved": "move"}
                self.befalls(day, report, kinds.get(name, "remove"))
                if name == "withdrawn_for_a_time":
                    self.befalls(day + timedelta(rng.randrange(3, 120)), report, "restore")
                return

    def befalls(self, day: date, report: Report, kind: Kind) -> None:
        at = moment(day, self.rng.randrange(9, 18), self.rng.randrange(60))
        self.events.append(Event(at, self.portal, kind, report.key))

    # --- portals ------------------------------------------------------------------------------

    def troubles(self) -> None:
        """None begins while another lasts."""
        taken: list[tuple[date, date]] = []
        years = ((self.last - self.first).days + 1) / 3652
        for trouble in data()["troubles"]:
            shortest, longest = trouble["days"]
            for _ in range(round(trouble["times"] * years + self.rng.random() * 0.5)):
                days = self.rng.randint(shortest, longest)
                span = (self.last - self.first).days - days - 5
                begin = self.first + timedelta(self.rng.randrange(5, max(span, 6)))
                end = begin + timedelta(days)
                if all(end < other[0] or begin > other[1] for other in taken):
                    taken.append((begin, end))
                    self.happens(begin, 2, trouble["kind"], how=self.rng.choice(trouble["how"]))
                    self.happens(end, 2, "end", how=trouble["kind"])

    def notices(self) -> None:
        """Documents that are no reports, in the same listings."""
        day = self.first
        while day < self.last:
            day += timedelta(self.rng.randrange(*data()["notices"]["days_between"]))
            self.happens(day, 11, "notice", how=day.isoformat())

    def happens(self, day: date, hour: int, kind: Kind, how: str) -> None:
        self.events.append(Event(moment(day, hour), self.portal, kind, "", how))
