"""`python -m tests.flips`: does `archive verify` find every flipped bit?

Makes a small sealed archive (synthetic), flips one bit at a time in a WARC file, in the manifest or
in a value of a row, asks for the verdict, with and without --quick, and puts the bit back. Prints a
table; exit code 1 if a flip was missed or not named.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from storage.capture.captures import Ending
from storage.capture.listings import Entry as Listed
from storage.capture.listings import Look, keep_look
from storage.database import open_for_writing, transact
from storage.evidence.manifest import FOLDER
from storage.evidence.seal import seal
from storage.evidence.verify import verify
from storage.readings.assessments import keep_assessment
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import (
    FindingRecord,
    GridRecord,
    IndicatorRecord,
    keep_reading,
)
from storage.readings.observing import VersionRef
from storage.schema import alert_events, alerts, lifetimes, measures, metadata, withdrawals
from storage.settings import Settings
from tests.databases import NOW, PORTAL, Crawl, exchange, reading
from tests.test_storage_queries import fill

FLIPS, SEED = 1000, 20260306


class Flip(NamedTuple):
    """A bit that was flipped: what kind of thing it is in, and the word that names it."""

    kind: str
    name: str


def sealed_archive(settings: Settings) -> None:
    """Three runs, the last with a revisit and an attempt without an answer; two seals."""
    engine = open_for_writing(settings)
    fill(engine, settings)
    seal(settings, NOW + timedelta(days=10))
    with Crawl(engine, settings.warc_directory, start=NOW + timedelta(days=19)) as crawl:
        edited = crawl.page(b"2019 edited", reading("1", "0", "3", "2"))
        transact(engine, lambda connection: say_more(connection, edited))
        crawl.recorder.answer(crawl.recorder.ask(crawl.attempt()), Ending("dns", error="no host"))
        crawl.capture(exchange(b"", status=404, head=b"HTTP/1.1 404 Not Found\r\n\r\n"))
    seal(settings, NOW + timedelta(days=20), crawl.run_id)
    engine.dispose()


def say_more(connection: sa.Connection, version: VersionRef) -> None:
    """What follows from readings, and what a person says: a row at least of every table."""
    read = replace(
        reading("1", "0", "3", "5"),
        indicators=(
            IndicatorRecord(None, "一", "主动公开", "条", "7", "number", Decimal(7), None),
        ),
        grids=(GridRecord(0, 1, None, (0.0, 9.5), (0.0, 4.0), False, [[["", 0, 0, 1, 1]]]),),
    )
    for hour, parser in ((1, "test/2"), (2, "test/3")):
        at = NOW + timedelta(days=19, hours=hour)
        keep_reading(connection, version.id, replace(read, parser=parser), at)
    late = FindingRecord("T1", "fail", "too late", "逾期", ())
    keep_assessment(connection, version.report_id, "test/3", [1], [late], NOW)
    entry = Entry("王某", "a slip of the pen", "the printed report", NOW)
    path = read.cells[0].path
    correct_cell(connection, version.report_id, path, "2", entry)
    watched(connection, version.report_id)


def watched(connection: sa.Connection, report_id: int) -> None:
    """What should exist, and how the crawl goes: a row of each table."""
    at = {"made_at": NOW, "author": "王某", "reason": "for a while"}
    nb = "http://www.xjtsq.gov.cn/nb.htm"
    rows: list[tuple[sa.Table, dict[str, Any]]] = [
        (withdrawals, {"report_id": report_id, "action": "withdrawn", **at}),
        (withdrawals, {"report_id": report_id, "action": "restored", **at}),
        (
            lifetimes,
            {"organ_id": 1, "begins": "2001-03-01", "becomes": [], "evidence": "a notice"}
            | {"noted_at": NOW},
        ),
        (measures, {"run_id": 1, "portal": PORTAL.key, "template": "vsb article", "counts": {}}),
        (
            alerts,
            {"cause": "blocked tianshan", "kind": "blocked", "portal": PORTAL.key}
            | {"subject": "tianshan", "first_seen": NOW},
        ),
        (alert_events, {"alert_id": 1, "run_id": 1, "at": NOW, "event": "opened"}),
    ]
    for table, row in rows:
        connection.execute(table.insert(), row)
    keep_look(
        connection,
        Look(
            portal=PORTAL.key,
            url=nb,
            title="年报",
            annual=True,
            trail=("政府信息公开", "年报"),
            depth=2,
            run_id=1,
            read_at=NOW,
            scope="whole",
            verdict="complete",
            rule=None,
            reason=None,
            pages=1,
            declared_total=1,
            declared_pages=1,
            captures=(1,),
            entries=(Listed("http://www.xjtsq.gov.cn/info/1.htm", "2019年年报", None, True),),
        ),
    )


@contextmanager
def flipped(settings: Settings, kind: str, chance: random.Random) -> Iterator[Flip]:
    """One bit flipped at random in a `warc` file, in the `manifest` or in a `row`, and put back."""
    if kind == "row":
        assert settings.sqlite_path is not None
        path = settings.sqlite_path
        before = path.read_bytes()
        name = _flip_row(path, chance)
    else:
        folder = settings.warc_directory if kind == "warc" else settings.home / FOLDER
        path = chance.choice(sorted(folder.iterdir()))
        before = path.read_bytes()
        changed = bytearray(before)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        name = path.name
    yield Flip(kind, name)
    path.write_bytes(before)


def found(settings: Settings, flip: Flip, *, quick: bool) -> bool:
    """Whether the verdict names the thing the bit was flipped in."""
    verdict = verify(settings, quick=quick)
    assert verdict is not None
    return any(flip.name in problem.where for problem in verdict.problems)


def _flip_row(path: Path, chance: random.Random) -> str:
    """Flip a bit of a value in the file; the table it is in."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        while True:
            table = chance.choice(sorted(metadata.tables.values(), key=lambda table: table.name))
            column = chance.choice(list(table.columns))
            rows = connection.execute(f"SELECT rowid, {column.name} FROM {table.name}").fetchall()
            row, value = chance.choice(rows)
            is_text, changed = _flip_value(value, bool(column.nullable), chance)
            cast = "CAST(? AS TEXT)" if is_text else "?"
            update = f"UPDATE {table.name} SET {column.name} = {cast} WHERE rowid = ?"
            try:
                connection.execute(update, (changed, row))
            except (sqlite3.IntegrityError, OverflowError):
                continue  # no file can hold this one
            return table.name


def _flip_value(value: Any, nullable: bool, chance: random.Random) -> tuple[bool, Any]:
    """Whether it is the bytes of a text, and the value with one bit flipped; or its NULL-ness."""
    if value is None:
        return True, chance.choice((b"", b"0"))
    if nullable and chance.random() < 0.1:
        return False, None
    if isinstance(value, int):
        return False, value ^ 1 << chance.randrange(31)
    if isinstance(value, float):
        (bits,) = struct.unpack("<Q", struct.pack("<d", value))
        (number,) = struct.unpack("<d", struct.pack("<Q", bits ^ 1 << chance.randrange(64)))
        return False, number
    data = bytearray(value.encode())
    if not data:
        return True, b"\1"
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return True, bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flips", type=int, default=FLIPS)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    tried: Counter[str] = Counter()
    seen: Counter[tuple[str, bool]] = Counter()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), database_url=None)
        sealed_archive(settings)
        for number in range(asked.flips):
            kind = ("warc", "manifest", "row")[number % 3]
            with flipped(settings, kind, chance) as flip:
                tried[kind] += 1
                for quick in (False, True):
                    seen[kind, quick] += found(settings, flip, quick=quick)
        verdict = verify(settings)
    print(f"{'a bit of a':12}{'flipped':>10}{'found':>10}{'--quick':>10}")
    for kind, count in tried.items():
        print(f"{kind:12}{count:>10}{seen[kind, False]:>10}{seen[kind, True]:>10}")
    missed = 2 * tried.total() - seen.total()
    whole = verdict is not None and verdict.sound
    print(f"{missed} missed; with every bit put back the archive is {'' if whole else 'not '}sound")
    return 0 if whole and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
