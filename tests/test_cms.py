"""Every dialect reads its listings and articles. Fixtures are synthetic, never seen live."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cms import Article, Listing, Page, cms_by_key, parse_page, recognise
from crawler.documents import html

FIXTURES = Path(__file__).parent / "fixtures" / "cms"
VSB = "http://www.xjtsq.gov.cn"
VSB_LIST = VSB + "/open/guard/catalog/bjzf/tsqzfxxgkml"
UCAP = "http://www.wlmq.gov.cn"
UCAP_REPORT = UCAP + "/wlmqs/c120216/202202/4009d7ecc5a749b6b1ebf8f34ccc3c95"
SEARCH = UCAP + "/common/search/5ad7f285c40d4f478a7b43b9fcd67d70"
CICRO_LIST = "http://www.xjmd.gov.cn/info/iList.jsp?cat_id=15282"
CONTENT_N = "http://www.uhdz.gov.cn/zfxxgk/zfxxgknb/qzfxxgknb"

ADDRESSES = {
    "vsb_article.html": ("vsb", VSB + "/info/3168/138343.htm"),
    "vsb_unlabelled.html": ("vsb", "http://www.sayibak.gov.cn/info/2957/33991.htm"),
    "vsb_headtable.html": ("vsb", "http://www.sayibak.gov.cn/info/2957/1.htm"),
    "vsb_listing.html": ("vsb", VSB_LIST + ".htm"),
    "ucap_skin1.html": ("ucap", UCAP_REPORT + ".shtml"),
    "ucap_skin2.html": (
        "ucap",
        UCAP + "/wlmqs/c124214/202501/4009d7ecc5a749b6b1ebf8f34ccc3c95.shtml",
    ),
    "ucap_listing.html": (
        "ucap",
        "https://www.dabancheng.gov.cn/dbcq/c127212/zfxxgk_gknbz.shtml",
    ),
    "ucap_generic_listing.html": ("ucap", "http://www.uetd.gov.cn/channels/842.html"),
    "ucap_shell.html": ("ucap", UCAP + "/wlmqs/c120230/common_list.shtml"),
    "ucap_search.json": (
        "ucap",
        SEARCH + "?page=1&_pageSize=2&_isAgg=true&_isJson=true",
    ),
    "ucap_channel_report.html": (
        "ucap",
        "https://scjgj.xinjiang.gov.cn/xjaic/nb2025/zfxxgk_xxgkzd.shtml",
    ),
    "cicro_listing.html": ("cicro", CICRO_LIST + "&cur_page=1"),
    "cicro_gk_listing.html": (
        "cicro",
        "http://www.xjsmgq.gov.cn/info/iList.jsp?isSd=false&node_id=GKrm&cat_id=5",
    ),
    "cicro_article.html": ("cicro", "http://www.xjsmgq.gov.cn/smgq/smgq/101.htm"),
    "cicro_nocolon.html": ("cicro", "http://www.xjmd.gov.cn/zwgk/zwgk/7895.htm"),
    "cicro_gkinfo.html": (
        "cicro",
        "http://www.xjmd.gov.cn/gk/content.jsp?node_id=GKrm&info_id=7895&tm_id=68",
    ),
    "content_n_article.html": ("content_n", CONTENT_N + "/content_1069"),
    "content_n_listing.html": ("content_n", CONTENT_N),
}


def page(name: str, url: str | None = None) -> Page:
    return parse_page(url or ADDRESSES[name][1], (FIXTURES / name).read_text("utf-8"))


def article(name: str) -> Article:
    found = cms_by_key()[ADDRESSES[name][0]].article(page(name))
    assert found is not None
    return found


def listing(name: str, url: str | None = None) -> Listing:
    found = cms_by_key()[ADDRESSES[name][0]].listing(page(name, url))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_is_recognised_among_all_dialects_and_is_listing_or_article(name: str) -> None:
    key, _ = ADDRESSES[name]
    for preferred in (["vsb", "ucap", "cicro", "content_n"], ["content_n", "cicro", "ucap", "vsb"]):
        cms = recognise(page(name), preferred)
        assert cms.key == key
    is_list = "listing" in name or name in ("ucap_shell.html", "ucap_search.json")
    assert (cms.listing(page(name)) is not None) == is_list
    assert (cms.article(page(name)) is not None) != is_list
    assert cms.is_article(page(name).url) == (not is_list and name != "ucap_channel_report.html")


@pytest.mark.parametrize(
    ("name", "published", "source"),
    [
        ("vsb_article.html", "2020-03-06 14:38", "天山区人民政府"),
        ("vsb_unlabelled.html", "2023-11-24 11:54", "沙区政府教育督导室"),
        ("vsb_headtable.html", "2018-01-30", "沙依巴克区教育局"),
        ("ucap_skin1.html", "2022-02-11 12:05", None),
        ("ucap_skin2.html", "2025-01-20 12:30", "市审计局"),
        ("ucap_channel_report.html", "2026-01-29 18:42", None),
        ("cicro_article.html", "2023-03-03 11:45:05", None),
        ("cicro_nocolon.html", "2019-03-19 12:03", "新疆网"),
        ("cicro_gkinfo.html", "2021-01-20", "米东区审计局"),
        ("content_n_article.html", "2023-01-31", None),
    ],
)
def test_an_article_says_when_and_by_whom(name: str, published: str, source: str | None) -> None:
    found = article(name)
    assert (found.published, found.source) == (published, source)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("vsb_article.html", "天山区人民政府2019年度政府信息公开工作报告"),
        ("vsb_unlabelled.html", "沙区政府教育督导室2023年政府信息公开年度报告"),
        ("vsb_headtable.html", "沙依巴克区教育局2017年政府信息公开工作年度报告"),
        ("ucap_skin1.html", "乌鲁木齐市人民政府2021年政府信息公开工作年度报告"),
        ("ucap_skin2.html", "乌鲁木齐市审计局2024年政府信息公开工作年度报告"),
        (
            "ucap_channel_report.html",
            "新疆维吾尔自治区市场监督管理局2025年政府信息公开工作年度报告",
        ),
        ("cicro_article.html", "水磨沟区2022年政府信息公开工作年度报告"),
        ("cicro_nocolon.html", "米东区2018年政府信息公开工作报告"),
        ("content_n_article.html", "2022年高新区(新市区)政府信息公开工作年度报告"),
    ],
)
def test_the_title_is_the_reports_and_not_the_mastheads(name: str, title: str) -> None:
    assert article(name).title == title


def test_the_body_is_the_text_without_the_head_line() -> None:
    assert "来源" in str(article("vsb_article.html").body.text_content())
    assert "点击" not in str(article("vsb_article.html").body.text_content())
    assert "二、主动公开" in str(article("ucap_skin1.html").body.text_content())
    shown = str(article("content_n_article.html").body.text_content())
    assert shown.lstrip().startswith("一、总体情况")


def test_vsb_attachments_are_named_by_their_links_and_unwrapped_from_the_viewer() -> None:
    download = VSB + "/system/_content/download.jsp?"
    assert [(link.text, link.url) for link in article("vsb_article.html").attachments] == [
        (
            "天山区2019年报.docx",
            download + "urltype=news.DownloadAttachUrl&owner=1404874179"
            "&wbfileid=9607F8947E5547D2CA3A541D32E985A6",
        ),
        (
            "依申请公开统计.xls",
            download + "wbfileid=77&owner=1404874179&urltype=news.DownloadAttachUrl",
        ),
        ("盖章版.pdf", VSB + "/virtual_attach_file.vsb?afc=abc&oid=1&tid=2&nid=3&e=.pdf"),
        ("报告.pdf", VSB + "/__local/A/B/%B1%A8%B8%E6.pdf"),
    ]


def test_ucap_attachments_lie_under_the_article() -> None:
    (link,) = article("ucap_skin1.html").attachments
    assert (link.text, link.url) == ("年报.pdf", UCAP_REPORT + "/files/%E5%B9%B4%E6%8A%A5.pdf")


def test_plain_links_in_a_cicro_body_are_attachments_and_pictures_are_not() -> None:
    (link,) = article("cicro_article.html").attachments
    assert (link.text, link.url) == (
        "报告.doc",
        "http://www.xjsmgq.gov.cn/upload/2023/%B1%A8%B8%E6.doc",
    )


def test_breadcrumbs_are_read_with_and_without_separators() -> None:
    assert article("vsb_article.html").breadcrumb == ("首页", "政府信息公开", "年度报告", "正文")
    assert article("cicro_article.html").breadcrumb == ("首页", "年报")
    assert article("content_n_article.html").breadcrumb[-2:] == ("政府信息公开年报", "详细内容")


def test_a_channel_is_named_by_its_meta_its_breadcrumb_or_its_window() -> None:
    names = {
        name: cms_by_key()[key].channel_title(page(name)) for name, (key, _) in ADDRESSES.items()
    }
    assert names["ucap_listing.html"] == "政府信息公开年报"
    assert names["vsb_listing.html"] == "政府信息公开目录"
    assert names["vsb_article.html"] == "年度报告"
    assert names["content_n_listing.html"] == "年报"


def test_a_vsb_list_gives_full_titles_dates_and_the_pages_its_pager_links() -> None:
    found = listing("vsb_listing.html")
    assert [(link.url, link.text, link.date) for link in found.entries] == [
        (
            VSB + "/info/3168/153200.htm",
            "天山区人民政府2023年度政府信息公开工作年度报告",
            "2024-03-20",
        ),
        (
            VSB + "/info/3168/138343.htm",
            "天山区人民政府2019年度政府信息公开工作报告",
            "2020-03-06",
        ),
    ]
    assert found.pages == tuple(f"{VSB_LIST}/{number}.htm" for number in (35, 34, 1))
    assert (found.declared_total, found.declared_pages) == (526, 36)


def test_an_older_vsb_page_leads_back_to_the_newest_and_to_its_neighbours() -> None:
    text = (
        "<form></form><form><table><tr><td>1</td><td><a href='../../../info/1/2.htm'>一份报告</a>"
        "</td><td></td><td></td><td>2020-01-02</td></tr></table></form>"
        "<a href='../nb.htm'>首页</a><a href='3.htm'>上页</a><a href='1.htm'>尾页</a>"
        "<a href='../other.htm'>别的栏目</a>"
    )
    found = cms_by_key()["vsb"].listing(parse_page(VSB + "/open/nb/2.htm", text))
    assert found is not None
    assert found.pages == (VSB + "/open/nb.htm", VSB + "/open/nb/3.htm", VSB + "/open/nb/1.htm")


def test_a_ucap_list_counts_its_pages_from_the_script() -> None:
    found = listing("ucap_listing.html")
    base = "https://www.dabancheng.gov.cn/dbcq/c127212/"
    assert found.pages == (base + "zfxxgk_gknbz_2.shtml", base + "zfxxgk_gknbz_3.shtml")
    assert (found.declared_total, found.declared_pages) == (45, 3)
    assert [(link.text, link.date) for link in found.entries] == [
        ("达坂城区2025年政府信息公开工作年度报告", "2026-02-09"),
        ("达坂城区2024年报告", "2025-02-01"),
    ]
    second = listing("ucap_listing.html", base + "zfxxgk_gknbz_2.shtml")
    assert second.pages == (base + "zfxxgk_gknbz.shtml", base + "zfxxgk_gknbz_3.shtml")


def test_former_numeric_channels_are_read_by_link_and_date() -> None:
    for address in (
        "http://www.uetd.gov.cn/channels/842.html",
        "http://www.wlmqx.gov.cn/openscat/7",
    ):
        found = listing("ucap_generic_listing.html", address)
        assert [link.date for link in found.entries] == ["2017-01-20", "2016-01-22"]
    assert listing("ucap_generic_listing.html").pages == (
        "http://www.uetd.gov.cn/channels/842_2.html",
    )


def test_a_shell_names_its_json_and_the_json_is_a_listing() -> None:
    assert listing("ucap_shell.html").pages == (
        SEARCH + "?page=1&_pageSize=20&_isAgg=true&_isJson=true",
    )
    found = listing("ucap_search.json")
    (entry,), (file,) = found.entries, found.attachments
    assert (entry.text, entry.date) == ("乌鲁木齐市建设局2023年年报", "2024-01-30 10:00:00")
    assert entry.url.startswith(UCAP + "/wlmqs/c120230/202401/")
    assert file.text == "报告.docx"
    assert found.pages == tuple(
        f"{SEARCH}?page={number}&_pageSize=2&_isAgg=true&_isJson=true" for number in (2, 3)
    )
    assert (found.declared_total, found.declared_pages) == (5, 3)


def test_a_cicro_list_follows_its_pager_and_keeps_to_its_category() -> None:
    found = listing("cicro_listing.html")
    assert found.pages == (CICRO_LIST + "&cur_page=2&tm_id=1004", CICRO_LIST + "&cur_page=3")
    assert found.declared_total == 45
    assert [link.date for link in found.entries] == ["2019-03-19", "2018-03-19"]
    tree = cms_by_key()["cicro"].links(page("cicro_listing.html"))
    assert ("http://www.xjmd.gov.cn/info/iList.jsp?cat_id=99", "部门年报") in [
        (link.url, link.text) for link in tree
    ]


def test_a_cicro_pager_moved_by_script_is_counted_from_the_total() -> None:
    url = ADDRESSES["cicro_gk_listing.html"][1]
    assert listing("cicro_gk_listing.html").pages == (url + "&cur_page=2", url + "&cur_page=3")


def test_an_empty_cicro_list_is_a_listing_and_a_home_page_is_none() -> None:
    cms = cms_by_key()["cicro"]
    assert cms.listing(parse_page(CICRO_LIST, "<p>暂无信息</p>")) == Listing(())
    assert cms.listing(page("cicro_listing.html", "http://www.xjmd.gov.cn/")) is None


def test_a_content_n_list_gives_its_articles() -> None:
    found = listing("content_n_listing.html")
    assert [link.url for link in found.entries] == [
        CONTENT_N.rsplit("/", 1)[0] + "/qzfxxgknb/content_1069",
        CONTENT_N + "/content_1067",
    ]
    assert found.pages == (CONTENT_N + "?page=2",)


def test_page_images_without_text_are_said_aloud() -> None:
    text = "<h1>某报告</h1><p>发布时间:2021-01-02</p><div id='zoomcon'><img src='1.jpg'></div>"
    found = cms_by_key()["ucap"].article(parse_page(UCAP_REPORT + ".shtml", text))
    assert found is not None
    assert "the body is page images without text" in map(str, found.warnings)


def test_an_unknown_body_element_is_found_by_place_and_said_aloud() -> None:
    text = "<h1>某报告</h1><p>发布时间:2022-02-02</p><section>" + "公开工作。" * 20 + "</section>"
    found = cms_by_key()["ucap"].article(parse_page(UCAP_REPORT + ".shtml", text))
    assert found is not None
    assert found.body.tag == "section"
    assert "no known body element: taken by its place" in map(str, found.warnings)


def test_a_page_of_a_former_cms_is_read_by_that_cms() -> None:
    assert recognise(page("vsb_article.html"), ["ucap", "vsb"]).key == "vsb"
    assert recognise(page("ucap_skin1.html"), ["ucap", "vsb"]).key == "ucap"
    assert recognise(page("cicro_article.html"), ["ucap", "cicro"]).key == "cicro"


def test_a_portal_that_moved_unannounced_is_read_by_its_marks() -> None:
    assert recognise(page("ucap_skin1.html"), ["vsb"]).key == "ucap"
    assert recognise(parse_page(VSB + "/", ""), ["cicro", "vsb"]).key == "cicro"


@pytest.mark.parametrize(
    ("window", "heading"),
    [
        ("某局2021年年度报告-天山区人民政府", "<div class='arc-title'>某局2021年年度报告</div>"),
        ("天山区人民政府", "<h2>某局2021年年度报告</h2>"),
        ("某局2021年年度报告", "<h3>某局2021年年度报告</h3><h4>其他</h4>"),
    ],
)
def test_a_masthead_is_no_title(window: str, heading: str) -> None:
    text = (
        f"<title>{window}</title><h1>天山区人民政府</h1>{heading}<p>2022-01-20 某局</p>"
        "<div id='vsb_content'><h2>一、总体情况</h2><p>正文</p></div>"
    )
    found = cms_by_key()["vsb"].article(parse_page(VSB + "/info/1/2.htm", text))
    assert found is not None
    assert (found.title, found.published, found.source) == (
        "某局2021年年度报告",
        "2022-01-20",
        "某局",
    )


SHOWN = {
    "frame": '<iframe src="/files/a.pdf"></iframe>',
    "embed": "<embed src='../../files/a.pdf' type='application/pdf'>",
    "object": "<object data='/files/a.pdf'><p>请下载</p></object>",
    "parameter": "<object><param name='src' value='/files/a.pdf'></object>",
    "pdf.js": "<iframe src='/pdfjs/web/viewer.html?file=%2Ffiles%2Fa.pdf#page=1'></iframe>",
    "another viewer": "<iframe src='/preview/show?type=1&amp;url=/files/a.pdf'></iframe>",
    "script": "<script>showVsbpdfIframe('/files/a.pdf','100%','600','0');</script>",
    "script data": '<script>var data = {"path": "\\/files\\/a.pdf"};</script>',
}


@pytest.mark.parametrize("how", SHOWN)
def test_a_file_shown_in_the_page_is_an_attachment_and_said_by_the_reader(how: str) -> None:
    source = (
        "<html><body><form name='_newscontent_fromname'><h1 align='center'>某区2023年政府信息公开"
        "工作年度报告</h1><div id='vsb_content'><div class='v_news_content'>"
        f"{SHOWN[how]}</div></div></form></body></html>"
    )
    address = VSB + "/info/3168/15837.htm"
    found = cms_by_key()["vsb"].article(parse_page(address, source))
    assert found is not None
    assert VSB + "/files/a.pdf" in [link.url for link in found.attachments]
    (remark,) = html.read(found.body).remarks
    assert remark.rule == "viewer"
    assert "a.pdf" in remark.facts["url"]


def test_a_page_with_a_report_and_a_file_beside_it_is_no_viewer() -> None:
    text = "一、总体情况。本机关依照条例主动公开政府信息，并按期答复申请人的申请。" * 3
    page_ = f"<p>{text}</p><iframe src='/files/a.pdf'></iframe>"
    assert html.read(page_).remarks == ()
    assert html.read("<p>年度报告</p><script>var a = 'no file';</script>").remarks == ()
