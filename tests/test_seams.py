"""Tables cut by a page: what is put together, what stays apart, what is left unread."""

from __future__ import annotations

import pytest

from crawler.documents.model import Block, Document, Grid, GridCell
from crawler.forms import reading
from crawler.forms.definition import forms
from crawler.forms.index import index_of
from crawler.forms.model import Reading, State
from crawler.forms.seams import parts

INDEX = index_of(forms()["2021"])
HEAD = ["（一）", "自然人", "商业企业", "科研机构", "社会公益组织", "法律服务机构", "其他", "总计"]
VALUES = ["1", "2", "3", "4", "5", "6", "21"]
BLANKS = [""] * 7
LABELS = 3  # columns of labels


def row(number: int, labels: list[str], values: list[str]) -> tuple[GridCell, ...]:
    """Labels over three columns, the last one as wide as is left, then the values."""
    cells = [GridCell(text, number, column) for column, text in enumerate(labels[:-1])]
    at = len(labels) - 1
    cells.append(GridCell(labels[-1], number, at, 1, LABELS - at))
    cells += [GridCell(text, number, LABELS + at) for at, text in enumerate(values)]
    return tuple(cells)


def grid(ordinal: int, page: int, *rows: tuple[list[str], list[str]]) -> Grid:
    made = tuple(row(number, *entry) for number, entry in enumerate(rows))
    xs = tuple(float(40 * x) for x in range(LABELS + 8))
    return Grid(ordinal, made, page, xs=xs, ys=tuple(float(20 * y) for y in range(len(rows) + 1)))


def head() -> tuple[list[str], list[str]]:
    return ["（本列数据的勾稽关系为：第一项加第二项之和，等于第三项加第四项之和）"], HEAD[1:]


RECEIVED = (["一、本年新收政府信息公开申请数量"], ["9"] * 7)
CARRIED = (["二、上年结转政府信息公开申请数量"], ["0"] * 7)


def read(*grids: Grid) -> Reading:
    return reading.read(Document("pdf", tuple(Block("table", grid=part) for part in grids)))


def row_of(answer: Reading, key: str) -> list[str]:
    cells = [cell for cell in answer.cells if (cell.table, cell.row) == ("applications", key)]
    return ["?" if cell.state is State.UNREAD else cell.raw for cell in cells]


def cut(above: tuple[str, list[str]], below: tuple[str, list[str]]) -> Reading:
    """A table whose last row on one page and first on the next are these."""
    one = grid(0, 1, head(), RECEIVED, CARRIED, (["", above[0]], above[1]))
    other = grid(1, 2, (["", below[0]], below[1]), (["", "（七）总计"], VALUES))
    return read(one, other)


LONG = ("（二）部分公开（区分处理的，只计", "这一情形，不计其他情形）")


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ((LONG[0], VALUES), (LONG[1], BLANKS)),
        ((LONG[0], BLANKS), (LONG[1], VALUES)),
        ((LONG[0] + LONG[1], BLANKS), ("", VALUES)),
        (("", VALUES), (LONG[0] + LONG[1], BLANKS)),
        (("（二）部分", VALUES), ("公开", BLANKS)),
        (("（二）部分公开", BLANKS), ("（单位：件）", VALUES)),
        (("（二）部分公", BLANKS), ("开（单位：件）", VALUES)),
        ((LONG[0], [*VALUES[:3], *BLANKS[3:]]), (LONG[1], [*BLANKS[:3], *VALUES[3:]])),
    ],
)
def test_a_row_in_two_halves_is_one(
    above: tuple[str, list[str]], below: tuple[str, list[str]]
) -> None:
    answer = cut(above, below)
    assert row_of(answer, "partial") == VALUES
    assert row_of(answer, "result_total") == VALUES


def test_rows_on_either_side_of_a_cut_stay_two() -> None:
    answer = cut(("（一）予以公开", VALUES), ("（二）部分公开", ["8"] * 7))
    assert row_of(answer, "granted") == VALUES
    assert row_of(answer, "partial") == ["8"] * 7


def test_blanks_above_a_cut_are_blank_where_the_next_row_is_known() -> None:
    answer = cut(("（一）予以公开", BLANKS), ("（二）部分公开", VALUES))
    assert row_of(answer, "granted") == BLANKS
    assert row_of(answer, "partial") == VALUES


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (("（二）部分公开，区分处理的", BLANKS), ("只算这一情形", VALUES)),
        (("（二）部分公开", BLANKS), ("附：电话咨询答复", VALUES)),
        (("（二）部分公开", VALUES), ("", ["8"] * 7)),
        ((LONG[0], VALUES), (LONG[1], ["8"] * 7)),
    ],
)
def test_what_may_belong_to_either_row_is_left_unread(
    above: tuple[str, list[str]], below: tuple[str, list[str]]
) -> None:
    assert row_of(cut(above, below), "partial") == ["?"] * 7


def test_a_local_row_below_a_cut_keeps_its_figures_to_itself() -> None:
    answer = cut(("（一）予以公开", ["0"] * 7), ("附：电话咨询答复", VALUES))
    assert row_of(answer, "granted") == ["0"] * 7
    assert "unclaimed_row" in {finding.rule for finding in answer.findings}


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("三、本年度办", "理结果"),
        ("三、本年度办理结果", ""),
        ("", "三、本年度办理结果"),
        ("三、本", ""),
    ],
)
def test_the_label_of_a_group_may_be_cut_anywhere(above: str, below: str) -> None:
    one = grid(0, 1, head(), RECEIVED, ([above, "（一）予以公开"], VALUES))
    other = grid(1, 2, ([below, "（二）部分公开"], ["8"] * 7), (["", "（七）总计"], VALUES))
    answer = read(one, other)
    assert row_of(answer, "granted") == VALUES
    assert row_of(answer, "partial") == ["8"] * 7
    assert {f.rule for f in answer.findings} & {"unclaimed_row", "unclaimed_table"} == set()


def test_a_head_alone_at_the_foot_of_a_page_is_that_of_the_next() -> None:
    answer = read(grid(0, 1, head()), grid(1, 2, RECEIVED, CARRIED))
    assert row_of(answer, "new_received") == ["9"] * 7
    assert "unclaimed_table" not in {finding.rule for finding in answer.findings}


def test_a_repeated_head_does_not_part_a_row() -> None:
    one = grid(0, 1, head(), RECEIVED, CARRIED, (["", LONG[0]], BLANKS))
    other = grid(1, 2, head(), (["", LONG[1]], VALUES), (["", "（七）总计"], VALUES))
    assert row_of(read(one, other), "partial") == VALUES


def test_a_figure_below_a_cut_is_no_part_of_the_head_above_it() -> None:
    item = "art20.item8", "fees"

    def two(ordinal: int, page: int, *rows: tuple[str, str]) -> Grid:
        cells = tuple(
            tuple(GridCell(text, number, column) for column, text in enumerate(entry))
            for number, entry in enumerate(rows)
        )
        return Grid(ordinal, cells, page, xs=(0.0, 90.0, 200.0), ys=tuple(map(float, range(3))))

    one = two(0, 1, ("第二十条第（八）项", ""), ("信息内容", "本年收费金额（单位：万元）"))
    other = two(1, 2, ("第二十条第（八）项", ""), ("行政事业性收费", "475995.25"))
    rest = grid(2, 2, head(), RECEIVED, CARRIED, (["", "（一）予以公开"], VALUES))
    answer = read(one, other, rest)
    (fee,) = [cell for cell in answer.cells if (cell.table, cell.row) == item]
    assert fee.raw == "475995.25"


def test_columns_of_all_parts_are_counted_alike() -> None:
    one = Grid(0, ((GridCell("a", 0, 0), GridCell("b", 0, 1)),), 1, xs=(0, 50, 100), ys=(0, 9))
    other = Grid(
        1,
        ((GridCell("c", 0, 0), GridCell("d", 0, 1), GridCell("e", 0, 2)),),
        2,
        xs=(10, 40, 60.3, 110),
        ys=(0, 9),
    )
    first, second = parts([one, other], INDEX)
    assert [(c.column, c.colspan) for c in first.grid.rows[0]] == [(0, 2), (2, 1)]
    assert [(c.column, c.colspan) for c in second.grid.rows[0]] == [(0, 1), (1, 1), (2, 1)]
    assert (first.table, second.table, first.is_last, second.is_last) == (0, 0, False, True)
    for part in (first, second):
        assert all(part.grid.box(cell) for cell in part.grid.rows[0])


@pytest.mark.parametrize(
    "other", [{"page": 3}, {"xs": (0.0, 50.0, 130.0)}, {"page": 1}, {"page": None}, {"xs": ()}]
)
def test_other_tables_are_no_parts(other: dict[str, object]) -> None:
    cells = ((GridCell("a", 0, 0), GridCell("b", 0, 1)),)
    one = Grid(0, cells, 1, xs=(0.0, 50.0, 100.0), ys=(0.0, 9.0))
    two = Grid(1, cells, **({"page": 2, "xs": one.xs, "ys": one.ys} | other))  # type: ignore[arg-type]
    assert [part.table for part in parts([one, two], INDEX)] == [0, 1]
