"""Looks at listings: what one keeps, what a listing shows at a moment, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage.capture.listings import (
    Entry,
    Look,
    Scope,
    Verdict,
    entries_of,
    keep_look,
    reads_of,
    watched,
)
from storage.capture.runs import begin_run
from storage.rows import add
from storage.schema import listing_changes, listing_reads, listings, runs
from tests.databases import NOW, PORTAL, START, TERMS

URL = "http://www.xjtsq.gov.cn/nb.htm"


def entry(number: int, title: str = "") -> Entry:
    url = f"http://www.xjtsq.gov.cn/info/3168/{number}.htm"
    return Entry(url, title or f"{2000 + number}年年度报告", "2020-03-06", True)


def look(*numbers: int, days: int = 0) -> Look:
    return Look(
        portal="tianshan",
        url=URL,
        title="年报",
        annual=True,
        trail=("政府信息公开", "年报"),
        depth=2,
        run_id=1,
        read_at=NOW + timedelta(days=days),
        scope="whole",
        verdict="complete",
        rule=None,
        reason=None,
        pages=1,
        declared_total=len(numbers),
        declared_pages=1,
        captures=(days + 1,),
        entries=tuple(map(entry, numbers)),
    )


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    begin_run(engine, START, [(PORTAL, TERMS)])
    with engine.begin() as connection:
        yield connection


def begin_other(connection: sa.Connection) -> int:
    told = {"spider": "urumqi_districts", "state": "complete", "started_at": NOW}
    return add(connection, runs, told | {"software": "s", "contact": "c", "config_digest": "d"})


def numbers(connection: sa.Connection, days: int | None = None) -> list[int]:
    at = None if days is None else NOW + timedelta(days=days)
    known = entries_of(connection, 1, at)
    return sorted(int(url.rpartition("/")[2][:-4]) for url in known)


def count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_listing_is_what_its_looks_say_up_to_a_moment(connection: sa.Connection) -> None:
    keep_look(connection, look(1, 2, 3))
    keep_look(connection, look(2, 3, 4, days=1))
    keep_look(connection, look(1, 2, 3, 4, days=2))
    assert numbers(connection) == [1, 2, 3, 4]
    assert numbers(connection, -1) == []
    assert numbers(connection, 0) == [1, 2, 3]
    assert numbers(connection, 1) == [2, 3, 4]
    kinds = list(connection.execute(sa.select(listing_changes.c.change)).scalars())
    assert sorted(kinds) == ["added"] * 5 + ["removed"]
    assert count(connection, listings) == 1


def test_a_look_that_finds_nothing_new_keeps_one_row(connection: sa.Connection) -> None:
    keep_look(connection, look(1, 2))
    keep_look(connection, look(2, 1, days=1))
    assert count(connection, listing_reads) == 2
    assert count(connection, listing_changes) == 2


def test_a_title_that_changed_is_a_change_and_not_another_entry(connection: sa.Connection) -> None:
    keep_look(connection, look(1, 2))
    keep_look(connection, replace(look(days=1), entries=(entry(1, "更名"), entry(2))))
    assert entries_of(connection, 1) == {each.url: each for each in (entry(1, "更名"), entry(2))}
    assert numbers(connection) == [1, 2]


@pytest.mark.parametrize(
    ("verdict", "scope"), [("incomplete", "whole"), ("complete", "head"), ("incomplete", "head")]
)
def test_only_a_proven_look_at_every_page_removes(
    connection: sa.Connection, verdict: Verdict, scope: Scope
) -> None:
    keep_look(connection, look(1, 2))
    keep_look(connection, replace(look(3, days=1), verdict=verdict, scope=scope))
    assert numbers(connection) == [1, 2, 3]


@pytest.mark.parametrize("verdict", ["blocked", "down", "gone", "not_asked"])
def test_a_look_that_saw_nothing_changes_nothing(
    connection: sa.Connection, verdict: Verdict
) -> None:
    keep_look(connection, look(1, 2))
    keep_look(connection, replace(look(days=1), verdict=verdict, rule="listing.down"))
    assert numbers(connection) == [1, 2]
    (known,) = watched(connection, "tianshan")
    assert known.last is not None
    assert known.proven is not None
    assert (known.last.verdict, known.last.rule) == (verdict, "listing.down")
    assert (known.proven.verdict, known.proven.captures) == ("complete", (1,))


def test_a_run_that_goes_on_says_the_same_once(connection: sa.Connection) -> None:
    first = keep_look(connection, look(1, 2))
    again = replace(look(1, 2), read_at=NOW + timedelta(hours=1))
    assert keep_look(connection, again) == first
    assert keep_look(connection, replace(again, verdict="incomplete", rule="x")) != first
    assert [read.verdict for read in reads_of(connection, 1)] == ["complete", "incomplete"]


def test_what_a_run_saw_before_another_did_takes_nothing_back(connection: sa.Connection) -> None:
    """It was stopped after it had seen the listing, and is gone on with after the other's end."""
    keep_look(connection, look(1, 2))
    other = begin_other(connection)
    newer = keep_look(connection, replace(look(1, 2, 3, days=2), run_id=other))
    assert keep_look(connection, look(1, 2, days=1)) == newer
    assert numbers(connection) == [1, 2, 3]
    assert keep_look(connection, look(1, 2, days=3)) != newer
    assert numbers(connection) == [1, 2]


def test_of_each_kind_of_look_the_newest_is_known(connection: sa.Connection) -> None:
    assert watched(connection, "tianshan") == []
    keep_look(connection, look(1, 2))
    keep_look(connection, replace(look(1, 2, days=1), scope="head"))
    keep_look(connection, replace(look(1, 2, days=2), verdict="incomplete"))
    keep_look(connection, replace(look(7), url=URL + "?other"))
    known, other = watched(connection, "tianshan")
    days = [(read.read_at - NOW).days for read in (known.last, known.proven, known.whole) if read]
    assert days == [2, 1, 0]
    assert (known.url, known.trail, known.depth) == (URL, ("政府信息公开", "年报"), 2)
    assert [len(each.entries) for each in (known, other)] == [2, 1]
    assert watched(connection, "midong") == []
