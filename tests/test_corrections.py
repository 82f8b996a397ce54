"""Corrections: beside the figure, with who and why, through re-parses and crawls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from storage.database import transact
from storage.errors import CorrectionRefused
from storage.queries.corrections import corrections
from storage.queries.organs import find_organ
from storage.queries.report import report
from storage.readings.corrections import (
    Entry,
    Identity,
    correct_cell,
    correct_identity,
    in_force,
    withdraw,
)
from storage.readings.facts import keep_reading, newest_reading
from storage.readings.observing import is_known
from storage.schema import current_readings, reports, versions
from storage.settings import Settings
from tests.crawling import Operator
from tests.databases import NOW, Crawl, key, reading

ENTRY = Entry("王某", "a slip of the pen", "the printed report, page 4", NOW)
TIANSHAN = "乌鲁木齐市天山区人民政府"
TOTAL = "applications.granted.total"
URL = "http://www.xjtsq.gov.cn/info/3168/1.htm"
LATER = [NOW.replace(hour=hour) for hour in range(20, 24)]
OTHER = "http://www.xjtsq.gov.cn/info/3168/2.htm"


@pytest.fixture
def crawl(engine: sa.Engine, settings: Settings) -> Crawl:
    with Crawl(engine, settings.warc_directory) as run:
        run.page(b"2019", reading("1", "2万元", "3", "4"))
    return run


def do(crawl: Crawl, change: Callable[[sa.Connection], Any]) -> Any:
    return transact(crawl.engine, change)


def told(crawl: Crawl, year: int = 2019) -> Any:
    with crawl.engine.connect() as connection:
        return report(connection, find_organ(connection, TIANSHAN), year)


def test_a_correction_stands_beside_the_figure_as_published(crawl: Crawl) -> None:
    before = do(crawl, lambda c: correct_cell(c, 1, TOTAL, "7", ENTRY))
    assert before == {"raw": "4", "state": "number"}
    cell = next(c for c in told(crawl)["cells"] if c["row"] == "granted" and c["column"] == "total")
    assert (cell["raw"], cell["value"]) == ("4", 4)
    assert cell["correction"] == {
        "raw": "7",
        "state": "number",
        "value": 7,
        "author": "王某",
        "reason": "a slip of the pen",
        "evidence": "the printed report, page 4",
        "made_at": NOW.isoformat(),
        "review": False,
    }
    granted = told(crawl)["tables"]["applications"]["granted"]
    assert (granted["total"], granted["total_corrected"]) == (4, 7)
    with crawl.engine.connect() as connection:
        seen = connection.exec_driver_sql(
            "SELECT raw, corrected_raw, corrected_value FROM report_cells "
            "WHERE column_key = 'total' ORDER BY 1"
        ).all()
    assert [(row[0], row[1], int(row[2])) for row in seen if row[1]] == [("4", "7", 7)]


@pytest.mark.parametrize(
    ("figure", "state", "value"),
    [("0", "zero", 0), ("", "blank", None), ("-", "dash", None), ("12.50", "number", 12.5)],
)
def test_a_cell_can_be_corrected_to_what_a_cell_can_hold(
    crawl: Crawl, figure: str, state: str, value: float | None
) -> None:
    do(crawl, lambda c: correct_cell(c, 1, TOTAL, figure, ENTRY))
    (cell,) = [c for c in told(crawl)["cells"] if c["correction"]]
    assert (cell["correction"]["state"], cell["correction"]["value"]) == (state, value)


@pytest.mark.parametrize(
    ("cell", "figure", "entry", "why"),
    [
        ("applications.granted.totl", "7", ENTRY, "no cell applications.granted.totl"),
        (TOTAL, "seven", ENTRY, "no figure"),
        (TOTAL, "1,000", ENTRY, "no figure"),
        (TOTAL, "4", ENTRY, "nothing to correct"),
        (TOTAL, "7", replace(ENTRY, author=" "), "needs its author"),
        (TOTAL, "7", replace(ENTRY, reason=""), "needs its reason"),
        (TOTAL, "7", replace(ENTRY, evidence=""), "needs its evidence"),
    ],
)
def test_what_nobody_could_check_is_refused(
    crawl: Crawl, cell: str, figure: str, entry: Entry, why: str
) -> None:
    with pytest.raises(CorrectionRefused, match=why):
        do(crawl, lambda c: correct_cell(c, 1, cell, figure, entry))
    with crawl.engine.connect() as connection:
        assert corrections(connection) == []


def test_the_newest_counts_and_can_be_taken_back(crawl: Crawl) -> None:
    do(crawl, lambda c: correct_cell(c, 1, TOTAL, "7", ENTRY))
    do(crawl, lambda c: correct_cell(c, 1, TOTAL, "8", ENTRY))
    with crawl.engine.connect() as connection:
        assert [each["after"] for each in corrections(connection)] == ["8 (number)"]
    do(crawl, lambda c: withdraw(c, 1, TOTAL, ENTRY))
    assert not any(c["correction"] for c in told(crawl)["cells"])
    with pytest.raises(CorrectionRefused, match="no correction"):
        do(crawl, lambda c: withdraw(c, 1, TOTAL, ENTRY))


def test_it_survives_a_re_parse_and_asks_for_review_when_the_cell_reads_otherwise(
    crawl: Crawl,
) -> None:
    do(crawl, lambda c: correct_cell(c, 1, TOTAL, "7", ENTRY))
    same = reading("1", "2万元", "5", "4", parser="test/2")
    assert do(crawl, lambda c: keep_reading(c, 1, same, LATER[0]))
    (made,) = do(crawl, in_force)
    assert (made.after["raw"], made.review) == ("7", False)
    other = reading("1", "2万元", "5", "6", parser="test/3")
    assert do(crawl, lambda c: keep_reading(c, 1, other, LATER[1]))
    (made,) = do(crawl, in_force)
    assert (made.after["raw"], made.review) == ("7", True)
    assert next(c for c in told(crawl)["cells"] if c["correction"])["correction"]["review"]


def test_a_reading_that_says_the_same_is_confirmed_and_an_older_comes_back(crawl: Crawl) -> None:
    first = reading("1", "2万元", "3", "4")
    second = reading("1", "2万元", "3", "9", parser="test/2")
    read = (replace(first, parser="test/1b"), second, first, replace(second, parser="test/3"))
    keep = [
        do(crawl, partial(keep_reading, version_id=1, reading=each, at=at))
        for each, at in zip(read, LATER, strict=True)
    ]
    assert keep == [False, True, True, True]
    with crawl.engine.connect() as connection:
        newest = newest_reading(connection, 1)
        standing = connection.execute(sa.select(current_readings.c.reading_id)).scalar()
    assert newest is not None
    assert newest.cells == second.cells
    assert standing == 3


def test_a_report_becomes_another_years_and_later_crawls_follow(crawl: Crawl) -> None:
    said = Identity(key().division_code, key().organ, 2018)
    assert do(crawl, lambda c: correct_identity(c, 1, said, ENTRY)) == 1
    assert told(crawl, 2018)["cells"]
    with crawl.engine.connect() as connection:
        # Else the files of its page would be dropped.
        assert is_known(connection, key(), (URL + "/a.docx", URL))
        assert not is_known(connection, key(year=2017), (URL + "/a.docx", URL))
    with Crawl(crawl.engine, crawl.directory, start=NOW.replace(day=28)) as later:
        later.page(b"2019 edited", reading("1", "2万元", "3", "5"))
    with crawl.engine.connect() as connection:
        assert connection.execute(sa.select(reports.c.year)).scalars().all() == [2018]
        assert set(connection.execute(sa.select(versions.c.report_id)).scalars()) == {1}
    with later:
        # What comes to light elsewhere is what it seems.
        later.page(b"the true one", reading("7", "2万元", "3", "5"), url=OTHER)
    assert told(crawl, 2019)["urls"] == [OTHER]
    assert told(crawl, 2018)["urls"] == [URL]


def test_one_address_is_moved_to_the_report_it_belongs_to(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as run:
        run.page(b"2018", reading("0", "1万元", "1", "1"), url=OTHER)
        run.page(b"2019", reading("1", "2万元", "3", "4"), url=URL)
        run.page(b"2017", reading("9", "9万元", "9", "9"), report=key(year=2017), url=URL + "?17")
    said = Identity(key().division_code, key().organ, 2018)
    moved = do(run, lambda c: correct_identity(c, 1, said, ENTRY, OTHER))
    assert told(run, 2018)["urls"] == [OTHER]
    assert told(run, 2019)["urls"] == [URL]
    with pytest.raises(CorrectionRefused, match="no address"):
        do(run, lambda c: correct_identity(c, 1, said, ENTRY, "http://elsewhere/"))
    # Whole: into one that is there; what is left of it is nothing.
    do(run, lambda c: correct_cell(c, moved, TOTAL, "3", ENTRY))
    target = Identity(key().division_code, key().organ, 2017)
    into = do(run, lambda c: correct_identity(c, moved, target, ENTRY))
    assert sorted(told(run, 2017)["urls"]) == sorted([OTHER, URL + "?17"])
    with engine.connect() as connection:
        assert moved not in connection.execute(sa.select(reports.c.id)).scalars().all()
        assert {each.report_id for each in in_force(connection)} == {moved, into} - {moved}


def test_an_unknown_organ_is_refused(crawl: Crawl) -> None:
    with pytest.raises(CorrectionRefused, match="knows no organ"):
        do(crawl, lambda c: correct_identity(c, 1, Identity("650102", "某局", 2019), ENTRY))


def test_the_commands_correct_list_and_take_back(crawl: Crawl, settings: Settings) -> None:
    url = settings.database_url or ""
    operator = Operator(settings.home, database_url=url, pace="")
    who = ("--by", "王某", "--reason", "printed otherwise", "--evidence", "page 4")
    done = operator.archive("correct", "tianshan", "2019", TOTAL, "7", *who)
    assert (done.returncode, done.stderr) == (0, "")
    (made,) = operator.ask("corrections")
    assert (made["cell"], made["before"], made["after"]) == (TOTAL, "4 (number)", "7 (number)")
    assert operator.ask("corrections", "--review") == []
    assert operator.ask("corrections", "--as-of", "2020-01-01") == []
    assert operator.archive("verify").returncode == 0
    assert (
        operator.archive("correct", "tianshan", "2019", "--is-year", "2018", *who).returncode == 0
    )
    assert operator.archive("verify").returncode == 0
    assert [each["year"] for each in operator.ask("corrections")] == [2018, 2018]
    back = operator.archive("correct", "tianshan", "2018", TOTAL, "--withdraw", *who)
    assert back.returncode == 0
    assert [each["cell"] for each in operator.ask("corrections")] == [None]
    refused = operator.archive("correct", "tianshan", "2018", TOTAL, "7")
    assert (refused.returncode, "needs its author" in refused.stderr) == (2, True)
