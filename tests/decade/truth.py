"""What the ledger ought to say: from the events of the world alone, and from what was looked at.

An observer who never errs is told, each night, which reports' pages were answered and which were
refused (`looked`), and knows of every report where it stood at any moment. It reads no archive.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.decade.events import LOCAL, Event, History, Report, deadline, moment


@dataclass
class Life:
    """What befell one report: `there` are the moments at which it came and went, in turns;
    `homes` those at which it got another address.
    """

    report: Report
    there: list[datetime] = field(default_factory=list)
    homes: list[datetime] = field(default_factory=list)
    edits: list[datetime] = field(default_factory=list)
    seen: list[datetime] = field(default_factory=list)

    def is_there(self, at: datetime) -> bool:
        return bool(bisect_right(self.there, at) % 2)

    def home(self, at: datetime) -> int:
        """How often it had moved."""
        return bisect_right(self.homes, at)


class Truth:
    """One portal's. Told of every event and of every look, in their order."""

    def __init__(self, history: History, began: datetime) -> None:
        self.history = history
        self.lives = {key: Life(report) for key, report in history.reports.items()}
        self.by_cell = {
            (life.report.organ.name, life.report.year): life for life in self.lives.values()
        }
        self.organs = {organ.name: organ for organ in history.organs}
        self.weather: list[tuple[datetime, str]] = [(began, "")]
        self.markup: list[tuple[datetime, str]] = [(began, "")]
        for life in self.lives.values():
            if life.report.appears is not None and life.report.appears < began:
                life.there.append(life.report.appears)

    def tell(self, event: Event) -> None:
        if event.kind == "notice":
            return
        if event.kind == "migrate":
            for life in self.lives.values():
                life.homes.append(event.at)
        elif event.kind == "redesign" or event.how == "redesign":
            self.markup.append((event.at, "" if event.kind == "end" else event.how))
        elif event.kind in ("wall", "down", "end"):
            self.weather.append((event.at, "" if event.kind == "end" else event.kind))
        else:
            life = self.lives[event.subject]
            kept = {"edit": life.edits, "move": life.homes}
            kept.get(event.kind, life.there).append(event.at)

    def looked(self, key: str, at: datetime) -> None:
        """The page of this report was answered."""
        self.lives[key].seen.append(at)

    # --- what a cell ought to say -------------------------------------------------------------

    def states(self, organ: str, year: int, as_of: datetime | None, now: datetime) -> set[str]:
        """The states that are right for a cell whose proof reaches to `as_of`."""
        owner = self.organs[organ]
        life = self.by_cell.get((organ, year))
        until = moment((deadline(owner.kind, year) or date(year + 1, 3, 31)) + timedelta(1))
        if as_of is None or as_of < until:
            as_of_due = {"not_due"} if now < until else set()
        else:
            as_of_due = {"absent"} if now >= until else {"not_due"}
        if life is None:
            return as_of_due
        at = as_of or now
        seen = [moment for moment in life.seen if moment <= at]
        if life.is_there(at) and seen:
            moved = life.home(at) > life.home(seen[0])
            if moved and seen[-1] >= max(home for home in life.homes if home <= at):
                # Whether the old address is known to be dead is the archive's to say.
                return {"moved", self.timeliness(life)}
            return {self.timeliness(life)}
        if seen:
            return {"removed"}
        if self.at(self.weather, at):
            trouble = {"wall": "blocked", "down": "portal_down"}[self.at(self.weather, at)]
            return {trouble} if now >= until else {"not_due"}
        return as_of_due

    def timeliness(self, life: Life) -> str:
        return "captured_late" if self.late_days(life) else "captured"

    def late_days(self, life: Life) -> int | None:
        """Days after the deadline by the date it shows, else by the first sight of it."""
        report = life.report
        if report.deadline is None or report.shown is None or not life.seen:
            return None
        first = life.seen[0].astimezone(LOCAL).date()
        if report.shown > report.deadline:
            return (min(report.shown, first) - report.deadline).days
        if life.there[0].astimezone(LOCAL).date() > report.deadline:
            return (first - report.deadline).days
        return None

    @staticmethod
    def at(changes: list[tuple[datetime, str]], when: datetime) -> str:
        return [how for since, how in changes if since <= when][-1]

    def healthy(self, now: datetime) -> bool:
        """Whether the portal answers, and its listings can be read by somebody."""
        return not self.at(self.weather, now) and self.at(self.markup, now) != "script"
