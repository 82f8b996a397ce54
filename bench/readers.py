"""How long a file of each kind takes to become a Document, as a ratio to the least a library needs.

    python -m bench.readers [KIND...] [--pairs N]
    python -m bench.readers scan

Each pair times both sides back to back, so that a noisy machine disturbs both alike; the median of
the ratios is what carries over to another machine. A kind is one line of `KINDS`. Scans have no
such floor: of them the seconds a page are told.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lxml.etree
import lxml.html

from bench.parse import page
from crawler.documents.charset import decode
from crawler.documents.opening import open_file
from tests.replica.report_model import Report
from tests.replica.reports import flattened, generate

_FILES = 10
_SCAN = Path(__file__).parents[1] / "tests" / "fixtures" / "scans" / "pages.tif"


class Kind(NamedTuple):
    """`render` makes a file; `floor` does the least that must be done with it; `goal`: the most
    that the ratio is to be, if anything. Heavy libraries are imported when a kind is asked.
    """

    render: Callable[[Report], bytes]
    floor: Callable[[bytes], object]
    floor_name: str
    goal: float | None = None


def _docx(report: Report) -> bytes:
    from tests.rendering import docx

    return docx.render(report, processed=True)


def _xlsx(report: Report) -> bytes:
    from tests.rendering import xlsx

    return xlsx.render(report)


def _xls(report: Report) -> bytes:
    from tests.rendering import xls

    return xls.render(report)


def _markdown(report: Report) -> bytes:
    from tests.rendering import markdown

    return markdown.render(report)


def _pdf(report: Report) -> bytes:
    from tests.rendering import pdf

    return pdf.render(report)


def _doc(report: Report) -> bytes:
    from tests.rendering import doc

    return doc.render(report)


def _document_xml(body: bytes) -> object:
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        return lxml.etree.fromstring(package.read("word/document.xml"))


def _pdfium_text(body: bytes) -> object:
    import pypdfium2

    with pypdfium2.PdfDocument(body) as document:
        return [page.get_textpage().get_text_range() for page in document]


def _streams(body: bytes) -> object:
    from crawler.documents import cfb

    return cfb.streams(body)


def _calamine(body: bytes) -> object:
    from python_calamine import load_workbook

    book = load_workbook(io.BytesIO(body))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


KINDS: dict[str, Kind] = {
    "html": Kind(page, lxml.html.fromstring, "lxml.html", 2.0),
    "txt": Kind(lambda report: flattened(report).encode(), decode, "decoding"),
    "md": Kind(_markdown, decode, "decoding"),
    "docx": Kind(_docx, _document_xml, "lxml on the zip", 1.5),
    "pdf": Kind(_pdf, _pdfium_text, "pypdfium2's text", 2.0),
    "doc": Kind(_doc, _streams, "its streams"),
    "xlsx": Kind(_xlsx, _calamine, "python-calamine"),
    "xls": Kind(_xls, _calamine, "python-calamine"),
}


def milliseconds(task: Callable[[bytes], object], files: list[bytes], rounds: int) -> float:
    """Processor time a file."""
    start = time.process_time()
    for _ in range(rounds):
        for body in files:
            task(body)
    return 1000 * (time.process_time() - start) / len(files) / rounds


def measure(name: str, kind: Kind, pairs: int) -> str:
    """One line: the reader, the floor, and the median of their ratios."""
    reports = (
        generate(seed, "乌鲁木齐市天山区人民政府", *((2019, "2019"), (2023, "2021"))[seed % 2])
        for seed in range(_FILES)
    )
    files = [kind.render(report) for report in reports]

    def read(body: bytes) -> object:
        return open_file(body, f"report.{name}")

    once = max(milliseconds(kind.floor, files, 1), milliseconds(read, files, 1))
    rounds = max(1, round(20 / once / _FILES * 2))
    floors, readers, ratios = [], [], []
    for _ in range(pairs):
        floors.append(milliseconds(kind.floor, files, rounds))
        readers.append(milliseconds(read, files, rounds))
        ratios.append(readers[-1] / floors[-1] if floors[-1] else 0.0)
    size = sum(map(len, files)) / len(files) / 1000
    goal = "" if kind.goal is None else f" (goal ≤ {kind.goal})"
    return (
        f"{name}: {statistics.median(readers):.2f} ms a file of {size:.0f} kB, "
        f"{kind.floor_name} {statistics.median(floors):.2f} ms, "
        f"ratio {statistics.median(ratios):.2f}{goal}, {pairs} pairs"
    )


def seconds_a_page() -> str:
    """One line: what a page of a scan costs once the models are loaded; two threads recognise."""
    body = _SCAN.read_bytes()
    open_file(body, _SCAN.name)
    wall, processor = time.perf_counter(), time.process_time()
    (document,) = open_file(body, _SCAN.name)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    pages = len({block.page for block in document.blocks})
    return f"scan: {wall / pages:.1f} s a page, {processor / pages:.1f} s of processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    if options.kinds == ["scan"]:
        print(seconds_a_page())
        return
    unknown = set(options.kinds) - set(KINDS)
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; use {', '.join(KINDS)}")
    for name in options.kinds or KINDS:
        print(measure(name, KINDS[name], options.pairs), flush=True)


if __name__ == "__main__":
    main()
