"""The search finds what stands there, all of it and nothing else, on both databases alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from storage.asof import shown_versions
from storage.care.leaving import shown
from storage.care.withdrawals import Thing, restore, withdraw
from storage.errors import BadQuestion, SearchNotReady
from storage.queries.search import Found, SearchHit, search
from storage.readings.corrections import Entry, Identity, correct_identity
from storage.readings.facts import (
    GridRecord,
    IndicatorRecord,
    ReadingRecord,
    keep_reading,
    load_reading,
)
from storage.schema import current_versions, organs, reports
from storage.settings import Settings
from storage.text.folding import asked_words, folded
from storage.text.search import entries, reindex
from tests.databases import NOW, TIANSHAN, Crawl, key, reading
from tests.stocked import stocked

BUREAU = "天山区教育局"
NUMBER = "13900001234"


def saying(*texts: str, **more: Any) -> ReadingRecord:
    return replace(reading(), sections=tuple(("", text) for text in texts), **more)


def ask(engine: sa.Engine, words: str, **filters: Any) -> Found:
    with engine.connect() as connection:
        return search(connection, words=words, **filters)


def versions(engine: sa.Engine, words: str, **filters: Any) -> list[int]:
    """What is found, page after page."""
    told: list[int] = []
    after = None
    while True:
        found = ask(engine, words, after=after, **{"limit": 100, **filters})
        told += [hit["version_id"] for hit in found["hits"]]
        after = found["after"]
        if after is None:
            return told


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """Three pages: 1 of two paragraphs, 2 with a number and odd letters, 3 a bureau's with more."""
    lines = (IndicatorRecord(None, "一、主动公开", "微博回应", "件", "1", "number", None, None),)
    tables = (GridRecord(0, 1, None, (), (), False, [[["附表达标", 0, 0, 1, 1]]]),)
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", saying("达坂城的风力\n发电，共１２项。", "政府 信息"), url="http://h/1")
        crawl.page(b"2", saying(f"电话{NUMBER}。Open  Data；ＡＢＣ，ﬁne，𠀀字"),
                   report=key(year=2020), url="http://h/2", title="城坂达")  # fmt: skip
        crawl.page(b"3", saying("达坂城的另一处", indicators=lines, grids=tables),
                   report=key(BUREAU, 2020, "department"), url="http://h/3")  # fmt: skip
    return engine


FOUND = {
    "达坂": [3, 1],
    "坂城": [3, 1],
    "城坂": [2],
    "达": [3, 2, 1],
    "达坂 风力": [1],
    "达坂城的": [3, 1],
    "达坂的": [],
    "力发": [],
    "12项": [1],
    "１２": [1],
    "2": [3, 2, 1],
    "托": [],
    "政府信息": [3, 1],
    "open data": [2],
    "“Open Data”": [2],
    '"data open"': [],
    "abc fine": [2],
    "𠀀": [2],
    "𠀀字": [2],
    "，": [2, 1],
    "微博回应": [3],
    "附表": [3],
    "教育局": [3],
    "天山区人民政府": [3, 2, 1],
    NUMBER: [],
    "1390": [],
    "****": [2],
    "没有这样的话": [],
}
ODD = [
    "'",
    "*",
    "达 AND 坂",
    "y2020",
    "NEAR(达 坂)",
    "%",
    "_",
    "达*",
    "-坂",
    "达:坂",
    "a:b",
    "'5929z'",
    "\x00坂",
    "🙂",
    "<->",
    "&",
    "|!",
]


def test_what_is_found(archive: sa.Engine) -> None:
    assert {words: versions(archive, words) for words in FOUND} == FOUND


def test_no_word_is_an_order(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        texts = dict(lines_of(connection))
    for words in ODD:
        truth = {
            version
            for version, lines in texts.items()
            if all(any(word in line for line in lines) for word in asked_words(words))
        }
        assert set(versions(archive, words)) == truth, words


def test_no_word_and_too_many_are_refused(archive: sa.Engine) -> None:
    for words in ("", "  ", '""', '"', "\u200b", "字" * 61, " ".join("一二三四五六七八九十百千万")):
        with pytest.raises(BadQuestion):
            ask(archive, words)


def test_filters_narrow(archive: sa.Engine) -> None:
    assert versions(archive, "达", year=2020) == [3, 2]
    assert versions(archive, "达", kind="department") == [3]
    assert versions(archive, "达", division="6501") == [3, 2, 1]
    assert versions(archive, "达", division="650102", year=2019) == [1]
    assert versions(archive, "达", division="650103") == []
    assert versions(archive, "达", state="partly_read") == []
    with archive.connect() as connection:
        rows = connection.execute(sa.text("SELECT state, organ_id FROM standing ORDER BY year"))
        (state, organ), *_ = rows.all()
    assert 1 in versions(archive, "达", state=state)
    assert versions(archive, "达", organ_id=organ) == [2, 1]


def test_page_by_page_is_all_at_once(archive: sa.Engine) -> None:
    assert versions(archive, "达", limit=1) == versions(archive, "达") == [3, 2, 1]
    assert ask(archive, "达", limit=3)["after"] is None
    assert ask(archive, "达", limit=2)["after"] == (2020, 2)
    with pytest.raises(BadQuestion):
        ask(archive, "达", limit=0)


def said(hit: SearchHit) -> list[str]:
    return [
        "".join(f"[{each['text']}]" if each["hit"] else each["text"] for each in snippet)
        for snippet in hit["snippets"]
    ]


def test_hits_are_marked_where_they_stand(archive: sa.Engine) -> None:
    (hit,) = ask(archive, "opendata 字 电话")["hits"]
    assert said(hit) == ["[电话]***********。[Open  Data]；ＡＢＣ，ﬁne，𠀀[字]"]
    (hit,) = ask(archive, "风力 12")["hits"]
    assert said(hit) == ["达坂城的[风力]", "发电，共[１２]项。"]
    assert (hit["organ"], hit["year"], hit["part"], hit["name"]) == (TIANSHAN, 2019, "page", "")


def test_a_long_line_is_cut_around_the_word(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", saying("甲" * 90 + "达坂" + "乙" * 90))
    assert said(ask(engine, "达坂")["hits"][0]) == ["…" + "甲" * 24 + "[达坂]" + "乙" * 46 + "…"]


def test_no_number_of_a_person_is_in_the_index(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        for start in range(len(NUMBER) - 3):
            assert not entries(connection, NUMBER[start : start + 4], (), None, 9)


def test_withdrawn_is_no_hit_and_comes_back(archive: sa.Engine) -> None:
    for thing in (Thing(report_id=1), Thing(version_id=1), Thing(url="http://h/1")):
        with archive.begin() as connection:
            withdraw(connection, thing, "me", "court", NOW)
        assert versions(archive, "达坂") == [3]
        with archive.begin() as connection:
            assert [row.version_id for row in entries(connection, "达坂", (), None, 9)] == [3]
            restore(connection, thing, "me", "lifted", NOW + timedelta(days=1))
        assert versions(archive, "达坂") == [3, 1]


def test_another_reading_or_version_takes_the_place(archive: sa.Engine, settings: Settings) -> None:
    with archive.begin() as connection:
        keep_reading(
            connection, 1, replace(saying("托里"), parser="test/2"), NOW + timedelta(days=1)
        )
    assert (versions(archive, "达坂"), versions(archive, "托里")) == ([3], [1])
    with Crawl(archive, settings.warc_directory, start=NOW + timedelta(days=2)) as crawl:
        newer = crawl.page(b"newer", saying("盐湖"), url="http://h/1")
    assert (versions(archive, "托里"), versions(archive, "盐湖")) == ([], [newer.id])
    before = {words: versions(archive, words) for words in ("达坂", "托里", "盐湖", "天山")}
    with archive.begin() as connection:
        reindex(connection)
    assert before == {words: versions(archive, words) for words in before}


def test_a_report_that_was_another_years_is_found_under_it(archive: sa.Engine) -> None:
    of = Entry("me", "the title is wrong", "the page", NOW)
    with archive.begin() as connection:
        correct_identity(connection, 1, Identity("650102", TIANSHAN, 2021), of)
    assert versions(archive, "达坂") == [1, 3]
    assert versions(archive, "达坂", year=2019) == []


def test_an_index_that_was_not_made_says_so(archive: sa.Engine) -> None:
    with archive.begin() as connection:
        connection.execute(sa.text("UPDATE search_index SET rule = 'older'"))
    with pytest.raises(SearchNotReady, match="archive reindex"):
        ask(archive, "达坂")
    with archive.begin() as connection:
        keep_reading(
            connection, 1, replace(saying("托里"), parser="test/2"), NOW + timedelta(days=1)
        )
        assert reindex(connection) == 3
    assert (versions(archive, "达坂"), versions(archive, "托里")) == ([3], [1])


def test_nothing_is_lost_of_a_long_text(engine: sa.Engine, settings: Settings) -> None:
    chance = Random(3)
    rare = "".join(chr(0x4E00 + chance.randrange(2000)) for _ in range(30_000))
    often = "信息公开" * 2000 + "达坂"
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", saying("的" * 1500, often, rare))
    assert versions(engine, "达坂") == versions(engine, "的的的的") == [1]
    assert versions(engine, "公开达坂") == versions(engine, "信息公开" * 15) == [1]
    assert versions(engine, "的信") == []
    with engine.connect() as connection:
        for _ in range(100):
            at = chance.randrange(len(rare) - 60)
            word = rare[at : at + chance.randrange(2, 61)]
            assert [row.version_id for row in entries(connection, word, (), None, 9)] == [1]


def lines_of(connection: sa.Connection) -> Iterator[tuple[int, list[str]]]:
    """What stands, loaded another way than the index does, covered and folded."""
    v, c = shown_versions(None), current_versions.c
    query = (
        sa.select(v.c.id, v.c.title, v.c.name, c.reading_id, organs.c.name.label("organ"))
        .select_from(v)
        .join(current_versions, c.version_id == v.c.id)
        .join(reports, reports.c.id == c.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .where(c.reading_id.is_not(None))
    )
    for row in connection.execute(query).all():
        read = load_reading(connection, row.reading_id)
        texts = [row.title, row.name, row.organ, read.body_title or ""]
        texts += [text for section in read.sections for text in section]
        texts += [text for line in read.indicators for text in (line.block, line.label)]
        texts += [str(cell[0]) for grid in read.grids for line in grid.rows or () for cell in line]
        covered = shown(connection, texts)
        yield row.id, [folded(line) for text in covered for line in text.splitlines()]


def test_all_and_only_what_a_scan_finds(settings: Settings) -> None:
    engine, chance = stocked(settings, 12, ("docx",)), Random(11)
    with engine.connect() as connection:
        texts = dict(lines_of(connection))
        lines = sorted({line for each in texts.values() for line in each if len(line) > 9})
        for number in range(200):
            line = chance.choice(lines)
            length = 1 + number % 4
            at = chance.randrange(len(line) - length)
            word = line[at : at + length]
            if folded(word) not in asked_words(f"“{word}”"):
                continue
            truth = {version for version, held in texts.items() if any(word in one for one in held)}
            # What is shown is held against the texts once more, so the index is asked itself.
            rows = entries(connection, f"“{word}”", (), None, 100)
            assert {row.version_id for row in rows} == truth, word
            if number % 20 == 0:
                found = search(connection, words=f"“{word}”", limit=100)
                assert {hit["version_id"] for hit in found["hits"]} == truth, word
    engine.dispose()
