"""`python -m bench.storage`: bytes a reading, and its time against the raw driver.

Readings of the size of a 2019 report (198 cells, 40 relations), half of them full, half mostly
blank as real ones are. The other side writes one row a cell through the bare driver: executemany
for SQLite, COPY for PostgreSQL. Times are medians of interleaved pairs; only ratios carry over to
another machine.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from storage.database import make_engine, upgrade
from storage.readings.facts import (
    CellRecord,
    FindingRecord,
    FormRecord,
    ReadingRecord,
    store_reading,
)
from storage.schema import captures, metadata, versions
from tests.databases import Crawl, postgresql_server

READINGS = 2000
PAIRS = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = ("readings", "figures", "findings")


def form() -> FormRecord:
    """22 + 23 × 7 + 15 cells, 7 + 7 + 23 + 3 relations."""
    items = [("art20.item1", f"row{n // 3}", f"column{n % 3}") for n in range(22)]
    rows = [("applications", f"denied_row_{r}", f"column_{c}") for r in range(23) for c in range(7)]
    reviews = [("review_litigation", f"block{n // 5}", f"column{n % 5}") for n in range(15)]
    path = "applications.denied_row_1.column_1"
    return FormRecord(
        "2019", (*items, *rows, *reviews), tuple((f"A{n}", (path,) * 8) for n in range(40))
    )


def readings(count: int) -> list[ReadingRecord]:
    """The same ones every time."""
    chance = random.Random(7)
    shape = form()
    return [_reading(chance, shape, full=bool(n % 2)) for n in range(count)]


def _reading(chance: random.Random, shape: FormRecord, *, full: bool) -> ReadingRecord:
    cells = []
    for position, name in enumerate(shape.cells):
        place = (position > 21, 3 + position // 7, 2 + position % 7)
        if full or chance.random() < 0.25:
            value = Decimal(
                chance.choice((0, 0, 0, 1, chance.randrange(20), chance.randrange(9999)))
            )
            state = "number" if value else "zero"
            cells.append(CellRecord(*name, str(value), state, value, None, place))
        else:
            cells.append(CellRecord(*name, "\u00a0", "blank", None, None, place))
    verdict = "pass" if full else "not_assessable"
    verdicts = [FindingRecord(rule, verdict, "", "", paths) for rule, paths in shape.checks]
    failed = FindingRecord(
        shape.checks[0][0], "fail", "自然人: 3 ≠ 4", "自然人：3 ≠ 4", shape.checks[0][1]
    )
    if chance.random() < 0.1:
        verdicts[0] = failed
    return ReadingRecord(
        "2019/1", "2019", "某区人民政府2019年报", shape, tuple(cells), tuple(verdicts), (), ()
    )


@contextmanager
def archive(url: str, directory: Path) -> Iterator[tuple[sa.Engine, list[int]]]:
    """An archive with READINGS + PAIRS versions that nobody has read yet; their ids."""
    engine = make_engine(url)
    with engine.begin() as connection:
        upgrade(connection)
    with Crawl(engine, directory) as crawl:
        first = crawl.page(b"page", None)
    with engine.begin() as connection:
        capture = connection.execute(sa.select(captures.c.id)).scalar_one()
        row: dict[str, Any] = dict(
            connection.execute(sa.select(versions).where(versions.c.id == first.id)).one()._mapping
        )
        del row["id"]
        row["capture_id"] = capture
        more = [{**row, "canonical_digest": str(n)} for n in range(READINGS + PAIRS)]
        connection.execute(versions.insert(), more)
        found = sa.select(versions.c.id).where(versions.c.id != first.id)
        ids = list(connection.execute(found).scalars())
    yield engine, ids
    engine.dispose()


def cost(engine: sa.Engine, ids: list[int]) -> float:
    """Bytes a reading with all its indexes."""
    before = size(engine)
    with engine.begin() as connection:
        for version, reading in zip(ids, readings(READINGS), strict=True):
            store_reading(connection, version, reading, NOW)
    return (size(engine) - before) / READINGS


def size(engine: sa.Engine) -> int:
    """Of the tables a reading goes to; of SQLite the whole file, nothing else grows meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        sizes = [
            connection.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')").scalar_one()
            for name in KEPT
        ]
        return int(sum(sizes))


def race(
    ours: Callable[[int, ReadingRecord], None], raw: Callable[[ReadingRecord], None], ids: list[int]
) -> tuple[float, float]:
    """Median milliseconds of ours and of the raw driver, taking turns."""
    mine, theirs = [], []
    for version, reading in zip(ids, readings(PAIRS), strict=True):
        started = time.perf_counter()
        ours(version, reading)
        between = time.perf_counter()
        raw(reading)
        theirs.append(time.perf_counter() - between)
        mine.append(between - started)
    return median(mine) * 1000, median(theirs) * 1000


def rows(reading: ReadingRecord) -> list[tuple[object, ...]]:
    return [
        (1, c.table, c.row, c.column, c.raw, c.state, None if c.value is None else int(c.value))
        for c in reading.cells
    ]


def storing(engine: sa.Engine) -> Callable[[int, ReadingRecord], None]:
    """In a transaction of its own, as the pipeline does it."""

    def store(version: int, reading: ReadingRecord) -> None:
        with engine.begin() as connection:
            store_reading(connection, version, reading, NOW)

    return store


TABLE = (
    "CREATE TABLE raw_cells (reading INTEGER, t TEXT, r TEXT, c TEXT, raw TEXT, state TEXT, "
    "value NUMERIC)"
)


def on_sqlite(folder: Path) -> None:
    with archive(f"sqlite:///{folder / 'a.sqlite'}", folder) as (engine, ids):
        per_reading = cost(engine, ids[PAIRS:])
        bare = sqlite3.connect(folder / "raw.sqlite", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute(TABLE)

        def raw(reading: ReadingRecord) -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany("INSERT INTO raw_cells VALUES (?,?,?,?,?,?,?)", rows(reading))
            bare.execute("COMMIT")

        say("SQLite", "executemany", per_reading, *race(storing(engine), raw, ids[:PAIRS]))
        bare.close()


def on_postgresql(folder: Path) -> None:
    import psycopg

    with (
        postgresql_server() as url_of,
        archive(url_of("postgres"), folder / "pg") as (engine, ids),
        psycopg.connect(url_of("postgres").replace("+psycopg", "")) as bare,
    ):
        per_reading = cost(engine, ids[PAIRS:])
        bare.execute(TABLE)
        bare.commit()

        def raw(reading: ReadingRecord) -> None:
            with bare.cursor() as cursor, cursor.copy("COPY raw_cells FROM STDIN") as copy:
                for row in rows(reading):
                    copy.write_row(row)
            bare.commit()

        say("PostgreSQL", "COPY", per_reading, *race(storing(engine), raw, ids[:PAIRS]))


def say(name: str, raw_way: str, per_reading: float, ours: float, raw: float) -> None:
    print(
        f"{name}: {per_reading / 1000:.2f} kB a reading; {ours:.2f} ms, "
        f"{raw_way} {raw:.2f} ms, ratio {ours / raw:.2f}"
    )


def main() -> None:
    assert set(KEPT) <= set(metadata.tables)
    with tempfile.TemporaryDirectory() as name:
        on_sqlite(Path(name))
        on_postgresql(Path(name))


if __name__ == "__main__":
    main()
