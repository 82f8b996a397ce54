"""Word, Excel, markdown, bundles: every cell as it is shown, a named end for hostile files."""

from __future__ import annotations

import contextlib
import io
import itertools
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from crawler.documents import docx, markdown, xls, xlsx, zipped
from crawler.documents.figures import shown
from crawler.documents.model import Document, GridCell
from crawler.documents.numbering import written
from crawler.documents.opening import open_file
from crawler.errors import Unreadable
from crawler.forms import reading
from crawler.forms.model import Reading
from tests.rendering import bundles
from tests.rendering import docx as as_docx
from tests.rendering import markdown as as_markdown
from tests.rendering import xls as as_xls
from tests.rendering import xlsx as as_xlsx
from tests.replica.report_model import Report
from tests.replica.reports import docx_bytes, flattened, gold_report
from tests.test_generated_reports import (
    SINGLE,
    TRANSCRIBED,
    assert_prose_kept,
    assert_read,
    mixed_report,
    unread_paths,
)

Render = Callable[[Report], bytes]
KINDS: dict[str, tuple[str, Render]] = {
    "docx": ("docx", as_docx.render),
    "docx processed": ("docx", lambda report: as_docx.render(report, processed=True)),
    "xlsx one sheet": ("xlsx", as_xlsx.render),
    "xlsx many sheets": ("xlsx", lambda report: as_xlsx.render(report, "many")),
    "xls one sheet": ("xls", as_xls.render),
    "xls many sheets": ("xls", lambda report: as_xls.render(report, "many")),
    "md": ("md", as_markdown.render),
}
UNMERGED: dict[str, tuple[str, Render]] = {
    "xlsx": ("xlsx", lambda report: as_xlsx.render(report, "one", merged=False)),
    "xls": ("xls", lambda report: as_xls.render(report, "many", merged=False)),
    "md": ("md", as_markdown.render),
}
# Defects that live in merged cells: where they are not merged a cell may stay unread.
IN_MERGED = frozenset({"colspans"})
MOST_UNREAD = 0.02


def open_one(body: bytes, name: str = "report") -> Document:
    (document,) = open_file(body, name)
    return document


def read_as(kind: tuple[str, Render], report: Report) -> Reading:
    ending, render = kind
    return reading.read(open_one(render(report), f"report.{ending}"))


def texts(document: Document) -> list[str]:
    return [block.text for block in document.blocks if block.grid is None]


def rows(document: Document) -> list[list[str]]:
    return [
        [cell.text for cell in row]
        for block in document.blocks
        if block.grid
        for row in block.grid.rows
    ]


# --- reports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_transcribed_reports_are_read_whole_from_any_file(slug: str, kind: str) -> None:
    report = gold_report(slug)
    answer = read_as(KINDS[kind], report)
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("report", SINGLE)
@pytest.mark.parametrize("kind", ["docx processed", "xlsx one sheet", "xls many sheets"])
def test_a_file_with_one_defect_is_read_whole(report: Report, kind: str) -> None:
    assert_read(report, read_as(KINDS[kind], report), unread=0)


@pytest.mark.parametrize("number", range(40))
def test_files_with_mixed_defects_invent_nothing(number: int) -> None:
    report = mixed_report(2000 + number)
    kind = [kind for kind in KINDS if kind != "md"][number % 6]
    assert_read(report, read_as(KINDS[kind], report), MOST_UNREAD)


# Without merged cells one 0 over seven columns is one 0 and six blanks: another report.
PLAIN = [case for case in SINGLE if "merged_zero" not in str(case.id)]


UNMERGED_PLAIN = [
    pytest.param(case.values[0], kind, id=f"{kind}-{case.id}")
    for number, case in enumerate(PLAIN)
    for kind in ([*UNMERGED] if "colspans" in str(case.id) else [[*UNMERGED][number % 3]])
]


@pytest.mark.parametrize(("report", "kind"), UNMERGED_PLAIN)
def test_without_merged_cells_a_report_is_read_or_reported(report: Report, kind: str) -> None:
    answer = read_as(UNMERGED[kind], report)
    assert_read(report, answer, unread=1 if report.defects & IN_MERGED else 0)


@pytest.mark.parametrize("report", PLAIN)
def test_repeated_texts_of_merged_cells_invent_nothing(report: Report) -> None:
    document = markdown.read(as_markdown.render(report, "repeated"))
    answer = reading.read(document)
    assert_prose_kept(report, answer)
    assert len(unread_paths(report, answer)) <= 0.25 * len(report.cells)


def test_a_table_whose_blanks_were_dropped_is_not_recoverable() -> None:
    report = gold_report("tianshan-2019")
    answer = reading.read(markdown.read(as_markdown.render(report, "dropped")))
    assert unread_paths(report, answer)
    assert "not_recoverable" in {finding.rule for finding in answer.findings}
    assert_prose_kept(report, answer)


# --- docx ---------------------------------------------------------------------------------------

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def word(body: str, **parts: str) -> bytes:
    """A docx of one body; `parts` are the insides of styles, numbering, footnotes."""
    members = {"[Content_Types].xml": TYPES}
    members["word/document.xml"] = (
        f"<w:document {W} {MC}><w:body>{body}</w:body></w:document>".encode()
    )
    for name, inside in parts.items():
        members[f"word/{name}.xml"] = f"<w:{name} {W}>{inside}</w:{name}>".encode()
    return bundles.zipped(members)


def p(*runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def tbl(*lines: list[str]) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{''.join(line)}</w:tr>" for line in lines) + "</w:tbl>"


def tc(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(r(text))}</w:tc>"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (p(r("一"), r("二")), ["一二"]),
        (p("<w:r><w:t>一</w:t><w:br/><w:t>二</w:t><w:tab/><w:t>三</w:t></w:r>"), ["一\n二\t三"]),
        (p(r("x"), properties='<w:tabs><w:tab w:val="left" w:pos="1"/></w:tabs>'), ["x"]),
        (p("<w:del><w:r><w:delText>旧</w:delText></w:r></w:del>", r("新")), ["新"]),
        (p("<w:ins>", r("新"), "</w:ins>"), ["新"]),
        (p("<w:moveFrom>", r("旧"), "</w:moveFrom>", r("x")), ["x"]),
        (p(r("隐", "<w:vanish/>"), r("显", '<w:vanish w:val="0"/>')), ["显"]),
        (p(r("22"), r("1", '<w:vertAlign w:val="superscript"/>')), ["22[1]"]),
        (p(r("22"), r("0", '<w:vertAlign w:val="baseline"/>')), ["220"]),
        (p(r("2", "<w:strike/>"), r("21"), r("3", "<w:dstrike/>")), ["[2]21[3]"]),
        (p(r("2", '<w:strike w:val="0"/>'), r("21")), ["221"]),
        (p("<w:r><w:instrText>PAGE</w:instrText></w:r>", r("3")), ["3"]),
        (p('<w:r><w:sym w:font="Symbol" w:char="F02D"/></w:r>'), ["-"]),
        (p('<w:r><w:sym w:font="Wingdings" w:char="F031"/></w:r>'), ["\uf031"]),
        (f"<w:sdt><w:sdtContent>{p(r('控件'))}</w:sdtContent></w:sdt>", ["控件"]),
        (p("<w:sdt><w:sdtContent>", r("行内"), "</w:sdtContent></w:sdt>"), ["行内"]),
        (p("<w:hyperlink>", r("链接"), "</w:hyperlink>"), ["链接"]),
        (p("<w:ruby><w:rt>", r("pin"), "</w:rt><w:rubyBase>", r("拼"), "</w:rubyBase></w:ruby>"),
         ["拼"]),
        (tbl([tc("独")]), ["独"]),
        (f"<w:tbl><w:tr><w:tc>{tbl([tc('a')])}{p(r('b'))}</w:tc>{tc('c')}</w:tr></w:tbl>",
         ["a", "b", "c"]),
        (p("<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>", p(r("框")),
           "</w:txbxContent></mc:Choice><mc:Fallback><w:pict><w:txbxContent>", p(r("框")),
           "</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>", r("外")),
         ["外", "框"]),
        (p(r("x", "<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>")), ["x"]),
        ("<w:sectPr><w:headerReference/></w:sectPr>", []),
    ],
)  # fmt: skip
def test_what_is_printed_is_the_text(body: str, seen: list[str]) -> None:
    assert texts(docx.read(word(body))) == seen


def test_cells_stand_where_they_are_printed() -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    wide = '<w:gridSpan w:val="2"/>'
    document = docx.read(
        word(
            tbl(
                [tc("a", down), tc("b", wide)],
                [tc("", on), tc("c"), f"<w:sdt><w:sdtContent>{tc('d')}</w:sdtContent></w:sdt>"],
                ['<w:trPr><w:gridBefore w:val="1"/></w:trPr>', tc("e"), tc("")],
                ["<w:trPr><w:del/></w:trPr>", tc("旧"), tc("9"), tc("9")],
                ["<w:trPr><w:hidden/></w:trPr>", tc("隐"), tc("9"), tc("9")],
            )
        )
    )
    (block,) = document.blocks
    assert block.grid is not None
    assert block.grid.rows == (
        (GridCell("a", 0, 0, 2, 1), GridCell("b", 0, 1, 1, 2)),
        (GridCell("c", 1, 1), GridCell("d", 1, 2)),
        (GridCell("e", 2, 1), GridCell("", 2, 2)),
    )


def test_a_text_box_in_a_cell_is_no_part_of_the_figure() -> None:
    box = f"<w:r><w:pict><w:txbxContent>{p(r('注'))}</w:txbxContent></w:pict></w:r>"
    cell = f"<w:tc>{p(r('5'), box)}</w:tc>"
    document = docx.read(word(tbl([tc("标签"), cell])))
    assert rows(document) == [["标签", "5"]]
    assert texts(document) == ["注"]


LEVELS = (
    '<w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCounting"/>'
    '<w:lvlText w:val="%1、"/><w:suff w:val="nothing"/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '<w:lvlText w:val="%2."/></w:lvl></w:abstractNum>'
    '<w:num w:numId="7"><w:abstractNumId w:val="0"/></w:num>'
)


def numbered(level: int) -> str:
    return f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="7"/></w:numPr>'


def test_automatic_numbers_are_printed_before_their_paragraphs() -> None:
    style = f'<w:style w:styleId="s"><w:pPr>{numbered(0)}</w:pPr></w:style>'
    based = '<w:style w:styleId="t"><w:basedOn w:val="s"/></w:style>'
    body = (
        p(r("总体情况"), properties=numbered(0))
        + p(r("甲"), properties=numbered(1))
        + p(r("乙"), properties=numbered(1))
        + p(r("主动公开"), properties='<w:pStyle w:val="t"/>')
        + p(r("丙"), properties=numbered(1))
        + p(r("无"), properties='<w:pStyle w:val="t"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    )
    document = docx.read(word(body, styles=style + based, numbering=LEVELS))
    assert texts(document) == ["一、总体情况", "1. 甲", "2. 乙", "二、主动公开", "1. 丙", "无"]


def test_labels_whose_numbers_are_automatic_are_recognised() -> None:
    """Every 1. 2. 3. of the labels is taken out of the text and left to the list."""
    report = gold_report("hangzhou-2025")

    def unnumber(root: object) -> None:
        for cell in root.iter(f"{as_docx.W}tc"):  # type: ignore[attr-defined]
            text = cell.find(f".//{as_docx.W}t")
            if text is not None and text.text and text.text[:2] in {"1.", "2.", "3.", "4.", "5."}:
                number, text.text = text.text[0], text.text[2:]
                paragraph = text.getparent().getparent()
                properties = etree.SubElement(paragraph, f"{as_docx.W}pPr")
                paragraph.insert(0, properties)
                numbering = etree.SubElement(properties, f"{as_docx.W}numPr")
                of = etree.SubElement(numbering, f"{as_docx.W}numId")
                of.set(f"{as_docx.W}val", str(100 + int(number == "1") * next(lists)))
                if number == "1":
                    current[0] = of.get(f"{as_docx.W}val")
                of.set(f"{as_docx.W}val", current[0])

    lists, current = itertools.count(1), ["100"]
    level = (
        '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
        '<w:lvlText w:val="%1."/></w:lvl>'
    )
    inside = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{level}</w:abstractNum>' for n in range(100, 140)
    ) + "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="{n}"/></w:num>' for n in range(100, 140)
    )
    body = as_docx.rewritten(as_docx.render(report), unnumber)
    members = {name: data for name, data in unzipped(body).items() if "numbering" not in name}
    members["word/numbering.xml"] = f"<w:numbering {W}>{inside}</w:numbering>".encode()
    assert len(set(current)) == 1
    assert current[0] != "100"
    assert_read(report, reading.read(docx.read(bundles.zipped(members))), unread=0)


def unzipped(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_styles_hide_and_raise_text() -> None:
    styles = (
        '<w:style w:styleId="h"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="n"><w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>'
        '<w:style w:styleId="m"><w:basedOn w:val="n"/></w:style>'
    )
    body = p(r("22"), r("9", '<w:rStyle w:val="h"/>'), r("1", '<w:rStyle w:val="m"/>'))
    assert texts(docx.read(word(body, styles=styles))) == ["22[1]"]


def test_footnotes_stand_below_the_text() -> None:
    body = p(r("22"), '<w:r><w:footnoteReference w:id="2"/></w:r>')
    notes = f'<w:footnote w:id="2">{p(r("含上年"))}</w:footnote>'
    assert texts(docx.read(word(body, footnotes=notes))) == ["22[1]", "[1]含上年"]


def test_the_strict_dialect_is_read_alike() -> None:
    report = gold_report("hangzhou-2025")
    usual = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    members = {
        name: data.replace(usual.encode(), strict.encode())
        for name, data in unzipped(docx_bytes(report)).items()
    }
    assert docx.read(bundles.zipped(members)) == docx.read(docx_bytes(report))


def test_pictures_and_embedded_files_are_remarked() -> None:
    a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    body = p(f"<w:r><w:drawing><a:blip {a}/></w:drawing></w:r>") + "<w:altChunk/>"
    assert [remark.rule for remark in docx.read(word(body)).remarks] == ["pictures", "part_left"]


@pytest.mark.parametrize(
    ("value", "format_", "shown_as"),
    [
        (3, "chineseCounting", "三"),
        (10, "chineseCountingThousand", "十"),
        (21, "japaneseCounting", "二十一"),
        (110, "chineseCounting", "一百一十"),
        (4, "upperRoman", "IV"),
        (28, "lowerLetter", "bb"),
        (3, "decimalEnclosedCircle", "③"),
        (3, "decimalFullWidth", "３"),
        (2, "ideographTraditional", "乙"),
        (5, "nobody knows", "5"),
    ],
)
def test_numbering_formats(value: int, format_: str, shown_as: str) -> None:
    assert written(value, format_) == shown_as


# --- worksheets ---------------------------------------------------------------------------------

ACCOUNTING = '_ * #,##0_ ;_ * -#,##0_ ;_ * "-"_ ;_ @_ '


@pytest.mark.parametrize(
    ("value", "code", "seen"),
    [
        (15837.0, "General", "15837"),
        (5446.75, "General", "5446.75"),
        (0.1 + 0.2, "General", "0.3"),
        (0, "General", "0"),
        (0, ACCOUNTING, "-"),
        (1234, ACCOUNTING, "1,234"),
        (-1234, ACCOUNTING, "-1,234"),
        (0, "0;-0;;@", ""),
        (0, "#", ""),
        (5, '0"万元"', "5万元"),
        (5446.75, "0.00_);[Red](0.00)", "5446.75"),
        (-3, "0.00_);[Red](0.00)", "(3.00)"),
        (2, "+0;-0", "+2"),
        (-0.4, "0", "0"),
        (0.125, "0.0%", "12.5%"),
        (1234567, "#,##0,", "1,235"),
        (7, "000", "007"),
        (1234.5, "0.##", "1234.5"),
        (1234, "0.##", "1234"),
        (45292, "yyyy/m/d", "2024/1/1"),
        (45292.5, 'yyyy"年"m"月"d"日" h:mm', "2024年1月1日 12:00"),
        (3, "[>5]0;General", "3"),
        (0.5, "# ?/?", "0.5"),
        (12, "[DBNum1]General", "12"),
        (3, "@", "3"),
    ],
)
def test_a_number_is_what_its_format_shows(value: float, code: str, seen: str) -> None:
    assert shown(value, code) == seen


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text('0#?.,%;"-_*\\[]@ymdhs年E+', max_size=12),
)
@settings(max_examples=300)
def test_no_format_breaks(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)


def book(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        fill(made)
    return buffer.getvalue()


def test_hidden_sheets_rows_and_columns_are_not_seen() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet("表一")
        for row, line in enumerate([["a", 1, 9, 2], ["h", 9, 9, 9], ["b", 3, 9, 4]]):
            sheet.write_row(row, 0, line)
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_column(2, 2, None, None, {"hidden": True})
        other = made.add_worksheet("底稿")
        other.write_row(0, 0, ["x", 1])
        other.hide()
        made.add_worksheet("表二").write_row(0, 0, ["c", 5])

    document = xlsx.read(book(fill))
    assert rows(document) == [["a", "1", "2"], ["b", "3", "4"], ["c", "5"]]
    assert [(remark.rule, remark.facts["sheet"]) for remark in document.remarks] == [
        ("sheet_left", "底稿")
    ]
    assert [(b.grid.sheet, b.grid.page) for b in document.blocks if b.grid] == [
        ("表一", 1),
        ("表二", 3),
    ]


def test_hidden_rows_and_sheets_of_xls_are_not_seen() -> None:
    made = xlwt.Workbook()
    sheet = made.add_sheet("表一")
    for row, line in enumerate([["a", 1, 9, 2.5], ["h", 9, 9, 9], ["b", 30000, 9, -4]]):
        for column, value in enumerate(line):
            sheet.write(row, column, value)
    sheet.row(1).hidden = True
    sheet.col(2).hidden = True
    made.add_sheet("底稿").visibility = 1
    buffer = io.BytesIO()
    made.save(buffer)
    document = xls.read(buffer.getvalue())
    assert rows(document) == [["a", "1", "2.5"], ["b", "30000", "-4"]]
    assert [remark.rule for remark in document.remarks] == ["sheet_left"]


def test_zeros_a_sheet_does_not_show_are_blank() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet()
        sheet.hide_zero()
        sheet.write_row(0, 0, ["a", 0, 1])

    assert rows(xlsx.read(book(fill))) == [["a", "", "1"]]
    made = xlwt.Workbook()
    sheet = made.add_sheet("s")
    sheet.show_zero_values = False
    for column, value in enumerate(["a", 0, 1]):
        sheet.write(0, column, value)
    buffer = io.BytesIO()
    made.save(buffer)
    assert rows(xls.read(buffer.getvalue())) == [["a", "", "1"]]


def test_a_picture_in_a_cell_of_markdown_is_no_blank() -> None:
    written = "| 甲 | 乙 | 丙 |\n| --- | --- | --- |\n| ![](22.png) |  | 7 |\n"
    assert rows(markdown.read(written))[1] == ["\ufffd", "", "7"]


def test_what_is_struck_out_is_no_part_of_a_figure() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        struck = made.add_format({"font_strikeout": True})
        sheet = made.add_worksheet()
        sheet.write_rich_string(0, 0, struck, "2", "21")
        sheet.write(0, 1, 5)

    assert rows(xlsx.read(book(fill))) == [["[2]21", "5"]]
    made = xlwt.Workbook()
    font = xlwt.Font()
    font.struck_out = True
    sheet = made.add_sheet("s")
    sheet.write_rich_text(0, 0, [("2", font), "21"])
    sheet.write(0, 1, 5)
    buffer = io.BytesIO()
    made.save(buffer)
    assert rows(xls.read(buffer.getvalue())) == [["[2]21", "5"]]


def test_a_formula_nobody_calculated_is_no_blank_and_no_zero() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, [5, 6, 0])
        sheet.write_formula(0, 3, "=A1+B1")
        sheet.write_formula(0, 4, "=A1+B1", None, "")
        sheet.write_formula(0, 5, "=A1+B1", None, 11)

    assert rows(xlsx.read(book(fill))) == [["5", "6", "0", "\ufffd", "\ufffd", "11"]]


def test_raised_digits_are_note_marks() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        raised = made.add_format({"font_script": 1})
        sheet = made.add_worksheet()
        sheet.write_rich_string(0, 0, "22", raised, "1", "件")
        sheet.write(0, 1, 5)

    assert rows(xlsx.read(book(fill))) == [["22[1]件", "5"]]
    made = xlwt.Workbook()
    font = xlwt.Font()
    font.escapement = xlwt.Font.ESCAPEMENT_SUPERSCRIPT
    sheet = made.add_sheet("s")
    sheet.write_rich_text(0, 0, ["22", ("1", font), "件"])
    sheet.write(0, 1, 5)
    buffer = io.BytesIO()
    made.save(buffer)
    assert rows(xls.read(buffer.getvalue())) == [["22[1]件", "5"]]


def test_many_long_texts_cross_the_records_of_xls() -> None:
    made = xlwt.Workbook(encoding="utf-8")
    sheet = made.add_sheet("s")
    written_ = [[f"{n}号政府信息公开" * (n % 40 + 1), "latin" * (n % 50)] for n in range(600)]
    for row, line in enumerate(written_):
        for column, text in enumerate(line):
            sheet.write(row, column, text)
    buffer = io.BytesIO()
    made.save(buffer)
    document = xls.read(buffer.getvalue())
    got = "".join(itertools.chain(*rows(document), texts(document)))
    assert sorted(got) == sorted("".join(itertools.chain(*written_)))


# --- bundles ------------------------------------------------------------------------------------


def page(text: str) -> bytes:
    return f"<html><body><p>{text}</p></body></html>".encode()


def test_members_are_named_as_they_were_written() -> None:
    members = {"天山区\\报告.html": page("一"), "子目录/年报.txt": "二".encode()}
    for codec in ("utf-8", "gb18030"):
        opened = open_file(bundles.zipped(members, codec), "x.zip")
        assert [(document.member, texts(document)) for document in opened] == [
            ("天山区/报告.html", ["一"]),
            ("子目录/年报.txt", ["二"]),
        ]


def test_a_bundle_in_a_bundle_is_opened_and_one_in_that_is_not() -> None:
    inner = bundles.zipped({"b.html": page("二"), "c.zip": bundles.zipped({"d.html": page("三")})})
    outer = bundles.zipped({"a.html": page("一"), "n.zip": inner, "x.bin": b"\0\1\2", "e": b""})
    first, second = open_file(outer, "x.zip")
    assert (first.member, second.member) == ("a.html", "n.zip/b.html")
    assert [(r_.facts["member"], r_.facts["why"]) for r_ in first.remarks] == [
        ("n.zip/c.zip", "nested"),
        ("x.bin", "unknown_kind"),
        ("e", "empty"),
    ]


def test_a_member_may_have_no_name() -> None:
    (document,) = open_file(bundles.zipped({"": page("一")}), "x.zip")
    assert texts(document) == ["一"]


def test_a_report_in_a_bundle_is_the_report() -> None:
    report = gold_report("hangzhou-2025")
    body = bundles.zipped({"附件/报告.docx": docx_bytes(report), "__MACOSX/._x": b"\0"})
    (document,) = open_file(body, "x.zip")
    assert document.kind == "docx"
    assert document.remarks == ()
    assert_read(report, reading.read(document), unread=0)


def test_stored_members_of_a_rar_need_no_program() -> None:
    members = {"天山区/报告.html": page("一"), "b.txt": "二".encode()}
    opened = open_file(bundles.rar(members), "x.rar")
    assert [(document.member, texts(document)) for document in opened] == [
        ("天山区/报告.html", ["一"]),
        ("b.txt", ["二"]),
    ]


def test_compressed_members_of_a_rar_need_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (document,) = open_file(bundles.rar({"a.html": page("一")}, method=3), "x.rar")
    assert [dict(remark.facts) for remark in document.remarks] == [
        {"member": "a.html", "why": "needs_tool"}
    ]


def test_a_damaged_member_leaves_the_others() -> None:
    body = bundles.zipped({"a.html": page("一"), "b.html": page("二二二")}, packing=0)
    (document,) = open_file(body.replace("二二二".encode(), "二三二".encode()), "x.zip")
    assert texts(document) == ["一"]
    assert [dict(remark.facts) for remark in document.remarks] == [
        {"member": "b.html", "why": "damaged"}
    ]


# --- hostile files ------------------------------------------------------------------------------


def overlapping() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.html", page("x" * 1000))
        for number in range(30):
            twin = zipfile.ZipInfo(f"{number}.html")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(twin, field, getattr(archive.filelist[0], field))
            archive.filelist.append(twin)
    return buffer.getvalue()


def symlink() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("report.html")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def laughs(element: str, namespace: str) -> bytes:
    entities = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 100}">' for n in range(9)
    )
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [{entities}]>'
        f'<{element} xmlns="{namespace}"><a>&e8;</a></{element}>'
    ).encode()


WORD_NS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET_NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def package(part: str, data: bytes) -> bytes:
    return bundles.zipped({"[Content_Types].xml": TYPES, part: data})


def external(comment: bytes = b"") -> bytes:
    return (
        comment + b'<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY x SYSTEM "file:///etc/'
        b'passwd">]><d xmlns="' + WORD_NS.encode() + b'">&x;</d>'
    )


def xls_bytes() -> bytes:
    return as_xls.render(gold_report("hangzhou-2025"))


def bomb(size: int) -> bytes:
    return bundles.zipped({f"{n}.html": bytes(size >> 3) for n in range(8)})


def sparse() -> bytes:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet()
        for row in range(600):
            sheet.write(row, (row * 37) % 16000, row)
            sheet.write(row, (row * 91) % 16000 + 1, row)

    return book(fill)


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("empty", lambda: b" \n"),
    "noise": ("unknown_kind", lambda: bytes(range(256)) * 9),
    "endless text": ("too_large", lambda: b"| [" * (1 << 20)),
    "endless page": ("too_large", lambda: b"<html><p>" + b"<b>" * (6 << 20)),
    "endless tags": ("bomb", lambda: b"<html>" + b"<p>x" * (1 << 20)),
    "an xml of nobody": ("unknown_kind", lambda: b"<?xml version='1.0'?><w:wordDocument/>"),
    "presentation": ("unknown_kind", lambda: package("ppt/presentation.xml", b"<a/>")),
    "torn docx": ("truncated", lambda: docx_bytes(gold_report("hangzhou-2025"))[:-3000]),
    "torn xlsx": ("truncated", lambda: as_xlsx.render(gold_report("hangzhou-2025"))[:-900]),
    "torn xls": ("truncated", lambda: xls_bytes()[:-9000]),
    "torn zip": ("truncated", lambda: bundles.zipped({"a.html": page("x")})[:-30]),
    "torn rar": ("truncated", lambda: bundles.rar({"a.html": page("x" * 200)})[:30]),
    "locked zip": ("encrypted", lambda: bundles.locked(bundles.zipped({"a.html": page("x")}))),
    "locked docx": ("encrypted", lambda: bundles.locked(word(p(r("x"))))),
    "locked rar": ("encrypted", lambda: bundles.rar({}, locked=True)),
    "bomb": ("bomb", lambda: bomb(90 << 20)),
    "tight bomb": ("bomb", lambda: bomb(30 << 20)),
    "nested bomb": ("bomb", lambda: bundles.zipped({"n.zip": bomb(90 << 20)})),
    "many nested": ("bomb", lambda: bundles.zipped({f"{n}.zip": bomb(9 << 20) for n in range(9)})),
    "too many members": ("bomb", lambda: bundles.zipped({f"{n}.txt": b"x" for n in range(600)})),
    "overlapping": ("damaged", overlapping),
    "docx bomb": ("bomb", lambda: package("word/document.xml", b"<a>" + bytes(90 << 20))),
    "elements": ("bomb", lambda: package("word/document.xml", b"<a>" + b"<b/>" * 2_100_000)),
    "sparse xlsx": ("bomb", sparse),
    "climbing": ("climbing", lambda: bundles.zipped({"../x.html": page("x")})),
    "backslashes": ("climbing", lambda: bundles.zipped({"a\\..\\..\\x.html": page("x")})),
    "absolute": ("climbing", lambda: bundles.zipped({"/etc/x.html": page("x")})),
    "drive": ("climbing", lambda: bundles.zipped({"C:\\x.html": page("x")})),
    "symlink": ("climbing", symlink),
    "climbing rar": ("climbing", lambda: bundles.rar({"../x.html": page("x")})),
    "nested climbing": (
        "climbing",
        lambda: bundles.zipped({"n.zip": bundles.zipped({"../x.html": page("x")})}),
    ),
    "laughs docx": (
        "entity",
        lambda: package("word/document.xml", laughs("document", WORD_NS)),
    ),
    "laughs xlsx": ("entity", lambda: package("xl/workbook.xml", laughs("workbook", SHEET_NS))),
    "external": ("entity", lambda: package("word/document.xml", external())),
    "late external": (
        "entity",
        lambda: package("word/document.xml", external(b"<!--" + b"x" * 9000 + b"-->")),
    ),
    "wide external": (
        "entity",
        lambda: package("word/document.xml", external().decode().encode("utf-16")),
    ),
    "deep docx": (
        "damaged",
        lambda: package("word/document.xml", b"<a>" * 9000 + b"</a>" * 9000),
    ),
    "no document": ("damaged", lambda: package("word/styles.xml", b"<a/>")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_a_named_finding(name: str) -> None:
    rule, make = HOSTILE[name]
    body = make()
    start = time.process_time()
    with pytest.raises(Unreadable) as raised:
        open_file(body, "report.docx")
    assert raised.value.rule == rule
    assert time.process_time() - start < 5


def test_a_package_locked_by_a_password_is_named() -> None:
    from crawler.documents import cfb

    body = cfb.MAGIC + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    with pytest.raises(Unreadable) as raised:
        open_file(body, "x.docx")
    assert raised.value.rule == "encrypted"


@pytest.mark.parametrize("kind", ["docx", "xlsx one sheet", "xls one sheet"])
def test_a_file_cut_anywhere_is_refused(kind: str) -> None:
    body = KINDS[kind][1](gold_report("hangzhou-2025"))
    for part in range(1, 20):
        with pytest.raises(Unreadable):
            open_file(body[: len(body) * part // 20], "x")


@pytest.mark.parametrize("packing", [0, 8])
@pytest.mark.parametrize("ending", ["docx", "xlsx", "xls", "zip", "rar"])
def test_bytes_changed_at_random_end_in_a_document_or_a_finding(ending: str, packing: int) -> None:
    from random import Random

    report = gold_report("hangzhou-2025")
    made = {
        "docx": lambda: as_docx.render(report),
        "xlsx": lambda: as_xlsx.render(report),
        "xls": lambda: as_xls.render(report),
        "zip": lambda: bundles.zipped({"a.html": page("x"), "b.txt": b"abc"}),
        "rar": lambda: bundles.rar({"a.html": page("x"), "b.txt": b"abc"}),
    }[ending]()
    if ending in ("docx", "xlsx"):
        made = bundles.zipped(unzipped(made), packing=packing)
    rng = Random(f"{ending}/{packing}")
    for _ in range(60):
        body = bytearray(made)
        for _ in range(rng.randint(1, 12)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        with contextlib.suppress(Unreadable):
            open_file(bytes(body), f"x.{ending}")


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (page("x"), "html"),
        ("<!DOCTYPE html><p>报告</p>".encode("utf-16"), "html"),
        ("<p>报告</p>".encode("gb18030"), "html"),
        ("一、概述<br><table><tr><td>1</td></tr></table>".encode(), "html"),
        ("一、概述\n\n二、主动公开".encode("gb18030"), "text"),
        ("# 报告\n\n一、概述".encode(), "text"),
    ],
)
def test_the_kind_is_told_by_content(body: bytes, kind: str) -> None:
    for name in ("x.doc", "x.pdf", "x.xlsx", "x"):
        assert open_one(body, name).kind == kind


def test_markdown_is_told_by_name() -> None:
    document = open_one("# 报告\n\n| a | b |\n|---|---|\n| 1 |  |\n".encode(), "x.MD")
    assert document.kind == "md"
    assert document.blocks[0].kind == "heading"
    assert rows(document) == [["a", "b"], ["1", ""]]


def test_office_files_are_told_by_content() -> None:
    report = gold_report("hangzhou-2025")
    for name in ("x.doc", "x.zip", "x.html"):
        assert open_one(as_docx.render(report), name).kind == "docx"
        assert open_one(as_xlsx.render(report), name).kind == "xlsx"
        assert open_one(as_xls.render(report), name).kind == "xls"
    assert open_one(flattened(report).encode(), "x.docx").kind == "text"


def test_a_page_is_opened_without_the_other_readers() -> None:
    code = (
        "import sys; from crawler.documents.opening import open_file;"
        "open_file(b'<html><p>x</p></html>', 'x.html');"
        "print([m for m in sys.modules if m.split('.')[-1] in"
        "('docx','xlsx','xls','bundle','pdf','image','doc','rarfile','zipfile')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "[]"


def test_every_reader_keeps_the_convention() -> None:
    from importlib import import_module

    folder = Path(zipped.__file__).parent
    readers = [f.stem for f in folder.glob("*.py") if "\ndef is_mine(" in f.read_text("utf-8")]
    assert {"bundle", "docx", "xls", "xlsx"} <= {*readers}
    for name in readers:
        module = import_module(f"crawler.documents.{name}")
        assert hasattr(module, "read") != hasattr(module, "members")
        assert not module.is_mine(page("x"))
        assert not module.is_mine(b"")


def test_hostile_files_cost_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("sparse xlsx", "laughs docx", "bomb", "overlapping"):
        body = HOSTILE[name][1]()
        with pytest.raises(Unreadable):
            open_file(body, "x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10
