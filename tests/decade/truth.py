"""What the ledger ought to say: from the events of the world alone, and from what was looked at.

An observer who never errs is told, each night, which reports' pages were answered and which were
refused (`looked`), and knows of every report where it stood at any moment. It reads no archive.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.decade.events import LOCAL, Event, History, Organ, Report, deadline, moment


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
        self.looks: list[datetime] = []
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

    def read(self, at: datetime) -> None:
        """The listings were answered, and somebody could read them."""
        if self.healthy(at):
            self.looks.append(at)

    # --- what a cell ought to say -------------------------------------------------------------

    def states(self, organ: str, year: int, as_of: datetime | None, now: datetime) -> set[str]:
        """The states that are right for a cell whose proof reaches to `as_of`; none where there
        should be no cell.
        """
        owner = self.organs[organ]
        life = self.by_cell.get((organ, year))
        at = as_of or now
        if life is not None and (captured := self._of_report(life, at)):
            return captured
        until = self.ends(owner, year)
        if not self.owes(owner, year, now):
            return set()
        of_others = self._of_forerunners(owner, year, at, now)
        if of_others and of_others != {"removed"}:
            return of_others
        if now < until:
            return {"not_due"}
        if of_others:
            return of_others
        if trouble := self.at(self.weather, at):
            return {{"wall": "blocked", "down": "portal_down"}[trouble]}
        return {"absent"} if at >= until else set()

    def _of_forerunners(self, owner: Organ, year: int, at: datetime, now: datetime) -> set[str]:
        """What those it goes on with have reported counts for it: while one is there, that one."""
        removed: set[str] = set()
        for before in self.history.organs:
            forerun = self.by_cell.get((before.name, year))
            if owner.key not in before.becomes or forerun is None or self.owes(before, year, now):
                continue
            of_it = self._of_report(forerun, at)
            if of_it and of_it != {"removed"}:
                return of_it
            removed |= of_it
        return removed

    def _of_report(self, life: Life, at: datetime) -> set[str]:
        seen = [moment for moment in life.seen if moment <= at]
        if not seen:
            return set()
        if not life.is_there(at):
            return {"removed"}
        if life.home(at) > life.home(seen[0]) and life.home(seen[-1]) == life.home(at):
            # Whether the old address is known to be dead is the archive's to say.
            return {"moved", self.timeliness(life)}
        return {self.timeliness(life)}

    def owes(self, organ: Organ, year: int, now: datetime) -> bool:
        """Whether the organ is there on the day its report is due, as far as is known now."""
        due = self.ends(organ, year)
        if organ.begins and moment(organ.begins) <= now and due <= moment(organ.begins):
            return False
        return not (organ.ends and moment(organ.ends) <= now and due > moment(organ.ends))

    @staticmethod
    def ends(organ: Organ, year: int) -> datetime:
        """The first moment at which the report is late, or would be if a law said so."""
        return moment((deadline(organ.kind, year) or date(year + 1, 3, 31)) + timedelta(1))

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
        # Where nobody looked after the deadline, and before it came, there is only its word.
        until = self.ends(report.organ, report.year)
        if any(until <= look < life.there[0] for look in self.looks):
            return (first - report.deadline).days
        return None

    @staticmethod
    def at(changes: list[tuple[datetime, str]], when: datetime) -> str:
        return [how for since, how in changes if since <= when][-1]

    def healthy(self, now: datetime) -> bool:
        """Whether the portal answers, and its listings can be read by somebody."""
        return not self.at(self.weather, now) and self.at(self.markup, now) != "script"
