"""Synthetic annual reports with known truth, for the replica's portals and the reader's tests.

`generate` draws figures that obey (or, on request, break) the arithmetic of the statutory forms
and prints them with the defects of published reports. `seed_report` and `gold_report` rebuild
transcribed reports from tests/gold. All prose is invented (prose.toml). Nothing here imports the
crawler.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from tests.replica.report_model import (
    HERE,
    LocalRow,
    Published,
    Report,
    checks,
    failing,
    form,
    published,
    statutory,
)
from tests.replica.report_pages import BLANKS, Markup, body_html, docx_bytes, flattened

__all__ = [
    "DEFECTS",
    "RULES",
    "Markup",
    "Published",
    "Report",
    "body_html",
    "checks",
    "docx_bytes",
    "edited",
    "flattened",
    "generate",
    "gold_report",
    "published",
    "seed_report",
]

GOLD = HERE.parent / "gold"

# How published reports break; each line names one way.
BLANK = "blank"
DASH = "dash"
WORDS = "words"
UNITS = "units"
THOUSANDS = "thousands"
FULLWIDTH = "fullwidth"
NOTES = "notes"
SIGNED = "signed"
SHIFTED_SECTIONS = "shifted_sections"
BROKEN_HEADER = "broken_header"
VERTICAL_LETTERS = "vertical_letters"
COLSPANS = "colspans"
EMPTY_HEADER_CELLS = "empty_header_cells"
MERGED_ZERO = "merged_zero"
KANGXI = "kangxi"
TRADITIONAL = "traditional"
LABEL_VARIANTS = "label_variants"
LOCAL_ROWS = "local_rows"
ONE_OTHER_ROW = "one_other_row"
INDEX_TABLE = "index_table"
HALFWIDTH = "halfwidth"
COMMA_NUMBERS = "comma_numbers"
INSTRUCTIONS = "instructions"

DEFECTS = (
    BLANK,
    DASH,
    WORDS,
    UNITS,
    THOUSANDS,
    FULLWIDTH,
    NOTES,
    SIGNED,
    SHIFTED_SECTIONS,
    BROKEN_HEADER,
    VERTICAL_LETTERS,
    COLSPANS,
    EMPTY_HEADER_CELLS,
    MERGED_ZERO,
    KANGXI,
    TRADITIONAL,
    LABEL_VARIANTS,
    LOCAL_ROWS,
    ONE_OTHER_ROW,
    INDEX_TABLE,
    HALFWIDTH,
    COMMA_NUMBERS,
    INSTRUCTIONS,
)
RULES = ("A1", "A2", "A3", "R1", "R2", "R3")
ONLY_2019 = frozenset({SIGNED})
ONLY_2021 = frozenset({ONE_OTHER_ROW})

Figures = dict[str, Decimal]
Cells = dict[str, Published]

NUMERALS = "一二三四五六七八九"
# 信息公开 stands in every title, so that a listing can be searched for it.
TITLES = (
    "{short}{year}年政府信息公开工作年度报告",
    "{short}{year}年度政府信息公开工作报告",
    "{organ}{year}年政府信息公开工作年度报告",
    "{short}{year}年政府信息公开工作年报",
    "{short}{year}年政务信息公开工作年度报告",
)


def generate(
    rng_seed: int,
    organ: str,
    year: int,
    layout: str,
    defects: Collection[str] = (),
    wrong: Collection[str] = (),
) -> Report:
    """A report of `layout` "old", "2019" or "2021"; the same arguments give the same report.

    The figures depend on seed, organ and year alone, and what one year carries over the next year
    starts with. A defect that the layout or the figures have no place for is left out of the
    report's `defects`. Of the relations exactly those named in `wrong` (A1 A2 A3 R1 R2 R3) are
    broken, each in one or two places, which the report's `wrong` lists. Raises ValueError for
    unknown names.
    """
    unknown = {*defects} - {*DEFECTS} | {*wrong} - {*RULES} | {layout} - {"old", "2019", "2021"}
    if unknown or (layout == "old" and wrong):
        raise ValueError(f"not for a report of layout {layout}: {sorted(unknown | {*wrong})}")
    base = f"{rng_seed}/{organ}/{year}"
    rng = Random(f"{base}/{layout}/{sorted(defects)}/{sorted(wrong)}")
    titles = [title.format(organ=organ, short=short_name(organ), year=year) for title in TITLES]
    title = rng.choice(titles)
    report = Report(
        organ=organ,
        year=year,
        layout=layout,
        title=title,
        body_title=rng.choice(titles) if rng.random() < 0.3 else title,
        sections=(),
        tables={},
        cells={},
        labels=printed_labels(),
        shape=rng.randrange(1, 1 << 30),
    )
    if layout == "old":
        return old_report(report, rng)
    return statutory_report(report, base, rng, defects, wrong)


def short_name(organ: str) -> str:
    """The organ without its city, as its own pages name it."""
    return organ if organ.startswith("乌鲁木齐市人民") else organ.removeprefix("乌鲁木齐市")


@cache
def prose() -> dict[str, Any]:
    return tomllib.loads((HERE / "prose.toml").read_text("utf-8"))


# --- the old layout -----------------------------------------------------------------------------


def old_report(report: Report, rng: Random) -> Report:
    """Free prose with its figures, from 2014 often with the table of indicators below it."""
    words = prose()["old"]
    sections = tuple(
        (f"{NUMERALS[number]}、{heading}", sentences(part, rng, report))
        for number, (heading, part) in enumerate(
            zip(words["headings"], words["sections"], strict=True)
        )
    )
    if report.year < 2014 or rng.random() < 0.3:
        return replace(report, sections=sections)
    indicators: list[tuple[str, str, str]] = []
    for heading, lines in statutory()["statistics"]["blocks"].items():
        indicators.append((heading, "——", ""))
        indicators += [(label, unit, str(int(60 * rng.random() ** 3))) for label, unit in lines]
    last = len(sections) - 1
    return replace(
        report, sections=sections, tables={last: "statistics"}, statistics=tuple(indicators)
    )


def sentences(
    part: Mapping[str, Any],
    rng: Random,
    report: Report,
    figures: Mapping[str, object] | None = None,
) -> tuple[str, ...]:
    """Some of a section's paragraphs, in their order, with figures filled in."""
    count = len(part["paragraphs"])
    chosen = sorted(rng.sample(range(count), part["choose"]))
    known = {"received": 0, "granted": 0, **(figures or {})}
    return tuple(
        part["paragraphs"][number].format(
            short=short_name(report.organ),
            year=report.year,
            a=rng.randint(120, 980),
            b=rng.randint(11, 99),
            c=rng.randint(2, 9),
            **known,
        )
        for number in chosen
    )


# --- the statutory layouts ----------------------------------------------------------------------


def statutory_report(
    report: Report, base: str, rng: Random, defects: Collection[str], wrong: Collection[str]
) -> Report:
    other = ONLY_2021 if report.layout == "2019" else ONLY_2019
    asked = {*defects} - other
    paths = form(report.layout, ONE_OTHER_ROW in asked).paths
    drawn = draw(base, report)
    for rule in sorted(wrong):
        plant(drawn, rule, rng)
    figures = {path: drawn[path] for path in paths}
    cells = {path: published(str(figure)) for path, figure in figures.items()}
    rows = replace(report, cells=cells).application_rows
    guarded = {path for relation in failing(rows, cells) for path in relation.paths}
    applied = {
        name for name in CELL_DEFECTS if name in asked and CELL_DEFECTS[name](cells, guarded, rng)
    }
    rest = asked - {*CELL_DEFECTS}
    sections, tables = statutory_sections(report, rng, cells, asked)
    return replace(
        report,
        sections=sections,
        tables=tables,
        cells=cells,
        labels=printed_labels(asked, rng),
        defects=frozenset(applied | rest),
        wrong=tuple((relation.rule, relation.key) for relation in failing(rows, cells)),
        local_rows=local_rows(report.layout, rng) if LOCAL_ROWS in asked else (),
    )


def draw(base: str, report: Report) -> Figures:
    """Figures for every cell of either 其他处理 form that obey all relations, those between years
    among them: an organ has its size, and a stock is what the years before have left.
    """
    rng = Random(f"{base}/figures")
    place, year = base.rsplit("/", 1)
    city = report.organ.startswith("乌鲁木齐市人民")
    figures: Figures = {}
    for key, item in form(report.layout).items.items():
        for row in item["rows"]:
            names = tuple(item["columns"])
            drawn = art20_row(f"{place}/{key}/{row}", int(year), names)
            if row == "regulations" and not city:
                drawn = [Decimal(0)] * len(names)
            for column, figure in zip(names, drawn, strict=True):
                figures[f"art20.{key}.{row}.{column}"] = figure
    draw_applications(figures, base, rng)
    for block in statutory()["review_litigation"]["blocks"]:
        parts = [rng.choice((0, 0, 0, 1, 2, rng.randint(1, 15))) for _ in range(4)]
        names = (*statutory()["review_litigation"]["columns"],)
        for name, count in zip(names, (*parts, sum(parts)), strict=True):
            figures[f"review_litigation.{block}.{name}"] = Decimal(count)
    return figures


FIRST_YEAR = 2018


def art20_row(place: str, year: int, columns: tuple[str, ...]) -> list[Decimal]:
    """One row of article 20. `place` names organ and row: what it had in the first year, and how
    much of it there is in a usual one.
    """
    rng = Random(f"{place}/size")
    usual = {
        "decisions": rng.choice((rng.randint(3, 90), rng.randint(1000, 20_000))),
        "amount": rng.randint(100_000, 99_999_999),
    }
    stock = rng.choice((0, rng.randint(1, 30), rng.randint(20, 200)))
    for past in range(min(FIRST_YEAR, year), year + 1):
        rng = Random(f"{place}/{past}")
        stock_before = stock
        made, repealed = rng.choice((0, 1, 3, rng.randint(0, 30))), rng.randint(0, min(stock, 9))
        change = rng.choice((0, 0, 1, 2, 7))
        stock += change if "change" in columns else made - repealed
        known = {"valid": stock, "last_year_items": stock_before, "change": change, "made": made}
        known |= {"repealed": repealed, "newly_made": made, "newly_published": made}
        known |= {"published_total": stock + made, "projects": rng.randint(20, 60)}
    swing = rng.uniform(0.6, 1.6)
    known["decisions"] = int(usual["decisions"] * swing)
    money = Decimal(int(usual["amount"] * swing)) / 100
    return [money if "amount" in column else Decimal(known[column]) for column in columns]


def draw_applications(figures: Figures, base: str, rng: Random) -> None:
    *columns, total = statutory()["applications"]["columns"]
    place, number = base.rsplit("/", 1)
    every_row = statutory()["applications"]["rows"]
    results = [
        row for row in form("2021").rows if len(every_row[row]) > 1 and row != "result_total"
    ]
    usual = Random(f"{place}/applications")
    largest = usual.choice((3, 40, 40, 1500))
    least = 0 if largest == 3 else largest // 2
    asking = {c for c in columns if c == "natural_person" or usual.random() < 0.3}
    counts: dict[tuple[str, str], int] = {}
    for column in columns:
        handled = rng.randint(least, largest) if column in asking else 0
        carried_in = carried(place, int(number) - 1, column)
        carried_out = carried(place, int(number), column)
        counts["carried_in", column] = carried_in
        counts["carried_out", column] = carried_out
        counts["new_received", column] = handled + carried_out
        counts["result_total", column] = handled + carried_in
        for row, share in zip(
            results, shares(handled + carried_in, len(results), rng), strict=True
        ):
            counts[row, column] = share
        counts["other_total", column] = sum(
            counts[row, column] for row in results if row.startswith("other_")
        )
    for row in every_row:
        for column in columns:
            figures[f"applications.{row}.{column}"] = Decimal(counts[row, column])
        figures[f"applications.{row}.{total}"] = Decimal(sum(counts[row, c] for c in columns))


def carried(place: str, year: int, column: str) -> int:
    """What a year leaves to the next: asked for by both, so that the years agree."""
    rng = Random(f"{place}/{year}/carried/{column}")
    return rng.choice((0, 0, 1, 4)) if column in {"natural_person", "commercial"} else 0


def shares(whole: int, count: int, rng: Random) -> list[int]:
    """`whole` cut into `count` parts, most of it in the first."""
    parts = [0] * count
    for number in (0, 1, *rng.sample(range(count), 5)):
        share = rng.randint(0, whole // 2)
        parts[number] += share
        whole -= share
    parts[0] += whole
    return parts


def plant(figures: Figures, rule: str, rng: Random) -> None:
    """Break one rule and no other.

    A1 and A2 are broken in a column and in the totals (its row still adds up), A3 in two rows
    (their column still adds up).
    """
    by = Decimal(rng.randint(1, 9))
    if rule in {"A1", "A2"}:
        row = "granted" if rule == "A1" else "carried_in"
        column = rng.choice(("natural_person", "commercial", "other"))
        raised = [f"applications.{row}.{column}", f"applications.{row}.total"]
    elif rule == "A3":
        raised = ["applications.new_received.total", "applications.carried_out.total"]
    else:
        block = list(statutory()["review_litigation"]["blocks"])[int(rule[1]) - 1]
        raised = [f"review_litigation.{block}.total"]
        if figures[raised[0]] and rng.random() < 0.5:
            by = -figures[raised[0]]
    for path in raised:
        figures[path] += by


# --- defects of cells ---------------------------------------------------------------------------
# Each changes some of `cells`, keeps its hands off the `guarded` ones (those of a planted error)
# where it would hide a number, and answers whether it found anything to change.


def reprint(
    cells: Cells, paths: Collection[str], write: Callable[[str], str], odds: float, rng: Random
) -> bool:
    """Print some of these cells anew, at least one of them."""
    if not paths:
        return False
    ordered = sorted(paths)
    chosen = [path for path in ordered if rng.random() < odds] or [rng.choice(ordered)]
    for path in chosen:
        cells[path] = published(write(cells[path].raw))
    return True


def with_state(cells: Cells, *states: str) -> set[str]:
    return {path for path, cell in cells.items() if cell.state in states}


def signed(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    paths = {path for path in with_state(cells, "number", "zero") if path.endswith(".change")}
    signs = ("+2", "-1", "+13", "-4", "−3")
    return reprint(cells, paths, lambda _: rng.choice(signs), 0.7, rng)


def thousands(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    paths = {path for path in with_state(cells, "number") if (cells[path].value or 0) >= 1000}
    comma = rng.choice((",", "，"))
    return reprint(cells, paths, lambda raw: f"{Decimal(raw):,}".replace(",", comma), 0.9, rng)


def units(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    money = {path for path in cells if path.split(".")[-1].startswith("amount")}
    counts = {path for path in with_state(cells, "number") if path.endswith(".decisions")}
    if rng.random() < 0.5:
        reprint(cells, counts, lambda raw: f"{raw}件", 0.5, rng)
    return reprint(cells, money, lambda raw: raw + rng.choice(("万元", "元", " 万元")), 1, rng)


def notes(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    paths = {path for path in with_state(cells, "number") if path.startswith("art20.item1")}
    return reprint(cells, paths, lambda raw: f"{raw}（其中修订{len(raw)}件）", 0.5, rng)


def fullwidth(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    wide = {ord(c): ord(c) + 0xFEE0 for c in "0123456789+-."}
    return reprint(
        cells, with_state(cells, "number", "zero"), lambda raw: raw.translate(wide), 0.5, rng
    )


def blank(cells: Cells, _guarded: set[str], rng: Random) -> bool:
    paths = with_state(cells, "zero")
    return reprint(cells, paths, lambda _: rng.choice(BLANKS), rng.choice((0.5, 0.9, 1)), rng)


def dash(cells: Cells, guarded: set[str], rng: Random) -> bool:
    mark = rng.choice(("-", "/", "—", "－", "--"))
    return reprint(cells, with_state(cells, "zero") - guarded, lambda _: mark, 0.5, rng)


def words(cells: Cells, guarded: set[str], rng: Random) -> bool:
    written = ("无", "未统计", "详见附件")
    paths = with_state(cells, "zero") - guarded
    return reprint(cells, paths, lambda _: rng.choice(written), 0.03, rng)


def merged_zero(cells: Cells, guarded: set[str], rng: Random) -> bool:
    """One 0 across a row of seven: which of the cells it is for, no person could tell."""
    rows: dict[str, list[str]] = {}
    for path in cells:
        if path.startswith("applications."):
            rows.setdefault(path.split(".")[1], []).append(path)
    quiet = [
        paths
        for paths in rows.values()
        if not guarded & {*paths} and all(not cells[path].value for path in paths)
    ]
    if not quiet:
        return False
    cells.update(dict.fromkeys(rng.choice(quiet), Published("0", "unread")))
    return True


CELL_DEFECTS: dict[str, Callable[[Cells, set[str], Random], bool]] = {
    SIGNED: signed,
    THOUSANDS: thousands,
    UNITS: units,
    NOTES: notes,
    FULLWIDTH: fullwidth,
    BLANK: blank,
    DASH: dash,
    WORDS: words,
    MERGED_ZERO: merged_zero,
}


def local_rows(layout: str, rng: Random) -> tuple[LocalRow, ...]:
    """Some rows of the place's own, in tables where the form has no such row."""
    known: dict[str, str] = statutory()["local"]
    open_to = [key for key in sorted(known) if key.startswith((layout, "applications"))]
    chosen = sorted(rng.sample(open_to, rng.randint(1, len(open_to))))
    return tuple(local_row(layout, key, known[key], rng) for key in chosen)


def local_row(layout: str, key: str, label: str, rng: Random) -> LocalRow:
    table, _, after = key.replace(layout, "art20").rpartition(".")
    columns = (
        statutory()["applications"]["columns"]
        if table == "applications"
        else form(layout).items[table.removeprefix("art20.")]["columns"]
    )
    return LocalRow(table, after, label, tuple(str(rng.randint(0, 99)) for _ in columns))


# --- labels and headings ------------------------------------------------------------------------


def printed_labels(defects: Collection[str] = (), rng: Random | None = None) -> dict[str, str]:
    """Every label by its dotted key, worded as these defects have it."""
    words = statutory()
    labels: dict[str, str] = {}
    for key in ("2019", "2021", "applications", "review_litigation"):
        labels |= flat_labels(key, words[key])
    rng = rng or Random(0)
    if LABEL_VARIANTS in defects:
        labels |= {key: rng.choice(wordings) for key, wordings in words["variants"].items()}
        for style in rng.sample((halfwidth, comma_numbers), rng.randint(0, 2)):
            labels = {key: style(label) for key, label in labels.items()}
    for style in (halfwidth, comma_numbers):
        if style.__name__ in defects:
            labels = {key: style(label) for key, label in labels.items()}
    if INSTRUCTIONS in defects:
        rows = [key for key in labels if ".rows." in key]
        labels |= {key: labels[key] + rng.choice(words["instructions"]) for key in rows}
    if BROKEN_HEADER in defects:
        which = rng.randrange(3)
        labels |= {key: wordings[which] for key, wordings in words["broken"].items()}
    if VERTICAL_LETTERS in defects:
        upright = ("applications.columns.", "applications.groups.", "review_litigation.columns.")
        labels |= {
            key: "\n".join("".join(label.split()))
            for key, label in labels.items()
            if key.startswith(upright)
        }
    script = script_of(defects)
    return {key: script(label) for key, label in labels.items()}


def flat_labels(prefix: str, tree: Mapping[str, Any]) -> dict[str, str]:
    """Nested labels by dotted key; of a row with its groups, the row's own label."""
    labels: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            labels |= flat_labels(f"{prefix}.{key}", value)
        else:
            labels[f"{prefix}.{key}"] = value if isinstance(value, str) else value[-1]
    return labels


def halfwidth(label: str) -> str:
    return label.translate(str.maketrans("（）：，", "():,"))


def comma_numbers(label: str) -> str:
    """`1、` where the notice has `1.`"""
    return f"{label[0]}、{label[2:]}" if label[0].isdigit() and label[1:2] == "." else label


def script_of(defects: Collection[str]) -> Callable[[str], str]:
    """How labels and headings are spelt: as usual, in traditional characters, in radicals."""
    table: dict[str, str | int | None] = {}
    if TRADITIONAL in defects:
        words = statutory()["traditional"]
        table |= dict(zip(words["simplified"], words["traditional"], strict=True))
    if KANGXI in defects:
        radicals = map(chr, range(0x2F00, 0x2FD6))
        table |= {unicodedata.normalize("NFKC", sign): sign for sign in radicals}
    return lambda text: text.translate(str.maketrans(table))


def statutory_sections(
    report: Report, rng: Random, cells: Cells, defects: Collection[str]
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], dict[int, str]]:
    """The six sections with invented prose, and where the tables stand.

    Shifted sections: the second title comes twice, first over prose and then over the tables, and
    the numbers go on counting or one of them is repeated.
    """
    figures = stated_figures(cells)
    words = prose()
    keys = list(statutory()["sections"])
    numbers = list(NUMERALS)
    if SHIFTED_SECTIONS in defects:
        keys.insert(1, "overview" if rng.random() < 0.3 else "art20")
        if rng.random() < 0.5:
            numbers.insert(3, numbers[2])
    script = script_of(defects)
    sections = [("", sentences(words["intro"], rng, report, figures))]
    tables: dict[int, str] = {}
    for place, (number, key) in enumerate(zip(numbers, keys, strict=False), 1):
        shifted = len(keys) > 6 and place == 2
        part = words["overview"] if shifted else words[key]
        heading = script(f"{number}、{statutory()['sections'][key]}")
        written = sentences(part, rng, report, figures)
        if key == "overview":
            written += (*stated(report, rng, figures), invented(rng))
        if key == "problems":
            written += (invented(rng),)
        sections.append((heading, written))
        if key in {"art20", "applications", "review_litigation"} and not shifted:
            tables[place] = key
    return tuple(sections), tables


def stated_figures(cells: Mapping[str, Published]) -> dict[str, str]:
    """The figures a report's prose may state, from its tables as printed."""

    def total(*paths: str) -> Decimal:
        known = (cells[path].value for path in paths if path in cells)
        return sum((value or Decimal(0) for value in known), Decimal(0))

    applications = ("new_received", "carried_in", "granted", "result_total", "carried_out")
    figures = {row: total(f"applications.{row}.total") for row in applications}
    review = "review_litigation"
    item1 = "art20.item1.normative_documents"
    known = {
        "received": figures["new_received"],
        **figures,
        "review": total(f"{review}.review.total"),
        "litigation": total(
            f"{review}.litigation_direct.total", f"{review}.litigation_after_review.total"
        ),
        "made": total(f"{item1}.made", f"{item1}.newly_made"),
        "repealed": total(f"{item1}.repealed"),
        "valid": total(f"{item1}.valid"),
        "punishment": total("art20.item6.punishment.decisions"),
        "coercion": total("art20.item6.coercion.decisions"),
    }
    spelt = {"received_in_words": numeral(int(known["received"]))}
    return {name: format(value, "f") for name, value in known.items()} | spelt


def numeral(number: int) -> str:
    """A count below ten thousand in Chinese numerals.

    >>> numeral(1030), numeral(15), numeral(0)
    ('一千零三十', '十五', '零')
    """
    digits = str(number)
    written = "".join(
        "零一二三四五六七八九"[int(digit)] + ("" if digit == "0" else "千百十 "[at])
        for at, digit in enumerate(digits, 4 - len(digits))
    )
    while "零零" in written:
        written = written.replace("零零", "零")
    written = written.replace(" ", "")
    return (written.rstrip("零") or "零").removeprefix("一" if written.startswith("一十") else "")


def stated(report: Report, rng: Random, figures: Mapping[str, object]) -> tuple[str, ...]:
    """Some paragraphs that state figures of the tables, or others that look like them."""
    words = prose()["stated"]
    return sentences(
        {"choose": 3, "paragraphs": words["both"] + words[report.layout]}, rng, report, figures
    )


def invented(rng: Random) -> str:
    """A paragraph no other report is likely to hold."""
    parts = list(prose()["invented"].values())
    return "".join("，".join(rng.choice(part) for part in parts) + "。" for _ in range(3))


# --- transcribed reports ------------------------------------------------------------------------


def seed_report() -> Report:
    """天山区's report for 2019 as published: labels, headings, figures, blanks; prose our own."""
    gold = read_gold("tianshan-2019")
    labels = {key: halfwidth(label) for key, label in printed_labels().items()}
    broken = {key: wordings[0] for key, wordings in statutory()["broken"].items()}
    labels |= {key: label for key, label in broken.items() if key.startswith("2019.")}
    labels["applications.rows.denied_admin_query"] = "8.属于行政查询事务"
    parts = prose()["tianshan"]["sections"]
    report = transcribed(gold, {"art20.item9.procurement.amount": "5446.75万元"})
    return replace(
        report,
        labels=labels,
        body_title=gold["body_title"],
        sections=tuple((part["heading"], tuple(part["paragraphs"])) for part in parts),
        tables={place: part["table"] for place, part in enumerate(parts) if "table" in part},
        defects=frozenset({BLANK, UNITS, SHIFTED_SECTIONS, BROKEN_HEADER, LABEL_VARIANTS}),
    )


def gold_report(slug: str) -> Report:
    """A transcribed report of tests/gold by its slug, with the defects it is known for."""
    if slug == "tianshan-2019":
        return seed_report()
    report = transcribed(read_gold(slug))
    known = prose()["transcribed"][slug]
    sections, tables = statutory_sections(report, Random(slug), dict(report.cells), ())
    *most, problems, (last, _) = sections
    title = known.get("problems", problems[0])
    return replace(
        report,
        sections=(*most, (title, problems[1]), (last, tuple(known["other"]))),
        tables=tables,
        labels=printed_labels() | known.get("labels", {}),
        defects=frozenset(known["defects"]),
    )


def read_gold(slug: str) -> dict[str, Any]:
    gold: dict[str, Any] = json.loads((GOLD / f"{slug}.json").read_text("utf-8"))
    return gold


def transcribed(gold: Mapping[str, Any], raws: Mapping[str, str] | None = None) -> Report:
    """Title and cells of a gold file; `raws` are the cells it prints otherwise than as a number."""
    tables = gold["tables"]
    single = "other_total" in tables["applications"]
    cells: Cells = {}
    for path in form(gold["format"], single).paths:
        value: Any = tables
        for key in path.split("."):
            value = value[key]
        raw = (raws or {}).get(path, "" if value is None else str(value))
        cells[path] = published(raw)
    return Report(
        organ=gold["agency"],
        year=gold["year"],
        layout=gold["format"],
        title=gold["title"],
        body_title=gold["title"],
        sections=(),
        tables={},
        cells=cells,
        labels={},
    )


def edited(report: Report, path: str, raw: str) -> Report:
    """The report with one cell printed anew, as when a portal replaces a page."""
    if path not in report.cells:
        raise KeyError(path)
    cells = {**report.cells, path: published(raw)}
    failed = failing(report.application_rows, cells)
    return replace(
        report, cells=cells, wrong=tuple((relation.rule, relation.key) for relation in failed)
    )
