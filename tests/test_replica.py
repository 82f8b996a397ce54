"""The synthetic world and its proxy: what they promise to the tests that crawl them."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.replica import Entry, Expected, Replica, World
from tests.replica.judge import judge, main, read_log
from tests.replica.model import Answer

ROOT = Path(__file__).parent.parent
SEED = "http://www.xjtsq.gov.cn/info/3168/138343.htm"
SECURE = "https://www.dabancheng.gov.cn/dbcq/c127212/202602/2155fc2e74f249d395ea7333fefbac99.shtml"


@pytest.fixture(scope="module")
def world() -> World:
    return World.base()


@pytest.fixture(scope="module")
def expected(world: World) -> tuple[Expected, ...]:
    return world.expected()


@pytest.fixture
def replica(world: World) -> Iterator[Replica]:
    with Replica(world) as running:
        yield running


def ask(world: World, url: str, noise: int = 0) -> Answer:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    answer = world.answer(parts.hostname or "", target, noise)
    assert answer is not None, url
    return answer


def text_of(answer: Answer) -> str:
    """The body decoded as a careful reader does: UTF-8 where it is, else GBK."""
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        return answer.body.decode("gb18030")


def client(replica: Replica) -> urllib.request.OpenerDirector:
    """A plain urllib client that goes through the proxy and, as a crawl does, trusts it."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": replica.url, "https": replica.url}),
        urllib.request.HTTPSHandler(context=trusting),
    )


# --- the world ----------------------------------------------------------------------------------


def test_every_report_answers_at_every_address_with_its_title(
    world: World, expected: tuple[Expected, ...]
) -> None:
    for report in expected:
        assert report.urls
        for url in report.urls:
            answer = ask(world, url)
            assert answer.status == 200, url
            assert report.title in unescape(text_of(answer)), url


def test_the_world_has_nine_portals_and_all_years(expected: tuple[Expected, ...]) -> None:
    assert 400 <= len(expected) <= 500
    governments: dict[str, set[int]] = {}
    for report in expected:
        if report.organ.endswith("人民政府") and not re.search("[镇乡]人民政府", report.organ):
            governments.setdefault(report.portal, set()).add(report.year)
    assert governments == {
        portal: set(range(2008, 2026))
        for portal in (
            "city",
            "tianshan",
            "shayibake",
            "xinshi",
            "shuimogou",
            "toutunhe",
            "dabancheng",
            "midong",
            "wulumuqixian",
        )
    }


def test_layouts_follow_the_years_but_for_the_planted_exceptions(
    expected: tuple[Expected, ...],
) -> None:
    layouts = Counter(
        (report.layout, "old" if report.year < 2019 else "2019" if report.year < 2021 else "2021")
        for report in expected
    )
    assert {pair for pair in layouts if pair[0] != pair[1]} == {("old", "2019"), ("2019", "2021")}


def test_about_one_report_of_twelve_has_wrong_arithmetic(expected: tuple[Expected, ...]) -> None:
    tables = [report for report in expected if report.layout != "old"]
    wrong = [report for report in tables if report.report.wrong]
    assert len(tables) / 16 < len(wrong) < len(tables) / 8


def test_every_address_of_the_registry_answers_with_a_report_of_its_year(world: World) -> None:
    reports = {url: report for report in world.expected() for url in report.urls}
    seeds = [
        seed
        for file in sorted((ROOT / "crawler/portals/urumqi").glob("*.toml"))
        for seed in tomllib.loads(file.read_text("utf-8")).get("seeds", ())
    ]
    assert len(seeds) > 25
    assert [seed["url"] for seed in seeds if seed["url"] not in reports] == []
    assert [seed["url"] for seed in seeds if reports[seed["url"]].year != seed["year"]] == []


@pytest.mark.gold
def test_known_reports_have_their_titles_and_dates(expected: tuple[Expected, ...]) -> None:
    file = ROOT.parent / "shared/evidence/known-reports.json"
    if not file.exists():
        pytest.skip("the list of known reports is not beside this checkout")
    reports = {url: report for report in expected for url in report.urls}
    known = [one for one in json.loads(file.read_text("utf-8")) if one["portal"] != "650000"]
    for one in known:
        if one["url"] is None:
            continue
        report = reports[one["url"]]
        assert report.division_code == one["portal"]
        assert report.year == one["year"]
        assert one["title"] in (None, report.title)
        assert report.published.startswith((one["published"] or "").removesuffix(" (path)"))


def test_the_seed_page_is_as_its_portal_shows_it(
    world: World, expected: tuple[Expected, ...]
) -> None:
    page = text_of(ask(world, SEED))
    shown = re.sub(r"<script.*?</script>|<[^>]+>", "", page).replace("&nbsp;", " ")
    assert "2020-03-06 14:38   来源:天山区人民政府   (点击: )" in shown
    assert "附件【天山区人民政府2019年政务信息公开工作年度报告.docx】已下载次" in shown
    (report,) = [report for report in expected if SEED in report.urls]
    assert report.title == "天山区人民政府2019年度政府信息公开工作报告"
    assert report.report.body_title == "天山区人民政府2019年政务信息公开工作年度报告"
    (attachment,) = report.attachments
    assert ask(world, attachment.urls[0]).body.startswith(b"PK")


def test_all_but_the_guest_report_are_found_by_following_links(
    world: World, expected: tuple[Expected, ...]
) -> None:
    seen = set(walk(world, [f"http://{portal.hosts[0]}/" for portal in world.portals]))
    unreached = [report for report in expected if not seen & {*report.urls}]
    assert [(report.portal, report.year) for report in unreached] == [("city", 2014)]


def walk(world: World, frontier: list[str]) -> Iterator[str]:
    """Every address that links, pager scripts and JSON lists lead to from these."""
    seen = set(frontier)
    while frontier:
        url = frontier.pop()
        yield url
        answer = ask(world, url)
        for found in links(url, answer):
            if urlsplit(found).hostname in world.hosts and found not in seen:
                seen.add(found)
                frontier.append(found)


def links(url: str, answer: Answer) -> Iterator[str]:
    for name, value in answer.headers:
        if name == "Location":
            yield urljoin(url, value)
    if not answer.body.lstrip().startswith((b"<", b"{")):
        return
    page = text_of(answer)
    for href in re.findall(r'href="([^"]+)"|\'(/common/search/[^\']+)\'|"url": "([^"]+)"', page):
        target = urljoin(url, unescape("".join(href)))
        if target.startswith("http"):
            yield re.sub(";jsessionid=[0-9A-F]+", "", target)
    for last, template in re.findall(r"createPageHTML\('page-div', (\d+), \d+, '(\w+)'", page):
        for number in range(2, int(last) + 1):
            yield urljoin(url, f"{template}_{number}.shtml")
    for rows, total in re.findall(r'"rows": (\d+), "total": (\d+)', page):
        for number in range(2, -(-int(total) // int(rows)) + 1):
            yield url.replace("page=1", f"page={number}")


def test_listings_hold_other_documents_too(world: World) -> None:
    page = text_of(ask(world, "http://www.xjtsq.gov.cn/open/guard/catalog/bjzf/tsqzfxxgkml.htm"))
    assert "政府信息公开指南" in page or "工作要点" in page or "部门决算" in page
    assert "tsqzfxxgkml/35.htm" in page
    assert page.count("<tr height") == 15


def test_a_report_is_not_there_before_its_day(expected: tuple[Expected, ...]) -> None:
    earlier = World.base(date(2024, 1, 20))
    there = {(report.organ, report.year) for report in earlier.expected()}
    due = {(one.organ, one.year) for one in expected if one.published[:10] <= "2024-01-20"}
    assert there == due
    newest = "http://www.wlmqx.gov.cn/wlmqx/c128470/zfxxgk_onedetail.shtml"
    assert ask(earlier, newest).status == 404
    assert ask(World.base(date(2025, 6, 1)), newest).body != ask(World.base(), newest).body


def test_the_same_world_twice_gives_the_same_bytes_apart_from_the_noise(
    world: World, expected: tuple[Expected, ...]
) -> None:
    again = World.base()
    for report in expected[::7]:
        url = report.urls[0]
        assert ask(world, url, noise=5) == ask(again, url, noise=5)
        assert ask(world, url, noise=5) != ask(world, url, noise=6)
    assert [one.attachments for one in expected] == [one.attachments for one in again.expected()]


def test_charsets_are_declared_as_the_data_says(world: World) -> None:
    old = ask(world, "http://www.dabancheng.gov.cn/info/iIndex.jsp?cat_id=15000")
    assert ("Content-Type", "text/html; charset=gb2312") in old.headers
    with pytest.raises(UnicodeDecodeError):
        old.body.decode()
    wrong = next(
        ask(world, one.urls[0])
        for one in world.expected()
        if (one.portal, one.year, one.organ[-2:]) == ("toutunhe", 2016, "政府")
    )
    assert b"charset=gb2312" in wrong.body
    assert wrong.body.decode()


def test_an_edited_world_differs_in_its_edits_alone(
    world: World, expected: tuple[Expected, ...]
) -> None:
    edited = world.with_edits(seed=1, reports=5, attachments=1)
    assert len(edited.edits) == 6
    changed, replaced = set(), set()
    for before, after in zip(expected, edited.expected(), strict=True):
        assert before.urls == after.urls
        if ask(world, before.urls[0]) != ask(edited, after.urls[0]):
            changed.add((after.organ, after.year))
            assert before.report != after.report
        if before.attachments != after.attachments:
            replaced.add((after.organ, after.year))
            assert [one.name for one in before.attachments] == [
                one.name for one in after.attachments
            ]
    on_pages = {(one.organ, one.year) for one in edited.edits if one.attachment is None}
    in_files = {(one.organ, one.year) for one in edited.edits if one.attachment}
    assert (changed, replaced) == (on_pages, in_files)
    assert edited.edits == world.with_edits(seed=1, reports=5, attachments=1).edits
    assert edited.edits != world.with_edits(seed=2, reports=5, attachments=1).edits


def test_everything_is_marked_synthetic(world: World, expected: tuple[Expected, ...]) -> None:
    for answer in (
        ask(world, SEED),
        ask(world, "http://www.xjtsq.gov.cn/nothing.htm"),
        ask(world, "http://www.uetd.gov.cn/"),
        ask(world, "http://www.xjmd.gov.cn/robots.txt"),
    ):
        assert ("X-Synthetic", "gongkai replica") in answer.headers
    assert b"<!-- synthetic" in ask(world, expected[0].urls[0]).body


# --- the proxy ----------------------------------------------------------------------------------


def test_a_plain_client_reads_a_page_over_http(replica: Replica) -> None:
    with client(replica).open(SEED) as response:
        assert response.headers["X-Synthetic"] == "gongkai replica"
        assert "天山区人民政府2019年度政府信息公开工作报告" in response.read().decode()


def test_a_plain_client_reads_a_page_through_a_tunnel(replica: Replica) -> None:
    with client(replica).open(SECURE) as response:
        assert "达坂城区2025年政府信息公开工作年度报告" in response.read().decode()
    assert [(one.method, one.scheme) for one in replica.log] == [
        ("CONNECT", "https"),
        ("GET", "https"),
    ]


def test_hosts_without_https_and_unknown_hosts_answer_502(replica: Replica) -> None:
    with pytest.raises(OSError, match="502"):
        client(replica).open(SEED.replace("http:", "https:"))
    with pytest.raises(urllib.error.HTTPError, match="502") as caught:
        client(replica).open("http://elsewhere.example/")
    caught.value.close()


def test_redirects_lead_from_the_bare_host_to_the_home_page(replica: Replica) -> None:
    with client(replica).open("http://wlmq.gov.cn/") as response:
        assert response.url == "http://www.wlmq.gov.cn/wlmqs/index.shtml"
    assert [one.status for one in replica.log] == [301, 301, 200]


def test_a_busy_page_answers_the_second_time(replica: Replica) -> None:
    url = "http://www.xjtsq.gov.cn/info/3168/132808.htm"
    with pytest.raises(urllib.error.HTTPError) as caught:
        client(replica).open(url)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (503, "2")
    caught.value.close()
    with client(replica).open(url) as response:
        assert response.status == 200


def test_a_head_request_has_the_length_and_no_body(replica: Replica) -> None:
    request = urllib.request.Request(SEED, method="HEAD")
    with client(replica).open(request) as response:
        assert int(response.headers["Content-Length"]) > 5000
        assert response.read() == b""


def test_the_log_says_who_asked_for_what_and_when(replica: Replica) -> None:
    before = time.monotonic()
    request = urllib.request.Request(SEED + "?a=1", headers={"User-Agent": "tests (a@b.example)"})
    client(replica).open(request).close()
    (entry,) = replica.log
    assert (entry.host, entry.method, entry.path) == (
        "www.xjtsq.gov.cn",
        "GET",
        "/info/3168/138343.htm?a=1",
    )
    assert (entry.scheme, entry.status, entry.user_agent) == ("http", 200, "tests (a@b.example)")
    assert before <= entry.started <= entry.ended <= time.monotonic()


def test_many_clients_at_once_are_answered_quickly(
    replica: Replica, expected: tuple[Expected, ...]
) -> None:
    def fetch(report: Expected) -> int:
        url = next(url for url in report.urls if url.startswith("http:"))
        with client(replica).open(url) as response:
            return int(response.status)

    some = [
        one for one in expected if one.urls[0] != "http://www.xjtsq.gov.cn/info/3168/132808.htm"
    ]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, some[:120])) == {200}
    took = sorted(entry.ended - entry.started for entry in replica.log)
    assert took[len(took) // 2] < 0.005


# --- the judge ----------------------------------------------------------------------------------


def entry(url: str, started: float, **changes: object) -> Entry:
    parts = urlsplit(url)
    values = {
        "host": parts.hostname,
        "method": "GET",
        "path": parts.path + (f"?{parts.query}" if parts.query else ""),
        "scheme": parts.scheme,
        "user_agent": "crawl (a@b.example)",
        "started": started,
        "ended": started + 0.01,
        "status": 200,
        "connection": 1,
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def complete_log(expected: tuple[Expected, ...]) -> list[Entry]:
    hosts: dict[str, None] = {}
    urls = [report.urls[-1] for report in expected]
    for url in urls:
        hosts[f"http://{urlsplit(url).hostname}/robots.txt"] = None
    return [entry(url, number) for number, url in enumerate([*hosts, *urls])]


def test_the_judge_passes_a_complete_and_polite_crawl(
    world: World, expected: tuple[Expected, ...]
) -> None:
    verdict = judge(world, complete_log(expected), "a@b.example")
    assert verdict.violations == ()
    assert verdict.complete()
    assert sum(portal.fetched for portal in verdict.portals.values()) == len(expected)
    assert min(verdict.smallest_gap.values()) >= 1


def test_the_judge_names_the_reports_that_were_not_fetched(
    world: World, expected: tuple[Expected, ...]
) -> None:
    log = [one for one in complete_log(expected) if not one.path.endswith("/3168/138343.htm")]
    verdict = judge(world, log, "a@b.example")
    assert verdict.portals["tianshan"].missing == ("tianshan/gov/2019",)
    assert not verdict.complete()
    assert verdict.complete(["city"])


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (entry("http://www.gov.cn/", 0, status=502), "outside the registry: www.gov.cn/"),
        (entry("http://www.uhdz.gov.cn/admin/login", 9999), "/admin/login is disallowed"),
        (entry("http://www.uhdz.gov.cn/", -1), "not the first request to www.uhdz.gov.cn"),
        (entry(SEED, 9999, user_agent="crawl"), "1 requests without the contact"),
        (entry("http://www.xjmd.gov.cn/", -0.5, ended=99.0), "at once to www.xjmd.gov.cn"),
    ],
)
def test_the_judge_reports_what_a_crawl_must_not_do(
    world: World, expected: tuple[Expected, ...], extra: Entry, sentence: str
) -> None:
    verdict = judge(world, [*complete_log(expected), extra], "a@b.example")
    assert any(sentence in violation for violation in verdict.violations)


def test_requests_at_once_show_as_overlaps(world: World) -> None:
    with Replica(world, latency=0.1) as replica, ThreadPoolExecutor(2) as pool:
        for response in pool.map(client(replica).open, [SEED, SEED + "?b=2"]):
            response.close()
        assert judge(world, replica.log, "").overlaps == {"www.xjtsq.gov.cn": 1}


# --- the command --------------------------------------------------------------------------------


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.replica", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_command_serves_logs_and_stops_on_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    with start("--log", str(log)) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"replica listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found is not None
        proxy = urllib.request.ProxyHandler({"http": found[1]})
        urllib.request.build_opener(proxy).open(SEED).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert [one.status for one in read_log(log)] == [200]
    monkeypatch.setattr(sys, "argv", ["judge", str(log), "--portals", "tianshan"])
    assert main() == 1
    assert "robots.txt: not the first request to www.xjtsq.gov.cn" in capsys.readouterr().out


def test_the_command_stops_by_itself() -> None:
    with start("--seconds", "0.2", "--world", "edited") as process:
        assert process.wait(30) == 0
