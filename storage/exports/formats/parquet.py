"""Parquet, a file a table: typed, words as dictionaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.exports.rows import Row
from storage.exports.source import Source
from storage.exports.tables import Table, tables

# Rows that are held before they are written.
_GROUP = 20_000
_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


def write(folder: Path, source: Source) -> None:
    """A file a table; of a number beyond 15 digits `raw` has them all."""
    known = tables()
    waiting: defaultdict[str, list[Row]] = defaultdict(list)
    with ExitStack() as stack:
        writers = {}
        for table in known.values():
            path = folder / f"{table.name}.parquet"
            writer = pq.ParquetWriter(
                path, _schema(table), compression="zstd", use_dictionary=True, version="2.6"
            )
            writers[table.name] = stack.enter_context(writer)
        for name, row in source.tables():
            waiting[name].append(row)
            if len(waiting[name]) == _GROUP:
                writers[name].write_table(_filled(known[name], waiting.pop(name)))
        for name, rows in waiting.items():
            writers[name].write_table(_filled(known[name], rows))


def _schema(table: Table) -> pa.Schema:
    return pa.schema(
        [
            pa.field(column.name, _TYPES[column.type], metadata={"zh": column.zh, "en": column.en})
            for column in table.columns
        ]
    )


def _filled(table: Table, rows: Sequence[Row]) -> pa.Table:
    arrays = []
    for column in table.columns:
        values = [row[column.name] for row in rows]
        if column.type == "number":
            values = [None if value is None else float(value) for value in values]
        arrays.append(pa.array(values, _TYPES[column.type]))
    return pa.Table.from_arrays(arrays, schema=_schema(table))
