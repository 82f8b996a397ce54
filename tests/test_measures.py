"""What the spider counts of its pages, and a redesign as a whole crawl meets it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest
from scrapy import Request
from scrapy.http import HtmlResponse

from crawler.cms import cms_by_key, parse_page, recognise
from crawler.cms.skeleton import sketch
from crawler.commands.exits import Exit
from crawler.items import Purpose, Visit
from crawler.portals import load
from crawler.spiders.measuring import Measures
from storage.drift.measures import PATHS, alike
from tests.crawling import Operator
from tests.redesign import RENEWED, SPIDER, renewed
from tests.replica import Replica, World
from tests.replica.dialects.ucap import Ucap

FIXTURES = Path(__file__).parent / "fixtures" / "cms"
HOST = "http://www.xjtsq.gov.cn"


def frame(text: str) -> str:
    page = parse_page(f"{HOST}/info/1/2.htm", text)
    article = cms_by_key()["vsb"].article(page)
    return sketch(page.tree, article.body if article else None)


def read(name: str) -> str:
    return (FIXTURES / name).read_text("utf-8")


def measured(text: str, path: str, purpose: Purpose) -> dict[str, dict[str, object]]:
    """What is counted of one page of 天山区, by template; its one skin where it has one."""
    portal = load(cms_by_key()).portals["tianshan"]
    visit = Visit(portal.key, purpose)
    request = Request(HOST + path, meta={"visit": visit, "capture_id": 7})
    response = HtmlResponse(HOST + path, body=text.encode(), request=request)
    page = parse_page(response.url, response.text)
    cms = recognise(page, (portal.cms,))
    measures = Measures()
    measures.page(response, page, cms, cms.article(page))
    measures.listing(response, page, cms, cms.listing(page))
    rows = measures.rows((portal,))
    return {template: counts.get("skins", [counts])[0] for _, template, counts in rows}


def test_a_frame_is_the_same_whatever_stands_in_it() -> None:
    """Text, clicks, numbers in ids, the length of the body."""
    page = read("vsb_article.html")
    longer = page.replace("</p>", "</p><p>再一段。</p><table><tr><td>1</td></tr></table>", 3)
    assert longer != page
    assert frame(page) == frame(page.replace("titlestyle1", "titlestyle9"))
    assert alike(frame(page), frame(longer))


def test_a_frame_is_another_after_a_redesign() -> None:
    page = read("vsb_article.html")
    wrapped = page.replace("<body>", "<body><main>").replace("</body>", "</main></body>")
    assert wrapped != page
    assert not alike(frame(page), frame(wrapped))
    assert not alike(frame(page), frame(read("ucap_skin1.html")))


def test_a_listing_has_one_frame_with_two_rows_or_two_hundred() -> None:
    row = '<tr id="line_{0}"><td></td><td><a href="/info/1/{0}.htm">{0}</a></td></tr>'
    pages = (
        f"<body><div id='top'></div><form><table>{''.join(map(row.format, range(rows)))}"
        "</table></form></body>"
        for rows in (2, 200)
    )
    few, many = (sketch(parse_page(HOST, page).tree) for page in pages)
    assert few == many


def test_a_frame_costs_little_beside_reading_the_page_and_is_bounded() -> None:
    page = parse_page(f"{HOST}/info/1/2.htm", read("vsb_article.html"))
    vsb = cms_by_key()["vsb"]
    assert fastest(lambda: sketch(page.tree)) < fastest(lambda: vsb.article(page)) / 4
    menu = "".join(f"<div class='{'x' * n}'><ul><li>{n}</li></ul></div>" for n in range(1, 5000))
    for text in (menu, "<div class='x'>" * 5000):
        assert len(sketch(parse_page(HOST, text).tree)) <= PATHS * 8


def fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(20):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return min(times)


def test_an_article_is_counted_by_what_it_has_and_where_that_was_found() -> None:
    found = measured(read("vsb_article.html"), "/info/3168/138343.htm", "report")
    counts = found["vsb article"]
    assert counts["capture"] == 7
    for what in ("pages", "title", "date", "source", "text", "body", "heading", "heading:0"):
        assert counts[what] == 1, what
    assert found["portal"]["asked"] == {"report": {"pages": 1, "article": 1}}
    assert found["portal"]["reports"] == 1


def test_a_date_of_the_address_alone_and_a_body_by_its_place_are_not_counted() -> None:
    text = read("vsb_article.html")
    bare = text.replace("vsb_content", "plain").replace("v_news_content", "plain")
    counts = measured(bare, "/info/3168/138343.htm", "report").get("vsb article", {})
    assert not {"body", "body:0", "body:1"} & set(counts)


def test_a_listing_is_counted_by_its_rows() -> None:
    found = measured(read("vsb_listing.html"), "/open/list.htm", "channel")
    counts = found["vsb listing"]
    assert counts["rows"] == found["portal"]["entries"]
    assert (counts["filled"], counts["dated"], counts["row"]) == (1, 1, 1)
    assert found["portal"]["asked"] == {"channel": {"pages": 1, "listing": 1}}


# --- the replica ----------------------------------------------------------------------------------


def test_a_new_skin_ends_a_run_in_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run that was stopped and gone on with each page is counted once.

    That nine portals crawled again unchanged are silent is in tests/test_crawl.py.
    """

    def crawl(*options: str) -> int:
        with Replica(World.base()) as replica:
            return (
                Operator(tmp_path, replica.url).crawl(SPIDER, *options, portals=RENEWED).returncode
            )

    assert crawl("-s", "CLOSESPIDER_PAGECOUNT=30") == Exit.INCOMPLETE
    assert crawl() == 0
    monkeypatch.setattr(Ucap, "headed", renewed)
    assert crawl() == Exit.DRIFT
    with closing(sqlite3.connect(tmp_path / "archive.sqlite")) as connection:
        (first, _), (last, stats) = connection.execute("SELECT state, stats FROM runs ORDER BY id")
        kept = connection.execute(
            "SELECT counts FROM measures WHERE template = 'ucap article' ORDER BY id"
        ).fetchall()
    assert (first, last) == ("complete", "drift")
    drifts = [key for key in json.loads(stats) if key.startswith("drift/")]
    # The dialect's <UCAPCONTENT> and the metas still stand: the frame and the title's XPath do not.
    assert drifts == [
        f"drift/{RENEWED} ucap article template",
        f"drift/{RENEWED} ucap article heading",
    ]
    once, again = (sum(skin["pages"] for skin in json.loads(row)["skins"]) for (row,) in kept)
    assert once == again > 30
    page = (tmp_path / "runs" / "latest.txt").read_text("utf-8")
    assert page.startswith("Run 2 of urumqi_districts: drift (exit code 5)")
    assert f"{RENEWED}, ucap article: " in page
