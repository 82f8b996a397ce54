"""Reports with one thing wrong at a time: what is read, what is left unread, what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawler import forms
from crawler.documents import html, text
from crawler.forms.arithmetic import check
from crawler.forms.definition import Form, FormError, load
from crawler.forms.labels import measure, name, squeeze
from crawler.forms.model import Cell, Reading, State, Verdict
from tests.pages import Rows, Td, body, tables_of

GOLD = Path(__file__).parent / "gold"
FORMS = Path(forms.__file__).parent
CITY, DISTRICT, TRIAL = (
    json.loads((GOLD / f"{slug}.json").read_text("utf-8"))
    for slug in ("hangzhou-2025", "hongze-2024", "tianshan-2019")
)
APPLICATIONS, REVIEW = -2, -1


def read(tables: list[Rows], title: str = "某区2023年政府信息公开工作年度报告") -> Reading:
    return forms.read(html.read(body(title, tables)))


def rules(reading: Reading) -> list[str]:
    return [finding.rule for finding in reading.findings]


def said(reading: Reading, rule: str) -> str:
    return " ".join(f.message for f in reading.findings if f.rule == rule)


def cells(reading: Reading) -> dict[str, Cell]:
    return {cell.path: cell for cell in reading.cells}


def row(rows: Rows, label: str) -> list[Td]:
    (found,) = [line for line in rows if any(label in cell.text for cell in line)]
    return found


def unread(reading: Reading) -> set[str]:
    return {cell.path for cell in reading.cells if cell.state is State.UNREAD}


def assert_only_unread(reading: Reading, gold: dict[str, Any], paths: set[str]) -> None:
    """Every cell is right but these, which are unread and named by a finding."""
    assert unread(reading) == paths
    truth = forms.nested(reading.cells)
    for cell in reading.cells:
        expected: Any = gold["tables"]
        for key in cell.path.split("."):
            expected = expected[key]
        if cell.path not in paths:
            assert cell.value == (None if expected is None else Decimal(str(expected))), cell
    assert truth.keys() == gold["tables"].keys()
    assert paths <= {path for finding in reading.findings for path in finding.cells}


# --- the forms ----------------------------------------------------------------------------------


def test_forms_have_the_cells_and_relations_of_their_notices() -> None:
    trial, current = forms.forms()["2019"], forms.forms()["2021"]
    assert current.merged is not None
    assert [form.size for form in (trial, current, current.merged)] == [198, 200, 186]
    for form, relations in ((trial, 40), (current, 42), (current.merged, 40)):
        blank = [
            Cell(table.key, row, column, "", State.BLANK)
            for table in form.tables
            for row in table.row_keys
            for column in table.column_keys
        ]
        found = check(form, blank)
        assert len(found) == relations
        assert {finding.verdict for finding in found} == {Verdict.NOT_ASSESSABLE}
        order = list(dict.fromkeys(finding.rule for finding in found))
        assert order == ["A1", "A2", "A3", "R1", "R2", "R3"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('key = "carried_in", ', "", "tables[5].rows[1]"),
        ('key = "carried_in", ', 'colour = "red", key = "carried_in", ', "colour"),
        ('equals = ["result_total"]', 'equals = ["grand_total"]', "A1: unknown key 'grand_total'"),
        ('only = "review"', 'only = "revue"', "R1: unknown key 'revue'"),
        ('table = "applications"', 'table = "requests"', "A1: unknown table 'requests'"),
        ('each = "column"', 'each = "cell"', "A1: each"),
        ('name = "2019"', "name = 2019.", "2019.toml"),
        ('notice = "国办公开办函〔2019〕60号"', "", "notice"),
    ],
)
def test_a_mistake_in_a_form_names_file_and_key(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    written = (FORMS / "2019.toml").read_text("utf-8")
    assert old in written
    path = tmp_path / "2019.toml"
    path.write_text(written.replace(old, new, 1), "utf-8")
    with pytest.raises(FormError) as raised:
        load(path)
    assert str(raised.value).startswith("2019.toml: ")
    assert named in str(raised.value)


def test_a_label_variant_is_data_alone(tmp_path: Path) -> None:
    written = (FORMS / "2021.toml").read_text("utf-8")
    path = tmp_path / "2021.toml"
    path.write_text(written.replace('label = "2.重复申请"', 'label = "2.屡次申请"'), "utf-8")
    assert load(path).table("applications").row("refused_repeat").label == "2.屡次申请"


# --- labels and numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("（七）总计", "(七)总 计"),
        ("1.属于国家秘密", "１、属于\n国家　秘密"),
        ("⼀、本年新收政府信息公开申请数量", "一、本年新收政府信息公开申请数量"),
        ("⾃然⼈", "自然人"),
        ("結轉下年度繼續辦理", "结转下年度继续办理"),
        ("3.危及“三安全一稳定”", "3.危及三安全一稳定"),
        ("本年增/减", "本年增／减"),
    ],
)
def test_labels_are_compared_by_their_words(one: str, other: str) -> None:
    assert name(one) == name(other)


def test_ordinals_tell_labels_apart() -> None:
    assert name("3.其他").ordinal != name("（三）其他").ordinal
    assert name("三、其他").ordinal != name("（三）其他").ordinal
    assert squeeze("总 计") == "总计"


@pytest.mark.parametrize(
    ("raw", "state", "value", "unit"),
    [
        ("0", "zero", "0", None),
        ("０", "zero", "0", None),
        ("0.00", "zero", "0", None),
        ("0件", "zero", "0", "件"),
        ("22", "number", "22", None),
        (" 22\xa0", "number", "22", None),
        ("５４４６．７５", "number", "5446.75", None),
        ("5446.75万元", "number", "5446.75", "万元"),
        ("251000元", "number", "251000", "元"),
        ("8040", "number", "8040", None),
        ("1,234,567", "number", "1234567", None),
        ("1，234", "number", "1234", None),
        ("+2", "number", "2", None),
        ("-1", "number", "-1", None),
        ("−3", "number", "-3", None),
        ("－3", "number", "-3", None),
        ("22（其中修订16件）", "number", "22", None),
        ("22(其中修订16件)", "number", "22", None),
        ("22[1]", "number", "22", None),
        ("22（其中修订1\n6件）", "number", "22", None),
        ("22\n（其中修订16件\n）", "number", "22", None),
        ("", "blank", None, None),
        ("\xa0", "blank", None, None),
        ("　", "blank", None, None),
        ("\u200b", "blank", None, None),
        ("-", "dash", None, None),
        ("——", "dash", None, None),
        ("／", "dash", None, None),
        ("无", "text", None, None),
        ("约22", "text", None, None),
        ("6\n0", "text", None, None),
        ("-\n3", "text", None, None),
        ("22（16）", "text", None, None),
        ("22①", "text", None, None),
        ("22²", "text", None, None),
        ("12,34", "text", None, None),
        ("1.", "text", None, None),
        ("3批", "text", None, None),
        ("1-2", "text", None, None),
        ("9" * 40, "text", None, None),
        ("٣", "text", None, None),
    ],
)
def test_a_cell_is_a_number_only_where_it_is_plainly_one(
    raw: str, state: str, value: str | None, unit: str | None
) -> None:
    judged = measure(raw)
    assert judged.state.value == state
    assert judged.value == (None if value is None else Decimal(value))
    assert judged.unit == unit


# --- one defect at a time -----------------------------------------------------------------------


def test_a_merged_zero_is_not_spread() -> None:
    tables = tables_of(CITY)
    line = row(tables[APPLICATIONS], "3.要求提供公开出版物")
    line[-7:] = [Td("0", cols=7)]
    reading = read(tables)
    seven = {path for path in cells(reading) if ".refused_publication." in path}
    assert len(seven) == 7
    assert_only_unread(reading, CITY, seven)
    assert {cells(reading)[path].raw for path in seven} == {"0"}


def test_a_merged_part_of_a_row_leaves_the_rest_readable() -> None:
    tables = tables_of(CITY)
    line = row(tables[APPLICATIONS], "2.重复申请")
    line[-4:-1] = [Td("0", cols=3)]
    reading = read(tables)
    three = {f"applications.refused_repeat.{key}" for key in ("ngo", "legal_service", "other")}
    assert_only_unread(reading, CITY, three)


def test_a_value_that_reaches_over_two_rows_is_unread_in_both() -> None:
    tables = tables_of(CITY)
    upper = row(tables[APPLICATIONS], "1.属于国家秘密")
    lower = row(tables[APPLICATIONS], "2.其他法律行政法规禁止公开")
    upper[-1].rows = 2
    del lower[-1]
    two = {f"applications.{key}.total" for key in ("denied_state_secret", "denied_law_forbidden")}
    assert_only_unread(read(tables), CITY, two)


def test_a_row_that_lost_a_cell_is_unread() -> None:
    tables = tables_of(CITY)
    del row(tables[APPLICATIONS], "2.重复申请")[-3]
    reading = read(tables)
    assert_only_unread(reading, CITY, {p for p in cells(reading) if ".refused_repeat." in p})


def test_data_rows_may_span_other_columns_than_the_head() -> None:
    tables = tables_of(CITY)
    head, line = tables[0][1], tables[0][2]
    head[1].cols, line[2].cols = 2, 2
    reading = read(tables)
    assert forms.nested(reading.cells) == CITY["tables"]


def test_padding_between_label_and_values_is_no_value() -> None:
    tables = tables_of(CITY)
    line = row(tables[APPLICATIONS], "一、本年新收")
    line[0].cols = 1
    line[1:1] = [Td(""), Td("")]
    assert forms.nested(read(tables).cells) == CITY["tables"]


@pytest.mark.parametrize(
    ("printed", "label"),
    [
        ("2.其他法律行政止公开", "2.其他法律行政法规禁止公开"),
        ("8.属于行政查询事务", "8.属于行政查询事项"),
        ("四、结转下一年度继续办理", "四、结转下年度继续办理"),
        ("（七）总　计", "（七）总计"),
        ("2、重复申请", "2.重复申请"),
        ("2.重复申请（同一申请人再次提出的）", "2.重复申请"),
        ("二）部分公开", "（二）部分公开"),
        ("4.保护第三方合法权宜", "4.保护第三方合法权益"),
    ],
)
def test_label_variants_name_the_same_row(printed: str, label: str) -> None:
    tables = tables_of(CITY)
    (cell,) = [c for c in row(tables[APPLICATIONS], label) if label in c.text]
    cell.text = printed
    reading = read(tables)
    assert forms.nested(reading.cells) == CITY["tables"]
    assert rules(reading) in ([], ["label_guessed"])


@pytest.mark.parametrize(
    "printed",
    ["2.重复信访申请", "其中：网上申请", "随便", "4.其他事项", "2.重复申请以外", ""],
)
def test_an_unknown_label_names_no_row(printed: str) -> None:
    tables = tables_of(CITY)
    (cell,) = [c for c in row(tables[APPLICATIONS], "2.重复申请") if "2.重复申请" in c.text]
    cell.text = printed
    reading = read(tables)
    assert_only_unread(reading, CITY, {p for p in cells(reading) if ".refused_repeat." in p})
    assert "unclaimed_row" in rules(reading)


@pytest.mark.parametrize("label", ["4.其他", "（八）其他", "其中：通过网络提交", "行政检查"])
def test_a_row_of_the_reports_own_moves_no_value(label: str) -> None:
    tables = tables_of(CITY)
    rows = tables[APPLICATIONS]
    at = rows.index(row(rows, "（七）总计"))
    rows.insert(at, [Td(label, cols=3), *map(Td, "9999999")])
    reading = read(tables)
    assert forms.nested(reading.cells) == CITY["tables"]
    assert rules(reading) == ["unclaimed_row"]
    assert label in said(reading, "unclaimed_row")


def test_a_column_of_the_reports_own_moves_no_value() -> None:
    tables = tables_of(CITY)
    for line, extra in zip(tables[0][1:], ("备注", "见附件", ""), strict=True):
        line.append(Td(extra))
    reading = read(tables)
    assert forms.nested(reading.cells) == CITY["tables"]
    assert "备注" in said(reading, "unclaimed_column")
    assert "见附件" in said(reading, "unclaimed_cell")


def test_two_years_side_by_side_are_not_told_apart() -> None:
    tables = tables_of(CITY)
    title, head, *lines = tables[0]
    title[0].cols = 7
    years = [Td(head[0].text, rows=2), Td("2022年", cols=3), Td("2023年", cols=3)]
    tables[0] = [title, years, head[1:] * 2]
    tables[0] += [[line[0], Td("7"), Td("8"), Td("9"), *line[1:]] for line in lines]
    reading = read(tables)
    assert_only_unread(reading, CITY, {p for p in cells(reading) if p.startswith("art20.item1")})


def test_rows_and_columns_in_another_order_keep_their_names() -> None:
    tables = tables_of(CITY)
    rows = tables[0]
    rows[2:] = reversed(rows[2:])
    for line in rows[1:]:
        line[1], line[3] = line[3], line[1]
    assert forms.nested(read(tables).cells) == CITY["tables"]


@pytest.mark.parametrize(
    "heads",
    [
        ("本年新", "本年新", "对外公开总数量"),
        ("本年新\n制作数量", "本年新\n公开\n数量", "对外公\n开总\n数量"),
    ],
)
def test_broken_heads_are_named_by_what_is_left_of_them(heads: tuple[str, ...]) -> None:
    tables = tables_of(TRIAL)
    for cell, head in zip(tables[0][1][1:], heads, strict=True):
        cell.text = head
    tables[0][2][1].text = "3"
    reading = read(tables)
    assert cells(reading)["art20.item1.regulations.newly_made"].value == 3
    assert unread(reading) == set()


def test_a_column_whose_head_is_lost_is_unread() -> None:
    tables = tables_of(TRIAL)
    tables[1][1][2].text = ""
    reading = read(tables)
    assert_only_unread(reading, TRIAL, {p for p in cells(reading) if "item5" in p})


def test_heads_of_another_table_name_nothing() -> None:
    tables = tables_of(TRIAL)
    for cell, head in zip(tables[0][1][1:], ("甲", "乙", "丙"), strict=True):
        cell.text = head
    reading = read(tables)
    assert_only_unread(reading, TRIAL, {p for p in cells(reading) if p.startswith("art20.item1")})


def test_one_long_table_holds_all_items() -> None:
    *items, applications, review = tables_of(TRIAL)
    long = [line for rows in items for line in rows]
    assert forms.nested(read([long, applications, review]).cells) == TRIAL["tables"]


def test_a_table_cut_in_two_goes_on_under_its_head() -> None:
    *items, applications, review = tables_of(CITY)
    whole = [line for line in applications if line]
    tables = [*items, whole[:4], whole[4:5], review]
    reading = read(tables)
    assert not unread(reading) & {p for p in cells(reading) if "new_received" in p}
    assert cells(reading)["applications.carried_in.total"].value == 560


def test_an_index_table_and_an_empty_table_are_no_part_of_the_report() -> None:
    index = [
        [Td("索引号"), Td("6501/2023-17"), Td("公开日期"), Td("2024-01-20")],
        [Td("发布机构"), Td("某区"), Td("名称"), Td("年度报告")],
    ]
    tables = tables_of(CITY)
    reading = read([index, *tables])
    assert forms.nested(reading.cells) == CITY["tables"]
    assert rules(reading) == []


def test_a_table_nobody_claims_is_said() -> None:
    other = [[Td("指标"), Td("数量")], [Td("热线电话"), Td("12")]]
    reading = read([*tables_of(CITY), other])
    assert forms.nested(reading.cells) == CITY["tables"]
    assert "指标" in said(reading, "unclaimed_table")


def test_the_same_tables_twice_are_said_and_read_once() -> None:
    reading = read([*tables_of(CITY), *tables_of(CITY)])
    assert forms.nested(reading.cells) == CITY["tables"]
    assert set(rules(reading)) == {"duplicate_table"}


def test_two_tables_that_disagree_leave_the_cell_unread() -> None:
    second = tables_of(CITY)
    row(second[APPLICATIONS], "（二）部分公开")[-1].text = "2169"
    reading = read([*tables_of(CITY), *second])
    assert_only_unread(reading, CITY, {"applications.partial.total"})


def test_a_merged_other_row_makes_the_smaller_form() -> None:
    reading = read(tables_of(DISTRICT))
    assert len(reading.cells) == 186
    assert len(reading.checks) == 40
    assert "applications.other_total.total" in cells(reading)


def test_numbers_with_notes_and_units_are_read_and_said() -> None:
    tables = tables_of(CITY)
    tables[0][3][1].text = "564（其中修订16件）"
    tables[3][2][1].text = "316441元"
    reading = read(tables)
    found = cells(reading)
    assert found["art20.item1.normative_documents.made"].value == 564
    assert found["art20.item1.normative_documents.made"].raw == "564（其中修订16件）"
    assert found["art20.item8.fees.amount_wanyuan"].unit == "元"
    assert rules(reading) == ["note_in_cell", "foreign_unit"]


# --- arithmetic ---------------------------------------------------------------------------------


def first(form: Form, rule: str, reading: Reading) -> str:
    assert len(form.relations) > 0
    return next(c.verdict.value for c in reading.checks if c.rule == rule)


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        (("10", "1", "0", "0", "11"), "pass"),
        (("10", "1", "0", "0", "0"), "fail"),
        (("10", "1", "", "", "11"), "holds_if_blank_is_zero"),
        (("0", "0", "0", "0", ""), "holds_if_blank_is_zero"),
        (("10", "1", "", "", ""), "fail"),
        (("", "", "", "", ""), "not_assessable"),
        (("10", "1", "-", "0", "11"), "not_assessable"),
        (("10", "1", "无", "0", "11"), "not_assessable"),
        (("0.5", "0.5", "0", "0", "1"), "pass"),
    ],
)
def test_a_relation_has_one_of_four_verdicts(texts: tuple[str, ...], verdict: str) -> None:
    tables = tables_of(CITY)
    for cell, printed in zip(tables[REVIEW][-1], texts, strict=False):
        cell.text = printed
    reading = read(tables)
    assert first(forms.forms()["2021"], "R1", reading) == verdict
    (relation,) = [c for c in reading.checks if c.rule == "R1"]
    assert relation.cells[-1] == "review_litigation.review.total"


def test_an_unread_cell_makes_its_relations_not_assessable() -> None:
    tables = tables_of(CITY)
    row(tables[APPLICATIONS], "2.重复申请")[-7:] = [Td("0", cols=7)]
    verdicts = {
        rule: [c.verdict.value for c in read(tables).checks if c.rule == rule]
        for rule in ("A1", "A2", "A3")
    }
    assert set(verdicts["A1"]) == {"not_assessable"}
    assert set(verdicts["A2"]) == {"pass"}
    assert verdicts["A3"].count("not_assessable") == 1


def test_a_failed_relation_names_what_is_printed() -> None:
    tables = tables_of(CITY)
    row(tables[APPLICATIONS], "（七）总计")[-7].text = "13365"
    failed = [c for c in read(tables).checks if c.verdict is Verdict.FAIL]
    assert [check.rule for check in failed] == ["A1", "A2", "A3"]
    assert "自然人" in failed[0].message
    assert "13364" in failed[0].message
    assert "13365" in failed[0].message


# --- layouts, titles, sections ------------------------------------------------------------------


def test_the_layout_is_told_by_labels_not_by_the_year() -> None:
    reading = read(tables_of(TRIAL), "某镇2021年政府信息公开工作年度报告")
    assert reading.layout == "2019"


def test_applications_alone_are_read_and_the_layout_said_to_be_open() -> None:
    reading = read(tables_of(DISTRICT)[-2:])
    assert cells(reading)["applications.new_received.total"].value == 95
    assert "layout_ambiguous" in rules(reading)
    assert {p for p in cells(reading) if p.startswith("art20")} == unread(reading)


OLD = """某区2012年政府信息公开工作年度报告

根据《中华人民共和国政府信息公开条例》编制。

一、概述

制定了制度。

二、主动公开政府信息情况

公开120条。

三、依申请公开情况

无。"""


def test_prose_reports_are_kept_by_section() -> None:
    reading = forms.read(text.read(OLD))
    assert (reading.layout, reading.cells, reading.checks) == ("old", (), ())
    assert [section.heading for section in reading.sections][1:] == [
        "一、概述",
        "二、主动公开政府信息情况",
        "三、依申请公开情况",
    ]
    assert reading.sections[2].text == "公开120条。"
    assert reading.body_title == "某区2012年政府信息公开工作年度报告"


@pytest.mark.parametrize("page", ["", "通知", "<p>一、天气</p><p>晴</p>", "<table><tr><td>1<td>2"])
def test_what_is_no_report_is_unknown(page: str) -> None:
    assert forms.read(html.read(page)).layout == "unknown"


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<p>某区2019年<br>政府信息公开工作年度报告</p>", "某区2019年政府信息公开工作年度报告"),
        ("<p>某区政务公开年报</p>", "某区政务公开年报"),
        ("<p>某区政府信息公开年报</p><p>2020-03-06 来源:某区</p>", None),
        (
            "<p>甲政务公开年报</p><p>发布时间：2020年3月6日 浏览:1</p><p>乙政务公开报告</p>",
            "乙政务公开报告",
        ),
        ("<p>根据《政府信息公开条例》要求，现公布年度报告。</p>", None),
        ("<p>一、概述</p><p>某区政府信息公开年报</p>", None),
    ],
)
def test_the_body_title_is_the_reports_own(page: str, title: str | None) -> None:
    assert forms.read(html.read(page)).body_title == title


# --- flattened text -----------------------------------------------------------------------------


def flat(tables: list[Rows]) -> Reading:
    lines = ["某区政府信息公开工作年度报告"]
    for number, rows in zip("二三四五六七八", tables, strict=False):
        lines.append(f"{number}、主动公开政府信息情况")
        lines += [cell.text for line in rows for cell in line]
    written = "".join(
        f"{line}\n\n" if line else "\n" for line in [*lines, "九、其他需要报告的事项"]
    )
    return forms.read(text.read(written))


@pytest.mark.parametrize("gold", [CITY, DISTRICT, TRIAL], ids=lambda gold: str(gold["slug"]))
def test_flattened_tables_are_read_whole(gold: dict[str, Any]) -> None:
    reading = flat(tables_of(gold))
    assert forms.nested(reading.cells) == gold["tables"]
    assert reading.findings == ()
    assert all(cell.place and cell.place[0] == -1 for cell in reading.cells)


def test_a_row_too_short_in_flattened_text_is_unread_alone() -> None:
    tables = tables_of(TRIAL)
    row(tables[APPLICATIONS], "2.重复申请")[-7:] = [Td("0", cols=7)]
    reading = flat(tables)
    assert_only_unread(reading, TRIAL, {p for p in cells(reading) if ".refused_repeat." in p})


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: row(rows, "2.重复申请").append(Td("")),
        lambda rows: row(rows, "2.重复申请").insert(-7, Td("")),
        lambda rows: row(rows, "2.重复申请").append(Td("1")),
    ],
)
def test_a_row_too_long_in_flattened_text_is_unread(change: Callable[[Rows], None]) -> None:
    tables = tables_of(TRIAL)
    change(tables[APPLICATIONS])
    reading = flat(tables)
    assert {p for p in cells(reading) if ".refused_repeat." in p} <= unread(reading)


def test_whatever_a_finding_names_is_a_cell_of_the_form() -> None:
    tables = tables_of(CITY)
    del tables[REVIEW]
    del tables[APPLICATIONS + 1][5:9]
    reading = read(tables)
    named = {path for finding in reading.findings for path in finding.cells}
    assert named <= {*cells(reading)}
    assert unread(reading) <= named


@pytest.mark.parametrize(("figures", "wanted"), [(("46", "46", "46"), 46), (("46", "", "7"), None)])
def test_a_head_printed_above_each_column_it_reached_over_is_one_head(
    figures: tuple[str, ...], wanted: int | None
) -> None:
    """As tools print merged cells that know no merging: what says the same once is one figure."""
    tables = tables_of(DISTRICT)
    (rows,) = (
        table for table in tables if any("行政许可" in c.text for line in table for c in line)
    )
    (at,) = (i for i, line in enumerate(rows) if any("行政许可" in cell.text for cell in line))
    rows[at - 2 : at + 1] = [
        [Td("第二十条第（五）项", cols=4)],
        [Td("信息内容"), *[Td("本年处理决定数量")] * 3],
        [Td("行政许可"), *map(Td, figures)],
    ]
    reading = read(tables)
    cell = cells(reading)["art20.item5.licensing.decisions"]
    assert cell.value == wanted
    assert (cell.state is State.UNREAD) == (wanted is None)
