"""What should exist: one state a cell, by what the archive knew at the moment, with its proof."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter

import pytest
import sqlalchemy as sa

from crawler.forms.relations import deadline
from storage.database import ROOT
from storage.ledger.cells import Cell, ledger, sentences
from storage.ledger.deadlines import FIRST_YEAR, due
from storage.readings.corrections import Entry, Identity, correct_identity
from storage.schema import listing_changes, runs
from tests.databases import reading
from tests.histories import GOVERNMENT, LISTING, History, figures, moment, unknown

BUREAU = "天山区教育局"
URL = "http://www.xjtsq.gov.cn/info/1.htm"
OTHER = "http://www.xjtsq.gov.cn/info/2.htm"
OLD = "http://www.xjtsq.gov.cn/old.htm"
TITLE = "天山区教育局2020年政府信息公开工作年度报告"


@pytest.fixture
def history(engine: sa.Engine) -> Iterator[History]:
    with engine.begin() as connection:
        yield History(connection)


def cell(history: History, at: str, year: int = 2020, organ: str = GOVERNMENT) -> Cell:
    (found,) = [
        each
        for each in ledger(history.connection, at=moment(at), year=year)
        if each["organ"] == organ
    ]
    return found


def state(history: History, at: str, year: int = 2020, organ: str = GOVERNMENT) -> str:
    return cell(history, at, year, organ)["state"]


# --- the deadline -------------------------------------------------------------------------------


def test_a_year_is_due_when_the_day_has_ended_in_the_portals_own_time(history: History) -> None:
    history.run("2021-01-01")
    assert state(history, "2021-03-31 23:59") == "not_due"
    assert state(history, "2021-04-01 00:00") == "unproven"
    history.run("2021-04-01", timezone="Asia/Urumqi")
    assert state(history, "2021-04-01 01:59") == "not_due"
    assert state(history, "2021-04-01 02:00") == "unproven"


def test_the_table_goes_from_2008_to_the_last_full_year(history: History) -> None:
    years = [each["year"] for each in ledger(history.connection, at=moment("2021-01-01 00:00"))]
    assert years == list(range(2008, 2021))
    assert len(ledger(history.connection, at=moment("2020-12-31 23:59"))) == 12


def test_each_kind_of_organ_has_its_own_day(history: History) -> None:
    history.run("2020-01-01")
    for name, kind in [("天山区教育局", "department"), ("天山区某街道", "township")]:
        history.organ(name, kind)
    history.organ("天山区人民政府办公室", "office")

    def days(year: int) -> dict[str, str | None]:
        found = ledger(history.connection, at=moment("2021-02-01"), year=year)
        return {each["kind"]: each["deadline"] for each in found}

    assert set(days(2018).values()) == {"2019-03-31"}
    assert days(2019) == {
        "government": "2020-03-31",
        "department": "2020-01-31",
        "office": "2020-01-31",
        "township": None,
    }
    assert state(history, "2021-02-01", organ="天山区教育局") == "unproven"
    assert state(history, "2021-02-01", organ="天山区某街道") == "not_due"


def test_the_days_are_those_that_a_report_is_held_against() -> None:
    for kind in ("government", "department", "office", "township"):
        for year in range(FIRST_YEAR, 2031):
            ours, theirs = due(kind, year), deadline(kind, year)
            assert ours.law == bool(theirs)
            assert not theirs or ours.day == theirs[0]
            assert ours.in_doubt == (theirs[1] if len(theirs) > 1 else None)


def test_both_languages_of_a_note_state_the_same_facts() -> None:
    for key, said in sentences().items():
        english, chinese = (
            {name for _, name, _, _ in Formatter().parse(said[language]) if name}
            for language in ("en", "zh")
        )
        assert english == chinese, key


def test_every_note_is_said_somewhere() -> None:
    code = (ROOT / "storage" / "ledger" / "cells.py").read_text("utf-8")
    assert {key for key in sentences() if f'"{key}"' not in code} == set()


# --- absence ------------------------------------------------------------------------------------


def test_absent_is_only_what_a_complete_look_after_the_deadline_does_not_show(
    history: History,
) -> None:
    history.run("2021-03-31")
    history.look("2021-03-31 23:30")
    assert state(history, "2021-04-01 10:00") == "unproven"
    history.run("2021-04-02")
    read = history.look("2021-04-02")
    found = cell(history, "2021-04-03")
    assert found["state"] == "absent"
    assert found["as_of"] == moment("2021-04-02").isoformat()
    assert {each["kind"]: each["listing_read_id"] for each in found["proof"]} == {
        "listing": read,
        "entry": None,
    }
    assert all(each["capture_id"] and each["url"] for each in found["proof"])
    assert state(history, "2021-04-01 10:00") == "unproven", "what was known later does not count"


@pytest.mark.parametrize("verdict", ["incomplete", "not_asked", "gone"])
def test_no_other_look_proves_absence(history: History, verdict: str) -> None:
    history.run("2021-03-01")
    history.look("2021-03-01")
    history.run("2021-04-02")
    history.look("2021-04-02", verdict=verdict)
    assert state(history, "2021-04-03") == "unproven"
    assert LISTING in cell(history, "2021-04-03")["note"] or verdict == "gone"


def test_a_look_at_the_first_pages_rests_on_a_whole_one(history: History) -> None:
    history.run("2021-04-02")
    history.look("2021-04-02", scope="head")
    assert state(history, "2021-04-03") == "unproven"
    history.look("2021-04-03")
    history.run("2021-04-04")
    history.look("2021-04-04", scope="head")
    found = cell(history, "2021-04-05")
    assert found["state"] == "absent"
    assert found["as_of"] == moment("2021-04-04").isoformat()
    assert [each["kind"] for each in found["proof"]] == ["listing", "whole_look", "entry"]


def test_every_listing_of_reports_must_have_been_read(history: History) -> None:
    history.run("2021-04-02")
    history.look("2021-03-02", url="http://www.xjtsq.gov.cn/bm.htm")
    history.look("2021-04-02")
    found = cell(history, "2021-04-03")
    assert found["state"] == "unproven"
    assert "bm.htm" in found["note"]
    history.look("2021-04-04", url="http://www.xjtsq.gov.cn/bm.htm")
    found = cell(history, "2021-04-05")
    assert found["state"] == "absent"
    assert found["as_of"] == moment("2021-04-02").isoformat(), "the earlier of the two"


def test_a_listing_that_never_showed_a_report_is_not_asked(history: History) -> None:
    history.run("2021-04-02")
    history.look("2021-03-02", url="http://www.xjtsq.gov.cn/news.htm", annual=False)
    history.look("2021-04-02")
    assert state(history, "2021-04-03") == "absent"


def test_a_tree_that_was_not_walked_may_hold_a_listing_nobody_knows(history: History) -> None:
    history.run("2021-03-01")
    history.run("2021-04-02", walks=False)
    history.look("2021-04-02")
    found = cell(history, "2021-04-03")
    assert found["state"] == "unproven"
    assert "tree" in found["note"]
    history.run("2021-04-05")
    assert cell(history, "2021-04-06")["as_of"] == moment("2021-04-02").isoformat()
    assert state(history, "2021-04-06") == "absent"


def test_a_walk_that_was_broken_off_proves_nothing(history: History) -> None:
    history.run("2021-03-01")
    ended = sa.update(runs).where(runs.c.id == history.run("2021-04-02"))
    history.look("2021-04-02")
    history.connection.execute(ended.values(state="stopped"))
    assert state(history, "2021-04-03") == "unproven"
    history.connection.execute(ended.values(state="complete"))
    assert state(history, "2021-04-03") == "absent"


def test_an_entry_that_is_called_otherwise_is_no_report_any_more(history: History) -> None:
    url = "http://www.xjtsq.gov.cn/info/9.htm"
    history.run("2021-04-02")
    history.look("2021-04-02", {url: "2020年政府信息公开工作年度报告"})
    read = history.look("2021-04-03")
    told = {"listing_read_id": read, "position": 0, "change": "retitled", "url": url}
    told |= {"title": "关于征集意见的通知", "is_report": False}
    assert state(history, "2021-04-05") == "unproven", "it was listed, and nobody has asked for it"
    history.connection.execute(listing_changes.insert().values(**told))
    assert state(history, "2021-04-05") == "absent"


def test_a_township_is_absent_without_ever_being_late(history: History) -> None:
    history.organ("天山区某街道", "township")
    history.run("2021-04-02")
    history.look("2021-04-02")
    found = cell(history, "2021-04-03", organ="天山区某街道")
    assert (found["state"], found["deadline"]) == ("absent", None)
    assert "No law" in found["note"]
    history.page("2021-06-01", 2020, "天山区某街道", published="2021-06-01", read=figures())
    found = cell(history, "2021-06-02", organ="天山区某街道")
    assert (found["state"], found["late_days"]) == ("captured", None)


# --- portals that do not answer -----------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "expected"), [("blocked", "blocked"), ("down", "portal_down")])
def test_a_portal_that_fails_says_until_when_absence_was_proven(
    history: History, verdict: str, expected: str
) -> None:
    history.run("2021-04-02")
    history.look("2021-04-02")
    for day in ("2021-04-05", "2021-04-06"):
        history.run(day, walks=False)
        history.look(day, verdict=verdict)
    found = cell(history, "2021-04-07")
    assert found["state"] == expected
    assert found["since"] == moment("2021-04-05").isoformat()
    assert found["as_of"] == moment("2021-04-06").isoformat()
    assert "until 2021-04-0" in found["note"]
    assert state(history, "2021-04-04") == "absent"
    history.run("2021-04-08", walks=False)
    history.look("2021-04-08", scope="head")
    assert state(history, "2021-04-09") == "absent"


def test_a_portal_without_a_known_listing_is_told_by_its_entry(history: History) -> None:
    history.run("2021-04-02", walks=False)
    history.ask("http://www.xjtsq.gov.cn/", "2021-04-02", "timeout", None, "entry")
    assert state(history, "2021-04-03") == "portal_down"
    history.ask("http://www.xjtsq.gov.cn/", "2021-04-04", "blocked", 412, "entry")
    assert state(history, "2021-04-05") == "blocked"
    history.ask("http://www.xjtsq.gov.cn/", "2021-04-06", purpose="entry")
    assert state(history, "2021-04-07") == "unproven"


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        ("blocked", 412, "blocked"),
        ("client_error", 403, "blocked"),
        ("timeout", None, "portal_down"),
        ("server_error", 502, "portal_down"),
        ("client_error", 404, "removed"),
        ("soft_404", 200, "removed"),
        ("shell", 200, "unreadable"),
    ],
)
def test_a_report_that_is_known_and_never_came(
    history: History, outcome: str, status: int | None, expected: str
) -> None:
    history.run("2021-04-02")
    history.look("2021-04-02", {URL: TITLE})
    history.fails("2021-04-02", 2020, url=URL, outcome=outcome, status=status)
    found = cell(history, "2021-04-03")
    assert found["state"] == expected
    assert URL in found["note"]
    assert found["proof"][0]["url"] == URL


def test_a_dead_entry_that_the_listing_dropped_is_absent_again(history: History) -> None:
    history.run("2021-04-02")
    history.look("2021-04-02", {URL: TITLE})
    history.fails("2021-04-02", 2020, url=URL, outcome="client_error", status=404)
    history.run("2021-04-09")
    history.look("2021-04-09", {})
    assert state(history, "2021-04-03") == "removed"
    assert state(history, "2021-04-10") == "absent"
    assert "listed no more" in cell(history, "2021-04-10")["note"]


def test_an_entry_nobody_could_open_is_no_proof_of_absence(history: History) -> None:
    history.organ(BUREAU)
    history.organ("天山区民政局")
    history.run("2021-04-02")
    history.look("2021-04-02", {URL: "教育局2020年报告"})
    assert state(history, "2021-04-03", organ=BUREAU) == "unproven"
    assert state(history, "2021-04-03", organ="天山区民政局") == "absent"
    assert state(history, "2021-04-03", 2019, BUREAU) == "absent"
    history.ask(URL, "2021-04-04", "timeout", None)
    assert state(history, "2021-04-05", organ=BUREAU) == "portal_down"
    history.ask(URL, "2021-04-06")
    assert state(history, "2021-04-07", organ=BUREAU) == "absent", "it came, and was no report"


# --- reports that came --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "expected", "late"),
    [
        ("2021-03-31 23:59", "captured", None),
        ("2021-04-01", "captured_late", 1),
        ("2021-06", "captured_late", 62),
        ("2021", "captured", None),
        ("1970-01-01", "captured", None),
    ],
)
def test_in_time_or_late_by_the_date_it_claims(
    history: History, published: str, expected: str, late: int | None
) -> None:
    history.run("2021-08-01")
    history.page("2021-08-01", 2020, published=published, read=figures())
    found = cell(history, "2021-08-02")
    assert (found["state"], found["late_days"]) == (expected, late)
    assert found["since"] == moment("2021-08-01").isoformat()


def test_the_earliest_date_of_any_version_counts(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-08-01", 2020, published="2021-03-01", read=figures())
    history.page("2021-09-01", 2020, published="2021-08-30", read=figures(), page="reworded")
    assert state(history, "2021-09-02") == "captured"


def test_what_was_seen_in_time_is_not_late_whatever_it_claims_now(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-03-01", 2020, published="2021-12-01", read=figures())
    assert state(history, "2021-09-02") == "captured"


def test_a_page_without_a_date_is_late_only_where_it_was_seen_missing(history: History) -> None:
    history.run("2021-04-02")
    history.page("2021-04-02", 2019, read=figures())
    history.look("2021-04-02")
    history.run("2021-04-10")
    history.page("2021-04-10", 2020, url=OTHER, read=figures())
    found = cell(history, "2021-04-11")
    assert (found["state"], found["late_days"]) == ("captured_late", 10)
    assert "2021-04-02" in found["note"]
    found = cell(history, "2021-04-11", 2019)
    assert (found["state"], found["late_days"]) == ("captured", None)
    assert "no look proves" in found["note"]


def backdated(history: History, gone: str | None = None) -> None:
    """In April no listing shows it, and that at `gone` is none; in May it claims a day of March."""
    history.run("2021-04-02")
    if gone is not None:
        history.look("2021-04-02", verdict="gone", url=gone)
    history.look("2021-04-02")
    history.run("2021-05-10")
    history.look("2021-05-10", {URL: TITLE})
    history.page("2021-05-10 00:05", 2020, published="2021-03-20", read=figures())


def test_a_date_before_a_look_that_did_not_show_it_is_backdated(history: History) -> None:
    backdated(history)
    found = cell(history, "2021-05-11")
    assert (found["state"], found["late_days"]) == ("captured_late", 40)
    assert (found["published"], "claims 2021-03-20" in found["note"]) == ("2021-03-20", True)
    assert "2021-03-20" in found["note_zh"]


def test_a_listing_that_went_before_it_could_be_there_hides_no_backdated_report(
    history: History,
) -> None:
    """A portal that moved keeps its old listings in the archive for ever."""
    history.run("2020-06-01")
    history.look("2020-06-01")
    history.look("2020-06-01", {}, url=OLD)
    history.run("2020-09-01")
    history.look("2020-09-01", verdict="gone", url=OLD)
    backdated(history, gone=OLD)
    found = cell(history, "2021-05-11")
    assert (found["state"], found["late_days"]) == ("captured_late", 40)


@pytest.mark.parametrize("again", [False, True])
def test_a_listing_that_may_have_shown_it_before_it_went_leaves_the_date_its_word(
    history: History, again: bool
) -> None:
    """Gone only since the date that the report claims, or there once more in between."""
    history.run("2021-03-01")
    history.look("2021-03-01")
    if again:
        history.look("2021-03-01", verdict="gone", url=OLD)
        history.run("2021-03-22")
    history.look("2021-03-22", {}, url=OLD)
    history.run("2021-03-25")
    history.look("2021-03-25", verdict="gone", url=OLD)
    backdated(history, gone=OLD)
    assert state(history, "2021-05-11") == "captured"


def test_a_report_found_in_a_listing_nobody_knew_is_not_called_backdated(history: History) -> None:
    """The look at the old listing was made by the run that found the new one."""
    history.run("2021-05-10")
    history.look("2021-05-10 00:01", {})
    history.look("2021-05-10 00:02", {URL: TITLE}, url="http://www.xjtsq.gov.cn/2020.htm")
    history.page("2021-05-10 00:05", 2020, published="2021-03-20", read=figures())
    assert state(history, "2021-05-11") == "captured"


# --- what became of it --------------------------------------------------------------------------


def test_gone_from_every_address_is_removed_and_may_come_back(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-03-01", 2020, published="2021-03-01", read=figures())
    history.fails("2021-06-01", 2020, url=URL, outcome="timeout", status=None)
    history.fails("2021-07-01", 2020, url=URL, outcome="client_error", status=404)
    history.fails("2021-07-09", 2020, url=URL, outcome="client_error", status=404)
    history.page("2021-08-01", 2020, published="2021-03-01", read=figures())
    assert state(history, "2021-03-02") == "captured"
    assert state(history, "2021-06-02") == "captured", "a bad night removes nothing"
    found = cell(history, "2021-07-02")
    assert (found["state"], found["since"]) == ("removed", moment("2021-07-01").isoformat())
    assert found["proof"][-1]["capture_id"], "the answer that says so"
    found = cell(history, "2021-07-10")
    assert found["since"] == moment("2021-07-01").isoformat()
    assert found["as_of"] == moment("2021-07-09").isoformat()
    assert state(history, "2021-08-02") == "captured"


def test_an_address_that_leads_to_the_home_page_is_gone(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-03-01", 2020, published="2021-03-01", read=figures())
    history.ask(URL, "2021-07-01 00:00", "redirect", 302)
    home = "http://www.xjtsq.gov.cn/"
    history.fails("2021-07-01 00:01", 2020, url=home, outcome="soft_404", status=200)
    assert state(history, "2021-07-02") == "removed"
    history.page("2021-08-01", 2020, published="2021-03-01", read=figures())
    assert state(history, "2021-08-02") == "captured"


def test_gone_here_and_well_there_is_moved(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-03-01", 2020, published="2021-03-01", read=figures())
    history.page("2021-06-01", 2020, url=OTHER, published="2021-03-01", read=figures())
    assert state(history, "2021-06-02") == "captured", "two addresses that both answer"
    history.fails("2021-07-01", 2020, url=URL, outcome="soft_404", status=200)
    found = cell(history, "2021-07-02")
    assert found["state"] == "moved"
    assert URL in found["note"]
    assert OTHER in found["note"]
    history.fails("2021-08-01", 2020, url=OTHER, outcome="client_error", status=410)
    assert state(history, "2021-08-02") == "removed"


def test_a_seed_that_is_dead_when_the_report_is_found_elsewhere_is_where_it_was(
    history: History,
) -> None:
    history.run("2021-03-01")
    history.fails("2021-03-01", 2020, url=URL, outcome="client_error", status=404)
    history.look("2021-03-01", {OTHER: TITLE})
    history.page("2021-03-02", 2020, url=OTHER, published="2021-03-01", read=figures())
    assert state(history, "2021-03-03") == "moved"


def test_a_dead_link_beside_a_good_one_moves_nothing(history: History) -> None:
    history.run("2021-03-01")
    history.look("2021-03-01", {URL: TITLE, OTHER: TITLE})
    history.fails("2021-03-01", 2020, url=URL, outcome="client_error", status=404)
    history.page("2021-03-02", 2020, url=OTHER, published="2021-03-01", read=figures())
    assert state(history, "2021-03-03") == "captured"


def test_an_address_that_the_listing_dropped_and_that_is_silent_is_an_old_one(
    history: History,
) -> None:
    history.run("2021-03-01")
    history.look("2021-03-01", {URL: TITLE})
    history.page("2021-03-01", 2020, published="2021-03-01", read=figures())
    history.run("2021-06-01")
    history.fails("2021-06-01", 2020, url=URL, outcome="dns", status=None)
    history.page("2021-06-01", 2020, url=OTHER, published="2021-03-01", read=figures())
    assert state(history, "2021-06-02") == "captured"
    history.look("2021-06-03", {OTHER: TITLE})
    assert state(history, "2021-06-04") == "moved"


def test_figures_that_stand_only_in_a_file(history: History) -> None:
    file = "http://www.xjtsq.gov.cn/files/report.docx"
    history.run("2021-03-01")
    history.page("2021-03-01", 2020, published="2021-03-01", read=unknown())
    assert state(history, "2021-03-02") == "unreadable"
    history.page("2021-03-03", 2020, url=file, file="report.docx", read=figures())
    found = cell(history, "2021-03-04")
    assert found["state"] == "attachment_only"
    assert "report.docx" in found["note"]
    history.fails("2021-03-05", 2020, url=URL, outcome="client_error", status=404)
    assert state(history, "2021-03-06") == "removed"
    history.page("2021-03-07", 2020, url=file, file="report.docx")
    assert state(history, "2021-03-08") == "attachment_only"


def test_a_file_that_no_reader_recognises_is_unreadable(history: History) -> None:
    file = "http://www.xjtsq.gov.cn/files/scan.pdf"
    history.run("2021-03-01")
    version = history.page("2021-03-01", 2020, url=file, file="scan.pdf", read=unknown())
    assert state(history, "2021-03-02") == "unreadable"
    history.reads(version, "2021-04-01", reading("1", "2", "3", "4", parser="test/2"))
    assert state(history, "2021-03-02") == "unreadable", "as it was known then"
    assert state(history, "2021-04-02") == "attachment_only"


def test_old_prose_is_a_report(history: History) -> None:
    history.run("2021-03-01")
    history.page("2021-03-01", 2015, published="2016-03-01", read=reading(layout="old"))
    assert state(history, "2021-03-02", 2015) == "captured"


# --- organs and their lives ---------------------------------------------------------------------


def test_an_organ_owes_what_is_due_while_it_lives(history: History) -> None:
    history.organ(BUREAU)
    history.life(BUREAU, "2021-01-01", begins="2015-06-01", ends="2019-03-30")
    found = ledger(history.connection, at=moment("2021-05-01"))
    assert [each["year"] for each in found if each["organ"] == BUREAU] == [2015, 2016, 2017]
    history.life(BUREAU, "2021-06-01", begins="2015-06-01", ends="2019-03-31")
    found = ledger(history.connection, at=moment("2021-07-01"))
    assert [each["year"] for each in found if each["organ"] == BUREAU] == [2015, 2016, 2017, 2018]
    history.run("2021-07-01")
    history.page("2021-07-01", 2013, BUREAU, published="2014-03-01", read=figures())
    found = ledger(history.connection, at=moment("2021-07-02"), year=2013)
    assert [each["state"] for each in found if each["organ"] == BUREAU] == ["captured"]


def test_an_organ_met_later_was_not_in_the_ledger_before(history: History) -> None:
    history.run("2021-04-02")
    history.page("2021-04-02", 2020, BUREAU, published="2021-01-02", read=figures())
    before = ledger(history.connection, at=moment("2021-04-01"), year=2020)
    assert [each["organ"] for each in before] == []
    after = ledger(history.connection, at=moment("2021-04-03"), year=2020)
    assert [each["organ"] for each in after] == [GOVERNMENT, BUREAU]


def test_an_organ_by_mistake_owes_nothing_once_its_report_is_anothers(history: History) -> None:
    history.run("2021-04-02")
    history.organ(BUREAU)
    history.page("2021-04-02", 2020, "天山区教局", published="2021-01-02", read=figures())
    said = Identity("650102", BUREAU, 2020)
    entry = Entry("王", "misread", "the page", moment("2021-04-03"))
    correct_identity(history.connection, 1, said, entry)
    found = ledger(history.connection, at=moment("2021-04-04"), year=2020)
    assert [(each["organ"], each["state"]) for each in found][1:] == [(BUREAU, "captured")]


def test_a_report_of_the_heir_for_the_year_before_counts_for_both(history: History) -> None:
    heir = "天山区教育和体育局"
    history.life(BUREAU, "2020-01-01", ends="2021-01-31", becomes=[heir])
    history.life(heir, "2020-01-01", begins="2021-02-01")
    history.run("2021-02-10")
    history.page("2021-02-10", 2020, heir, published="2021-02-10", read=figures())
    found = {each["organ"]: each for each in ledger(history.connection, at=moment("2021-03-01"))}
    found = {
        each["organ"]: each
        for each in ledger(history.connection, at=moment("2021-03-01"), year=2020)
    }
    assert found[BUREAU]["state"] == found[heir]["state"] == "captured_late"
    assert heir in found[BUREAU]["note"]
    assert BUREAU in found[heir]["note"]


def test_a_report_under_the_old_name_stays_there_and_counts_for_the_heir(history: History) -> None:
    heir = "天山区教育和体育局"
    history.life(BUREAU, "2020-01-01", ends="2021-01-15", becomes=[heir])
    history.life(heir, "2020-01-01", begins="2021-01-16")
    history.run("2021-01-10")
    history.page("2021-01-10", 2020, BUREAU, published="2021-01-10", read=figures())
    found = {
        each["organ"]: each
        for each in ledger(history.connection, at=moment("2021-03-01"), year=2020)
    }
    assert found[BUREAU]["state"] == found[heir]["state"] == "captured"
    assert BUREAU in found[heir]["note"]
    assert cell(history, "2021-03-01", 2019, BUREAU)["state"] == "unproven"


def test_what_counted_for_the_heir_and_was_removed_is_removed_for_both(history: History) -> None:
    """Not absent: it was there. And where two went before it, one that stands is enough."""
    heir, other = "天山区文化和旅游局", "天山区旅游局"
    for name in (BUREAU, other):
        history.life(name, "2020-01-01", ends="2021-01-15", becomes=[heir])
    history.life(heir, "2020-01-01", begins="2021-01-16")
    history.run("2021-01-10")
    history.page("2021-01-10", 2020, BUREAU, published="2021-01-10", read=figures())
    history.page("2021-01-10", 2020, other, url=OTHER, published="2021-01-10", read=figures())
    history.run("2021-05-01")
    history.look("2021-05-01")
    history.fails("2021-06-01", 2020, BUREAU, url=URL, outcome="client_error", status=404)
    found = cell(history, "2021-06-02", organ=heir)
    assert (found["state"], other in found["note"]) == ("captured", True)
    history.fails("2021-06-03", 2020, other, url=OTHER, outcome="client_error", status=404)
    found = cell(history, "2021-06-04", organ=heir)
    assert (found["state"], other in found["note"]) == ("removed", True)
    assert found["as_of"] == moment("2021-06-03").isoformat()
    history.page("2021-07-01", 2020, other, url=OTHER, published="2021-01-10", read=figures())
    assert state(history, "2021-07-02", organ=heir) == "captured"
