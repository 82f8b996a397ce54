"""A SQLite file of what may leave: a fresh one, never a copy of the archive's own.

Cells are kept narrow, with a view that lays the report beside them: the digests of a report repeat
two hundred times.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.exports.rows import Value
from storage.exports.source import Source
from storage.exports.tables import Table, tables, words

FILE = "gongkai.sqlite"
# "gong": what `file` and others tell the format by.
_APPLICATION = 0x676F6E67
_TYPES = {"integer": "INTEGER", "number": "NUMERIC", "string": "TEXT", "boolean": "INTEGER"}
# What a cell has from its report, and the view gives back.
_OF_REPORT = ("division_code", "organ", "year", "layout", "reading_id", "version_id",
              "payload_digest", "record_id")  # fmt: skip
_LARGEST = 1 << 63


def write(folder: Path, source: Source) -> None:
    """`gongkai.sqlite`. Raises OSError where there is no room."""
    try:
        with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as database:
            _fill(database, source)
    except sqlite3.OperationalError as error:
        raise OSError(str(error)) from error


def _fill(database: sqlite3.Connection, source: Source) -> None:
    for pragma in ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF",
                   f"application_id = {_APPLICATION}", "user_version = 1"):  # fmt: skip
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    kept = {table.name: _kept(table) for table in tables().values()}
    adds = {}
    for table in tables().values():
        database.execute(_definition(table, kept[table.name]))
        marks = ", ".join("?" * len(kept[table.name]))
        adds[table.name] = f"INSERT INTO {table.name} VALUES ({marks})"
    for name, row in source.tables():
        database.execute(adds[name], [_storable(row[column]) for column in kept[name]])
    _explain(database, source)
    columns = ", ".join(
        f'{"r" if column in _OF_REPORT else "c"}."{column}"' for column in tables()["cells"].names
    )
    database.execute(
        f"CREATE VIEW report_cells AS SELECT {columns} FROM cells c "
        "JOIN reports r USING (report_id)"
    )
    database.execute("CREATE INDEX cells_by_cell ON cells (cell)")
    database.execute("CREATE INDEX reports_by_year ON reports (division_code, organ, year)")
    database.execute("COMMIT")
    database.execute("VACUUM")


def _kept(table: Table) -> list[str]:
    return [name for name in table.names if table.name != "cells" or name not in _OF_REPORT]


def _definition(table: Table, kept: list[str]) -> str:
    types = {column.name: _TYPES[column.type] for column in table.columns}
    columns = [f'"{name}" {types[name]}' for name in kept]
    key = ", ".join(f'"{name}"' for name in table.key)
    return f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({key})) WITHOUT ROWID"


def _storable(value: Value) -> Value:
    """SQLite has integers of eight bytes; the digits of a longer one stand in `raw`."""
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return float(value)
    return value


def _explain(database: sqlite3.Connection, source: Source) -> None:
    database.execute("CREATE TABLE codebook (kind TEXT, name TEXT, zh TEXT, en TEXT)")
    lines = [
        (table.name, column.name, column.zh, column.en)
        for table in tables().values()
        for column in table.columns
    ]
    lines += [(word.kind, word.name, word.zh, word.en) for word in words()]
    database.executemany("INSERT INTO codebook VALUES (?, ?, ?, ?)", lines)
    database.execute("CREATE TABLE about (key TEXT, value TEXT)")
    about = {**source.version, "told_up_to": source.at.isoformat(), **source.wanted.told()}
    database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
