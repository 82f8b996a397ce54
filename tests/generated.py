"""Generated reports in every kind of file, read by the product and held against their truth.

    python -m tests.generated [--reports 1000] [--first 0] [--kinds html text docx …]

Prints a line a kind: cells a person could read, how many of them are right, left unread, and of
the unread how many a finding does not name; values invented; planted errors found, and errors seen
where none is. Exit code 1 where a value is invented, an unread cell is not named, or fewer than
99.9 % are right.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from random import Random

from crawler.documents.opening import open_file
from crawler.forms.model import Reading, Verdict
from crawler.forms.reading import read
from tests.replica.report_model import Report
from tests.replica.report_pages import Markup
from tests.replica.reports import DEFECTS, RULES, body_html, flattened, generate
from tests.test_generated_reports import IN_RULING, LAYOUTS, ORGANS, is_right, is_unread_note

KINDS = ("html", "text", "md", "docx", "xlsx", "xls", "pdf", "doc")
MODULES = {"md": "markdown"}
LEAST_RIGHT = 0.999
SHOWN = 5

Render = Callable[[Report, int], bytes]
# Where the ruling is lost, these defects leave what no person could read.
LOST = {"text": IN_RULING, "md": frozenset({"merged_zero", "colspans"})}


def html_page(report: Report, number: int) -> bytes:
    markups: tuple[Markup, ...] = ("clean", "word", "ueditor")
    body = body_html(report, markups[number % 3])
    return f"<html><head><meta charset='utf-8'></head><body>{body}</body></html>".encode()


def plain_text(report: Report, _number: int) -> bytes:
    return flattened(report).encode()


def renderer(kind: str) -> Render | None:
    """How a kind is printed, in another manner from report to report; None where nobody can."""
    if kind == "html":
        return html_page
    if kind == "text":
        return plain_text
    module = MODULES.get(kind, kind)
    names = (f"tests.rendering.{module}", f"crawler.documents.{module}")
    if not all(map(find_spec, names)):
        return None
    made = import_module(names[0])

    def render(report: Report, number: int) -> bytes:
        manners = MANNERS.get(kind, [{}])
        given = manners[number % len(manners)]
        options = {key: value(made) if callable(value) else value for key, value in given.items()}
        printed: bytes = made.render(report, **options)
        return printed

    return render


# Manners of printing by kind; what is called is given the renderer's module.
MANNERS: dict[str, list[dict[str, object]]] = {
    "md": [{"merged": "blank"}, {"merged": "repeated"}],
    "docx": [{}, {"processed": True}],
    "xlsx": [{"dialect": "one"}, {"dialect": "many"}],
    "xls": [{"dialect": "one"}, {"dialect": "many"}],
    "pdf": [
        {},
        {"style": lambda made: made.Style(page=made.SIZES["A5"])},
        {"style": lambda made: made.Style(page=made.SIZES["A5"], header=True)},
    ],
    "doc": [{}, {"layout": lambda made: made.Layout(seed=1, piece=500)}],
}


def planted(number: int, kind: str) -> Report:
    """Report `number`: every defect in its turn, up to four more, in half of them broken rules."""
    rng = Random(f"generated/{number}")
    layout = ("2019", "2021")[number % 2]
    names = [name for name in DEFECTS if name not in LOST.get(kind, ())]
    first = names[number // 2 % len(names)]
    defects = [] if number % 10 == 9 else {first, *rng.sample(names, rng.randint(0, 4))}
    wrong = rng.sample(RULES, rng.randint(1, 2)) if rng.random() < 0.5 else []
    organ = ORGANS[number % len(ORGANS)]
    return generate(number, organ, LAYOUTS[layout] + number % 3, layout, sorted(defects), wrong)


class Score:
    """What became of the cells of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cells: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()
        self.reports = 0
        self.examples: list[str] = []

    def add(self, number: int, report: Report, reading: Reading) -> None:
        self.reports += 1
        self.defects.update(report.defects)
        said = {path for finding in reading.findings for path in finding.cells}
        have = {cell.path: cell for cell in reading.cells}
        if set(have) - set(report.cells):
            self._note(number, f"layout {reading.layout} for {report.layout}")
            self.cells["invented"] += sum(
                cell.value is not None for path, cell in have.items() if path not in report.cells
            )
        for path, truth in report.cells.items():
            cell = have.get(path)
            self.cells["readable"] += truth.state != "unread"
            if cell is None or cell.state.value == "unread":
                self.cells["unread"] += truth.state != "unread"
                self.cells["silent"] += path not in said
                if truth.state != "unread":
                    self._note(number, f"unread {path} {truth.raw!r} {sorted(report.defects)}")
            elif is_right(cell, truth):
                self.cells["right"] += 1
            elif is_unread_note(cell, truth) or (cell.state.value == "text" and path in said):
                self.cells["unread"] += 1
                self._note(number, f"words {path} {cell.raw!r} for {truth.raw!r}")
            else:
                self.cells["invented"] += 1
                self._note(number, f"INVENTED {path} {cell.raw!r} for {truth.raw!r}")
        failed = Counter(c.rule for c in reading.checks if c.verdict is Verdict.FAIL)
        wrong = Counter(rule for rule, _ in report.wrong)
        self.cells["planted"] += wrong.total()
        self.cells["found"] += (wrong & failed).total()
        self.cells["false"] += (failed - wrong).total()

    def _note(self, number: int, what: str) -> None:
        if len(self.examples) < SHOWN:
            self.examples.append(f"  report {number}: {what}")

    @property
    def is_good(self) -> bool:
        right = self.cells["right"] >= LEAST_RIGHT * self.cells["readable"]
        return right and not (self.cells["invented"] or self.cells["silent"] or self.cells["false"])

    def __str__(self) -> str:
        cells = self.cells
        share = 100 * cells["right"] / max(1, cells["readable"])
        missing = sorted(set(DEFECTS) - set(self.defects))
        lines = [
            f"{self.kind}: {self.reports} reports, {cells['readable']} cells, "
            f"right {cells['right']} ({share:.3f} %), unread {cells['unread']}, "
            f"not named {cells['silent']}, invented {cells['invented']}; "
            f"planted errors {cells['planted']}, found {cells['found']}, false {cells['false']}",
            *self.examples,
        ]
        if missing:
            lines.append(f"  without {', '.join(missing)}")
        return "\n".join(lines)


def score(kind: str, render: Render, numbers: range) -> Score:
    result = Score(kind)
    for number in numbers:
        report = planted(number, kind)
        (document,) = open_file(render(report, number), f"report.{kind}")
        result.add(number, report, read(document))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    good = True
    for kind in given.kinds:
        render = renderer(kind)
        if render is None:
            print(f"{kind}: skipped, no renderer or no reader of this kind here")
            continue
        start = time.monotonic()
        result = score(kind, render, range(given.first, given.first + given.reports))
        print(f"{result}\n  {time.monotonic() - start:.0f} s", flush=True)
        good &= result.is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
