"""Find a row by what identifies it, or add it: the one upsert the archive needs.

Statements are built once and kept: building them anew costs as much as SQLite takes to run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa


def find_or_add(
    connection: sa.Connection,
    table: sa.Table,
    identity: Mapping[str, Any],
    others: Mapping[str, Any],
) -> tuple[int, bool]:
    """The id of the row with this identity, and whether it is new; `others` only fill a new one.

    `identity` must be a unique key of the table. Safe against another writer doing the same.
    """
    wanted = _wanted(table, tuple(identity))
    found = connection.execute(wanted, identity).scalar()
    if found is not None:
        return int(found), False
    insert = _insert_if_new(connection.dialect.name, table).returning(table.c.id)
    added = connection.execute(insert, {**identity, **others}).scalar()
    if added is not None:
        return int(added), True
    return int(connection.execute(wanted, identity).scalar_one()), False


def add(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> int:
    """Add a row; its id."""
    return int(connection.execute(_insert(table), row).scalar_one())


def add_if_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Add a row unless one with the same key is there."""
    connection.execute(_insert_if_new(connection.dialect.name, table), row)


@lru_cache(maxsize=64)
def _wanted(table: sa.Table, names: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(table.c.id).where(*(table.c[name] == sa.bindparam(name) for name in names))


@lru_cache(maxsize=64)
def _insert(table: sa.Table) -> Any:
    return table.insert().returning(table.c.id)


@lru_cache(maxsize=64)
def _insert_if_new(dialect: str, table: sa.Table) -> Any:
    """INSERT … ON CONFLICT lives in the dialects; only the one in use is imported."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).on_conflict_do_nothing()
