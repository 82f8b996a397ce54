"""What a reader of the page sees is what the documents hold: text, grids, blank cells."""

from __future__ import annotations

import codecs
import time

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.documents import charset, html, text
from crawler.documents.model import Block, Document, GridCell

CHINESE = "天山区人民政府政府信息公开工作年度报告，依照条例编制。" * 3


def texts(document: Document) -> list[str]:
    return [block.text for block in document.blocks if block.grid is None]


def grids(document: Document) -> list[tuple[tuple[GridCell, ...], ...]]:
    return [block.grid.rows for block in document.blocks if block.grid]


def cell_texts(page: str) -> list[list[str]]:
    (rows,) = grids(html.read(page))
    return [[cell.text for cell in row] for row in rows]


# --- charset ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "declared", "used"),
    [
        ("utf-8", "utf-8", "utf-8"),
        ("utf-8", "gb2312", "utf-8"),
        ("utf-8", "iso-8859-1", "utf-8"),
        ("utf-8", None, "utf-8"),
        ("gb18030", "gb2312", "gb18030"),
        ("gb18030", "GBK", "gb18030"),
        ("gb18030", "utf-8", "gb18030"),
        ("gb18030", "iso-8859-1", "gb18030"),
        ("gb18030", "no-such-charset", "gb18030"),
        ("gb18030", "hex", "gb18030"),
        ("gb18030", None, "gb18030"),
    ],
)
def test_a_wrong_declaration_does_not_spoil_a_page(
    encoding: str, declared: str | None, used: str
) -> None:
    decoded = charset.decode(CHINESE.encode(encoding), declared)
    assert (decoded.text, decoded.used, decoded.declared) == (CHINESE, used, declared)
    assert decoded.replaced == 0


@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="gb2312">',
        "<META http-equiv='Content-Type' content='text/html; charset=GBK'/>",
    ],
)
def test_a_page_may_declare_its_charset_itself(meta: str) -> None:
    body = f"<html><head>{meta}</head>{CHINESE}".encode("gb18030")
    decoded = charset.decode(body)
    assert CHINESE in decoded.text
    assert (decoded.declared or "").lower() in {"gb2312", "gbk"}
    assert texts(html.read(body)) == [CHINESE]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_byte_order_mark_decides_and_is_no_text(mark: bytes) -> None:
    encoding = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le"}.get(mark, "utf-16-be")
    assert charset.decode(mark + CHINESE.encode(encoding), "gbk").text == CHINESE


def test_one_broken_byte_does_not_turn_a_page_into_another_charset() -> None:
    body = CHINESE.encode()
    decoded = charset.decode(body[:40] + b"\xff" + body[40:-1], "utf-8")
    assert decoded.used == "utf-8"
    assert 0 < decoded.replaced <= 6
    assert decoded.text.startswith(CHINESE[:13])


@given(st.binary(max_size=300), st.none() | st.text(max_size=12))
def test_any_bytes_decode_to_some_text(body: bytes, declared: str | None) -> None:
    decoded = charset.decode(body, declared)
    assert decoded.replaced == 0 or "\ufffd" in decoded.text


# --- html: what is seen -------------------------------------------------------------------------


def test_menus_scripts_styles_and_comments_are_no_text() -> None:
    page = (
        "<html><head><title>t</title><style>p{}</style></head><body><!-- <p>c</p> --><p>一</p>"
        "<script>if (a < b) document.write('<p>s</p>')</script><p hidden>h</p>"
        "<div style='DISPLAY : none'><div>x</div>y</div><p style='visibility:hidden'>v</p>"
        "<p>二<span style='mso-hide:all'>m</span><!--[if gte mso 9]><xml>w</xml><![endif]--></p>"
    )
    assert texts(html.read(page)) == ["一", "二"]


def test_hidden_rows_and_cells_take_no_place() -> None:
    page = (
        "<table><thead style='display:none'><tr><td>9<td>9</thead><tbody>"
        "<tr style='display: none;color:red'><td>9</td><td>9</td></tr>"
        "<tr><td>a</td><td hidden>9</td><td><i style='display:none'>9</i>b</td></tr></table>"
    )
    (rows,) = grids(html.read(page))
    assert rows == ((GridCell("a", 0, 0), GridCell("b", 0, 1)),)


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("商业<br>企业", "商业\n企业"),
        ("<p>6</p><p>0</p>", "6\n0"),
        ("<p>\n <span>1</span><span>03</span>\n</p>", "103"),
        ("<p class='x'><o:p>&nbsp;</o:p></p>", "\xa0"),
        ("　", "　"),
        ("<p><br/></p>", ""),
        ("", ""),
        ("22<sup>1</sup>", "22[1]"),
        ("22<span style='VERTICAL-ALIGN: super'><span>1</span></span>件", "22[1]件"),
        ("<s>2</s>21", "[2]21"),
        ("<del>2</del>21", "[2]21"),
        ("<span style='text-decoration: line-through'><b>2</b></span>21", "[2]21"),
        (
            "<span style='text-decoration:line-through'>"
            "<i style='text-decoration:line-through'>2</i></span>21",
            "[2]21",
        ),
        ("<p style='text-decoration:line-through'>2</p><p>21</p>", "[2]\n21"),
        ("<s></s>21", "21"),
        ("<input value='22'>件", "22件"),
        ("<input type='hidden' value='7'>22", "22"),
        ("<textarea rows='1'>22</textarea>", "22"),
        ("<select><option>1</option><option selected>22</option></select>", "\ufffd"),
        ("<img src='22.png'>", "\ufffd"),
        ("<svg><text>22</text></svg>", "\ufffd"),
        ("<script>document.write(22)</script>", "\ufffd"),
        ("<ruby>22<rt>9</rt></ruby>", "22"),
        ("22<img src='arrow.png'>", "22"),
        ("本年新\n   制作数量", "本年新 制作数量"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
    ],
)
def test_a_cell_keeps_its_text_as_it_is_seen(cell: str, seen: str) -> None:
    assert cell_texts(f"<table><tr><td>{cell}</td><td>x</td></tr></table>") == [[seen, "x"]]


def test_spans_place_the_cells_as_browsers_do() -> None:
    page = (
        "<table><tr><td rowspan=2>a<td colspan=3>b<tr><td>c<td rowspan=0>d<td>e"
        "<tr><td>f<td>g<td>h</table>"
    )
    (rows,) = grids(html.read(page))
    assert [[(cell.text, cell.row, cell.column) for cell in row] for row in rows] == [
        [("a", 0, 0), ("b", 0, 1)],
        [("c", 1, 1), ("d", 1, 2), ("e", 1, 3)],
        [("f", 2, 0), ("g", 2, 1), ("h", 2, 3)],
    ]
    assert [cell.rowspan for cell in rows[1]] == [1, 2, 1]


@pytest.mark.parametrize("span", ["99999999999999", "-3", "0", "x", "", "1e9", "٣"])
def test_hostile_spans_are_bounded(span: str) -> None:
    row = f'<tr><td colspan="{span}" rowspan="{span}">1</td><td>2</td></tr>'
    start = time.process_time()
    (rows,) = grids(html.read("<table>" + row * 300 + "</table>"))
    assert time.process_time() - start < 2
    assert len(rows) == 300
    for number, cells in enumerate(rows):
        assert all(1 <= cell.colspan <= 64 for cell in cells)
        assert all(1 <= cell.rowspan <= 300 - number for cell in cells)


def test_layout_tables_are_no_grids() -> None:
    page = (
        "<table><tr><td>menu</td><td><table><tr><td><p>text</p></td></tr></table>"
        "<table><tr><td>1</td><td>2</td></tr></table></td></tr></table>"
    )
    document = html.read(page)
    assert texts(document) == ["menu", "text"]
    assert len(grids(document)) == 1


def test_headings_and_paragraphs_stand_in_reading_order() -> None:
    document = html.read("<h2>一、概述</h2>text<p>p<table><tr><td>1<td>2</table>after")
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("heading", "一、概述"),
        ("paragraph", "text"),
        ("paragraph", "p"),
        ("table", ""),
        ("paragraph", "after"),
    ]


def test_an_element_is_read_as_its_bytes_are_and_stays_as_it_was() -> None:
    page = f"<html><body><div id='b'><p>{CHINESE}</p><table><tr><td>1<td>2</table></div>tail"
    element = lxml.html.document_fromstring(page).get_element_by_id("b")
    before = lxml.html.tostring(element)
    assert html.read(element).blocks == html.read(page.encode()).blocks[:-1]
    assert lxml.html.tostring(element) == before


@pytest.mark.parametrize("page", [b"", b"  \n", b"\0", b"<!-- -->", b"<html></html>"])
def test_an_empty_page_is_an_empty_document(page: bytes) -> None:
    document = html.read(page)
    assert document.blocks == ()
    assert document.tokens == ()


def test_deep_nesting_loses_no_text() -> None:
    assert "x" in "".join(texts(html.read("<div>" * 1500 + "<p>x</p>")))


PIECES = """<table> </table> <tr> </tr> <td> </td> <td/> <p> </p> <br> <div> </div> <!-- --> <pre>
 <script> </script> <sup> </sup> <li> text 1 &nbsp; < > & <p/hidden> </table/> <td_colspan=3>
 <tr_style='display:none'> <o:p> </o:p> <?x?> <![if> <![CDATA["""
MARKUP = st.lists(
    st.sampled_from([*(piece.replace("_", " ") for piece in PIECES.split()), "\n\n"]), max_size=60
)


@given(MARKUP)
def test_no_markup_breaks_the_reader(pieces: list[str]) -> None:
    document = html.read("".join(pieces))
    for rows in grids(document):
        for number, row in enumerate(rows):
            assert all(cell.row == number for cell in row)
            columns = [cell.column for cell in row]
            assert columns == sorted(set(columns))
    assert all(block.text.strip() for block in document.blocks if block.grid is None)


# --- flattened text -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a\n\nb\n\n\n\nc\n\nd", ("a", "b", "", "", "c", "d")),
        ("a\nb\n\n\nc\nd\ne", ("a", "b", "", "", "c", "d", "e")),
        ("a\r\n\r\nb\r\n\r\n\r\nc", ("a", "b", "", "c")),
        ("a\n \n \n\nb\n\nc\n\nd", ("a", "", "", "b", "c", "d")),
        ("a\n\n\xa0\n\nb\n\n　\n\nc", ("a", "", "b", "", "c")),
        ("\n\n\n", ()),
        ("", ()),
    ],
)
def test_every_line_end_beyond_the_join_is_a_blank_cell(
    written: str, expected: tuple[str, ...]
) -> None:
    assert tuple(text.tokens(written)) == expected


@pytest.mark.parametrize(
    "page",
    [
        "<p>a</p><p></p><p>&nbsp;</p><p>b</p><p>c</p>",
        "<div>a</div><div><br></div><div>&nbsp;</div><div>b</div><div>c</div>",
        "<p>a</p>\n<p><br></p>\n\n\n<p><span></span></p><p>b</p>\n\n\n\n<p>c</p>",
        "<pre>a\n\n\n\nb\n\nc\n\nd</pre>",
        "<div>a<br><br><br><br>b<br><br>c<br><br>d</div>",
        "<div>a\n\n\n\nb\n\nc\n\nd</div>",
        "<p>a</p>\n\n\n<p>b</p>\n<p>c</p>\n<p>d</p>",
    ],
)
def test_a_flattened_page_has_the_tokens_of_the_flattened_text(page: str) -> None:
    assert html.read(page).tokens[:5] == ("a", "", "", "b", "c")


@given(st.lists(st.sampled_from(["", "6", "0", "标签", "5446.75万元"]), min_size=1, max_size=40))
def test_flattening_loses_no_cell(cells: list[str]) -> None:
    kept = ["first", "second", *cells, "last", "end"]
    written = "".join(f"{cell}\n\n" if cell else "\n" for cell in kept)
    page = "".join(f"<p>{cell}</p>" for cell in kept)
    if sum(map(bool, cells)) * 2 > len(cells):
        assert text.read(written).tokens == tuple(kept)
    assert html.read(page).tokens == tuple(kept)


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_a_document(written: str) -> None:
    document = text.read(written)
    assert document.kind == "text"
    assert all(isinstance(block, Block) and block.text.strip() for block in document.blocks)
