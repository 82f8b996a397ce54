"""What people take away: the same bytes twice, every figure as it is, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from frictionless import validate
from python_calamine import CalamineWorkbook

from storage import cli
from storage.asof import AsOf
from storage.database import consistent, open_for_reading
from storage.errors import BadQuestion, DirectoryError, NotInArchive, SettingsError
from storage.evidence.seal import seal
from storage.exports import taking
from storage.exports.citing import as_bibtex, in_chinese, in_english
from storage.exports.formats import csv as csv_form
from storage.exports.formats import xlsx
from storage.exports.rows import Row
from storage.exports.source import Selection, Source
from storage.exports.tables import tables
from storage.exports.taking import ACCOUNT, export, formats
from storage.exports.text import guarded, plain
from storage.queries.bytes import Door, body_of, look_into
from storage.queries.citation import citation
from storage.queries.organs import find_organ
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import store_reading
from storage.readings.printed import sheets
from storage.settings import Settings
from tests.crawling import BIN
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, exchange, key, reading

# What does not hang on the database.
EVIL = '=HYPERLINK("http://h","点")'


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """A report with a zero, a blank, a dash, a number with a correction, and a text to fear."""
    read = reading("0", "", "12", "13")
    cells = list(read.cells)
    cells[2] = replace(cells[2], raw="—", state="dash", value=None)
    read = replace(read, cells=tuple(cells), sections=((EVIL, "-1"),))
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"<p>one</p>", reading("1", "2", "3", "4"), title="旧")
        crawl.page(b"<p>two</p>", read, title=EVIL)
        crawl.page(b"<p>two</p>", read, url="http://h/again.htm")
    with engine.begin() as connection:
        of = Entry("me", "it says so", "the page", NOW)
        correct_cell(connection, 1, "applications.granted.total", "14", of)
    seal(settings, NOW)
    return engine


def taken(
    engine: sa.Engine, settings: Settings, form: str, out: Path, wanted: Selection | None = None
) -> Path:
    with engine.connect() as connection:
        export(connection, settings, form, out, wanted or Selection())
    return out


def test_twice_the_same_bytes(archive: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    for form in formats():
        one, two = (taken(archive, settings, form, tmp_path / form / each) for each in "12")
        files = sorted(path.name for path in one.iterdir())
        assert files == sorted(path.name for path in two.iterdir())
        assert len(files) > 1
        for name in files:
            assert (one / name).read_bytes() == (two / name).read_bytes(), (form, name)


def test_blank_zero_and_dash_are_three_things_everywhere(
    archive: sa.Engine, settings: Settings, tmp_path: Path
) -> None:
    expected = [("0", "zero", 0), ("", "blank", None), ("—", "dash", None), ("13", "number", 13)]
    found = {}
    with (taken(archive, settings, "csv", tmp_path / "c") / "cells.csv").open(
        encoding="utf-8-sig", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
        found["csv"] = [
            (plain(row["raw"]), row["state"], float(row["value"]) if row["value"] else None)
            for row in rows
        ]
        assert [row["corrected_value"] for row in rows] == ["", "", "", "14"]
        assert all(row["record_id"].startswith("<urn:uuid:") for row in rows)
        assert all(row["payload_digest"].startswith("sha256:") for row in rows)
    columns = pq.read_table(
        taken(archive, settings, "parquet", tmp_path / "p") / "cells.parquet"
    ).to_pylist()
    found["parquet"] = [(row["raw"], row["state"], row["value"]) for row in columns]
    path = taken(archive, settings, "sqlite", tmp_path / "s") / "gongkai.sqlite"
    with closing(sqlite3.connect(path)) as database:
        asked = "SELECT raw, state, value FROM report_cells ORDER BY position"
        found["sqlite"] = database.execute(asked).fetchall()
        assert database.execute("SELECT corrected_raw FROM corrections").fetchall() == [("14",)]
    lines = (taken(archive, settings, "jsonl", tmp_path / "j") / "reports.jsonl").read_text("utf-8")
    found["jsonl"] = [
        (cell["raw"], cell["state"], cell["value"]) for cell in json.loads(lines)["cells"]
    ]
    for form, cells in found.items():
        assert cells == expected, form
    book = CalamineWorkbook.from_path(
        taken(archive, settings, "xlsx", tmp_path / "x") / "gongkai.xlsx"
    )
    table = next(t for t in sheets() if (t.layout, t.key) == ("2019", "applications"))
    figures = book.get_sheet_by_name(xlsx.sheet_of(table)).to_python()
    states = book.get_sheet_by_name(xlsx.states_of(table)).to_python()
    at = states[0].index("applications.granted.natural_person")
    assert (figures[-1][at], states[1][at]) == ("—", "dash")
    at = states[0].index("applications.granted.total")
    assert (figures[-1][at], states[1][at]) == (13, "number")
    assert figures[-1][-1] == "applications.granted.total: 13 → 14 (number)"
    # The report prints this part by the other notice.
    mixed = next(t for t in sheets() if (t.layout, t.key) == ("2021", "art20.item1"))
    told = book.get_sheet_by_name(xlsx.states_of(mixed)).to_python()
    assert told[1][told[0].index("art20.item1.regulations.made")] == "zero"


@pytest.mark.parametrize("text", ["=1", "+1", "-", "@x", "\tx", "\rx", "＝1", "'", "''=", "12", ""])
def test_a_guarded_text_comes_back(text: str) -> None:
    assert plain(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "＝"))


@ON_SQLITE
def test_no_text_is_a_formula(archive: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    told = (taken(archive, settings, "csv", tmp_path / "c") / "sections.csv").read_bytes()
    assert told.startswith(b"\xef\xbb\xbf")
    assert b"\"'=HYPERLINK(" in told
    assert b",'-1," in told
    book = taken(archive, settings, "xlsx", tmp_path / "x") / "gongkai.xlsx"
    with zipfile.ZipFile(book) as file:
        sheets = b"".join(file.read(name) for name in file.namelist() if "worksheets" in name)
        assert b'quotePrefix="1"' in file.read("xl/styles.xml")
    assert b"<f>" not in sheets
    assert b"HYPERLINK(" in sheets


@ON_SQLITE
def test_the_package_is_valid_and_has_every_word_explained(
    archive: sa.Engine, settings: Settings, tmp_path: Path
) -> None:
    folder = taken(archive, settings, "package", tmp_path / "p")
    report = validate(str(folder / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])
    book = (folder / "codebook.csv").read_text("utf-8")
    for table in tables().values():
        assert all(f"{table.name}.{name}," in book for name in table.names)
    assert "applications.other_overdue_fee.legal_service" in book
    assert json.loads((folder / "datapackage.json").read_bytes())["version"].startswith("sha256:")


@ON_SQLITE
def test_a_wacz_has_the_records_as_they_lie(
    archive: sa.Engine, settings: Settings, tmp_path: Path
) -> None:
    folder = taken(archive, settings, "wacz", tmp_path / "w")
    with zipfile.ZipFile(folder / "tianshan-2019.wacz") as file:
        records = file.read("archive/tianshan-2019.warc.gz")
        pages = file.read("pages/pages.jsonl").decode().splitlines()
    with archive.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT f.name, c.warc_offset, c.warc_length FROM captures c "
                "JOIN warc_files f ON f.id = c.warc_file_id ORDER BY c.fetched_at"
            )
        ).all()
    raw = [
        (settings.warc_directory / name).read_bytes()[offset : offset + length]
        for name, offset, length in rows
    ]
    assert records == b"".join(raw)
    assert [json.loads(line)["title"] for line in pages[1:]][:2] == ["旧", EVIL]


@pytest.mark.parametrize(
    "body", ["139\N{ZERO WIDTH SPACE}00001000", "139<b>0000</b>1000", "&#49;3900001000"]
)
def test_a_number_torn_by_tags_is_seen(body: str) -> None:
    assert look_into(f"<p>{body}</p>".encode()).holds_numbers


def test_what_cannot_be_looked_into_stays() -> None:
    assert body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", b"x") is None
    assert not look_into(None).whole
    assert not look_into(b"PK\x03\x04 no zip").whole


def test_bytes_stay_by_what_was_read_of_them_anywhere(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"same", reading("1", "1", "1", "1"), title="手机13900001000")
        crawl.capture(exchange(b"same", "http://h/elsewhere"))
        crawl.attachment(b"never read")
        crawl.page(b"other", reading("1", "1", "1", "1"), url="http://h/4")
    with engine.connect() as connection:
        door = Door(connection)
        told = [door.why_not(number, lambda: look_into(b"clean")) for number in (1, 2, 3, 4)]
    assert told == ["personal", "personal", "unseen", None]


@ON_SQLITE
def test_nothing_else_is_overwritten(
    archive: sa.Engine, settings: Settings, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.docx").write_text("x")
    with pytest.raises(DirectoryError, match="holds something else"):
        taken(archive, settings, "csv", mine)
    with pytest.raises(DirectoryError, match="is no folder"):
        taken(archive, settings, "csv", mine / "thesis.docx")
    assert [path.name for path in mine.iterdir()] == ["thesis.docx"]
    out = taken(archive, settings, "csv", tmp_path / "out")
    taken(archive, settings, "jsonl", out)
    assert sorted(path.name for path in out.iterdir()) == [ACCOUNT, "ledger.jsonl", "reports.jsonl"]


# The three that write by other means than a file of their own; the database is the same to each.
@ON_SQLITE
@pytest.mark.parametrize("form", ["sqlite", "wacz", "xlsx"])
def test_a_full_disk_leaves_nothing(
    archive: sa.Engine, settings: Settings, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "deep" / "out"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [BIN / "archive", "export", form, str(out)],
        env={"GONGKAI_HOME": str(settings.home), "GONGKAI_DATABASE_URL": str(settings.database_url),
             "PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=small, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("archive: cannot write")
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()
    assert list(out.parent.iterdir()) == []


@ON_SQLITE
def test_told_to_stop_it_leaves_nothing(
    archive: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "deep" / "out"

    def stopped(folder: Path, source: Source, encoding: str) -> None:
        (folder / "cells.csv").write_text("half", encoding)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(csv_form, "write_tables", stopped)
    monkeypatch.setattr(sys, "argv", ["archive", "export", "csv", str(out)])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert list(out.parent.iterdir()) == []


@ON_SQLITE
def test_more_rows_than_a_sheet_holds_are_refused(
    archive: sa.Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the explanations alone there are more.
    monkeypatch.setattr(xlsx, "MOST_ROWS", 20)
    with pytest.raises(BadQuestion, match=r"a sheet of XLSX holds 20 rows .* or take csv"):
        taken(archive, settings, "xlsx", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_an_export_tells_of_one_moment(
    archive: sa.Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes on, a crawl finds a version and an organ, and a person corrects."""

    def meanwhile(folder: Path, source: Source, encoding: str) -> None:
        reports = source.tables()
        first = next(reports)
        with Crawl(archive, settings.warc_directory) as crawl:
            crawl.page(b"<p>3</p>", reading("7", "7", "7", "7"), title="新", report=key())
            other = key("天山区教育局", 2020, "department")
            crawl.page(b"<p>4</p>", reading("7", "7", "7", "7"), title="新", report=other)
        with archive.begin() as connection:
            of = Entry("me", "it says so", "the page", NOW)
            correct_cell(connection, 1, "applications.granted.total", "77", of)
        seal(settings, NOW)
        told.extend([first, *reports])

    told: list[tuple[str, Row]] = []
    monkeypatch.setattr(csv_form, "write_tables", meanwhile)
    sealed = taking.version_of(settings)
    reading_only = open_for_reading(settings)
    assert reading_only is not None
    with consistent(reading_only).connect() as connection:
        connection.execute(sa.text("SELECT count(*) FROM reports")).scalar()
        about = export(connection, settings, "csv", tmp_path / "x", Selection())
    reading_only.dispose()
    assert about["archive"] == sealed != taking.version_of(settings)
    assert [row["title"] for name, row in told if name == "reports"] == [EVIL]
    assert {row["raw"] for name, row in told if name == "cells"} == {"0", "", "—", "13"}
    assert [row["corrected_raw"] for name, row in told if name == "corrections"] == ["14"]
    assert "天山区教育局" not in {row["organ"] for _, row in told}


def test_as_of_goes_all_the_way(archive: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    """The first version had been seen by then, the second not; a later correction was not made."""
    with archive.begin() as connection:
        of = Entry("me", "it says so", "the page", NOW + timedelta(days=1))
        correct_cell(connection, 1, "applications.granted.total", "15", of)
    with archive.connect() as connection:
        seen = connection.execute(sa.text("SELECT id, first_seen FROM versions ORDER BY id")).all()
        then = AsOf(_moment(seen[0][1]) + timedelta(seconds=1))
        organ = find_organ(connection, TIANSHAN)
        cell = "applications.granted.total"
        old = citation(connection, organ, 2019, cell=cell, as_of=then)
        now = citation(connection, organ, 2019, cell=cell)
        with pytest.raises(NotInArchive, match="no version 2 as known at"):
            citation(connection, organ, 2019, version_id=2, as_of=then)
        with pytest.raises(NotInArchive, match="as known at 2020"):
            citation(connection, organ, 2019, as_of=AsOf.parse("2020-01-01"))
        with pytest.raises(BadQuestion, match="has no cell"):
            citation(connection, organ, 2019, cell="no.such.cell", as_of=then)
    assert (old["version_id"], old["number"], old["title"]) == (1, 1, "旧")
    assert old["figure"] is not None
    assert now["figure"] is not None
    assert (old["figure"]["raw"], now["figure"]["raw"]) == ("4", "13")
    out = taken(archive, settings, "jsonl", tmp_path / "j", Selection(as_of=then))
    told = json.loads((out / "reports.jsonl").read_text("utf-8"))
    assert [each["raw"] for each in told["cells"]] == ["1", "2", "3", "4"]
    held = [each["correction"] and each["correction"]["raw"] for each in told["cells"]]
    assert held == [None, None, None, "14"]
    assert [each["version_id"] for each in told["sources"]] == [1]
    assert told["urls"] == ["http://www.xjtsq.gov.cn/info/3168/1.htm"]
    account = json.loads((out / ACCOUNT).read_bytes())
    assert account["wanted"]["as_of"] == account["told_up_to"] == then.at.isoformat()


def test_a_figure_of_a_file_is_cited_from_the_file(engine: sa.Engine, settings: Settings) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"<p>see the file</p>", None)
        file = crawl.attachment(b"PK")
    with engine.begin() as connection:
        store_reading(connection, file.id, reading("1", "2", "3", "4"), NOW)
    with engine.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        told = citation(connection, organ, 2019, cell="applications.granted.total")
        assert citation(connection, organ, 2019)["version_id"] != told["version_id"]
    assert (told["version_id"], told["url"].rpartition("/")[2]) == (file.id, "report.docx")


def _moment(said: str | datetime) -> datetime:
    found = datetime.fromisoformat(said) if isinstance(said, str) else said
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@ON_SQLITE
def test_clear_errors(archive: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match="one of csv, jsonl"):
        taken(archive, settings, "pdf", tmp_path / "x")
    with pytest.raises(NotInArchive, match="no portal nowhere: it has tianshan"):
        taken(archive, settings, "csv", tmp_path / "x", Selection(portal="nowhere"))


@ON_SQLITE
def test_a_missing_extra_is_one_line(
    archive: sa.Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    monkeypatch.delitem(sys.modules, "storage.exports.formats.xlsx")
    with pytest.raises(SettingsError, match=r"xlsxwriter: install the extra with .*\[export\]"):
        taken(archive, settings, "xlsx", tmp_path / "x")


def test_a_citation_leads_to_the_bytes(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        told = citation(connection, organ, 2019, cell="applications.granted.total", version_id=2)
        old = citation(connection, organ, 2019, version_id=1)
        with pytest.raises(BadQuestion, match="has no cell nonsense"):
            citation(connection, organ, 2019, cell="nonsense")
        with pytest.raises(NotInArchive, match="no version 99"):
            citation(connection, organ, 2019, version_id=99)
    assert (old["number"], told["number"]) == (1, 2)
    seal_of = taking.version_of(settings)["sha256"]
    for text in (in_chinese(told, seal_of), in_english(told, seal_of), as_bibtex(told, seal_of)):
        for part in (told["record_id"], told["payload_digest"], str(seal_of), "13"):
            assert part in text
    assert "[EB/OL]" in in_chinese(told, None)


@ON_SQLITE
def test_bibtex_takes_no_text_for_its_own(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        told = citation(connection, find_organ(connection, TIANSHAN), 2019)
    said = as_bibtex({**told, "title": r"50% & {x} \input{y}_#$~^"}, None)
    assert r"50\% \& \{x\} \textbackslash{}input\{y\}\_\#\$\textasciitilde{}" in said
    assert said.count("{") == said.count("}")
