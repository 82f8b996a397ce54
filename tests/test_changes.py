"""What changed: each kind planted once, told once, in order, by pages, and nothing withdrawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.care.withdrawals import Thing, restore, withdraw
from storage.database import transact
from storage.queries.changes import Event, changes
from storage.queries.organs import find_organ
from tests.databases import NOW, Crawl, exchange, key, reading

OLD = "http://www.xjtsq.gov.cn/info/3168/1.htm"
NEW = "http://www.xjtsq.gov.cn/info/3168/2.htm"
BUREAU = "天山区教育局"
LEFT = "http://www.xjtsq.gov.cn/info/9/9.htm"
GONE = b"HTTP/1.1 404 Not Found\r\n\r\n"
ALWAYS = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


def week(number: int) -> datetime:
    return NOW + timedelta(days=7 * number)


@pytest.fixture
def planted(engine: sa.Engine, tmp_path: Path) -> dict[str, int]:
    """Two runs with an event of each kind; the numbers of the versions by what they hold."""
    told: dict[str, int] = {}
    with Crawl(engine, tmp_path / "first") as crawl:
        told["one"] = crawl.page(b"one", reading("1", "2", "3", "4"), url=OLD, title="one").id
        told["file"] = crawl.attachment(b"file").id
        other = key(BUREAU, kind="department")
        told["left"] = crawl.page(b"left", None, report=other, url=LEFT, title="secret").id
        crawl.set(week(1))
        told["two"] = crawl.page(b"two", reading("1", "2", "3", "5"), url=OLD, title="two").id
        told["file 2"] = crawl.attachment(b"file 2").id
    with Crawl(engine, tmp_path / "second") as crawl:
        crawl.set(week(2))
        crawl.page(b"two", None, url=OLD, title="two")
        crawl.page(b"two", None, url=NEW, title="two")
        crawl.set(week(3))
        for url in (OLD, LEFT):
            crawl.capture(exchange(b"gone", url, 404, GONE), "client_error")
            crawl.capture(exchange(b"gone", url, 404, GONE), "client_error")
        crawl.capture(exchange(b"", NEW, 500, b"HTTP/1.1 500 No\r\n\r\n"), "server_error")
        crawl.set(week(4))
        crawl.page(b"one", None, url=OLD, title="one")
        crawl.page(b"two", None, url=NEW, title="two")
    return told


def ask(engine: sa.Engine, **more: object) -> list[Event]:
    with engine.connect() as connection:
        return changes(connection, **{**ALWAYS, **more})  # type: ignore[arg-type]


def mine(engine: sa.Engine) -> list[Event]:
    """Of the government alone, oldest first."""
    with engine.connect() as connection:
        organ = find_organ(connection, "650102")
    return ask(engine, organ_id=organ.id)[::-1]


def test_each_kind_is_told_once_in_its_order(engine: sa.Engine, planted: dict[str, int]) -> None:
    found = [(e["kind"], e["version_id"], e["before_version_id"], e["cells"]) for e in mine(engine)]
    one, two = planted["one"], planted["two"]
    assert found == [
        ("published", one, None, None),
        ("attachment", planted["file"], None, None),
        ("edited", two, one, 1),
        ("attachment", planted["file 2"], planted["file"], None),
        ("moved", two, None, None),
        ("removed", None, None, None),
        ("returned", None, None, None),
        # The content before, seen again, is an edit; and the other address still shows the newer.
        ("edited", one, two, 1),
        ("edited", two, one, 1),
    ]


def test_the_moment_the_address_and_the_capture_are_those_of_the_sight(
    engine: sa.Engine, planted: dict[str, int]
) -> None:
    found = {event["kind"]: event for event in mine(engine)}
    assert found["moved"]["url"] == NEW
    assert found["removed"]["url"] == found["returned"]["url"] == OLD
    assert datetime.fromisoformat(found["removed"]["at"]) == week(3)
    assert datetime.fromisoformat(found["returned"]["at"]) == week(4)
    assert found["moved"]["title"] == "two"
    captured = sa.text("SELECT url, status FROM captures WHERE id = :id")
    with engine.connect() as connection:
        row = connection.execute(captured, {"id": found["removed"]["capture_id"]}).one()
    assert tuple(row) == (OLD, 404)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_tell_all_and_nothing_twice(
    engine: sa.Engine, planted: dict[str, int], size: int
) -> None:
    transact(engine, lambda c: withdraw(c, Thing(url=LEFT), "a clerk", "an order", week(2)))
    whole, told = ask(engine), list[Event]()
    while page := ask(
        engine,
        limit=size,
        after=(told[-1]["at"], told[-1]["kind"], told[-1]["number"]) if told else None,
    ):
        assert len(page) <= size
        told += page
    assert told == whole
    places = [(event["at"], event["kind"], event["number"]) for event in whole]
    assert places == sorted(set(places), reverse=True)


def test_a_span_begins_after_and_ends_with_its_moments(
    engine: sa.Engine, planted: dict[str, int]
) -> None:
    moments = sorted({datetime.fromisoformat(event["at"]) for event in ask(engine)})
    spans = zip([week(-1), *moments], moments, strict=False)
    pieces = [event for since, until in spans for event in ask(engine, since=since, until=until)]
    assert sorted(map(repr, pieces)) == sorted(map(repr, ask(engine)))


@pytest.mark.parametrize("few", [True, False])
def test_a_long_span_is_told_as_a_short_one(
    engine: sa.Engine, planted: dict[str, int], few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: tuple[dict[str, Any], ...] = (
        {},
        {"division": "65"},
        {"limit": 3},
        {"limit": 12, "division": "65"},
    )
    short = [ask(engine, **more) for more in asked]
    monkeypatch.setattr("storage.queries.changes._short", lambda *span: False)
    monkeypatch.setattr("storage.queries.changes._few_reports", lambda *of: few)
    assert [ask(engine, **more) for more in asked] == short


def test_sights_of_one_moment_are_one_event(engine: sa.Engine, tmp_path: Path) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        crawl.now = lambda: NOW  # type: ignore[method-assign]
        crawl.page(b"one", None, url=OLD)
        crawl.page(b"one", None, url=NEW)
    assert [event["kind"] for event in ask(engine)] == ["published"]


def test_only_what_was_asked_for_is_told(engine: sa.Engine, planted: dict[str, int]) -> None:
    everything = ask(engine)
    assert ask(engine, division="65") == ask(engine, division="650102") == everything
    assert ask(engine, division="650103") == []
    assert {event["organ"] for event in everything} > {BUREAU}
    assert ask(engine, since=week(9)) == []


@pytest.mark.parametrize("thing", ["report", "version", "address"])
def test_what_is_withdrawn_is_told_only_as_that(
    engine: sa.Engine, planted: dict[str, int], thing: str
) -> None:
    with engine.connect() as connection:
        query = sa.text("SELECT report_id FROM versions WHERE id = :id")
        report_id = connection.execute(query, {"id": planted["left"]}).scalar_one()
    things = {
        "report": Thing(report_id=report_id),
        "version": Thing(version_id=planted["left"]),
        "address": Thing(url=LEFT),
    }
    before = [event for event in ask(engine) if event["organ"] == BUREAU]
    assert [event["kind"] for event in before] == ["removed", "published"]
    asked = ("a clerk", "an order")
    transact(engine, lambda c: withdraw(c, things[thing], *asked, week(2)))
    (told,) = (event for event in ask(engine) if event["organ"] == BUREAU)
    assert (told["kind"], told["at"], told["number"]) == (
        "withdrawn",
        week(2).isoformat(),
        report_id,
    )
    assert told["title"] is not None
    assert "an order" in told["title"]
    assert "secret" not in repr(told)
    assert LEFT not in repr(told)
    transact(engine, lambda c: restore(c, things[thing], *asked, week(5)))
    assert [event for event in ask(engine) if event["organ"] == BUREAU] == before
