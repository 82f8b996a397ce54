"""The crawler as a guest, judged by the host's own log: robots, delays, scope, one at a time."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.crawling import BIN, ROOT, Operator
from tests.scripted import GONE, Answer, Scripted, page, scripted

HOST = "www.xjsmgq.gov.cn"
PROBE = "/gongkai-probe-"


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """What goes over the wire does not ask which database there is; test_crawl has both."""
    return str(request.param)


@contextmanager
def portal(answer: Callable[[str, str], Answer]) -> Iterator[Scripted]:
    """A host that answers the probe for what cannot exist with an honest 404."""

    def honest(host: str, target: str) -> Answer:
        return GONE if target.startswith(PROBE) else answer(host, target)

    with scripted(honest) as host:
        yield host


def targets(host: Scripted) -> list[str]:
    """What was asked for, but the probe."""
    return [target for target in host.targets() if not target.startswith(PROBE)]


def nothing_else(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the run lacks nothing but reports, of which these hosts have none."""
    told = done.stderr.strip().removeprefix("run 1 incomplete: ").split(", ")
    nothing = {
        f"{what} {how}" for what in ("entry", "listing") for how in ("empty", "shows nothing")
    }
    nothing.add("shuimogou showed no report")
    return done.returncode == 3 and set(told) <= nothing


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

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert targets(host) == ["/robots.txt", "/"]
    run = operator.ask("runs")[0]
    assert run["stats"]["outcome/robots_refused"] == 6


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_robots_txt_that_fails_keeps_us_out(
    tmp_path: Path, database_url: str, status: int
) -> None:
    with portal(lambda host, target: Answer(b"down", status)) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert set(targets(host)) == {"/robots.txt"}
    assert done.returncode == 3
    assert f"robots.txt of http://{HOST}" in done.stderr


def test_a_missing_robots_txt_lets_us_in(tmp_path: Path, database_url: str) -> None:
    with portal(lambda host, target: page() if target == "/" else GONE) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert targets(host) == ["/robots.txt", "/"]


def test_crawl_delay_and_one_request_at_a_time(tmp_path: Path, database_url: str) -> None:
    links = [(f"/channel/{number}", "政府信息公开年报") for number in range(4)]

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return Answer(b"User-agent: gongkai\nCrawl-delay: 100\n")
        return page(*links) if target == "/" else page()

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    assert len(targets(host)) == 6
    # 100 s at a pace of 0.002 are 0.2 s; how late a request reaches the host is the machine's.
    for earlier, later in pairwise(host.asked):
        assert later.started >= earlier.ended
        assert later.started - earlier.started >= 0.1
    assert operator.archive("audit", "politeness").returncode == 0


def test_retry_after_is_kept_whatever_the_pace(tmp_path: Path, database_url: str) -> None:
    tries: list[str] = []

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        tries.append(target)
        if len(tries) == 1:
            return Answer(b"busy", 503, {"Retry-After": "2"})
        return page(("/a", "政府信息公开年报")) if target == "/" else page()

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert nothing_else(done)
    assert targets(host) == ["/robots.txt", "/", "/", "/a"]
    first, second = (asked for asked in host.asked if asked.target == "/")
    assert second.started - first.started >= 2


def test_who_asks_for_too_long_a_wait_is_left_alone(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(b"", 503, {"Retry-After": "86400"})

    with portal(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert targets(host) == ["/robots.txt", "/"]
    assert done.returncode == 3
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

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    assert {asked.host for asked in host.asked} == {HOST}
    assert operator.ask("runs")[0]["stats"]["outcome/out_of_scope"] == 1


def test_every_request_says_who_we_are_and_whom_to_write_to(
    tmp_path: Path, database_url: str
) -> None:
    with portal(lambda host, target: page()) as host:
        guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    agents = {asked.headers["User-Agent"] for asked in host.asked}
    assert len(agents) == 1
    assert "gongkai/" in agents.pop()
    assert all("tests@localhost" in asked.headers["User-Agent"] for asked in host.asked)


def test_a_rehearsal_sends_https_through_the_replica_too(tmp_path: Path, database_url: str) -> None:
    with portal(lambda host, target: GONE) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="dabancheng")
    assert {(asked.method, asked.host) for asked in host.asked} == {
        ("CONNECT", "www.dabancheng.gov.cn:443")
    }
    assert done.returncode == 3


def test_a_dropped_connection_is_retried_and_leaves_a_row_each_time(
    tmp_path: Path, database_url: str
) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(None)

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert targets(host).count("/") == 3
    stats = operator.ask("runs")[0]["stats"]
    assert stats["attempts"] == 5  # with the probe
    assert done.returncode == 3
    assert "entry not answered" in done.stderr


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/", 404, "entry not answered"),
        ("/", 403, "entry not answered"),
        ("/list", 403, "listing not answered"),
        ("/list", 500, "listing not answered"),
        ("/info/iList.jsp?cat_id=1&cur_page=2", 404, "page not answered"),
        ("/nb/nb/1.htm", 412, "report blocked"),
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

    with portal(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert done.returncode == 3
    assert reason in done.stderr, done.stderr
    assert target in targets(host)


def test_a_redirect_loop_never_looks_complete(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        return GONE if target == "/robots.txt" else Answer(b"", 302, {"Location": f"{target}x"})

    with portal(answer) as host:
        done = guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="shuimogou")
    assert "entry redirect_loop" in done.stderr
    assert len(targets(host)) == 7


def test_a_page_called_a_report_that_shows_none_is_told(tmp_path: Path, database_url: str) -> None:
    title = "水磨沟区人民政府2021年政府信息公开工作年度报告"

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        return (
            page(("/nb/nb/1.htm", title))
            if target == "/"
            else page(("/", "返回首页"), title="便民服务")
        )

    with portal(answer) as host:
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

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    report = operator.ask("report", "shuimogou", "2021")
    paths = {url.removeprefix(f"http://{HOST}") for url in report["urls"]}
    assert paths == {"/old/old/1.htm", "/nb/nb/1.htm"}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_portal_is_crawled_by_one_process_at_a_time_and_a_dead_one_frees_it(
    tmp_path: Path, database_url: str
) -> None:
    asked, released = threading.Event(), threading.Event()

    def answer(host: str, target: str) -> Answer:
        asked.set()
        released.wait(30)
        return GONE

    with portal(answer) as host:
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
    assert second.returncode == 6
    assert len(second.stderr.strip().splitlines()) == 1
    assert "shuimogou is being crawled" in second.stderr
    assert third.returncode == 3
    assert "entry not answered" in third.stderr
    assert [run["state"] for run in operator.ask("runs")] == ["incomplete"]


REPORT = "水磨沟区人民政府2021年政府信息公开工作年度报告"


def article(title: str, extra: str = "") -> Answer:
    """A Cicro article with prose enough to be a report's."""
    body = f'<h1 id="title">{title}</h1><div id="text"><p>一、总体情况</p><p>无</p>{extra}</div>'
    html = f"<html><head><title>{title}</title></head><body>{body}</body></html>"
    return Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def told(tmp_path: Path, database_url: str, answers: dict[str, Answer]) -> tuple[Operator, str]:
    """Crawl a host that has a report at /good/good/1.htm and these answers; what stderr says."""
    good = {"/good/good/1.htm": article(REPORT)}

    def answer(host: str, target: str) -> Answer:
        return (good | answers).get(target, GONE)

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    return operator, done.stderr


HOME = page(("/good/good/1.htm", REPORT), ("/nb", "政府信息公开年报"))


def test_a_portal_whose_every_page_is_there_is_complete(tmp_path: Path, database_url: str) -> None:
    channel = page(("/good/good/1.htm", REPORT), title="年报")
    _, stderr = told(tmp_path, database_url, {"/": HOME, "/nb": channel})
    assert stderr == ""


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (Answer(b"", 302, {"Location": "/nb"}), "listing redirect_loop"),
        (Answer(b"", 302, {"Location": "http://mirror.example/nb"}), "listing not answered"),
        (Answer(b"", 404), "listing not answered"),
        (Answer(b"", 200, {"Content-Type": "text/html"}), "listing empty"),
        (page(title="年报"), "listing empty"),
    ],
    ids=["to itself", "off the registry", "gone", "empty", "no rows"],
)
def test_an_annual_channel_that_shows_nothing_is_a_gap(
    tmp_path: Path, database_url: str, channel: Answer, reason: str
) -> None:
    _, stderr = told(tmp_path, database_url, {"/": HOME, "/nb": channel})
    assert reason in stderr


def test_a_page_that_reloads_itself_after_a_minute_is_read(
    tmp_path: Path, database_url: str
) -> None:
    later = REPORT.replace("2021", "2022")
    channel = page(("/more/more/2.htm", later), title="年报")
    assert channel.body is not None
    refresh = b'<head><meta http-equiv="refresh" content="60;url=/nb">'
    body = channel.body.replace(b"<head>", refresh)
    answers = {
        "/": HOME,
        "/nb": Answer(body, headers=channel.headers),
        "/more/more/2.htm": article(later),
    }
    operator, stderr = told(tmp_path, database_url, answers)
    assert stderr == ""
    assert operator.ask("report", "shuimogou", "2022")["title"] == later


def test_a_host_named_with_its_own_port_is_the_same_host(tmp_path: Path, database_url: str) -> None:
    home = page((f"http://{HOST}:80/good/good/1.htm", REPORT))
    operator, _ = told(tmp_path, database_url, {"/": home})
    assert operator.ask("report", "shuimogou", "2021")["title"] == REPORT


def test_a_report_that_is_a_file_is_its_attachment(tmp_path: Path, database_url: str) -> None:
    answers = {
        "/": page(("/file/1", REPORT.replace("2021", "2020")), ("/good/good/1.htm", REPORT)),
        "/file/1": Answer(b"%PDF-1.4 figures", headers={"Content-Type": "application/pdf"}),
    }
    operator, stderr = told(tmp_path, database_url, answers)
    assert stderr == ""
    (field,) = [field for field in operator.ask("coverage") if field["year"] == 2020]
    assert field["state"] == "attachment_only"


def test_files_of_one_name_and_files_of_two_reports_are_all_kept(
    tmp_path: Path, database_url: str
) -> None:
    files = '<a href="/f/1.docx">附件.docx</a><a href="/f/2.docx">附件.docx</a>'
    other = REPORT.replace("2021", "2020")
    answers = {
        "/": page(("/good/good/1.htm", REPORT), ("/good/good/2.htm", other)),
        "/good/good/1.htm": article(REPORT, files),
        "/good/good/2.htm": article(other, files),
        "/f/1.docx": Answer(b"PK one"),
        "/f/2.docx": Answer(b"PK two"),
    }
    operator, _ = told(tmp_path, database_url, answers)
    for year in ("2020", "2021"):
        kept = operator.ask("report", "shuimogou", year)["attachments"]
        assert [file["name"] for file in kept] == ["附件.docx", "附件.docx (2)"]
        assert len({file["sha256"] for file in kept}) == 2


def test_files_of_a_page_that_is_no_report_are_no_attachments(
    tmp_path: Path, database_url: str
) -> None:
    title = "2021年度安全检查报告"
    html = (
        f'<h1 id="title">{title}</h1><div id="text"><p>检查情况</p>'
        '<a href="/f/list.docx">检查表.docx</a></div>'
    )
    answers = {
        "/": HOME,
        "/nb": page(("/x/x/1.htm", title), title="年报"),
        "/x/x/1.htm": Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8"}),
        "/f/list.docx": Answer(b"PK"),
    }
    operator, _ = told(tmp_path, database_url, answers)
    assert operator.ask("report", "shuimogou", "2021")["attachments"] == []


def test_a_listing_that_declares_more_than_it_shows_is_a_gap(
    tmp_path: Path, database_url: str
) -> None:
    html = (
        '<html><head><title>年报</title></head><body><ul><li class="am-list-item-dated">'
        f'<a href="/good/good/1.htm">{REPORT}</a><span>2022-01-01</span></li></ul>'
        '<ul class="am-pagination-centered"><li>共有 60 条</li></ul></body></html>'
    )
    listing = Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})
    home = page(("/good/good/1.htm", REPORT), ("/info/iList.jsp?cat_id=1", "信息公开年报"))
    _, stderr = told(tmp_path, database_url, {"/": home, "/info/iList.jsp?cat_id=1": listing})
    assert stderr != ""


def test_robots_of_a_host_hold_for_its_alias(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt" and host == "www.uhdz.gov.cn":
            return Answer(b"User-agent: *\nDisallow: /hidden/\n")
        if target == "/robots.txt":
            return GONE
        return page(("http://uhdz.gov.cn/hidden/nb", "政府信息公开年报"))

    with portal(answer) as host:
        guest(tmp_path, host, database_url).crawl("urumqi_districts", portals="xinshi")
    assert not [asked for asked in host.asked if asked.target.startswith("/hidden")]


@pytest.mark.parametrize("retry_after", ["0", "3000"])
def test_who_is_told_to_stop_asks_for_nothing_more(
    tmp_path: Path, database_url: str, retry_after: str
) -> None:
    waiting = threading.Event()
    links = [(f"/channel/{number}", "政府信息公开年报") for number in range(40)]

    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return GONE
        if target == "/":
            return page(*links)
        waiting.set()
        return Answer(b"", 503, {"Retry-After": retry_after})

    with portal(answer) as host:
        operator = guest(tmp_path, host, database_url, pace="0.1")
        crawl = subprocess.Popen(
            [BIN / "scrapy", "crawl", "urumqi_districts", "-a", "portals=shuimogou"],
            cwd=ROOT,
            env=operator.environment(),
            stderr=subprocess.PIPE,
        )
        assert waiting.wait(30)
        crawl.terminate()
        asked = len(host.asked)
        _, stderr = crawl.communicate(timeout=20)
        assert len(host.asked) <= asked + 1  # the one that was on its way
    assert crawl.returncode == 3
    assert b"stopped: shutdown" in stderr
