"""Reports held against each other: every difference is told, none is made up, nothing slips out."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.withdrawals import Thing, withdraw
from storage.errors import BadQuestion, NotInArchive, Withdrawn
from storage.queries.diff import Diff, Place, diff, find_place
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import (
    FormRecord,
    IndicatorRecord,
    ReadingRecord,
    store_reading,
)
from storage.settings import Settings
from storage.terminal.comparing import marked
from storage.text.rewording import Piece, Rewording
from tests.databases import FORM, NOW, TIANSHAN, Crawl, key, reading

BUREAU = "天山区教育局"
FILE = "天山区2019年报告.docx"
PAGE = "http://www.xjtsq.gov.cn/info/3168/1.htm"


def prose(read: ReadingRecord, *sections: tuple[str, str]) -> ReadingRecord:
    return replace(read, sections=sections)


def sides(pieces: list[Piece]) -> tuple[str, str]:
    return (
        "".join(each["text"] for each in pieces if each["op"] != "insert"),
        "".join(each["text"] for each in pieces if each["op"] != "delete"),
    )


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """A report of two versions and a file, the year after, and a bureau's of another form."""
    first = prose(reading("1", "", "0", "-0"), ("一、总体情况", "收到申请3件，信息不存在的2件。"))
    second = prose(
        reading("1", "0", "", "7"),
        ("一、总体情况", "收到申请12件，信息不存在的2件。"),
        ("二、其他", "　　没有其他事项。"),
    )
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", first, url=PAGE)
        crawl.page(b"2", second, url=PAGE)
        file = crawl.attachment(b"3", FILE)
        crawl.page(b"4", second, report=key(year=2020), url="http://h/2020.htm")
        other = FormRecord("2021", (*FORM.cells[2:], ("merged", "a", "b")), ())
        bare = replace(
            second,
            layout="2021",
            form=other,
            cells=(
                *second.cells[2:],
                replace(second.cells[0], table="merged", row="a", column="b"),
            ),
            verdicts=(),
        )
        crawl.page(b"5", bare, report=key(BUREAU, 2021, "department"), url="http://h/2021.htm")
        crawl.unreachable(key(year=2022), "http://h/2022.htm")
    with engine.begin() as connection:
        indented = prose(
            second, ("（一）总体情况", "\n  收到申请12件，信息不存在的2件。 \n"), second.sections[1]
        )
        store_reading(connection, file.id, indented, NOW)
    return engine


def ask(engine: sa.Engine, left: str, right: str) -> Diff:
    with engine.connect() as connection:
        return diff(connection, find_place(connection, left), find_place(connection, right))


def test_blank_zero_and_a_figure_are_three_things(archive: sa.Engine) -> None:
    found = ask(archive, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2")
    told = {
        cell["path"]: tuple(
            side and (side["raw"], side["state"]) for side in (cell["before"], cell["after"])
        )
        for cell in found["cells"]
    }
    assert told == {
        "art20.item9.procurement.amount": (("", "blank"), ("0", "zero")),
        "applications.granted.natural_person": (("0", "zero"), ("", "blank")),
        "applications.granted.total": (("-0", "zero"), ("7", "number")),
    }
    assert {cell["change"] for cell in found["cells"]} == {"changed"}
    assert (found["same"], found["note"], found["note_zh"]) == (1, None, None)
    assert [(each["heading"], each["change"]) for each in found["prose"]] == [
        ("一、总体情况", "changed"),
        ("二、其他", "added"),
    ]
    assert found["prose"][0]["pieces"] == [
        {"op": "equal", "text": "收到申请"},
        {"op": "delete", "text": "3"},
        {"op": "insert", "text": "12"},
        {"op": "equal", "text": "件，信息不存在的2件。"},
    ]


def test_the_other_way_round_says_the_opposite(archive: sa.Engine) -> None:
    there = ask(archive, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2")
    back = ask(archive, f"{TIANSHAN}/2019@2", f"{TIANSHAN}/2019@1")
    assert [(c["path"], c["before"], c["after"]) for c in there["cells"]] == [
        (c["path"], c["after"], c["before"]) for c in back["cells"]
    ]
    assert [each["change"] for each in back["prose"]] == ["changed", "removed"]


def test_a_page_and_its_file_that_say_the_same_do_not_differ(archive: sa.Engine) -> None:
    found = ask(archive, f"{TIANSHAN}/2019#page", f"{TIANSHAN}/2019#{FILE}")
    assert (found["cells"], found["prose"], found["same"], found["same_prose"]) == ([], [], 4, 2)
    assert (found["left"]["part"], found["right"]["name"]) == ("page", FILE)


def test_a_cell_of_one_form_alone_is_said_to_be_the_layouts(archive: sa.Engine) -> None:
    found = ask(archive, f"{TIANSHAN}/2020", f"{BUREAU}/2021")
    assert [(each["path"], each["change"]) for each in found["cells"]] == [
        ("art20.item1.regulations.made", "removed"),
        ("art20.item9.procurement.amount", "removed"),
        ("merged.a.b", "added"),
    ]
    assert found["cells"][0]["after"] is None
    assert found["same"] == 2
    assert "2019 and 2021" in str(found["note"])
    assert "2019 与 2021" in str(found["note_zh"])


def test_a_correction_stands_beside_and_changes_no_figure(archive: sa.Engine) -> None:
    of = Entry("me", "a typing error", "the printed report", NOW + timedelta(days=1))
    with archive.begin() as connection:
        correct_cell(connection, 1, "applications.granted.total", "8", of)
    found = ask(archive, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2")
    (cell,) = (each for each in found["cells"] if each["path"] == "applications.granted.total")
    assert cell["before"] is not None
    assert cell["after"] is not None
    assert (cell["after"]["raw"], cell["after"]["value"]) == ("7", 7)
    told = [side["correction"] for side in (cell["before"], cell["after"])]
    assert [each and (each["raw"], each["review"]) for each in told] == [("8", True), ("8", False)]
    with archive.connect() as connection:
        place = find_place(connection, f"{TIANSHAN}/2019")
        then = replace(place, as_of=AsOf(NOW + timedelta(hours=1)))
        (cell,) = (
            each
            for each in diff(connection, replace(place, version_id=1), then)["cells"]
            if each["path"] == "applications.granted.total"
        )
    assert cell["after"] is not None
    assert cell["after"]["correction"] is None


def test_a_date_finds_the_version_that_stood(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        first = find_place(connection, f"{TIANSHAN}/2019@1")
        place = find_place(connection, f"{TIANSHAN}/2019@2026-03-06")
        assert place.as_of is not None
        assert diff(connection, first, place)["right"]["version_id"] == 2
        early = replace(place, as_of=AsOf(NOW + timedelta(minutes=2)))
        assert diff(connection, first, early)["right"]["version_id"] == 1


@pytest.mark.parametrize(
    "left", ["天山区", f"{TIANSHAN}/19", f"{TIANSHAN}/2019@yesterday", "", "/2019"]
)
def test_what_is_no_place_is_told(archive: sa.Engine, left: str) -> None:
    with pytest.raises(BadQuestion):
        ask(archive, left, f"{TIANSHAN}/2019")


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (f"{TIANSHAN}/2018", "it has 2019, 2020"),
        (f"{TIANSHAN}/2019@4", "it has @1 page, @2 page, @3"),
        (f"{TIANSHAN}/2019@3#page", "it has @1 page"),
        (f"{TIANSHAN}/2019#other.docx", "it has @1 page"),
        (f"{TIANSHAN}/2022", "no version that could be captured"),
        ("某地/2019", "knows no organ"),
    ],
)
def test_what_is_not_there_is_told(archive: sa.Engine, left: str, told: str) -> None:
    with pytest.raises(NotInArchive, match=told):
        ask(archive, left, f"{TIANSHAN}/2019")


def test_a_withdrawn_version_is_compared_with_nothing(archive: sa.Engine) -> None:
    with archive.begin() as connection:
        withdraw(connection, Thing(version_id=1), "me", "court", NOW)
    with pytest.raises(Withdrawn, match="court"):
        ask(archive, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019")
    assert ask(archive, f"{TIANSHAN}/2019", f"{TIANSHAN}/2020")["left"]["version_id"] == 2


def test_numbers_and_addresses_are_covered_before_they_are_cut(
    engine: sa.Engine, settings: Settings
) -> None:
    hidden = "http://h/secret/11.htm"
    left = f"电话13900001000，见{hidden}。"
    right = f"电话13900001001，见{hidden.replace('11', '12')}。"
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", prose(reading(), ("一、", left)), url=PAGE)
        crawl.page(b"2", prose(reading(), ("一、", right)), url=PAGE)
    with engine.begin() as connection:
        withdraw(connection, Thing(url=hidden), "me", "court", NOW)
    found = ask(engine, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2")
    before, after = sides(found["prose"][0]["pieces"])
    assert before == "电话***********，见(withdrawn on 2026-03-06: court)。"
    assert after == "电话***********，见http://h/secret/12.htm。"
    assert "13900001" not in str(found)


def test_lines_of_the_old_statistics_are_compared_by_label(
    engine: sa.Engine, settings: Settings
) -> None:
    def line(label: str, raw: str) -> IndicatorRecord:
        return IndicatorRecord(None, "一", label, "件", raw, "text", None, None)

    with Crawl(engine, settings.warc_directory) as crawl:
        for year, lines in (
            (2015, (line("发文", "1"), line("其中", "2"), line("其中", "3"))),
            (2016, (line("发文", "1"), line("其中", "2"), line("其中", "4"), line("新", "5"))),
        ):
            read = replace(reading(layout="old"), indicators=lines)
            crawl.page(b"%d" % year, read, report=key(year=year), url=f"http://h/{year}.htm")
    found = ask(engine, f"{TIANSHAN}/2015", f"{TIANSHAN}/2016")
    assert [
        (each["label"], each["change"], each["after"] and each["after"]["raw"])
        for each in found["lines"]
    ] == [("其中", "changed", "4"), ("新", "added", "5")]


def test_sections_are_matched_by_what_their_headings_say(
    engine: sa.Engine, settings: Settings
) -> None:
    before = (("一、2019年总体情况", "同"), ("二、收费", "甲"), ("三、问题和改进", "乙"))
    after = (("一、2020年总体情况", "同"), ("二、存在的问题和改进", "乙"), ("三、附注", "丙"))
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"1", prose(reading(), *before), url=PAGE)
        crawl.page(b"2", prose(reading(), *after), url=PAGE)
    found = ask(engine, f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2")
    assert [(p["heading"], p["heading_before"], p["change"]) for p in found["prose"]] == [
        ("二、收费", None, "removed"),
        ("二、存在的问题和改进", "三、问题和改进", "changed"),
        ("三、附注", None, "added"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_both_texts_can_be_had_back_whole(seed: int) -> None:
    chance = Random(seed)
    letters = "的一是年份2019 ab,.，。\n\U00020000\U000f0001é"
    left = "".join(chance.choices(letters, k=chance.randrange(300)))
    cut = chance.randrange(len(left) + 1)
    right = left[:cut] + "".join(chance.choices(letters, k=20)) + left[cut + 9 :]
    pieces = Rewording().pieces(left, right)
    assert sides(pieces) == (left, right)
    assert all(each["text"] for each in pieces)
    assert all(one["op"] != other["op"] for one, other in pairwise(pieces))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (
            "部分栏目更新偏慢，个别科室对公开范围的把握不一，解读的形式单一。",
            "工作人员流动较快，计划在下一年的春季举办培训，补上缺少的人手。",
        ),
        (
            "本年度收到的申请由办公室统一登记，分送5个科室承办。",
            "收到依申请公开的申请9件，其中当面申请1件，其余通过网络提交。",
        ),
    ],
)
def test_an_other_sentence_is_no_confetti(left: str, right: str) -> None:
    assert len(Rewording().pieces(left, right)) <= 5


def test_one_word_in_a_long_text_is_one_word() -> None:
    text = "第一，公开范围把握不一。\n" * 500
    edited = text[:3000] + "已书面告知" + text[3000:]
    pieces = Rewording().pieces(text, edited)
    assert [each["op"] for each in pieces] == ["equal", "insert", "equal"]
    assert pieces[1]["text"] == "已书面告知"


def test_texts_with_nothing_in_common_take_no_long_time() -> None:
    chance = Random(1)
    left, right = (
        "".join(chr(0x4E00 + chance.randrange(3000)) for _ in range(60_000)) for _ in range(2)
    )
    began, rewording = time.process_time(), Rewording()
    for _ in range(2):
        assert sides(rewording.pieces(left, right)) == (left, right)
    assert time.process_time() - began < 6


def test_marks_read_without_colour() -> None:
    pieces = Rewording().pieces("甲" * 60 + "2件", "甲" * 60 + "12件")
    assert marked(pieces).plain == "…" + "甲" * 24 + "[-2-]{+12+}件"


def test_a_place_can_be_asked_of_the_answer(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        place = find_place(connection, "tianshan/2019")
        found = diff(connection, place, place)
        assert (found["cells"], found["prose"]) == ([], [])
        again = find_place(connection, found["left"]["place"])
    assert again == Place(place.organ, 2019, version_id=2)
