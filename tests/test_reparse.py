"""`scrapy reparse`: the archive read again, offline; shown before it is kept; gone on with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crawler.forms import PARSER
from storage.database import make_engine, transact
from storage.readings.assessments import assessment_of
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import (
    FindingRecord,
    keep_reading,
    newest_reading,
    read_by,
)
from storage.schema import assessments, confirmations, findings, readings, versions
from storage.settings import Settings
from tests.crawling import ROOT, Operator
from tests.databases import NOW
from tests.reparse_proof import VARIANT, affected, printed, without_variant
from tests.stocked import stocked

REPORTS = 21
KINDS = ("docx", "xlsx")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("stocked") / "home"
    stocked(Settings(home=home, database_url=None), REPORTS, KINDS).dispose()
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The code without one spelling."""
    return without_variant(tmp_path)


def reparse(home: Path, *options: str, root: Path | None = None) -> Any:
    operator = Operator(home, pace="", python_path=root)
    alone = () if "--jobs" in options else ("--jobs", "1")
    return operator.scrapy("reparse", *options, *alone, cwd=root or ROOT)


def engine_of(home: Path) -> sa.Engine:
    return make_engine(Settings(home=home, database_url=None).url)


def count(home: Path, table: sa.Table) -> int:
    engine = engine_of(home)
    with engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    engine.dispose()
    return int(found)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_reading_is_reproduced(home: Path, jobs: str) -> None:
    done = reparse(home, "--check", "--jobs", jobs)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{count(home, versions)} would say the same" in done.stdout
    assert "0 would have other cells" in done.stdout


def test_what_this_parser_has_read_is_not_read_again(home: Path) -> None:
    assert reparse(home).stdout.startswith("0 pages and files")


def test_a_lost_spelling_is_shown_before_it_is_kept(home: Path, older: Path) -> None:
    wanted = affected(REPORTS, KINDS)
    assert wanted
    before = count(home, readings)
    dry = reparse(home, "--dry-run", root=older)
    assert printed(dry.stdout) == wanted
    assert "规范性文件" in dry.stdout
    assert "unread" in dry.stdout
    assert (count(home, readings), count(home, confirmations)) == (before, 0)
    assert printed(reparse(home, root=older).stdout) == wanted
    assert count(home, readings) > before
    assert count(home, confirmations) == count(home, versions) - (count(home, readings) - before)
    assert reparse(home, root=older).stdout.startswith("0 pages and files")
    operator = Operator(home, pace="")
    assert operator.archive("verify").returncode == 0
    kept = count(home, readings)
    assert printed(reparse(home).stdout) == wanted
    assert count(home, readings) == kept


def test_a_re_parse_that_died_is_gone_on_with(home: Path, older: Path) -> None:
    engine = engine_of(home)
    wanted = affected(REPORTS, KINDS)
    assert printed(reparse(home, root=older).stdout) == wanted
    with engine.connect() as connection:
        parser = connection.execute(
            sa.select(readings.c.parser).where(readings.c.parser != PARSER).limit(1)
        ).scalar_one()
        done = connection.execute(read_by(parser)).scalars().all()
    assert len(done) == count(home, versions)
    # As a kill leaves it: some versions have been read, the others not.
    with engine.begin() as connection:
        late = connection.execute(
            sa.select(confirmations.c.id).where(confirmations.c.parser == parser).limit(20)
        ).scalars()
        connection.execute(confirmations.delete().where(confirmations.c.id.in_(list(late))))
    engine.dispose()
    again = reparse(home, root=older)
    assert again.stdout.startswith("20 pages and files")
    assert "20 say the same" in again.stdout


def assessed(home: Path) -> dict[int, tuple[set[int], int]]:
    """Report → the readings its newest assessment rests on, and how much that says."""
    engine = engine_of(home)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(assessments).order_by(assessments.c.id)).all()
        told = {
            row.report_id: (set(row.readings), len(assessment_of(connection, row.report_id)))
            for row in rows
        }
    engine.dispose()
    return told


def test_what_died_before_it_held_reports_against_others_is_made_good(home: Path) -> None:
    """The stocked archive is as a kill leaves one: everything is read, nothing is assessed."""
    assert reparse(home).stdout.startswith("0 pages and files")
    assert len(assessed(home)) == REPORTS
    kept = count(home, assessments)
    reparse(home)
    assert count(home, assessments) == kept
    assert Operator(home, pace="").archive("verify").stdout.startswith("sound")


def test_relations_of_another_parser_are_asked_of_all_reports(home: Path, older: Path) -> None:
    reparse(home)
    before = count(home, assessments)
    reparse(home, root=older)
    assert count(home, assessments) == before + REPORTS


def test_a_report_that_shows_nothing_any_more_has_nothing_said_of_it(home: Path) -> None:
    engine, gone = engine_of(home), 2
    entry = Entry("王某", "printed otherwise", "page 4", NOW.replace(year=2027))
    cell = "applications.carried_in.natural_person"
    transact(engine, lambda connection: correct_cell(connection, gone, cell, "98765", entry))
    reparse(home)
    before = assessed(home)
    assert before[gone][1]
    with engine.begin() as connection:
        mine = sa.select(versions.c.id).where(versions.c.report_id == gone)
        hers = readings.update().where(readings.c.version_id.in_(mine))
        connection.execute(hers.values(layout="unknown"))
    engine.dispose()
    reparse(home)
    after = assessed(home)
    assert after[gone] == (set(), 0)
    changed = {report for report in before if before[report][0] != after[report][0]}
    assert changed == {gone, gone + 1}


def test_what_the_crawl_found_is_taken_over(home: Path) -> None:
    engine = engine_of(home)
    listed = FindingRecord("year", "finding", "listed otherwise", "列表标题不同", ())
    with engine.connect() as connection:
        record = newest_reading(connection, 1)
    assert record is not None
    told = replace(record, parser="forms/other", findings=(*record.findings, listed))
    transact(engine, lambda connection: keep_reading(connection, 1, told, NOW.replace(year=2027)))
    done = reparse(home)
    assert done.stdout.startswith("1 pages and files")
    assert "1 say the same" in done.stdout
    with engine.connect() as connection:
        kept = sa.select(findings.c.rule).where(findings.c.rule == "year")
        assert connection.execute(kept).scalars().all() == ["year"]
    engine.dispose()


def test_a_correction_stands_and_its_report_is_held_against_others_anew(home: Path) -> None:
    engine = engine_of(home)
    cell = "applications.carried_in.natural_person"
    entry = Entry("王某", "printed otherwise", "page 4", NOW.replace(year=2027))
    transact(engine, lambda connection: correct_cell(connection, 2, cell, "98765", entry))
    reparse(home)
    operator = Operator(home, pace="")
    (made,) = operator.ask("corrections")
    assert (made["after"], made["review"]) == ("98765 (number)", False)
    told = [each for each in operator.ask("findings", "--rule", "X1") if cell in each["cells"]]
    assert any("98765" in each["message"] for each in told)
    engine.dispose()


def test_a_capture_that_cannot_be_opened_is_named_and_stops_no_other(home: Path) -> None:
    (warc,) = (home / "warc").iterdir()
    engine = engine_of(home)
    with engine.connect() as connection:
        offset = connection.exec_driver_sql(
            "SELECT warc_offset FROM captures ORDER BY id LIMIT 1"
        ).scalar_one()
    engine.dispose()
    data = bytearray(warc.read_bytes())
    data[offset + 200 : offset + 210] = b"\0" * 10
    warc.write_bytes(bytes(data))
    done = reparse(home, "--check")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "1 could not be read" in done.stdout


@pytest.mark.parametrize("fault", ["raise IndexError('odd')", "import os; os.abort()"])
def test_what_a_parser_fails_on_costs_that_reading_alone(
    home: Path, older: Path, fault: str
) -> None:
    path = older / "crawler" / "pipelines" / "opened.py"
    text = path.read_text("utf-8")
    asked = "    try:\n        documents = open_file("
    assert asked in text
    odd = f"    if '第1局2021' in file.name:\n        {fault}\n"
    path.write_text(text.replace(asked, odd + asked), "utf-8")
    done = reparse(home, "--check", "--jobs", "2", root=older)
    assert done.returncode == 1
    (line,) = [each for each in done.stderr.splitlines() if "2021" in each]
    assert "the parser failed" in line
    assert f"{count(home, versions)} pages and files" in done.stdout
    assert "1 could not be read" in done.stdout


def test_a_parser_that_reads_two_things_is_named_and_stops_no_other(home: Path) -> None:
    engine = engine_of(home)
    for version in (1, 2):
        with engine.connect() as connection:
            read = newest_reading(connection, version)
        assert read is not None
        told = replace(read, parser="forms/other", body_title="otherwise")
        keep = partial(keep_reading, version_id=version, reading=told, at=NOW.replace(year=2027))
        transact(engine, keep)
    with engine.begin() as connection:
        mine = (readings.c.version_id == 1) & (readings.c.parser == PARSER)
        connection.execute(readings.update().where(mine).values(body_title="once"))
    engine.dispose()
    done = reparse(home)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "read version 1 otherwise before" in line
    # Of the other its own reading is in force again, although the clock was set back.
    assert "1 pages and files" in reparse(home).stdout


def test_a_crawl_that_writes_is_not_disturbed(home: Path) -> None:
    from crawler.cms import cms_by_key
    from crawler.fetching.lock import PortalLocks
    from crawler.portals import load

    with PortalLocks(home / "locks", load(cms_by_key()).portals):
        done = reparse(home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "BusyError" in done.stderr


def test_the_spelling_is_there() -> None:
    """What the proof removes must be there to be removed."""
    assert VARIANT in (ROOT / "crawler" / "forms" / "2019.toml").read_text("utf-8")
