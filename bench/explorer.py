"""`python -m bench.explorer`: the pages of an archive of 100,000 report versions, by the server.

The archive is the crawled one of `make demo`, again and again under other names (bench.crowd). One
reader asks `archive serve` for one page after the other, each address once, so that no answer is an
older one; then for all of them again. Beside each kind stands what the same figures cost when asked
of the same file by hand in SQL: the ratio carries over to another machine, the milliseconds do not.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote, urlencode

from bench.crowd import crowd

_BOUND_MS = 200
_CELL = ("applications", "new_received", "total")


@dataclass(frozen=True, slots=True)
class Reader:
    """What a kind of page is asked by: an address, and the same by hand."""

    name: str
    address: Callable[[Subject], str]
    sql: str
    by_hand: Callable[[Subject], tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A report that is asked about, and a word."""

    division: str
    organ: str
    organ_id: int
    report_id: int
    reading_id: int
    year: int
    word: str

    @property
    def path(self) -> str:
        return f"{self.division}/{quote(self.organ)}"


READERS = (
    Reader(
        "coverage map of a division",
        lambda each: f"/coverage?{urlencode({'division': each.division})}",
        "SELECT o.name, s.year, s.state, s.published, s.title FROM standing s"
        " JOIN organs o ON o.id = s.organ_id WHERE s.division_code = ? ORDER BY o.name, s.year",
        lambda each: (each.division,),
    ),
    Reader(
        "report",
        lambda each: f"/reports/{each.path}/{each.year}",
        "SELECT c.table_key, c.row_key, c.column_key, c.raw, c.state, c.value FROM cells c"
        " WHERE c.reading_id = ?",
        lambda each: (each.reading_id,),
    ),
    Reader(
        "series of an organ",
        lambda each: f"/organs/{each.path}",
        "SELECT s.year, c.raw, c.state, c.value FROM standing s JOIN cells c"
        " ON c.reading_id = s.reading_id WHERE s.organ_id = ?"
        f" AND c.table_key = '{_CELL[0]}' AND c.row_key = '{_CELL[1]}'"
        f" AND c.column_key = '{_CELL[2]}' ORDER BY s.year",
        lambda each: (each.organ_id,),
    ),
    Reader(
        "search for a word",
        lambda each: f"/search?{urlencode({'q': each.word})}",
        "SELECT x.reading_id FROM sections x WHERE x.text LIKE '%' || ? || '%' LIMIT 20",
        lambda each: (each.word,),
    ),
    Reader(
        "search within a division",
        lambda each: f"/search?{urlencode({'q': each.word, 'division': each.division})}",
        "SELECT x.reading_id FROM standing s JOIN sections x ON x.reading_id = s.reading_id"
        " WHERE s.division_code = ? AND x.text LIKE '%' || ? || '%' LIMIT 20",
        lambda each: (each.division, each.word),
    ),
    Reader(
        "findings of a rule",
        lambda each: f"/findings?{urlencode({'rule': 'A1', 'year': each.year})}",
        "SELECT o.name, s.year, f.rule, f.message FROM standing s JOIN findings f"
        " ON f.reading_id = s.reading_id JOIN organs o ON o.id = s.organ_id"
        " WHERE f.rule = 'A1' AND s.year = ? LIMIT 100",
        lambda each: (each.year,),
    ),
    Reader(
        "findings of a division",
        lambda each: f"/findings?{urlencode({'division': each.division})}",
        "SELECT o.name, s.year, f.rule, f.message FROM standing s JOIN findings f"
        " ON f.reading_id = s.reading_id JOIN organs o ON o.id = s.organ_id"
        " WHERE s.division_code = ? ORDER BY o.name, s.year LIMIT 100",
        lambda each: (each.division,),
    ),
    Reader(
        "overview",
        lambda each: f"/?{urlencode({'lang': 'en', 'n': each.report_id})}",
        "SELECT division_code, year, state, count(*) FROM standing GROUP BY 1, 2, 3",
        lambda _: (),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.explorer", description=__doc__)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=100, help="of each kind")
    parser.add_argument("--demo", type=Path, default=Path("var/demo"), help="a crawled archive")
    parser.add_argument("--archive", type=Path, help="one that this command made before")
    parser.add_argument("--keep", type=Path, help="where to leave the archive")
    told = parser.parse_args()
    folder = told.keep or Path(tempfile.mkdtemp(prefix="explorer-"))
    home = told.archive or folder / "crowd"
    try:
        if told.archive is None:
            if not (told.demo / "archive.sqlite").is_file():
                raise SystemExit(f"{told.demo} holds no archive: `make demo` makes one")
            crowd(told.demo, home, told.versions)
        return 0 if _measure(home, told.pages) else 1
    finally:
        if told.keep is None:
            shutil.rmtree(folder)


def _measure(home: Path, pages: int) -> bool:
    with closing(sqlite3.connect(home / "archive.sqlite")) as connection:
        (versions,) = connection.execute("SELECT count(*) FROM versions").fetchone()
        subjects = list(_subjects(connection, pages))
        print(f"{versions:,} versions; {len(subjects)} pages of each kind; ms by the server")
        print(f"{'':28}{'first':^24}{'again':^16}{'by hand':>9}{'ratio':>8}")
        print(f"{'':28}{'median':>8}{'p95':>8}{'most':>8}{'median':>8}{'p95':>8}")
        held = True
        with _served(home) as ask:
            for reader in READERS:
                addresses = [reader.address(each) for each in subjects]
                first = [ask(address) for address in addresses]
                again = [ask(address) for address in addresses]
                hand = [_by_hand(connection, reader, each) for each in subjects]
                held = held and _p95(first) < _BOUND_MS
                print(
                    f"{reader.name:28}{median(first):8.1f}{_p95(first):8.1f}{max(first):8.1f}"
                    f"{median(again):8.1f}{_p95(again):8.1f}{median(hand):9.2f}"
                    f"{median(first) / median(hand):8.1f}"
                )
    print(f"every first p95 below {_BOUND_MS} ms" if held else f"MISSED: a p95 of {_BOUND_MS} ms")
    return held


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1]


def _by_hand(connection: sqlite3.Connection, reader: Reader, subject: Subject) -> float:
    began = time.perf_counter()
    connection.execute(reader.sql, reader.by_hand(subject)).fetchall()
    return (time.perf_counter() - began) * 1000


def _subjects(connection: sqlite3.Connection, count: int) -> Iterator[Subject]:
    """Reports of all kinds, each of another organ, and two characters of their own text."""
    chance = random.Random(6)
    (last,) = connection.execute("SELECT max(report_id) FROM standing").fetchone()
    met: set[int] = set()
    while len(met) < count:
        row = connection.execute(
            "SELECT s.division_code, o.name, o.id, s.report_id, s.reading_id, s.year"
            " FROM standing s JOIN organs o ON o.id = s.organ_id"
            " WHERE s.report_id >= ? AND s.reading_id IS NOT NULL ORDER BY s.report_id LIMIT 1",
            (chance.randrange(last),),
        ).fetchone()
        if row is None or row[2] in met:
            continue
        met.add(row[2])
        (text,) = connection.execute(
            "SELECT group_concat(text, '') FROM sections WHERE reading_id = ?", row[4:5]
        ).fetchone()
        chinese = "".join(each for each in text or "年度报告" if "\u4e00" <= each <= "\u9fff")
        start = chance.randrange(max(len(chinese) - 1, 1))
        division, organ, organ_id, report_id, reading_id, year = row
        word = chinese[start : start + 2]
        yield Subject(division, organ, organ_id, report_id, reading_id, year, word)


@contextmanager
def _served(home: Path) -> Iterator[Callable[[str], float]]:
    """`archive serve` on a free port of this machine; gives address → milliseconds."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "storage.cli", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=os.environ | {"GONGKAI_HOME": str(home)})
    try:
        connection = _connected(port)

        def ask(address: str) -> float:
            began = time.perf_counter()
            connection.request("GET", address)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"{answer.status} for {address}")
            return (time.perf_counter() - began) * 1000

        yield ask
    finally:
        server.terminate()
        server.wait()


def _connected(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for _ in range(100):
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.2)
        else:
            return connection
    raise SystemExit("archive serve does not answer")


if __name__ == "__main__":
    sys.exit(main())
