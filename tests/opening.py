"""All text in a folder, however deep it lies: archives unpacked, columns and databases read."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq


def everything_in(folder: Path) -> str:
    """Of every file, as text; and its bytes, for what is in no format."""
    return "\n".join(
        text for path in sorted(folder.rglob("*")) if path.is_file() for text in _of_file(path)
    )


def _of_file(path: Path) -> Iterator[str]:
    yield path.name
    yield from _of(path.read_bytes())
    if path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist())
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as database:
            yield from database.iterdump()


def _of(content: bytes) -> Iterator[str]:
    yield content.decode("utf-8", "replace")
    if content.startswith(b"\x1f\x8b"):
        yield from _of(gzip.decompress(content))
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as file:
            for name in file.namelist():
                yield name
                yield from _of(file.read(name))
