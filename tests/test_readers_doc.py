"""The reader of binary Word files: every cell, nothing that does not show, and no crash."""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from crawler.documents import cfb, doc, html
from crawler.documents.model import Document, Grid, GridCell
from crawler.errors import Unreadable
from crawler.forms import reading
from crawler.words import sentences
from tests.noise import compound_file
from tests.rendering.doc import FIXTURES, by_office, fixture, render
from tests.rendering.word_file import (
    DELETED,
    FIRST_ACROSS,
    FIRST_DOWN,
    HIDDEN,
    MORE_ACROSS,
    MORE_DOWN,
    OF_CHARACTERS,
    OF_PARAGRAPHS,
    PLAIN,
    RAISED,
    STYLES,
    Cell,
    Layout,
    Style,
    WordFile,
    in_list,
    list_tables,
    style_sheet,
)
from tests.replica.report_model import Report
from tests.replica.reports import body_html, generate, gold_report
from tests.test_generated_reports import (
    MOST_UNREAD,
    ORGANS,
    SINGLE,
    TRANSCRIBED,
    assert_prose_kept,
    assert_read,
    mixed_report,
)

COMMITTED = sorted(path.stem for path in FIXTURES.glob("*.doc"))
# As Word saves a text at once, in haste over years, and with rows too wide for a page.
LAYOUTS = (
    Layout(),
    Layout(seed=1, piece=300),
    Layout(seed=2, piece=30, longest=60),
    Layout(seed=3, compressed=False, longest=20),
)


def grids(document: Document) -> list[Grid]:
    return [block.grid for block in document.blocks if block.grid]


def texts(document: Document) -> list[str]:
    return [block.text for block in document.blocks if block.grid is None]


# --- reports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMITTED)
def test_a_file_of_another_program_is_read_whole(name: str) -> None:
    report, body = fixture(name)
    document = doc.read(body)
    answer = reading.read(document)
    assert_read(report, answer, unread=0)
    assert (answer.body_title, document.kind, document.remarks) == (report.body_title, "doc", ())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_transcribed_reports_are_read_whole(slug: str, layout: Layout) -> None:
    report = gold_report(slug)
    answer = reading.read(doc.read(render(report, layout)))
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("number", range(20))
def test_a_file_holds_the_grids_of_the_page(number: int) -> None:
    """Table by table and row by row; columns are as wide as a hand made them."""
    report, long = mixed_report(number), number % 2 == 0
    page = html.read(f"<body>{body_html(report, 'ueditor' if long else 'clean')}</body>")
    assert lines(doc.read(render(report, LAYOUTS[number % 4], long))) == lines(page)


def lines(document: Document) -> list[list[list[tuple[str, int]]]]:
    """Of every row of every grid, the texts and heights."""
    return [
        [[("".join(cell.text.split()), cell.rowspan) for cell in row] for row in grid.rows]
        for grid in grids(document)
    ]


@pytest.mark.parametrize(("number", "report"), list(enumerate(p.values[0] for p in SINGLE)))
def test_a_report_with_one_defect_is_read_whole(number: int, report: Report) -> None:
    document = doc.read(render(report, LAYOUTS[number % len(LAYOUTS)]))
    answer = reading.read(document)
    assert_read(report, answer, unread=0)
    assert (answer.body_title, document.remarks) == (report.body_title, ())


@pytest.mark.parametrize("number", range(60))
def test_mixed_defects_invent_nothing(number: int) -> None:
    report = mixed_report(number)
    layout = replace(LAYOUTS[number % len(LAYOUTS)], seed=number)
    assert_read(report, reading.read(doc.read(render(report, layout))), MOST_UNREAD)


@pytest.mark.parametrize("year", range(2008, 2019))
def test_old_reports_keep_their_prose(year: int) -> None:
    report = generate(year, ORGANS[year % 4], year, "old")
    assert_prose_kept(report, reading.read(doc.read(render(report))))


def test_numbers_a_list_would_set_are_not_needed() -> None:
    """What Word numbers by itself is no text of the file."""
    number = re.compile(r"^[一二三四五六七八九]、|^[(（][一二三四五六七八九][)）]|^\d[.、]")
    for slug in TRANSCRIBED:
        report = gold_report(slug)
        bare = replace(
            report,
            sections=tuple((number.sub("", head), prose) for head, prose in report.sections),
            labels={key: number.sub("", label) for key, label in report.labels.items()},
        )
        assert_read(bare, reading.read(doc.read(render(bare))), unread=0)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_writes_a_report_that_is_read_whole() -> None:
    report = mixed_report(5)
    assert_read(report, reading.read(doc.read(by_office(report))), MOST_UNREAD)


# --- tables -------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["", "0", "-", "22", "\u00a0", "\u3000", "总计", "𠮷", "a b", "一\n二", "é"]
)


@st.composite
def tables(draw: st.DrawFn) -> list[GridCell]:
    """A grid cut into merged cells; at least two of them, and no row or column hidden by merges."""
    height, width = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    taken: set[tuple[int, int]] = set()
    cells: list[GridCell] = []
    for row in range(height):
        for column in range(width):
            if (row, column) in taken:
                continue
            right = column
            while right + 1 < width and (row, right + 1) not in taken and draw(st.booleans()):
                right += 1
            below = row
            while below + 1 < height and draw(st.integers(0, 3)) == 0:
                below += 1
            spans = below - row + 1, right - column + 1
            taken |= {(r, c) for r in range(row, below + 1) for c in range(column, right + 1)}
            cells.append(GridCell(draw(WORDS), row, column, *spans))
    return cells


def visible(cells: list[GridCell]) -> list[GridCell]:
    """Columns count where an edge is: a column no row begins a cell in cannot be seen."""
    edges = sorted({x for cell in cells for x in (cell.column, cell.column + cell.colspan)})
    at = {edge: place for place, edge in enumerate(edges)}
    return [
        cell._replace(
            column=at[cell.column], colspan=at[cell.column + cell.colspan] - at[cell.column]
        )
        for cell in cells
    ]


def write_table(file: WordFile, cells: list[GridCell], random: Random) -> None:
    for number in range(max(cell.row + cell.rowspan for cell in cells)):
        line = sorted(
            (cell for cell in cells if cell.row <= number < cell.row + cell.rowspan),
            key=lambda cell: cell.column,
        )
        edges = [1000 * n + random.randint(-30, 30) for n in range(8)]
        file.row([row_cell(cell, number, edges) for cell in line], edges[0])


def row_cell(cell: GridCell, number: int, edges: list[int]) -> Cell:
    below = number > cell.row
    down = 0 if cell.rowspan == 1 else MORE_DOWN if below else FIRST_DOWN
    width = edges[cell.column + cell.colspan] - edges[cell.column]
    return Cell([] if below else cell.text.split("\n"), width, down)


@given(tables(), st.integers(0, 99), st.sampled_from(LAYOUTS))
@examples(max_examples=150, deadline=None)
def test_any_table_is_read_as_it_was_merged(
    cells: list[GridCell], seed: int, layout: Layout
) -> None:
    file = WordFile()
    file.paragraph("前")
    write_table(file, cells, Random(seed))
    file.paragraph("后")
    document = doc.read(file.bytes(layout))
    if len(cells) == 1:
        assert not grids(document)
        return
    (grid,) = grids(document)
    assert [cell for row in grid.rows for cell in row] == visible(cells)
    assert texts(document) == ["前", "后"]


@pytest.mark.parametrize("swapped", [False, True])
def test_cells_merged_by_flags_are_one(swapped: bool) -> None:
    """Two descriptions of the format differ in which value begins a set."""
    first, more = (MORE_ACROSS, FIRST_ACROSS) if swapped else (FIRST_ACROSS, MORE_ACROSS)
    file = WordFile()
    flags = (first, more, more, first, more, 0)
    file.row([Cell([str(n)] if flag != more else [], 500, flag) for n, flag in enumerate(flags)])
    file.row([Cell([name], 500) for name in "abcdef"])
    (grid,) = grids(doc.read(file.bytes()))
    assert [(c.text, c.column, c.colspan) for c in grid.rows[0]] == [
        ("0", 0, 3),
        ("3", 3, 2),
        ("5", 5, 1),
    ]


def test_two_edges_of_one_row_are_two_columns_however_near() -> None:
    file = WordFile()
    file.row([Cell(["a"], 500), Cell(["b"], 20), Cell(["c"], 500)])
    file.row([Cell(["d"], 510), Cell(["e"], 510)])
    (grid,) = grids(doc.read(file.bytes()))
    assert [c.column for c in grid.rows[0]] == [0, 1, 2]
    assert [(c.column, c.colspan) for c in grid.rows[1]] == [(0, 1), (1, 2)]


def test_a_merged_column_ends_where_its_edges_do() -> None:
    """A cell that says it goes on, below a cell of another width, is a cell of its own."""
    file = WordFile()
    file.row([Cell(["a"], 1000, FIRST_DOWN), Cell(["b"], 500)])
    file.row([Cell(["c"], 500, MORE_DOWN), Cell(["d"], 500), Cell(["e"], 500)])
    (grid,) = grids(doc.read(file.bytes()))
    assert [c.text for c in grid.rows[1]] == ["c", "d", "e"]
    assert grid.rows[0][0].rowspan == 1


def test_a_table_in_a_cell_is_a_grid_and_the_outer_one_layout() -> None:
    inner = [[Cell(["1"], 300), Cell([""], 300)], [Cell(["x", "y"], 600)]]
    outer = [Cell(["左"], 1000), Cell(["右"], 1000)]
    file = WordFile()
    file.run("左")
    file.end_cell()
    for row in inner:
        file.row(row, depth=2)
    file.run("右")
    file.end_cell()
    file.end_row(outer)
    document = doc.read(file.bytes())
    assert [block.kind for block in document.blocks] == ["paragraph", "table", "paragraph"]
    assert texts(document) == ["左", "右"]
    (grid,) = grids(document)
    assert grid.rows == (
        (GridCell("1", 0, 0), GridCell("", 0, 1)),
        (GridCell("x\ny", 1, 0, 1, 2),),
    )


def test_a_table_of_one_cell_is_layout() -> None:
    file = WordFile()
    file.row([Cell(["甲", "乙"], 900)])
    assert texts(doc.read(file.bytes())) == ["甲", "乙"]


def test_rows_that_do_not_say_where_their_cells_stand_are_text_and_a_remark() -> None:
    cells = [Cell(["规章"], 500), Cell(["3"], 500)]
    for ending in ([], cells[:1], [Cell(["a"], 0), Cell(["b"], 500)]):
        file = WordFile()
        file.row(cells)
        for cell in cells:
            file.run(cell.paragraphs[0])
            file.end_cell()
        file.end_row(ending)
        document = doc.read(file.bytes())
        assert not grids(document)
        assert texts(document) == ["规章", "3"] * 2
        assert [remark.rule for remark in document.remarks] == ["columns_lost"]
        assert all(remark.rule in sentences() for remark in document.remarks)


# --- what shows and what does not ----------------------------------------------------------------


def shown(write: list[tuple[str, bytes]], layout: Layout = PLAIN) -> list[str]:
    file = WordFile()
    for text, properties in write:
        if text == "\r":
            file.end(run=properties)
        else:
            file.run(text, properties)
    return texts(doc.read(file.bytes(layout)))


SYMBOL = struct.pack("<HHH", 0x6A09, 0, 0xF0FC)
STRUCK, STRUCK_TWICE = b"\x37\x08\x01", b"\x53\x2a\x01"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ([("1", b""), ("2", HIDDEN), ("3", DELETED), ("4\r", b"")], ["14"]),
        ([("22", b""), ("1", RAISED), ("\r", b"")], ["22[1]"]),
        ([("2", STRUCK), ("21", b""), ("3", STRUCK_TWICE), ("\r", b"")], ["[2]21[3]"]),
        ([("22", b""), ("\x02", RAISED), ("\r", b"")], ["22"]),
        ([("a\x13 PAGE \x14", b""), ("7\x15b\r", b"")], ["a7b"]),
        ([("a\x13 IF \x13 X \x149\x15 \x148\x15b\r", b"")], ["a8b"]),
        ([("a\x13 TC \x15b\r", b"")], ["ab"]),
        ([("a\x13 b\x14c\r", b""), ("d\x15\x15\r", b"")], ["ac", "d"]),
        ([("a\x13b\r", b"")], ["ab"]),
        ([("\x01\x0812\x05\x1e3\x1f4\x0b5\r", b"")], ["12-34\n5"]),
        ([("a\x0cb\x0ec\r", b"")], ["a", "b", "c"]),
        ([("√", b""), ("(", SYMBOL), ("(\r", b"")], ["√\uf0fc("]),
        ([(" \t \r", b""), ("\u3000\u3000段\u00a0\r", b"")], ["\u3000\u3000段\u00a0"]),
        ([("𠮷\ud800x\r", b"")], ["𠮷\ufffdx"]),
        ([("a", b""), ("\r", DELETED), ("b\r", b"")], ["ab"]),
        ([("“quoted” – é€", b""), ("\r", b"")], ["“quoted” – é€"]),
        ([("no end", b"")], ["no end"]),
    ],
)
def test_text_is_what_a_reader_of_the_page_sees(
    write: list[tuple[str, bytes]], expected: list[str], layout: Layout
) -> None:
    parts = [(p, more) for text, more in write for p in re.split("(\r)", text) if p]
    assert shown(parts, layout) == expected


def test_pictures_are_counted_where_they_show() -> None:
    file = WordFile()
    file.run("\x01a")
    file.run("\x01", HIDDEN)
    file.run("\x01", RAISED)
    file.run("\x13 HYPERLINK \x01\x14b\x15")
    file.end()
    document = doc.read(file.bytes())
    assert texts(document) == ["ab"]
    assert [(remark.rule, remark.facts) for remark in document.remarks] == [
        ("pictures", {"count": "2"})
    ]


def test_a_hidden_mark_does_not_join_a_paragraph_to_a_table() -> None:
    file = WordFile()
    file.run("前")
    file.end(run=HIDDEN)
    file.row([Cell(["1"], 500), Cell(["2"], 500)])
    document = doc.read(file.bytes())
    assert texts(document) == ["前"]
    assert [cell.text for cell in grids(document)[0].rows[0]] == ["1", "2"]


def test_a_row_whose_mark_is_deleted_is_gone() -> None:
    file = WordFile()
    cells = [Cell(["1"], 500), Cell(["2"], 500)]
    file.row(cells)
    for name in "ab":
        file.run(name)
        file.end_cell()
    ending = struct.pack("<HBHB", 0x2416, 1, 0x2417, 1)
    file.end("\x07", ending, run=DELETED)
    file.row(cells)
    (grid,) = grids(doc.read(file.bytes()))
    assert [[cell.text for cell in row] for row in grid.rows] == [["1", "2"]] * 2


def test_text_boxes_stand_behind_the_paragraph_they_are_anchored_in() -> None:
    file = WordFile()
    file.paragraph("一、总体情况", style=1)
    file.row([Cell(["1"], 500), Cell(["2"], 500)])
    file.paragraph("正文")
    boxes = ((14, "末"), (2, "文件头\r2023年"), (9, "表旁"), (99_999, "远"))
    for layout in LAYOUTS:
        document = doc.read(file.bytes(replace(layout, boxes=boxes)))
        assert [(block.kind, block.text) for block in document.blocks] == [
            ("heading", "一、总体情况"),
            ("paragraph", "文件头"),
            ("paragraph", "2023年"),
            ("table", ""),
            ("paragraph", "正文"),
            ("paragraph", "表旁"),
            ("paragraph", "末"),
            ("paragraph", "远"),
        ]


def test_numbers_of_lists_are_counted() -> None:
    levels = [(1, 39, "\0、"), (3, 37, "（\1）"), (1, 0, "\0.\2."), *[(1, 0, "")] * 6]
    bullets = [(1, 23, "\uf0b7")]
    tables = list_tables({500: levels, 600: bullets}, [(500, {}), (600, {}), (500, {0: 5})])
    heading = Style(OF_PARAGRAPHS, paragraph=in_list(1, 0))
    sheet = style_sheet({2: heading, 20: Style(OF_PARAGRAPHS, based=2)})
    file = WordFile()
    for text, number, level in (
        ("甲", 1, 0), ("乙", 1, 1), ("丙", 1, 1), ("丁", 1, 2), ("戊", 1, 0), ("己", 1, 1),
        ("庚", 2, 0), ("辛", 3, 0), ("壬", 9, 0), ("癸", 1, 8),
    ):  # fmt: skip
        file.run(text)
        file.end(properties=in_list(number, level))
    file.run("隐")
    file.end(properties=in_list(1, 0), run=DELETED)
    file.paragraph("子", style=2)
    file.paragraph("丑", style=20)
    file.run("寅")
    file.end(properties=in_list(0, 0), style=2)
    layout = Layout(parts=(*tables, (STYLES, sheet)))
    assert texts(doc.read(file.bytes(layout))) == [
        "一、甲", "（三）乙", "（四）丙", "一.1.丁", "二、戊", "（三）己", "庚", "五、辛", "壬",
        "癸", "六、隐子", "七、丑", "寅",
    ]  # fmt: skip


def test_styles_hide_and_raise() -> None:
    sheet = style_sheet(
        {
            11: Style(OF_PARAGRAPHS, character=HIDDEN),
            12: Style(OF_PARAGRAPHS, based=11),
            13: Style(OF_CHARACTERS, character=HIDDEN),
            14: Style(OF_CHARACTERS, character=RAISED),
            15: Style(OF_CHARACTERS, based=15),
        }
    )
    file = WordFile()
    file.paragraph("隐", style=11)
    file.paragraph("隐", style=12)
    file.run("甲")
    for style in (13, 14, 15):
        file.run(str(style), struct.pack("<HH", 0x4A30, style))
    file.run("乙", struct.pack("<HHHB", 0x4A30, 13, 0x083C, 0))
    file.end()
    assert texts(doc.read(file.bytes(Layout(parts=((STYLES, sheet),))))) == ["甲[14]15乙"]


# --- files that are none --------------------------------------------------------------------------


@cache
def parts() -> dict[str, bytes]:
    body = render(gold_report("tianshan-2019"), Layout(piece=500, longest=60))
    return {path[0]: data for path, data in cfb.streams(body).items()}


def patched(name: str, place: int, *numbers: int) -> bytes:
    """The file with 32-bit numbers of one stream replaced."""
    stream = bytearray(parts()[name])
    struct.pack_into(f"<{len(numbers)}I", stream, place, *numbers)
    return compound_file({**parts(), name: bytes(stream)}, Random(1))


def field(at: int) -> int:
    return int(struct.unpack_from("<I", parts()["WordDocument"], at)[0])


def hostile() -> Iterator[tuple[str, str, bytes]]:
    good = compound_file(parts(), Random(1))
    text = parts()["WordDocument"]
    clx, papx = field(0x1A2), field(0x102)
    pages = (field(0x106) - 4) // 8
    yield "cut in the middle", "truncated", good[: len(good) // 2]
    yield "cut at the head", "damaged", good[:300]
    yield "no text", "damaged", compound_file({"1Table": b"x"}, Random(1))
    yield "no tables", "damaged", compound_file({"WordDocument": text}, Random(1))
    yield "empty text", "damaged", compound_file({**parts(), "WordDocument": b""}, Random(1))
    yield "short head", "damaged", compound_file({**parts(), "WordDocument": text[:90]}, Random(1))
    circle = bytearray(good)
    fat = 512 * (1 + struct.unpack_from("<I", good, 76)[0])
    start = struct.unpack_from("<I", good, 48)[0]
    struct.pack_into("<I", circle, fat + 4 * start, start)
    yield "a circle of sectors", "damaged", bytes(circle)
    odd = bytearray(good)
    struct.pack_into("<H", odd, good.index("WordDocument".encode("utf-16-le")) + 64, 9)
    yield "half a letter in a name", "damaged", bytes(odd)
    yield "pieces elsewhere", "damaged", patched("WordDocument", 0x1A2, 1 << 30)
    yield "no pieces", "damaged", patched("WordDocument", 0x1A2, clx, 0)
    yield "huge pieces", "damaged", patched("1Table", clx + 1, 0xFFFFFFF0)
    yield "pieces out of order", "damaged", patched("1Table", clx + 9, 0xFFFFFF)
    yield "huge text", "bomb", patched("WordDocument", 0x4C, 0x7FFFFFFF)
    yield "more text than pieces", "damaged", patched("WordDocument", 0x4C, 0x70000)
    yield "no properties", "damaged", patched("WordDocument", 0x106, 0)
    yield "pages elsewhere", "damaged", patched("1Table", papx + 4 * (pages + 1), 0x3FFFFF)
    yield "pages out of order", "damaged", patched("1Table", papx, 0xFFFFFFFF)
    page = 512 * struct.unpack_from("<I", parts()["1Table"], papx + 4 * (pages + 1))[0]
    yield "runs out of order", "damaged", patched("WordDocument", page, 0xFFFFFFFF)
    full = bytearray(text)
    full[page + 511] = 0xFF
    yield (
        "a page too full",
        "damaged",
        compound_file({**parts(), "WordDocument": bytes(full)}, Random(1)),
    )
    yield "no long properties", "damaged", compound_file({**parts(), "Data": b""}, Random(1))
    file = WordFile()
    file.paragraph("密")
    yield "encrypted", "encrypted", file.bytes(Layout(flags=0x0100))
    yield "obfuscated", "encrypted", file.bytes(Layout(flags=0x8100))
    yield "Word 95", "too_old", file.bytes(Layout(version=0x65))
    yield "unknown magic", "damaged", patched("WordDocument", 0, 0xC1A5AA)
    many = WordFile()
    many.run("\x07" * 60_000)
    many.end("\x07", struct.pack("<HB", 0x2416, 1))
    yield "too many cells", "bomb", many.bytes()


@pytest.mark.parametrize(("rule", "body"), [pytest.param(r, b, id=n) for n, r, b in hostile()])
def test_what_cannot_be_read_says_why(rule: str, body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(Unreadable) as caught:
        doc.read(body)
    assert caught.value.rule == rule
    assert caught.value.facts["kind"] == "doc"
    assert time.process_time() - begun < 5


def test_many_characters_of_anything_take_seconds() -> None:
    """The worst of what the bounds let through: every character a mark, a run, or a field."""
    for unit in ("\r", "\x13", "\x14", "\x07\x07\r", "\ud800", "\x13\x14\x15"):
        file = WordFile()
        for _ in range(2):
            file.run(unit * (60_000 // len(unit)), HIDDEN)
            file.end()
        begun = time.process_time()
        doc.read(file.bytes())
        assert time.process_time() - begun < 5


def test_a_label_of_a_list_is_no_bomb() -> None:
    tables = list_tables({500: [(1, 0, "长" * 60_000)]}, [(500, {})])
    file = WordFile()
    for _ in range(5000):
        file.run("x")
        file.end(properties=in_list(1, 0))
    assert len("".join(texts(doc.read(file.bytes(Layout(parts=tables)))))) < 1_000_000


def test_a_table_of_more_columns_than_any_is_text() -> None:
    file = WordFile()
    for row in range(150):
        file.row([Cell(["1"], 100), Cell(["2"], 5000)], 150 * row)
    (remark,) = doc.read(file.bytes()).remarks
    assert remark.rule == "columns_lost"


WHOLE = [fixture("hongze-2024")[1], compound_file(parts(), Random(2))]
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)


@given(st.sampled_from(WHOLE), DAMAGE, st.none() | st.floats(0, 1))
@examples(max_examples=150, deadline=None)
def test_damage_anywhere_is_read_or_refused(
    whole: bytes, damage: list[tuple[float, int]], cut: float | None
) -> None:
    body = bytearray(whole)
    for place, value in damage:
        body[int(place * len(body))] = value
    survives(bytes(body if cut is None else body[: int(cut * len(body))]))


@given(st.sampled_from(["1Table", "WordDocument", "Data"]), DAMAGE, st.integers(0, 3))
@examples(max_examples=150, deadline=None)
def test_damage_within_a_stream_is_read_or_refused(
    name: str, damage: list[tuple[float, int]], where: int
) -> None:
    """`where` 0: in its first 1,500 bytes, where the places of everything stand."""
    stream = bytearray(parts()[name])
    for place, value in damage:
        stream[int(place * (min(len(stream), 1500) if where == 0 else len(stream)))] = value
    survives(compound_file({**parts(), name: bytes(stream)}, Random(1)))


def survives(body: bytes) -> None:
    doc.is_mine(body)
    with contextlib.suppress(Unreadable):
        document = doc.read(body)
        sound(document)


def sound(document: Document) -> None:
    for block in document.blocks:
        block.text.encode()
        for row in block.grid.rows if block.grid else ():
            assert all(cell.rowspan > 0 and cell.colspan > 0 for cell in row)


def test_its_own_files_are_told_by_content() -> None:
    assert all(doc.is_mine(body) for body in WHOLE)
    cut = render(gold_report("tianshan-2019"))
    assert any(doc.is_mine(cut[: len(cut) * n // 8]) for n in range(4, 8))
    assert doc.is_mine(cfb.MAGIC + bytes(504) + b"\xec\xa5")
    workbook = compound_file({"Workbook": b"x" * 5000}, Random(1))
    for other in (b"", cfb.MAGIC, workbook, workbook[:700], b"PK\x03\x04", b"{\\rtf1", b"<html>"):
        assert not doc.is_mine(other)
