"""Opening the archive: made by writing, never by asking; every refusal names its cure."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import database
from storage.database import is_passing, make_engine, open_for_reading, open_for_writing, transact
from storage.errors import (
    DatabaseUnavailable,
    DirectoryError,
    NotAnArchive,
    SchemaTooNew,
    SchemaTooOld,
    SettingsError,
)
from storage.schema import metadata, portals
from storage.settings import Settings
from tests.databases import ON_POSTGRESQL, PORTAL

ROW = {
    "key": PORTAL.key,
    "division_code": PORTAL.division_code,
    "name_zh": PORTAL.name_zh,
    "name_en": PORTAL.name_en,
    "cms": PORTAL.cms,
    "government": PORTAL.government,
}


def revise(engine: sa.Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :new"), {"new": revision}
        )


def test_writing_to_an_empty_database_makes_the_archive(
    empty_database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "new" / "home", database_url=empty_database_url)
    assert open_for_reading(settings) is None
    engine = open_for_writing(settings)
    assert set(metadata.tables) <= set(sa.inspect(engine).get_table_names())
    engine.dispose()
    open_for_writing(settings).dispose()
    assert settings.warc_directory.is_dir()
    reader = open_for_reading(settings)
    assert reader is not None
    reader.dispose()


def test_two_crawls_that_start_at_once_make_one_archive(
    empty_database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=empty_database_url)
    failures: list[BaseException] = []

    def start() -> None:
        try:
            open_for_writing(settings).dispose()
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_asking_makes_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=None)
    assert open_for_reading(settings) is None
    assert not list(tmp_path.iterdir())


def test_whoever_asks_cannot_write(engine: sa.Engine, settings: Settings) -> None:
    reader = open_for_reading(settings)
    assert reader is not None
    with reader.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        connection.execute(portals.insert().values(**ROW))
    reader.dispose()


def test_a_reference_to_nothing_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql(
            "INSERT INTO organs (division_code, name, kind, portal) VALUES ('1', 'a', 'b', 'no')"
        )


def test_sqlite_is_durable_and_lets_readers_in(tmp_path: Path) -> None:
    engine = open_for_writing(Settings(home=tmp_path, database_url=None))
    with engine.connect() as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    full = 2
    assert said == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 30000,
    }


@pytest.mark.parametrize("opened", [open_for_reading, open_for_writing])
def test_a_newer_schema_asks_for_a_newer_checkout(
    engine: sa.Engine, settings: Settings, opened: object
) -> None:
    assert callable(opened)
    revise(engine, "9999")
    with pytest.raises(SchemaTooNew, match=r"schema 9999.*update the checkout"):
        opened(settings)


def test_an_older_schema_asks_for_the_migration(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "REVISION", "9999")
    with pytest.raises(SchemaTooOld, match="alembic upgrade head"):
        open_for_writing(settings)


def test_a_database_of_somebody_else_is_left_alone(empty_database_url: str, tmp_path: Path) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoices (id INTEGER)")
    engine.dispose()
    settings = Settings(home=tmp_path / "home", database_url=empty_database_url)
    with pytest.raises(NotAnArchive, match="name another database"):
        open_for_writing(settings)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive.sqlite").write_text("a text of some length, but no database at all" * 9)
    settings = Settings(home=tmp_path, database_url=None)
    with pytest.raises(NotAnArchive, match=r"archive.sqlite is not a database"):
        open_for_reading(settings)
    with pytest.raises(NotAnArchive, match=r"archive.sqlite is not a database"):
        open_for_writing(settings)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(home=tmp_path / "file" / "home", database_url=None)
    with pytest.raises(DirectoryError, match=r"cannot make the folder .*GONGKAI_HOME"):
        open_for_writing(settings)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@/gongkai?host={tmp_path}"
    settings = Settings(home=tmp_path / "home", database_url=url)
    for opened in (open_for_writing, open_for_reading):
        with pytest.raises(DatabaseUnavailable, match="see that the server runs") as caught:
            opened(settings)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "gongkai.sqlite", "postgresql+psycopg2://x"]
)
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="give postgresql://"):
        Settings(database_url=url)


def test_the_environment_says_where_the_archive_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GONGKAI_HOME", raising=False)
    assert Settings().url == "sqlite:///var/archive.sqlite"
    monkeypatch.setenv("GONGKAI_HOME", str(tmp_path))
    assert Settings().sqlite_path == tmp_path / "archive.sqlite"
    assert Settings().warc_directory == tmp_path / "warc"
    monkeypatch.setenv("GONGKAI_DATABASE_URL", "postgresql://me@host/gongkai")
    assert Settings().url == "postgresql+psycopg://me@host/gongkai"
    assert Settings().sqlite_path is None


def test_a_passing_trouble_is_outlived(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def work(connection: sa.Connection) -> str:
        connection.execute(portals.insert().values(**ROW))
        calls.append(1)
        if len(calls) < 3:
            raise passing_error()
        return "done"

    monkeypatch.setattr(database, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(database, "_LONGEST_WAIT_S", 0.01)
    assert transact(engine, work) == "done"
    with engine.connect() as connection:
        assert len(connection.execute(sa.select(portals)).all()) == 1


def test_a_trouble_that_stays_is_told_with_its_cure(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_connection: sa.Connection) -> None:
        raise passing_error()

    monkeypatch.setattr(database, "_GIVE_UP_AFTER_S", 0.05)
    monkeypatch.setattr(database, "_FIRST_WAIT_S", 0.01)
    with pytest.raises(DatabaseUnavailable, match=r"database is locked.*start the run again"):
        transact(engine, work)


def test_a_fault_of_ours_is_not_tried_again(engine: sa.Engine) -> None:
    calls = []

    def work(connection: sa.Connection) -> None:
        calls.append(1)
        connection.exec_driver_sql("SELECT nothing FROM nowhere")

    with pytest.raises((sa.exc.ProgrammingError, DatabaseUnavailable)):
        transact(engine, work)
    assert len(calls) == 1


@ON_POSTGRESQL
def test_a_lost_connection_is_made_again(engine: sa.Engine, postgresql_admin: sa.Engine) -> None:
    calls = []

    def work(connection: sa.Connection) -> int:
        calls.append(1)
        if len(calls) == 1:
            mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with postgresql_admin.connect() as admin:
                admin.exec_driver_sql(f"SELECT pg_terminate_backend({mine})")
        return int(connection.exec_driver_sql("SELECT 1").scalar_one())

    assert transact(engine, work) == 1
    assert len(calls) == 2


def passing_error() -> sa.exc.OperationalError:
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = sa.exc.OperationalError("INSERT", {}, locked)
    assert is_passing(error)
    return error
