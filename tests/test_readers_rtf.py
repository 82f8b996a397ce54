"""Rich text: every cell, nothing that does not show, and no crash."""

from __future__ import annotations

import contextlib
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from crawler.documents import doc, rtf
from crawler.documents.model import Document
from crawler.documents.opening import open_file
from crawler.errors import Unreadable
from crawler.forms import reading
from tests.rendering.rtf import HEAD, render, row
from tests.rendering.word_file import Cell
from tests.replica.report_model import Report
from tests.replica.reports import generate, gold_report
from tests.test_generated_reports import (
    MOST_UNREAD,
    ORGANS,
    SINGLE,
    TRANSCRIBED,
    assert_prose_kept,
    assert_read,
    mixed_report,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_transcribed_reports_are_read_whole_under_the_name_of_a_doc(slug: str, seed: int) -> None:
    report = gold_report(slug)
    (document,) = open_file(render(report, seed), "年报.doc")
    assert (document.kind, document.remarks) == ("rtf", ())
    answer = reading.read(document)
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("report", [param.values[0] for param in SINGLE])
def test_a_report_with_one_defect_is_read_whole(report: Report) -> None:
    assert_read(report, reading.read(rtf.read(render(report))), unread=0)


@pytest.mark.parametrize("number", range(40))
def test_mixed_defects_invent_nothing(number: int) -> None:
    report = mixed_report(number)
    assert_read(report, reading.read(rtf.read(render(report, number))), MOST_UNREAD)


@pytest.mark.parametrize("year", range(2008, 2019, 3))
def test_old_reports_keep_their_prose(year: int) -> None:
    report = generate(year, ORGANS[year % 4], year, "old")
    assert_prose_kept(report, reading.read(rtf.read(render(report))))


def opened(text: str) -> Document:
    return rtf.read(f"{HEAD}{text}}}".encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\par b\par", ["a", "b"]),
        (r"1{\v 2}{\deleted 3}\v 4\v0 5\par", ["15"]),
        (r"22{\super 1}\par", ["22[1]"]),
        (r"22\super 1{\b 2}\nosupersub 3\par", ["22[12]3"]),
        (r"{\strike 2}21{\striked1 3}{\strike0 4}\strike 5\plain 6\par", ["[2]21[3]4[5]6"]),
        (r"22{\super{\footnote\pard 9\par}}\par", ["22"]),
        (r"{\field{\*\fldinst PAGE}{\fldrslt 7}}\par", ["7"]),
        (r"{\listtext\pard\plain \'d2\'bb\'a1\'a2\tab}x\par", ["一、\tx"]),
        (r"{\*\unknown 9}{\pict\wmetafile8 0909}x\par", ["x"]),
        (r"{\pict\bin5 }}}}{x}y\par", ["y"]),
        (r"\'d2\'bb\par", ["一"]),
        (r"{\f1\'b1|\'81\}}\f2\'a4\'40\par", ["眧亇一"]),
        (r"{\f1\'81\{}\par", ["亄"]),
        (r"\u19968 ?\uc0\u20108\uc2\u19977 ab\u-10174\'3f\'3f\u-8265 zz\par", ["一二三𠮷"]),
        (r"{\uc1\u8226{x}}\par", ["•x"]),
        (r"a\~b\_c\-d\line e\tab f\emdash\par", ["a\u00a0b-cd\ne\tf—"]),
        ("a\\\nb\\par", ["a", "b"]),
        (r"\{a\}\\\par no end", [r"{a}\\".replace(r"\\", "\\"), "no end"]),
        (r"{\shp{\*\shpinst{\sp{\sn x}{\sv 9}}{\shptxt box\par}}{\shprslt 9}}a\par", ["box", "a"]),
        (r"{\v\par}a\par", ["a"]),
    ],
)
def test_text_is_what_a_reader_of_the_page_sees(text: str, expected: list[str]) -> None:
    assert [block.text for block in opened(text).blocks] == expected


def test_pictures_are_counted_once() -> None:
    both = r"{\*\shppict{\pict\pngblip 09}}{\nonshppict{\pict\wmetafile8 09}}"
    document = opened(both + r"{\pict\bin3 }}}}{\header{\pict 09}}x\par")
    assert [block.text for block in document.blocks] == ["x"]
    assert [(remark.rule, remark.facts) for remark in document.remarks] == [
        ("pictures", {"count": "2"})
    ]


def test_a_table_in_a_cell_is_a_grid_and_the_outer_one_layout() -> None:
    inner = r"{\*\nesttableprops\trowd\cellx500\cellx900\nestrow}{\nonesttables\par}"
    document = opened(
        r"\trowd\cellx1000\cellx2000\pard\intbl A\cell "
        r"\pard\intbl\itap2 1\nestcell 2\par 3\nestcell " + inner + r"\pard\intbl\itap1 B\cell\row"
    )
    assert [block.kind for block in document.blocks] == ["paragraph", "table", "paragraph"]
    grid = document.blocks[1].grid
    assert grid is not None
    assert [[cell.text for cell in line] for line in grid.rows] == [["1", "2\n3"]]


def test_rows_told_of_once_hold_for_those_below() -> None:
    document = opened(
        r"\trowd\cellx500\cellx900\intbl 1\cell 2\cell\row 3\cell 4\cell\row\pard x\par"
    )
    grid = document.blocks[0].grid
    assert grid is not None
    assert [[cell.text for cell in line] for line in grid.rows] == [["1", "2"], ["3", "4"]]


def test_a_row_told_of_without_end_is_no_bomb() -> None:
    begun = time.process_time()
    opened(r"\trowd" + r"\cellx1" * 100_000 + r"\row" * 100_000)
    assert time.process_time() - begun < 5


def test_a_row_of_more_cells_than_it_tells_of_is_text_and_a_remark() -> None:
    document = opened(r"\trowd\cellx500\intbl 1\cell 2\cell\row\pard x\par")
    assert [block.text for block in document.blocks] == ["1", "2", "x"]
    assert [remark.rule for remark in document.remarks] == ["columns_lost"]


GOOD = render(gold_report("tianshan-2019"))
TABLE = row([Cell(["1"], 500), Cell(["2"], 500)], 0, Random(1)).encode()
HOSTILE = {
    "cut": ("truncated", GOOD[: len(GOOD) // 2]),
    "groups": ("damaged", b"{\\rtf1" + b"{" * 100_000),
    "a sign that is none": ("damaged", b"{\\rtf1 \\'zz 1234}"),
    "words": ("bomb", b"{\\rtf1" + b"\\v\\plain" * 400_000 + b"}"),
    "rows": ("bomb", b"{\\rtf1" + TABLE * 30_000 + b"}"),
    "binary": ("truncated", b"{\\rtf1\\bin2000000000 x}"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_cannot_be_read_says_why(name: str) -> None:
    rule, body = HOSTILE[name]
    begun = time.process_time()
    with pytest.raises(Unreadable) as caught:
        rtf.read(body)
    assert caught.value.rule == rule
    assert time.process_time() - begun < 8


@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(b"{}\\'*u0c\x00\xff"))),
    st.none() | st.floats(0, 1),
)
@examples(max_examples=60, deadline=None)
def test_damage_is_read_or_refused(damage: list[tuple[float, int]], cut: float | None) -> None:
    body = bytearray(GOOD[:30_000] + b"}")
    for place, value in damage:
        body[int(place * len(body))] = value
    with contextlib.suppress(Unreadable, ValueError):
        begin = bytes(body).index(b"{\\rtf")
        document = rtf.read(bytes(body[begin:] if cut is None else body[: int(cut * len(body))]))
        assert all(block.text.encode() is not None for block in document.blocks)


def test_its_own_files_are_told_by_content() -> None:
    assert rtf.is_mine(GOOD)
    assert rtf.is_mine(b"\r\n{\\rtf1}")
    assert not doc.is_mine(GOOD)
    for other in (b"", b"{", b"rtf", b"<html>{\\rtf1}"):
        assert not rtf.is_mine(other)
