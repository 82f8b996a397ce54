"""The relations beyond one table: each holds, fails, depends on blanks, or cannot be assessed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.forms.across import Copy, Organ, Subject, assess
from crawler.forms.definition import forms
from crawler.forms.likeness import own_words, shared, signature, similar
from crawler.forms.model import Cell, Finding, Layout, Reading, Section, State, Verdict
from crawler.forms.relations import broken, deadline, relations, span, strength
from crawler.words import said
from tests import planted
from tests.replica import reports

DISTRICT = Organ("天山区人民政府", "government", "650102")
CITY = Organ("乌鲁木齐市人民政府", "government", "650100")
BUREAU = Organ("天山区教育局", "department", "650102")
PASS, FAIL = Verdict.PASS, Verdict.FAIL
BLANK, NOT_ASSESSABLE = Verdict.BLANK_AS_ZERO, Verdict.NOT_ASSESSABLE
FINDING = Verdict.FINDING

RECEIVED = "applications.new_received.total"
CARRIED_IN = "applications.carried_in.natural_person"
CARRIED_OUT = "applications.carried_out.natural_person"
VALID = "art20.item1.normative_documents.valid"
MADE = "art20.item1.normative_documents.made"
REPEALED = "art20.item1.normative_documents.repealed"
ITEMS = "art20.item5.licensing.last_year_items"
CHANGE = "art20.item5.licensing.change"
FEES = "art20.item8.fees.amount_wanyuan"
NO_FEE = Section("六、其他需要报告的事项", "本年度未收取信息处理费。")


def cell(path: str, raw: str | None) -> Cell:
    """`raw` as printed; None is a cell that could not be read."""
    table, row, column = path.rsplit(".", 2)
    if raw is None:
        return Cell(table, row, column, "", State.UNREAD)
    text = raw.removesuffix("元").removesuffix("万")
    unit = raw[len(text) :] or None
    if not text.strip():
        return Cell(table, row, column, raw, State.BLANK)
    if text == "—":
        return Cell(table, row, column, raw, State.DASH)
    try:
        value = Decimal(text)
    except ArithmeticError:
        return Cell(table, row, column, raw, State.TEXT)
    state = State.NUMBER if value else State.ZERO
    return Cell(table, row, column, raw, state, value, unit)


def made(
    layout: Layout = "2021",
    cells: Mapping[str, str | None] | None = None,
    sections: tuple[Section, ...] = (NO_FEE,),
    rest: str | None = "0",
) -> Reading:
    """A reading all of whose other cells say `rest`."""
    if layout not in forms():
        return Reading(layout, None, (), (), (), sections)
    paths = (
        f"{table.key}.{row.key}.{column.key}"
        for table in forms()[layout].tables
        for row in table.rows
        for column in table.columns
    )
    given = cells or {}
    return Reading(
        layout,
        None,
        tuple(cell(path, given.get(path, rest)) for path in paths),
        (),
        (),
        sections,
    )


def subject(
    now: Reading, last: Reading | None = None, organ: Organ = DISTRICT, year: int = 2023
) -> Subject:
    before = Copy(last, year - 1, None, "page") if last else None
    return Subject(organ, year, (Copy(now, year, f"{year + 1}-01-20", "page"),), before)


def found(of: Subject, rule: str) -> list[Finding]:
    answer = [finding for finding in assess(of) if finding.rule == rule]
    assert answer, f"{rule} says nothing"
    for finding in answer:
        assert finding.message
        assert finding.message_zh
    return answer


def worst(of: Subject, rule: str) -> Finding:
    """The finding that says most: a failure, else the first that is no pass."""
    answer = found(of, rule)
    ranked = sorted(answer, key=lambda f: (f.verdict not in {FAIL, FINDING}, f.verdict is PASS))
    return ranked[0]


# --- all of them --------------------------------------------------------------------------------


def test_every_relation_has_a_strength_and_answers_in_order() -> None:
    rules = [finding.rule for finding in assess(subject(made(), made()))]
    order = ["X1", "X2", "X3", "P1", "D1", "S1", "S2", "S3", "T1", "C1"]
    assert list(dict.fromkeys(rules)) == order
    assert set(relations().strengths) == {*order, "A1", "A2", "A3", "R1", "R2", "R3"}
    assert (strength("X1"), strength("X3"), strength("D1")) == ("must", "soft", "conflict")
    assert (broken("X2"), broken("S1"), broken("C1")) == (FAIL, FINDING, FINDING)


@pytest.mark.parametrize("layout", ["2019", "2021", "old", "unknown"])
@pytest.mark.parametrize("last", ["2019", "2021", "old", None])
def test_unread_reports_are_never_held_against_anyone(layout: Layout, last: Layout | None) -> None:
    now = made(layout, rest=None, sections=())
    before = made(last, {RECEIVED: "7"}) if last else None
    verdicts = {finding.verdict for finding in assess(subject(now, before))}
    assert verdicts <= {PASS, NOT_ASSESSABLE}


def test_a_report_of_another_year_is_not_last_years() -> None:
    now, old = made(cells={CARRIED_IN: "5"}), made()
    older = replace(subject(now), last=Copy(old, 2021, None, "page"))
    assert worst(older, "X1").verdict is NOT_ASSESSABLE
    assert worst(subject(now, old), "X1").verdict is FAIL


# --- X1 to X3 -----------------------------------------------------------------------------------


def test_what_was_left_over_must_be_found_again() -> None:
    now, last = made(cells={CARRIED_IN: "5"}), made(cells={CARRIED_OUT: "3"})
    finding = worst(subject(now, last), "X1")
    assert finding.verdict is FAIL
    assert finding.cells == (CARRIED_IN, f"2022:{CARRIED_OUT}")
    assert finding.message_zh == (
        "自然人：上年结转 5 件，而 2022 年度报告“结转下年度继续办理”为 3 件"
    )
    assert "5" in finding.message
    assert "3" in finding.message
    assert len(found(subject(now, last), "X1")) == 7


@pytest.mark.parametrize(
    ("now", "last", "verdict"),
    [
        ("3", "3", PASS),
        ("0", "", BLANK),
        ("", "0", BLANK),
        ("", "3", FAIL),
        ("", "", NOT_ASSESSABLE),
        ("3", None, NOT_ASSESSABLE),
        ("3", "—", NOT_ASSESSABLE),
        ("无", "3", NOT_ASSESSABLE),
    ],
)
@pytest.mark.parametrize("layouts", [("2021", "2021"), ("2021", "2019"), ("2019", "2019")])
def test_blank_zero_and_unread_are_three_things(
    now: str, last: str | None, verdict: Verdict, layouts: tuple[Layout, Layout]
) -> None:
    one, other = made(layouts[0], {CARRIED_IN: now}), made(layouts[1], {CARRIED_OUT: last})
    assert found(subject(one, other), "X1")[0].verdict is verdict


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_documents_in_force_follow_from_last_years(
    before: int, new: int, repealed: int, said: int
) -> None:
    now = made(cells={VALID: str(said), MADE: str(new), REPEALED: str(repealed)})
    finding = found(subject(now, made(cells={VALID: str(before)})), "X2")[1]
    assert finding.verdict is (PASS if said == before + new - repealed else FAIL)
    assert finding.cells == (VALID, f"2022:{VALID}", MADE, REPEALED)
    if finding.verdict is FAIL:
        assert f"{before} + {new} − {repealed} = {before + new - repealed}" in finding.message_zh


def test_items_of_last_year_follow_from_its_own_count() -> None:
    last = made("2019", {ITEMS: "20", CHANGE: "-3"})
    right = subject(made("2019", {ITEMS: "17"}), last, year=2020)
    wrong = subject(made("2019", {ITEMS: "20"}), last, year=2020)
    assert worst(right, "X3").verdict is PASS
    finding = worst(wrong, "X3")
    assert (finding.verdict, finding.cells[0]) == (FAIL, ITEMS)
    assert "17" in finding.message_zh


@pytest.mark.parametrize(("rule", "own"), [("X2", "2021"), ("X3", "2019")])
def test_two_layouts_are_not_forced_into_one(rule: str, own: Layout) -> None:
    other: Layout = "2019" if own == "2021" else "2021"
    for now, last in ((own, other), (other, own), (other, other)):
        finding = worst(subject(made(now), made(last)), rule)
        assert finding.verdict is NOT_ASSESSABLE
        assert not finding.cells
    assert worst(subject(made(own)), rule).verdict is NOT_ASSESSABLE
    assert worst(subject(made(own), made(own)), rule).verdict is PASS


# --- P1 -----------------------------------------------------------------------------------------

TABLE = {
    RECEIVED: "25",
    "applications.carried_in.total": "3",
    "applications.result_total.total": "26",
    "applications.carried_out.total": "2",
    "applications.granted.total": "12",
    "applications.partial.total": "4",
    "applications.denied_process.total": "3",
    "applications.unable_not_held.total": "5",
    "applications.refused_repeat.total": "2",
    "review_litigation.review.total": "6",
    "review_litigation.litigation_direct.total": "1",
    "review_litigation.litigation_after_review.total": "2",
    MADE: "7",
    REPEALED: "8",
    VALID: "40",
    "art20.item5.licensing.decisions": "12345",
    "art20.item6.punishment.decisions": "130",
    "art20.item6.coercion.decisions": "9",
    FEES: "54.48",
}


def stating(text: str, heading: str = "一、总体情况", organ: Organ = BUREAU) -> list[Finding]:
    reading = made(cells=TABLE, sections=(Section(heading, text), NO_FEE))
    return found(subject(reading, organ=organ), "P1")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("全年共收到政府信息公开申请25件。", "全年共收到政府信息公开申请26件。"),
        ("全年收到政府信息公开申请２５件。", "全年收到政府信息公开申请２４件。"),
        ("收到公民、法人和其他组织提出的信息公开申请二十五件。", "收到信息公开申请二十件。"),
        ("共收到依申请公开申请28件（含上年结转）。", "共收到依申请公开申请29件。"),
        ("本机关共收到依申请公开25件。", "本机关共收到依申请公开26件。"),
        (
            "收到政府信息依申请公开25条（其中网络20条），均已答复。",
            "收到依申请公开24条（网络2条）。",
        ),
        ("天山区教育局收到公开申请25件。", "天山区教育局收到公开申请26件。"),
        ("办理依申请公开26件。", "办理依申请公开27件。"),
        ("受理政府信息公开申请26件。", "受理政府信息公开申请27件。"),
        ("收到公开申请25件，按期答复26件。", "收到公开申请25件，按期答复24件。"),
        ("在公开申请中，予以公开12件。", "在公开申请中，予以公开13件。"),
        ("在公开申请中，部分公开4件。", "在公开申请中，部分公开5件。"),
        ("在公开申请中，不予公开3件。", "在公开申请中，不予公开4件。"),
        ("在公开申请中，无法提供5件。", "在公开申请中，无法提供6件。"),
        ("在公开申请中，不予处理2件。", "在公开申请中，不予处理6件。"),
        ("公开申请上年结转3件。", "公开申请上年结转2件。"),
        ("公开申请结转下年度继续办理2件。", "公开申请结转下年度继续办理3件。"),
        ("因政府信息公开引起的行政复议6件。", "因政府信息公开引起的行政复议5件。"),
        ("因政府信息公开引起的行政诉讼3件。", "因政府信息公开引起的行政诉讼4件。"),
        ("本年制发行政规范性文件7件。", "本年制发行政规范性文件8件。"),
        ("规范性文件制发7件。", "规范性文件制发9件。"),
        ("本年制发规范性文件7件，废止8件。", "本年制发规范性文件7件，废止9件。"),
        ("制发规范性文件7件，现行有效件数40件。", "制发规范性文件7件，现行有效件数41件。"),
        ("规范性文件现行有效40件。", "规范性文件现行有效400件。"),
        ("行政许可12345件，行政处罚130件。", "行政许可12345件，行政处罚131件。"),
        ("废止规范性文件8件。", "废止规范性文件7件。"),
        ("截至2023年底，现行有效规范性文件40件。", "截至2023年底，现行有效规范性文件41件。"),
        ("作出行政许可决定12,345件。", "作出行政许可决定12,346件。"),
        ("作出行政许可决定1.23万件。", "作出行政许可决定1.32万件。"),
        ("作出行政处罚决定130件。", "作出行政处罚决定13件。"),
        ("作出行政强制决定9件。", "作出行政强制决定90件。"),
        ("行政事业性收费54.48万元。", "行政事业性收费54.84万元。"),
        ("行政事业性收费544800元。", "行政事业性收费54.48元。"),
        ("行政事业性收费54.5万元。", "行政事业性收费545万元。"),
    ],
)
def test_a_figure_of_the_prose_is_held_against_the_table(right: str, wrong: str) -> None:
    assert {finding.verdict for finding in stating(right)} == {PASS}
    failed = [finding for finding in stating(wrong) if finding.verdict is FAIL]
    assert len(failed) == 1
    assert failed[0].cells
    quoted = failed[0].facts["quote"]
    assert f"“{quoted}”" in failed[0].message
    assert f"“{quoted}”" in failed[0].message_zh


@pytest.mark.parametrize(
    "text",
    [
        "全区共收到政府信息公开申请95件。予以公开80件。",
        "区政府办代表区政府受理政府信息公开申请17件。",
        "自2008年以来累计收到政府信息公开申请950件。",
        "截至6月，收到政府信息公开申请9件。",
        "2022年，我局收到政府信息公开申请30件。",
        "去年收到政府信息公开申请30件，",
        "比上年增加政府信息公开申请5件。",
        "其中，收到网站提交的政府信息公开申请14件，信函收到政府信息公开申请8件。",
        "网站收到政府信息公开申请14件。",
        "收到自然人政府信息公开申请14件。",
        "收到政府信息公开申请30余件。",
        "收到政府信息公开申请约30件。",
        "收到政府信息公开申请20多件。",
        "收到低保申请300件，办结300件。",
        "收到行政许可申请300件。",
        "收到行政复议申请30件。",
        "收到减免费用的申请3件。",
        "未受理公开申请3件。",
        "办理人大建议12件，政协提案30件，答复42件。",
        "全年办结工单900件，与公开申请一并答复980件。",
        "主动公开规范性文件99件。",
        "公开行政处罚决定90件，网站公示行政许可决定80件。",
        "司法部门办理行政复议99件，受理行政诉讼88件。",
        "因政府信息公开引起的行政复议、行政诉讼99件。",
        "因政府信息公开引起的行政复议和行政诉讼99件。",
        "计划制定规范性文件99件。",
        "公布规范性文件99件（含新制定50件，废止49件）。",
        "信箱收到来信183件，答复183件。",
        "办公室收到公开申请99件。",
        "公开申请结转下年度，由窗口继续办理99件。",
        "清理规范性文件，规章现行有效99件。",
        "在网站归集双公示信息，行政许可99件，行政处罚98件。",
        "执法人员持证，罚没行政处罚99人。",
        "参与制定规范性文件99件。",
        "第3次收到政府信息公开申请。",
    ],
)
def test_a_figure_that_counts_something_else_is_not_compared(text: str) -> None:
    assert [finding.verdict for finding in stating(text)] == [NOT_ASSESSABLE]


def test_a_governments_prose_may_name_another_organ() -> None:
    text = "区教育局收到政府信息公开申请9件。"
    assert stating(text, organ=DISTRICT)[0].verdict is NOT_ASSESSABLE
    assert stating(text, organ=BUREAU)[0].verdict is FAIL


def test_an_office_may_name_itself() -> None:
    office = Organ("天山区人民政府办公室", "office", "650102")
    text = "天山区人民政府办公室收到政府信息公开申请26件。"
    assert stating(text, organ=office)[0].verdict is FAIL


def test_one_figure_that_agrees_settles_its_repetitions() -> None:
    text = "收到政府信息公开申请25件。\n窗口外的受理点收到政府信息公开申请9件。"
    assert FAIL not in {finding.verdict for finding in stating(text)}


@pytest.mark.parametrize(
    "text",
    [
        "全年未收到政府信息公开申请。",
        "没有接到依申请公开事项.",
        "本年度未收到申请人提出的依申请公开申请，故无答复。",
    ],
)
def test_none_received_is_a_figure_too(text: str) -> None:
    assert stating(text)[0].verdict is FAIL
    none = made(sections=(Section("一、总体情况", text), NO_FEE))
    assert worst(subject(none), "P1").verdict is PASS
    blank = made(cells={RECEIVED: ""}, sections=none.sections)
    assert worst(subject(blank), "P1").verdict is BLANK
    unread = made(cells={RECEIVED: None}, sections=none.sections)
    assert worst(subject(unread), "P1").verdict is NOT_ASSESSABLE


@pytest.mark.parametrize(
    "text",
    [
        "收到" + "依申请公开的" * 1500,
        "收到申请" + "共计的总计合计" * 1300,
        "收到申请25件，其中" * 900,
        "\n".join(["收到公开申请25件、" * 1000] * 30),
        "(" * 9000 + "收到申请",
        "信息处理费未收取" * 1200,
        "行政复议" * 2400,
        "一" * 9000 + "收到申请" + "1" * 900 + "件",
    ],
)
def test_hostile_prose_takes_no_time(text: str) -> None:
    sections = (Section("一、信息公开", text), Section(OTHER, text))
    started = time.process_time()
    assess(subject(made(sections=sections)))
    assert time.process_time() - started < 3


# --- D1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "one", "other", "verdict"),
    [
        (RECEIVED, "5", "6", FAIL),
        (RECEIVED, "5", "", FAIL),
        (RECEIVED, "5", "—", FAIL),
        (RECEIVED, "0", "", BLANK),
        (RECEIVED, "—", "0", BLANK),
        (RECEIVED, "5", None, PASS),
        (RECEIVED, None, "5", PASS),
        (RECEIVED, "5", "详见附件", PASS),
        (RECEIVED, "", " ", PASS),
        (FEES, "1", "10000元", PASS),
        (FEES, "1万元", "1", PASS),
        (FEES, "1万元", "1元", FAIL),
        (FEES, "1.5", "1.6", FAIL),
    ],
)
def test_copies_agree_cell_by_cell(
    path: str, one: str | None, other: str | None, verdict: Verdict
) -> None:
    page, file = (made(cells={path: raw}) for raw in (one, other))
    copies = (Copy(page, 2023, None, "page"), Copy(file, 2023, None, "报告.docx"))
    finding = found(Subject(BUREAU, 2023, copies), "D1")[0]
    assert finding.verdict is verdict
    if verdict is FAIL:
        assert finding.cells == (path, f"报告.docx:{path}")
        assert "报告.docx" in finding.message_zh


def test_amounts_of_unknown_unit_are_not_converted() -> None:
    path = "art20.item9.procurement.amount"
    for one, other, verdict in (("5", "50000元", PASS), ("5", "6", FAIL)):
        page, file = (made("2019", {path: raw}) for raw in (one, other))
        copies = (Copy(page, 2019, None, "page"), Copy(file, 2019, None, "a.doc"))
        assert worst(Subject(BUREAU, 2019, copies), "D1").verdict is verdict


def test_an_attachment_of_another_report_is_one_finding() -> None:
    copies = (
        Copy(made(rest="1"), 2023, None, "page"),
        Copy(made(rest="2"), 2023, None, "a.docx"),
        Copy(made("old"), 2023, None, "b.docx"),
    )
    first, second = found(Subject(BUREAU, 2023, copies), "D1")
    assert (first.verdict, len(first.cells)) == (FAIL, 400)
    assert "200" in first.message
    assert second.verdict is NOT_ASSESSABLE


def test_a_conflict_in_each_cell_is_said_for_each() -> None:
    changed = made(cells={RECEIVED: "1", MADE: "2", VALID: "3"})
    copies = (Copy(made(), 2023, None, "page"), Copy(changed, 2023, None, "a.pdf"))
    assert [f.cells[0] for f in found(Subject(BUREAU, 2023, copies), "D1")] == [
        MADE,
        VALID,
        RECEIVED,
    ]


# --- S1 to S3 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "raw", "verdict"),
    [
        ("650102", "1", FINDING),
        ("650102", "0", PASS),
        ("650102", "", BLANK),
        ("650102", None, NOT_ASSESSABLE),
        ("650100", "1", PASS),
        ("650000", "1", PASS),
        ("110101", "2", FINDING),
        ("", "1", NOT_ASSESSABLE),
        ("", "0", PASS),
    ],
)
@pytest.mark.parametrize("layout", ["2019", "2021"])
def test_rules_are_made_by_cities_and_above(
    code: str, raw: str | None, verdict: Verdict, layout: Layout
) -> None:
    column = "made" if layout == "2021" else "newly_made"
    path = f"art20.item1.regulations.{column}"
    organ = Organ("某人民政府", "government", code)
    finding = worst(subject(made(layout, {path: raw}), organ=organ), "S1")
    assert finding.verdict is verdict
    if verdict is FINDING:
        assert finding.cells == (path,)


@pytest.mark.parametrize(
    ("layout", "path", "raw", "word"),
    [
        ("2021", RECEIVED, "-1", "负数"),
        ("2021", RECEIVED, "1.5", "不是整数"),
        ("2021", FEES, "-1.5", "负数"),
        ("2019", ITEMS, "2.5", "不是整数"),
        ("2019", CHANGE, "-0.5", "不是整数"),
        ("2021", FEES, "1.5", ""),
        ("2019", CHANGE, "-4", ""),
        ("2019", "art20.item9.procurement.amount", "5446.75万元", ""),
        ("2021", RECEIVED, "3.0", ""),
    ],
)
def test_a_count_is_a_whole_number(layout: Layout, path: str, raw: str, word: str) -> None:
    finding = worst(subject(made(layout, {path: raw})), "S2")
    assert finding.verdict is (FINDING if word else PASS)
    assert word in finding.message_zh
    assert finding.cells == ((path,) if word else ())


@pytest.mark.parametrize(
    ("before", "now", "jumps"),
    [
        ("20", "200", True),
        ("200", "20", True),
        ("20", "199", False),
        ("1", "50", False),
        ("0", "500", False),
        ("", "500", False),
        ("500", None, False),
    ],
)
def test_a_jump_is_an_order_of_magnitude(before: str, now: str | None, jumps: bool) -> None:
    of = subject(made(cells={RECEIVED: now}), made(cells={RECEIVED: before}))
    finding = worst(of, "S2")
    assert (finding.verdict is FINDING) is jumps
    if jumps:
        assert finding.cells == (RECEIVED, f"2022:{RECEIVED}")


def test_items_of_two_layouts_do_not_jump() -> None:
    path = "art20.item5.licensing.decisions"
    now, last = made(cells={path: "9000"}), made("2019", {path: "9"})
    assert worst(subject(now, last), "S2").verdict is PASS
    assert worst(subject(now, made(cells={path: "9"})), "S2").verdict is FINDING


OTHER = "六、其他需要报告的事项"


@pytest.mark.parametrize(
    ("text", "fees", "elsewhere", "verdict"),
    [
        ("无。", "12.5", "", FINDING),
        ("没有其他需要报告的事项", "12.5", "", FINDING),
        ("2023年度无其他需要报告的事项。", "12.5", "", FINDING),
        ("无。", "0", "", PASS),
        ("无。", "", "", BLANK),
        ("无。", None, "", NOT_ASSESSABLE),
        ("本年度未收取信息处理费。", "12.5", "", PASS),
        ("信息处理费总金额为0元。", "12.5", "", PASS),
        ("无。", "0", "依法收取信息处理费30元。", FINDING),
        ("本年度未收取信息处理费。", "0", "共收取信息处理费30元。", FINDING),
        ("信息处理费总金额为0元。", "0", "共收取信息公开信息处理费三十元。", FINDING),
        ("收取信息处理费30元。", "0", "共收取信息处理费30元。", PASS),
        ("本年度未收取信息处理费。", "0", "信息处理费标准为每件10元。", PASS),
        ("本年度未收取信息处理费。", "0", "收取信息处理费0元。", PASS),
        ("全年组织培训三次。", "12.5", "", PASS),
    ],
)
def test_section_six_does_not_keep_silent_about_fees(
    text: str, fees: str | None, elsewhere: str, verdict: Verdict
) -> None:
    sections = (Section("一、总体情况", elsewhere), Section(OTHER, text))
    reading = made(cells={FEES: fees}, sections=sections)
    assert worst(subject(reading), "S3").verdict is verdict


def test_without_section_six_nothing_is_said_of_fees() -> None:
    for sections in ((), (Section("一、总体情况", "无"),), (Section(OTHER, ""),)):
        assert worst(subject(made(sections=sections)), "S3").verdict is NOT_ASSESSABLE


# --- T1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "year", "published", "verdict"),
    [
        ("government", 2019, "2020-03-06 14:38", PASS),
        ("department", 2019, "2020-03-06 14:38", FINDING),
        ("government", 2023, "2024-03-31", PASS),
        ("government", 2023, "2024-04-01", FINDING),
        ("government", 2023, "2024-03", PASS),
        ("government", 2023, "2024-04", FINDING),
        ("government", 2023, "2024", NOT_ASSESSABLE),
        ("government", 2023, "2025", FINDING),
        ("department", 2023, "2024-01-31T23:59", PASS),
        ("department", 2023, "2024-02-01", FINDING),
        ("department", 2018, "2019-03-31", PASS),
        ("department", 2018, "2019-04-01", FINDING),
        ("township", 2018, "2019-04-01", FINDING),
        ("township", 2019, "2020-12-01", NOT_ASSESSABLE),
        ("office", 2023, "2024-01-15", PASS),
        ("office", 2023, "2024-03-01", NOT_ASSESSABLE),
        ("office", 2023, "2024-04-01", FINDING),
        ("government", 2007, "2009-04-01", NOT_ASSESSABLE),
        ("department", 2023, None, NOT_ASSESSABLE),
        ("department", 2023, "unknown", NOT_ASSESSABLE),
    ],
)
def test_a_report_is_out_by_its_deadline(
    kind: str, year: int, published: str | None, verdict: Verdict
) -> None:
    of = Subject(
        Organ("某机关", kind, "650102"), year, (Copy(made("old"), year, published, "page"),)
    )
    assert worst(of, "T1").verdict is verdict


def test_the_first_copy_that_came_out_counts() -> None:
    days = (None, "2024-05-01", "2024-01-02")
    copies = tuple(Copy(made(), 2023, day, str(day)) for day in days)
    finding = worst(Subject(BUREAU, 2023, copies), "T1")
    assert finding.verdict is PASS
    assert "2024-01-02" in finding.message_zh


@given(st.dates())
def test_a_day_spans_itself_and_lies_in_its_month(day: object) -> None:
    text = str(day)
    whole, month, year = span(text), span(text[:7]), span(text[:4])
    if whole and month and year:
        assert year[0] <= month[0] <= whole[0] == whole[1] <= month[1] <= year[1]


def test_deadlines_are_data() -> None:
    assert [day.isoformat() for day in deadline("department", 2019)] == ["2020-01-31"]
    assert deadline("township", 2019) == ()


# --- C1 -----------------------------------------------------------------------------------------


def prose(seed: int, year: int = 2023) -> tuple[Section, ...]:
    rng = Random(seed)
    lines = [f"{year}年共{rng.randint(10, 99)}件，{reports.invented(rng)}" for _ in range(6)]
    return (Section("一、总体情况", "\n".join(lines)), NO_FEE)


def test_prose_copied_from_last_year_is_a_finding() -> None:
    now = made(sections=prose(1))
    copied = tuple(
        replace(s, text=s.text.replace("2023", "2022").replace("1", "7")) for s in prose(1)
    )
    finding = worst(subject(now, made(sections=copied)), "C1")
    assert finding.verdict is FINDING
    assert "2022" in finding.message_zh
    other = made(sections=prose(2))
    assert worst(subject(now, other), "C1").verdict is PASS


def test_prose_copied_from_another_organ_is_a_finding() -> None:
    of = replace(
        subject(made(sections=prose(1))),
        others={"甲局": signature(prose(1, 2021)), "乙局": signature(prose(2)), "丙局": ()},
    )
    verdicts = {f.facts["organ"]: f.verdict for f in found(of, "C1")}
    assert verdicts == {"甲局": FINDING, "乙局": PASS}


def test_headings_and_statutory_phrases_do_not_count() -> None:
    law = "本报告依据《中华人民共和国政府信息公开条例》编制，统计期限自1月1日至12月31日。" * 20
    sections = (Section("一、总体情况" * 40, law), NO_FEE)
    assert own_words(sections) == ()
    assert signature(sections) == ()
    same = subject(made(sections=sections), made(sections=sections))
    assert worst(same, "C1").verdict is NOT_ASSESSABLE


def test_a_signature_is_small_stable_and_near_the_truth() -> None:
    one = signature(prose(1))
    assert one == signature(prose(1))
    assert (len(one), similar(one, one)) == (128, 1.0)
    assert all(0 <= number < 1 << 32 for number in one)
    known = (Section("", "甲乙丙丁戊己庚辛壬癸" * 20),)
    assert signature(known)[:3] == KNOWN
    assert similar(one, ()) == 0.0
    half = tuple(replace(s, text=s.text[: len(s.text) // 2]) for s in prose(1))
    words = own_words(prose(1)), own_words(half)
    assert abs(similar(one, signature(half)) - shared(*words)) < 0.2


# The first numbers of a known signature: those that are stored must keep their meaning.
KNOWN = (31982, 4745, 62072)


# --- planted errors, and none -------------------------------------------------------------------


@pytest.mark.parametrize("number", range(48))
def test_planted_errors_are_found(number: int) -> None:
    rule, case = planted.planted_case(number)
    assert rule in {finding.rule for finding in planted.held_against(case)}


def test_clean_chains_are_clean() -> None:
    for case in planted.clean_cases(40):
        for finding in planted.held_against(case):
            pytest.fail(f"{case.organ.name} {case.report.year}: {finding.message_zh}")


@pytest.mark.parametrize(
    ("slug", "organ", "year", "said_of"),
    [
        ("tianshan-2019", DISTRICT, 2019, set()),
        ("hongze-2024", Organ("淮安市洪泽区人民政府", "government", "320813"), 2024, set()),
        ("hangzhou-2025", Organ("测试市人民政府", "government", "330100"), 2025, set()),
    ],
)
def test_transcribed_reports_are_not_accused(
    slug: str, organ: Organ, year: int, said_of: set[str]
) -> None:
    reading = planted.read(reports.gold_report(slug), "clean")
    day = f"{year + 1}-03-06 14:38"
    against = assess(Subject(organ, year, (Copy(reading, year, day, "page"),)))
    assert {f.rule for f in against if f.verdict in planted.AGAINST} == said_of


def test_every_sentence_of_these_relations_can_be_said() -> None:
    """No case stands in words.toml that nothing says: one of each is met above or here."""
    everything = chain.from_iterable(
        assess(subject(now, last))
        for now in (made(), made("2019"), made("old"), made(rest=""), made(rest="-1.5"))
        for last in (made(rest="7"), None)
    )
    for finding in everything:
        words = said(finding.words, finding.facts)
        assert "{" not in words.en + words.zh


def test_a_correction_counts_between_years_and_makes_no_conflict_of_copies() -> None:
    page, other = made(), cell(CARRIED_IN, "98765")
    copies = (Copy(page, 2023, None, "page", (other,)), Copy(page, 2023, None, "报告.docx"))
    subject = Subject(DISTRICT, 2023, copies, Copy(made(), 2022, None, "page"))
    broken_rules = {each.rule for each in assess(subject) if each.verdict is FAIL}
    assert "D1" not in broken_rules
    (failed,) = [each for each in assess(subject) if each.rule == "X1" and CARRIED_IN in each.cells]
    assert failed.verdict is FAIL
    assert "98765" in failed.message
    before = replace(subject.copies[0], year=2022, corrected=(cell(CARRIED_OUT, "98765"),))
    assert not [each for each in assess(replace(subject, last=before)) if each.verdict is FAIL]
