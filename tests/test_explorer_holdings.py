"""The explorer's overview, maps, proofs, organs and findings; the frame they stand in."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, urljoin, urlsplit

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from storage.alerts.record import Severity
from storage.database import ROOT, open_for_reading, open_for_writing
from storage.explorer import charts, choices
from storage.explorer.app import make_app
from storage.explorer.charts import Year, draw
from storage.explorer.pages.organ import cells as drawn_cells
from storage.explorer.site import HERE, words
from storage.explorer.state import Kept, Watch
from storage.ledger.cells import State as LedgerState
from storage.ledger.cells import ledger
from storage.queries.coverage import State as ReadState
from storage.queries.findings import open_findings
from storage.queries.holdings import divisions, divisions_named, held, totals
from storage.queries.organs import find_organ
from storage.queries.series import series
from storage.readings.facts import FindingRecord
from storage.readings.observing import ReportKey
from storage.readings.packing import VERDICTS
from storage.settings import Settings
from tests.databases import TIANSHAN, Crawl, key, reading

HOSTILE = '<script>alert("x")</script>&局'
SLASHED = "教育/体育局?#"
BUREAU = "天山区教育局"
PLAIN = "天山区民政局"
TITLE = '"><img src=x onerror=alert(1)>年度报告'
CELL = "applications.granted.total"
# Pages that have tests of their own; the walk does not follow their links.
_ELSEWHERE = ("/search", "/changes", "/runs", "/alerts", "/api", "/export", "/diff", "/captures")
# So many addresses of each kind are walked.
_EACH = 14
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def organ_key(organ: str, year: int) -> ReportKey:
    return key(organ, year, "government" if organ == TIANSHAN else "department")


def fill(engine: sa.Engine, settings: Settings) -> None:
    """Three organs, one with a series over both layouts with a blank; findings; odd names."""
    odd = FindingRecord("note_in_cell", "finding", "a note", "有附注", (CELL,))
    raws = {2019: "6", 2020: "1345", 2021: "0", 2022: " ", 2023: "989"}
    with Crawl(engine, settings.warc_directory) as crawl:
        for year, raw in raws.items():
            crawl.page(
                f"<p>{year}".encode(),
                reading(
                    "1",
                    "2",
                    "0",
                    raw,
                    layout="2019" if year < 2021 else "2021",
                    verdicts=("fail" if year == 2020 else "pass", "pass"),
                    findings=(odd,),
                ),
                report=organ_key(BUREAU, year),
                url=f"http://www.xjtsq.gov.cn/info/{year}.htm",
                published=f"{year + 1}-01-20 14:38",
            )
        for place, organ in enumerate((HOSTILE, SLASHED, PLAIN, TIANSHAN)):
            crawl.page(
                f"<p>{organ}".encode(),
                reading("1", "2", "0", "3"),
                report=organ_key(organ, 2019),
                url=f"http://www.xjtsq.gov.cn/info/9{place}.htm",
                title=TITLE,
            )
        crawl.unreachable(organ_key(PLAIN, 2020), "http://www.xjtsq.gov.cn/info/gone.htm")


@pytest.fixture(scope="module")
def stored(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, sa.Engine]]:
    """An archive that no test here changes, and a browser on it."""
    home = tmp_path_factory.mktemp("explorer")
    path = home / "archive.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    settings = Settings(home=home, database_url=f"sqlite:///{path}")
    writing = open_for_writing(settings)
    fill(writing, settings)
    writing.dispose()
    engine = open_for_reading(settings)
    assert engine is not None
    with TestClient(make_app(engine, settings), raise_server_exceptions=True) as client:
        yield client, engine
    engine.dispose()


@pytest.fixture
def browser(stored: tuple[TestClient, sa.Engine]) -> TestClient:
    return stored[0]


@pytest.fixture
def connection(stored: tuple[TestClient, sa.Engine]) -> Iterator[sa.Connection]:
    with stored[1].connect() as connection:
        yield connection


def addresses(lang: str) -> list[str]:
    """One of each kind of page."""
    organ, odd = (f"/organs/650102/{quote(name, safe='')}" for name in (BUREAU, HOSTILE))
    paths = [
        *("/", "/coverage?division=650102", "/coverage?division=650102&year=2019&kind=department"),
        *("/coverage?division=650102&as_of=2026-03-07", "/findings", "/findings?rule=A3", "/about"),
        *(
            organ,
            odd,
            f"/ledger/650102/{quote(BUREAU)}/2019",
            f"/ledger/650102/{quote(BUREAU)}/2010",
        ),
        f"/ledger/650102/{quote(SLASHED, safe='')}/2019",
    ]
    return [f"{path}{'&' if '?' in path else '?'}lang={lang}" for path in paths]


class Read(HTMLParser):
    """What a page says and where it leads; what stands in titles of elements is said as well."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.tags: Counter[str] = Counter()
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags[tag] += 1
        assert not any(name.startswith("on") or name == "style" for name in told), told
        if tag == "a":
            self.links.append(told.get("href") or "")
        if tag == "img":
            self.images.append(told.get("src") or "")
        self.said += [told[name] or "" for name in ("title", "alt", "aria-label") if name in told]

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_answers_in_the_language_asked_for(browser: TestClient, lang: str) -> None:
    for address in addresses(lang):
        answer = browser.get(address)
        assert answer.status_code == 200, address
        assert f'<html lang="{"zh-Hans" if lang == "zh" else "en"}">' in answer.text
        page = Read(answer.text)
        assert page.tags["h1"] == 1, address
        assert page.tags["script"] == 1, address
        mine = [link for link in page.links if link.startswith("/") and "lang=" not in link]
        assert set(mine) <= {"/api", "/alerts.atom"}, address


def test_no_word_of_a_page_is_left_untranslated(browser: TestClient) -> None:
    data = (
        HOSTILE,
        SLASHED,
        BUREAU,
        PLAIN,
        TIANSHAN,
        TITLE,
        "天山区人民政府",
        "规章",
        "中文",
        "天山区2019年度政府信息公开工作报告",
        "2019年度政府信息公开工作报告",
    )
    for address in addresses("en"):
        text = Read(browser.get(address).text).text
        for each in sorted(data, key=len, reverse=True):
            text = text.replace(each, "")
        assert not _CHINESE.search(text), (address, _CHINESE.findall(text))
    english = [each for each in _said("en") if len(each) > 12 and "{" not in each]
    for address in addresses("zh"):
        text = Read(browser.get(address).text).text
        assert [each for each in english if each in text] == [], address


def _said(lang: str) -> list[str]:
    def walk(told: Any) -> Iterator[str]:
        if isinstance(told, dict):
            if set(told) == {"zh", "en"}:
                yield told[lang]
            else:
                for each in told.values():
                    yield from walk(each)

    files = sorted((HERE / "words").glob("*.toml"))
    return [each for file in files for each in walk(tomllib.loads(file.read_text("utf-8")))]


def test_both_languages_name_the_same_facts() -> None:
    pairs = list(zip(_said("zh"), _said("en"), strict=True))
    assert len(pairs) > 200
    for zh, en in pairs:
        assert Counter(re.findall(r"\{\w*\}", zh)) == Counter(re.findall(r"\{\w*\}", en)), (zh, en)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_link_of_a_page_leads_to_an_answer(browser: TestClient, lang: str) -> None:
    waiting, met, kinds = addresses(lang), set[str](), Counter[str]()
    while waiting:
        path = urlsplit(waiting.pop(0))._replace(fragment="").geturl()
        kind = urlsplit(path).path.split("/")[1]
        # Of each kind some: an organ has as many cells as years, all alike.
        if path in met or f"/{kind}" in _ELSEWHERE or kinds[kind] >= _EACH:
            continue
        met.add(path)
        kinds[kind] += 1
        answer = browser.get(path)
        assert answer.status_code == 200, path
        if kind in ("", "coverage", "findings", "organs", "ledger", "about"):
            page = Read(answer.text)
            found = [urljoin(path, link) for link in (*page.links, *page.images) if link]
            waiting += [link for link in found if link.startswith("/")]
    assert set(kinds) >= {"", "coverage", "findings", "organs", "ledger", "reports", "cells"}


def test_names_and_titles_of_portals_stand_as_text(browser: TestClient) -> None:
    for address in addresses("zh"):
        text = browser.get(address).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    page = browser.get(f"/organs/650102/{quote(HOSTILE, safe='')}").text
    assert HOSTILE in unescape(page)
    assert TITLE in unescape(page)
    picture = browser.get(f"/organs/650102/{quote(HOSTILE, safe='')}/series/{CELL}.svg")
    assert picture.status_code == 200
    assert "<script" not in picture.text


def test_the_map_says_what_the_ledger_says(browser: TestClient, connection: sa.Connection) -> None:
    cells = ledger(connection, at=datetime.now(UTC), division="650102")
    text = browser.get("/coverage?division=650102&lang=en").text
    states = Counter(each["state"] for each in cells)
    shown = Counter(unescape(each) for each in re.findall(r'<span class="word">(.*?)</span>', text))
    said = {name: str(told["word"]) for name, told in _states("en", "ledger").items()}
    assert shown == Counter({said[state]: count for state, count in states.items()})
    assert f"{len({each['organ'] for each in cells})} organs, {len(cells)} cells" in text
    narrowed = browser.get("/coverage?division=650102&year=2019&kind=government&lang=en").text
    assert "1 organs, 1 cells" in narrowed
    before = browser.get("/coverage?division=650102&as_of=2020-01-01&lang=en").text
    assert "in time" not in re.findall(r'<span class="word">(.*?)</span>', before)


def _states(lang: Any, family: str) -> dict[str, Any]:
    told = words(lang)["states"]
    assert not isinstance(told, str)
    found = told[family]
    assert not isinstance(found, str)
    return dict(found)


def test_a_cell_of_the_map_leads_to_its_proof(
    browser: TestClient, connection: sa.Connection
) -> None:
    organ = find_organ(connection, BUREAU)
    for cell in ledger(connection, at=datetime.now(UTC), organ_id=organ.id):
        answer = browser.get(f"/ledger/650102/{quote(BUREAU)}/{cell['year']}?lang=en")
        said = str(_states("en", "ledger")[cell["state"]]["means"])
        assert said in unescape(answer.text)
        assert answer.text.count('<a href="/captures/') == len(cell["proof"])
        assert all(each["url"] in answer.text for each in cell["proof"])
    assert browser.get(f"/ledger/650102/{quote(BUREAU)}/1999").status_code == 404


def test_the_overview_counts_what_the_archive_holds(
    browser: TestClient, connection: sa.Connection
) -> None:
    page = browser.get("/?lang=en").text
    counted = {**totals(connection), "findings": len(open_findings(connection))}
    shown = re.findall(r'<strong class="count">(?:<a [^>]*>)?([\d,]+)', page)
    names = ("divisions", "organs", "reports", "versions", "captures", "findings")
    assert [int(each.replace(",", "")) for each in shown] == [counted[each] for each in names]
    cells = re.findall(r'year=(\d+)&[^"]*">(\d+)<span class="word">(\d+) read', unescape(page))
    rows = held(connection)
    assert [tuple(map(int, each)) for each in cells] == [
        (each["year"], each["held"], each["read"]) for each in rows
    ]
    assert sum(each["held"] for each in rows) == counted["reports"] == 9
    assert [each["division_code"] for each in divisions(connection)] == ["650102"]


def test_divisions_are_told_together_by_the_digits_they_begin_with(
    connection: sa.Connection,
) -> None:
    whole = divisions(connection)[0]
    assert divisions(connection, division="6501") == divisions(connection, most=1) == [whole]
    assert divisions(connection, division="6502") == divisions(connection, most=0) == []
    (together,) = divisions(connection, digits=4)
    assert together == {**whole, "division_code": "6501", "name_zh": "6501", "name_en": "6501"}
    alone = [{**each, "division_code": "65"} for each in held(connection)]
    assert held(connection, digits=2) == alone
    assert held(connection, division="6501") == held(connection)
    assert held(connection, division="6502") == []
    assert divisions_named(connection, whole["name_zh"]) == ["650102"]
    assert divisions_named(connection, "nowhere") == []


def test_where_divisions_are_many_a_field_takes_a_name_or_the_first_digits(
    browser: TestClient, connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert '<select id="f-division"' in browser.get("/findings").text
    monkeypatch.setattr(choices, "MOST", 0)
    (name,) = (each["name_zh"] for each in divisions(connection))
    pages = {
        asked: browser.get("/findings", params={"division": asked}).text
        for asked in (name, "650102", "6501", "6502")
    }
    every = {
        asked: re.findall(r'id="f-division"|(/reports/[^"]+)', text)
        for asked, text in pages.items()
    }
    assert all(links[0] == "" for links in every.values())
    assert every[name] == every["650102"] == every["6501"] != every["6502"] == [""]
    assert browser.get("/coverage", params={"division": name}).text.count("<td") > 9
    assert "/coverage?division=650102" in browser.get("/coverage?division=65").text
    assert browser.get("/coverage?division=66").status_code == 404


def test_findings_are_counted_and_told_one_by_one(
    browser: TestClient, connection: sa.Connection
) -> None:
    every = open_findings(connection)
    page = browser.get("/findings?lang=en").text
    assert f"{len(every)} findings" in page
    rows = re.findall(r'#cell-([\w.]+)"', page)
    assert rows == [each["cells"][0] for each in every]
    some = open_findings(connection, rule="A3")
    assert 0 < len(some) < len(every)
    assert f"{len(some)} findings" in browser.get("/findings?rule=A3&lang=en").text
    assert "0 findings" in browser.get("/findings?year=1999&lang=en").text


def test_a_long_list_of_findings_comes_in_pages(
    browser: TestClient, connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.explorer.pages.findings.PAGE", 2)
    every, told, address = open_findings(connection), list[str](), "/findings?lang=en"
    while address:
        page = browser.get(address).text
        told += re.findall(r'#cell-([\w.]+)"', page)
        more = re.search(r'href="([^"]*)" rel="next"', page)
        address = unescape(more[1]) if more else ""
    assert told == [each["cells"][0] for each in every]


def test_the_figures_of_an_organ_are_those_of_the_series(
    browser: TestClient, connection: sa.Connection
) -> None:
    organ = find_organ(connection, BUREAU)
    points = series(connection, cell=CELL, organ_id=organ.id)
    page = browser.get(f"/organs/650102/{quote(BUREAU)}?lang=en").text
    linked = re.findall(rf'/cells/650102/[^/]+/(\d+)/{re.escape(CELL)}[^"]*">([\d,]+)<', page)
    numbers = [p for p in points if p["state"] in ("number", "zero")]
    assert linked == [(str(p["year"]), f"{p['value']:,}") for p in numbers]
    picture = browser.get(f"/organs/650102/{quote(BUREAU)}/series/{CELL}.svg?lang=en")
    assert re.findall(r'class="value"[^>]*>([\d,]+)<', picture.text) == ["6", "1,345", "0", "989"]
    assert re.findall(r'class="said"[^>]*>([^<]*)<', picture.text) == ["layout changes"]
    assert ">blank<" in picture.text
    # 2019 and 2020; 2021 alone, before the blank; 2023 alone.
    assert picture.text.count("<polyline") == 1
    assert picture.headers["content-security-policy"] == charts.POLICY
    assert browser.get(f"/organs/650102/{quote(BUREAU)}/series/a.b.c.svg").status_code == 404


def test_nothing_crosses_a_break_and_nothing_stands_in_for_a_gap() -> None:
    years = [
        Year(2019, 5.0, "5", "", False),
        Year(2020, 7.0, "7", "", False),
        Year(2021, 9.0, "9", "", True),
        Year(2022, None, "", "blank", False),
        Year(2023, 0.0, "0", "", False),
    ]
    drawing = draw(years)
    assert [[mark.text for mark in line] for line in drawing.lines] == [["5", "7"], ["9"], ["0"]]
    (broken,) = drawing.breaks
    assert drawing.lines[0][-1].x < broken < drawing.lines[1][0].x
    assert [why for _, _, why in drawing.gaps] == ["blank"]
    assert drawing.lines[2][0].y == drawing.bottom
    empty = draw([Year(2020, None, "", "blank", False)])
    assert empty.lines == []
    small = draw([Year(2020, -3.5, "-3.5", "", False)])
    assert small.lines[0][0].y <= small.bottom


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/coverage?division=650102&year=last", 400),
        ("/coverage?division=650102&year=99999999999999999999", 400),
        ("/coverage?division=650102&year=²", 400),
        ("/coverage?division=650102&kind=guild", 400),
        ("/coverage?division=650102&as_of=never", 400),
        ("/coverage?division=650102&as_of=9999-12-31", 400),
        ("/coverage?division=650102&as_of=2026-03-07&basis=published", 400),
        ("/coverage?division=65&as_of=2026-03-07", 400),
        ("/coverage?division=999999", 404),
        ("/coverage?division=%00", 400),
        ("/findings?after=[]", 400),
        ("/findings?after=[1,2,3,4]", 400),
        ('/findings?after=["650102","a",99999999999999,1]', 400),
        ("/findings?after={", 400),
        ("/findings?as_of=2026-03-07&basis=guess", 400),
        ("/organs/650102/nobody", 404),
        ("/ledger/650102/nobody/2019", 404),
        (f"/ledger/650102/{quote(BUREAU)}/soon", 400),
        (f"/ledger/999999/{quote(BUREAU)}/2019", 404),
        (f"/ledger/650102/{quote(BUREAU)}/2019?as_of=2026-03-07&basis=published", 400),
        ("/organs/650102/%00", 400),
        (f"/organs/650102/{quote(BUREAU)}?as_of=2026-03-07", 400),
        ("/search?q=%E5%B9%B4&as_of=2026-03-07", 400),
        ("/runs?as_of=2026-03-07", 400),
        ("/alerts?basis=published", 400),
    ],
)
def test_a_bad_question_gets_a_page_that_says_so(
    browser: TestClient, address: str, status: int
) -> None:
    for lang, title in (("zh", "无法显示"), ("en", "This cannot be shown")):
        answer = browser.get(address, headers={"Accept-Language": lang})
        assert answer.status_code == status, address
        assert (title in answer.text) == (status != 200)


def test_a_reload_costs_nothing_until_the_archive_changes(
    engine: sa.Engine, settings: Settings
) -> None:
    reader = open_for_reading(settings)
    assert reader is not None
    with TestClient(make_app(reader, settings)) as browser:
        fill(engine, settings)
        first = browser.get("/?lang=en")
        tag = {"If-None-Match": first.headers["etag"]}
        asked: list[str] = []
        sa.event.listen(reader, "before_cursor_execute", lambda *args: asked.append(args[2]))
        assert browser.get("/?lang=en", headers=tag).status_code == 304
        assert not [each for each in asked if "FROM organs" in each or "FROM standing" in each]
        assert browser.get("/?lang=zh", headers=tag).status_code == 200
        with Crawl(engine, settings.warc_directory) as crawl:
            crawl.page(b"<p>new", reading("1", "2", "0", "3"), report=organ_key(BUREAU, 2018))
        again = browser.get("/?lang=en", headers=tag)
        assert again.status_code == 200
        assert again.headers["etag"] != first.headers["etag"]
        assert "10</strong> <span>annual reports" in again.text
    reader.dispose()


def test_a_commit_is_another_state_and_a_question_is_not(
    engine: sa.Engine, settings: Settings
) -> None:
    reader = open_for_reading(settings)
    assert reader is not None
    watch = Watch(reader)
    before = watch.state()
    with reader.connect() as connection:
        totals(connection)
    assert watch.state() == before
    with Crawl(engine, settings.warc_directory):
        pass
    assert watch.state() != before
    watch.close()
    reader.dispose()


def test_what_is_kept_is_bounded_and_the_oldest_goes() -> None:
    kept, made = Kept(most=2), list[str]()

    def ask(name: str) -> str:
        def make() -> str:
            made.append(name)
            return name

        return kept.get(name, make)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert ask(name) == name
    assert made == ["a", "b", "c", "b"]


# --- words and colours ---------------------------------------------------------------------------


def test_every_state_has_its_words_and_its_ground() -> None:
    wanted = {
        "ledger": get_args(LedgerState),
        "reading": get_args(ReadState),
        "verdict": (*VERDICTS, "finding"),
        "run": ("running", "complete", "incomplete", "stopped", "blocked", "drift"),
        "severity": get_args(Severity),
    }
    style = (HERE / "static/style.css").read_text("utf-8")
    for family, names in wanted.items():
        told = _states("en", family)
        assert set(told) == set(names), family
        letters = [each["letter"] for each in told.values()]
        assert len(set(letters)) == len(letters), family
        assert all(f".tone-{each['tone']} " in style for each in told.values()), family


def test_every_rule_is_explained() -> None:
    relations = tomllib.loads((ROOT / "crawler/forms/relations.toml").read_text("utf-8"))
    said = tomllib.loads((HERE / "words/rules.toml").read_text("utf-8"))
    assert set(relations["rules"]) <= set(said)
    listed = (ROOT / "docs/forms.md").read_text("utf-8").partition("## Findings")[2]
    names = re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", listed, flags=re.MULTILINE)
    assert "note_in_cell" in names
    assert {name for name in names if name not in said} == set()


def test_what_is_drawn_over_the_years_stands_in_both_layouts() -> None:
    for layout in ("2019", "2021"):
        form = tomllib.loads((ROOT / f"crawler/forms/{layout}.toml").read_text("utf-8"))
        there = {
            f"{table['key']}.{row['key']}.{column['key']}"
            for table in form["tables"]
            for row in table["rows"]
            for column in table["columns"]
        }
        assert set(drawn_cells()) <= there, layout


def test_text_has_contrast_enough_on_every_ground() -> None:
    style = (HERE / "static/style.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    for theme in (light, dark):
        colour = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        grounds = {name: colour[name] for name in colour if name not in _INKS}
        for name, ground in grounds.items():
            assert _contrast(colour["ink"], ground) >= 4.5, name
        for ground in ("paper", "wash"):
            assert _contrast(colour["soft"], colour[ground]) >= 4.5
            assert _contrast(colour["link"], colour[ground]) >= 4.5
            assert _contrast(colour["edge"], colour[ground]) >= 3
        assert _contrast(colour["hidden-ink"], colour["hidden"]) >= 4.5


_INKS = {"ink", "soft", "line", "edge", "link", "hidden", "hidden-ink"}


def _contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    dark, light = sorted(_luminance(each) for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
