"""Rows as bytes: one canonical line a row, the same on SQLite and PostgreSQL.

A line is a JSON object of the row's columns by name, in the order of their names, NULL left out, so
that a new empty column changes no line. Times are UTC with microseconds, booleans 0 and 1, JSON is
the text as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from operator import methodcaller
from typing import Any, TypeAlias

import sqlalchemy as sa

from storage.schema import DERIVED, Moment, attempts, captures, metadata

# What is written again after a row was added, by table; every other column is written once. An
# attempt is complete when its run has ended, so it is sealed whole, with its run.
CHANGING: Mapping[str, frozenset[str]] = {
    "portals": frozenset({"division_code", "name_zh", "name_en", "cms", "government"}),
    "aliases": frozenset({"title", "first_seen", "last_seen", "last_outcome"}),
    # Both follow from the observations, and are held against them.
    "versions": frozenset({"first_seen", "last_seen"}),
}

# Sealed run by run, when the run has ended: their rows are completed, or come out of order, till
# then. All others but `runs` and `portals` only grow, and are sealed up to their newest row; what
# follows from other rows can be made anew and is not sealed.
BY_RUN = ("attempts", "observations")
GROWING = tuple(
    name for name in sorted(metadata.tables) if name not in {*BY_RUN, "runs", "portals", *DERIVED}
)

Line: TypeAlias = tuple[int | None, int, bytes]

_MOMENT = "YYYY-MM-DD HH24:MI:SS.US"


def plain(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """The stored value as a number or a text, alike on both databases and never interpreted.

    SQLite gives what lies in the file, so that a value which is no time any more can be told.
    """
    if dialect == "sqlite":
        return sa.type_coerce(column, sa.types.NullType())
    if isinstance(column.type, Moment):
        return sa.func.to_char(sa.func.timezone("UTC", column), _MOMENT)
    if isinstance(column.type, sa.Boolean):
        return sa.cast(column, sa.Integer)
    if isinstance(column.type, sa.JSON):
        return sa.cast(column, sa.Text)
    return column


def encode(row: Mapping[str, Any]) -> bytes:
    """The canonical line of a row; its columns must stand in the order of their names."""
    line = _ENCODER.encode({name: value for name, value in row.items() if value is not None})
    return line.encode("utf-8", "surrogateescape") + b"\n"


def key_of(table: sa.Table) -> sa.Column[Any]:
    """The number by which a table grows: its id, or that of the row its rows belong to."""
    if table.name == "observations":
        return table.c.capture_id
    return next(iter(table.primary_key.columns))


def anchor_of(table: sa.Table) -> sa.Column[Any]:
    """The id whose newest value says how far a table is complete.

    The rows of a reading (of a form, of a start) are committed together with it.
    """
    key = key_of(table)
    return next((reference.column for reference in key.foreign_keys), key)


def lines(
    connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]
) -> Iterator[Line]:
    """Run (None where the table is not sealed by run), key and canonical line of every row.

    In the order of the keys, and of the whole primary key within one.
    """
    dialect = connection.dialect.name
    fixed = sorted(set(table.c.keys()) - CHANGING.get(table.name, frozenset()))
    key = key_of(table)
    run, source = _run_of(table)
    # A key is a number, whatever a damaged file says.
    number = sa.cast(key, sa.BigInteger)
    query = (
        sa.select(run, number, *(plain(table.c[name], dialect) for name in fixed))
        .select_from(source)
        .where(*where)
        .order_by(number, *table.primary_key.columns)
    )
    for row in connection.execute(query, execution_options={"yield_per": 1000}):
        yield row[0], row[1], encode(dict(zip(fixed, row[2:], strict=True)))


def values(
    connection: sa.Connection, table: sa.Table, names: frozenset[str]
) -> dict[str, dict[str, Any]]:
    """Some columns of every row, by its key as text."""
    shown = sorted(names)
    (key,) = table.primary_key.columns
    columns = (plain(table.c[name], connection.dialect.name) for name in shown)
    query = sa.select(plain(key, connection.dialect.name), *columns)
    return {
        str(row[0]): dict(zip(shown, row[1:], strict=True)) for row in connection.execute(query)
    }


def prepare(connection: sa.Connection) -> None:
    """Let SQLite hand out text that is no UTF-8 any more, so that it can be named."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.text_factory = methodcaller("decode", "utf-8", "surrogateescape")


def _run_of(table: sa.Table) -> tuple[sa.ColumnElement[Any], sa.FromClause]:
    if table.name == "attempts":
        return table.c.run_id, table
    if table.name == "observations":
        captured = table.outerjoin(captures, captures.c.id == table.c.capture_id)
        return attempts.c.run_id, captured.outerjoin(
            attempts, attempts.c.id == captures.c.attempt_id
        )
    return sa.null(), table


def _blob(value: object) -> dict[str, str]:
    """A value that is none of the archive's own types, as damage leaves it."""
    return {"blob": value.hex()} if isinstance(value, bytes) else {"other": repr(value)}


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_blob)
