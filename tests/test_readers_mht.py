"""Pages saved as one file: read as the page is, or refused by name."""

from __future__ import annotations

import contextlib
import time
from email import message_from_bytes
from itertools import product

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from crawler.documents import html, mht
from crawler.documents.opening import open_file
from crawler.errors import Unreadable
from crawler.forms import reading
from tests.rendering.mht import BOUNDARY, Encoding, render
from tests.replica.reports import body_html, gold_report
from tests.test_generated_reports import MOST_UNREAD, TRANSCRIBED, assert_read, mixed_report

ENCODINGS: tuple[Encoding, ...] = ("quoted-printable", "base64", "8bit")
WAYS = [*product(ENCODINGS, ("gb2312", "utf-8")), (ENCODINGS[1], "utf-16")]
HEAD = b"MIME-Version: 1.0\r\nContent-Type: "


@pytest.mark.parametrize(("encoding", "charset"), WAYS)
def test_the_page_is_read_as_the_page_it_is(encoding: Encoding, charset: str) -> None:
    report = gold_report("tianshan-2019")
    document = mht.read(render(report, "word", encoding, charset))
    assert document.kind == "mht"
    assert document.blocks == html.read(f"<body>{body_html(report, 'word')}</body>").blocks


@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_reports_are_read_whole_under_the_name_of_a_doc(slug: str) -> None:
    (document,) = open_file(render(gold_report(slug)), "年报.doc")
    assert document.kind == "mht"
    assert_read(gold_report(slug), reading.read(document), unread=0)


@pytest.mark.parametrize("number", range(12))
def test_mixed_defects_invent_nothing(number: int) -> None:
    report = mixed_report(number)
    body = render(report, "word", *WAYS[number % len(WAYS)])
    assert_read(report, reading.read(mht.read(body)), MOST_UNREAD)


def test_the_files_are_what_another_reader_takes_them_for() -> None:
    message = message_from_bytes(render(gold_report("hongze-2024")))
    assert not message.defects
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/related",
        "text/html",
        "text/html",
        "image/png",
    ]


def test_a_page_alone_and_a_page_two_parts_deep() -> None:
    alone = HEAD + b"text/html; charset=utf-8\r\n\r\n<p>1</p>"
    assert [block.text for block in mht.read(alone).blocks] == ["1"]
    inner = b"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>2\n"
    deep = b"multipart/alternative; boundary=a\n\n--a\n\nno page\n--a\n" + inner + b"--b--\n--a--"
    assert [block.text for block in mht.read(HEAD + deep).blocks] == ["2"]


GOOD = render(gold_report("tianshan-2019"))
HOSTILE = {
    "cut": ("truncated", GOOD[: len(GOOD) // 4]),
    "no page": ("damaged", HEAD + b"image/png\r\n\r\n\x89PNG"),
    "no parts": ("damaged", HEAD + b"multipart/related; boundary=x\r\n\r\n"),
    "no boundary": ("damaged", HEAD + b"multipart/related\r\n\r\n<p>1</p>"),
    "base64": (
        "damaged",
        HEAD + b"text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nA",
    ),
    "parts": ("bomb", HEAD + b"multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 1_000_000),
    "deep": (
        "damaged",
        HEAD + b"multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: multipart/mixed; boundary=xx\r\n\r\n"
        b"--xx\r\nContent-Type: multipart/mixed; boundary=xxx\r\n\r\n"
        b"--xxx\r\nContent-Type: multipart/mixed; boundary=xxxx\r\n\r\n"
        b"--xxxx\r\nContent-Type: multipart/mixed; boundary=xxxxx\r\n\r\n1",
    ),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_cannot_be_read_says_why(name: str) -> None:
    rule, body = HOSTILE[name]
    begun = time.process_time()
    with pytest.raises(Unreadable) as caught:
        mht.read(body)
    assert caught.value.rule == rule
    assert time.process_time() - begun < 5


@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.booleans(),
    st.none() | st.floats(0, 1),
)
@examples(max_examples=60, deadline=None)
def test_damage_is_read_or_refused(
    damage: list[tuple[float, int]], early: bool, cut: float | None
) -> None:
    """Half of it strikes where the parts are named."""
    body = bytearray(GOOD)
    for place, value in damage:
        body[int(place * (600 if early else len(body)))] = value
    spoilt = bytes(body if cut is None else body[: int(cut * len(body))])
    mht.is_mine(spoilt)
    with contextlib.suppress(Unreadable):
        mht.read(spoilt)


def test_its_own_files_are_told_by_content() -> None:
    assert mht.is_mine(GOOD)
    assert mht.is_mine(b"\r\nFrom: <x>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n")
    letter = "年报\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n".encode()
    page = f"<html><p>{BOUNDARY}</p></html>".encode()
    for other in (b"", b"\n" * 9000, letter, page, b"%PDF-1.7\n\n", b"PK\x03\x04"):
        assert not mht.is_mine(other)
