"""How long a page takes to become checked cells, as a ratio to lxml parsing the same bytes.

    python -m bench.parse [--pairs N]

Each pair times both sides back to back, so that a noisy machine disturbs both alike; the median
ratio is what carries over to another machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import lxml.html

from crawler import forms
from crawler.documents import html
from tests.replica.report_model import Report
from tests.replica.reports import body_html, generate

_SIZE = 92_000
_PAGES = 40


def pages() -> list[bytes]:
    """Synthetic report pages of about 92 kB."""
    layouts = (("2019", 2019), ("2021", 2023))
    return [
        page(generate(seed, "乌鲁木齐市天山区人民政府", layouts[seed % 2][1], layouts[seed % 2][0]))
        for seed in range(_PAGES)
    ]


def page(report: Report) -> bytes:
    """Portal furniture around a paste from Word."""
    menu = "".join(
        f'<li class="nav-item"><a href="/info/{n}.htm">栏目{n}</a></li>' for n in range(150)
    )
    written = (
        f"<html><head><meta charset='utf-8'><title>年报</title></head><body><ul>{menu}</ul>"
        f"<div id='vsb_content'>{body_html(report, 'word')}</div><!--{{filler}}--></body></html>"
    )
    filler = "x" * max(0, _SIZE - len(written.encode()))
    return written.replace("{filler}", filler).encode()


def checked_cells(page: bytes) -> int:
    reading = forms.read(html.read(page))
    return len(reading.cells) + len(reading.checks)


def article_cells(page: bytes) -> int:
    """As the crawl does it: the page is parsed once, the article body handed on."""
    (body,) = lxml.html.fromstring(page).find("body").iterchildren("div")
    return len(forms.read(html.read(body)).cells)


def seconds(task: Callable[[bytes], object], made: list[bytes]) -> float:
    start = time.process_time()
    for page in made:
        task(page)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    made = pages()
    for name, task in (("whole page", checked_cells), ("article body", article_cells)):
        seconds(task, made)
        floors, ratios = [], []
        for _ in range(pairs):
            floor = seconds(lxml.html.fromstring, made)
            floors.append(floor)
            ratios.append(seconds(task, made) / floor)
        print(
            f"{name}: {statistics.median(ratios):.2f} × lxml.html.fromstring "
            f"({1000 * statistics.median(floors) / len(made):.2f} ms a page of "
            f"{sum(map(len, made)) / len(made) / 1000:.0f} kB, {pairs} pairs)"
        )


if __name__ == "__main__":
    main()
