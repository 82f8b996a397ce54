"""Alerts: one a cause, from its first sight until it is over, however often it is seen.

Whoever judges a run says what is wrong as `Alarm`s, the same ones every time as long as it is so;
`sound` holds them against the alerts there are. Nothing is ever updated: what became of an alert is
the fold of its events, so that every opening, closing and word of a person stays.

What stays true for years adds no row a night: a sight adds one only where it says something new,
and of a condition at most one a week.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.care.withdrawals import withdrawn_subjects
from storage.errors import NotInArchive
from storage.rows import add, find_or_add
from storage.schema import alert_events, alerts, dumps, loads
from storage.text.plain import plain

Severity: TypeAlias = Literal["critical", "warning", "info"]
State: TypeAlias = Literal["open", "acknowledged", "closed"]

# What a sentence is about, by name: a text, or one in each language.
Facts: TypeAlias = Mapping[str, Sequence[str]]
# Of one fact in a sentence.
_LONGEST = 300
# How a condition that goes on is said again when its details have changed.
SAY_AGAIN = timedelta(days=7)
# What an event makes of its alert; the others leave it as it was.
_MAKES: Mapping[str, State] = {
    "opened": "open",
    "reopened": "open",
    "acknowledged": "acknowledged",
    "closed": "closed",
}
# Events that say what is wrong.
_SAYING = ("opened", "seen", "reopened")
_WELL = "not so any more"


class Texts(NamedTuple):
    """One statement in both languages."""

    en: str
    zh: str


class Kind(NamedTuple):
    """A class of alerts: see alerts.toml."""

    severity: Severity
    lasts: bool
    closes: bool
    title: Texts
    says: Texts
    act: Texts
    explains: tuple[str, ...]
    masks: tuple[str, ...]
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What somebody who judged has reason to say.

    `kind` is a class of alerts.toml; class, portal and `subject` make the cause. `before` and
    `after` are the difference as lists or objects for JSON; `last_good` names what was good last:
    a run, a version, a moment.
    """

    kind: str
    subject: str
    portal: str | None
    host: str | None
    message: str
    message_zh: str
    before: list[Any] | dict[str, Any] | None
    after: list[Any] | dict[str, Any] | None
    last_good: str | None
    act: str
    act_zh: str

    @property
    def cause(self) -> str:
        """What makes two sights of it the same."""
        return cause_of(self.kind, self.portal, self.subject)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became of an alert, and the alert as it stands by it."""

    id: int
    event: str
    at: datetime
    alert: Alert


class Alert(TypedDict):
    """An alert as it stands; `since` is when it came to this state, `author` who brought it there.

    `said` is when its message was last said; `seen` how often it was opened or opened again.
    """

    id: int
    kind: str
    severity: Severity
    title: str
    title_zh: str
    portal: str | None
    host: str | None
    subject: str
    state: State
    first_seen: str
    since: str
    said: str
    seen: int
    message: str
    message_zh: str
    before: Any
    after: Any
    last_good: str | None
    act: str
    act_zh: str
    author: str | None
    note: str | None


class Step(TypedDict):
    """One event of an alert's story."""

    at: str
    event: str
    run: int | None
    message: str | None
    message_zh: str | None
    before: Any
    after: Any
    author: str | None
    note: str | None


def cause_of(kind: str, portal: str | None, subject: str) -> str:
    """What an alarm of this class, portal and subject is about, as `alerts.cause` keeps it."""
    return f"{kind} {portal or '-'} {subject}"


@cache
def kinds() -> Mapping[str, Kind]:
    """Every class of alerts, by its word."""
    data = tomllib.loads((Path(__file__).parent / "alerts.toml").read_text("utf-8"))
    return {
        word: Kind(
            told["severity"],
            told["lasts"],
            told["closes"],
            Texts(*told["title"]),
            Texts(*told["says"]),
            Texts(*told["act"]),
            tuple(told.get("explains", ())),
            tuple(told.get("masks", ())),
            tuple(told.get("holds", ())),
        )
        for word, told in data.items()
    }


def rank(kind: str) -> int:
    """How bad a class is: 0 is worst."""
    return ("critical", "warning", "info").index(kinds()[kind].severity)


def alarm(
    kind: str,
    subject: str,
    facts: Facts,
    *,
    portal: str | None = None,
    host: str | None = None,
    before: list[Any] | dict[str, Any] | None = None,
    after: list[Any] | dict[str, Any] | None = None,
    last_good: str | None = None,
) -> Alarm:
    """An alarm in the words of its class; a fact may read differently in the two languages.

    Keep what changes from night to night out of the facts: it would be said as something new.
    Raises KeyError for an unknown class, or where its sentence needs a fact that is not given.
    """
    told = kinds()[kind]
    said = Texts(
        *(
            sentence.format_map({name: _in(fact, language) for name, fact in facts.items()})
            for language, sentence in enumerate(told.says)
        )
    )
    return Alarm(kind, subject, portal, host, said.en, said.zh, before, after, last_good, *told.act)


def sound(
    connection: sa.Connection,
    alarms: Iterable[Alarm],
    *,
    run_id: int | None,
    at: datetime,
    looked_at: Iterable[tuple[str, str | None]],
    held: Collection[str] = (),
) -> list[Event]:
    """Hold what was found against the alerts there are; what became of them by it.

    A cause not known yet opens an alert; one that was closed is opened again: a condition when it
    is there again, a happening when it happened otherwise than was last said. What is open or
    acknowledged stays so. `looked_at` are the classes and portals (None: of no portal) that were
    judged: open alerts of them that nobody sounded are over, and close by themselves where their
    class says so. `held` are causes of which nobody can tell at present.
    """
    _alone(connection)
    known = {alert["id"]: alert for alert in _fold(connection, None)}
    events: list[tuple[int, int]] = []
    sounded = {alert_id for alert_id, cause in _causes(connection).items() if cause in held}
    for each in {alarm.cause: alarm for alarm in alarms}.values():
        identity = {"cause": each.cause}
        others: dict[str, Any] = {"kind": each.kind, "portal": each.portal, "host": each.host}
        others |= {"subject": each.subject, "first_seen": at}
        alert_id, _ = find_or_add(connection, alerts, identity, others)
        sounded.add(alert_id)
        event = _becomes(known.get(alert_id), each, at)
        if event is not None:
            row = _row(alert_id, run_id, at, event) | _said(each)
            events.append((add(connection, alert_events, row), alert_id))
    judged = set(looked_at)
    for alert in known.values():
        over = (alert["kind"], alert["portal"]) in judged and alert["id"] not in sounded
        if over and alert["state"] != "closed" and kinds()[alert["kind"]].closes:
            row = _row(alert["id"], run_id, at, "closed") | {"note": _WELL}
            events.append((add(connection, alert_events, row), alert["id"]))
    return _events(connection, events)


def acknowledge(
    connection: sa.Connection, alert_id: int, author: str, note: str, at: datetime
) -> Alert:
    """Say that somebody knows: it is not delivered again while it goes on."""
    return _act(connection, alert_id, "acknowledged", author, note, at, of=("open",))


def close(connection: sa.Connection, alert_id: int, author: str, note: str, at: datetime) -> Alert:
    """Say that it is over; it opens again when it recurs."""
    return _act(connection, alert_id, "closed", author, note, at, of=("open", "acknowledged"))


def reopen(connection: sa.Connection, alert_id: int, author: str, note: str, at: datetime) -> Alert:
    """Say that it is not over, or not in hand."""
    return _act(connection, alert_id, "reopened", author, note, at, of=("acknowledged", "closed"))


@leaves
def open_alerts(
    connection: sa.Connection,
    *,
    kind: str | None = None,
    portal: str | None = None,
    closed: bool = False,
) -> list[Alert]:
    """The alerts that are not closed, and with `closed` those too: worst first, then oldest."""
    found = [
        alert
        for alert in _fold(connection, None)
        if (closed or alert["state"] != "closed")
        and kind in (None, alert["kind"])
        and portal in (None, alert["portal"])
    ]
    return sorted(
        found,
        key=lambda a: (
            a["state"] == "closed",
            rank(a["kind"]),
            a["kind"],
            a["portal"] or "",
            a["id"],
        ),
    )


@leaves
def find_alert(connection: sa.Connection, alert_id: int) -> Alert:
    """One alert. Raises NotInArchive."""
    for alert in _fold(connection, [alert_id]):
        return alert
    raise NotInArchive(f"there is no alert {alert_id}: `archive alerts --all` lists them")


@leaves
def story(connection: sa.Connection, alert_id: int) -> list[Step]:
    """All that became of an alert, oldest first."""
    e = alert_events.c
    about = find_alert(connection, alert_id)
    hidden = about["subject"] in withdrawn_subjects(connection)
    query = sa.select(alert_events).where(e.alert_id == alert_id).order_by(e.id)
    return [
        Step(
            at=row.at.isoformat(),
            event=row.event,
            run=row.run_id,
            message=None if hidden else row.message,
            message_zh=None if hidden else row.message_zh,
            before=None if hidden else row.before,
            after=None if hidden else row.after,
            author=row.author,
            note=row.note,
        )
        for row in connection.execute(query)
    ]


@leaves
def latest_events(connection: sa.Connection, limit: int) -> list[Event]:
    """The newest events that made something of an alert, newest first; each with its alert now."""
    e = alert_events.c
    wanted = ("opened", "reopened", "acknowledged", "closed", "seen")
    query = sa.select(e.id, e.alert_id).where(e.event.in_(wanted)).order_by(e.id.desc())
    return _events(connection, [(row[0], row[1]) for row in connection.execute(query.limit(limit))])


@leaves
def undelivered(connection: sa.Connection, since: datetime) -> list[Event]:
    """What nobody was told yet: the newest opening or closing by itself of each alert.

    What is older than `since` and was never tried is left: who sets up delivery today wants no
    news of last year. An alert that somebody acknowledged, or closed, is known.
    """
    e = alert_events.c
    query: sa.Select[Any] = (
        sa.select(e.id, e.alert_id, e.event, e.at, e.author, alerts.c.kind)
        .join(alerts)
        .order_by(e.alert_id, e.id)
    )
    waiting: dict[int, _Waiting] = {}
    for row in connection.execute(query):
        waiting.setdefault(row.alert_id, _Waiting()).hear(row, since)
    return _events(
        connection,
        [
            (each.event_id, alert_id)
            for alert_id, each in waiting.items()
            if each.event_id and each.wanted
        ],
    )


def note_delivery(
    connection: sa.Connection,
    told: Iterable[Event],
    *,
    run_id: int | None,
    at: datetime,
    failure: str | None = None,
) -> None:
    """Keep that these were delivered, or (`failure`) not; a failure of each once until it is."""
    for each in told:
        alert_id = each.alert["id"]
        event = "delivered" if failure is None else "undelivered"
        if failure is not None and _newest(connection, alert_id) == event:
            continue
        row = _row(alert_id, run_id, at, event) | {"note": failure}
        add(connection, alert_events, row)


@dataclass(slots=True)
class _Waiting:
    """What of an alert waits to be told, hearing its events in order."""

    event_id: int = 0
    wanted: bool = False
    told_open: bool = False

    def hear(self, row: sa.Row[Any], since: datetime) -> None:
        by_itself = row.author is None
        match row.event:
            case "opened" | "reopened" if by_itself:
                self.event_id, self.wanted, self.told_open = row.id, row.at >= since, False
            case "closed" if by_itself and self.told_open:
                self.event_id, self.wanted = row.id, row.at >= since
            case "seen" if self.told_open and not kinds()[row.kind].lasts:
                self.event_id, self.wanted = row.id, row.at >= since
            case "opened" | "reopened" | "closed" | "acknowledged":
                # A person did it, or it was over before anybody was told.
                self.event_id = 0
            case "delivered":
                self.event_id, self.told_open = 0, True
            case "undelivered":
                self.wanted = True


def _causes(connection: sa.Connection) -> dict[int, str]:
    query = sa.select(alerts.c.id, alerts.c.cause)
    return {row.id: row.cause for row in connection.execute(query)}


def _in(fact: Sequence[str], language: int) -> str:
    """Titles come from outside, and a portal may write a whole page into one."""
    return plain(fact if isinstance(fact, str) else fact[language], _LONGEST)


def _becomes(alert: Alert | None, each: Alarm, at: datetime) -> str | None:
    """The event that a sight of a cause is; None for one that says nothing new."""
    if alert is None:
        return "opened"
    changed = _content(each.before, each.after, each.message) != _content(
        alert["before"], alert["after"], alert["message"]
    )
    lasts = kinds()[each.kind].lasts
    if alert["state"] == "closed":
        return "reopened" if lasts or changed else None
    if not changed or (lasts and at < datetime.fromisoformat(alert["said"]) + SAY_AGAIN):
        return None
    # A happening that somebody acknowledged, and that now happened otherwise, is another one.
    return "seen" if lasts or alert["state"] == "open" else "reopened"


def _content(before: Any, after: Any, message: str) -> tuple[Any, Any, str]:
    """What is said, as it comes back from the database."""
    return _kept(before), _kept(after), message


def _kept(side: Any) -> Any:
    return None if side is None else loads(dumps(side))


def _said(each: Alarm) -> dict[str, Any]:
    names = ("message", "message_zh", "before", "after", "last_good", "act", "act_zh")
    return {name: getattr(each, name) for name in names}


def _row(alert_id: int, run_id: int | None, at: datetime, event: str) -> dict[str, Any]:
    return {"alert_id": alert_id, "run_id": run_id, "at": at, "event": event}


def _act(
    connection: sa.Connection,
    alert_id: int,
    event: str,
    author: str,
    note: str,
    at: datetime,
    *,
    of: tuple[str, ...],
) -> Alert:
    """What a person does; doing it twice adds nothing."""
    _alone(connection)
    alert = find_alert(connection, alert_id)
    if alert["state"] in of:
        row = _row(alert_id, None, at, event) | {"author": author, "note": note}
        add(connection, alert_events, row)
    return find_alert(connection, alert_id)


def _alone(connection: sa.Connection) -> None:
    """Two runs that end together must not both open an alert; on SQLite there is one writer."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE")


def _newest(connection: sa.Connection, alert_id: int) -> str | None:
    e = alert_events.c
    query = sa.select(e.event).where(e.alert_id == alert_id).order_by(e.id.desc()).limit(1)
    return connection.execute(query).scalar()


def _events(connection: sa.Connection, wanted: list[tuple[int, int]]) -> list[Event]:
    """(event id, alert id) → the events in that order."""
    found = {alert["id"]: alert for alert in _fold(connection, [alert for _, alert in wanted])}
    e = alert_events.c
    ids = [event for event, _ in wanted]
    rows = {
        row.id: row
        for row in connection.execute(sa.select(e.id, e.event, e.at).where(e.id.in_(ids)))
    }
    return [
        Event(event_id, rows[event_id].event, rows[event_id].at, found[alert_id])
        for event_id, alert_id in wanted
    ]


@dataclass(slots=True)
class _Fold:
    """An alert's events, heard in order."""

    state: State = "open"
    made: Any = None
    said: Any = None
    openings: int = 0
    texts: dict[str, Any] = field(default_factory=dict)

    def hear(self, row: sa.Row[Any]) -> None:
        if row.event in _MAKES:
            self.state, self.made = _MAKES[row.event], row
            self.openings += self.state == "open"
        # A person who reopens says nothing about what is wrong.
        if row.event in _SAYING and row.message is not None:
            self.said = row


def _fold(connection: sa.Connection, wanted: list[int] | None) -> list[Alert]:
    """The alerts with these ids (None: all) as their events left them, by id."""
    a, e = alerts.c, alert_events.c
    of_alerts, of_events = sa.select(alerts).order_by(a.id), sa.select(alert_events).order_by(e.id)
    if wanted is not None:
        of_alerts = of_alerts.where(a.id.in_(wanted))
        of_events = of_events.where(e.alert_id.in_(wanted))
    folds: dict[int, _Fold] = {}
    for row in connection.execute(of_events):
        folds.setdefault(row.alert_id, _Fold()).hear(row)
    return [_alert(row, folds[row.id]) for row in connection.execute(of_alerts) if row.id in folds]


def _alert(row: sa.Row[Any], fold: _Fold) -> Alert:
    kind = kinds()[row.kind]
    return Alert(
        id=row.id,
        kind=row.kind,
        severity=kind.severity,
        title=kind.title.en,
        title_zh=kind.title.zh,
        portal=row.portal,
        host=row.host,
        subject=row.subject,
        state=fold.state,
        first_seen=row.first_seen.isoformat(),
        since=fold.made.at.isoformat(),
        said=fold.said.at.isoformat(),
        seen=fold.openings,
        message=fold.said.message,
        message_zh=fold.said.message_zh,
        before=fold.said.before,
        after=fold.said.after,
        last_good=fold.said.last_good,
        act=fold.said.act,
        act_zh=fold.said.act_zh,
        author=fold.made.author,
        note=fold.made.note,
    )
