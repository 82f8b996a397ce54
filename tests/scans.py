"""What the reader makes of scans: `python -m tests.scans [--dpi 150 200] [--seed N]
[--reports gold|generated N]`.

Prints, for each condition: cells right (of them blank), unread, flagged (wrong, but in a relation
that fails) and wrong stored as good. Exit code 1 where a wrong value was stored as good or
fewer cells than REQUIRED are right.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from crawler.documents import image
from crawler.forms import reading
from crawler.forms.model import Cell, Reading, Verdict
from tests.rendering.scan import Condition, missing, pages, print_pdfs, scanned
from tests.replica.report_model import Report
from tests.replica.reports import DEFECTS, RULES, generate, gold_report

GOLD = ("tianshan-2019", "hangzhou-2025", "hongze-2024")
REQUIRED = 0.995
_SHOWN = 3  # unread cells named for each report
# Defects of a report's markup that no scan shows, or that leave a cell without a plain truth.
_UNSEEN = {"colspans", "merged_zero", "local_rows", "one_other_row"}


def conditions(dpis: Sequence[int], seed: int) -> Iterator[Condition]:
    """Clean, and skewed by half a degree to two with all that an office scanner adds."""
    rng = Random(f"scans/{seed}")
    for dpi in dpis:
        yield Condition(f"{dpi} dpi clean", dpi)
        skew = rng.choice((-1, 1)) * rng.uniform(0.5, 2.0)
        yield Condition(
            f"{dpi} dpi skewed {skew:+.2f}, noise",
            dpi,
            skew,
            noise=rng.uniform(5, 10),
            specks=rng.uniform(0.001, 0.003),
            blur=rng.uniform(0.3, 0.6),
            light=rng.uniform(0.1, 0.3),
            jpeg=60,
        )


def generated(count: int, seed: int) -> list[Report]:
    """Reports with blanks, dashes, units and other defects, some with arithmetic that is wrong."""
    found: list[Report] = []
    for number in range(count):
        rng = Random(f"scans/{seed}/{number}")
        layout, year = rng.choice((("2019", 2019), ("2021", 2023)))
        seen = [name for name in DEFECTS if name not in _UNSEEN]
        defects = rng.sample(seen, rng.randint(0, 2))
        wrong = rng.sample(RULES, 1) if rng.random() < 0.3 else []
        organ = "乌鲁木齐市天山区人民政府"
        found.append(generate(seed * 1000 + number, organ, year, layout, defects, wrong))
    return found


def judged(report: Report, answer: Reading) -> Counter[str]:
    """Each cell of the report as right, blank right, unread, flagged or wrong."""
    failed = {p for c in answer.checks if c.verdict is Verdict.FAIL for p in c.cells}
    cells = {cell.path: cell for cell in answer.cells}
    count: Counter[str] = Counter()
    for path, truth in report.cells.items():
        cell = cells.get(path)
        if cell and (cell.state.value, cell.value) == (truth.state, truth.value):
            count["right"] += 1
            count["blank right"] += truth.state == "blank"
        elif cell is None or cell.state.value == "unread":
            count["unread"] += 1
            if count["unread"] <= _SHOWN:
                print(f"      {report.title} {path}: {truth.raw!r} unread, {cell and _shown(cell)}")
        elif path in failed:
            count["flagged"] += 1
        else:
            count["wrong"] += 1
            print(f"      {report.title} {path}: {truth.raw!r} read as {_shown(cell)}")
    return count


def _shown(cell: Cell) -> str:
    return f"{cell.raw!r} ({cell.state.value}, {cell.confidence})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dpi", type=int, nargs="+", default=[150, 200])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--reports", nargs="+", default=["gold"], help="gold [SLUG …], or generated N"
    )
    options = parser.parse_args()
    if why := missing():
        print(f"nothing can be rendered here: {why}")
        return 0
    if options.reports[0] == "gold":
        reports = [gold_report(slug) for slug in options.reports[1:] or GOLD]
    else:
        reports = generated(int(options.reports[1]), options.seed)
    pdfs = print_pdfs(reports)
    failed = False
    for condition in conditions(options.dpi, options.seed):
        total: Counter[str] = Counter()
        seconds, count = 0.0, 0
        for report, pdf in zip(reports, pdfs, strict=True):
            shots = [
                (number, scanned(page, condition, options.seed * 100 + number), condition.dpi)
                for number, page in enumerate(pages(pdf, condition.dpi), 1)
            ]
            start = time.perf_counter()
            answer = reading.read(image.read_pages(shots))
            seconds += time.perf_counter() - start
            count += len(shots)
            total += judged(report, answer)
        cells = sum(total[key] for key in ("right", "unread", "flagged", "wrong"))
        share = total["right"] / cells
        failed |= bool(total["wrong"]) or share < REQUIRED
        print(
            f"{condition.name}: {total['right']} of {cells} right ({share:.2%}), "
            f"{total['blank right']} of them blank; {total['unread']} unread, "
            f"{total['flagged']} flagged, {total['wrong']} wrong stored as good; "
            f"{seconds / count:.1f} s a page",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
