"""`archive doctor`: each thing that can ail is broken once; it is named, with its cure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from storage import cli, doctor
from storage.doctor import Examination, examine, machine, standing
from storage.evidence.seal import seal
from storage.schema import runs, starts
from storage.settings import Settings
from tests.databases import NOW, Crawl, exchange

ENVIRON = {"GONGKAI_CONTACT": "me@example.org", "GONGKAI_NOTIFY": "json://127.0.0.1"}
LATER = NOW + timedelta(hours=6)


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def dated(at: datetime) -> bytes:
    date = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return f"HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n".encode()


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """What is asked of the database is asked of both below; the rest is the machine's."""
    return str(request.param)


@pytest.fixture
def cron(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What `crontab -l` says, and `scrapy portals` on stderr; nothing else is started."""
    said = {"crontab": "30 22 * * * scrapy crawl urumqi_districts", "portals": ""}

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if words[0] == "crontab":
            return subprocess.CompletedProcess(words, 0, said["crontab"], "")
        return subprocess.CompletedProcess(words, 2 if said["portals"] else 0, "", said["portals"])

    monkeypatch.setattr(subprocess, "run", run)
    return said


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings, cron: dict[str, str]) -> sa.Engine:
    """One sound night, three answers of servers whose clocks are right."""
    with Crawl(engine, settings.warc_directory) as crawl:
        for number in range(3):
            at = NOW + timedelta(minutes=number)
            crawl.capture(exchange(b"%d" % number, f"http://h/{number}", head=dated(at)))
    with engine.begin() as connection:
        connection.execute(starts.update().values(started_at=NOW))
        connection.execute(runs.update().values(started_at=NOW, ended_at=LATER))
    seal(settings, LATER)
    if settings.sqlite_path is not None:
        settings.sqlite_path.chmod(0o600)
    return engine


def ailing(settings: Settings, **more: Any) -> Mapping[str, str]:
    """What each check that is not well says, and its cure."""
    found = looked(settings, **more)
    return {note.check: f"{note.says}: {note.cure}" for note in found.notes if note.cure}


def looked(
    settings: Settings, environ: Mapping[str, str] = ENVIRON, now: datetime = LATER
) -> Examination:
    return examine(settings, environ, now)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
def test_a_sound_archive_is_well(archive: sa.Engine, settings: Settings) -> None:
    found = looked(settings)
    assert [note for note in found.notes if note.level != "well"] == []
    assert found.exit_code == 0
    assert {note.check for note in found.notes} >= {
        *("configuration", "permissions", "time zones", "schedule", "extras", "portals"),
        *("manifest", "database", "files", "disk", "clock", "starts", "runs"),
    }


@pytest.mark.parametrize(
    ("environ", "code", "says"),
    [
        ({}, 2, "GONGKAI_CONTACT is not set"),
        ({"GONGKAI_CONTACT": "nobody"}, 1, "no plain e-mail"),
        ({"HTTP_PROXY": "127.0.0.1:8"}, 2, "has no scheme"),
        ({"HTTP_PROXY": "http://127.0.0.1:8"}, 1, "rehearsal"),
        ({"GONGKAI_PACE": "0.1"}, 2, "unset it"),
        ({"GONGKAI_NOTIFY": ""}, 1, "GONGKAI_NOTIFY"),
    ],
)
def test_configuration(
    environ: dict[str, str], code: int, says: str, settings: Settings, archive: sa.Engine
) -> None:
    given = {**ENVIRON, **environ} if environ else {"GONGKAI_NOTIFY": "x"}
    assert says in ailing(settings, environ=given)["configuration"]
    assert looked(settings, environ=given).exit_code == code


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
def test_a_disk_that_fills(
    archive: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "disk_usage", lambda _: _Usage(10**12, 0, 10**9))
    assert "make room" in ailing(settings)["disk"]
    with archive.begin() as connection:
        connection.exec_driver_sql("UPDATE captures SET warc_length = 1000000000")
    monkeypatch.setattr(standing, "disk_usage", lambda _: _Usage(10**12, 0, 12 * 10**9))
    assert "enough for 4 days" in ailing(settings)["disk"]


def test_a_clock_that_is_wrong(engine: sa.Engine, settings: Settings, cron: object) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        for number in range(3):
            at = NOW + timedelta(minutes=number, hours=1)
            crawl.capture(exchange(b"%d" % number, f"http://h/{number}", head=dated(at)))
    said = ailing(settings)["clock"]
    assert "behind the servers'" in said
    assert "NTP" in said


def test_captures_of_the_future(archive: sa.Engine, settings: Settings) -> None:
    assert "the future" in ailing(settings, now=NOW - timedelta(days=1))["clock"]


def test_no_data_of_time_zones(
    archive: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_ZONES", ("Asia/Nowhere",))
    assert "tzdata" in ailing(settings)["time zones"]


def test_a_database_that_is_none(archive: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite"
    file.write_bytes(b"no database at all" * 100)
    other = Settings(home=settings.home, database_url=f"sqlite:///{file}")
    assert "is not a database" in ailing(other)["database"]
    assert looked(other).exit_code == 2


def test_an_older_schema(archive: sa.Engine, settings: Settings) -> None:
    with archive.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    assert "alembic upgrade head" in ailing(settings)["database"]


def test_no_archive_yet(dialect: str, tmp_path: Path, cron: object) -> None:
    nothing = Settings(home=tmp_path / "none", database_url=None)
    assert "GONGKAI_HOME" in ailing(nothing)["database"]
    assert not nothing.home.exists()


def test_others_may_read_the_bytes(archive: sa.Engine, settings: Settings) -> None:
    settings.warc_directory.chmod(0o755)
    assert f"chmod 700 {settings.warc_directory}" in ailing(settings)["permissions"]


def test_a_file_that_is_gone_or_short(archive: sa.Engine, settings: Settings) -> None:
    (file,) = settings.warc_directory.glob("*.warc.gz")
    os.truncate(file, 40)
    assert "ends before its last record" in ailing(settings)["files"]
    file.unlink()
    assert "is not there" in ailing(settings)["files"]


def test_a_manifest_that_was_changed(archive: sa.Engine, settings: Settings) -> None:
    state = next(path for path in (settings.home / "manifests").iterdir() if path.is_file())
    state.write_bytes(b"{}")
    assert "archive verify" in ailing(settings)["manifest"]


def test_a_night_without_cron(archive: sa.Engine, settings: Settings, cron: dict[str, str]) -> None:
    cron["crontab"] = "# 30 22 * * * scrapy crawl urumqi_districts"
    assert "archive crontab" in ailing(settings)["schedule"]
    assert "5 days ago" in ailing(settings, now=NOW + timedelta(days=5))["starts"]


def test_a_portal_whose_file_does_not_load(
    archive: sa.Engine, settings: Settings, cron: dict[str, str]
) -> None:
    cron["portals"] = "RegistryError: tianshan.toml: no such CMS"
    assert "tianshan.toml" in ailing(settings)["portals"]
    assert looked(settings).exit_code == 2


def test_an_extra_that_is_missing(
    archive: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    said = [note.says for note in looked(settings).notes if note.check == "extras"]
    assert any("scanned images stay unread" in each for each in said)


def test_a_run_that_hangs(archive: sa.Engine, settings: Settings) -> None:
    with archive.begin() as connection:
        connection.execute(runs.update().values(state="running", ended_at=None))
    assert "runs" not in ailing(settings)
    assert "end it" in ailing(settings, now=NOW + timedelta(days=2))["runs"]


@pytest.mark.parametrize(("state", "cure"), [("blocked", "operator"), ("incomplete", "owed")])
def test_a_run_that_ended_badly(
    state: str, cure: str, archive: sa.Engine, settings: Settings
) -> None:
    with archive.begin() as connection:
        connection.execute(runs.update().values(state=state, reason="wall"))
    assert cure in ailing(settings)["runs"]


def test_runs_that_fail_for_long(engine: sa.Engine, settings: Settings, cron: object) -> None:
    for _ in range(3):
        with Crawl(engine, settings.warc_directory):
            pass
    with engine.begin() as connection:
        connection.execute(runs.update().values(state="stopped"))
    assert "none of the last 3 runs was complete" in ailing(settings)["runs"]


def test_a_check_that_fails_stops_no_other(
    archive: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Any]:
        raise OSError("the disk does not answer")

    monkeypatch.setitem(doctor._OF_THE_ARCHIVE, "disk", broken)
    found = looked(settings)
    assert "could not be looked at: the disk does not answer" in ailing(settings)["disk"]
    assert {note.check for note in found.notes} >= {"clock", "runs"}


def test_the_command_prints_and_ends_as_it_found(
    archive: sa.Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ask(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["archive", "doctor", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().out

    for name in ("HTTP_PROXY", "http_proxy", "GONGKAI_PACE", "GONGKAI_CONTACT"):
        monkeypatch.delenv(name, raising=False)
    code, told = ask()
    assert code == 2
    assert "GONGKAI_CONTACT is not set" in told
    code, told = ask("--json")
    assert {"check", "level", "says", "cure"} == set(json.loads(told)[0])


def test_the_portals_are_really_asked(tmp_path: Path) -> None:
    patient = doctor.Patient(Settings(home=tmp_path, database_url=None), {}, NOW)
    assert list(machine.portals(patient, None)) == [("well", "every portal's file loads", "")]
