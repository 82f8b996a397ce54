"""When a rule changes, versions are put together anew from the archive, and nothing is lost."""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from storage.capture.captures import CaptureRef
from storage.database import transact
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import (
    GridRecord,
    IndicatorRecord,
    ReadingRecord,
    keep_reading,
    load_reading,
    store_reading,
)
from storage.readings.observing import Observation, observe
from storage.readings.recanonical import Outcome, Part, Said, regroup, stale_parts
from storage.readings.standing import differing
from storage.schema import (
    confirmations,
    corrections,
    metadata,
    observations,
    readings,
    versions,
)
from storage.settings import Settings
from tests.crawling import Operator
from tests.databases import NOW, TIANSHAN, Crawl, exchange, key, reading
from tests.noise import ROWS, canonical, edits, make

NEW = "page/9"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n"


def seen(
    crawl: Crawl, ref: CaptureRef, says: str, rule: str = "page/8", name: str = ""
) -> Observation:
    return Observation(
        key=key(year=2025),
        part="attachment" if name else "page",
        name=name,
        url="http://x.example/1",
        capture_id=ref.id,
        canonical_digest=says,
        canonical_rule=rule,
        title="年报",
        published=None,
        source=None,
        media="html",
        seen_at=crawl.now(),
    )


def keep(crawl: Crawl, observation: Observation, read: ReadingRecord | None = None) -> int:
    def work(connection: sa.Connection) -> int:
        version = observe(connection, observation)
        if read is not None and version.new:
            store_reading(connection, version.id, read, NOW)
        return version.id

    return transact(crawl.engine, work)


def look(crawl: Crawl, says: str, read: ReadingRecord | None = None) -> tuple[int, int]:
    """A capture seen as content `says`; its version and its id."""
    ref = crawl.capture(exchange(says.encode()))
    return keep(crawl, seen(crawl, ref, says), read), ref.id


@pytest.fixture
def crawl(engine: sa.Engine, settings: Settings) -> Any:
    with Crawl(engine, settings.warc_directory) as crawl:
        yield crawl


def run(crawl: Crawl, said: dict[int, str]) -> Outcome:
    """Put the only stale part together by `said`; a second time must change nothing."""
    found = {capture: Said(digest, NEW) for capture, digest in said.items()}

    def work(connection: sa.Connection) -> Outcome:
        parts = stale_parts(connection, [NEW])
        return regroup(connection, parts[0], found) if parts else Outcome()

    outcome = transact(crawl.engine, work)
    before = everything(crawl.engine)
    assert transact(crawl.engine, work) == Outcome(refused=outcome.refused)
    assert everything(crawl.engine) == before
    return outcome


def everything(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(map(str, connection.execute(sa.select(table))))
            for table in metadata.sorted_tables
        }


def grouped(engine: sa.Engine) -> dict[int, set[int]]:
    """Version → captures."""
    found: dict[int, set[int]] = defaultdict(set)
    with engine.connect() as connection:
        for row in connection.execute(sa.select(observations)):
            found[row.version_id].add(row.capture_id)
    return dict(found)


def test_versions_that_say_one_thing_become_the_earliest(crawl: Crawl) -> None:
    first, one = look(crawl, "a1")
    second, two = look(crawl, "a2", reading("1", "2", "3", "4"))
    _, three = look(crawl, "a3", reading("1", "2", "3", "4"))
    others = everything(crawl.engine)
    outcome = run(crawl, {one: "a", two: "a", three: "a"})
    assert outcome == Outcome(renamed=1, merged=2)
    assert grouped(crawl.engine) == {first: {one, two, three}}
    with crawl.engine.connect() as connection:
        kept = connection.execute(sa.select(versions)).one()
        sights = connection.execute(sa.select(observations.c.seen_at)).scalars().all()
        (moved,) = connection.execute(sa.select(readings)).all()
    assert (kept.canonical_digest, kept.canonical_rule, kept.capture_id) == ("a", NEW, one)
    assert (kept.first_seen, kept.last_seen) == (min(sights), max(sights))
    assert moved.version_id == first
    now = everything(crawl.engine)
    touched = {"versions", "observations", "readings", "figures", "findings", "sections"}
    touched.add("standing")
    with crawl.engine.connect() as connection:
        assert differing(connection) == []
    assert {name: now[name] for name in now.keys() - touched} == {
        name: others[name] for name in others.keys() - touched
    }
    assert second not in grouped(crawl.engine)


def test_a_correction_and_a_confirmation_go_with_the_reading_that_stays(crawl: Crawl) -> None:
    read = reading("1", "2", "3", "4")
    _, one = look(crawl, "a1", read)
    second, two = look(crawl, "a2", read)

    def work(connection: sa.Connection) -> None:
        keep_reading(connection, second, replace(read, parser="test/2"), NOW)
        entry = Entry("王某", "a slip of the pen", "page 4", NOW)
        correct_cell(connection, 1, "applications.granted.total", "7", entry)

    transact(crawl.engine, work)
    assert run(crawl, {one: "a", two: "a"}).merged == 1
    with crawl.engine.connect() as connection:
        (kept,) = connection.execute(sa.select(readings.c.id)).scalars()
        for table in (confirmations, corrections):
            assert connection.execute(sa.select(table.c.reading_id)).scalars().all() == [kept]


def test_a_version_that_says_two_things_is_split(crawl: Crawl) -> None:
    first, one = look(crawl, "ab", reading("1", "2", "3", "4"))
    _, two = look(crawl, "ab")
    _, three = look(crawl, "ab")
    assert run(crawl, {one: "a", two: "b", three: "b"}) == Outcome(renamed=1, made=1)
    ((other, captures),) = (
        (version, held) for version, held in grouped(crawl.engine).items() if version != first
    )
    assert (grouped(crawl.engine)[first], captures) == ({one}, {two, three})
    with crawl.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(sa.select(versions))}
        read = connection.execute(sa.select(readings.c.version_id)).scalars().all()
    assert (rows[other].canonical_digest, rows[other].capture_id) == ("b", two)
    assert rows[other].title == rows[first].title
    assert rows[first].last_seen < rows[other].first_seen < rows[other].last_seen
    assert read == [first]


def test_readings_that_differ_keep_their_versions_apart(crawl: Crawl) -> None:
    first, one = look(crawl, "a1", reading("1", "2", "3", "4"))
    second, two = look(crawl, "a2", reading("1", "2", "3", "5"))
    third, three = look(crawl, "a3", reading("1", "2", "3", "5", parser="test/2"))
    outcome = run(crawl, {one: "a", two: "a", three: "a"})
    assert (outcome.renamed, outcome.merged, outcome.made) == (1, 1, 0)
    (line,) = outcome.refused
    assert line == (
        f"{TIANSHAN} 2025 page: versions {first} and {second} say one thing, "
        "but test/1 read other cells in them: left apart"
    )
    assert grouped(crawl.engine) == {first: {one, three}, second: {two}}
    with crawl.engine.connect() as connection:
        left = connection.execute(sa.select(versions).where(versions.c.id == second)).one()
        read = connection.execute(sa.select(readings).order_by("id")).all()
        last = [load_reading(connection, row.id).cells[-1].raw for row in read]
    assert (left.canonical_digest, left.canonical_rule) == ("a2", "page/8")
    assert [(row.version_id, row.parser) for row in read] == [
        (first, "test/1"),
        (second, "test/1"),
        (first, "test/2"),
    ]
    assert last == ["4", "5", "5"]
    assert third not in grouped(crawl.engine)


def test_a_reading_moved_in_counts_for_those_that_follow(crawl: Crawl) -> None:
    first, one = look(crawl, "a1")
    _, two = look(crawl, "a2", reading("1", "2", "3", "4"))
    third, three = look(crawl, "a3", reading("1", "2", "3", "5"))
    assert run(crawl, {one: "a", two: "a", three: "a"}).merged == 1
    assert grouped(crawl.engine) == {first: {one, two}, third: {three}}


def test_versions_may_trade_their_digests(crawl: Crawl) -> None:
    first, one = look(crawl, "a")
    second, two = look(crawl, "b")
    assert run(crawl, {one: "b", two: "a"}) == Outcome(renamed=2)
    with crawl.engine.connect() as connection:
        rows = connection.execute(sa.select(versions.c.id, versions.c.canonical_digest)).all()
    assert sorted(map(tuple, rows)) == [(first, "b"), (second, "a")]


def test_a_version_left_apart_may_be_called_what_another_would_be(crawl: Crawl) -> None:
    _, one = look(crawl, "a1", reading("1", "2", "3", "4"))
    _, two = look(crawl, "b", reading("1", "2", "3", "5"))
    _, three = look(crawl, "c")
    before = everything(crawl.engine)
    outcome = run(crawl, {one: "a", two: "a", three: "b"})
    assert len(outcome.refused) == 1
    assert everything(crawl.engine) == before


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_digests_no_sight_is_lost(crawl: Crawl, seed: int) -> None:
    random = Random(seed)
    sights = [look(crawl, random.choice("abcde"))[1] for _ in range(20)]
    said = {capture: random.choice("abcxyz") for capture in sights}
    before = kept_sights(crawl.engine)
    run(crawl, said)
    assert kept_sights(crawl.engine) == before
    together: dict[str, set[int]] = defaultdict(set)
    for capture, digest in said.items():
        together[digest].add(capture)
    assert sorted(map(sorted, grouped(crawl.engine).values())) == sorted(
        map(sorted, together.values())
    )
    with crawl.engine.connect() as connection:
        for row in connection.execute(sa.select(versions)):
            at = [moment for capture, moment in before if said[capture] == row.canonical_digest]
            assert (row.first_seen, row.last_seen) == (min(at), max(at))


def kept_sights(engine: sa.Engine) -> set[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(observations.c.capture_id, observations.c.seen_at))
        return {tuple(row) for row in rows}


def test_the_parts_of_an_unchanged_rule_are_not_looked_at(crawl: Crawl) -> None:
    look(crawl, "a")
    with crawl.engine.connect() as connection:
        (part,) = stale_parts(connection, [NEW])
        assert part == Part(part.report_id, "page", "", TIANSHAN, 2025)
        assert stale_parts(connection, ["page/8"]) == []


# --- the command -------------------------------------------------------------------------------


def test_an_archive_of_older_rules_is_read_again(engine: sa.Engine, settings: Settings) -> None:
    """Files that counted as their bytes, pages by an older rule: noise becomes one version."""
    other = edits(ROWS)[0]
    bodies = [
        (kind, make(kind, rows, seed))
        for kind in ("docx", "doc", "pdf")
        for seed, rows in enumerate((ROWS, ROWS, ROWS, other))
    ]
    pages = [make("html", rows, seed) for seed, rows in enumerate((ROWS, ROWS, ROWS, other))]
    heads = [
        (b"text/html; charset=gbk", b"Content-Encoding: gzip\r\n", gzip.compress(pages[0])),
        (b"text/html", b"", pages[1].decode().encode("gb18030")),
        (b"text/html", b"", pages[2]),
        (b"text/html", b"", pages[3]),
    ]
    with Crawl(engine, settings.warc_directory) as crawl:
        for kind, body in [*bodies, ("odd", b"a"), ("odd", b"b")]:
            head = HEAD % (b"application/octet-stream", b"")
            ref = crawl.capture(exchange(body, f"http://www.xjtsq.gov.cn/a.{kind}", head=head))
            says = sha256(body).hexdigest()
            keep(crawl, seen(crawl, ref, says, "bytes/1", f"a.{kind}"))
        for number, (content_type, more, body) in enumerate(heads):
            head = HEAD % (content_type, more)
            ref = crawl.capture(exchange(body, head=head))
            keep(crawl, seen(crawl, ref, f"old {number}", "page/1"))
    operator = Operator(settings.home, database_url=settings.database_url or "")
    assert operator.archive("seal").returncode == 0
    before = everything(engine)
    dry = operator.scrapy("canonicalise", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout == (
        "5 pages and files read again: 8 versions would be renamed, "
        "8 would be merged into earlier ones, 0 would be split off; 0 left apart, 0 not readable\n"
    )
    assert everything(engine) == before
    done = operator.scrapy("canonicalise")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == dry.stdout.replace("would be ", "")
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(versions.c.name, versions.c.canonical_digest, versions.c.canonical_rule)
        ).all()
    assert {(row.name, row.canonical_digest, row.canonical_rule) for row in rows} == {
        *((f"a.{kind}", *canonical(kind, body)) for kind, body in bodies),
        *(("", *canonical("html", page)) for page in pages),
        *(("a.odd", sha256(body).hexdigest(), "bytes/1") for body in (b"a", b"b")),
    }
    # What it changed was sealed before, and is taken over with the reason.
    assert operator.archive("verify").returncode == 0
    after = everything(engine)
    again = operator.scrapy("canonicalise")
    assert again.stdout == (
        "1 pages and files read again: 0 versions renamed, 0 merged into earlier ones, "
        "0 split off; 0 left apart, 0 not readable\n"
    )
    assert everything(engine) == after


def test_an_archive_is_sound_after_readings_with_every_kind_of_row_were_merged(
    engine: sa.Engine, settings: Settings
) -> None:
    line = IndicatorRecord(None, "一", "主动公开", "条", "7", "number", Decimal(7), None)
    grid = GridRecord(0, 1, None, (0.0, 9.5), (0.0, 4.0), False, [[["", 0, 0, 1, 1]]])
    read = replace(reading("1", "2", "3", "4"), indicators=(line,), grids=(grid,))
    with Crawl(engine, settings.warc_directory) as crawl:
        for seed in (0, 1):
            head = HEAD % (b"application/octet-stream", b"")
            body = make("docx", ROWS, seed)
            ref = crawl.capture(exchange(body, "http://www.xjtsq.gov.cn/a.docx", head=head))
            version = keep(crawl, seen(crawl, ref, f"old {seed}", "bytes/1", "a.docx"), read)
            again = replace(read, parser="test/2")
            transact(engine, partial(keep_reading, version_id=version, reading=again, at=NOW))
        entry = Entry("王某", "a slip of the pen", "page 4", NOW)
        cell = "applications.granted.total"
        transact(engine, lambda connection: correct_cell(connection, 1, cell, "7", entry))
    operator = Operator(settings.home, database_url=settings.database_url or "")
    assert operator.archive("seal").returncode == 0
    done = operator.scrapy("canonicalise")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 merged" in done.stdout
    assert operator.archive("verify").stdout.startswith("sound")


def test_what_cannot_be_read_again_is_left_and_said(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        ref = crawl.capture(exchange(b"<html><body>no article</body></html>"))
        keep(crawl, seen(crawl, ref, "old", "page/1"))
        ref = crawl.capture(exchange(b"a", "http://www.xjtsq.gov.cn/a.doc"))
        keep(crawl, seen(crawl, ref, "old", "ole/0", "a.doc"))
    operator = Operator(settings.home, database_url=settings.database_url or "")
    done = operator.scrapy("canonicalise")
    assert done.returncode == 1
    assert done.stderr == (
        f"{TIANSHAN} 2025 page: no article in capture 1: "
        "the dialect of tianshan must know this page again\n"
    )
    for file in settings.warc_directory.iterdir():
        file.rename(file.with_suffix(".moved"))
    lost = operator.scrapy("canonicalise")
    assert lost.returncode == 1
    assert "1 not readable" in done.stdout
    assert "bring it back" in lost.stderr
