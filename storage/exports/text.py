"""CSV that a spreadsheet opens as it is meant: no text becomes a formula, and none is lost."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from storage.exports.rows import Row, Value
from storage.exports.source import Source
from storage.exports.tables import Table, tables

# A spreadsheet takes a text that begins so for a formula, in Chinese ones the wide signs too. The
# mark itself is marked as well, so that taking one away gives every text back.
MARK = "'"
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", MARK)


def guarded(text: str) -> str:
    """With a mark before it where it would be taken for a formula.

    >>> guarded("-"), guarded("12"), guarded("'a")
    ("'-", '12', "''a")
    """
    return MARK + text if text.startswith(DANGEROUS) else text


def plain(text: str) -> str:
    """The text again.

    >>> plain(guarded("-1")), plain("12")
    ('-1', '12')
    """
    return text.removeprefix(MARK)


def as_text(value: Value) -> str:
    """A value as it stands in CSV: nothing, a word, a number that is never guarded, a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else format(value)


@contextmanager
def files(folder: Path, encoding: str) -> Iterator[dict[str, Any]]:
    """A CSV file a table, with its header; name of the table → its writer."""
    with ExitStack() as stack:
        writers = {}
        for table in tables().values():
            path = folder / f"{table.name}.csv"
            file: TextIO = stack.enter_context(path.open("w", encoding=encoding, newline=""))
            writers[table.name] = csv.writer(file, lineterminator="\r\n")
            writers[table.name].writerow(table.names)
        yield writers


def line(table: Table, row: Row) -> list[str]:
    """A row in the order of its table."""
    return [as_text(row[name]) for name in table.names]


def write_tables(folder: Path, source: Source, encoding: str) -> None:
    """Every table as CSV."""
    known = tables()
    with files(folder, encoding) as writers:
        for name, row in source.tables():
            writers[name].writerow(line(known[name], row))
