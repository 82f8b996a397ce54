"""The year as calendar.toml has it: its season, its deadlines, and how often what is asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

# So that not every portal has its turn on one night; any number of days will do.
_SHIFTS = 1009


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Bounds of an interval in days, and what is expected to have changed when it is over."""

    expected: float
    shortest: float
    longest: float

    def days(self, changes: float, days: float) -> float:
        """The interval after so many changes in so many days of history.

        More changes never make it longer, nor does a longer silence make it shorter.

        >>> Rhythm(0.015, 1, 7).days(0.5, 30), Rhythm(0.015, 1, 7).days(0.5, 630)
        (1, 7)
        """
        return min(max(self.expected * days / changes, self.shortest), self.longest)


@dataclass(frozen=True, slots=True)
class Season:
    """How often what is asked for in one part of the year; every figure is in days."""

    listing: Rhythm
    tree: Rhythm
    whole: float
    ages: tuple[tuple[float, float], ...]
    turn: int
    elsewhere: int
    step: int
    together: float
    failed: tuple[float, ...]
    gone: tuple[float, ...]
    grow: float
    unreachable: tuple[float, float]

    def retry(self, failures: int, *, gone: bool) -> float:
        """Days until what has failed so often in a row (1 or more) is asked again."""
        gaps = self.gone if gone else self.failed
        return gaps[min(failures, len(gaps)) - 1]

    def absence(self, days: float) -> float:
        """Days until a report is asked for again that has been failing for so many."""
        shortest, longest = self.unreachable
        return min(max(self.grow * days, shortest), longest)

    def of_age(self, days: float) -> float | None:
        """Days between two looks at a page of this age; None for one that takes its turn."""
        return next((every for until, every in self.ages if days <= until), None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The whole file. `first` and `last` are month and day of the dense season."""

    first: tuple[int, int]
    last: tuple[int, int]
    deadlines: tuple[tuple[int, int], ...]
    early: timedelta
    history: timedelta
    first_look: timedelta
    prior: tuple[float, float]
    dense: Season
    sparse: Season
    why: Mapping[str, Mapping[str, str]]

    def is_dense(self, day: date) -> bool:
        return self.first <= (day.month, day.day) <= self.last

    def season(self, day: date) -> Season:
        return self.dense if self.is_dense(day) else self.sparse

    def begins(self, day: date) -> date:
        """The first day of the part of the year that `day` lies in."""
        if self.is_dense(day):
            return date(day.year, *self.first)
        ended = date(day.year, *self.last) + timedelta(days=1)
        return ended if ended <= day else date(day.year - 1, *self.last) + timedelta(days=1)

    def next_dense(self, day: date) -> date:
        """The first day of the dense season that begins after `day`."""
        begins = date(day.year, *self.first)
        return begins if begins > day else date(day.year + 1, *self.first)

    def dense_days(self, since: date, until: date) -> int:
        """How many days from `since` to `until`, both included, lie in the dense season."""
        days = 0
        for year in range(since.year, until.year + 1):
            begins = max(date(year, *self.first), since)
            ends = min(date(year, *self.last), until)
            days += max((ends - begins).days + 1, 0)
        return days

    def last_deadline(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The newest moment up to now at which a deadline's day was over in the portal's zone."""
        return max(moment for moment in self._mornings(now, zone) if moment <= now)

    def next_deadline(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The next such moment."""
        return min(moment for moment in self._mornings(now, zone) if moment > now)

    def _mornings(self, now: datetime, zone: ZoneInfo) -> list[datetime]:
        year = now.astimezone(zone).year
        days = [date(y, *day) for y in (year - 1, year, year + 1) for day in self.deadlines]
        return [midnight(day + timedelta(days=1), zone) for day in days]

    def turn(self, portal: str, url: str, after: date, turn: int, step: int) -> date:
        """The first night after `after` on which an older page takes its turn, once in `turn`
        days, of which each `step`-th has turns.

        By address and date alone: everybody can tell beforehand which pages are read when.
        """
        shift = crc32(portal.encode()) % _SHIFTS
        groups = max(turn // step, 1)
        block = (after.toordinal() + shift) // step + 1
        block += (crc32(url.encode()) - block) % groups
        return date.fromordinal(block * step - shift)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins."""
    return datetime.combine(day, time(), zone)


@cache
def calendar() -> Calendar:
    """The calendar that stands beside this module."""
    data = tomllib.loads(Path(__file__).with_name("calendar.toml").read_text("utf-8"))
    visits = data["visits"]
    return Calendar(
        first=_day(data["season"]["first"]),
        last=_day(data["season"]["last"]),
        deadlines=tuple(map(_day, data["deadlines"]["days"])),
        early=timedelta(days=visits["early"]),
        history=timedelta(days=visits["history"]),
        first_look=timedelta(days=visits["first_look"]),
        prior=(data["prior"]["changes"], data["prior"]["days"]),
        dense=_season(data["dense"]),
        sparse=_season(data["sparse"]),
        why=data["why"],
    )


def _season(data: Mapping[str, Any]) -> Season:
    pages, retry = data["pages"], data["retry"]
    return Season(
        listing=Rhythm(**data["listing"]),
        tree=Rhythm(**data["tree"]),
        whole=data["whole"]["every"],
        ages=tuple((until, every) for until, every in pages["ages"]),
        turn=pages["turn"],
        elsewhere=pages["elsewhere"],
        step=pages["step"],
        together=pages["together"],
        failed=_gaps(retry["failed"]),
        gone=_gaps(retry["gone"]),
        grow=retry["grow"],
        unreachable=(retry["shortest"], retry["longest"]),
    )


def _gaps(gaps: Sequence[float]) -> tuple[float, ...]:
    return tuple(gaps)


def _day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    return int(month), int(day)
