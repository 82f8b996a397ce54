"""The explorer's frame: languages, policy, errors, what stands on every page."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from storage.care.withdrawals import Thing, withdraw
from storage.cli.serving import _listen
from storage.database import open_for_reading
from storage.explorer.app import make_app
from storage.explorer.replay import make_replay
from storage.explorer.site import Site
from storage.explorer.state import Watch
from storage.settings import Settings
from tests.databases import NOW, ON_SQLITE, Crawl, reading


@pytest.fixture
def browser(engine: sa.Engine, settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_app(engine, settings)) as client:
        yield client


def test_a_page_that_is_not_there_says_so_in_the_language_asked_for(browser: TestClient) -> None:
    assert "没有这个页面" in browser.get("/nothing").text
    assert "no such page" in browser.get("/nothing", headers={"Accept-Language": "en-GB"}).text
    answer = browser.get("/nothing?lang=en", headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 404
    assert "no such page" in answer.text
    assert 'href="/nothing?lang=zh"' in answer.text


def test_nothing_may_come_from_elsewhere(browser: TestClient) -> None:
    for path in ("/nothing", "/static/style.css", "/metrics"):
        policy = browser.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy


def test_htmx_comes_from_its_package(browser: TestClient) -> None:
    answer = browser.get("/static/htmx.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "htmx" in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/coverage/", 404),
        ("/static", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/static/..%2fapp.py", 404),
        ("//elsewhere.example/x", 404),
        (f"/captures/{2**63}", 400),
        (f"/captures/{'9' * 5000}", 400),
        ("/captures/-1", 400),
        ("/captures/1e9", 400),
        ("/search?q=公开&after=999999999-999999999", 400),
        ("/search?q=%00", 400),
        ("/search?q=%ff%fe", 200),
        (f"/search?q={'a' * 9000}", 414),
        ("/changes?since=0001-01-01", 200),
        ("/changes?until=9999-12-31", 200),
        ("/changes?after=0001-01-01T00:00:00%2B14:00~edited~1", 400),
        ("/nothing?x=%0d%0aSet-Cookie:a=b&lang=<script>", 404),
        ("/alerts?kind=<script>alert(1)</script>", 400),
        ("/search?q=<script>alert(1)</script>", 200),
    ],
)
@ON_SQLITE
def test_an_odd_address_is_answered_plainly(browser: TestClient, address: str, status: int) -> None:
    said = {"Host": "elsewhere.example"}
    answer = browser.get(f"http://h{address}", headers=said, follow_redirects=False)
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.search("no-cache|no-store", answer.headers["cache-control"])
    assert not {"set-cookie", "location"} & answer.headers.keys()
    assert "<script>alert" not in answer.text
    assert "//elsewhere" not in answer.text


@pytest.mark.parametrize("method", ["POST", "TRACE", "PUT", "DELETE"])
@ON_SQLITE
def test_nothing_can_be_sent(browser: TestClient, method: str) -> None:
    answer = browser.request(method, "/coverage")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@ON_SQLITE
def test_what_goes_wrong_is_told_under_the_same_policy(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise RuntimeError("at storage/insides.py")

    monkeypatch.setattr("storage.explorer.pages.runs.recorded_runs", broken)
    with TestClient(make_app(engine, settings), raise_server_exceptions=False) as calm:
        answer = calm.get("/runs")
    assert answer.status_code == 500
    assert "insides" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@ON_SQLITE
def test_a_database_that_went_away_is_said_to_be_away(settings: Settings) -> None:
    nowhere = sa.create_engine("sqlite:////nowhere/at/all.sqlite")
    for app, address in (
        (make_app(nowhere, settings), "/coverage"),
        (make_app(nowhere, settings), "/captures/1"),
        (make_replay(nowhere, settings), "/captures/1"),
    ):
        with TestClient(app) as client:
            answer = client.get(address)
        assert answer.status_code == 503
        assert "nowhere" not in answer.text
        assert "sqlite" not in answer.text.lower()


def test_what_was_read_before_a_withdrawal_is_not_kept_after_it(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"x", reading("1", "1", "1", "1"))
    reading_only = open_for_reading(settings)
    assert reading_only is not None
    watch = Watch(reading_only)
    site = Site(reading_only, settings, watch)

    def reports(connection: sa.Connection) -> int:
        return int(connection.execute(sa.text("SELECT count(*) FROM shown_reports")).scalar_one())

    with site.connection() as early:
        assert reports(early) == 1
        with engine.begin() as connection:
            withdraw(connection, Thing(report_id=1), "me", "court", NOW)
        assert site.keep(early, "reports", lambda: reports(early)) == 1
    with site.connection() as late:
        assert site.keep(late, "reports", lambda: reports(late)) == 0
    watch.close()
    reading_only.dispose()


@ON_SQLITE
def test_a_database_that_was_replaced_is_read_anew(engine: sa.Engine, settings: Settings) -> None:
    assert settings.sqlite_path is not None
    path = settings.sqlite_path
    copy = path.with_suffix(".copy")
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"x", reading("1", "1", "1", "1"))
    reading_only = open_for_reading(settings)
    assert reading_only is not None
    with TestClient(make_app(reading_only, settings)) as browser:
        tag = browser.get("/changes").headers["etag"]
        assert browser.get("/captures/1").status_code == 200
        with sqlite3.connect(path) as old, sqlite3.connect(copy) as new:
            old.backup(new)
        engine.dispose()
        for each in path.parent.glob(f"{path.name}*"):
            each.rename(path.parent / f"away{each.name}")
        for address in ("/changes", "/captures/1", "/api/v1/runs"):
            assert browser.get(address, headers={"If-None-Match": tag}).status_code == 503
        copy.rename(path)
        again = browser.get("/changes", headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert browser.get("/captures/1").status_code == 200
    reading_only.dispose()


def test_the_server_waits_for_no_packet_to_fill() -> None:
    with closing(_listen("127.0.0.1", 0, "--port")) as listener:
        # asyncio asks a socket that says so itself, and no other, to send at once.
        assert listener.proto == socket.IPPROTO_TCP
