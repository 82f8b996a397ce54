"""`archive` as it is typed: what a person sees, what a program reads, and what a mistake costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import cli
from storage.cli import shared
from storage.database import ROOT, open_for_writing
from storage.settings import Settings
from tests.databases import TIANSHAN, Crawl
from tests.test_storage_queries import BUREAU, fill

QUESTIONS = (
    ["coverage"],
    ["report", "天山区人民政府", "2019"],
    ["history", "天山区人民政府", "2019"],
    ["findings"],
    ["runs"],
)


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> Settings:
    fill(engine, settings)
    return settings


def ask(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of `archive WORDS`."""
    monkeypatch.setattr(sys, "argv", ["archive", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda words: words[0])
@pytest.mark.parametrize("made", [False, True], ids=["missing", "without a report"])
def test_an_empty_archive_answers_with_a_sentence(
    question: list[str],
    made: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    if made:
        open_for_writing(Settings(home=home, database_url=None)).dispose()
    assert ask(monkeypatch, *question) == 0
    assert capsys.readouterr().out == shared.EMPTY + "\n"
    assert ask(monkeypatch, *question, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) in ([], None)
    assert err == shared.EMPTY + "\n"
    assert home.exists() == made


def test_an_empty_archive_has_no_line_of_json_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "report", "--all", "--json") == 0
    assert capsys.readouterr() == ("", shared.EMPTY + "\n")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda words: words[0])
def test_an_empty_postgresql_answers_with_a_sentence(
    question: list[str],
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GONGKAI_DATABASE_URL", empty_database_url)
    assert ask(monkeypatch, *question) == 0
    assert capsys.readouterr().out == shared.EMPTY + "\n"


def test_coverage_is_a_grid_with_a_legend(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "coverage") == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if TIANSHAN in line]
    assert row.split()[2:] == [*"......", *"!AUoPR."]
    (department,) = [line for line in lines if BUREAU in line]
    assert department.split()[2:] == ["R"]
    assert "08" in lines[0]
    assert any(line.startswith("P partly read (1)") for line in lines)


def test_coverage_draws_a_map_that_loads_nothing(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "map.svg"
    assert ask(monkeypatch, "coverage", "--svg", str(file)) == 0
    svg = file.read_text("utf-8")
    assert svg.startswith("<svg")
    assert "天山区人民政府" in svg
    assert "url(" not in svg.replace("url(#", "")


def test_a_map_that_cannot_be_written_is_named(
    archive: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "nowhere" / "map.svg"
    assert ask(monkeypatch, "coverage", "--svg", str(file)) == 2
    assert str(file) in capsys.readouterr().err


def test_a_report_shows_head_sources_tables_and_checks(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "report", "天山区人民政府", "2019") == 0
    out = capsys.readouterr().out
    for said in (
        "天山区人民政府2019年度政府信息公开工作报告",
        "http://www.xjtsq.gov.cn/new.htm",
        ".warc.gz",
        "sha256:",
        "natural_person",
        "5446.75万元",
        "2 relations: 1 fail, 1 pass",
        "A3 fail: 1 ≠ 2",
        "year finding: the report for 2019 is dated 2021",
    ):
        assert said in out


def test_history_shows_versions_captures_and_both_sides(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "history", "650102", "2019") == 0
    out = capsys.readouterr().out
    assert "applications.granted.natural_person" in out
    assert "0 (zero)" in out
    assert "3 (number)" in out
    assert out.count("capture ") == 4
    assert ask(monkeypatch, "history", "650102", "2014") == 0
    assert "no version of it could be captured" in capsys.readouterr().out


def test_findings_and_runs_are_listed(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "findings", "--organ", "tianshan", "--rule", "A3") == 0
    assert "1 ≠ 2" in capsys.readouterr().out
    assert ask(monkeypatch, "findings", "--year", "1999") == 0
    assert capsys.readouterr().out == "No finding fits.\n"
    assert ask(monkeypatch, "coverage", "--year", "1999") == 0
    assert capsys.readouterr().out == "No report fits.\n"
    assert ask(monkeypatch, "runs") == 0
    assert "complete" in capsys.readouterr().out


def test_json_is_one_value_and_json_lines_one_a_line(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for question in QUESTIONS:
        assert ask(monkeypatch, *question, "--json") == 0
        assert json.loads(capsys.readouterr().out)
    assert ask(monkeypatch, "report", "--all", "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert json.loads(lines[0])["organ"] == TIANSHAN


def test_a_mistake_is_one_line_with_the_cure_and_exit_code_2(
    archive: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "report", "天山教育局", "2019") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("archive: the archive knows no organ 天山教育局: did you mean")
    assert err.count("\n") == 1
    monkeypatch.setenv("GONGKAI_DATABASE_URL", "mysql://localhost/x")
    assert ask(monkeypatch, "runs") == 2
    assert "GONGKAI_DATABASE_URL begins with 'mysql'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["report"], ["report", "a"], ["report", "--all"], ["report", "a", "1", "--all"]]
)
def test_half_a_question_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, *words) == 2
    assert "give an organ and a year" in capsys.readouterr().err or words[-1] == "--all"


def test_a_newer_database_is_told_from_the_shell(tmp_path: Path) -> None:
    engine = open_for_writing(Settings(home=tmp_path, database_url=None))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    done = shell(tmp_path, "-m", "storage.cli", "runs")
    assert done.returncode == 2
    assert "update the checkout" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_start_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    heavy = "'sqlalchemy', 'rich.table', 'scrapy', 'alembic', 'pydantic'"
    probe = f"import sys, storage.cli; print([m for m in ({heavy}) if m in sys.modules])"
    assert shell(tmp_path, "-c", probe).stdout == "[]\n"
    heavy = "'sqlalchemy.orm', 'scrapy', 'alembic', 'pydantic', 'tenacity', 'warcio'"
    probe = (
        "import sys, storage.database, storage.queries.coverage, storage.queries.report;"
        f"print([m for m in ({heavy}) if m in sys.modules])"
    )
    assert shell(tmp_path, "-c", probe).stdout == "[]\n"


def test_a_question_on_a_full_archive_works_from_the_shell(
    archive: Settings, tmp_path: Path, engine: sa.Engine
) -> None:
    with Crawl(engine, archive.warc_directory):
        done = shell(archive.home, "-m", "storage.cli", "coverage", url=archive.url)
    assert done.returncode == 0, done.stderr
    assert TIANSHAN in done.stdout


def shell(home: Path, *words: str, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GONGKAI_HOME": str(home), "GONGKAI_DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
