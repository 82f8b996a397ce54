"""`python -m tests.planted [--reports 1000]`: is every planted error found, and no other?

Chains of synthetic reports of one organ over 2019 to 2023 obey every relation. In each of N of
them one relation is broken, each in its turn; the reports are printed, read by the product and
assessed. Then N reports of unbroken chains are, half of them with defects of print: nothing may be
held against those. Prints both by rule; exit code 1 unless all was found and nothing else.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import lxml.html

from crawler.documents import html
from crawler.forms import reading
from crawler.forms.across import Copy, Organ, Subject, assess
from crawler.forms.likeness import signature
from crawler.forms.model import Finding, Reading, Verdict
from tests.replica import reports
from tests.replica.report_model import Report, published
from tests.replica.reports import Markup

YEARS = range(2019, 2024)
ORGANS = (
    Organ("乌鲁木齐市天山区人民政府", "government", "650102"),
    Organ("乌鲁木齐市人民政府", "government", "650100"),
    Organ("乌鲁木齐市审计局", "department", "650100"),
    Organ("米东区教育局", "department", "650109"),
    Organ("天山区人民政府办公室", "office", "650102"),
    Organ("天山区燕儿窝街道办事处", "township", "650102"),
)
# Defects that change how a figure is printed, and none of the figures.
DEFECTS = (
    reports.BLANK,
    reports.DASH,
    reports.WORDS,
    reports.THOUSANDS,
    reports.FULLWIDTH,
    reports.NOTES,
    reports.BROKEN_HEADER,
    reports.COLSPANS,
    reports.EMPTY_HEADER_CELLS,
    reports.MERGED_ZERO,
    reports.LABEL_VARIANTS,
    reports.INDEX_TABLE,
    reports.ONE_OTHER_ROW,
    reports.SHIFTED_SECTIONS,
)
AGAINST = frozenset({Verdict.FAIL, Verdict.FINDING})
# How the generator states a figure in prose, by the figure's name.
STATED = {
    "received": ("收到政府信息公开申请{}件", "收到公开申请{}件"),
    "received_in_words": ("信息公开申请{}件",),
    "granted": ("予以公开{}件",),
    "result_total": ("答复申请{}件",),
    "carried_in": ("上年结转{}件",),
    "carried_out": ("结转下年度继续办理{}件",),
    "review": ("行政复议{}件",),
    "litigation": ("行政诉讼{}件",),
    "punishment": ("作出行政处罚决定{}件",),
    "coercion": ("作出行政强制决定{}件",),
    "made": ("制发行政规范性文件{}件", "制定规范性文件{}件"),
    "repealed": ("废止行政规范性文件{}件",),
    "valid": ("现行有效行政规范性文件{}件",),
}


@dataclass(frozen=True)
class Case:
    """A report as published, before it is printed: this year's and last year's (None in the first
    year of a chain), another official copy, the day it came out, and the chains of other organs to
    compare its prose with.
    """

    organ: Organ
    report: Report
    last: Report | None
    copy: Report
    day: str
    others: Mapping[str, int]


# --- printing and reading -----------------------------------------------------------------------


def read(report: Report, markup: Markup) -> Reading:
    body = lxml.html.fragment_fromstring(reports.body_html(report, markup), create_parent="div")
    return reading.read(html.read(body))


def judged(case: Case) -> tuple[Finding, ...]:
    """All that is said of a case by the relations within and beyond its tables."""
    year = case.report.year
    own, other = read(case.report, "clean"), read(case.copy, "word")
    last = Copy(read(case.last, "ueditor"), year - 1, None, "page") if case.last else None
    subject = Subject(
        case.organ,
        year,
        (Copy(own, year, case.day, "page"), Copy(other, year, None, "年度报告.docx")),
        last,
        {name: signed(chain, name, year) for name, chain in case.others.items()},
    )
    return (*own.checks, *assess(subject))


# --- chains -------------------------------------------------------------------------------------


def layout_of(year: int) -> str:
    return "2019" if year < 2021 else "2021"


def link(number: int, organ: Organ, year: int, defects: tuple[str, ...] = ()) -> Report:
    return reports.generate(number, organ.name, year, layout_of(year), defects)


@cache
def signed(number: int, name: str, year: int) -> tuple[int, ...]:
    report = reports.generate(number, name, year, layout_of(year))
    return signature(read(report, "clean").sections)


def clean_case(number: int, organ: Organ, year: int, defects: tuple[str, ...] = ()) -> Case:
    rng = Random(f"day/{number}/{year}")
    latest = (1, 31) if organ.kind in {"department", "office"} else (3, 31)
    month, day = rng.choice(((1, rng.randint(5, 31)), latest))
    report = link(number, organ, year, defects)
    others = {other.name: number % 20 for other in ORGANS[:2] if other != organ}
    last = link(number, organ, year - 1, defects) if year > YEARS[0] else None
    day_out = f"{year + 1}-{month:02}-{day:02}"
    return Case(organ, report, last, report, day_out, others)


# --- planting: one error, in the report as it is published ---------------------------------------


def with_figures(report: Report, changes: Mapping[str, int]) -> Report:
    """The report with some figures raised."""
    raised = {
        path: published(str((report.cells[path].value or 0) + by)) for path, by in changes.items()
    }
    return replace(report, cells={**report.cells, **raised})


def with_cell(report: Report, path: str, raw: str) -> Report:
    return replace(report, cells={**report.cells, path: published(raw)})


def with_prose(report: Report, change: Callable[[str], str]) -> Report:
    sections = tuple((heading, tuple(map(change, texts))) for heading, texts in report.sections)
    return replace(report, sections=sections)


def with_last_section(report: Report, *texts: str) -> Report:
    *sections, (heading, _) = report.sections
    return replace(report, sections=(*sections, (heading, texts)))


def within_a_table(rule: str) -> Callable[[Case, Random], Case]:
    def plant(case: Case, rng: Random) -> Case:
        year = case.report.year
        wrong = reports.generate(
            rng.randrange(1000), case.organ.name, year, layout_of(year), (), [rule]
        )
        return replace(case, report=wrong, copy=wrong)

    return plant


def x1(case: Case, rng: Random) -> Case:
    """Last year leaves more than this year finds: its own table still adds up."""
    column = rng.choice(("natural_person", "commercial", "other"))
    rows = ("carried_out", "new_received")
    by = rng.randint(1, 9)
    changes = {f"applications.{row}.{c}": by for row in rows for c in (column, "total")}
    assert case.last is not None
    return replace(case, last=with_figures(case.last, changes))


def x2(case: Case, rng: Random) -> Case:
    column = rng.choice(("valid", "made", "repealed"))
    return both(case, {f"art20.item1.normative_documents.{column}": rng.randint(1, 9)})


def x3(case: Case, rng: Random) -> Case:
    paths = [path for path in case.report.cells if path.endswith(".last_year_items")]
    return both(case, {rng.choice(paths): rng.randint(1, 9)})


def both(case: Case, changes: Mapping[str, int]) -> Case:
    report = with_figures(case.report, changes)
    return replace(case, report=report, copy=report)


def p1(case: Case, rng: Random) -> Case:
    """One of the figures the prose states is another than the table's, wherever it is said."""
    true = reports.stated_figures(case.report.cells)
    text = "".join(text for _, texts in case.report.sections for text in texts)
    known = [
        (name, phrase)
        for name, phrases in STATED.items()
        for phrase in phrases
        if phrase.format(true[name]) in text
    ]
    name, _ = rng.choice(known or [("received", "")])
    received = ("received", "received_in_words")
    names = received if name in received else (name,)
    number = int(true[names[0]]) + rng.randint(1, 9) + 2 * int(true["carried_in"])
    wrong = {"received": str(number), "received_in_words": reports.numeral(number)}
    swaps = {
        phrase.format(true[each]): phrase.format(wrong.get(each, str(number)))
        for each in names
        for phrase in STATED[each]
    }

    def misstate(paragraph: str) -> str:
        for right, now in swaps.items():
            paragraph = paragraph.replace(right, now)
        return paragraph

    report = with_prose(case.report, misstate)
    if not known:
        report = with_last_section(report, f"全年收到政府信息公开申请{number}件，信息处理费0元。")
    return replace(case, report=report, copy=report)


def d1(case: Case, rng: Random) -> Case:
    path = rng.choice(sorted(case.copy.cells))
    return replace(case, copy=with_figures(case.copy, {path: rng.randint(1, 9)}))


def s1(case: Case, rng: Random) -> Case:
    paths = [path for path in case.report.cells if path.startswith("art20.item1.regulations.")]
    return both(case, {rng.choice(paths): rng.randint(1, 9)})


def s2(case: Case, rng: Random) -> Case:
    assert case.last is not None
    before = case.last.cells
    counts = [path for path in case.report.cells if path.endswith((".decisions", ".granted.total"))]
    path = rng.choice(counts)
    money = next(path for path in case.report.cells if "amount" in path)
    path, raw = rng.choice(
        (
            (path, f"-{rng.randint(1, 90)}"),
            (path, f"{rng.randint(1, 90)}.5"),
            (money, str((before[money].value or 1) * rng.randint(10, 1000))),
            (money, str(-(before[money].value or 1))),
        )
    )
    report = with_cell(case.report, path, raw)
    return replace(case, report=report, copy=report)


def s3(case: Case, rng: Random) -> Case:
    plain = ("无。", "没有其他需要报告的事项。", f"{case.report.year}年度无其他需要报告的事项。")
    if rng.random() < 0.5:
        report = with_last_section(case.report, rng.choice(plain))
    else:
        report = with_last_section(case.report, "本年度未收取政府信息公开信息处理费。")
        (heading, texts), *rest = report.sections
        told = f"全年依法收取信息处理费{rng.randint(10, 900)}元。"
        report = replace(report, sections=((heading, (*texts, told)), *rest))
    return replace(case, report=report, copy=report)


def t1(case: Case, rng: Random) -> Case:
    year = case.report.year + 1
    late = {
        "department": (f"{year}-02-01", f"{year}-02", f"{year}-03-31 10:00", f"{year + 1}"),
        "office": (f"{year}-04-01", f"{year}-05"),
        "government": (f"{year}-04-01", f"{year}-04", f"{year}-12-31T08:00"),
    }
    return replace(case, day=rng.choice(late[case.organ.kind]))


def c1(case: Case, rng: Random) -> Case:
    """Last year's prose, or another organ's, with years, figures and names brought up to date."""
    assert case.last is not None
    year, source, name = case.report.year, case.last, case.organ.name
    if rng.random() < 0.5:
        name, chain = rng.choice(sorted(case.others.items()))
        source = reports.generate(chain, name, year, layout_of(year))

    def updated(text: str) -> str:
        text = text.replace(str(source.year), str(year))
        text = text.replace(reports.short_name(name), reports.short_name(case.organ.name))
        return re.sub(r"\d\d(?=[条份])", lambda _: str(rng.randint(10, 99)), text)

    sections = tuple(
        (heading, tuple(map(updated, texts)))
        for (heading, _), (_, texts) in zip(case.report.sections, source.sections, strict=True)
    )
    report = replace(case.report, sections=sections)
    return replace(case, report=report, copy=report)


@dataclass(frozen=True)
class Planting:
    """How a rule is broken, and where that is possible."""

    plant: Callable[[Case, Random], Case]
    years: tuple[int, ...] = tuple(YEARS)[1:]
    organs: tuple[Organ, ...] = ORGANS


@cache
def plantings() -> dict[str, Planting]:
    tables = {rule: Planting(within_a_table(rule), tuple(YEARS)) for rule in reports.RULES}
    in_2021 = tuple(year for year in YEARS if year > 2021)
    return {
        **tables,
        "X1": Planting(x1),
        "X2": Planting(x2, in_2021),
        "X3": Planting(x3, (2020,)),
        "P1": Planting(p1),
        "D1": Planting(d1),
        "S1": Planting(s1, organs=tuple(o for o in ORGANS if o.division_code[-2:] != "00")),
        "S2": Planting(s2, in_2021),
        "S3": Planting(s3, (2021, *in_2021)),
        "T1": Planting(t1, organs=tuple(o for o in ORGANS if o.kind != "township")),
        "C1": Planting(c1, organs=tuple(o for o in ORGANS if o.kind != "office")),
    }


def planted_case(number: int) -> tuple[str, Case]:
    """The rule that is broken in chain `number`, and one report of that chain with its error."""
    rng = Random(f"planted/{number}")
    rules = tuple(plantings())
    rule = rules[number % len(rules)]
    how = plantings()[rule]
    case = clean_case(number, rng.choice(how.organs), rng.choice(how.years))
    return rule, how.plant(case, rng)


def clean_cases(count: int) -> Iterator[Case]:
    """Reports of unbroken chains, every year of each, half of them with defects of print."""
    for number in range(count):
        chain, year = divmod(number, len(YEARS))
        rng = Random(f"clean/{chain}")
        defects = tuple(rng.sample(DEFECTS, 3)) if chain % 2 else ()
        yield clean_case(5000 + chain, ORGANS[chain % len(ORGANS)], YEARS[year], defects)


def held_against(case: Case) -> list[Finding]:
    return [finding for finding in judged(case) if finding.verdict in AGAINST]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--reports", type=int, default=1000, metavar="N")
    count = parser.parse_args().reports
    asked, found, false = Counter[str](), Counter[str](), Counter[str]()
    for number in range(count):
        rule, case = planted_case(number)
        asked[rule] += 1
        if any(finding.rule == rule for finding in held_against(case)):
            found[rule] += 1
        else:
            print(f"missed: {rule} in chain {number}, {case.organ.name} {case.report.year}")
    for case in clean_cases(count):
        for finding in held_against(case):
            false[finding.rule] += 1
            print(f"false: {finding.rule} {case.organ.name} {case.report.year}: {finding.message}")
    print("rule  planted  found  false findings on clean reports")
    for rule in plantings():
        print(f"{rule:4}  {asked[rule]:7}  {found[rule]:5}  {false[rule]:5}")
    whole = found.total() == asked.total() and not false
    print(
        f"{found.total()} of {asked.total()} found; {false.total()} false on {count} clean reports"
    )
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
