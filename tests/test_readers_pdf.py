"""PDFs read: whole reports in many hands, what is odd about pages, and what is hostile."""

from __future__ import annotations

import io
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from crawler.documents import html, pdf
from crawler.documents.model import Document, Grid
from crawler.documents.typeset import guard
from crawler.errors import Unreadable
from crawler.forms import reading
from tests.rendering.pdf import FONT, SIZES, Style, render
from tests.replica import reports
from tests.replica.report_model import Report
from tests.replica.reports import body_html
from tests.test_generated_reports import (
    SINGLE,
    TRANSCRIBED,
    assert_read,
    fold,
    mixed_report,
    unread_paths,
)

WAYS = {
    "whole rows": Style(),
    "cut rows, values above": Style(cut_rows=True),
    "cut rows, values below": Style(cut_rows=True, values="last", vertical=True),
    "heads repeated": Style(header=True, border="double", shaded=True, vertical=True),
    "cut rows, heads repeated": Style(cut_rows=True, header=True, border="boxes", bold=True),
}


def grids(document: Document) -> list[Grid]:
    return [block.grid for block in document.blocks if block.grid]


def texts(document: Document) -> list[str]:
    return [block.text for block in document.blocks if not block.grid]


def some_style(number: int) -> Style:
    """A page of odd size and a hand of its own."""
    rng = Random(f"style/{number}")
    page = rng.choice([SIZES["A4"], SIZES["A5"], (842, 595), (rng.randint(430, 620), 480)])
    return Style(
        page=page,
        size=rng.choice([7, 8]) if page[0] > 421 else 6.5,
        cut_rows=rng.random() < 0.6,
        values=rng.choice(["first", "last"]),
        header=rng.random() < 0.4,
        border=rng.choice(["lines", "boxes", "double", "dashed", "thick"]),
        vertical=rng.random() < 0.4,
        bold=rng.random() < 0.3,
        shaded=rng.random() < 0.4,
        turned=rng.choice([0, 0, 90, 180, 270]),
    )


# --- whole reports ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "way"),
    [
        ("A4", "whole rows"),
        ("A4", "cut rows, values below"),
        ("A5", "cut rows, values above"),
        ("A5", "heads repeated"),
        ("A5", "cut rows, heads repeated"),
    ],
)
@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_gold_reports_are_read_whole_wherever_pages_cut_them(
    slug: str, way: str, size: str
) -> None:
    report = reports.gold_report(slug)
    body = render(report, replace(WAYS[way], page=SIZES[size], size=8))
    answer = reading.read(pdf.read(body))
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("report", SINGLE)
def test_reports_with_one_defect_are_read_whole_from_small_pages(report: Report) -> None:
    style = Style(page=SIZES["A5"], size=6.5, cut_rows=True, vertical=True)
    assert_read(report, reading.read(pdf.read(render(report, style))), unread=0)


@pytest.mark.parametrize("number", range(10))
def test_mixed_defects_in_any_hand_invent_nothing(number: int) -> None:
    report = mixed_report(2000 + number)
    answer = reading.read(pdf.read(render(report, some_style(number))))
    assert len(unread_paths(report, answer)) <= 0.02 * len(report.cells)


def test_the_grid_is_the_one_html_gives() -> None:
    report = reports.gold_report("hongze-2024")
    ours = grids(pdf.read(render(report, Style(page=(842, 1400)))))
    theirs = grids(html.read(body_html(report, "clean")))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        shape = [[(*cell[1:5],) for cell in row] for row in one.rows]
        assert shape == [[(*cell[1:5],) for cell in row] for row in other.rows]
        assert [[fold(cell.text) for cell in row] for row in one.rows] == [
            [fold(cell.text) for cell in row] for row in other.rows
        ]


def test_every_cell_has_a_page_and_a_box_on_it() -> None:
    style = Style(page=SIZES["A5"], cut_rows=True)
    document = pdf.read(render(reports.gold_report("hangzhou-2025"), style))
    assert {grid.page for grid in grids(document)} >= {1, 2, 3}
    for grid in grids(document):
        for row in grid.rows:
            for cell in row:
                box = grid.box(cell)
                assert box is not None
                assert 0 <= box.left < box.right <= style.page[0]
                assert 0 <= box.top < box.bottom <= style.page[1]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_turned_pages_read_like_upright_ones(turned: int) -> None:
    report = reports.gold_report("tianshan-2019")
    upright, other = (pdf.read(render(report, Style(turned=turn))) for turn in (0, turned))
    assert texts(upright) == texts(other)
    assert [grid.rows for grid in grids(upright)] == [grid.rows for grid in grids(other)]


# --- odd pages ----------------------------------------------------------------------------------


class Sheet:
    """A page with a table of two rows and three columns: heads, then `values`."""

    def __init__(self, values: tuple[str, ...] = ("12", "", "7"), **options: Any) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
        rl_config.useA85 = 0
        self.buffer = io.BytesIO()
        self.canvas = Canvas(self.buffer, pagesize=(400, 300), invariant=1, **options)
        self.canvas.setFont(FONT, 10)
        for y in (200, 220, 240):
            self.canvas.line(50, y, 350, y)
        for x in (50, 150, 250, 350):
            self.canvas.line(x, 200, x, 240)
        for column, (head, value) in enumerate(zip("甲乙丙", values, strict=True)):
            self.canvas.drawString(90 + 100 * column, 226, head)
            self.canvas.drawString(90 + 100 * column, 206, value)

    def pdf(self) -> bytes:
        self.canvas.save()
        return self.buffer.getvalue()


def last_row(document: Document) -> list[str]:
    (grid,) = grids(document)
    return [cell.text for cell in grid.rows[-1]]


def rules(document: Document) -> list[str]:
    return [remark.rule for remark in document.remarks]


def test_text_beside_a_table_stays_paragraphs_in_order() -> None:
    sheet = Sheet()
    sheet.canvas.drawString(60, 260, "上面的一句话。")
    sheet.canvas.drawString(60, 150, "下面的一句话。")
    document = pdf.read(sheet.pdf())
    assert [block.kind for block in document.blocks] == ["paragraph", "table", "paragraph"]
    assert texts(document) == ["上面的一句话。", "下面的一句话。"]
    assert last_row(document) == ["12", "", "7"]


def test_white_and_invisible_text_is_left_out_and_said() -> None:
    sheet = Sheet()
    sheet.canvas.setFillColorRGB(1, 1, 1)
    sheet.canvas.drawString(190, 206, "99")
    sheet.canvas.setFillColorRGB(0, 0, 0)
    hidden = sheet.canvas.beginText(290, 212)
    hidden.setTextRenderMode(3)
    hidden.textOut("88")
    sheet.canvas.drawText(hidden)
    document = pdf.read(sheet.pdf())
    assert last_row(document) == ["12", "", "7"]
    assert rules(document) == ["unseen_text"]
    assert document.remarks[0].facts == {"page": "1", "count": "4"}


def test_white_text_on_a_dark_ground_is_read() -> None:
    sheet = Sheet()
    sheet.canvas.setFillColorRGB(0, 0.1, 0.5)
    sheet.canvas.rect(151, 201, 98, 18, stroke=0, fill=1)
    sheet.canvas.setFillColorRGB(1, 1, 1)
    sheet.canvas.drawString(190, 206, "99")
    document = pdf.read(sheet.pdf())
    assert last_row(document) == ["12", "99", "7"]
    assert rules(document) == []


def test_a_slanted_watermark_is_left_out() -> None:
    sheet = Sheet()
    sheet.canvas.translate(100, 180)
    sheet.canvas.rotate(30)
    sheet.canvas.setFont(FONT, 20)
    sheet.canvas.drawString(0, 0, "样样样样样样样样样")
    document = pdf.read(sheet.pdf())
    assert last_row(document) == ["12", "", "7"]
    assert rules(document) == ["unseen_text"]


def test_text_outside_the_crop_box_is_left_out() -> None:
    sheet = Sheet(cropBox=None)
    sheet.canvas.drawString(60, 20, "裁掉的字")
    with pikepdf.open(io.BytesIO(sheet.pdf())) as document:
        document.pages[0].CropBox = [40, 60, 380, 290]
        out = io.BytesIO()
        document.save(out)
    read = pdf.read(out.getvalue())
    assert texts(read) == []
    (grid,) = grids(read)
    assert grid.xs == pytest.approx((10, 110, 210, 310), abs=0.1)
    assert grid.ys == pytest.approx((50, 70, 90), abs=0.1)


def test_letters_drawn_twice_count_once_and_equal_figures_twice() -> None:
    sheet = Sheet(("11", "100", "7"))
    for shift in (0.2, 0.4):
        sheet.canvas.drawString(90 + shift, 206 + shift / 2, "11")
        sheet.canvas.drawString(190 + shift, 206, "100")
    assert last_row(pdf.read(sheet.pdf())) == ["11", "100", "7"]


@pytest.mark.parametrize("y", [209.5, 204])
def test_a_figure_with_a_line_through_it_is_doubtful(y: float) -> None:
    sheet = Sheet(("41", "100", "7"))
    sheet.canvas.line(89, y, 102, y)
    first, *others = last_row(pdf.read(sheet.pdf()))
    assert ("\ufffd" in first) == (y > 206)
    assert others == ["100", "7"]


def test_two_figures_in_one_place_are_doubtful() -> None:
    sheet = Sheet(("41", "100", "7"))
    sheet.canvas.setFillColorRGB(1, 1, 1)
    sheet.canvas.rect(89, 204, 20, 12, stroke=0, fill=1)
    sheet.canvas.setFillColorRGB(0, 0, 0)
    sheet.canvas.drawString(90.5, 206, "77")
    first, *others = last_row(pdf.read(sheet.pdf()))
    assert "\ufffd" in first
    assert others == ["100", "7"]


def test_a_raised_note_mark_is_no_digit() -> None:
    sheet = Sheet(("22", "", "7"))
    sheet.canvas.setFont(FONT, 5)
    sheet.canvas.drawString(100.5, 211.5, "1")
    assert last_row(pdf.read(sheet.pdf()))[0] == "22[1]"


def test_numbers_side_by_side_stay_two() -> None:
    sheet = Sheet(("3", "", "7"))
    sheet.canvas.drawString(99, 206, "4")
    assert last_row(pdf.read(sheet.pdf()))[0] == "3 4"


def test_a_number_that_runs_over_its_border_is_not_cut_in_two() -> None:
    sheet = Sheet(("", "", "7"))
    sheet.canvas.drawString(138, 206, "12345")
    left, right, _ = last_row(pdf.read(sheet.pdf()))
    assert left.endswith("\ufffd")
    assert right.startswith("\ufffd")


def test_a_number_broken_over_two_lines_is_one_where_the_cell_is_full() -> None:
    sheet = Sheet(("", "", ""))
    canvas = sheet.canvas
    for x in (150, 172):
        canvas.line(x, 100, x, 180)
    for y in (100, 140, 180):
        canvas.line(150, y, 172, y)
    for y, line in ((166, "1234"), (152, "56"), (126, "9"), (112, "8")):
        canvas.drawString(151, y, line)
    broken, apart = grids(pdf.read(sheet.pdf()))[1].rows
    assert [broken[0].text, apart[0].text] == ["123456", "9\n8"]


def test_filled_in_form_fields_are_read() -> None:
    sheet = Sheet()
    sheet.canvas.acroForm.textfield(
        name="number", value="345", x=180, y=202, width=60, height=16, fontSize=9, borderWidth=0
    )
    assert last_row(pdf.read(sheet.pdf()))[1] == "345"


def test_nested_forms_are_read_where_they_stand() -> None:
    sheet = Sheet(("", "", ""))
    canvas = sheet.canvas
    canvas.beginForm("inner")
    canvas.setFont(FONT, 10)
    canvas.drawString(0, 0, "56")
    canvas.line(-10, 14, 50, 14)
    canvas.endForm()
    canvas.beginForm("outer")
    canvas.translate(0, 3)
    canvas.doForm("inner")
    canvas.endForm()
    canvas.translate(190, 203)
    canvas.doForm("outer")
    assert last_row(pdf.read(sheet.pdf())) == ["", "56", ""]


# --- scans --------------------------------------------------------------------------------------


def scan(layer: str = "", pages: int = 1) -> bytes:
    """Pages that are one image each, with text nobody sees on them."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(400, 300), invariant=1)
    image = ImageReader(io.BytesIO(png()))
    for _ in range(pages):
        canvas.drawImage(image, 0, 0, 400, 300)
        hidden = canvas.beginText(50, 200)
        hidden.setTextRenderMode(3)
        hidden.textOut(layer)
        canvas.drawText(hidden)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def png() -> bytes:
    rows = b"".join(b"\0" + bytes(80 if y % 9 else 0 for _ in range(40)) for y in range(30))

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", 40, 30, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("layer", ["", "recognised 1 2 3"])
def test_pages_that_are_images_go_to_the_reader_of_scans(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[int, tuple[int, ...], int]] = []

    def read_pages(pages: Iterator[tuple[int, Any, int]]) -> Document:
        met.extend((number, image.shape, dpi) for number, image, dpi in pages)
        return Document("image", ())

    monkeypatch.setitem(
        sys.modules, "crawler.documents.image", SimpleNamespace(read_pages=read_pages)
    )
    assert pdf.read(scan(layer, pages=2)).kind == "image"
    assert met == [(1, (834, 1112), 200), (2, (834, 1112), 200)]


def test_a_page_without_text_among_others_is_said() -> None:
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(Sheet().pdf())) as document:
        with pikepdf.open(io.BytesIO(scan())) as other:
            document.pages.extend(other.pages)
        document.save(buffer)
    read = pdf.read(buffer.getvalue())
    assert last_row(read) == ["12", "", "7"]
    assert [(remark.rule, remark.facts["page"]) for remark in read.remarks] == [("no_text", "2")]


def test_a_seal_hides_nothing() -> None:
    sheet = Sheet()
    sheet.canvas.drawImage(ImageReader(io.BytesIO(png())), 60, 195, 80, 60)
    assert last_row(pdf.read(sheet.pdf())) == ["12", "", "7"]


# --- bytes by hand ------------------------------------------------------------------------------


def raw(content: bytes, *objects: bytes, media: bytes = b"0 0 400 300", page: bytes = b"") -> bytes:
    """A PDF of one page; `objects` are numbered from 5 on."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[" + media + b"]/Contents 4 0 R" + page + b">>",
        stream(content),
        *objects,
    ]
    out, places = b"%PDF-1.5\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table
    return out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, end)


def stream(content: bytes, head: bytes = b"") -> bytes:
    packed = zlib.compress(content)
    opening = b"<</Length %d/Filter/FlateDecode%b>>\nstream\n" % (len(packed), head)
    return opening + packed + b"\nendstream"


def calling(deep: int, often: int) -> bytes:
    """Forms of which each calls the next `often` times."""
    forms = []
    for level in range(deep):
        inner = b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level)
        body = b"/F Do " * often if level < deep - 1 else b"0 0 m 9 9 l S "
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + inner
        forms.append(stream(body, head))
    return raw(b"/F Do", *forms, page=b"/Resources<</XObject<</F 5 0 R>>>>")


def in_itself() -> bytes:
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"
    form = stream(b"/F Do /F Do", head)
    return raw(b"/F Do", form, page=b"/Resources<</XObject<</F 5 0 R>>>>")


def font_without_names(content: bytes) -> bytes:
    """Text in a font that says nothing about what its glyphs mean."""
    font = (
        b"<</Type/Font/Subtype/Type0/BaseFont/Nameless/Encoding/Identity-H"
        b"/DescendantFonts[<</Type/Font/Subtype/CIDFontType2/BaseFont/Nameless/DW 500"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/FontDescriptor<</Type/FontDescriptor/FontName/Nameless/Flags 4/ItalicAngle 0"
        b"/FontBBox[0 0 500 700]/Ascent 700/Descent 0/CapHeight 700/StemV 80>>>>]>>"
    )
    return raw(content, font, page=b"/Resources<</Font<</N 5 0 R>>>>")


def test_letters_without_meaning_are_unreadable_never_guessed() -> None:
    content = b"BT /N 10 Tf 60 200 Td <003100320033> Tj ET"
    read = pdf.read(font_without_names(content))
    assert texts(read) == ["\ufffd" * 3]
    assert [(remark.rule, remark.facts["count"]) for remark in read.remarks] == [
        ("no_unicode", "3")
    ]


def locked(password: str) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(Sheet().pdf())) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="owner", user=password))
    return out.getvalue()


def test_a_file_locked_for_changes_only_is_read() -> None:
    assert last_row(pdf.read(locked(""))) == ["12", "", "7"]


def refused(body: bytes) -> Unreadable:
    started = time.monotonic()
    with pytest.raises(Unreadable) as caught:
        pdf.read(body)
    assert time.monotonic() - started < 10
    return caught.value


def test_hostile_files_end_in_a_named_finding() -> None:
    assert refused(locked("secret")).rule == "encrypted"
    assert refused(b"%PDF-1.7\n").rule == "damaged"
    assert refused(b"%PDF-1.7\n" + bytes(range(256)) * 64).rule == "damaged"


@pytest.mark.parametrize("body", [calling(12, 9), raw(b"0 0 m 1 1 l S\n" * 1_500_000)])
def test_bombs_end_in_a_named_finding(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_SECONDS", 2.0)
    assert not guard.is_plain(body)
    assert refused(body).rule in {"too_slow", "bomb", "damaged"}


def test_more_pages_than_a_report_has_are_refused() -> None:
    kids = b"3 0 R " * 1500
    body = raw(b"", b"").replace(b"/Kids[3 0 R]/Count 1", b"/Kids[" + kids + b"]/Count 1500")
    assert refused(body).rule == "bomb"


def test_forms_within_themselves_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_SECONDS", 2.0)
    assert not guard.is_plain(in_itself())
    assert refused(in_itself()).rule in {"damaged", "too_slow"}


def test_a_page_as_large_as_a_field_is_drawn_small() -> None:
    body = raw(b"0 0 m 9 9 l S", media=b"0 0 14400000 14400000")
    for _, image, dpi in pdf.page_images(body):
        assert image.size <= 41_000_000
        assert dpi < 10


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_torn_files_are_refused_or_read(part: float) -> None:
    body = render(reports.gold_report("hongze-2024"), Style(page=SIZES["A5"]))
    try:
        read = pdf.read(body[: int(len(body) * part)])
    except Unreadable:
        return
    answer = reading.read(read)
    assert {cell.state.value for cell in answer.cells} <= {"unread", "number", "zero"}


def test_a_process_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "is_plain", lambda body: False)
    monkeypatch.setattr(guard, "_CHILD", "crawler.nowhere")
    assert refused(Sheet().pdf()).rule == "damaged"


def test_plain_files_and_others_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    body = Sheet().pdf()
    assert guard.is_plain(render(reports.gold_report("hongze-2024")))
    before = pdf.read(body)
    monkeypatch.setattr(guard, "is_plain", lambda body: False)
    assert pdf.read(body) == before


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_changed_bytes_are_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(Sheet().pdf())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    try:
        read = pdf.read(bytes(body))
    except Unreadable:
        return
    assert read.kind in {"pdf", "image"}
