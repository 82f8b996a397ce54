"""An archive as large as wished: the cities of a crawled one, again and again under other names.

Every row that leads from a portal to a cell is copied with keys of its own; runs, forms and WARC
files are shared, so that the bytes behind a copied capture are those of its first. Synthetic.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

# In an order in which a row finds what it leads to.
_TABLES: Mapping[str, Mapping[str, str]] = {
    "portals": {},
    "organs": {"portal": "portals"},
    "attempts": {"portal": "portals"},
    "captures": {"attempt_id": "attempts", "revisit_of": "captures"},
    "reports": {"organ_id": "organs"},
    "aliases": {"report_id": "reports"},
    "versions": {"report_id": "reports", "capture_id": "captures"},
    "observations": {"version_id": "versions", "capture_id": "captures", "alias_id": "aliases"},
    "readings": {"version_id": "versions"},
    "figures": {"reading_id": "readings"},
    "findings": {"reading_id": "readings"},
    "sections": {"reading_id": "readings"},
    "indicators": {"reading_id": "readings"},
    "assessments": {"report_id": "reports", "readings": "readings"},
    "assessment_findings": {"assessment_id": "assessments"},
    "listings": {"portal": "portals"},
    "listing_reads": {"listing_id": "listings", "captures": "captures"},
    "listing_changes": {"listing_read_id": "listing_reads"},
}
_TEXTS = {"name", "title", "text", "heading", "body_title", "government", "name_zh"}
_CITY, _SYLLABLES = "乌鲁木齐", "安宁长平永和清河文昌新丰兴隆石泉金山云岭海林凤阳龙"


def crowd(source: Path, home: Path, versions: int) -> Path:
    """The archive in `source` as often as it takes for so many versions; a new one in `home`."""
    home.mkdir(parents=True)
    (home / "warc").symlink_to((source / "warc").resolve())
    file = home / "archive.sqlite"
    shutil.copy(source / "archive.sqlite", file)
    file.chmod(0o600)
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        _multiply(connection, versions)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    environment = os.environ | {"GONGKAI_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "storage.cli", "reindex"], env=environment, check=True)
    return file


def _multiply(connection: sqlite3.Connection, versions: int) -> None:
    rows = {table: _rows(connection, table) for table in _TABLES}
    steps = {
        table: max((row["id"] for row in held if "id" in row), default=0)
        for table, held in rows.items()
    }
    connection.execute("BEGIN")
    for copy in range(1, -(-versions // len(rows["versions"]))):
        name = _name(copy)
        for table, leads in _TABLES.items():
            if rows[table]:
                made = [_copied(row, leads, steps, table, copy, name) for row in rows[table]]
                _insert(connection, table, made)
    connection.execute("COMMIT")


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT * FROM {table}")
    names = [each[0] for each in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def _copied(
    row: Mapping[str, Any],
    leads: Mapping[str, str],
    steps: Mapping[str, int],
    table: str,
    copy: int,
    name: str,
) -> dict[str, Any]:
    made = dict(row)
    if "id" in made:
        made["id"] += copy * steps[table]
    if table == "portals":
        made["key"] = f"{row['key']}{copy}"
    if "division_code" in made:
        made["division_code"] = f"{1000 + copy}{row['division_code'][4:]}"
    for column, other in leads.items():
        made[column] = _led(row[column], other, copy, steps[other])
    for column in _TEXTS & made.keys():
        if made[column] is not None:
            made[column] = made[column].replace(_CITY, name).replace("天山", name[:2])
    if "url" in made:
        made["url"] = row["url"].replace("://", f"://c{copy}.", 1)
    return made


def _led(value: Any, other: str, copy: int, step: int) -> Any:
    if value is None:
        return None
    if other == "portals":
        return f"{value}{copy}"
    if isinstance(value, str):
        return json.dumps([each + copy * step for each in json.loads(value)])
    return value + copy * step


def _name(copy: int) -> str:
    """Four syllables, another name for each copy."""
    return "".join(Random(copy).sample(_SYLLABLES, 4))


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    connection.executemany(sql, [tuple(row[name] for name in names) for row in rows])
