"""The questions, on a small archive whose answers are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage.database import open_for_reading
from storage.errors import NotInArchive
from storage.queries.coverage import Field, coverage
from storage.queries.findings import open_findings
from storage.queries.history import history
from storage.queries.organs import find_organ
from storage.queries.report import all_reports, report, sources
from storage.queries.runs import recorded_runs
from storage.readings.facts import FindingRecord
from storage.settings import Settings
from tests.databases import NOW, TIANSHAN, Crawl, key, reading

BUREAU = "天山区教育局"


@pytest.fixture
def connection(engine: sa.Engine, settings: Settings) -> Iterator[sa.Connection]:
    fill(engine, settings)
    reader = open_for_reading(settings)
    assert reader is not None
    with reader.connect() as connection:
        yield connection
    reader.dispose()


def fill(engine: sa.Engine, settings: Settings) -> None:
    """Years 2014 to 2020 in every state, an edited report, a replaced attachment."""
    odd = FindingRecord(
        "year", "finding", "the report for 2019 is dated 2021", "2019 年度报告的日期是 2021", ()
    )
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"2019 first", reading("1", "5446.75万元", "0", " "), report=key(year=2019))
        crawl.attachment(b"docx first")
        crawl.page(b"2018", reading("1", "?", "0", "0"), report=key(year=2018))
        crawl.page(b"2017", reading(layout="old"), report=key(year=2017), url="http://h/2017")
        crawl.page(b"2016", reading(layout="unknown"), report=key(year=2016))
        crawl.page(b"2015", reading(layout="unknown"), report=key(year=2015))
        crawl.attachment(b"pdf", "a.pdf", report=key(year=2015))
        crawl.unreachable(key(year=2014), "http://h/2014")
        crawl.page(b"bureau", reading("0", "0", "0", "0"), report=key(BUREAU, 2020, "department"))
    with Crawl(engine, settings.warc_directory, start=NOW + timedelta(days=9)) as crawl:
        edited = reading("1", "5446.75万元", "3", "2", verdicts=("fail", "pass"), findings=(odd,))
        crawl.page(
            b"2019 edited", edited, published="2021-03-06", url="http://www.xjtsq.gov.cn/new.htm"
        )
        crawl.attachment(b"docx replaced")


def organ_id(connection: sa.Connection, name: str) -> int:
    return find_organ(connection, name).id


def test_coverage_names_every_year_of_a_government_and_its_state(
    connection: sa.Connection,
) -> None:
    fields = coverage(connection, organ_id=organ_id(connection, TIANSHAN))
    states = {field["year"]: field["state"] for field in fields}
    assert list(states) == list(range(2008, 2021))
    assert [states[year] for year in range(2013, 2021)] == [
        "missing",
        "unreachable",
        "attachment_only",
        "unread",
        "old",
        "partly_read",
        "read",
        "missing",
    ]


def test_coverage_of_a_department_begins_with_its_first_report(
    connection: sa.Connection,
) -> None:
    fields = coverage(connection, organ_id=organ_id(connection, BUREAU))
    assert [(field["year"], field["state"]) for field in fields] == [(2020, "read")]


def test_coverage_has_the_documented_shape_and_order(connection: sa.Connection) -> None:
    fields = coverage(connection)
    assert all(set(field) == set(Field.__annotations__) for field in fields)
    assert [field["organ"] for field in fields] == [TIANSHAN] * 13 + [BUREAU]
    (field,) = coverage(connection, year=2019)
    assert field == {
        "division_code": "650102",
        "organ": TIANSHAN,
        "year": 2019,
        "state": "read",
        "published": "2020-03-06 14:38",
        "title": "天山区人民政府2019年度政府信息公开工作报告",
        "urls": [
            "http://www.xjtsq.gov.cn/info/3168/1.htm",
            "http://www.xjtsq.gov.cn/new.htm",
        ],
        "withdrawn": None,
    }
    (unreachable,) = coverage(connection, year=2014)
    assert (unreachable["title"], unreachable["urls"]) == ("listed", ["http://h/2014"])
    assert coverage(connection, division="650103") == []


def test_a_report_says_what_its_newest_page_says(connection: sa.Connection) -> None:
    found = report(connection, find_organ(connection, TIANSHAN), 2019)
    assert list(found) == [
        *("division_code", "organ", "year", "title", "body_title", "published", "source", "form"),
        *("read_from", "engine", "urls", "attachments", "tables", "cells", "findings"),
        *("indicators", "unclaimed", "masked"),
    ]
    assert (found["form"], found["source"]) == ("2019", "天山区人民政府")
    assert found["published"] == "2020-03-06 14:38"
    assert found["tables"] == {
        "art20": {
            "item1": {"regulations": {"made": 1}},
            "item9": {
                "procurement": {
                    "amount": 5446.75,
                    "amount_unit": "万元",
                    "amount_raw": "5446.75万元",
                }
            },
        },
        "applications": {"granted": {"natural_person": 3, "total": 2}},
    }
    assert found["cells"][1] == {
        "table": "art20.item9",
        "row": "procurement",
        "column": "amount",
        "raw": "5446.75万元",
        "state": "number",
        "value": 5446.75,
        "place": {"table": 0, "row": 1, "column": 1, "page": None, "box": None},
        "correction": None,
    }
    assert [(f["rule"], f["verdict"]) for f in found["findings"]] == [
        ("A3", "fail"),
        ("R1", "pass"),
        ("year", "finding"),
    ]
    assert found["findings"][0]["message"] == "1 ≠ 2"
    assert len(found["findings"][0]["cells"]) == 2
    json.dumps(found)


def test_a_blank_cell_is_null_and_keeps_its_raw_text(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"2019", reading("0", "?", "7", "\u3000"))
    with engine.connect() as connection:
        found = report(connection, find_organ(connection, TIANSHAN), 2019)
    assert [cell["value"] for cell in found["cells"]] == [0, None, 7, None]
    assert [cell["state"] for cell in found["cells"]] == ["zero", "unread", "number", "blank"]
    assert found["cells"][3]["raw"] == "\u3000"


def test_the_newest_version_of_an_attachment_is_listed(connection: sa.Connection) -> None:
    found = report(connection, find_organ(connection, TIANSHAN), 2019)
    (attachment,) = found["attachments"]
    assert attachment == {
        "name": "report.docx",
        "kind": "docx",
        "sha256": hashlib.sha256(b"docx replaced").hexdigest(),
        "url": "http://www.xjtsq.gov.cn/files/report.docx",
    }


def test_sources_lead_to_file_and_offset(connection: sa.Connection, settings: Settings) -> None:
    page, attachment = sources(connection, find_organ(connection, TIANSHAN), 2019)
    assert (page["part"], attachment["part"]) == ("page", "attachment")
    assert (settings.warc_directory / page["warc_file"]).is_file()
    assert page["url"] == "http://www.xjtsq.gov.cn/new.htm"
    assert page["payload_digest"].startswith("sha256:")


def test_a_report_without_a_page_is_told_all_the_same(connection: sa.Connection) -> None:
    organ = find_organ(connection, TIANSHAN)
    unreachable = report(connection, organ, 2014)
    assert (unreachable["title"], unreachable["form"]) == ("listed", None)
    assert (unreachable["tables"], unreachable["cells"], unreachable["findings"]) == ({}, [], [])
    assert sources(connection, organ, 2014) == []
    assert report(connection, organ, 2017)["form"] == "old"
    assert report(connection, organ, 2016)["form"] is None


def test_all_reports_are_every_report_once(connection: sa.Connection) -> None:
    found = [(one["organ"], one["year"]) for one in all_reports(connection)]
    assert found == [*((TIANSHAN, year) for year in range(2014, 2020)), (BUREAU, 2020)]


def test_a_year_that_is_not_there_lists_those_that_are(connection: sa.Connection) -> None:
    with pytest.raises(NotInArchive, match="for 1999: it has 2014, 2015"):
        report(connection, find_organ(connection, TIANSHAN), 1999)


@pytest.mark.parametrize("asked", [TIANSHAN, "天山区", "天山区人民政府", "tianshan", "650102"])
def test_an_organ_is_found_by_any_of_its_names(connection: sa.Connection, asked: str) -> None:
    assert find_organ(connection, asked).name == TIANSHAN


def test_an_unknown_organ_lists_the_near_ones(connection: sa.Connection) -> None:
    with pytest.raises(NotInArchive, match=f"did you mean .*{BUREAU}"):
        find_organ(connection, "天山教育局")
    with pytest.raises(NotInArchive, match="archive coverage"):
        find_organ(connection, "%")


def test_a_name_of_several_organs_asks_which(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        for city in ("乌鲁木齐市", "昌吉市"):
            crawl.unreachable(key(city + "审计局", 2019, "department"), "http://h/" + city)
    with engine.connect() as connection, pytest.raises(NotInArchive, match="several organs"):
        find_organ(connection, "审计局")


def test_what_a_refusal_names_can_be_asked_for(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        for code in ("650102", "650103"):
            own = replace(key("审计局", 2019, "department"), division_code=code)
            crawl.unreachable(own, f"http://h/{code}")
    with engine.connect() as connection:
        with pytest.raises(NotInArchive) as refusal:
            find_organ(connection, "审计局")
        named = str(refusal.value).partition("ask for one of ")[2].split(", ")
        assert [find_organ(connection, each).division_code for each in named] == [
            *("650102", "650103"),
        ]


def test_history_shows_both_sides_of_every_changed_cell(connection: sa.Connection) -> None:
    first, second, docx, replaced = history(connection, find_organ(connection, TIANSHAN), 2019)
    assert [v["part"] for v in (first, second, docx, replaced)] == [
        *("page", "page", "attachment", "attachment"),
    ]
    assert first["changed"] == []
    assert second["changed"] == [
        {
            "path": "applications.granted.natural_person",
            "before": {"raw": "0", "state": "zero", "value": 0},
            "after": {"raw": "3", "state": "number", "value": 3},
        },
        {
            "path": "applications.granted.total",
            "before": {"raw": " ", "state": "blank", "value": None},
            "after": {"raw": "2", "state": "number", "value": 2},
        },
    ]
    assert first["last_seen"] < second["first_seen"]
    assert docx["canonical_digest"] != replaced["canonical_digest"]
    (capture,) = second["captures"]
    assert capture["warc_file"].endswith(".warc.gz")
    assert not capture["revisit"]
    json.dumps([first, second, docx, replaced])


def test_a_revisit_stands_in_the_history_of_its_version(
    engine: sa.Engine, settings: Settings
) -> None:
    for month in range(2):
        with Crawl(
            engine, settings.warc_directory, start=NOW + timedelta(days=30 * month)
        ) as crawl:
            crawl.page(b"2019", reading("1", "2", "3", "3"))
    with engine.connect() as connection:
        (version,) = history(connection, find_organ(connection, TIANSHAN), 2019)
    assert [capture["revisit"] for capture in version["captures"]] == [False, True]


def test_an_edit_taken_back_makes_the_older_version_current_again(
    engine: sa.Engine, settings: Settings
) -> None:
    for month, (body, granted) in enumerate([(b"a", "1"), (b"b", "2"), (b"a", "1")]):
        start = NOW + timedelta(days=30 * month)
        with Crawl(engine, settings.warc_directory, start=start) as crawl:
            crawl.page(body, reading("1", "2", granted, "3"))
    with engine.connect() as connection:
        found = report(connection, find_organ(connection, TIANSHAN), 2019)
        assert found["tables"]["applications"]["granted"]["natural_person"] == 1
        assert len(history(connection, find_organ(connection, TIANSHAN), 2019)) == 2


def test_findings_are_those_of_the_current_version(connection: sa.Connection) -> None:
    assert [(f["rule"], f["verdict"]) for f in open_findings(connection)] == [
        ("A3", "fail"),
        ("year", "finding"),
    ]
    (failed,) = open_findings(connection, rule="A3")
    assert failed["cells"] == [
        "applications.granted.natural_person",
        "applications.granted.total",
    ]
    assert open_findings(connection, year=2018) == []
    assert open_findings(connection, division="650103") == []
    assert len(open_findings(connection, organ_id=organ_id(connection, TIANSHAN))) == 2


def test_runs_are_told_newest_first(connection: sa.Connection) -> None:
    second, first = recorded_runs(connection)
    assert (first["id"], first["captures"], first["attempts"]) == (1, 8, 8)
    assert (second["state"], second["reason"]) == ("complete", "finished")
    assert second["bytes"] == len(b"2019 edited" + b"docx replaced")


def test_sql_sees_the_current_cells_of_a_report(connection: sa.Connection) -> None:
    query = (
        "SELECT organ, year, raw, state, value, is_current FROM report_cells "
        "WHERE year = 2019 AND column_key = 'natural_person' ORDER BY version_id"
    )
    rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert rows == [(TIANSHAN, 2019, "0", "zero", 0, 0), (TIANSHAN, 2019, "3", "number", 3, 1)]
