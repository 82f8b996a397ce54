"""The migrations lead exactly to the tables of storage.schema, on both databases, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from storage.database import ROOT, make_engine, upgrade
from storage.schema import REVISION, metadata
from tests.databases import ON_SQLITE


def config(connection: sa.Connection | None = None) -> Config:
    return Config(toml_file=ROOT / "pyproject.toml", attributes={"connection": connection})


def names(connection: sa.Connection) -> tuple[set[str], set[str]]:
    inspector = sa.inspect(connection)
    return set(inspector.get_table_names()), set(inspector.get_view_names())


def test_an_upgraded_database_is_exactly_the_schema(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                # The index of words is none of storage.schema's tables.
                "include_name": lambda name, kind, _: not str(name).startswith("search_"),
            },
        )
        assert compare_metadata(context, metadata) == []
        tables, views = names(connection)
    engine.dispose()
    assert {name for name in tables if not name.startswith("search_")} == {
        *metadata.tables,
        "alembic_version",
    }
    assert views == {
        "cells",
        "report_cells",
        "current_pages",
        "current_readings",
        "current_versions",
        "shown_aliases",
        "shown_reports",
        "shown_versions",
        "withdrawn",
        "withdrawn_versions",
    }


def test_the_comparison_sees_a_missing_column(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        upgrade(connection)
        connection.exec_driver_sql("ALTER TABLE runs DROP COLUMN contact")
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) != []
    engine.dispose()


def test_downgrade_base_leaves_nothing_and_upgrade_works_again(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(config(connection), "base")
        assert names(connection) == ({"alembic_version"}, set())
        upgrade(connection)
        assert set(metadata.tables) <= names(connection)[0]
    engine.dispose()


def test_the_schema_names_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == REVISION


def test_alembic_from_the_shell_uses_the_database_of_the_product(
    empty_database_url: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "GONGKAI_DATABASE_URL": empty_database_url,
        "GONGKAI_HOME": str(tmp_path / "home"),
    }
    for verb in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head"), ("check",)):
        subprocess.run(
            [sys.executable, "-m", "alembic", *verb],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
    engine = make_engine(empty_database_url)
    with engine.connect() as connection:
        assert set(metadata.tables) <= names(connection)[0]
    engine.dispose()


@ON_SQLITE
def test_alembic_without_a_database_url_makes_the_sqlite_archive(
    dialect: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "GONGKAI_HOME": str(tmp_path / "new" / "home")}
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "new" / "home" / "archive.sqlite").is_file(), dialect


def test_an_older_schema_does_not_show_what_was_withdrawn(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    add = sa.text(
        "INSERT INTO withdrawals (id, url, action, author, reason, made_at) "
        "VALUES (:id, 'http://h/1', :action, 'me', 'court', '2026-04-01 00:00:00')"
    )
    with engine.connect() as connection:
        upgrade(connection)
        connection.execute(add, {"id": 1, "action": "withdrawn"})
        connection.commit()
        with pytest.raises(CommandError, match="1 withdrawals are in force"):
            command.downgrade(config(connection), "0003")
        connection.rollback()
        connection.execute(add, {"id": 2, "action": "restored"})
        command.downgrade(config(connection), "0003")
        assert "withdrawals" not in names(connection)[0]
        connection.rollback()
    engine.dispose()
