"""`python -m tests.takeaway [--reports N] [--pywb]`: that what is taken away is what is held.

On a synthetic archive: two exports of every format are byte-identical; frictionless validates the
package, py-wacz the WACZ; every cell equals the database in CSV, package, XLSX, Parquet, JSON Lines
and SQLite. With `--pywb` (installed into a folder that is thrown away; never imported) a page and a
file are replayed on loopback and compared with the captures by digest. Exit code 1 for any
difference.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias
from urllib.error import URLError

import pyarrow.parquet as pq
import sqlalchemy as sa
from frictionless import validate
from python_calamine import CalamineWorkbook

from storage.exports.formats import xlsx
from storage.exports.notices import statutory
from storage.exports.source import Selection
from storage.exports.taking import export, formats
from storage.exports.text import plain
from storage.settings import Settings
from tests.stocked import stocked

# organ, year, cell → state, value
Cells: TypeAlias = dict[tuple[str, int, str], tuple[str, float | None]]


def main() -> int:
    """0 when nothing differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=24)
    parser.add_argument("--pywb", action="store_true", help="replay with pywb as well")
    parser.add_argument("--tools", type=Path, help="where pywb is, or is to be installed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gongkai-takeaway-") as name:
        return 1 if list(differences(Path(name), asked)) else 0


def differences(folder: Path, asked: argparse.Namespace) -> Iterator[str]:
    """Every difference, printed as it is found."""
    settings = Settings(home=folder / "home", database_url=None)
    engine = stocked(settings, asked.reports)
    with engine.connect() as connection:
        for each in check(connection, settings, folder):
            print(f"WRONG: {each}")
            yield each
        if asked.pywb:
            for each in replayed(connection, folder, asked.tools or folder / "pywb"):
                print(f"WRONG: {each}")
                yield each
    engine.dispose()


def check(connection: sa.Connection, settings: Settings, folder: Path) -> Iterator[str]:
    """Twice the same; valid; equal to the database."""
    for form in formats():
        began = time.monotonic()
        for time_ in ("one", "two"):
            export(connection, settings, form, folder / time_ / form, Selection())
        one, two = (_digests(folder / time_ / form) for time_ in ("one", "two"))
        print(f"{form}: {len(one)} files, twice in {time.monotonic() - began:.1f} s")
        if one != two:
            yield f"two exports of {form} differ"
    out = folder / "one"
    report = validate(str(out / "package" / "datapackage.json"))
    print(f"frictionless: {'valid' if report.valid else 'not valid'}")
    if not report.valid:
        yield str(report.flatten(["type", "note"]))
    for path in sorted((out / "wacz").glob("*.wacz")):
        command = "import sys; from wacz.main import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", command, "validate", "-f", path],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            yield f"{path.name} is no valid WACZ: {done.stdout.decode()}"
    held = in_database(connection)
    for form, cells in taken(out):
        same = sum(cells.get(key) == said for key, said in held.items())
        print(f"{form}: {same} of {len(held)} cells equal the database")
        if same != len(held) or len(cells) != len(held):
            yield f"{form} differs: {len(cells)} cells"


def in_database(connection: sa.Connection) -> Cells:
    """As the view says it."""
    query = "SELECT organ, year, table_key, row_key, column_key, state, value FROM report_cells "
    return {
        (row[0], row[1], ".".join(row[2:5])): (row[5], _number(row[6]))
        for row in connection.execute(sa.text(query + "WHERE is_current = 1"))
    }


def taken(out: Path) -> Iterator[tuple[str, Cells]]:
    """Format by format, read with other tools than wrote it."""
    for form, encoding in (("csv", "utf-8-sig"), ("package", "utf-8")):
        with (out / form / "cells.csv").open(encoding=encoding, newline="") as file:
            yield (
                form,
                {
                    (plain(row["organ"]), int(row["year"]), row["cell"]): (
                        row["state"],
                        _number(row["value"] or None),
                    )
                    for row in csv.DictReader(file)
                },
            )
    rows = pq.read_table(out / "parquet" / "cells.parquet").to_pylist()
    yield (
        "parquet",
        {(r["organ"], r["year"], r["cell"]): (r["state"], _number(r["value"])) for r in rows},
    )
    with closing(sqlite3.connect(out / "sqlite" / "gongkai.sqlite")) as database:
        query = "SELECT organ, year, cell, state, value FROM report_cells"
        yield "sqlite", {row[:3]: (row[3], _number(row[4])) for row in database.execute(query)}
    lines = (out / "jsonl" / "reports.jsonl").read_text("utf-8").splitlines()
    yield (
        "jsonl",
        {
            (each["organ"], each["year"], f"{c['table']}.{c['row']}.{c['column']}"): (
                c["state"],
                _number(c["value"]),
            )
            for each in map(json.loads, lines)
            for c in each["cells"]
        },
    )
    yield "xlsx", _sheets(out / "xlsx" / xlsx.FILE)


def _sheets(path: Path) -> Cells:
    book, cells = CalamineWorkbook.from_path(str(path)), {}
    for table in statutory():
        states = book.get_sheet_by_name(xlsx.states_of(table)).to_python()
        figures = book.get_sheet_by_name(xlsx.sheet_of(table)).to_python()
        head = states[0]
        for figure, state in zip(
            figures[len(figures) - len(states) + 1 :], states[1:], strict=True
        ):
            for at in range(len(xlsx.LEADING), len(head) - 1):
                if state[at]:
                    value = figure[at] if isinstance(figure[at], int | float) else None
                    key = (str(state[1]), int(str(state[2]).removesuffix(".0")), str(head[at]))
                    cells[key] = (str(state[at]), _number(value))
    return cells


def replayed(connection: sa.Connection, folder: Path, tools: Path) -> Iterator[str]:
    """A page and a file of a WACZ, through pywb, byte for byte those of the capture."""
    if not (tools / "bin" / "wayback").exists():
        venv.create(tools, with_pip=True)
        install = [str(tools / "bin" / "pip"), "install", "-q", "pywb"]
        subprocess.run(install, check=True, capture_output=True)
    run = folder / "collections"
    run.mkdir()
    subprocess.run(
        [tools / "bin" / "wb-manager", "init", "x"], cwd=run, check=True, capture_output=True
    )
    for path in sorted((folder / "one" / "wacz").glob("*.wacz")):
        add = [str(tools / "bin" / "wb-manager"), "add", "--unpack-wacz", "x", str(path)]
        subprocess.run(add, cwd=run, check=True, capture_output=True)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [tools / "bin" / "wayback", "-b", "127.0.0.1", "-p", str(port)],
        cwd=run,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield from _compared(connection, port)
    finally:
        server.terminate()
        server.wait(10)


def _compared(connection: sa.Connection, port: int) -> Iterator[str]:
    query = (
        "SELECT v.part, c.url, c.fetched_at, c.payload_digest FROM versions v "
        "JOIN captures c ON c.id = v.capture_id WHERE v.id IN "
        "(SELECT min(id) FROM versions GROUP BY part)"
    )
    for part, url, at, digest in connection.execute(sa.text(query)).all():
        moment = "".join(sign for sign in str(at)[:19] if sign.isdigit())
        body = _asked(f"http://127.0.0.1:{port}/x/{moment}id_/{url}")
        same = "sha256:" + hashlib.sha256(body).hexdigest() == digest
        print(f"pywb: {part} {url}: {len(body)} bytes, {'same' if same else 'other'} digest")
        if not same:
            yield f"pywb gives {url} otherwise"


def _asked(url: str) -> bytes:
    """Once the server is there."""
    for _ in range(60):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return bytes(answer.read())
        except URLError as error:
            if hasattr(error, "code"):
                return b""
            time.sleep(0.5)
    return b""


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
