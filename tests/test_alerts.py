"""Alerts: one a cause, open until it is over, silent once somebody knows, open again if it recurs.

Synthetic archives; both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from string import Formatter

import pytest
import sqlalchemy as sa

from storage.alerts.record import (
    Alarm,
    Event,
    Facts,
    Texts,
    acknowledge,
    alarm,
    close,
    find_alert,
    kinds,
    note_delivery,
    open_alerts,
    reopen,
    sound,
    story,
    undelivered,
)
from storage.database import transact
from storage.errors import NotInArchive
from storage.schema import alert_events, portals
from tests.databases import PORTAL, TIANSHAN

HOST = "www.xjtsq.gov.cn"
NIGHT = datetime(2026, 2, 1, 15, tzinfo=UTC)
DOWN = [("portal_down", "tianshan")]
CHANGED = [("report_changed_figures", "tianshan")]


def night(number: int) -> datetime:
    return NIGHT + timedelta(days=number)


def down(outcome: str = "timeout") -> Alarm:
    where = Texts("Tianshan District", "天山区")
    facts: Facts = {"where": where, "host": HOST, "outcome": outcome}
    return alarm("portal_down", HOST, facts, portal="tianshan", host=HOST, last_good="run 3")


def changed(after: str) -> Alarm:
    facts = {"organ": TIANSHAN, "year": "2019", "cells": "applications.granted.total"}
    return alarm(
        "report_changed_figures", f"{TIANSHAN} 2019", facts, portal="tianshan",
        before={"applications.granted.total": "7"}, after={"applications.granted.total": after},
    )  # fmt: skip


@pytest.fixture
def archive(engine: sa.Engine) -> sa.Engine:
    values = {name: getattr(PORTAL, name) for name in portals.c.keys()}  # noqa: SIM118
    transact(engine, lambda c: c.execute(portals.insert().values(**values)))
    return engine


def sounded(
    engine: sa.Engine, number: int, *alarms: Alarm, looked_at: list[tuple[str, str]] | None = None
) -> list[Event]:
    judged = DOWN if looked_at is None else looked_at
    return transact(
        engine, lambda c: sound(c, alarms, run_id=None, at=night(number), looked_at=judged)
    )


def only(engine: sa.Engine, *, closed: bool = False) -> list[tuple[str, str]]:
    found = transact(engine, lambda c: open_alerts(c, closed=closed))
    return [(alert["kind"], alert["state"]) for alert in found]


def rows(engine: sa.Engine) -> list[str]:
    query = sa.select(alert_events.c.event).order_by(alert_events.c.id)
    return transact(engine, lambda c: list(c.execute(query).scalars()))


def test_a_cause_that_goes_on_is_one_alert_and_one_row(archive: sa.Engine) -> None:
    for number in range(400):
        sounded(archive, number, down())
    assert only(archive) == [("portal_down", "open")]
    assert rows(archive) == ["opened"]


def test_what_a_condition_says_anew_is_kept_once_a_week(archive: sa.Engine) -> None:
    for number in range(28):
        sounded(archive, number, down(f"timeout {number}"))
    assert rows(archive) == ["opened", "seen", "seen", "seen"]
    (alert,) = transact(archive, open_alerts)
    assert "timeout 21" in alert["message"]
    assert alert["first_seen"] == night(0).isoformat()


def test_it_closes_by_itself_and_opens_again(archive: sa.Engine) -> None:
    assert [event.event for event in sounded(archive, 0, down())] == ["opened"]
    assert [event.event for event in sounded(archive, 1)] == ["closed"]
    assert sounded(archive, 2) == []
    (again,) = sounded(archive, 3, down())
    assert (again.event, again.alert["seen"], again.alert["state"]) == ("reopened", 2, "open")


def test_what_was_not_looked_at_stays_open(archive: sa.Engine) -> None:
    sounded(archive, 0, down())
    assert sounded(archive, 1, looked_at=[("portal_down", "midong"), ("tls", "tianshan")]) == []
    assert only(archive) == [("portal_down", "open")]


def test_acknowledged_it_stays_so_while_it_goes_on(archive: sa.Engine) -> None:
    (opened,) = sounded(archive, 0, down())
    number = opened.alert["id"]
    transact(archive, lambda c: acknowledge(c, number, "A. Clerk", "they know", night(1)))
    for later in range(2, 30):
        assert sounded(archive, later, down()) == []
    assert only(archive) == [("portal_down", "acknowledged")]
    assert [event.event for event in sounded(archive, 31)] == ["closed"]
    assert [event.event for event in sounded(archive, 32, down())] == ["reopened"]
    assert only(archive) == [("portal_down", "open")]


def test_closed_by_a_person_it_opens_again_if_it_is_still_so(archive: sa.Engine) -> None:
    (opened,) = sounded(archive, 0, down())
    number = opened.alert["id"]
    closed = transact(archive, lambda c: close(c, number, "A. Clerk", "repaired", night(1)))
    assert (closed["state"], closed["author"], closed["note"]) == ("closed", "A. Clerk", "repaired")
    assert [event.event for event in sounded(archive, 2, down())] == ["reopened"]


def test_a_happening_is_said_once_however_often_it_is_seen(archive: sa.Engine) -> None:
    (opened,) = sounded(archive, 0, changed("8"), looked_at=CHANGED)
    assert sounded(archive, 1, changed("8"), looked_at=CHANGED) == []
    # It stays until somebody has looked: nothing closes it by itself.
    assert sounded(archive, 2, looked_at=CHANGED) == []
    transact(archive, lambda c: close(c, opened.alert["id"], "A. Clerk", "seen", night(3)))
    assert sounded(archive, 4, changed("8"), looked_at=CHANGED) == []
    (again,) = sounded(archive, 5, changed("9"), looked_at=CHANGED)
    assert (again.event, again.alert["after"]) == ("reopened", {"applications.granted.total": "9"})
    transact(archive, lambda c: acknowledge(c, opened.alert["id"], "A. Clerk", "", night(6)))
    assert [e.event for e in sounded(archive, 7, changed("10"), looked_at=CHANGED)] == ["reopened"]


def test_what_persons_do_is_kept_and_doing_it_twice_adds_nothing(archive: sa.Engine) -> None:
    (opened,) = sounded(archive, 0, down())
    number = opened.alert["id"]
    for act in (acknowledge, acknowledge, close, close, reopen, reopen):
        transact(archive, partial(act, alert_id=number, author="A. Clerk", note="w", at=night(1)))
    told = transact(archive, lambda c: story(c, number))
    assert [step["event"] for step in told] == ["opened", "acknowledged", "closed", "reopened"]
    assert {step["author"] for step in told[1:]} == {"A. Clerk"}
    assert transact(archive, lambda c: find_alert(c, number))["message"] == down().message
    with pytest.raises(NotInArchive, match="no alert 99"):
        transact(archive, lambda c: close(c, 99, "A. Clerk", "", night(1)))


def waiting(engine: sa.Engine, number: int) -> list[str]:
    found = transact(engine, lambda c: undelivered(c, night(number) - timedelta(days=2)))
    return [event.event for event in found]


def deliver(engine: sa.Engine, number: int, failure: str | None = None) -> None:
    def work(c: sa.Connection) -> None:
        told = undelivered(c, night(number) - timedelta(days=2))
        note_delivery(c, told, run_id=None, at=night(number), failure=failure)

    transact(engine, work)


def test_what_could_not_be_delivered_is_tried_again_until_it_is(archive: sa.Engine) -> None:
    sounded(archive, 0, down())
    for number in range(10):
        assert waiting(archive, number) == ["opened"]
        deliver(archive, number, failure="nobody answers")
    assert rows(archive) == ["opened", "undelivered"]
    deliver(archive, 10)
    assert waiting(archive, 10) == []
    sounded(archive, 11)
    assert waiting(archive, 11) == ["closed"]


def test_who_sets_up_delivery_hears_no_old_news(archive: sa.Engine) -> None:
    sounded(archive, 0, down())
    assert waiting(archive, 5) == []
    sounded(archive, 6)
    assert waiting(archive, 6) == []  # nobody was told that it was open


def test_what_somebody_knows_is_not_delivered(archive: sa.Engine) -> None:
    (opened,) = sounded(archive, 0, down())
    transact(archive, lambda c: acknowledge(c, opened.alert["id"], "A. Clerk", "", night(0)))
    assert waiting(archive, 0) == []


def test_both_languages_of_an_alert_state_the_same_facts() -> None:
    for word, kind in kinds().items():
        english, chinese = (
            {name for _, name, _, _ in Formatter().parse(sentence) if name}
            for sentence in kind.says
        )
        assert english == chinese, word
        assert all((*kind.title, *kind.says, *kind.act)), word
        assert kind.severity in ("critical", "warning", "info"), word
