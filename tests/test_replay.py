"""Captures with their heads, and archived pages that are safe to look at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from storage.errors import NotInArchive
from storage.queries.captures import captured
from storage.settings import Settings
from storage.withdrawals import Thing, restore, withdraw
from tests.databases import Crawl, exchange, key, reading

PAGE = "http://www.xjtsq.gov.cn/info/3168/1.htm"
OTHER = "http://www.xjtsq.gov.cn/info/3168/2.htm"


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """Capture 1 a report's page, 2 the same bytes at another address, 3 an answer of nobody's."""
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"<p>2019</p>", reading("1", "1", "1", "1"), url=PAGE)
        crawl.capture(exchange(b"<p>2019</p>", OTHER))
        head = b"HTTP/1.1 404 No\r\nX-Call: 13900001000\r\nX-Call:  two\r\n three\r\n\r\n"
        crawl.capture(exchange(b"gone", "http://h/3", 404, head), "client_error")
    return engine


def test_a_capture_tells_what_was_asked_and_answered_to_the_byte(
    archive: sa.Engine, settings: Settings
) -> None:
    with archive.connect() as connection:
        told = captured(connection, settings, 1)
    assert told["request_headers"] == [["Host", "www.xjtsq.gov.cn"]]
    assert told["response_headers"] == [["Content-Type", "text/html"]]
    assert (told["status_line"], told["status"]) == ("HTTP/1.1 200 OK", 200)
    assert told["report"] is not None
    assert (told["report"]["year"], told["report"]["part"]) == (2019, "page")
    assert (told["purpose"], told["outcome"], told["error"]) == ("report", "ok", None)
    assert told["held_by"] is not None
    assert told["held_by"]["record_id"] == told["record_id"]


def test_a_revisit_names_the_record_with_the_bytes(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection:
        first, again = (captured(connection, settings, number) for number in (1, 2))
    assert again["revisit_of"] == 1
    assert again["held_by"] == first["held_by"]
    assert again["record_id"] != first["record_id"]
    assert again["response_headers"] == first["response_headers"]


def test_numbers_of_persons_in_headers_are_covered(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection:
        told = captured(connection, settings, 3)
    assert told["response_headers"] == [["X-Call", "*" * 11], ["X-Call", "two three"]]
    assert told["masked"] == {"mobile_number": 1}
    assert told["report"] is None


def test_an_unknown_capture_is_refused(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection, pytest.raises(NotInArchive, match="no capture 99"):
        captured(connection, settings, 99)


@pytest.mark.parametrize("harm", ["missing", "torn", "other"])
def test_a_lost_or_torn_file_is_named_with_the_cure(
    archive: sa.Engine, settings: Settings, harm: str
) -> None:
    (file,) = settings.warc_directory.iterdir()
    whole = file.read_bytes()
    if harm == "missing":
        file.unlink()
    elif harm == "torn":
        file.write_bytes(whole[:700])
    else:
        file.write_bytes(b"\0" * len(whole))
    with archive.connect() as connection:
        told = captured(connection, settings, 3)
    assert told["error"] is not None
    assert file.name in told["error"]
    assert "bring" in told["error"]
    assert str(settings.home) not in told["error"]
    assert (told["request_headers"], told["response_headers"]) == ([], [])
    assert told["warc_file"] == file.name


@pytest.mark.parametrize(
    "thing", [Thing(report_id=1), Thing(version_id=1), Thing(url=PAGE)], ids=lambda each: str(each)
)
def test_of_a_withdrawn_capture_nothing_is_told_nor_of_its_bytes_elsewhere(
    archive: sa.Engine, settings: Settings, thing: Thing
) -> None:
    with archive.begin() as connection:
        withdraw(connection, thing, "me", "court", datetime(2026, 4, 1, tzinfo=UTC))
        for number in (1, 2):
            told = captured(connection, settings, number)
            assert told["withdrawn"] == "withdrawn on 2026-04-01: court"
            left = {name: each for name, each in told.items() if each}
            assert left == {"id": number, "withdrawn": told["withdrawn"]}
        assert captured(connection, settings, 3)["withdrawn"] is None
        restore(connection, thing, "me", "lifted", datetime(2026, 4, 2, tzinfo=UTC))
        assert captured(connection, settings, 1)["url"] == PAGE


def test_the_file_beside_a_withdrawn_page_goes_with_it(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", reading("1", "1", "1", "1"), report=key(), url=PAGE)
        crawl.attachment(b"docx")
    with engine.begin() as connection:
        withdraw(connection, Thing(report_id=1), "me", "court", datetime(2026, 4, 1, tzinfo=UTC))
        assert captured(connection, settings, 2)["withdrawn"]
