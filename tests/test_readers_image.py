"""Scans: what is read is right, what is doubtful is unread, and hostile images end in a finding."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from crawler.documents import image, pdf
from crawler.documents.model import Block, Document, Grid, GridCell
from crawler.errors import Unreadable
from crawler.forms import reading
from crawler.forms.model import Cell, Reading, State
from tests.replica.reports import gold_report

if TYPE_CHECKING:
    from crawler.documents.scan.glyphs import Sight
    from crawler.documents.scan.ink import Content
    from crawler.documents.scan.sheet import Bitmap, Sheet

SCANS = Path(__file__).parent / "fixtures" / "scans"
MISSING = [name for name in ("rapidocr", "onnxruntime", "cv2") if find_spec(name) is None]
needs_extra = pytest.mark.skipif(bool(MISSING), reason=f"gongkai[ocr] lacks {MISSING}")


@cache
def scanned_report() -> tuple[Document, Reading]:
    document = image.read((SCANS / "pages.tif").read_bytes())
    return document, reading.read(document)


def wrong(answer: Reading) -> list[Cell]:
    """Cells with a value, or said to be empty, that the report does not show."""
    truth = gold_report("hongze-2024").cells
    return [
        cell
        for cell in answer.cells
        if cell.state is not State.UNREAD
        and (cell.state.value, cell.value) != (truth[cell.path].state, truth[cell.path].value)
    ]


# --- pages --------------------------------------------------------------------------------------


@needs_extra
def test_three_pages_of_a_gold_report_are_read_to_the_cell() -> None:
    _, answer = scanned_report()
    assert answer.layout == "2021"
    assert wrong(answer) == []
    assert [cell.path for cell in answer.cells if cell.state is State.UNREAD] == []
    assert answer.body_title == gold_report("hongze-2024").body_title


@needs_extra
def test_a_page_says_who_read_it_where_and_how_surely() -> None:
    document, answer = scanned_report()
    assert document.kind == "image"
    assert document.engine.startswith("rapidocr 3")
    assert "PP-OCR" in document.engine
    grids = [block.grid for block in document.blocks if block.grid]
    assert {grid.page for grid in grids} == {1, 2, 3}
    for grid in grids:
        for cell in (cell for row in grid.rows for cell in row):
            box = grid.box(cell)
            assert box is not None
            assert box.left < box.right <= 1241
            assert cell.confidence is not None
            assert 0 <= cell.confidence <= 1
    assert all(cell.confidence is not None for cell in answer.cells)


@needs_extra
def test_prose_stands_between_the_tables_in_reading_order() -> None:
    document, answer = scanned_report()
    headings = [section.heading for section in answer.sections if section.heading]
    assert [heading[:2] for heading in headings] == ["一、", "二、", "三、", "四、", "五、", "六、"]
    texts = [block.text for block in document.blocks]
    assert any("587" in text and text.endswith("后上线。") for text in texts)  # over two lines


@needs_extra
def test_a_pdf_of_page_images_is_read_as_a_scan() -> None:
    buffer = io.BytesIO()
    with Image.open(SCANS / "pages.tif") as pages:
        pages.convert("L").save(buffer, "pdf", resolution=150)
    document = pdf.read(buffer.getvalue())
    assert document.kind == "image"
    answer = reading.read(document)
    assert wrong(answer) == []
    found = {cell.path for cell in answer.cells if cell.state is not State.UNREAD}
    assert len([path for path in found if path.startswith("art20.")]) == 10


@needs_extra
def test_a_skewed_and_grainy_photograph_invents_nothing() -> None:
    answer = reading.read(image.read((SCANS / "skewed.jpg").read_bytes()))
    assert wrong(answer) == []
    found = {cell.path: cell for cell in answer.cells if cell.state is not State.UNREAD}
    assert len([path for path in found if path.startswith("review_litigation.")]) >= 14


# --- ink ----------------------------------------------------------------------------------------


@pytest.fixture
def paper() -> Sheet:
    """An empty page at 150 dpi."""
    if MISSING:
        pytest.skip(f"gongkai[ocr] lacks {MISSING}")
    import numpy as np

    from crawler.documents.scan.sheet import Sheet

    blank = np.zeros((300, 300), dtype=np.uint8)
    return Sheet(blank.copy(), blank.copy(), blank.copy(), blank.copy(), 150.0)


def seen(sheet: Sheet) -> Content:
    from crawler.documents.model import Box
    from crawler.documents.scan.ink import content

    return content(sheet, Box(100, 100, 160, 140))


def said(sheet: Sheet, *readings: tuple[str, float]) -> tuple[str, float]:
    from crawler.documents.scan.reading import judged
    from crawler.documents.scan.recognition import Said

    return judged(seen(sheet), [Said(*one) for one in readings], 150)


def test_clean_paper_is_blank(paper: Sheet) -> None:
    assert seen(paper).lines == ()
    assert seen(paper).clear


def test_specks_are_not_ink(paper: Sheet) -> None:
    for y, x in ((110, 110), (125, 140), (130, 118), (112, 150)):
        paper.darkness[y, x] = 255
    assert seen(paper).lines == ()
    assert seen(paper).clear


def test_a_digit_too_pale_to_read_is_doubt_and_not_blank(paper: Sheet) -> None:
    paper.darkness[112:126, 125:132] = 66
    assert seen(paper).lines == ()
    assert not seen(paper).clear


def test_a_ruling_line_beside_the_cell_is_not_ink(paper: Sheet) -> None:
    paper.darkness[98:103, :] = 255
    paper.across[98:103, :] = 1
    paper.darkness[:, 98:103] = 255
    paper.down[:, 98:103] = 1
    assert seen(paper).lines == ()
    assert seen(paper).clear


def test_ink_that_runs_out_of_the_cell_is_not_sure(paper: Sheet) -> None:
    paper.darkness[110:126, 150:175] = 255
    text, confidence = said(paper, ("12", 1.0), ("12", 1.0), ("12", 1.0))
    assert (text, confidence) == ("12", 0.0)


def test_a_one_that_touches_the_edge_of_its_cell_is_no_blank(paper: Sheet) -> None:
    paper.darkness[112:126, 100:104] = 255
    assert seen(paper).lines or not seen(paper).clear
    assert said(paper, ("1", 1.0), ("1", 1.0), ("1", 1.0))[1] == 0.0


def test_dashes_are_told_by_their_shape(paper: Sheet) -> None:
    paper.darkness[118:120, 120:140] = 255
    assert said(paper, ("一", 1.0), ("一", 1.0), ("一", 1.0)) == ("—", 1.0)
    paper.darkness[:] = 0
    paper.darkness[118:120, 125:131] = 255
    assert said(paper, ("-", 0.3)) == ("-", 1.0)


def test_a_slash_is_no_one(paper: Sheet) -> None:
    for step in range(18):
        paper.darkness[110 + step, 135 - step // 3 : 138 - step // 3] = 255
    assert said(paper, ("1", 1.0), ("1", 1.0), ("1", 1.0)) == ("/", 1.0)


def test_readings_that_differ_are_not_sure(paper: Sheet) -> None:
    paper.darkness[110:126, 120:128] = 255
    assert said(paper, ("1", 1.0), ("7", 1.0), ("1", 1.0)) == ("1", 0.0)
    assert said(paper, ("1", 1.0), ("1", 0.4), ("1", 0.99)) == ("1", 0.99)


def test_numbers_far_apart_are_not_made_one(paper: Sheet) -> None:
    paper.darkness[110:124, 106:112] = 255
    paper.darkness[110:124, 150:156] = 255
    assert said(paper, ("1 2", 1.0), ("1 2", 1.0), ("1 2", 1.0))[0] == "1 2"


def sight(paper: Sheet, text: str, confidence: float, bar: bool) -> Sight:
    """A digit drawn as a full block, or as an upright bar beside a short one."""
    from crawler.documents.scan.glyphs import Sight

    paper.darkness[:] = 0
    paper.darkness[110:126, 120:130] = 0 if bar else 255
    paper.darkness[110:126, 120:123] = 255
    paper.darkness[123:126, 120:130] = 255
    return Sight(seen(replace(paper, darkness=paper.darkness.copy())), text, confidence)


def test_a_digit_that_looks_like_another_is_not_sure(paper: Sheet) -> None:
    from crawler.documents.scan.glyphs import compared

    blocks = [sight(paper, "8", 1.0, bar=False), sight(paper, "8", 0.99, bar=False)]
    bars = [sight(paper, "6", 1.0, bar=True), sight(paper, "6", 0.98, bar=True)]
    assert compared([*blocks, *bars]) == [1.0, 0.99, 1.0, 0.98]
    assert compared([*blocks, *bars, sight(paper, "6", 1.0, bar=False)])[-1] == 0.0
    assert compared([*blocks, *bars, sight(paper, "6", 0.7, bar=True)])[-1] == 0.95
    assert compared([*blocks, *bars, sight(paper, "3", 0.7, bar=True)])[-1] == 0.7


# --- what the forms make of it ------------------------------------------------------------------


def recognised(rows: list[list[str]], confidence: float = 1.0) -> Document:
    grid = Grid(
        0,
        tuple(
            tuple(GridCell(text, y, x, confidence=confidence) for x, text in enumerate(row))
            for y, row in enumerate(rows)
        ),
        page=1,
    )
    return Document("image", (Block("table", grid=grid),), engine="test")


ITEM = [
    ["信息内容", "本年制发件数", "本年废止件数", "现行有效件数"],
    ["规章", "0", "0", "0"],
    ["行政规范性文件", "3", "0", "8"],
]


def item_cells(document: Document) -> dict[str, Cell]:
    answer = reading.read(document)
    return {cell.path: cell for cell in answer.cells if cell.table == "art20.item1"}


def test_a_doubtful_cell_is_unread_with_its_text_kept() -> None:
    document = recognised(ITEM)
    grid = document.blocks[0].grid
    assert grid is not None
    doubted = grid.rows[2][1]._replace(confidence=0.5)
    rows = (*grid.rows[:2], (grid.rows[2][0], doubted, *grid.rows[2][2:]))
    answer = reading.read(
        replace(document, blocks=(Block("table", grid=replace(grid, rows=rows)),))
    )
    cells = {cell.path: cell for cell in answer.cells}
    path = "art20.item1.normative_documents.made"
    assert (cells[path].state, cells[path].value, cells[path].raw) == (State.UNREAD, None, "3")
    assert cells["art20.item1.normative_documents.valid"].value == 8
    assert [f.cells for f in answer.findings if f.rule == "doubtful"] == [(path,)]


@pytest.mark.parametrize("slip", ["本年制友件数", "本年制発件数", "本年制发发件数"])
def test_a_slip_in_a_recognised_head_is_put_right_and_said(slip: str) -> None:
    rows = [[ITEM[0][0], slip, *ITEM[0][2:]], *ITEM[1:]]
    answer = reading.read(recognised(rows))
    assert {c.value for c in answer.cells if c.table == "art20.item1"} == {0, 3, 8}
    assert any(f.rule == "label_guessed" and f.facts["label"] == slip for f in answer.findings)


def test_a_slip_in_a_recognised_row_is_put_right() -> None:
    cells = item_cells(recognised([*ITEM[:2], ["行政规范性文伴", *ITEM[2][1:]]]))
    assert cells["art20.item1.normative_documents.valid"].value == 8


def test_another_label_is_no_slip() -> None:
    rows = [*ITEM[:2], ["行政规划性批文", *ITEM[2][1:]]]
    cells = item_cells(recognised(rows))
    assert cells["art20.item1.normative_documents.valid"].state is State.UNREAD


# --- bytes --------------------------------------------------------------------------------------


def png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, 255).save(buffer, "png")
    return buffer.getvalue()


def rule_of(body: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        image.read(body)
    return caught.value.rule


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp"])
def test_images_are_told_by_their_bytes(kind: str) -> None:
    buffer = io.BytesIO()
    Image.new("L", (40, 40), 255).save(buffer, kind)
    assert image.is_mine(buffer.getvalue())


@pytest.mark.parametrize("body", [b"", b"%PDF-1.7", b"BM", b"PK\3\4", b"<html>", b"GIF89a"])
def test_other_bytes_are_no_image(body: bytes) -> None:
    assert not image.is_mine(body)


@needs_extra
@pytest.mark.parametrize("name", ["pages.tif", "skewed.jpg"])
def test_a_torn_image_is_said(name: str) -> None:
    body = (SCANS / name).read_bytes()
    for length in (9, 40, len(body) // 3):
        assert rule_of(body[:length]) == "damaged"


@needs_extra
def test_a_bomb_is_not_unpacked() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    body += struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"
    assert rule_of(body) == "bomb"


@needs_extra
def test_too_many_frames_are_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_MOST_FRAMES", 2)
    body = (SCANS / "pages.tif").read_bytes()
    with pytest.raises(Unreadable, match="2 pages"):
        list(image._frames(body))


@needs_extra
def test_an_icon_is_no_page() -> None:
    assert rule_of(png((16, 16))) == "damaged"


@needs_extra
def test_an_empty_page_is_an_empty_document() -> None:
    assert image.read(png((600, 800))).blocks == ()


@needs_extra
def test_sixteen_bits_are_not_cut_to_white() -> None:
    import numpy as np

    buffer = io.BytesIO()
    Image.fromarray(np.full((50, 50), 40_000, dtype=np.uint16)).save(buffer, "png")
    deep: list[tuple[int, Bitmap, int]] = list(image._frames(buffer.getvalue()))
    assert deep[0][1].max() == 255
    half = np.full((50, 50), 60_000, dtype=np.uint16)
    half[:25] = 20_000
    buffer = io.BytesIO()
    Image.fromarray(half).save(buffer, "png")
    assert {int(v) for v in np.unique(next(image._frames(buffer.getvalue()))[1])} == {85, 255}


def test_without_the_extra_it_is_switched_off_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image, "find_spec", lambda name: None)
    assert rule_of(png((600, 800))) == "needs_ocr"
