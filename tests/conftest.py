"""Every test that touches the database runs on SQLite and on PostgreSQL, from a wheel, no set-up.

One PostgreSQL starts for the session, on a unix socket in a temporary folder, when the first test
asks for it, and stops with the session. The schema is migrated once a database kind; every test
begins with an empty archive.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.database import make_engine, open_for_writing, upgrade
from storage.schema import REVISION, metadata
from storage.settings import Settings
from tests.databases import postgresql_server

_numbers = count(1)
_MEMORY = Path("/dev/shm")


def pytest_configure() -> None:
    """Archives of tests lie in memory where that can be: they need not survive a power cut.

    The product syncs several times a request, and on a busy disk that is all a test waits for.
    """
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4_000_000_000:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture(autouse=True)
def _no_archive_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that is exported in the developer's shell reaches a test."""
    monkeypatch.delenv("GONGKAI_DATABASE_URL", raising=False)
    monkeypatch.setenv("GONGKAI_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[str], str]]:
    """Database name → URL, on a server of this session."""
    with postgresql_server() as url_of:
        yield url_of


@pytest.fixture(scope="session")
def postgresql_admin(postgresql: Callable[[str], str]) -> Iterator[sa.Engine]:
    """The server's own database, to make others or to end their connections."""
    admin = sa.create_engine(postgresql("postgres"), isolation_level="AUTOCOMMIT")
    yield admin
    admin.dispose()


@pytest.fixture(scope="session")
def new_postgresql(
    postgresql: Callable[[str], str], postgresql_admin: sa.Engine
) -> Callable[[], str]:
    """Make a database without tables; its URL."""

    def make() -> str:
        name = f"t{next(_numbers)}"
        with postgresql_admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return postgresql(name)

    return make


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite archive."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_archive(new_postgresql: Callable[[], str]) -> str:
    """A migrated PostgreSQL archive, emptied for each test: a new database costs half a second."""
    url = new_postgresql()
    _migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both databases, one after the other."""
    return str(request.param)


@pytest.fixture
def empty_database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    return str(request.getfixturevalue("new_postgresql")())


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty archive of this checkout's schema, this test's own."""
    if dialect == "sqlite":
        path = tmp_path / "archive.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url = str(request.getfixturevalue("postgresql_archive"))
    _empty(url)
    return url


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The product's settings for this test; its environment says the same."""
    monkeypatch.setenv("GONGKAI_DATABASE_URL", database_url)
    return Settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """The archive opened for writing."""
    engine = open_for_writing(settings)
    yield engine
    engine.dispose()


def _migrate(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        upgrade(connection)
    # Closing the last connection folds SQLite's write-ahead log into the file to be copied.
    engine.dispose()


def _empty(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        # A test that left a connection open fails the next one here instead of hanging it.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        # TRUNCATE makes each table's files anew, full or not: a fifth of a second a test.
        tables = [*metadata.tables, "search_texts", "search_words"]
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("; ".join(f"DELETE FROM {table}" for table in tables))
        connection.exec_driver_sql(
            "SELECT setval(quote_ident(sequencename)::regclass, 1, false)"
            " FROM pg_sequences WHERE last_value IS NOT NULL"
        )
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{REVISION}'")
    engine.dispose()
