"""The crawler as a guest, judged by the host's own log: robots, delays, scope, one at a time."""

from __future__ import annotations

import subprocess
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from tests.crawling import BIN, ROOT, Operator
from tests.scripted import GONE, Answer, Scripted, page, scripted

HOST = "www.xjsmgq.gov.cn"


def nothing_else(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the run lacks nothing but reports, of which these hosts have none."""
    told = "run 1 incomplete: shuimogou showed no report"
    return (done.returncode, done.stderr.strip()) == (1, told)


def guest(tmp_path: Path, host: Scripted, database_url: str, pace: str = "0.002") -> Operator:
    return Operator(tmp_path, host.url, database_url, pace)


def test_six_disallowed_addresses_at_once_and_none_is_fetched(
    tmp_path: Path, database_url: str
) -> None:
    hidden = [(f"/hidden/{number}", "政府信息公开年报") for number in range(6)]

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return Answer(b"User-agent: *\nDisallow: /hidden/\n")
        return page(*hidden) if target == "/" else GONE

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert host.targets() == ["/robots.txt", "/"]
    run = operator.ask("runs")[0]
    assert run["stats"]["outcome/robots_refused"] == 6


@pytest.mark.parametrize("status", [500, 503])
def test_a_robots_txt_that_fails_keeps_us_out(
    tmp_path: Path, database_url: str, status: int
) -> None:
    with scripted(lambda host, target: Answer(b"down", status)) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert set(host.targets()) == {"/robots.txt"}
    assert done.returncode == 1
    assert f"robots.txt of {HOST}" in done.stderr


def test_a_missing_robots_txt_lets_us_in(tmp_path: Path, database_url: str) -> None:
    with scripted(lambda host, target: page() if target == "/" else GONE) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert host.targets() == ["/robots.txt", "/"]


def test_crawl_delay_and_one_request_at_a_time(tmp_path: Path, database_url: str) -> None:
    links = [(f"/channel/{number}", "政府信息公开年报") for number in range(4)]

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return Answer(b"User-agent: gongkai\nCrawl-delay: 100\n")
        return page(*links) if target == "/" else page()

    with scripted(answer) as host:
        guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert len(host.asked) == 6
    # 100 s at a pace of 0.002 are 0.2 s, from the first request after robots.txt on.
    for earlier, later in pairwise(host.asked[1:]):
        assert later.started >= earlier.ended
        assert later.started - earlier.started >= 0.19


def test_retry_after_is_kept_whatever_the_pace(tmp_path: Path, database_url: str) -> None:
    tries: list[str] = []

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        tries.append(target)
        if len(tries) == 1:
            return Answer(b"busy", 503, {"Retry-After": "2"})
        return page(("/a", "政府信息公开年报")) if target == "/" else page()

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert host.targets() == ["/robots.txt", "/", "/", "/a"]
    assert host.asked[2].started - host.asked[1].started >= 2


def test_who_asks_for_too_long_a_wait_is_left_alone(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(b"", 503, {"Retry-After": "86400"})

    with scripted(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert host.targets() == ["/robots.txt", "/"]
    assert done.returncode == 1
    assert "come back later" in done.stderr


def test_no_host_outside_the_registry_is_asked(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        if target == "/away":
            return Answer(b"", 302, {"Location": "http://mirror.example/nb"})
        return page(
            ("/away", "政府信息公开年报"),
            ("http://mirror.example/nb", "政府信息公开年报"),
            ("http://127.0.0.1:1/nb", "政府信息公开"),
            ("https://169.254.0.1/", "信息公开"),
        )

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    assert {asked.host for asked in host.asked} == {HOST}
    assert operator.ask("runs")[0]["stats"]["outcome/out_of_scope"] == 1


def test_every_request_says_who_we_are_and_whom_to_write_to(
    tmp_path: Path, database_url: str
) -> None:
    with scripted(lambda host, target: page()) as host:
        guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    agents = {asked.headers["User-Agent"] for asked in host.asked}
    assert len(agents) == 1
    assert "gongkai/" in agents.pop()
    assert all("tests@localhost" in asked.headers["User-Agent"] for asked in host.asked)


def test_a_rehearsal_sends_https_through_the_replica_too(tmp_path: Path, database_url: str) -> None:
    with scripted(lambda host, target: GONE) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="dabancheng")
    assert {(asked.method, asked.host) for asked in host.asked} == {
        ("CONNECT", "www.dabancheng.gov.cn:443")
    }
    assert done.returncode == 1


def test_a_dropped_connection_is_retried_and_leaves_a_row_each_time(
    tmp_path: Path, database_url: str
) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(None)

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert host.targets().count("/") == 3
    stats = operator.ask("runs")[0]["stats"]
    assert stats["attempts"] == 4
    assert done.returncode == 1
    assert "entry not answered" in done.stderr


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/", 404, "entry not answered"),
        ("/", 403, "entry not answered"),
        ("/list", 403, "listing not answered"),
        ("/list", 500, "listing not answered"),
        ("/info/iList.jsp?cat_id=1&cur_page=2", 404, "page not answered"),
        ("/nb/nb/1.htm", 412, "report not answered"),
    ],
)
def test_a_gap_never_looks_complete(
    tmp_path: Path, database_url: str, target: str, status: int, reason: str
) -> None:
    pager = (
        '<ul><li class="am-list-item-dated"><a href="/nb/nb/1.htm">天山区2019年政府信息公开年报</a>'
        '<span>2020-01-01</span></li></ul><ul class="am-pagination-centered">'
        '<li>共有 30 条</li><li><a href="iList.jsp?cat_id=1&cur_page=2">下一页</a></li></ul>'
    )

    def answer(host: str, asked: str) -> Answer:
        if asked == target:
            return Answer(b"no", status)
        if asked == "/":
            return page(("/list", "信息公开指南"), ("/info/iList.jsp?cat_id=1", "信息公开年报"))
        html = f"<html><head><title>年报</title></head><body>{pager}</body></html>"
        return Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    with scripted(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert done.returncode == 1
    assert reason in done.stderr, done.stderr
    assert target in host.targets()


def test_a_redirect_loop_never_looks_complete(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(b"", 302, {"Location": f"{target}x"})

    with scripted(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert "entry not answered" in done.stderr
    assert len(host.asked) == 7


def test_a_page_called_a_report_that_shows_none_is_told(tmp_path: Path, database_url: str) -> None:
    title = "水磨沟区人民政府2021年政府信息公开工作年度报告"

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        return page(("/nb/nb/1.htm", title)) if target == "/" else page(title="访问受限")

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert "a report's page shows none" in done.stderr
    (field,) = [field for field in operator.ask("coverage") if field["year"] == 2021]
    assert field["state"] == "unreachable"


def test_an_address_that_redirects_to_a_report_is_its_alias(
    tmp_path: Path, database_url: str
) -> None:
    title = "水磨沟区人民政府2021年政府信息公开工作年度报告"
    article = f'<h1 id="title">{title}</h1><div id="text"><p>一、总体情况</p><p>无</p></div>'

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        if target == "/":
            return page(("/old/old/1.htm", title))
        if target == "/old/old/1.htm":
            return Answer(b"", 301, {"Location": "/nb/nb/1.htm"})
        return Answer(f"<html><body>{article}</body></html>".encode(),
                      headers={"Content-Type": "text/html; charset=utf-8"})  # fmt: skip

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    report = operator.ask("report", "shuimogou", "2021")
    paths = {url.removeprefix(f"http://{HOST}") for url in report["urls"]}
    assert paths == {"/old/old/1.htm", "/nb/nb/1.htm"}


def test_a_portal_is_crawled_by_one_process_at_a_time_and_a_dead_one_frees_it(
    tmp_path: Path, database_url: str
) -> None:
    asked, released = threading.Event(), threading.Event()

    def answer(host: str, target: str) -> Answer:
        asked.set()
        released.wait(30)
        return GONE

    with scripted(answer) as host:
        operator = guest(tmp_path, host, database_url)
        first = subprocess.Popen(
            [BIN / "scrapy", "crawl", "urumqi_districts", "-a", "portals=shuimogou"],
            cwd=ROOT,
            env=operator.environment(),
            stderr=subprocess.DEVNULL,
        )
        assert asked.wait(30)
        second = operator.crawl("urumqi_districts", portals="midong,shuimogou")
        first.kill()
        first.wait()
        released.set()
        third = operator.crawl("urumqi_districts", portals="shuimogou")
    assert second.returncode == 2
    assert len(second.stderr.strip().splitlines()) == 1
    assert "shuimogou is being crawled" in second.stderr
    assert third.returncode == 1
    assert "entry not answered" in third.stderr
    assert [run["state"] for run in operator.ask("runs")] == ["incomplete", "running"]
