"""The pages of a report, its figures, comparisons, changes, search, runs and alerts.

Everything is synthetic.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from lxml import html
from starlette.testclient import TestClient

from storage import explorer
from storage.alerts.record import alarm, sound
from storage.care.withdrawals import Thing, withdraw
from storage.database import open_for_reading, transact
from storage.explorer.app import make_app
from storage.explorer.figures import path_of
from storage.queries.organs import organ_at
from storage.queries.report import report
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import FindingRecord, IndicatorRecord
from storage.schema import reports
from storage.settings import Settings
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, key, reading
from tests.stocked import reports_of, stocked

REPLAY = "http://127.0.0.1:8001"
HERE = f"/reports/650102/{quote(TIANSHAN)}"
CELLS = f"/cells/650102/{quote(TIANSHAN)}"
# Markup in every text that a portal writes.
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
OLD = replace(
    reading(layout="old"),
    indicators=(
        IndicatorRecord(
            "requests.received",
            "二、依申请公开",
            "收到申请数",
            "件",
            "１2",
            "number",
            Decimal(12),
            None,
        ),
        IndicatorRecord(None, "二、依申请公开", EVIL, "", " ", "blank", None, None),
    ),
)


@pytest.fixture
def browser(engine: sa.Engine, settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_app(engine, settings, replay=REPLAY)) as client:
        yield client


@pytest.fixture
def crawl(engine: sa.Engine, settings: Settings) -> Iterator[Crawl]:
    with Crawl(engine, settings.warc_directory) as crawl:
        yield crawl


def page_of(browser: TestClient, path: str, status: int = 200) -> Any:
    answer = browser.get(path)
    assert answer.status_code == status, answer.text
    return html.fromstring(answer.text)


def text_of(node: Any) -> str:
    return " ".join(node.text_content().split())


def report_id(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(reports.c.id)).scalar_one())


@ON_SQLITE
def test_every_figure_on_the_page_is_that_of_the_query(settings: Settings, tmp_path: Path) -> None:
    stocked(settings, 11, ()).dispose()
    engine = open_for_reading(settings)
    assert engine is not None
    seen = 0
    with TestClient(make_app(engine, settings)) as browser, engine.connect() as connection:
        for each in reports_of(11):
            organ = organ_at(connection, "650102", each.organ)
            page = page_of(browser, f"/reports/650102/{quote(each.organ)}/{each.year}")
            drawn = {cell.get("id"): cell for cell in page.xpath("//td[@id]")}
            for cell in report(connection, organ, each.year)["cells"]:
                figure = drawn[f"cell-{path_of(cell)}"].xpath(".//a[@class='to']")[0]
                if cell["value"] is not None:
                    assert text_of(figure.xpath("./span[@class='value']")[0]) == str(cell["value"])
                else:
                    assert figure.xpath(f"./span[contains(@class, 'kind-{cell['state']}')]")
                    assert not figure.xpath(".//span[@class='value']")
                said = [text_of(raw) for raw in figure.xpath(".//q")]
                published = " ".join(cell["raw"].split())
                if published not in ("", str(cell["value"])):
                    assert published in said
                assert quote(path_of(cell)) in figure.get("href")
                seen += 1
    engine.dispose()
    assert seen > 2000


@ON_SQLITE
def test_a_finding_stands_on_its_cells_and_in_the_list(browser: TestClient, crawl: Crawl) -> None:
    crawl.page(b"a", reading("1", "2万元", "3", "４", verdicts=("fail", "pass")))
    page = page_of(browser, f"{HERE}/2019")
    for path in ("applications.granted.natural_person", "applications.granted.total"):
        (flag,) = page.xpath("//td[@id=$id]//a[@class='flag']", id=f"cell-{path}")
        assert flag.get("href") == "#finding-1"
        assert "1 ≠ 2" in flag.text_content()
    (said,) = page.xpath("//li[@id='finding-1']")
    assert "A3" in said.text_content()
    assert {each.get("href") for each in said.xpath(".//ul//a")} == {
        "#cell-applications.granted.natural_person",
        "#cell-applications.granted.total",
    }
    assert not page.xpath("//td[@id='cell-art20.item1.regulations.made']//a[@class='flag']")
    assert text_of(page.xpath("//td[@id='cell-applications.granted.total']//q")[0]) == "４"


@ON_SQLITE
def test_blank_zero_and_unread_are_three_things(browser: TestClient, crawl: Crawl) -> None:
    crawl.page(b"a", reading(" ", "?", "0", "-1"))
    page = page_of(browser, f"{HERE}/2019")
    figures = {each.get("id"): each for each in page.xpath("//td[starts-with(@id, 'cell-')]")}
    told = {name: text_of(each.xpath(".//a[@class='to']")[0]) for name, each in figures.items()}
    assert told == {
        "cell-art20.item1.regulations.made": "空",
        "cell-art20.item9.procurement.amount": "未读出",
        "cell-applications.granted.natural_person": "0",
        "cell-applications.granted.total": "-1",
    }


@ON_SQLITE
def test_what_portals_wrote_stands_as_text(browser: TestClient, crawl: Crawl) -> None:
    evil = replace(
        reading("1", "2", "3", "4"),
        body_title=EVIL,
        sections=((EVIL, f"{EVIL}\n{EVIL}"),),
        findings=(FindingRecord(EVIL, "finding", EVIL, EVIL, (EVIL,)),),
    )
    evil = replace(
        evil, cells=tuple(replace(c, raw=EVIL, state="text", value=None) for c in evil.cells)
    )
    crawl.page(b"a", evil, title=EVIL, published=EVIL)
    crawl.attachment(b"file", f"{EVIL}.docx")
    crawl.page(b"b", OLD, report=key(year=2015), url="http://www.xjtsq.gov.cn/2.htm", title=EVIL)
    place = f"{TIANSHAN}/2019"
    paths = [
        f"{HERE}/2019",
        f"{HERE}/2015",
        f"{CELLS}/2019/applications.granted.total",
        f"/diff?left={place}&right={TIANSHAN}/2015",
        f"/diff?left={quote(EVIL)}&right={quote(EVIL)}",
        "/changes",
        f"/search?q={quote(EVIL)}",
        f"/reports/650102/{quote(EVIL, safe='')}/2019",
        f"{HERE}/2019?version=1&as_of={quote(EVIL)}",
    ]
    for path in paths:
        for lang in ("zh", "en"):
            answer = browser.get(path, params={"lang": lang} if "?" not in path else None)
            page = html.fromstring(answer.text)
            assert [each.get("src") for each in page.xpath("//script")] == ["/static/htmx.js"], path
            assert not page.xpath("//img | //@onerror"), path
            assert "alert(1)" in answer.text or answer.status_code >= 400


@ON_SQLITE
def test_the_statistics_of_2014_stand_by_block(browser: TestClient, crawl: Crawl) -> None:
    crawl.page(b"a", OLD, report=key(year=2015))
    page = page_of(browser, f"{HERE}/2015")
    (line,) = page.xpath("//table[@class='lines']//tr[th='收到申请数']")
    assert text_of(line.xpath("./td[@class='number']/span[@class='value']")[0]) == "12"
    assert text_of(line.xpath("./td[@class='number']//q")[0]) == "１2"
    assert "synthetic" in page.xpath("//div[@class='prose']")[0].text_content()


def test_a_withdrawn_report_leaves_a_tombstone(
    engine: sa.Engine, browser: TestClient, crawl: Crawl
) -> None:
    crawl.page(b"a", reading("1", "2", "3", "7654321"))
    thing = Thing(report_id=report_id(engine))
    transact(engine, lambda c: withdraw(c, thing, "somebody", "a court's order", NOW))
    for path in (f"{HERE}/2019", f"{CELLS}/2019/applications.granted.total"):
        answer = browser.get(path)
        assert answer.status_code == 410
        assert "order" in answer.text
        assert "7654321" not in answer.text
    for ending in ("csv", "json"):
        assert browser.get(f"/export{HERE}/2019.{ending}").status_code == 410


def test_a_withdrawn_version_is_gone_and_the_one_before_stands(
    engine: sa.Engine, browser: TestClient, crawl: Crawl
) -> None:
    first = crawl.page(b"a", reading("1", "2", "3", "4"))
    second = crawl.page(b"b", reading("1", "2", "3", "7654321"))
    assert "7654321" in browser.get(f"{HERE}/2019").text
    thing = Thing(version_id=second.id)
    transact(engine, lambda c: withdraw(c, thing, "somebody", "reason", NOW))
    assert browser.get(f"{HERE}/2019?version={second.id}").status_code == 410
    page = page_of(browser, f"{HERE}/2019")
    assert "7654321" not in page.text_content()
    assert "reason" in page.xpath("//section[@aria-labelledby='versions']")[0].text_content()
    assert browser.get(f"{HERE}/2019?version={first.id}").status_code == 200


@ON_SQLITE
def test_a_report_without_a_capture_says_so(browser: TestClient, crawl: Crawl) -> None:
    crawl.unreachable(key(year=2020), "http://www.xjtsq.gov.cn/9.htm")
    page = page_of(browser, f"{HERE}/2020")
    assert "从未取得内容" in page.text_content()
    assert "http://www.xjtsq.gov.cn/9.htm" in page.text_content()


@ON_SQLITE
def test_a_correction_stands_beside_the_figure(
    engine: sa.Engine, browser: TestClient, crawl: Crawl
) -> None:
    crawl.page(b"a", reading("1", "2", "3", "4"))
    entry = Entry("a clerk", "misprint", "the paper copy", NOW)
    mine = report_id(engine)
    transact(engine, lambda c: correct_cell(c, mine, "applications.granted.total", "44", entry))
    for path in (f"{HERE}/2019", f"{CELLS}/2019/applications.granted.total"):
        told = browser.get(path).text
        assert "44" in told
        assert all(word in told for word in ("a clerk", "misprint", "the paper copy"))
    page = page_of(browser, f"{HERE}/2019")
    (cell,) = page.xpath("//td[@id='cell-applications.granted.total']")
    assert text_of(cell.xpath(".//a[@class='to']")[0]) == "4"
    assert "44" in text_of(cell.xpath(".//span[@class='held']")[0])


def test_an_edit_is_told_by_versions_changes_and_comparison(
    browser: TestClient, crawl: Crawl
) -> None:
    before = crawl.page(b"a", reading("1", "2", "3", "4"))
    after = crawl.page(
        b"b", replace(reading("1", "2", "3", "5"), sections=(("一、总体情况", "synthesis"),))
    )
    page = page_of(browser, f"{HERE}/2019")
    (to_diff,) = page.xpath("//section[@aria-labelledby='versions']//a[contains(@href, '/diff')]")
    for link in (to_diff, page_of(browser, "/changes").xpath("//a[contains(@href, '/diff')]")[0]):
        told = page_of(browser, link.get("href"))
        (row,) = told.xpath("//table[@class='diff']//tr[@class='is-changed']")
        assert [text_of(each) for each in row.xpath("./td")[:2]] == ["4", "5"]
        assert told.xpath("//ins")
        assert told.xpath("//del")
    old = page_of(browser, f"{HERE}/2019?version={before.id}")
    assert text_of(old.xpath("//td[@id='cell-applications.granted.total']//a")[-1]) == "4"
    assert str(after.id) != str(before.id)


@ON_SQLITE
def test_the_cell_writes_its_sums_out_and_leads_to_the_record(
    browser: TestClient, crawl: Crawl
) -> None:
    ref = crawl.page(b"a", reading("1", "2", "3", "4", verdicts=("fail", "pass")))
    page = page_of(browser, f"{CELLS}/2019/applications.granted.total")
    (sums,) = page.xpath("//p[@class='sums']")
    assert "3" in text_of(sums)
    assert "4" in text_of(sums)
    assert page.xpath("//a[starts-with(@href, '/captures/')]")
    assert "warc.gz" in page.text_content()
    assert "urn:uuid:" in page.text_content()
    assert str(ref.id) in page.text_content()
    assert page.xpath("//section[@aria-labelledby='series']//tr[@aria-current]")


@ON_SQLITE
def test_the_archived_page_stands_in_a_sandbox(
    engine: sa.Engine, settings: Settings, browser: TestClient, crawl: Crawl
) -> None:
    crawl.page(b"a", reading("1", "2", "3", "4"))
    (frame,) = page_of(browser, f"{HERE}/2019").xpath("//iframe")
    assert frame.get("src").startswith(f"{REPLAY}/captures/")
    assert "allow-scripts" not in frame.get("sandbox")
    assert "allow-same-origin" not in frame.get("sandbox")
    with TestClient(make_app(engine, settings)) as bare:
        page = page_of(bare, f"{HERE}/2019")
    assert not page.xpath("//iframe")
    assert page.xpath("//section[@aria-labelledby='archived']//a[starts-with(@href, '/captures/')]")


@ON_SQLITE
def test_what_is_taken_away_is_what_the_query_says(
    engine: sa.Engine, browser: TestClient, crawl: Crawl
) -> None:
    crawl.page(b"a", reading("1", "2万元", " ", "4"))
    with engine.connect() as connection:
        told = report(connection, organ_at(connection, "650102", TIANSHAN), 2019)
    answer = browser.get(f"/export{HERE}/2019.json")
    assert answer.json() == json.loads(json.dumps(told))
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    rows = list(
        csv.DictReader(StringIO(browser.get(f"/export{HERE}/2019.csv").content.decode("utf-8-sig")))
    )
    assert [(row["cell"], row["raw"], row["value"]) for row in rows] == [
        (path_of(c), c["raw"], "" if c["value"] is None else str(c["value"])) for c in told["cells"]
    ]


BAD = [
    (f"{HERE}/x", 400),
    (f"{HERE}/1999", 404),
    (f"{HERE}/2019?version=x", 400),
    (f"{HERE}/2019?version=999", 404),
    (f"{HERE}/2019?as_of=nonsense", 400),
    (f"{HERE}/2019?as_of=9999-12-31", 400),
    (f"{HERE}/2019?as_of=2020-01-01&basis=x", 400),
    ("/reports/650102/nobody/2019", 404),
    (f"{CELLS}/2019/no.such.cell", 400),
    (f"{CELLS}/2019/applications.granted.total?version=999", 404),
    (f"{CELLS}/1999/applications.granted.total", 404),
    ("/diff?left=x", 400),
    (f"/diff?left={TIANSHAN}/2019&right={TIANSHAN}/1999", 404),
    ("/changes?since=x", 400),
    ("/changes?after=x", 400),
    ("/changes?after=2020-01-01T00:00:00%2B00:00~x~y", 400),
    ("/changes?organ=nobody", 404),
    ("/search?q=x&year=z", 400),
    ("/search?q=x&kind=z", 400),
    ("/search?q=xy&after=z", 400),
    ("/runs/99", 404),
    ("/runs/x", 400),
    ("/runs?from=x", 400),
    ("/alerts/99", 404),
    ("/alerts?which=x", 400),
    ("/export/reports/650102/nobody/2019.csv", 404),
]


@ON_SQLITE
def test_a_bad_address_gets_a_clear_page(browser: TestClient, crawl: Crawl) -> None:
    crawl.page(b"a", reading("1", "2", "3", "4"))
    for path, status in BAD:
        for lang in ("zh-CN", "en"):
            answer = browser.get(path, headers={"Accept-Language": lang})
            assert answer.status_code == status, path
            page = html.fromstring(answer.text)
            assert page.xpath("//h1"), path
            assert page.xpath("//nav"), path
            assert "Traceback" not in answer.text


@ON_SQLITE
def test_an_alert_tells_what_to_do_and_its_story(
    engine: sa.Engine, browser: TestClient, crawl: Crawl
) -> None:
    facts = {"where": ("Tianshan", "天山区"), "host": (f"www.xjtsq.gov.cn{EVIL}",) * 2}
    wall = alarm("blocked", "www.xjtsq.gov.cn", facts, before=[EVIL], after={"x": EVIL})
    transact(engine, lambda c: sound(c, [wall], run_id=crawl.run_id, at=NOW, looked_at=[]))
    page = page_of(browser, "/alerts?lang=en")
    (link,) = page.xpath("//ul[@class='timeline']//h2/a")
    assert "Do not go around it" in page.text_content()
    one = page_of(browser, link.get("href"))
    assert "opened" in text_of(one.xpath("//ol[@class='timeline']")[0])
    assert one.xpath(f"//ol//a[starts-with(@href, '/runs/{crawl.run_id}')]")
    assert not one.xpath("//img")
    assert len(one.xpath("//script")) == 1
    assert not page_of(browser, "/alerts?kind=tls").xpath("//ul[@class='timeline']")
    assert page_of(browser, "/alerts?kind=blocked&which=all").xpath("//ul[@class='timeline']")


@ON_SQLITE
def test_pages_speak_both_languages(engine: sa.Engine, browser: TestClient, crawl: Crawl) -> None:
    crawl.page(b"a", reading(" ", "?", "0", "-1", verdicts=("fail", "not_assessable")))
    crawl.page(b"b", reading("1", "2", "3", "4"))
    for path in (
        *(f"{HERE}/2019", f"{CELLS}/2019/applications.granted.total"),
        *("/diff", f"/diff?left={TIANSHAN}/2019@1&right={TIANSHAN}/2019@2", "/changes"),
        *("/search", "/search?q=总体", "/runs", f"/runs/{crawl.run_id}", "/alerts", "/api"),
    ):
        sign = "&" if "?" in path else "?"
        for lang, code in (("zh", "zh-Hans"), ("en", "en")):
            page = page_of(browser, f"{path}{sign}lang={lang}")
            assert page.get("lang") == code
            assert len(page.xpath("//h1")) == 1


def test_every_word_stands_in_both_languages() -> None:
    def check(told: dict[str, Any], where: str) -> None:
        for name, each in told.items():
            if isinstance(each, dict) and {"zh", "en"} & each.keys():
                assert all(each.get(lang) for lang in ("zh", "en")), f"{where}.{name}"
            elif isinstance(each, dict):
                check(each, f"{where}.{name}")

    folder = Path(explorer.__file__).parent / "words"
    for path in folder.glob("*.toml"):
        check(tomllib.loads(path.read_text("utf-8")), path.stem)


@ON_SQLITE
def test_every_link_of_a_report_leads_somewhere(settings: Settings) -> None:
    stocked(settings, 2, ("docx",)).dispose()
    engine = open_for_reading(settings)
    assert engine is not None
    each = next(reports_of(1))
    with TestClient(make_app(engine, settings)) as browser:
        page = page_of(browser, f"/reports/650102/{quote(each.organ)}/{each.year}")
        links = sorted({link for link in page.xpath("//a/@href") if link.startswith("/")})
        cells = [link for link in links if link.startswith("/cells/")]
        # Before the first year there is no report to compare with.
        others = [link for link in links if link not in cells and str(each.year - 1) not in link]
        assert len(cells) > 150
        assert len(others) > 10
        for link in [*others, *cells[::90]]:
            assert browser.get(link).status_code == 200, link
        ids = set(page.xpath("//@id"))
        for anchor in page.xpath("//a/@href[starts-with(., '#')]"):
            assert anchor[1:] in ids, anchor
    engine.dispose()
