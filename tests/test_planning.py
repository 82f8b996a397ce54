"""Which portals a start asks, for what, and with which run it goes on. All rows synthetic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crawler.cms import cms_by_key
from crawler.errors import NothingDue
from crawler.fetching.planning import Plan, everything, what_is_due
from crawler.portals import Registry, load
from storage.capture.runs import PortalRecord, begin_run, end_run
from storage.database import transact
from tests.databases import PORTAL, START, TERMS
from tests.test_schedule import LISTING, SITE, Diary, night

MIDONG = PortalRecord("midong", "650109", "米东区", "Midong District", "cicro", "米东区人民政府")
DUE = replace(START, scope="due")
AT = night(2026, 6, 1)
SOON = AT + timedelta(hours=2)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load(cms_by_key())


@pytest.fixture
def diary(engine: sa.Engine) -> Diary:
    """Everything of tianshan is done, but for its run's end."""
    diary = Diary(engine)
    diary.walk(AT)
    diary.look(AT, show=("/info/1.htm",))
    diary.report("/info/1.htm", AT)
    return diary


def plan(diary: Diary, registry: Registry, *keys: str) -> Plan:
    portals = registry.select(keys)
    return transact(
        diary.engine, lambda conn: what_is_due(conn, START.spider, portals, registry, SOON)
    )


def test_portals_with_nothing_due_are_left_out(diary: Diary, registry: Registry) -> None:
    end_run(diary.engine, diary.run_id, "complete", "finished", {})
    found = plan(diary, registry, "tianshan", "midong")
    assert [portal.key for portal in found.portals] == ["midong"]
    assert found.rounds["midong"].tree
    assert found.whole == frozenset()
    with pytest.raises(NothingDue, match="archive schedule"):
        plan(diary, registry, "tianshan")


def test_a_run_without_end_comes_first_with_what_is_due_besides(
    diary: Diary, registry: Registry
) -> None:
    end_run(diary.engine, diary.run_id, "complete", "finished", {})
    begun = begin_run(diary.engine, DUE, [(PORTAL, TERMS)])
    end_run(diary.engine, begun.run_id, "stopped", "window closed", {})
    found = plan(diary, registry, "tianshan", "midong")
    assert {portal.key for portal in found.portals} == {"tianshan", "midong"}
    rested = found.rounds["tianshan"]
    assert (rested.tree, rested.listings, rested.rechecks) == (False, (), ())
    assert {f"{SITE}/info/1.htm", LISTING} <= rested.rests
    again = begin_run(diary.engine, DUE, [(PORTAL, TERMS), (MIDONG, TERMS)])
    assert (again.run_id, again.resumed) == (begun.run_id, True)


def test_a_walk_that_was_broken_off_is_gone_on_with(diary: Diary, registry: Registry) -> None:
    """Its entry was asked for, so that nothing is due; what lies behind it nobody has seen."""
    end_run(diary.engine, diary.run_id, "complete", "finished", {})
    diary.run_id = begin_run(diary.engine, DUE, [(PORTAL, TERMS)]).run_id
    diary.walk(AT + timedelta(minutes=30))
    end_run(diary.engine, diary.run_id, "stopped", "window closed", {})
    found = plan(diary, registry, "tianshan").rounds["tianshan"]
    assert (found.tree, found.listings, found.rechecks) == (True, (), ())
    end_run(diary.engine, diary.run_id, "complete", "finished", {})
    with pytest.raises(NothingDue):
        plan(diary, registry, "tianshan")


def test_a_run_that_was_to_ask_for_everything_still_does(diary: Diary, registry: Registry) -> None:
    found = plan(diary, registry, "tianshan")
    assert found.whole == {"tianshan"}
    assert found.rounds["tianshan"].tree
    assert found.rounds["tianshan"].rests == frozenset()


def test_a_start_for_everything_goes_on_with_a_run_of_exactly_its_portals(diary: Diary) -> None:
    other = begin_run(diary.engine, START, [(PORTAL, TERMS), (MIDONG, TERMS)])
    assert not other.resumed
    assert begin_run(diary.engine, START, [(PORTAL, TERMS)]).run_id == diary.run_id


def test_a_run_of_portals_that_are_not_asked_is_left_alone(
    diary: Diary, registry: Registry
) -> None:
    end_run(diary.engine, diary.run_id, "complete", "finished", {})
    begin_run(diary.engine, DUE, [(PORTAL, TERMS), (MIDONG, TERMS)])
    with pytest.raises(NothingDue):
        plan(diary, registry, "tianshan")


def test_everything_is_held_against_what_is_known(diary: Diary, registry: Registry) -> None:
    portals = registry.select(["tianshan"])
    found = transact(diary.engine, lambda conn: everything(conn, portals))
    known = found.rounds["tianshan"].known
    assert {url: dict(each.known) for url, each in known.items()} == {
        LISTING: {f"{SITE}/info/1.htm": "/info/1.htm政府信息公开年报"}
    }
    assert found.whole == {"tianshan"}
