"""Whatever a page holds, the dialects answer and do not raise; addresses stay followable."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.cms import Page, cms_by_key, parse_page
from crawler.cms.attachments import has_file_extension
from crawler.cms.text import absolute, file_name

BASE = "http://www.xjtsq.gov.cn/info/3168/1.htm"
FIXTURES = sorted((Path(__file__).parent / "fixtures" / "cms").glob("*"))
ADDRESSES = (
    BASE,
    "http://www.xjtsq.gov.cn/open/nb/35.htm",
    "http://www.wlmq.gov.cn/wlmqs/c120216/202202/4009d7ecc5a749b6b1ebf8f34ccc3c95.shtml",
    "http://www.wlmq.gov.cn/wlmqs/c120216/zfxxgk_onedetail.shtml",
    "http://www.wlmq.gov.cn/common/search/5ad7f285?page=2",
    "http://www.xjmd.gov.cn/info/iList.jsp?cat_id=1&cur_page=x",
    "http://www.uhdz.gov.cn/zfxxgk/content_1",
    "http://www.uhdz.gov.cn",
)
FRAGMENTS = st.sampled_from(
    [
        *("<form>", "</form>", "<table>", "<tr>", "<td>", "<td>1</td>", "</table>", "<ul><li>"),
        *(
            "<a href='../../../x'>",
            "<a href='http://['>",
            "<a href='//:x/'>",
            "<a>",
            "</a>",
            "<dd>",
        ),
        *(
            "2020-03-06",
            "2023-02-30 25:61",
            "发布时间:",
            "来源:",
            "当前位置:首页>>",
            "共99999999999条",
        ),
        *(
            "<div id='vsb_content'>",
            "<div class='gknr_list'>",
            "<h1 id='title'>",
            "<div id='text'>",
        ),
        *(
            "<table id='gk-info'><tr><td>索引号<td>",
            "<!--",
            "-->",
            "<script>",
            "<base href='http://['>",
        ),
        *("createPageHTML('p', 999999, 1, 'x','shtml', 9)", "<meta name=PubDate content='9999'>"),
        *(
            '{"data": {"results": [{"url": 1, "resList": [[]]}], "total": -1}}',
            "\x00",
            "\ud800",
            "&#0;",
        ),
    ]
)


def ask_everything(page: Page) -> None:
    for cms in cms_by_key().values():
        listing = cms.listing(page)
        article = cms.article(page)
        links = list(cms.links(page))
        cms.fingerprint(page)
        cms.breadcrumb(page)
        cms.channel_title(page)
        if listing:
            links += [*listing.entries, *listing.attachments]
            assert all(urlsplit(url).scheme in ("http", "https") for url in listing.pages)
            assert page.url not in listing.pages
        if article:
            assert article.title
            links += article.attachments
        assert all(urlsplit(link.url).scheme in ("http", "https") for link in links)
        assert all("#" not in link.url and " " not in link.url for link in links)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ADDRESSES), st.lists(FRAGMENTS | st.text(max_size=12), max_size=25))
def test_no_page_however_torn_raises(url: str, parts: list[str]) -> None:
    ask_everything(parse_page(url, "".join(parts)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FIXTURES), st.integers(0, 2500), st.integers(0, 200))
def test_a_page_with_a_piece_missing_is_read_or_refused(
    path: Path, start: int, length: int
) -> None:
    text = path.read_text("utf-8")
    for url in ADDRESSES[:4]:
        ask_everything(parse_page(url, text[:start] + text[start + length :]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "<!-- only this -->",
        '<?xml version="1.0" encoding="gb2312"?><html><body><p>年报</p></body></html>',
        '{"data": ' + "[" * 100_000,
        '{"data": {"results": "x"}}',
        "<div>" * 5000 + "<p>年报",
        "\x00\x01<p>年\x00报</p>",
    ],
)
def test_odd_texts_are_pages_too(text: str) -> None:
    for url in ADDRESSES:
        ask_everything(parse_page(url, text))


def test_an_xml_declaration_does_not_spoil_the_text() -> None:
    page = parse_page(BASE, '<?xml version="1.0" encoding="gb2312"?><html><p>年报</p></html>')
    assert page.tree.text_content() == "年报"


def test_thousands_of_unclosed_elements_lose_nothing_and_cost_little() -> None:
    text = (
        "<h1>某年度报告</h1><div id='vsb_content'>" + "<span>字" * 4000 + "<a href='x.doc'>件</a>"
    )
    start = time.perf_counter()
    page = parse_page(BASE, text)
    ask_everything(page)
    article = cms_by_key()["vsb"].article(page)
    assert article is not None
    assert str(article.body.text_content()).count("字") == 4000
    assert [link.url for link in article.attachments] == ["http://www.xjtsq.gov.cn/info/3168/x.doc"]
    assert time.perf_counter() - start < 10


def test_a_sea_of_white_space_costs_little() -> None:
    sea = "\u3000 \n" * 100_000
    start = time.perf_counter()
    ask_everything(
        parse_page(
            BASE, f"<h1>某报告</h1>来源:{sea}发布时间{sea}<div id='vsb_content'>{sea}字</div>"
        )
    )
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "href",
    [
        *("javascript:void(0)", "java\nscript:alert(1)", " JavaScript:x", "mailto:a@b.cn", "tel:1"),
        *("#top", "", "  ", "data:text/html,x", "ftp://h.cn/a.doc", "file:///etc/passwd"),
        *("http://[", "http://h:port/", "http://", "http:///x", "http://a@evil.example/", "//"),
        *("about:blank", "http://h:99999/", "http://\ud800/"),
    ],
)
def test_addresses_no_crawler_can_follow_are_left_out(href: str) -> None:
    assert absolute(BASE, href) is None


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("../3168/2.htm#a", "http://www.xjtsq.gov.cn/info/3168/2.htm"),
        ("../../../../2.htm", "http://www.xjtsq.gov.cn/2.htm"),
        ("//H.cn/a/../b", "http://h.cn/b"),
        ("\\files\\a.doc", "http://www.xjtsq.gov.cn/files/a.doc"),
        (" /a b/年报.doc\n", "http://www.xjtsq.gov.cn/a%20b/%E5%B9%B4%E6%8A%A5.doc"),
        ("?page=2", BASE + "?page=2"),
        ("HTTP://H.CN", "http://h.cn/"),
        ("/p/viewer.html?file=/a.vsb?x=1&e=.pdf", "http://www.xjtsq.gov.cn/a.vsb?x=1&e=.pdf"),
        ("/p/viewer.html?file=%2Fa.pdf&page=1", "http://www.xjtsq.gov.cn/a.pdf"),
        ("/p/viewer.html?file=javascript:alert(1)", None),
    ],
)
def test_addresses_become_what_a_browser_would_fetch(href: str, url: str | None) -> None:
    assert absolute(BASE, href) == url


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h.cn/files/%E6%8A%A5%E5%91%8A.pdf", "报告.pdf"),
        ("http://h.cn/files/%B1%A8%B8%E6.pdf?x=1", "报告.pdf"),
        ("http://h.cn/files/", ""),
    ],
)
def test_file_names_are_decoded_from_utf8_or_gbk(url: str, name: str) -> None:
    assert file_name(url) == name


def test_files_are_told_from_pages_and_pictures() -> None:
    cms = cms_by_key()["vsb"]
    system = "http://h.cn/system/_content/download.jsp"
    assert cms.is_attachment(system + "?wbfileid=1&owner=2&urltype=news.DownloadAttachUrl")
    assert not cms.is_attachment(system + "?owner=2")
    assert not cms.is_attachment("http://h.cn/virtual_attach_file.vsb?afc=1&e=.jpg")
    assert all(
        has_file_extension(f"http://h.cn/a.{kind}") for kind in ("DOCX", "wps", "xls", "rar")
    )
    assert not any(
        has_file_extension(f"http://h.cn/{path}") for path in ("a.doc/b", "a.png", "doc")
    )


def test_a_base_element_moves_relative_links_and_a_broken_one_does_not() -> None:
    cms = cms_by_key()["vsb"]
    page = parse_page(BASE, "<base href='/other/'><a href='a.htm'>甲</a>")
    assert [link.url for link in cms.links(page)] == ["http://www.xjtsq.gov.cn/other/a.htm"]
    page = parse_page(BASE, "<base href='javascript:x'><a href='a.htm'>甲</a>")
    assert [link.url for link in cms.links(page)] == ["http://www.xjtsq.gov.cn/info/3168/a.htm"]


def test_links_are_given_once_with_folded_text() -> None:
    page = parse_page(
        BASE,
        "<a href='/a.htm'><img src='x'></a><a href='/a.htm#x'>政府 信息\u3000\n公开</a>"
        "<a href='mailto:x@y.cn'>写信</a><a href='/b.htm' title='一个很长的栏目'>一个很…</a>",
    )
    for cms in cms_by_key().values():
        assert [(link.url, link.text) for link in cms.links(page)] == [
            ("http://www.xjtsq.gov.cn/a.htm", "政府 信息 公开"),
            ("http://www.xjtsq.gov.cn/b.htm", "一个很长的栏目"),
        ]
