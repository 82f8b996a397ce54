"""`archive verify`: a sound archive is called sound, and whatever happens to one is named."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from storage.capture.captures import Ending
from storage.capture.runs import begin_run, end_run
from storage.database import make_engine, open_for_writing
from storage.errors import ManifestBroken
from storage.evidence.check_rows import check_tables
from storage.evidence.manifest import FOLDER, read_chain
from storage.evidence.rows import BY_RUN, CHANGING, GROWING, encode, lines, prepare, values
from storage.evidence.seal import seal
from storage.evidence.verdict import Verdict
from storage.evidence.verify import verify
from storage.readings.standing import refresh
from storage.schema import DERIVED, REVISION, Moment, Words, confirmations, metadata
from storage.settings import Settings
from tests.databases import NOW, ON_POSTGRESQL, PORTAL, START, TERMS, Crawl, exchange, reading
from tests.flips import flipped, found, sealed_archive
from tests.test_archive_cli import ask
from tests.test_recovery import die_between_record_and_row

LATER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a sealed SQLite archive."""
    home = tmp_path_factory.mktemp("sealed") / "home"
    sealed_archive(Settings(home=home, database_url=None))
    return home


@pytest.fixture
def sealed(template: Path, tmp_path: Path) -> Settings:
    """A sealed archive on SQLite, this test's own."""
    settings = Settings(home=tmp_path / "home", database_url=None)
    shutil.copytree(template, settings.home)
    return settings


def verdict_of(settings: Settings, **how: Any) -> Verdict:
    verdict = verify(settings, **how)
    assert verdict is not None
    return verdict


def wheres(settings: Settings, **how: Any) -> list[str]:
    return [problem.where for problem in verdict_of(settings, **how).problems]


def assert_sound(settings: Settings, **how: Any) -> Verdict:
    verdict = verdict_of(settings, **how)
    assert verdict.problems == []
    return verdict


def warcs(settings: Settings) -> list[Path]:
    return sorted(settings.warc_directory.iterdir())


def entries(settings: Settings) -> list[Path]:
    """The files of the manifest but for the state."""
    found = sorted((settings.home / FOLDER).glob("*.json"))
    return [path for path in found if not path.name.endswith(".state.json")]


def the_state(settings: Settings) -> Path:
    (path,) = (settings.home / FOLDER).glob("*.state.json")
    return path


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


@contextmanager
def tampering(settings: Settings) -> Iterator[sa.Connection]:
    """A transaction in which no foreign key is enforced."""
    engine = make_engine(settings.url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA foreign_keys = OFF")
            else:
                connection.exec_driver_sql("SET session_replication_role = replica")
                connection.commit()
            yield connection
            connection.commit()
    finally:
        engine.dispose()


# A sound archive


def test_a_sound_archive_is_called_sound(engine: sa.Engine, settings: Settings) -> None:
    sealed_archive(settings)
    verdict = assert_sound(settings)
    assert (verdict.entries, verdict.files, verdict.records) == (2, 3, 27)
    with engine.connect() as connection:
        sealed = [table for name, table in metadata.tables.items() if name not in DERIVED]
        counts = [sa.select(sa.func.count()).select_from(table) for table in sealed]
        assert verdict.rows == sum(connection.execute(count).scalar_one() for count in counts)
    assert verdict.head == hashlib.sha256(entries(settings)[-1].read_bytes()).hexdigest()
    assert (verdict.notes, verdict.unsealed) == ([], {})
    assert assert_sound(settings, quick=True).records == 0
    assert seal(settings, LATER) is None


def test_the_exit_code_says_it(
    sealed: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "verify") == 0
    out = capsys.readouterr().out
    head = hashlib.sha256(entries(sealed)[-1].read_bytes()).hexdigest()
    assert out.splitlines()[-1] == f"head sha256:{head}"
    assert ask(monkeypatch, "verify", "--quick", "--head", f"sha256:{head}") == 0
    assert ask(monkeypatch, "verify", "--head", "0" * 64) == 1
    assert "cut short or written anew" in capsys.readouterr().out
    assert ask(monkeypatch, "seal") == 0
    assert capsys.readouterr().out.startswith("Nothing to seal")
    warcs(sealed)[0].unlink()
    assert ask(monkeypatch, "verify") == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "is missing" in line)
    assert str(warcs(sealed)[0].parent) in line
    assert "depends on it: " in line
    assert "天山区" in line
    assert "cure: bring the file back" in line
    assert ask(monkeypatch, "verify", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["sound"] is False
    assert set(said["problems"][0]) == {"where", "what", "depends", "cure"}


def test_what_cannot_be_asked_is_exit_code_2(
    sealed: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (sealed.home / "archive.sqlite").unlink()
    assert ask(monkeypatch, "verify") == 2
    assert "no database: bring it back" in capsys.readouterr().err
    shutil.rmtree(sealed.home)
    assert ask(monkeypatch, "verify") == 0
    assert ask(monkeypatch, "seal") == 0
    assert not sealed.home.exists()


def test_without_any_manifest_nothing_vouches_for_the_rows(sealed: Settings) -> None:
    shutil.rmtree(sealed.home / FOLDER)
    (problem,) = verdict_of(sealed).problems
    assert "there is no manifest" in problem.what
    seal(sealed, LATER)
    assert_sound(sealed)


def test_every_table_is_sealed_one_way() -> None:
    assert {*GROWING, *BY_RUN, "runs", "portals"} == set(metadata.tables) - DERIVED
    for table, names in CHANGING.items():
        assert names <= set(metadata.tables[table].c.keys())


# Rows


def stored(connection: sa.Connection, table: sa.Table) -> tuple[Any, ...]:
    """All that is sealed, or held against what is sealed, of the rows of a table."""
    grown = () if table.name == "portals" else tuple(lines(connection, table))
    changing = CHANGING.get(table.name)
    return grown, values(connection, table, changing) if changing else {}


def test_equal_rows_have_equal_lines_on_both_databases(
    sealed: Settings, new_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    other = Settings(home=tmp_path / "other", database_url=new_postgresql())
    one, two = open_for_writing(sealed), open_for_writing(other)
    with tampering(other) as there, one.connect() as here:
        for table in metadata.sorted_tables:
            for row in here.execute(rows_of(table)):
                there.execute(table.insert(), dict(row._mapping))
    with one.connect() as here, two.connect() as there:
        prepare(here)
        for table in metadata.tables.values():
            found = stored(here, table)
            assert any(found)
            assert found == stored(there, table)
    one.dispose()
    two.dispose()


def test_a_change_of_any_column_changes_what_is_sealed(
    engine: sa.Engine, settings: Settings
) -> None:
    sealed_archive(settings)
    with tampering(settings) as connection:
        for table in metadata.tables.values():
            before = stored(connection, table)
            connection.rollback()
            for column in table.columns:
                row = first_row(connection, table)
                change = table.update().where(*of(table, row))
                connection.execute(change.values({column.name: another(column, row)}))
                assert stored(connection, table) != before, column
                connection.rollback()


def another(column: sa.Column[Any], row: Mapping[str, Any]) -> Any:
    """A value that the row does not have, of the column's own type."""
    value = row[column.name]
    if isinstance(column.type, Moment):
        return (value or NOW) + timedelta(microseconds=1)
    if isinstance(column.type, sa.JSON):
        return ["another"]
    if isinstance(value, bool):
        return not value
    if isinstance(column.type, sa.Text | Words):
        return "" if value is None else value + "."
    return (value or 0) + 100_000


def test_null_and_an_empty_text_are_two_things() -> None:
    assert encode({"a": None, "b": ""}) == b'{"b":""}\n'
    assert encode({"a": "", "b": None}) == b'{"a":""}\n'


scalars = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()


@given(st.tuples(scalars, scalars), st.tuples(scalars, scalars))
def test_two_rows_have_one_line_only_if_they_are_equal(
    one: tuple[Any, Any], two: tuple[Any, Any]
) -> None:
    same = [(type(a), repr(a)) for a in one] == [(type(b), repr(b)) for b in two]
    lines_of = [encode({"a": row[0], "b": row[1]}) for row in (one, two)]
    assert (lines_of[0] == lines_of[1]) == same


def rows_of(table: sa.Table) -> sa.Select[Any]:
    """Rows that can be added again as they are: JSON as it is stored, for its text is sealed."""
    columns = [
        sa.cast(c, sa.Text).label(c.name) if isinstance(c.type, sa.JSON) else c for c in table.c
    ]
    return sa.select(*columns)


def first_row(connection: sa.Connection, table: sa.Table) -> dict[str, Any]:
    query = rows_of(table).order_by(*table.primary_key.columns).limit(1)
    return dict(connection.execute(query).mappings().one())


def of(table: sa.Table, row: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [key == row[key.name] for key in table.primary_key.columns]


# One that is no key, so that the row stays in its place.
CHANGED = {
    "alert_events": "event",
    "alerts": "subject",
    "aliases": "title",
    "assessment_findings": "message",
    "assessments": "parser",
    "attempts": "outcome",
    "captures": "etag",
    "confirmations": "parser",
    "corrections": "reason",
    "figures": "numbers",
    "findings": "message",
    "form_cells": "row_key",
    "form_checks": "cells",
    "forms": "digest",
    "grids": "rows",
    "indicators": "raw",
    "lifetimes": "begins",
    "listing_changes": "title",
    "listing_reads": "verdict",
    "listings": "title",
    "measures": "template",
    "observations": "seen_at",
    "organs": "kind",
    "portals": "name_zh",
    "readings": "record_digest",
    "reports": "year",
    "runs": "reason",
    "sections": "text",
    "standing": "title",
    "starts": "pace",
    "terms": "budget",
    "versions": "last_seen",
    "warc_files": "name",
    "withdrawals": "reason",
}


Tamper = Callable[[sa.Connection, sa.Table], None]


def assert_named(settings: Settings, tables: Sequence[sa.Table], do: Tamper, undo: Tamper) -> None:
    """Every table is named that is tampered with, a few at a time."""
    for first in range(0, len(tables), 5):
        batch = tables[first : first + 5]
        with tampering(settings) as connection:
            for table in batch:
                do(connection, table)
        named = wheres(settings, quick=True)
        for table in batch:
            assert any(each.startswith(table.name) for each in named), table
        with tampering(settings) as connection:
            for table in batch:
                undo(connection, table)
    assert_sound(settings)


def test_a_changed_row_is_named_in_every_table(engine: sa.Engine, settings: Settings) -> None:
    sealed_archive(settings)
    before: dict[str, dict[str, Any]] = {}

    def do(connection: sa.Connection, table: sa.Table) -> None:
        row = before[table.name] = first_row(connection, table)
        column = CHANGED[table.name]
        changed = {column: another(table.c[column], row)}
        connection.execute(table.update().where(*of(table, row)).values(changed))

    def undo(connection: sa.Connection, table: sa.Table) -> None:
        row = before[table.name]
        connection.execute(table.update().where(*of(table, row)).values(row))

    assert CHANGED.keys() == metadata.tables.keys()
    assert_named(settings, list(metadata.tables.values()), do, undo)


def test_a_deleted_row_is_named_in_every_table(engine: sa.Engine, settings: Settings) -> None:
    sealed_archive(settings)
    before: dict[str, dict[str, Any]] = {}

    def do(connection: sa.Connection, table: sa.Table) -> None:
        row = before[table.name] = first_row(connection, table)
        connection.execute(table.delete().where(*of(table, row)))

    def undo(connection: sa.Connection, table: sa.Table) -> None:
        connection.execute(table.insert(), before[table.name])

    assert_named(settings, list(metadata.tables.values()), do, undo)


# What makes a copy of a row another row. A run or a start slipped in cannot be told from one whose
# seal is yet to come; it is said that it is not sealed.
SLIPPED_IN: dict[str, dict[str, Any]] = {
    "alert_events": {"id": 999},
    "alerts": {"id": 999, "cause": "another"},
    "aliases": {"id": 999, "url": "http://elsewhere/"},
    "assessment_findings": {"position": 99},
    "assessments": {"id": 999},
    "attempts": {"id": 999},
    "captures": {"id": 999, "attempt_id": 999},
    "confirmations": {"id": 999, "parser": "another"},
    "corrections": {"id": 999},
    "figures": {"reading_id": 3},
    "findings": {"position": 99},
    "form_cells": {"position": 99},
    "form_checks": {"position": 99},
    "forms": {"id": 999, "digest": "another"},
    "grids": {"ordinal": 99},
    "indicators": {"position": 99},
    "lifetimes": {"id": 999},
    "listing_changes": {"position": 99},
    "listing_reads": {"id": 999},
    "listings": {"id": 999, "url": "http://elsewhere/"},
    "measures": {"id": 999},
    "observations": {"capture_id": 2},
    "organs": {"id": 999, "name": "another"},
    "portals": {"key": "another"},
    "readings": {"id": 999, "parser": "another"},
    "reports": {"id": 999, "year": 1999},
    "sections": {"position": 99},
    "standing": {"report_id": 999},
    "terms": {"portal": "another"},
    "versions": {"id": 999, "canonical_digest": "another"},
    "warc_files": {"id": 999, "name": "another"},
    "withdrawals": {"id": 999},
}


def test_a_row_that_was_slipped_in_is_named_in_every_table(
    engine: sa.Engine, settings: Settings
) -> None:
    sealed_archive(settings)
    added: dict[str, dict[str, Any]] = {}

    def do(connection: sa.Connection, table: sa.Table) -> None:
        row = added[table.name] = first_row(connection, table) | SLIPPED_IN[table.name]
        connection.execute(table.insert(), row)

    def undo(connection: sa.Connection, table: sa.Table) -> None:
        connection.execute(table.delete().where(*of(table, added[table.name])))

    assert {*SLIPPED_IN, "runs", "starts"} == metadata.tables.keys()
    assert_named(settings, [metadata.tables[name] for name in SLIPPED_IN], do, undo)


def test_what_is_not_sealed_yet_is_counted_for_programs_too(
    sealed: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GONGKAI_HOME", str(sealed.home))
    with tampering(sealed) as connection:
        table = metadata.tables["runs"]
        connection.execute(table.insert(), first_row(connection, table) | {"id": 99})
    assert ask(monkeypatch, "verify", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unsealed"]["runs"] == 1


@pytest.mark.parametrize("name", ["runs", "starts"])
def test_a_run_that_was_slipped_in_is_said_not_to_be_sealed(sealed: Settings, name: str) -> None:
    table = metadata.tables[name]
    with tampering(sealed) as connection:
        connection.execute(table.insert(), first_row(connection, table) | {"id": 99})
    verdict = assert_sound(sealed)
    assert verdict.unsealed[name] == 1
    assert any("ended and not sealed" in said for said in verdict.notes)


def test_a_reference_to_nothing_is_named_on_both_databases(
    engine: sa.Engine, settings: Settings
) -> None:
    sealed_archive(settings)
    with tampering(settings) as connection:
        captures = metadata.tables["captures"]
        connection.execute(captures.update().where(captures.c.id == 5).values(attempt_id=777))
        connection.execute(captures.update().where(captures.c.id == 6).values(revisit_of=778))
    verdict = Verdict()
    with engine.connect() as connection:
        check_tables(connection, verdict)
    assert [problem.where for problem in verdict.problems] == [
        "captures.attempt_id",
        "captures.revisit_of",
    ]
    assert "attempts that are not there (777)" in verdict.problems[0].what
    assert {"captures.attempt_id", "captures.revisit_of"} <= set(wheres(settings))


def test_a_text_that_is_no_text_any_more_is_named(sealed: Settings) -> None:
    with tampering(sealed) as connection:
        connection.exec_driver_sql("UPDATE captures SET fetched_at = CAST(x'ff' AS TEXT)")
        connection.exec_driver_sql("UPDATE portals SET name_zh = x'00ff'")
        connection.exec_driver_sql("UPDATE captures SET warc_offset = 'far' WHERE id = 1")
    named = wheres(sealed)
    assert any(where.startswith("captures") for where in named)
    assert "portals tianshan" in named


def test_a_damaged_page_of_the_database_is_named(sealed: Settings) -> None:
    path = sealed.home / "archive.sqlite"
    with tampering(sealed) as connection:
        root = connection.exec_driver_sql(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sections'"
        ).scalar_one()
    size = 4096
    data = bytearray(path.read_bytes())
    data[(root - 1) * size : root * size] = bytes(size)
    path.write_bytes(data)
    named = wheres(sealed)
    assert "sections" in named
    assert any(where.startswith("the database") for where in named)


# WARC files


Damage = Callable[[Path], None]


def members(path: Path) -> list[int]:
    """Where the gzip members of a file begin."""
    data = path.read_bytes()
    return [at for at in range(len(data)) if data.startswith(b"\x1f\x8b\x08", at)]


def in_a_member(number: int, at: int) -> Damage:
    """A bit flipped so many bytes behind the beginning of a member; before it, if negative."""
    return lambda path: flip(path, members(path)[number] + at)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 9)


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + gzip.compress(b"more"))


def write_anew(path: Path) -> None:
    """Every record as it was, compressed another way."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "gzip magic": (in_a_member(1, 0), "cannot be inflated"),
    "gzip time stamp": (in_a_member(1, 4), "was sealed with the SHA-256"),
    "body": (in_a_member(1, 60), "cannot be inflated"),
    "gzip checksum": (in_a_member(2, -8), "cannot be inflated"),
    "gzip length": (in_a_member(2, -1), "cannot be inflated"),
    "truncated": (cut, "ends before its record does"),
    "grown": (grow, "is no WARC record"),
    "written anew": (write_anew, "does not begin here"),
    "missing": (Path.unlink, "is missing, with the records of"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(sealed: Settings, damage: str) -> None:
    path = warcs(sealed)[0]
    apply, said = DAMAGES[damage]
    apply(path)
    verdict = verdict_of(sealed)
    assert {problem.where for problem in verdict.problems} == {str(path)}
    assert any(said in problem.what for problem in verdict.problems)
    assert all(problem.cure.startswith("bring the file back") for problem in verdict.problems)
    assert wheres(sealed, quick=True) == [str(path)]


def test_one_damaged_record_does_not_hide_the_others(sealed: Settings) -> None:
    """Captures 1 and 4 of the first file: their reports are doubtful, those between are not."""
    path = warcs(sealed)[0]
    offsets = members(path)
    flip(path, offsets[1] + 60)
    flip(path, offsets[7] + 60)
    (whole, records) = verdict_of(sealed).problems
    assert "SHA-256" in whole.what
    assert whole.depends == ""
    assert f"the record at {offsets[1]} (capture 1) cannot be inflated" in records.what
    assert f"the record at {offsets[7]} (capture 4) cannot be inflated" in records.what
    assert "capture 2" not in records.what
    assert records.depends == "乌鲁木齐市天山区人民政府 2017, 乌鲁木齐市天山区人民政府 2019"


def another_record(path: Path, number: int, old: bytes, new: bytes) -> None:
    """Rewrite a record and compress it again: gzip finds nothing wrong with it."""
    bounds = [*members(path), path.stat().st_size]
    begin, end = bounds[number], bounds[number + 1]
    data = path.read_bytes()
    record = gzip.decompress(data[begin:end])
    assert old in record
    path.write_bytes(data[:begin] + gzip.compress(record.replace(old, new)) + data[end:])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"2019 first", b"2019 worst", "differs from its WARC-Block-Digest"),
        (b"xjtsq.gov.cn/info", b"xjtsq.gov.cn/INFO", "has WARC-Target-URI"),
        (b"WARC/1.1\r\n", b"WARC/1.1\n", "is no WARC record"),
        (b"Payload-Digest: sha256:", b"Payload-Digest: sha256:0", "WARC-Payload-Digest"),
        (b"Content-Length: ", b"Content-Length: 1", "bytes, not 1"),
        (b"WARC-Type: response", b"WARC-Type: resource", "has WARC-Type resource"),
        (b"WARC-Gongkai-Attempt: 1", b"WARC-Gongkai-Attempt: 9", "is of attempt 9"),
        (b"2026-03-06T06:38:00", b"2026-03-06T06:38:01", "has WARC-Date"),
    ],
)
def test_a_forged_record_is_named(sealed: Settings, old: bytes, new: bytes, said: str) -> None:
    another_record(warcs(sealed)[0], 1, old, new)
    (problem,) = (each for each in verdict_of(sealed).problems if "the record at" in each.what)
    assert said in problem.what
    assert "(capture 1)" in problem.what


def test_a_revisit_leads_to_its_original(sealed: Settings) -> None:
    """The last run saw a page again that the second had captured; a file may be forged whole."""
    third = warcs(sealed)[2]
    another_record(third, 1, b"WARC-Refers-To-Date: 2026", b"WARC-Refers-To-Date: 2025")
    (problem,) = (each for each in verdict_of(sealed).problems if "the record at" in each.what)
    assert "has WARC-Refers-To-Date 2025-03" in problem.what
    with tampering(sealed) as connection:
        captures = metadata.tables["captures"]
        revisit = captures.c.revisit_of.is_not(None)
        (original,) = connection.execute(sa.select(captures.c.revisit_of).where(revisit)).scalars()
        change = captures.update().where(captures.c.id == original)
        connection.execute(change.values(payload_digest="sha256:0"))
    said = [problem.what for problem in verdict_of(sealed).problems]
    assert f"is a revisit of {original}, which has another payload" in said


def test_the_loss_of_an_original_is_the_loss_of_its_revisits(sealed: Settings) -> None:
    warcs(sealed)[1].unlink()
    (problem,) = verdict_of(sealed).problems
    assert problem.depends == "乌鲁木齐市天山区人民政府 2019"


def test_a_file_that_belongs_to_nothing_is_named(sealed: Settings) -> None:
    first = warcs(sealed)[0]
    copy = first.with_name(first.name.replace("-000001-", "-000077-"))
    twin = first.with_name(first.name.replace("-00001.warc", "-00002.warc"))
    notes, other = first.with_name("notes.txt"), sealed.home / FOLDER / "notes.txt"
    for path in (copy, twin, notes, other):
        shutil.copy(first, path)
    (sealed.home / "todo").touch()
    verdict = verdict_of(sealed)
    assert {problem.where for problem in verdict.problems} == {
        str(path) for path in (copy, twin, notes, other)
    }
    said = " ".join(problem.what for problem in verdict.problems)
    assert "is of run 77, which has no row" in said
    assert "is of run 1, which was sealed without it" in said
    assert "8 records without a row: at " in said
    assert any("todo: is no part of the archive" in note for note in verdict.notes)


@given(st.data())
def test_a_file_is_read_alike_however_its_bytes_fall(data: st.DataObject) -> None:
    """Members of every size, damage anywhere: what stands behind a known offset is found again."""
    from storage.evidence.records import _members

    bodies = data.draw(st.lists(st.binary(max_size=300), min_size=1, max_size=6))
    packed = [gzip.compress(body, mtime=0) for body in bodies]
    bounds = [sum(map(len, packed[:n])) for n in range(len(packed) + 1)]
    whole = b"".join(packed)
    step = data.draw(st.integers(1, len(whole)))
    blocks = [whole[at : at + step] for at in range(0, len(whole), step)]
    found = list(_members(iter(blocks), len(whole), bounds[:-1]))
    assert found == [(bounds[n], bounds[n + 1], body) for n, body in enumerate(bodies)]
    broken = data.draw(st.integers(0, len(packed) - 1))
    damaged = bytearray(whole)
    damaged[bounds[broken]] ^= 1
    found = list(_members(iter([bytes(damaged)]), len(whole), bounds[:-1]))
    assert [end for _, end, _ in found] == bounds[1:]
    assert [n for n, (*_, body) in enumerate(found) if isinstance(body, str)] == [broken]


def test_files_are_read_by_as_many_processes_as_there_are_cores(
    sealed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.evidence.check_files._ALONE", 0)
    monkeypatch.setattr("storage.evidence.check_files._CORES", 2)
    assert assert_sound(sealed).records == 27
    flip(warcs(sealed)[2], 700)
    assert str(warcs(sealed)[2]) in wheres(sealed)


# The manifest


def test_a_changed_entry_is_named_and_so_is_the_one_that_follows_it(sealed: Settings) -> None:
    first, second = entries(sealed)
    was, now = (f'"schema":"{said}"'.encode() for said in (REVISION, "0001"))
    assert was in first.read_bytes()
    first.write_bytes(first.read_bytes().replace(was, now))
    named = wheres(sealed)
    assert {str(first), str(second)} <= set(named)


def test_a_forged_entry_breaks_the_chain(sealed: Settings) -> None:
    """One that was written anew, with a digest of its own."""
    from storage.evidence.manifest import _dump, sha256

    first, second = entries(sealed)
    body = json.loads(first.read_bytes())
    del body["digest"]
    body["software"] = "another"
    first.write_bytes(_dump({**body, "digest": sha256(_dump(body))}))
    assert wheres(sealed) == [str(second)]


@pytest.mark.parametrize("number", [0, 1])
def test_an_entry_that_was_taken_away_is_missed(sealed: Settings, number: int) -> None:
    entries(sealed)[number].unlink()
    assert any(FOLDER in where for where in wheres(sealed))
    with pytest.raises(ManifestBroken, match="bring the folder back"):
        seal(sealed, LATER, accept="no")


def test_a_chain_that_was_cut_cleanly_is_told_by_a_head_noted_elsewhere(sealed: Settings) -> None:
    """Whoever takes the newest entry away and forges the state of the one before leaves a whole
    chain; what was sealed last is then merely newer than it.
    """
    from storage.evidence.manifest import _dump, sha256

    head = verdict_of(sealed).head
    first, second = entries(sealed)
    body = json.loads(first.read_bytes())
    del body["digest"]
    body["state"] = sha256(the_state(sealed).read_bytes())
    first.write_bytes(_dump({**body, "digest": sha256(_dump(body))}))
    the_state(sealed).rename(first.with_suffix(".state.json"))
    second.unlink()
    assert_sound(sealed)
    (problem,) = verdict_of(sealed, head=head).problems
    assert "cut short or written anew" in problem.what


def test_entries_that_changed_places_are_named(sealed: Settings) -> None:
    first, second = entries(sealed)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert {str(first), str(second)} <= set(wheres(sealed))


def test_a_changed_state_is_named(sealed: Settings) -> None:
    path = the_state(sealed)
    flip(path, 20)
    assert wheres(sealed) == [str(path)]
    path.unlink()
    assert wheres(sealed) == [str(path)]


def test_an_entry_lists_only_what_is_new(sealed: Settings) -> None:
    """A night in which nothing changed costs 2 kB, and what is sealed stays so."""
    before = read_chain(sealed.home / FOLDER)
    run_id = capture_one(sealed, b"2019 edited")
    newest = entries(sealed)[-1]
    assert newest.stat().st_size < 2500
    said = json.loads(newest.read_bytes())
    assert list(said["runs"]) == [str(run_id)]
    assert len(said["files"]) == 1
    assert set(said["rows"]) == {
        *("attempts", "captures", "observations", "starts", "terms", "warc_files")
    }
    after = read_chain(sealed.home / FOLDER)
    for ledger, segments in before.segments.items():
        assert segments.items() <= after.segments[ledger].items()
    assert sum(said["counts"].values()) + len(after.runs) + 1 == assert_sound(sealed).rows


# Sealing


class Killed(BaseException):
    """The process dies here."""


def test_a_seal_that_is_killed_anywhere_leaves_the_chain_whole(
    sealed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_for_writing(sealed)
    with Crawl(engine, sealed.warc_directory, start=LATER) as crawl:
        crawl.page(b"new", None)
    engine.dispose()
    before = [path.read_bytes() for path in entries(sealed)]
    lengths = []
    for steps in range(100):
        home = shutil.copytree(sealed.home, tmp_path / f"killed{steps}")
        settings = Settings(home=home, database_url=None)
        with monkeypatch.context() as patch:
            die_after(patch, steps)
            try:
                seal(settings, LATER, crawl.run_id)
            except Killed:
                killed = True
            else:
                killed = False
        verdict = assert_sound(settings)
        assert [path.read_bytes() for path in entries(settings)][:2] == before
        assert (verdict.entries == 3) != any("ended and not sealed" in n for n in verdict.notes)
        lengths.append(verdict.entries)
        if not killed:
            break
        seal(settings, LATER, crawl.run_id)
        verdict = assert_sound(settings)
        assert (verdict.entries, verdict.unsealed) == (3, {})
    assert verdict.notes == []
    assert len(list((settings.home / FOLDER).iterdir())) == 4
    assert lengths == sorted(lengths)
    assert (lengths.count(2), lengths.count(3)) == (5, 3)


def die_after(patch: pytest.MonkeyPatch, steps: int) -> None:
    """The next call but so many that makes something durable, names it or takes it away."""
    left = iter(range(steps))

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return call(*arguments)

        return once

    patch.setattr(os, "fsync", dying(os.fsync))
    patch.setattr(Path, "rename", dying(Path.rename))
    patch.setattr(Path, "unlink", dying(Path.unlink))


def capture_one(settings: Settings, body: bytes) -> int:
    """A run of one page, sealed at its end; its id."""
    engine = open_for_writing(settings)
    with Crawl(engine, settings.warc_directory, start=LATER) as crawl:
        crawl.page(body, None)
    engine.dispose()
    assert seal(settings, LATER, crawl.run_id) is not None
    return crawl.run_id


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE aliases SET title = 'forged' WHERE id = 2", "aliases 2"),
        ("UPDATE portals SET name_zh = 'forged' WHERE key = 'another'", "portals another"),
        ("UPDATE captures SET etag = 'forged' WHERE id = 2", "captures (id up to 10)"),
        ("UPDATE runs SET reason = 'forged' WHERE id = 1", "runs 1"),
        ("UPDATE observations SET alias_id = 2 WHERE capture_id = 1", "observations (capture_id"),
    ],
)
def test_no_seal_takes_damage_over_unless_it_is_told_why(
    sealed: Settings, change: str, where: str
) -> None:
    with tampering(sealed) as connection:
        portals = metadata.tables["portals"]
        connection.execute(portals.insert(), first_row(connection, portals) | {"key": "another"})
    assert wheres(sealed) == ["portals another"]
    seal(sealed, LATER, accept="a portal that no run goes to")
    assert_sound(sealed)
    with tampering(sealed) as connection:
        connection.exec_driver_sql(change)
    assert any(each.startswith(where) for each in wheres(sealed))
    capture_one(sealed, b"the night after")
    assert any(each.startswith(where) for each in wheres(sealed))
    entry = seal(sealed, LATER, accept="corrected by hand")
    assert entry is not None
    assert_sound(sealed)
    assert entry.body["accepted"] == "corrected by hand"
    if where.split()[0] in {"aliases", "portals"}:
        ((table, key, _, after),) = entry.body["changed"]
        assert f"{table} {key}" == where
        assert "forged" in after.values()


def test_a_change_on_purpose_takes_no_other_damage_over(sealed: Settings) -> None:
    """As after a new canonical rule: versions are renamed, merged and split, and nothing else."""
    with tampering(sealed) as connection:
        for change in (
            "UPDATE versions SET canonical_digest = 'by the new rule' WHERE id = 1",
            "DELETE FROM sections WHERE reading_id = 2",
            "UPDATE captures SET etag = 'forged' WHERE id = 2",
            "UPDATE aliases SET title = 'forged' WHERE id = 2",
            "UPDATE runs SET reason = 'forged' WHERE id = 1",
        ):
            connection.exec_driver_sql(change)
    entry = seal(sealed, LATER, accept="canonicalised", only=("versions", "sections"))
    assert entry is not None
    assert set(entry.body["rows"]) == {"versions", "sections"}
    assert wheres(sealed) == ["runs 1", "captures (id up to 10)", "aliases 2"]


def test_rows_added_by_no_run_are_taken_over_and_no_damage_with_them(sealed: Settings) -> None:
    """As after a re-parse or a correction, which change nothing that was sealed."""
    assert seal(sealed, LATER, accept="nothing was added", only=()) is None
    with tampering(sealed) as connection:
        connection.execute(
            confirmations.insert(), {"reading_id": 1, "parser": "test/9", "confirmed_at": LATER}
        )
        connection.exec_driver_sql("UPDATE corrections SET author = 'forged'")
        connection.exec_driver_sql("UPDATE readings SET body_title = 'forged' WHERE id = 1")
    entry = seal(sealed, LATER, accept="read again", only=())
    assert entry is not None
    assert entry.body["accepted"] == "read again"
    assert set(entry.body["rows"]) == {"confirmations"}
    assert [where.partition(" ")[0] for where in wheres(sealed)] == ["corrections", "readings"]


@pytest.mark.parametrize("words", [["--only", "runs"], ["--accept", "why", "--only", "cells"]])
def test_only_is_refused_without_a_reason_or_a_table(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "seal", *words) == 2
    assert "Invalid value: --only" in capsys.readouterr().err


def test_a_restored_file_that_differs_is_accepted_by_name(sealed: Settings) -> None:
    path = warcs(sealed)[0]
    flip(path, members(path)[1] + 4)
    assert wheres(sealed) == [str(path)]
    entry = seal(sealed, LATER, accept="the time stamps of gzip were lost in a copy")
    assert entry is not None
    assert list(entry.body["files"]) == [path.name]
    assert_sound(sealed)


def test_a_column_that_comes_with_a_migration_changes_no_digest(sealed: Settings) -> None:
    with tampering(sealed) as connection:
        connection.exec_driver_sql("ALTER TABLE captures ADD COLUMN more TEXT")
    column = sa.Column("more", sa.Text)
    captures = metadata.tables["captures"]
    captures.append_column(column)
    try:
        assert_sound(sealed)
    finally:
        captures._columns.remove(column)


def test_the_clock_may_be_set_back(sealed: Settings) -> None:
    engine = open_for_writing(sealed)
    for moment in (LATER, NOW - timedelta(days=900)):
        with Crawl(engine, sealed.warc_directory) as crawl:
            pass
        seal(sealed, moment, crawl.run_id)
    engine.dispose()
    assert assert_sound(sealed).entries == 4


# While a crawl is running


def test_a_crawl_under_way_raises_no_alarm(engine: sa.Engine, settings: Settings) -> None:
    sealed_archive(settings)
    with Crawl(engine, settings.warc_directory, start=LATER) as crawl:
        assert_sound(settings)
        crawl.page(b"2019 edited", None, title="a new title")
        asked = crawl.recorder.ask(crawl.attempt())
        verdict = assert_sound(settings)
        assert verdict.unsealed == {
            **dict.fromkeys(("runs", "starts", "terms", "warc_files", "files"), 1),
            **{"attempts": 2, "captures": 1, "observations": 1, "aliases": 1},
        }
        assert any("has not ended" in note for note in verdict.notes)
        assert seal(settings, LATER) is not None  # by the other crawl, say
        verdict = assert_sound(settings)
        assert verdict.unsealed == {"runs": 1, "attempts": 2, "observations": 1, "files": 1}
        crawl.recorder.answer(asked, Ending("timeout"))
        crawl.page(b"2019 anew", None)
        assert_sound(settings)
    assert_sound(settings)
    seal(settings, LATER, crawl.run_id)
    assert assert_sound(settings).unsealed == {}


def test_what_a_crawl_does_not_explain_is_named_while_it_runs(
    engine: sa.Engine, settings: Settings
) -> None:
    sealed_archive(settings)
    with Crawl(engine, settings.warc_directory, start=LATER) as crawl:
        crawl.page(b"2019 edited", None)
        with tampering(settings) as connection:
            for change in (
                "UPDATE aliases SET last_outcome = 'forged', last_seen = first_seen WHERE id = 1",
                "UPDATE attempts SET outcome = 'forged' WHERE id = 3",
                "UPDATE versions SET first_seen = '1999-01-01 00:00:00.000000' WHERE id = 1",
            ):
                connection.exec_driver_sql(change)
        named = wheres(settings)
        assert {"aliases 1", "versions 1"} <= set(named)
        assert any(where.startswith("attempts") for where in named)


def test_verifying_and_sealing_again_and_again_beside_a_crawl(
    engine: sa.Engine, settings: Settings
) -> None:
    sealed_archive(settings)
    done = threading.Event()

    def crawl() -> None:
        try:
            for night in range(3):
                start = LATER + timedelta(days=night)
                with Crawl(engine, settings.warc_directory, start=start) as run:
                    for number in range(12):
                        url = f"http://www.xjtsq.gov.cn/info/{number}.htm"
                        run.page(b"%d %d" % (night, number), reading("1", "1", "1", "1"), url=url)
                seal(settings, datetime.now(UTC), run.run_id)
        finally:
            done.set()

    other = threading.Thread(target=crawl)
    other.start()
    looks = 0
    while not done.is_set():
        assert verdict_of(settings).problems == []
        seal(settings, datetime.now(UTC))
        looks += 1
    other.join()
    assert looks
    assert assert_sound(settings).unsealed == {}


@ON_POSTGRESQL
def test_a_seal_waits_for_rows_whose_numbers_are_drawn(
    settings: Settings, engine: sa.Engine
) -> None:
    """PostgreSQL may commit a higher id before a lower one, which must not be sealed without it."""
    sealed_archive(settings)
    organs = metadata.tables["organs"]
    row = {"division_code": "650102", "kind": "department", "portal": "tianshan"}
    with (
        Crawl(engine, settings.warc_directory, start=LATER),
        engine.connect() as slow,
        ThreadPoolExecutor(1) as pool,
    ):
        slow.execute(organs.insert(), row | {"name": "drawn first"})
        with engine.begin() as quick:
            quick.execute(organs.insert(), row | {"name": "committed first"})
        sealing = pool.submit(seal, settings, LATER)
        with pytest.raises(FuturesTimeout):
            sealing.result(0.3)
        slow.commit()
        assert sealing.result(10) is not None
        assert assert_sound(settings).unsealed["organs"] == 0
    assert_sound(settings)


def test_a_run_that_died_is_pending_and_not_damage(engine: sa.Engine, settings: Settings) -> None:
    sealed_archive(settings)
    dead = Crawl(engine, settings.warc_directory, start=LATER).__enter__()
    dead.page(b"kept", None)
    die_between_record_and_row(engine, dead, b"an orphan")
    dead.recorder._writer._let_go()
    (file,) = settings.warc_directory.glob("*.open")
    with file.open("ab") as torn:  # and the next record is torn
        torn.write(gzip.compress(b"WARC/1.1")[:15])
    verdict = assert_sound(settings)
    assert any("1 record without a row yet" in note for note in verdict.notes)
    assert any("the last 15 bytes are no whole record" in note for note in verdict.notes)
    assert seal(settings, LATER) is not None
    assert_sound(settings)
    # A row whose record is torn off is damage all the same.
    os.truncate(file, 400)
    assert str(file).removesuffix(".open") in wheres(settings)


@pytest.fixture
def writer(sealed: Settings) -> Iterator[sa.Engine]:
    """The archive of `sealed`, opened for writing."""
    engine = open_for_writing(sealed)
    yield engine
    engine.dispose()


def test_a_stopped_run_is_sealed_and_may_go_on(sealed: Settings, writer: sa.Engine) -> None:
    with Crawl(writer, sealed.warc_directory, start=LATER) as crawl:
        first = crawl.capture(exchange(b"seen before the stop"))
    end_run(writer, crawl.run_id, "stopped", "window closed", {})
    seal(sealed, LATER, crawl.run_id)
    assert assert_sound(sealed).unsealed == {}
    assert begin_run(writer, START, [(PORTAL, TERMS)]).run_id == crawl.run_id
    assert seal(sealed, LATER) is not None  # at the end of another run, say
    assert assert_sound(sealed).unsealed["runs"] == 1
    # It reads now what it had captured then.
    seen = {"version_id": 1, "capture_id": first.id, "alias_id": 1, "seen_at": LATER}
    versions = metadata.tables["versions"].update().where(metadata.tables["versions"].c.id == 1)
    with writer.begin() as connection:
        connection.execute(metadata.tables["observations"].insert(), seen)
        connection.execute(versions.values(last_seen=LATER))
        refresh(connection, [1])
    assert assert_sound(sealed).unsealed["observations"] == 1
    end_run(writer, crawl.run_id, "complete", "finished", {})
    seal(sealed, LATER, crawl.run_id)
    assert assert_sound(sealed).unsealed == {}


def test_a_run_stopped_amid_a_request_is_sealed_when_that_is_settled(
    sealed: Settings, writer: sa.Engine
) -> None:
    with Crawl(writer, sealed.warc_directory, start=LATER) as crawl:
        asked = crawl.recorder.ask(crawl.attempt())
        end_run(writer, crawl.run_id, "stopped", "cannot be written", {})
        assert seal(sealed, LATER, crawl.run_id) is not None
        assert assert_sound(sealed).unsealed["attempts"] == 1
        crawl.recorder.answer(asked, Ending("interrupted"))
    seal(sealed, LATER, crawl.run_id)
    assert assert_sound(sealed).unsealed == {}


# Bits


def test_sixty_bits_flipped_at_random_are_all_found(sealed: Settings) -> None:
    """A thousand by `python -m tests.flips`."""
    chance = random.Random(60)
    for number in range(60):
        kind = ("warc", "manifest", "row")[number % 3]
        with flipped(sealed, kind, chance) as flip:
            assert found(sealed, flip, quick=kind == "row"), flip
    assert_sound(sealed)
