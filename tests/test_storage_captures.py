"""Captures: bytes before rows, one payload kept once, and every row leads to its record."""

from __future__ import annotations

import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from storage.capture import captures, warc
from storage.errors import DiskNearlyFull, NotInArchive, WarcNotReadable, WarcNotWritten
from storage.schema import attempts, organs, portals, runs, warc_files
from storage.schema import captures as captures_table
from storage.settings import Settings
from tests.databases import NOW, TIANSHAN, Crawl, exchange
from tests.test_storage_warc import check


@pytest.fixture
def directory(settings: Settings) -> Path:
    return settings.warc_directory


def rows(engine: sa.Engine, table: sa.Table) -> list[sa.Row[object]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def test_every_attempt_leaves_a_row_answered_or_not(engine: sa.Engine, directory: Path) -> None:
    with Crawl(engine, directory) as crawl:
        asked = crawl.recorder.ask(crawl.attempt())
        assert crawl.recorder.answer(asked, captures.Ending("timeout")) is None
        crawl.capture(exchange(status=404, head=b"HTTP/1.1 404 Not Found\r\n\r\n"))
    assert len(rows(engine, attempts)) == 2
    assert len(rows(engine, captures_table)) == 1


def test_every_row_leads_to_its_record_and_the_digests_are_equal(
    engine: sa.Engine, directory: Path
) -> None:
    bodies = [b"one", b"two", b"one", gzip.compress(b"three"), b""]
    with Crawl(engine, directory) as crawl:
        refs = [crawl.capture(exchange(body)) for body in bodies]
    files = sorted(directory.iterdir())
    assert check(files) == 0
    assert not [path for path in files if path.name.endswith(".open")]
    names = {row.id: row.name for row in rows(engine, warc_files)}
    for row, ref, body in zip(rows(engine, captures_table), refs, bodies, strict=True):
        path = directory / names[row.warc_file_id]
        headers, _, _ = warc.read_record(path, row.warc_offset)
        assert headers["WARC-Record-ID"] == row.record_id
        assert headers["WARC-Payload-Digest"] == row.payload_digest == ref.payload_digest
        assert headers["WARC-Date"] == warc.warc_date(row.fetched_at)
        assert row.size == len(body)
        assert captures.payload(engine, directory, ref.id) == body


def test_the_next_run_keeps_an_identical_payload_as_a_revisit(
    engine: sa.Engine, directory: Path
) -> None:
    with Crawl(engine, directory) as crawl:
        first = crawl.capture(exchange(b"same page", "http://www.xjtsq.gov.cn/a"))
    with Crawl(engine, directory, start=datetime(2026, 4, 1, tzinfo=UTC)) as crawl:
        second = crawl.capture(exchange(b"same page", "http://www.xjtsq.gov.cn/b"))
        other = crawl.capture(exchange(b"another page"))
    assert (first.revisit, second.revisit, other.revisit) == (False, True, False)
    assert captures.payload(engine, directory, second.id) == b"same page"

    row = rows(engine, captures_table)[1]
    names = {row.id: row.name for row in rows(engine, warc_files)}
    headers, head, body = warc.read_record(directory / names[row.warc_file_id], row.warc_offset)
    original = rows(engine, captures_table)[0]
    assert headers["WARC-Type"] == "revisit"
    assert headers["WARC-Profile"].endswith("/1.1/revisit/identical-payload-digest")
    assert headers["WARC-Refers-To-Target-URI"] == "http://www.xjtsq.gov.cn/a"
    assert headers["WARC-Refers-To-Date"] == warc.warc_date(original.fetched_at)
    assert headers["WARC-Refers-To"] == original.record_id
    assert headers["WARC-Payload-Digest"] == original.payload_digest
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b""
    assert check(sorted(directory.iterdir())) == 0


@pytest.mark.parametrize(("body", "status"), [(b"", 200), (b"gone", 404), (b"moved", 302)])
def test_errors_and_empty_bodies_are_never_revisits(
    engine: sa.Engine, directory: Path, body: bytes, status: int
) -> None:
    head = b"HTTP/1.1 %d X\r\n\r\n" % status
    with Crawl(engine, directory) as crawl:
        refs = [crawl.capture(exchange(body, status=status, head=head)) for _ in range(2)]
    assert [ref.revisit for ref in refs] == [False, False]


def test_no_row_points_to_bytes_that_could_not_be_kept(
    engine: sa.Engine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with Crawl(engine, directory) as crawl:
        crawl.capture(exchange(b"before"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(WarcNotWritten):
                crawl.capture(exchange(b"lost"))
        assert len(rows(engine, captures_table)) == 1
        assert captures.payload(engine, directory, crawl.capture(exchange(b"after")).id) == b"after"
    assert check(sorted(directory.iterdir())) == 0


def test_bytes_are_durable_before_the_row_is_committed(
    engine: sa.Engine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync = os.fsync

    def synced(handle: int) -> None:
        order.append("fsync")
        fsync(handle)

    with Crawl(engine, directory) as crawl:
        crawl.capture(exchange(b"opens the file"))
        monkeypatch.setattr(os, "fsync", synced)
        sa.event.listen(engine, "before_cursor_execute", lambda *a: order.append(a[2][:20]))
        sa.event.listen(engine, "commit", lambda _c: order.append("commit"))
        crawl.capture(exchange(b"counted"))
        monkeypatch.undo()
    inserted = order.index("INSERT INTO captures")
    assert order.index("fsync") < inserted
    assert "commit" in order[inserted:]


def test_a_request_has_its_row_before_it_goes_out(engine: sa.Engine, directory: Path) -> None:
    with Crawl(engine, directory) as crawl:
        asked = crawl.recorder.ask(crawl.attempt())
        (row,) = rows(engine, attempts)
        assert (row.id, row.outcome, row.status) == (asked.id, "asked", None)
        crawl.recorder.answer(asked, captures.Ending("dns", 5, error="no such host"))
    (row,) = rows(engine, attempts)
    assert (row.outcome, row.duration_ms, row.error) == ("dns", 5, "no such host")


def test_nothing_is_asked_when_the_disk_is_nearly_full(
    engine: sa.Engine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Crawl(engine, directory) as crawl:
        monkeypatch.setattr(captures, "disk_usage", lambda _: SimpleNamespace(free=15_000_000))
        with pytest.raises(DiskNearlyFull, match="15 MB: make room"):
            crawl.recorder.ask(crawl.attempt())
    assert rows(engine, attempts) == []


def test_what_may_not_be_asked_has_a_row_of_its_own(engine: sa.Engine, directory: Path) -> None:
    with Crawl(engine, directory) as crawl:
        crawl.recorder.refuse(crawl.attempt(), "robots_refused", "robots.txt disallows it")
    (row,) = rows(engine, attempts)
    assert (row.outcome, row.error) == ("robots_refused", "robots.txt disallows it")


def test_a_row_that_could_not_be_committed_leaves_the_bytes_unreferenced(
    engine: sa.Engine, directory: Path
) -> None:
    with Crawl(engine, directory) as crawl:
        asked = crawl.recorder.ask(crawl.attempt())
        stranger = replace(asked, id=asked.id + 1)
        with pytest.raises(sa.exc.IntegrityError):
            crawl.recorder.answer(stranger, captures.Ending("ok"), exchange(b"orphan"))
        assert [row.outcome for row in rows(engine, attempts)] == ["asked"]
        assert rows(engine, captures_table) == []
    assert check(sorted(directory.iterdir())) == 0


def test_a_304_stands_for_the_answer_it_confirms(engine: sa.Engine, directory: Path) -> None:
    url, head = "http://www.xjtsq.gov.cn/a", b'HTTP/1.1 200 OK\r\nETag: "1"\r\n\r\n'
    with Crawl(engine, directory) as crawl:
        first = crawl.capture(exchange(b"page", url, head=head))
    with engine.connect() as connection:
        validated = captures.validators(connection, directory, url)
    assert validated is not None
    assert (validated.capture_id, validated.etag, validated.last_modified) == (
        first.id,
        '"1"',
        None,
    )
    with Crawl(engine, directory, start=datetime(2026, 4, 1, tzinfo=UTC)) as crawl:
        asked = crawl.recorder.ask(crawl.attempt(url))
        same = exchange(b"", url, 304, b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
        ref = crawl.recorder.answer(
            asked, captures.Ending("not_modified", status=304), same, validated
        )
    assert ref is not None
    assert ref.revisit
    assert captures.recorded(engine, directory, ref.id) == (head, b"page")
    row = rows(engine, captures_table)[1]
    names = {each.id: each.name for each in rows(engine, warc_files)}
    headers, told, body = warc.read_record(directory / names[row.warc_file_id], row.warc_offset)
    assert headers["WARC-Profile"].endswith("/1.1/revisit/server-not-modified")
    assert headers["WARC-Refers-To-Target-URI"] == url
    assert headers["WARC-Refers-To-Date"] == warc.warc_date(validated.original.date)
    assert headers["WARC-Payload-Digest"] == first.payload_digest
    assert (told.split()[1], body) == (b"304", b"")
    assert check(sorted(directory.iterdir())) == 0


def test_two_payloads_under_one_validator_are_a_lie(engine: sa.Engine, directory: Path) -> None:
    honest, liar = "http://www.xjtsq.gov.cn/a", "http://www.xjtsq.gov.cn/b"
    dated = b"HTTP/1.1 200 OK\r\nLast-Modified: Fri, 06 Mar 2020 06:38:00 GMT\r\n\r\n"
    with Crawl(engine, directory) as crawl:
        crawl.capture(exchange(b"one", honest))
        crawl.capture(exchange(b"two", honest))
        crawl.capture(exchange(b"one", liar, head=dated))
        with engine.connect() as connection:
            assert captures.liars(connection) == frozenset()
        crawl.capture(exchange(b"two", liar, head=dated))
    with engine.connect() as connection:
        assert captures.liars(connection) == {"tianshan"}


def test_many_threads_share_one_recorder(engine: sa.Engine, directory: Path) -> None:
    with Crawl(engine, directory) as crawl, ThreadPoolExecutor(4) as pool:
        exchanges = [exchange(b"page %d" % n, f"http://www.xjtsq.gov.cn/{n}") for n in range(24)]
        refs = list(pool.map(crawl.capture, exchanges))
        for ref, made in zip(refs, exchanges, strict=True):
            assert captures.payload(engine, directory, ref.id) == made.body
    assert check(sorted(directory.iterdir())) == 0


def test_changed_bytes_are_not_handed_out(engine: sa.Engine, directory: Path) -> None:
    with Crawl(engine, directory) as crawl:
        ref = crawl.capture(exchange(b"what was published"))
    with engine.begin() as connection:
        connection.execute(captures_table.update().values(payload_digest="sha256:0"))
    with pytest.raises(WarcNotReadable, match="is not what was captured"):
        captures.payload(engine, directory, ref.id)
    with pytest.raises(NotInArchive, match="no capture 99"):
        captures.payload(engine, directory, 99)


def test_a_run_knows_its_portals_from_the_start(engine: sa.Engine, directory: Path) -> None:
    for _ in range(2):
        with Crawl(engine, directory):
            pass
    assert [row.key for row in rows(engine, portals)] == ["tianshan"]
    assert [(row.name, row.kind) for row in rows(engine, organs)] == [(TIANSHAN, "government")]
    first, second = rows(engine, runs)
    assert (first.state, first.reason, first.stats) == ("complete", "finished", {"attempts": 1})
    assert second.started_at.tzinfo == UTC


def test_time_stamps_are_utc_and_aware_on_both_databases(
    engine: sa.Engine, directory: Path
) -> None:
    local = datetime.fromisoformat("2026-03-06T14:38:00.123456+08:00")
    with Crawl(engine, directory, start=local) as crawl:
        asked = crawl.recorder.ask(crawl.attempt())
        naive = replace(asked.attempt, started_at=NOW.replace(tzinfo=None))
        with pytest.raises(sa.exc.StatementError, match="no time zone"):
            crawl.recorder.ask(naive)
    (row,) = rows(engine, attempts)
    assert row.started_at == local
    assert row.started_at.tzinfo == UTC
