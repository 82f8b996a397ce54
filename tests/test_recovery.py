"""A run that died is put in order and gone on with: nothing lost, nothing doubled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.capture import warc
from storage.capture.captures import Ending, Recorder, payload
from storage.capture.recovery import Recovered, recover
from storage.capture.runs import answered, begin_run, end_run
from storage.schema import attempts, captures, runs, starts, terms
from storage.settings import Settings
from tests.databases import PORTAL, START, TERMS, Crawl, exchange
from tests.test_storage_warc import check

URL = "http://www.xjtsq.gov.cn/info/3168/1.htm"


@pytest.fixture
def directory(settings: Settings) -> Path:
    return settings.warc_directory


def rows(engine: sa.Engine, table: sa.Table) -> list[sa.Row[object]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


def die_between_record_and_row(engine: sa.Engine, crawl: Crawl, body: bytes) -> None:
    """As a kill -9 after the fsync leaves it: a whole record whose rows were never committed."""
    asked = crawl.recorder.ask(crawl.attempt())
    before = rows(engine, captures)
    crawl.recorder.answer(asked, Ending("ok", 12, 200, len(body)), exchange(body))
    ids = [row.id for row in rows(engine, captures) if row not in before]
    with engine.begin() as connection:
        connection.execute(captures.delete().where(captures.c.id.in_(ids)))
        undone = {"outcome": "asked", "status": None, "size": 0}
        connection.execute(attempts.update().where(attempts.c.id == asked.id).values(**undone))


@pytest.mark.parametrize("seen_before", [False, True])
def test_an_answer_without_rows_is_adopted(
    engine: sa.Engine, directory: Path, seen_before: bool
) -> None:
    with Crawl(engine, directory) as crawl:
        if seen_before:
            crawl.capture(exchange(b"page"))
        die_between_record_and_row(engine, crawl, b"page")
        crawl.recorder.ask(crawl.attempt("http://www.xjtsq.gov.cn/in-flight"))
    assert recover(engine, directory, crawl.run_id) == Recovered(1, 1)
    *_, adopted, in_flight = rows(engine, attempts)
    assert (adopted.outcome, adopted.status, adopted.size) == ("ok", 200, 4)
    assert in_flight.outcome == "interrupted"
    capture = rows(engine, captures)[-1]
    assert (capture.attempt_id, capture.url, capture.size) == (adopted.id, URL, 4)
    assert (capture.revisit_of is not None) is seen_before
    assert payload(engine, directory, capture.id) == b"page"
    assert recover(engine, directory, crawl.run_id) == Recovered(0, 0)


def test_a_torn_record_is_cut_and_its_attempt_is_interrupted(
    engine: sa.Engine, directory: Path
) -> None:
    crawl = Crawl(engine, directory).__enter__()
    crawl.capture(exchange(b"whole"))
    die_between_record_and_row(engine, crawl, b"torn" * 100)
    crawl.recorder.close()
    (path,) = directory.iterdir()
    torn = path.rename(path.with_name(path.name + ".open"))
    ends = [offset + length for offset, length, *_ in warc.records(torn)]
    torn.write_bytes(torn.read_bytes()[: ends[-3] + 20])
    begun = begin_run(engine, START, [(PORTAL, TERMS)])
    with Recorder(engine, directory, begun.run_id, {}):
        assert recover(engine, directory, begun.run_id) == Recovered(0, 1)
    assert begun.resumed
    assert [row.outcome for row in rows(engine, attempts)] == ["ok", "interrupted"]
    assert check(sorted(directory.iterdir())) == 0


def test_a_dead_or_stopped_run_is_gone_on_with_and_an_ended_one_is_not(
    engine: sa.Engine, directory: Path
) -> None:
    first = begin_run(engine, START, [(PORTAL, TERMS)])
    again = begin_run(engine, START, [(PORTAL, TERMS)])
    assert (again.run_id, first.resumed, again.resumed) == (first.run_id, False, True)
    end_run(engine, first.run_id, "stopped", "shutdown", {})
    third = begin_run(engine, replace(START, config_digest="c1"), [(PORTAL, TERMS)])
    assert third.run_id == first.run_id
    assert [row.config_digest for row in rows(engine, starts)] == ["c0", "c0", "c1"]
    assert len(rows(engine, terms)) == 3
    (run,) = rows(engine, runs)
    assert (run.state, run.reason, run.ended_at) == ("running", None, None)
    end_run(engine, first.run_id, "incomplete", "a page failed", {})
    assert not begin_run(engine, START, [(PORTAL, TERMS)]).resumed


def test_a_run_of_other_portals_or_another_spider_is_left_alone(engine: sa.Engine) -> None:
    first = begin_run(engine, START, [(PORTAL, TERMS)])
    other = replace(PORTAL, key="midong", division_code="650109")
    assert not begin_run(engine, START, [(PORTAL, TERMS), (other, TERMS)]).resumed
    assert not begin_run(engine, replace(START, spider="else"), [(PORTAL, TERMS)]).resumed
    assert begin_run(engine, START, [(PORTAL, TERMS)]).run_id == first.run_id


def test_what_a_run_has_is_what_was_answered_and_the_rest_is_asked_again(
    engine: sa.Engine, directory: Path
) -> None:
    with Crawl(engine, directory) as crawl:
        kept = [
            crawl.capture(exchange(b"a page", "http://www.xjtsq.gov.cn/a")).id,
            crawl.capture(exchange(b"", "http://www.xjtsq.gov.cn/b", 404), "client_error").id,
        ]
        crawl.capture(exchange(b"busy", "http://www.xjtsq.gov.cn/c", 503), "server_error")
        crawl.capture(exchange(b"wall", "http://www.xjtsq.gov.cn/d"), "blocked")
        crawl.capture(exchange(b"tor", "http://www.xjtsq.gov.cn/e"), "truncated")
        again = crawl.capture(exchange(b"a page, later", "http://www.xjtsq.gov.cn/a")).id
    has = answered(engine, crawl.run_id)
    assert {url[-1]: (found[0], found[1]) for (url, _), found in has.items()} == {
        "a": (again, "ok"),
        "b": (kept[1], "client_error"),
    }
