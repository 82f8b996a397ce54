"""Opening the archive: to write (makes it if need be) or to read (never makes anything)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError

from storage.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DirectoryError,
    NotAnArchive,
    SchemaTooNew,
    SchemaTooOld,
    SettingsError,
)
from storage.schema import REVISION, dumps, loads
from storage.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

# A crawl commits in milliseconds; 30 s of patience outlasts a backup or a long report.
_BUSY_TIMEOUT_MS = 30_000
# "gongkai" in ASCII: two crawls that start on an empty PostgreSQL migrate it one after the other.
_MIGRATION_LOCK = 0x676F6E676B6169

# PostgreSQL restarts in seconds and fails over within a minute; SQLite has waited its own 30 s
# before it says "locked". After a minute the trouble is no passing one and a person must look.
_GIVE_UP_AFTER_S = 60
# A deadlock costs a tenth of a second, a restarting server is asked every 5 s at most.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0

_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6
# Serialization failure, deadlock, lock not available, too many connections, server going or gone.
_POSTGRESQL_PASSING = ("40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03")

T = TypeVar("T")


def open_for_writing(settings: Settings) -> sa.Engine:
    """An engine on an archive of this checkout's schema; an empty database gets the schema first.

    Raises DirectoryError, DatabaseUnavailable, NotAnArchive, SchemaTooOld, SchemaTooNew.
    """
    make_folders(settings)
    if settings.sqlite_path is not None:
        # SQLite would make it readable to every account. Where it cannot be made, SQLite says why.
        with suppress(OSError):
            os.close(os.open(settings.sqlite_path, os.O_CREAT | os.O_WRONLY, 0o600))
    engine = make_engine(settings.url)
    with _explained(engine):
        # Of several that start at once on a new SQLite file, only one can switch it to WAL; the
        # others are told "locked" without waiting.
        patience = _GIVE_UP_AFTER_S if engine.dialect.name == "sqlite" else 0
        _patient(lambda: _prepare(engine), patience)
    return engine


def open_for_reading(settings: Settings) -> sa.Engine | None:
    """An engine that cannot write, or None where there is no archive yet.

    Raises DatabaseUnavailable, NotAnArchive, SchemaTooOld, SchemaTooNew.
    """
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        return None
    engine = make_engine(settings.url, writing=False)
    with _explained(engine), engine.connect() as connection:
        is_archive = not _is_empty(connection)
        if is_archive:
            _check_schema(connection)
    if is_archive:
        return engine
    engine.dispose()
    return None


def consistent(engine: sa.Engine) -> sa.Engine:
    """The engine with transactions that see one moment of the database."""
    if engine.dialect.name == "sqlite":
        return engine  # as it is
    return engine.execution_options(isolation_level="REPEATABLE READ")


def make_engine(url: str, *, writing: bool = True) -> sa.Engine:
    """An engine set up as the archive needs it; it has not connected yet."""
    try:
        if url.startswith("sqlite"):
            return _sqlite_engine(url, writing)
        return sa.create_engine(
            url,
            json_serializer=dumps,
            json_deserializer=loads,
            connect_args={"connect_timeout": 10},
            execution_options={} if writing else {"postgresql_readonly": True},
        )
    except (sa.exc.ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(f"GONGKAI_DATABASE_URL is not a database address: {error}") from error
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PostgreSQL needs the package {error.name}: "
            "install the extra with `pip install -e '.[postgresql]'`"
        ) from error


def make_folders(settings: Settings) -> None:
    """Make the home, the WARC folder, and the folder of a SQLite file that lies elsewhere.

    Raises DirectoryError.
    """
    folders = [settings.home, settings.warc_directory]
    if settings.sqlite_path is not None:
        folders.append(settings.sqlite_path.parent)
    for folder in folders:
        try:
            is_new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if is_new and folder == settings.warc_directory:
                # The bytes as they came are for who keeps the archive, not for every account here.
                folder.chmod(0o700)
        except OSError as error:
            raise DirectoryError(
                f"cannot make the folder {folder} ({error.strerror}): "
                "make it writable or name another with GONGKAI_HOME"
            ) from error


def transact(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    """`work` done in one transaction of its own, again from the start if it met passing trouble.

    `work` must have no effect but on its connection. Raises DatabaseUnavailable when the database
    cannot do it; any other error of `work` as it is.
    """

    def once() -> T:
        with engine.begin() as connection:
            return work(connection)

    try:
        return _patient(once, _GIVE_UP_AFTER_S)
    except OperationalError as error:
        raise DatabaseUnavailable(
            f"{address(engine)} did not take a commit ({_first_line(error)}): "
            "see that it runs, has room and is not held by another, then start the run again"
        ) from error


def is_passing(error: BaseException) -> bool:
    """Whether doing the same again later can help: a lock, a deadlock, a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (_SQLITE_BUSY, _SQLITE_LOCKED)
    state = getattr(error.orig, "sqlstate", None)
    # No state at all: psycopg could not even connect.
    return isinstance(error, OperationalError) and (
        state is None or state.startswith("08") or state in _POSTGRESQL_PASSING
    )


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Run the migrations up to `revision` in the caller's transaction."""
    from alembic import command

    command.upgrade(_alembic_config(connection), revision)


def address(engine: sa.Engine) -> str:
    """The database as people name it, without password."""
    if engine.dialect.name == "sqlite":
        return f"the database {unquote(str(engine.url.database).removeprefix('file://'))}"
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def sqlite_file(engine: sa.Engine) -> tuple[int, int] | None:
    """Which file lies at the address of a SQLite database; None where none does."""
    named = str(engine.url.database).removeprefix("file://").partition("?")[0]
    path = Path(unquote(named))
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_dev, told.st_ino


def _prepare(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        if _is_empty(connection):
            upgrade(connection)
        else:
            _check_schema(connection)


def _patient(once: Callable[[], T], give_up_after_s: float) -> T:
    """tenacity is imported here because only writers need it."""
    from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential_jitter

    guarded = retry(
        retry=retry_if_exception(is_passing),
        stop=stop_after_delay(give_up_after_s),
        # Jitter parts two crawls that collided.
        wait=wait_exponential_jitter(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
        reraise=True,
    )
    return guarded(once)()


def _sqlite_engine(url: str, writing: bool) -> sa.Engine:
    # `rw` opens but never creates; an archive to be read must not come to be by asking.
    mode = "rwc" if writing else "rw"
    path = Path(url.removeprefix("sqlite:///")).absolute().as_uri()
    engine = sa.create_engine(
        f"sqlite:///{path}?mode={mode}&uri=true", json_serializer=dumps, json_deserializer=loads
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # The driver's own transactions start at the first INSERT and leave DDL outside; ours begin
        # where SQLAlchemy says so, below.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        if writing:
            connection.execute("PRAGMA journal_mode = WAL")
            # WAL's default, NORMAL, may lose the last commits with the power.
            connection.execute("PRAGMA synchronous = FULL")
        else:
            record.info["file"] = sqlite_file(engine)
            connection.execute("PRAGMA query_only = ON")

    @sa.event.listens_for(engine, "checkout")
    def is_still_there(_connection: Any, record: Any, _proxy: Any) -> None:
        # An open file is read on when another took its place, and what is withdrawn there is shown.
        if not writing and record.info.get("file") != sqlite_file(engine):
            raise sa.exc.DisconnectionError

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction that first reads and then writes fails at once when another crawl
        # wrote in between; an immediate one waits its turn.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _is_empty(connection: sa.Connection) -> bool:
    return not sa.inspect(connection).get_table_names()


def _check_schema(connection: sa.Connection) -> None:
    where = address(connection.engine)
    if not sa.inspect(connection).has_table("alembic_version"):
        raise NotAnArchive(
            f"{where} holds other tables and no archive: name another database with "
            "GONGKAI_DATABASE_URL"
        )
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if revision == REVISION:
        return
    if revision is None or _is_known(revision):
        raise SchemaTooOld(f"{where} has an older schema: run `alembic upgrade head`, then again")
    raise SchemaTooNew(
        f"{where} has schema {revision}, this checkout knows {REVISION} and older: "
        "this checkout is older than the database, update the checkout"
    )


def _is_known(revision: str) -> bool:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic_config(None))
    return revision in {script.revision for script in scripts.walk_revisions()}


def _alembic_config(connection: sa.Connection | None) -> Any:
    from alembic.config import Config

    return Config(toml_file=ROOT / "pyproject.toml", attributes={"connection": connection})


def _first_line(error: DBAPIError) -> str:
    """What the driver says, without the page of advice PostgreSQL appends."""
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0]


@contextmanager
def _explained(engine: sa.Engine) -> Iterator[None]:
    """Turns what the driver raises while opening into one line with the cure."""
    try:
        yield
    except DatabaseError:
        engine.dispose()
        raise
    except DBAPIError as error:
        engine.dispose()
        said, where = _first_line(error), address(engine)
        if "not a database" in said:
            raise NotAnArchive(
                f"{where} is not a database: move the file away or name another"
            ) from error
        cure = (
            "see that the file and its folder are writable and not in use"
            if engine.dialect.name == "sqlite"
            else "see that the server runs and GONGKAI_DATABASE_URL is right"
        )
        raise DatabaseUnavailable(f"cannot open {where} ({said}): {cure}") from error
