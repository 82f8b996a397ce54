"""CSV, a file a table: for spreadsheets.

With a byte order mark: without it a spreadsheet under Chinese Windows takes UTF-8 for GBK and shows
mojibake. Programs should take the package, which has none.
"""

from __future__ import annotations

from pathlib import Path

from storage.exports.source import Source
from storage.exports.text import write_tables


def write(folder: Path, source: Source) -> None:
    """A file a table."""
    write_tables(folder, source, "utf-8-sig")
