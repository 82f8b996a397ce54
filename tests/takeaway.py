"""`python -m tests.takeaway [--home DIR] [--pywb]`: that what is shown and taken is what is held.

On a copy of a crawled archive, or on a synthetic one, with corrections, a withdrawn report and a
number of a person planted: two exports of every format are byte-identical; frictionless validates
the package, py-wacz the WACZ; every cell equals the database, asked by plain SQL, in the report's
page, the JSON API, CSV, package, XLSX, Parquet, JSON Lines and SQLite, and a sample of them in its
own page and with its provenance. With `--pywb` (installed into a folder that is thrown away; never
imported) a page and a file are replayed on loopback and compared with the captures by digest. Exit
code 1 for any difference.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import lxml.html
import pyarrow.parquet as pq
import sqlalchemy as sa
from frictionless import validate
from python_calamine import CalamineWorkbook
from starlette.testclient import TestClient

from storage.care.personal import find, masked
from storage.care.withdrawals import Thing, withdraw
from storage.database import consistent, open_for_reading, open_for_writing
from storage.evidence.seal import seal
from storage.explorer.api.ways import BASE
from storage.explorer.app import make_app
from storage.exports.formats import xlsx
from storage.exports.source import Selection
from storage.exports.taking import export, formats
from storage.exports.text import plain
from storage.readings.corrections import Entry, correct_cell
from storage.readings.printed import sheets
from storage.schema import captures
from storage.settings import Settings
from tests.databases import Crawl, key, reading
from tests.replay_proof import Tools, replay, second_of
from tests.stocked import stocked

# Of a person, and of nobody: planted in a title, a cell and the prose.
PERSONAL = "13912345678"
_PLANTED = "合成局"
# What persons hold against cells: a number, a zero, a blank, a dash.
_HELD = ("424242", "0", "", "-")

# division, organ, year, cell
Key: TypeAlias = tuple[str, str, int, str]


class Said(NamedTuple):
    """A cell; what a way does not tell is None on both sides. `version`: that it was read from."""

    raw: str | None
    state: str
    value: float | None
    corrected: str | None
    corrected_value: float | None
    version: int | None


class Way(NamedTuple):
    """A way on which cells leave. `tells`: what of a cell; `asked`: which, None for all."""

    name: str
    cells: Mapping[Key, Said]
    tells: Callable[[Said], Said]
    asked: Collection[Key] | None = None


def main() -> int:
    """0 when nothing differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, help="a crawled archive (SQLite); it is copied")
    parser.add_argument("--reports", type=int, default=24, help="of the synthetic archive")
    parser.add_argument("--sample", type=int, default=200, help="cells whose own page is looked at")
    parser.add_argument("--pywb", action="store_true", help="replay with pywb as well")
    parser.add_argument("--tools", type=Path, help="where pywb is, or is to be installed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gongkai-takeaway-") as name:
        wrong = 0
        for each in differences(Path(name), asked):
            print(f"WRONG: {each}")
            wrong += 1
    print(f"{wrong} differences")
    return 1 if wrong else 0


def differences(folder: Path, asked: argparse.Namespace) -> Iterator[str]:
    """Every difference."""
    settings = Settings(home=folder / "home", database_url=None)
    if asked.home is None:
        stocked(settings, asked.reports).dispose()
    else:
        shutil.copytree(asked.home, settings.home)
    gone = plant(settings)
    engine = open_for_reading(settings)
    assert engine is not None
    with consistent(engine).connect() as connection:
        yield from twice(connection, settings, folder)
        yield from valid(folder / "one")
        held = in_database(connection)
        for each in (*in_exports(folder / "one"), *shown(engine, settings, held, asked.sample)):
            yield from compared(held, each)
        yield from hidden(engine, settings, gone)
        yield from led(connection, engine, settings, sample(held, asked.sample))
        if asked.pywb:
            yield from replayed(connection, folder, Tools(asked.tools or folder / "tools"))
    engine.dispose()


def plant(settings: Settings) -> tuple[str, str, int]:
    """Corrections, a report with a number of a person, and a withdrawn report: that one's key."""
    engine = open_for_writing(settings)
    at = datetime.now(UTC)
    with Crawl(engine, settings.warc_directory, start=at) as crawl:
        read = replace(reading(PERSONAL, "1", "", "3"), sections=(("", PERSONAL),))
        of = key(_PLANTED, 2022, "department")
        url = "http://www.xjtsq.gov.cn/info/3168/synthetic.htm"
        crawl.page(b"<p>synthetic</p>", read, report=of, url=url, title=f"合成 {PERSONAL}")
    with engine.begin() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT report_id, division_code, organ, year, min(table_key || '.' || row_key "
                "|| '.' || column_key) FROM report_cells WHERE is_current = 1 AND state = 'number' "
                "AND organ <> :planted GROUP BY report_id, division_code, organ, year "
                "ORDER BY report_id"
            ),
            {"planted": _PLANTED},
        ).all()
        *corrected, last = rows[: len(_HELD) + 1]
        for row, raw in zip(corrected, _HELD, strict=True):
            correct_cell(connection, row[0], row[4], raw, Entry("me", "a proof", "nowhere", at))
        withdraw(connection, Thing(report_id=last[0]), "me", "a proof", at)
    engine.dispose()
    seal(settings, datetime.now(UTC), accept="planted for a proof")
    return last[1], last[2], last[3]


def twice(connection: sa.Connection, settings: Settings, folder: Path) -> Iterator[str]:
    """Every format, two times."""
    for form in formats():
        began = time.monotonic()
        for time_ in ("one", "two"):
            export(connection, settings, form, folder / time_ / form, Selection())
        one, two = (_digests(folder / time_ / form) for time_ in ("one", "two"))
        print(f"{form}: {len(one)} files, twice in {time.monotonic() - began:.1f} s")
        if one != two:
            yield f"two exports of {form} differ"


def valid(out: Path) -> Iterator[str]:
    """By the validators of others."""
    report = validate(str(out / "package" / "datapackage.json"))
    print(f"frictionless: {'valid' if report.valid else 'not valid'}")
    if not report.valid:
        yield str(report.flatten(["type", "note"]))
    files = sorted((out / "wacz").glob("*.wacz"))
    # In a process of its own: it prints, and changes how others log.
    command = (
        "import sys; from wacz.main import main\n"
        "for each in sys.argv[1:]:\n"
        "    if main(['validate', '-f', each]):\n"
        "        sys.exit(f'{each} is no valid WACZ')"
    )
    asked = [sys.executable, "-c", command, *map(str, files)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    print(f"py-wacz: {len(files)} files {'not ' if done.returncode else ''}valid")
    if done.returncode:
        yield done.stderr


def in_database(connection: sa.Connection) -> dict[Key, Said]:
    """As the view says it; numbers of persons are stars, and no figures."""
    query = (
        "SELECT division_code, organ, year, table_key, row_key, column_key, raw, state, value, "
        "corrected_raw, corrected_value, version_id FROM report_cells WHERE is_current = 1"
    )
    held: dict[Key, Said] = {}
    for row in connection.execute(sa.text(query)):
        cell = (row[0], row[1], row[2], ".".join(row[3:6]))
        assert cell not in held, cell
        value = None if find(row.raw) else _number(row.value)
        corrected = (row.corrected_raw, _number(row.corrected_value))
        held[cell] = Said(masked(row.raw), row.state, value, *corrected, row.version_id)
    return held


def sample(held: Mapping[Key, Said], most: int) -> list[Key]:
    """So many cells: every one that is corrected or has stars, the others evenly from all."""
    keys = sorted(held)
    special = [each for each in keys if held[each].corrected is not None or "*" in str(held[each])]
    return list(dict.fromkeys([*special, *keys[:: max(1, len(keys) // most)]]))[:most]


def compared(held: Mapping[Key, Said], way: Way) -> Iterator[str]:
    """What differs: what is missing, what is more, what is said otherwise."""
    wanted = {each: way.tells(held[each]) for each in (held if way.asked is None else way.asked)}
    other = [each for each in wanted if way.cells.get(each) != wanted[each]]
    print(f"{way.name}: {len(wanted) - len(other)} of {len(wanted)} cells equal the database")
    for each in other[:5]:
        yield f"{way.name}: {each} is {wanted[each]}, it says {way.cells.get(each)}"
    if len(other) > 5:
        yield f"{way.name}: {len(other) - 5} cells more differ"
    if more := way.cells.keys() - wanted.keys():
        yield f"{way.name}: {len(more)} cells that the database has not, such as {min(more)}"


# --- exports, read with other tools than wrote them ---------------------------------------------


def in_exports(out: Path) -> Iterator[Way]:
    """Format by format."""
    for form, encoding in (("csv", "utf-8-sig"), ("package", "utf-8")):
        with (out / form / "cells.csv").open(encoding=encoding, newline="") as file:
            yield Way(form, dict(map(_of_csv, csv.DictReader(file))), whole)
    rows = pq.read_table(out / "parquet" / "cells.parquet").to_pylist()
    yield Way("parquet", dict(map(_of_row, rows)), whole)
    with closing(sqlite3.connect(out / "sqlite" / "gongkai.sqlite")) as database:
        database.row_factory = sqlite3.Row
        found = map(dict, database.execute("SELECT * FROM report_cells"))
        yield Way("sqlite", dict(map(_of_row, found)), whole)
    lines = (out / "jsonl" / "reports.jsonl").read_text("utf-8").splitlines()
    told = {
        cell: said
        for each in map(json.loads, lines)
        for cell, said in _of_report(each, each["keys"]["version_id"])
    }
    yield Way("jsonl", told, whole)
    yield Way("xlsx", _sheets(out / "xlsx" / xlsx.FILE), on_a_sheet)


def whole(said: Said) -> Said:
    """All of it."""
    return said


def on_a_sheet(said: Said) -> Said:
    """Of a number its value alone; of a correction how it reads."""
    raw = said.raw if said.state in ("dash", "text") else None
    return said._replace(raw=raw, corrected_value=None)


def _of_csv(row: Mapping[str, str]) -> tuple[Key, Said]:
    told: dict[str, Any] = {name: plain(text) for name, text in row.items()}
    if not row["corrected_state"]:
        told["corrected_raw"] = None
    return _of_row(told)


def _of_row(row: Mapping[str, Any]) -> tuple[Key, Said]:
    corrected = (row["corrected_raw"], _number(row["corrected_value"]))
    cell = (row["division_code"], row["organ"], int(row["year"]), row["cell"])
    version = int(row["version_id"])
    return cell, Said(row["raw"], row["state"], _number(row["value"]), *corrected, version)


def _of_report(told: Mapping[str, Any], version: int | None) -> Iterator[tuple[Key, Said]]:
    """As `archive report --json` has it."""
    for cell in told["cells"]:
        held = cell["correction"] or {"raw": None, "value": None}
        path = f"{cell['table']}.{cell['row']}.{cell['column']}"
        yield (
            (told["division_code"], told["organ"], told["year"], path),
            Said(
                cell["raw"],
                cell["state"],
                _number(cell["value"]),
                held["raw"],
                _number(held["value"]),
                version,
            ),
        )


def _sheets(path: Path) -> dict[Key, Said]:
    book, cells = CalamineWorkbook.from_path(str(path)), {}
    for table in sheets():
        states = book.get_sheet_by_name(xlsx.states_of(table)).to_python()
        figures = book.get_sheet_by_name(xlsx.sheet_of(table)).to_python()
        head = states[0]
        for figure, state in zip(
            figures[len(figures) - len(states) + 1 :], states[1:], strict=True
        ):
            lead = dict(zip(head, state, strict=True))
            held = _held(str(lead[xlsx.CORRECTIONS]))
            for at in range(len(xlsx.LEADING), len(head) - 1):
                if state[at]:
                    cell = (str(lead["division_code"]), str(lead["organ"]), _whole(lead["year"]))
                    told = figure[at]
                    number = isinstance(told, int | float)
                    cells[*cell, str(head[at])] = Said(
                        None if number or told == "" else str(told),
                        str(state[at]),
                        _number(told) if number else None,
                        held.get(str(head[at])),
                        None,
                        _whole(lead["version_id"]),
                    )
    other = book.get_sheet_by_name(xlsx.OTHER).to_python()
    for line in other[1:]:
        row: dict[str, Any] = dict(zip(map(str, other[0]), line, strict=True))
        if not row["corrected_state"]:
            row |= {"corrected_raw": None, "corrected_value": None}
        empty = {"value": row["value"] if row["value"] != "" else None, "year": _whole(row["year"])}
        at_, said = _of_row(row | empty | {"version_id": _whole(row["version_id"])})
        cells[at_] = on_a_sheet(said)
    return cells


def _held(text: str) -> dict[str, str]:
    """The corrections at the end of a row, by cell."""
    found = {}
    for each in text.split("; ") if text else ():
        path, _, change = each.partition(": ")
        found[path] = change.partition(" → ")[2].rpartition(" (")[0]
    return found


# --- pages and API ------------------------------------------------------------------------------


def shown(
    engine: sa.Engine, settings: Settings, held: Mapping[Key, Said], most: int
) -> Iterator[Way]:
    """The page of every report, the API's answer, and a sample of the pages of cells."""
    on_pages: dict[Key, Said] = {}
    answered: dict[Key, Said] = {}
    links: dict[Key, str] = {}
    with client(engine, settings) as asks:
        for division, organ, year in sorted({each[:3] for each in held}):
            place = f"/reports/{division}/{quote(organ, safe='')}/{year}"
            page: Any = lxml.html.fromstring(asks.get(place).text)
            for figure in page.iterfind(".//td[@id]"):
                cell = (division, organ, year, figure.get("id", "").removeprefix("cell-"))
                on_pages[cell] = _drawn(figure)
                links[cell] = figure.find(".//a[@class='to']").get("href")
            told = asks.get(f"{BASE}{place}").json()["data"]
            answered.update(_of_report(told, None))
        yield Way("page of the report", on_pages, on_a_page)
        yield Way("API, the report", answered, lambda said: said._replace(version=None))
        asked = sample(held, most)
        own = {each: _page_of_cell(asks.get(links[each]).text) for each in asked if each in links}
        yield Way("page of the cell", own, on_its_page, asked)


def client(engine: sa.Engine, settings: Settings) -> TestClient:
    """The explorer with its API, which is to answer as often as it is asked."""
    os.environ["GONGKAI_API_RATE"] = "0"
    return TestClient(make_app(engine, settings))


def on_a_page(said: Said) -> Said:
    """What was published without the space around it; of a correction how it reads."""
    return said._replace(raw=(said.raw or "").strip(), corrected_value=None, version=None)


def on_its_page(said: Said) -> Said:
    """The text to the letter; a zero is written as a number is."""
    state = "number" if said.state == "zero" else said.state
    return said._replace(state=state, corrected_value=None)


def _drawn(figure: Any) -> Said:
    """A cell of a table."""
    state = next(each[3:] for each in figure.get("class").split() if each.startswith("is-"))
    link, held = figure.find(".//a[@class='to']"), figure.find("span[@class='held']")
    text = _written(link)
    published = link.find("span[@class='raw']/q")
    raw = text if published is None else published.text_content()
    corrected = None if held is None else _written(held)
    return Said(raw, state, _figure(state, text), corrected, None, None)


def _page_of_cell(page: str) -> Said:
    tree: Any = lxml.html.fromstring(page)
    large, exact = tree.find(".//dd[@class='large']"), tree.find(".//code[@class='exact']")
    kind = large.find("span").get("class")
    state = "number" if kind == "value" else kind.rpartition("kind-")[2]
    held = tree.find(".//section[@aria-labelledby='correction']/p")
    versions = tree.find(".//section[@aria-labelledby='chain']/dl")
    return Said(
        "" if exact is None else exact.text_content(),
        state,
        _figure(state, _written(large)),
        None if held is None else _written(held),
        None,
        int(versions.find(".//a").text_content()),
    )


def _written(element: Any) -> str:
    """The figure itself, or the text beside the word that stands for it."""
    found = element.find("span[@class='value']")
    if found is None:
        found = element.find("q[@class='raw']")
    return "" if found is None else str(found.text_content())


def _figure(state: str, text: str) -> float | None:
    return _number(text) if state in ("number", "zero") and "*" not in text else None


def hidden(engine: sa.Engine, settings: Settings, gone: tuple[str, str, int]) -> Iterator[str]:
    """A withdrawn report is gone from page and API, and the planted number is on neither."""
    division, organ, year = gone
    place = f"/reports/{division}/{quote(organ, safe='')}/{year}"
    planted = f"/reports/650102/{quote(_PLANTED, safe='')}/2022"
    with client(engine, settings) as asks:
        for path in (place, f"{BASE}{place}"):
            if asks.get(path).status_code != 410:
                yield f"{path} is withdrawn and answers"
        for path in (planted, f"{BASE}{planted}"):
            text = asks.get(path).text
            if PERSONAL in text or masked(PERSONAL) not in text:
                yield f"{path} shows the number of a person"


def led(
    connection: sa.Connection, engine: sa.Engine, settings: Settings, keys: Collection[Key]
) -> Iterator[str]:
    """Of a sample of cells the API leads to the version, the reading and the first record."""
    first = sa.text(
        "SELECT r.version_id, r.reading_id, r.raw, c.payload_digest, c.record_id, w.name, "
        "c.warc_offset, c.warc_length FROM report_cells r JOIN versions v ON v.id = r.version_id "
        "JOIN captures c ON c.id = v.capture_id JOIN warc_files w ON w.id = c.warc_file_id "
        "WHERE r.is_current = 1 AND r.division_code = :division AND r.organ = :organ "
        "AND r.year = :year AND r.table_key || '.' || r.row_key || '.' || r.column_key = :cell"
    )
    same = 0
    with client(engine, settings) as asks:
        for each in keys:
            asked = dict(zip(("division", "organ", "year", "cell"), each, strict=True))
            row = connection.execute(first, asked).one()
            division, organ, year, path = each
            address = f"{BASE}/cells/{division}/{quote(organ, safe='')}/{year}/{path}"
            told = asks.get(address).json()["data"]
            found = {
                (told["version"]["id"], told["reading"]["id"], told["cell"]["raw"],
                 capture["payload_digest"], *(capture["record"][name] for name in (
                     "record_id", "warc_file", "offset", "length")))
                for capture in told["captures"]
            }  # fmt: skip
            wanted = (row[0], row[1], masked(row[2]), *row[3:])
            if wanted in found:
                same += 1
            else:
                yield f"API, provenance: {each} is {wanted}, it says {found}"
    print(f"API, provenance: {same} of {len(keys)} cells lead to version, reading and record")


# --- replay -------------------------------------------------------------------------------------


def replayed(connection: sa.Connection, folder: Path, tools: Tools) -> Iterator[str]:
    """A page and a file of a WACZ, through pywb, byte for byte those of the capture."""
    query = sa.text(
        "SELECT v.part, c.url, c.fetched_at, c.payload_digest FROM versions v "
        "JOIN captures c ON c.id = v.capture_id WHERE v.id IN "
        "(SELECT min(id) FROM versions GROUP BY part)"
    ).columns(fetched_at=captures.c.fetched_at.type)
    home = folder / "pywb"
    tools.unpack(sorted((folder / "one" / "wacz").glob("*.wacz")), home)
    with tools.pywb(home) as port:
        for part, url, at, digest in connection.execute(query).all():
            body = replay(port, url, second_of(at)).body
            same = "sha256:" + hashlib.sha256(body).hexdigest() == digest
            print(f"pywb: {part} {url}: {len(body)} bytes, {'same' if same else 'other'} digest")
            if not same:
                yield f"pywb gives {url} otherwise"


def _number(value: object) -> float | None:
    return None if value in (None, "") else float(str(value))


def _whole(value: object) -> int:
    return int(float(str(value)))


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
