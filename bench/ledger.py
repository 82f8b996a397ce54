"""`python -m bench.ledger`: the ledger of a city against a count of the same cells by hand in SQL.

A synthetic archive of nine portals with 30 organs each, 18 reporting years, and looks, attempts and
observations of `--nights` nights. The count by hand joins organs, years and reports and tells
captured from not; the ledger judges each cell and brings its proof. Medians of `--rounds`, taking
turns; the ratio carries over to another machine.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bench.ground import empty_home, race
from storage.database import open_for_writing
from storage.ledger.cells import ledger
from storage.schema import (
    aliases,
    attempts,
    captures,
    listing_changes,
    listing_reads,
    listings,
    observations,
    organs,
    portals,
    readings,
    reports,
    runs,
    starts,
    terms,
    versions,
    warc_files,
)
from storage.settings import Settings

PORTALS, ORGANS, YEARS = 9, 30, range(2008, 2026)
FIRST = datetime(2026, 1, 5, 15, tzinfo=UTC)

BY_HAND = sa.text(
    """
    WITH RECURSIVE years(year) AS (
      SELECT 2008 UNION ALL SELECT year + 1 FROM years WHERE year < 2025
    )
    SELECT o.portal, y.year, count(*), count(DISTINCT r.id),
           count(DISTINCT CASE WHEN s.seen_at <= :at THEN r.id END), max(s.seen_at)
    FROM organs o CROSS JOIN years y
    LEFT JOIN reports r ON r.organ_id = o.id AND r.year = y.year
    LEFT JOIN versions v ON v.report_id = r.id
    LEFT JOIN observations s ON s.version_id = v.id
    GROUP BY o.portal, y.year
    """
)

Row = dict[str, Any]


def fill(connection: sa.Connection, nights: int, chance: random.Random) -> None:
    """Eight of ten cells captured; every night each listing is looked at and a few pages again."""
    rows: dict[sa.Table, list[Row]] = {}
    numbers: Counter[str] = Counter()

    def add(table: sa.Table, **row: Any) -> int:
        rows.setdefault(table, []).append(row)
        numbers[table.name] += 1
        return numbers[table.name]

    def put(*first: sa.Table) -> None:
        for table in first or list(rows):
            if rows.get(table):
                connection.execute(table.insert(), rows.pop(table))

    told = {"software": "gongkai/bench", "contact": "bench@example.org", "config_digest": "c0"}
    held: list[Row] = []
    number = 0
    for p in range(PORTALS):
        key, division = f"portal{p}", f"65010{p}"
        government = f"第{p}区人民政府"
        names = {"name_zh": f"第{p}区", "name_en": f"District {p}", "cms": "vsb"}
        add(portals, key=key, division_code=division, government=government, **names)
        for o in range(ORGANS):
            name, kind = (government, "government") if o == 0 else (f"第{p}区{o}局", "department")
            organ = add(organs, division_code=division, name=name, kind=kind, portal=key)
            for year in YEARS:
                if chance.random() < 0.8:
                    number += 1
                    url = f"http://portal{p}.example/info/{number}.htm"
                    add(reports, organ_id=organ, year=year, kind="annual")
                    held.append({"url": url, "portal": key, "year": year, "id": number})
        for name in ("own", "departments"):
            url = f"http://portal{p}.example/{name}.htm"
            seen = {"first_seen": FIRST, "title": name, "annual": True, "trail": [], "depth": 1}
            add(listings, portal=key, url=url, **seen)
    put()
    runs_row = {"spider": "bench", "state": "complete", **told}
    capture = attempt = read = 0
    for night in range(nights):
        at = FIRST + timedelta(days=night)
        run = add(runs, started_at=at, **runs_row)
        start = add(starts, run_id=run, started_at=at, rehearsal=False, pace=1.0, **told)
        warc = add(warc_files, run_id=run, name=f"{run}.warc.gz")
        for p in range(PORTALS):
            promise = {"delay_s": 3.0, "opens": "22:00", "closes": "09:00", "budget": 5000}
            add(terms, start_id=start, portal=f"portal{p}", timezone="Asia/Shanghai", **promise)
        asked = held if night == 0 else chance.sample(held, len(held) // 100)
        pages = [(f"portal{p}", f"http://portal{p}.example/", "entry") for p in range(PORTALS)]
        pages += [
            (f"portal{p}", f"http://portal{p}.example/{name}.htm", "listing")
            for p in range(PORTALS)
            for name in ("own", "departments")
        ]
        pages += [(each["portal"], each["url"], "report") for each in asked]
        first = capture + 1
        for portal, url, purpose in pages:
            attempt, capture = attempt + 1, capture + 1
            answer = {"url": url, "status": 200, "size": 9}
            add(
                attempts, run_id=run, portal=portal, purpose=purpose, started_at=at, retry=0,
                duration_ms=9, outcome="ok", **answer,
            )  # fmt: skip
            add(
                captures, attempt_id=attempt, fetched_at=at, payload_digest=f"sha256:{capture}",
                warc_file_id=warc, warc_offset=9, warc_length=9, record_id=f"{capture}", **answer,
            )  # fmt: skip
        for listing in range(1, 2 * PORTALS + 1):
            read += 1
            add(
                listing_reads, listing_id=listing, run_id=run, read_at=at, verdict="complete",
                scope="head" if night else "whole", pages=1, entries=9,
                captures=[first + PORTALS + listing - 1],
            )  # fmt: skip
        for place, each in enumerate(asked):
            mine = first + 3 * PORTALS + place
            if night == 0:
                report = {"report_id": each["id"], "part": "page", "name": "", "title": "报告"}
                listing = 2 * int(each["portal"][6:]) + 2
                add(
                    aliases, url=each["url"], first_seen=at, last_seen=at, last_outcome="ok",
                    **report,
                )  # fmt: skip
                add(
                    versions, canonical_digest=f"{each['id']}", canonical_rule="page/2",
                    published=f"{each['year'] + 1}-01-20", media="html", capture_id=mine,
                    first_seen=at, last_seen=at, **report,
                )  # fmt: skip
                add(
                    readings, version_id=each["id"], parser="bench/1", layout="old", verdicts="",
                    unread=0, created_at=at,
                )  # fmt: skip
                add(
                    listing_changes, listing_read_id=listing, position=each["id"], change="added",
                    url=each["url"], title=f"{each['year']}年报告", is_report=True,
                )  # fmt: skip
            add(
                observations, version_id=each["id"], capture_id=mine, alias_id=each["id"],
                seen_at=at,
            )  # fmt: skip
        order = (runs, starts, terms, warc_files, attempts, captures, listing_reads)
        put(*order, aliases, versions, readings, listing_changes, observations)


def compare(engine: sa.Engine, at: datetime, rounds: int) -> tuple[int, list[float]]:
    """Cells, and the median seconds of the ledger and of the count."""
    cells = 0

    def judge() -> None:
        nonlocal cells
        with engine.connect() as connection:
            found = ledger(connection, at=at)
        cells = len(found)
        assert Counter(cell["state"] for cell in found).keys() == {"captured", "absent"}

    def count() -> None:
        with engine.connect() as connection:
            counted = connection.execute(BY_HAND, {"at": at}).all()
        assert sum(row[2] for row in counted) >= cells

    medians = race((judge, count), rounds)
    return cells, medians


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    with empty_home(postgresql=asked.postgresql) as settings:
        measure(settings, asked.nights, asked.rounds)


def measure(settings: Settings, nights: int, rounds: int) -> None:
    engine = open_for_writing(settings)
    with engine.begin() as connection:
        fill(connection, nights, random.Random(7))
    at = datetime(2026, 4, 2, tzinfo=UTC) + timedelta(days=nights)
    at = min(at, datetime(2026, 12, 30, tzinfo=UTC))
    cells, (ours, floor) = compare(engine, at, rounds)
    with engine.connect() as connection:
        counted = connection.execute(sa.select(sa.func.count()).select_from(attempts)).scalar()
    engine.dispose()
    print(
        f"{engine.dialect.name}: {cells} cells, {counted} attempts: ledger {ours * 1000:.0f} ms, "
        f"count by hand {floor * 1000:.0f} ms (ratio {ours / floor:.1f}), "
        f"{ours / cells * 1e6:.0f} µs a cell"
    )


if __name__ == "__main__":
    main()
