"""What makes a new version of a page or a file, and what is only seen again."""

from __future__ import annotations

import re
import struct
import sys
import zlib
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from random import Random
from zipfile import ZIP_DEFLATED, ZipFile

import pikepdf
import pytest

from crawler.documents import cfb, html
from crawler.documents.canonical import RULES, base, digest, digest_file, pdf
from tests.crawling import ROOT
from tests.noise import ROWS, compound_file, make, pdf_with, stream

HEAD = ("标题", "2020-03-06", "天山区人民政府")


def of(body: str, head: tuple[str, str, str | None] = HEAD) -> str:
    return digest(html.read(f"<div>{body}</div>"), *head)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>收到申请6件 浏览次数：12次</p>", "<p>收到申请6件 浏览次数：4234次</p>"),
        ("<p>收到申请6件</p>", "<p> 收到申请6件&nbsp;</p><p></p>"),
        ("<p>甲</p>", "<p>甲</p><p>附件：年报.docx</p>"),
        ("<p>甲</p>", "<p>甲</p><p>附件【年报.pdf】已下载7次</p>"),
        ("<p>甲</p>", "<p>甲</p><p>您是第 1,204 位访客</p>"),
        ("<p>甲</p>", "<p>甲</p><p>您是本站的第12位访问者！</p>"),
        ("<p>甲</p>", "<p>甲</p><p>今天是2026年3月1日 星期日 10:22:33</p>"),
        ("<p>甲</p>", "<p>甲</p><p>您好，今天是2026年3月1日 星期日</p>"),
        ("<p>甲</p>", "<p>甲</p><p>打印时间：2026-03-01 10:22</p>"),
        ("<p>甲</p>", "<p>当前时间：2026/3/1 10时22分33秒</p><p>甲</p>"),
        ("<p>来源：某局 访问量：7</p>", "<p>来源：某局 访问量：8</p>"),
        ("<p>2026-01-20 (点击: )</p>", "<p>2026-01-20 (点击: 12)</p>"),
        ("<p><a href='/a;jsessionid=0A'>甲</a></p>", "<p><a href='/a;jsessionid=0B'>甲</a></p>"),
        ("<p>见 http://x.example/a;jsessionid=0A</p>", "<p>见 http://x.example/a</p>"),
        ("<p>见 http://x.example/?PHPSESSID=0A&amp;b=1</p>", "<p>见 http://x.example/?b=1</p>"),
    ],
)
def test_counters_clocks_spaces_and_file_names_make_no_version(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>收到申请6件</p>", "<p>收到申请7件</p>"),
        ("<p>附件材料6件</p>", "<p>附件材料7件</p>"),
        (
            "<table><tr><td>规章</td><td>1</td><td></td></tr></table>",
            "<table><tr><td>规章</td><td></td><td>1</td></tr></table>",
        ),
        ("<p>甲</p><p>乙</p>", "<p>乙</p><p>甲</p>"),
        ("<p>网站访问量12345次</p>", "<p>网站访问量12346次</p>"),
        ("<p>网站总访问量：12345次，同比增长。</p>", "<p>网站总访问量：12346次，同比增长。</p>"),
        ("<p>访问量：12345</p>", "<p>访问量：12346</p>"),
        ("<p>信息浏览次数：35万次</p>", "<p>信息浏览次数：36万次</p>"),
        ("<p>网站浏览次数：35次</p>", "<p>网站浏览次数：36次</p>"),
        ("<p>浏览次数：35次以上</p>", "<p>浏览次数：36次以上</p>"),
        ("<p>今天是2026年3月1日，收到申请</p>", "<p>今天是2026年3月2日，收到申请</p>"),
        ("<p>下载次数：35</p>", "<p>下载次数：36</p>"),
        ("<p>本年点击量：3,500。</p>", "<p>本年点击量：3,600。</p>"),
        (
            "<table><tr><td>浏览次数：12</td><td>1</td></tr></table>",
            "<table><tr><td>浏览次数：13</td><td>1</td></tr></table>",
        ),
        ("<p>报告日期：2026年1月20日</p>", "<p>报告日期：2026年1月21日</p>"),
        ("<p>发布时间：2026-01-20 10:22</p>", "<p>发布时间：2026-01-21 10:22</p>"),
        ("<p>2026年1月20日</p>", "<p>2026年1月21日</p>"),
        ("<p>今天是政务公开日，收到3件</p>", "<p>今天是政务公开日，收到4件</p>"),
        ("<p>打印时间：每日3小时</p>", "<p>打印时间：每日4小时</p>"),
        ("<p>您是第3位申请人</p>", "<p>您是第4位申请人</p>"),
    ],
)
def test_a_figure_a_place_or_an_order_makes_one(one: str, other: str) -> None:
    assert of(one) != of(other)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_title_date_and_source_are_content(field: int) -> None:
    head = list(HEAD)
    head[field] = "另一个"
    assert of("<p>甲</p>") != of("<p>甲</p>", (head[0], head[1], head[2]))


# --- files -------------------------------------------------------------------------------------

Change = Callable[[dict[str, bytes]], object]


def package(kind: str, change: Change = lambda parts: None) -> bytes:
    """A docx or xlsx after a change of its parts."""
    with ZipFile(BytesIO(make(kind, ROWS, 1))) as read:
        parts = {name: read.read(name) for name in read.namelist()}
    change(parts)
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return written.getvalue()


def replace(name: str, old: str, new: str) -> Change:
    def change(parts: dict[str, bytes]) -> None:
        assert old.encode() in parts[name], f"{name} has no {old}"
        parts[name] = parts[name].replace(old.encode(), new.encode(), 1)

    return change


def add(name: str, data: bytes) -> Change:
    return lambda parts: parts.update({name: data})


DOCUMENT, BOOK, SHEET = "word/document.xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("docx", add("docProps/core.xml", b"<x/>")),
        ("docx", add("docProps/thumbnail.jpeg", b"x")),
        ("docx", add("package/services/metadata/core-properties/0a.psmdcp", b"<x/>")),
        ("docx", replace(DOCUMENT, "<w:tblPr/>", "<w:proofErr w:type='gramEnd'/><w:tblPr/>")),
        ("docx", replace(DOCUMENT, "<w:tblPr/>", "<w:tblPr></w:tblPr><!-- saved -->")),
        ("docx", replace(DOCUMENT, 'w:w="11906" w:h="16838"', "w:h='16838'  w:w='11906'")),
        ("xlsx", replace(BOOK, "<calcPr", "<calcPr ")),
        ("xlsx", replace(SHEET, "<sheetView ", "<sheetView  ")),
    ],
)
def test_what_a_save_writes_anew_is_left_out(kind: str, change: Change) -> None:
    assert digest_file(package(kind, change)) == digest_file(package(kind))
    assert digest_file(package(kind)).rule == "ooxml/1"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("docx", add("word/media/seal.png", b"\x89PNG")),
        ("docx", add("word/footer1.xml", b"<ftr/>")),
        ("docx", replace(DOCUMENT, 'w:w="11906"', 'w:w="11907"')),
        ("docx", replace(DOCUMENT, "<w:tblPr/>", '<w:tblPr><w:tblW w:w="0"/></w:tblPr>')),
        ("docx", replace(DOCUMENT, "<w:t>", '<w:t xml:space="preserve">')),
        ("docx", replace(DOCUMENT, "<w:t>", "<w:t> ")),
        ("docx", replace(DOCUMENT, "_Toc1", "_Toc2")),
        ("docx", replace("word/settings.xml", "420", "421")),
        ("xlsx", replace(BOOK, "<workbookPr/>", '<workbookPr date1904="1"/>')),
        ("xlsx", replace(BOOK, 'sheetId="1"', 'sheetId="1" state="hidden"')),
        ("xlsx", replace(SHEET, "<sheetView ", '<sheetView showZeros="0" ')),
        ("xlsx", replace(SHEET, '<c r="A3"', '<c s="1" r="A3"')),
    ],
)
def test_text_structure_and_pictures_are_kept(kind: str, change: Change) -> None:
    changed = digest_file(package(kind, change))
    assert changed != digest_file(package(kind))
    assert changed.rule == "ooxml/1"


def test_a_picture_that_changes_is_another_content() -> None:
    one, other = (package("docx", add("word/media/a.png", data)) for data in (b"one", b"two"))
    assert digest_file(one) != digest_file(other)


def remade(change: Callable[[pikepdf.Pdf], object]) -> bytes:
    """A PDF after a change, saved by qpdf."""
    saved = BytesIO()
    with pikepdf.open(BytesIO(make("pdf", ROWS, 1))) as file:
        change(file)
        file.save(saved, fix_metadata_version=False)
    return saved.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.docinfo.__setitem__("/Title", "年报"),
        lambda file: file.pages[0].__setitem__("/LastModified", pikepdf.String("D:20260301")),
        lambda file: file.Root.Metadata.write(b"<x/>"),
        lambda file: file.make_stream(b"nothing leads here"),
    ],
)
def test_what_a_pdf_says_of_its_saving_is_left_out(change: Callable[[pikepdf.Pdf], object]) -> None:
    assert digest_file(remade(change)) == digest_file(make("pdf", ROWS, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.pages[0].Resources.XObject.Im1.write(b"another seal"),
        lambda file: file.pages[0].Annots[0].__setitem__("/Contents", pikepdf.String("no")),
        lambda file: file.pages[0].Annots[0].__setitem__("/M", pikepdf.String("yesterday")),
        lambda file: file.pages[0].Resources.Font.F1.__setitem__("/BaseFont", pikepdf.Name.A),
        lambda file: file.pages[0].__setitem__("/Rotate", 180),
        lambda file: file.pages.append(file.pages[0]),
        lambda file: file.Root.__setitem__("/Metadata", pikepdf.String("no stream")),
        lambda file: file.pages[0].Contents.write(b"BT ET"),
    ],
)
def test_what_a_pdf_shows_is_kept(change: Callable[[pikepdf.Pdf], object]) -> None:
    changed = digest_file(remade(change))
    assert changed != digest_file(make("pdf", ROWS, 1))
    assert changed.rule == "pdf/1"


def streams(kind: str) -> dict[str, bytes]:
    return {path[-1]: data for path, data in cfb.streams(make(kind, ROWS, 1)).items()}


def patched(kind: str, name: str, place: int, data: bytes) -> bytes:
    held = streams(kind)
    changed = bytearray(held[name])
    changed[place : place + len(data)] = data
    return compound_file({**held, name: bytes(changed)}, Random(2))


def dop(kind: str) -> int:
    """Where the properties of a doc begin in its table stream."""
    return int(struct.unpack_from("<I", streams(kind)["WordDocument"], 0x192)[0])


@pytest.mark.parametrize(
    ("name", "place", "data"),
    [
        ("WordDocument", 0x04, b"\x01\x02"),
        ("WordDocument", 0x22, b"\x01" * 8),
        ("WordDocument", 0x44, b"\x01" * 8),
        ("1Table", dop("doc") + 0x14, b"\x01" * 12),  # created, revised, printed
        ("1Table", dop("doc") + 0x20, b"\x01" * 6),  # revision, minutes
    ],
)
def test_the_counters_of_a_doc_are_left_out(name: str, place: int, data: bytes) -> None:
    assert digest_file(patched("doc", name, place, data)) == digest_file(make("doc", ROWS, 1))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("WordDocument", 0x06),  # the language
        ("WordDocument", 0x2A),
        ("WordDocument", 0x43),
        ("WordDocument", 0x4C),  # how many characters
        ("WordDocument", 0x400),
        ("1Table", dop("doc") + 0x13),
        ("1Table", dop("doc") + 0x26),
        ("\x01CompObj", 0),
    ],
)
def test_everything_beside_them_is_kept(name: str, place: int) -> None:
    changed = digest_file(patched("doc", name, place, b"\x09"))
    assert changed != digest_file(make("doc", ROWS, 1))
    assert changed.rule == "ole/1"


def test_a_word_before_97_counts_stream_by_stream() -> None:
    older = patched("doc", "WordDocument", 2, b"\x65\x00")
    assert digest_file(older).rule == "ole/1"
    assert digest_file(older) == digest_file(
        compound_file(
            {**{p[-1]: d for p, d in cfb.streams(older).items()}, "\x05SummaryInformation": b"x"},
            Random(3),
        )
    )


def in_workbook(record: bytes, written: bytes) -> bytes:
    """An xls with one record of its workbook replaced, the places of the sheets kept true."""
    held = streams("xls")["Workbook"]
    assert held.count(record) == 1
    return compound_file({"Workbook": held.replace(record, written)}, Random(2))


@pytest.mark.parametrize(
    ("record", "written"),
    [
        ("年报".encode("utf-16-le"), "月报".encode("utf-16-le")),
        (struct.pack("<d", 5446.75), struct.pack("<d", 5446.5)),
        (b"\x3e\x02\x12\x00\xb6\x06", b"\x3e\x02\x12\x00\xa6\x06"),  # whether zeros show
    ],
)
def test_what_a_workbook_shows_is_kept(record: bytes, written: bytes) -> None:
    changed = digest_file(in_workbook(record, written))
    assert changed != digest_file(make("xls", ROWS, 1))
    assert changed.rule == "ole/1"


# --- what no rule opens ------------------------------------------------------------------------


def encoded(name: str) -> bytes:
    declaration = f'<?xml version="1.0" encoding="{name}"?><a/>'.encode()
    return package("docx", add("word/document.xml", declaration))


def locked_pdf() -> bytes:
    saved = BytesIO()
    with pikepdf.open(BytesIO(make("pdf", ROWS, 1))) as file:
        file.save(saved, encryption=pikepdf.Encryption(owner="o", user="u"))
    return saved.getvalue()


def broken_pdf() -> bytes:
    """A PDF with some bytes lost inside a packed stream."""
    whole = bytearray(remade(lambda file: None))
    found = re.search(rb"FlateDecode[^>]*>>\s*stream\r?\n", whole)
    assert found is not None
    whole[found.end() + 9 : found.end() + 19] = bytes(10)
    return bytes(whole)


def circle() -> bytes:
    """A container whose first entry is a folder that lies in itself."""
    body = bytearray(make("xls", ROWS, 1))
    entry = body.index("Workbook".encode("utf-16-le"))
    body[entry + 66] = 1
    struct.pack_into("<I", body, entry + 76, 1)  # names are in order of length: it is the first
    return bytes(body)


def flate(packed: bytes) -> bytes:
    return stream(b"/Filter/FlateDecode", packed)


def lzw_pdf(name: bytes) -> bytes:
    """A PDF whose seal is said to be packed with LZW."""
    whole = remade(lambda file: None)
    assert whole.count(b"/DCTDecode") == 1
    return whole.replace(b"/DCTDecode ", name)


CODEPAGE = b"\x42\x00\x02\x00\xb0\x04"
STRANGE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a text": lambda: "年报".encode(),
    "a page": lambda: make("html", ROWS, 1),
    "a zip of something": lambda: package("docx", lambda parts: parts.pop("[Content_Types].xml")),
    "half a docx": lambda: make("docx", ROWS, 1)[:-400],
    "half a pdf": lambda: make("pdf", ROWS, 1)[:-400],
    "half a doc": lambda: make("doc", ROWS, 1)[:-1400],
    "a doc without its last bytes": lambda: make("doc", ROWS, 1)[:-16],
    "a folder in itself": circle,
    "half an xls": lambda: make("xls", ROWS, 1)[:-1400],
    "xml that is none": lambda: package("docx", replace(DOCUMENT, "</w:body>", "")),
    "a document type": lambda: package("docx", replace(DOCUMENT, "<w:doc", "<!DOCTYPE a><w:doc")),
    "an encoding that is none": lambda: encoded("nonsense"),
    "an encoding that is no text": lambda: encoded("hex"),
    "a locked pdf": locked_pdf,
    "a broken pdf": broken_pdf,
    "a pdf that wants mending": lambda: pdf_with(b"()").replace(b"/Resources<<>>", b" " * 14),
    "a pdf with a stream cut short": lambda: pdf_with(flate(zlib.compress(b"x" * 99)[:-5])),
    "a pdf with more behind a stream": lambda: pdf_with(flate(zlib.compress(b"x") + b"more")),
    "a pdf packed with LZW": lambda: lzw_pdf(b"/LZWDecode "),
    "a pdf packed with LZW in disguise": lambda: lzw_pdf(b"/L#5AW     "),
    "a locked docx": lambda: compound_file({"EncryptedPackage": b"x"}, Random(1)),
    "a locked doc": lambda: patched("doc", "WordDocument", 0x0B, b"\x13"),
    "a doc without its table": lambda: patched("doc", "WordDocument", 0x192, b"\xff" * 4),
    "a locked xls": lambda: in_workbook(CODEPAGE, b"\x2f\x00\x02\x00\x00\x00"),
    "an xls that runs on": lambda: in_workbook(CODEPAGE, b"\x42\x00\xff\xff\xb0\x04"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_no_rule_opens_counts_as_its_bytes(name: str) -> None:
    body = STRANGE[name]()
    assert digest_file(body) == (sha256(body).hexdigest(), "bytes/1")


def test_a_whole_stream_is_no_reason_to_refuse() -> None:
    packed = pdf_with(flate(zlib.compress(b"x" * 99)))
    assert digest_file(packed).rule == "pdf/1"
    assert digest_file(packed) == digest_file(pdf_with(stream(b"", b"x" * 99)))


def test_a_part_of_two_names_is_no_package() -> None:
    written = BytesIO(package("docx"))
    with ZipFile(written, "a") as file:
        file.writestr("WORD/document.xml", b"<a/>")
    assert digest_file(written.getvalue()).rule == "bytes/1"


def test_a_large_file_counts_as_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    body = make("doc", ROWS, 1)
    monkeypatch.setattr("crawler.documents.canonical.MAX_BODY", len(body) - 1)
    assert digest_file(body).rule == "bytes/1"


def test_without_pikepdf_a_pdf_counts_as_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    body = make("pdf", ROWS, 1)
    monkeypatch.setitem(sys.modules, "pikepdf", None)
    pdf._pikepdf.cache_clear()
    try:
        assert digest_file(body).rule == "bytes/1"
    finally:
        pdf._pikepdf.cache_clear()


def test_pieces_do_not_run_into_each_other() -> None:
    one, other = base.Content("x/1"), base.Content("x/1")
    one.put("ab", "c")
    other.put("a", "bc")
    assert one.digest() != other.digest()


def test_every_rule_is_documented() -> None:
    text = (ROOT / "docs" / "versions.md").read_text("utf-8").partition("## The rules")[2]
    rows = re.findall(r"^\| `(\w+/\d+)` \|(?:[^|]+\|){3}$", text, re.MULTILINE)
    assert rows == list(RULES)
