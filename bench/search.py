"""`python -m bench.search`: the search against a scan of the same texts with LIKE.

A synthetic archive of `--reports` reports with prose made of a few thousand words, the common ones
more often, indexed by the product. For each of `--words` strings of two to four characters drawn
from the texts, the index must name the same reports as the scan; both are timed taking turns, and
so is the whole question with its excerpts. The ratio carries over to another machine.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import sqlalchemy as sa

from bench.ground import empty_home
from storage.database import open_for_writing
from storage.queries.search import search
from storage.readings.standing import rebuild
from storage.schema import organs, readings, reports, sections, versions
from storage.settings import Settings
from storage.text.folding import folded
from storage.text.search import entries, reindex
from tests.databases import Crawl, reading

YEARS = range(2008, 2026)
_BATCH = 2000


def prose(chance: random.Random, words: list[str]) -> str:
    """Some 1,500 characters in paragraphs."""
    picked = (words[int(len(words) * chance.random() ** 3)] for _ in range(550))
    return "".join(word + chance.choice(("", "", "", "", "，", "。\n")) for word in picked)


def fill(engine: sa.Engine, settings: Settings, count: int, chance: random.Random) -> None:
    """Reports of one page each, as if they had been captured and read; then the index."""
    letters = [chr(0x4E00 + chance.randrange(3000)) for _ in range(1500)]
    words = ["".join(chance.choices(letters, k=chance.choice((1, 2, 2, 3)))) for _ in range(4000)]
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"one", reading())
    with engine.begin() as connection:
        organ, version, read = (
            dict(connection.execute(sa.select(table)).one()._mapping)
            for table in (organs, versions, readings)
        )
        rows: dict[sa.Table, list[dict[str, Any]]] = {}
        for number in range(2, count + 2):
            place, year = divmod(number, len(YEARS))
            if year == 0 or number == 2:
                name = f"第{place}局"
                rows.setdefault(organs, []).append({**organ, "id": place + 2, "name": name})
            of = {"organ_id": place + 2, "year": YEARS[year], "kind": "annual"}
            rows.setdefault(reports, []).append({"id": number, **of})
            seen = {"id": number, "report_id": number, "canonical_digest": str(number)}
            rows.setdefault(versions, []).append({**version, **seen})
            rows.setdefault(readings, []).append({**read, "id": number, "version_id": number})
            text = {"reading_id": number, "position": 0, "heading": "", "text": ""}
            rows.setdefault(sections, []).append({**text, "text": prose(chance, words)})
            if number % _BATCH == 0 or number == count + 1:
                for table, some in rows.items():
                    connection.execute(table.insert(), some)
                rows = {}
        rebuild(connection)
        began = time.perf_counter()
        made = reindex(connection)
        print(f"{made} texts indexed, {(time.perf_counter() - began) / made * 1000:.2f} ms a text")


def in_index(connection: sa.Connection, word: str, most: int) -> set[int]:
    return {row.version_id for row in entries(connection, word, (), None, most)}


def in_rows(connection: sa.Connection, like: sa.Select[Any]) -> set[int]:
    return set(connection.execute(like).scalars())


def first(connection: sa.Connection, word: str) -> set[int]:
    return {hit["version_id"] for hit in search(connection, words=word)["hits"]}


def compare(engine: sa.Engine, chance: random.Random, count: int) -> None:
    """Holds the index against the scan, and says what each takes."""
    s, scanned = sections.c, sa.select(readings.c.version_id).join(sections)
    times: list[list[float]] = [[], [], []]
    hits = 0
    with engine.connect() as connection:
        ids = list(connection.execute(sa.select(s.reading_id)).scalars())
        everything = len(ids)
        for number in range(count):
            of = sa.select(s.text).where(s.reading_id == chance.choice(ids), s.position == 0)
            text = connection.execute(of).scalar_one()
            lines = [line for line in text.splitlines() if len(line) > 5]
            line = chance.choice(lines or ["synthetic"])
            length = 2 + number % 3
            at = chance.randrange(len(line) - length)
            word = line[at : at + length]
            if folded(word) != word:
                continue
            like = scanned.where(s.text.contains(word, autoescape=True))
            asked: tuple[Callable[[], set[int]], ...] = (
                partial(in_index, connection, word, everything),
                partial(in_rows, connection, like),
                partial(first, connection, word),
            )
            told: list[set[int]] = []
            for side, taken in zip(asked, times, strict=True):
                began = time.perf_counter()
                told.append(side())
                taken.append(time.perf_counter() - began)
            assert told[0] == told[1], word
            hits += len(told[0])
    index, scan, whole = (median(taken) * 1000 for taken in times)
    print(
        f"{engine.dialect.name}: {len(times[0])} words, {hits} hits, all and only those of the "
        f"scan; all hits {index:.2f} ms, scan {scan:.1f} ms (ratio {index / scan:.4f}), "
        f"first 20 with excerpts {whole:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    with empty_home(postgresql=asked.postgresql) as settings:
        measure(settings, asked.reports, asked.words)


def measure(settings: Settings, count: int, words: int) -> None:
    engine = open_for_writing(settings)
    chance = random.Random(7)
    fill(engine, settings, count, chance)
    if settings.sqlite_path is not None:
        print(f"{settings.sqlite_path.stat().st_size / 1e6:.0f} MB with everything")
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    compare(engine, chance, words)
    engine.dispose()


if __name__ == "__main__":
    main()
