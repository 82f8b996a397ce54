"""A report as a binary Word file, by the small writer; and, to make fixtures, by LibreOffice.

`python -m tests.rendering.doc` makes those of tests/fixtures/doc anew.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from tests.rendering.word_file import (
    FIRST_ACROSS,
    FIRST_DOWN,
    MORE_ACROSS,
    MORE_DOWN,
    PLAIN,
    Cell,
    Layout,
    WordFile,
)
from tests.replica.report_model import LocalRow, Published, Report
from tests.replica.report_pages import Block, Markup, Slot, anchored, blocks, body_html
from tests.replica.reports import generate, gold_report

FIXTURES = Path(__file__).parents[1] / "fixtures" / "doc"
_WIDTH = 620
# Edges of one column as people drag them: they miss each other by less than a millimetre.
_LOOSE = 18
_SECONDS = 60


def render(report: Report, layout: Layout = PLAIN, long: bool = False) -> bytes:
    """The report's body; `layout` also seeds what people do: how they merge and drag cells.

    `long` prints the items of Article 20 as one table.
    """
    random = Random(f"{report.shape}/{layout.seed}")
    file = WordFile()
    for block in blocks(report, long):
        if block.kind == "table":
            for cells, left in rows(block, random):
                file.row(cells, left)
            file.paragraph("")
        else:
            file.paragraph(block.text, style=1 if block.kind == "heading" else 0)
    return file.bytes(layout)


def rows(block: Block, random: Random) -> Iterator[tuple[list[Cell], int]]:
    """Each row with its left edge: merged cells are wide ones, or several with flags."""
    anchors, width = anchored(block)
    for number in range(len(block.rows)):
        edges = [column * _WIDTH + random.randint(-_LOOSE, _LOOSE) for column in range(width + 1)]
        cells: list[Cell] = []
        for (row, column), slot in sorted(anchors.items(), key=lambda item: item[0][1]):
            if row <= number < row + slot.rows:
                cells += _cells(slot, number > row, edges[column:], random)
        yield cells, edges[0]


def _cells(slot: Slot, below: bool, edges: list[int], random: Random) -> Iterable[Cell]:
    down = 0 if slot.rows == 1 else MORE_DOWN if below else FIRST_DOWN
    text = "" if below else slot.text
    lines = [text.replace("\n", "\x0b")] if random.random() < 0.5 else text.split("\n")
    if slot.cols == 1 or slot.rows > 1 or random.random() < 0.5:
        return [Cell(lines, edges[slot.cols] - edges[0], down)]
    return [
        Cell(
            lines if column == 0 else [""],
            edges[column + 1] - edges[column],
            MORE_ACROSS if column else FIRST_ACROSS,
        )
        for column in range(slot.cols)
    ]


def by_office(report: Report, markup: Markup = "clean") -> bytes:
    """The report as LibreOffice writes it, by way of html and odt. Needs `soffice`."""
    page = body_html(report, markup)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.html").write_text(
            f"<html><head><meta charset='utf-8'></head><body>{page}</body></html>", "utf-8"
        )
        for source, wanted, reading in (
            ("report.html", "odt:writer8", ["--infilter=HTML (StarWriter)"]),
            ("report.odt", "doc:MS Word 97", []),
        ):
            subprocess.run(
                [
                    "soffice",
                    f"-env:UserInstallation={(folder / 'profile').as_uri()}",
                    "--headless",
                    *reading,
                    "--convert-to",
                    wanted,
                    "--outdir",
                    name,
                    str(folder / source),
                ],
                check=True,
                capture_output=True,
                timeout=_SECONDS,
            )
        return (folder / "report.doc").read_bytes()


def fixture(name: str) -> tuple[Report, bytes]:
    """A committed file and the report it holds, as it was generated then."""
    said: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    cells = {
        path: Published(raw, state, None if value is None else Decimal(value))
        for path, (raw, state, value) in said["cells"].items()
    }
    report = Report(
        **said
        | {
            "sections": tuple((head, tuple(texts)) for head, texts in said["sections"]),
            "tables": {int(place): table for place, table in said["tables"].items()},
            "cells": cells,
            "defects": frozenset(said["defects"]),
            "wrong": tuple((rule, key) for rule, key in said["wrong"]),
            "local_rows": tuple(
                LocalRow(table, after, label, tuple(raws))
                for table, after, label, raws in said["local_rows"]
            ),
        }
    )
    return report, (FIXTURES / f"{name}.doc").read_bytes()


def _said(report: Report) -> str:
    """The report as JSON, so that a file stays true when the generator learns something new."""
    held = {
        **{field.name: getattr(report, field.name) for field in fields(report)},
        "cells": {
            path: (cell.raw, cell.state, None if cell.value is None else str(cell.value))
            for path, cell in report.cells.items()
        },
        "defects": sorted(report.defects),
        "labels": {},
        "local_rows": [astuple(row) for row in report.local_rows],
    }
    return json.dumps(held, ensure_ascii=False) + "\n"


def _reports() -> dict[str, tuple[Report, Markup]]:
    """The committed files: which report each holds, and in which hand it was written."""
    organ = "乌鲁木齐市天山区人民政府"
    return {
        "tianshan-2019": (gold_report("tianshan-2019"), "clean"),
        "hangzhou-2025": (gold_report("hangzhou-2025"), "ueditor"),
        "hongze-2024": (gold_report("hongze-2024"), "clean"),
        "generated-2019": (
            generate(11, organ, 2019, "2019", ["blank", "signed", "colspans", "merged_zero"]),
            "ueditor",
        ),
        "generated-2021": (
            generate(12, organ, 2023, "2021", ["dash", "notes", "local_rows", "index_table"]),
            "clean",
        ),
    }


def main() -> None:
    for name, (report, markup) in _reports().items():
        (FIXTURES / f"{name}.doc").write_bytes(by_office(report, markup))
        (FIXTURES / f"{name}.json").write_text(_said(report), "utf-8")


if __name__ == "__main__":
    main()
