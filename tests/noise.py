"""One report as html, docx, xlsx, pdf, doc and xls, saved or served again and again: synthetic.

`make(kind, rows, seed)` writes the same rows with everything else that a save or a visit writes
anew, drawn by the seed: dates, ids, counters, order, packing. `edits(rows)` changes one cell.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from io import BytesIO
from itertools import chain
from random import Random
from typing import TypeVar
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pikepdf

from crawler.cms import cms_by_key, parse_page
from crawler.documents import html
from crawler.documents.canonical import RULE, Canonical, digest, digest_file

Rows = tuple[tuple[str, ...], ...]
T = TypeVar("T")

TITLE = "某某区人民政府2025年政府信息公开工作年度报告"
PROSE = "2025年，门户网站访问量12345次，报告日期：2026年1月20日。"
ROWS: Rows = (
    ("信息内容", "本年制发件数", "本年废止件数", "现行有效件数"),
    ("规章", "0", "", "12"),
    ("行政规范性文件", "3", "1", "27"),
    ("行政许可", "15204", "", "3391"),
    ("行政处罚", "486", "0", ""),
    ("行政强制", "", "20", "7"),
    ("行政事业性收费", "5446.75", "", "1180"),
    ("本年新收申请", "31", "2", "33"),
    ("上年结转申请", "4", "", "4"),
    ("予以公开", "18", "1", "19"),
    ("部分公开", "6", "", "6"),
    ("不予公开", "", "3", "3"),
    ("无法提供", "5", "2", "7"),
    ("不予处理", "1", "", "1"),
    ("其他处理", "2", "0", "2"),
)


def make(kind: str, rows: Rows, seed: int) -> bytes:
    """The report of these rows as one save or visit gave it."""
    return _MAKERS[kind](rows, Random(f"{kind} {seed}"))


def canonical(kind: str, body: bytes) -> Canonical:
    """As the pipelines have it: a page by its article, a file by its bytes."""
    if kind != "html":
        return digest_file(body)
    article = cms_by_key()["vsb"].article(parse_page("", body.decode()))
    assert article is not None
    said = digest(html.read(article.body), article.title, article.published, article.source)
    return Canonical(said, RULE)


def edits(rows: Rows) -> list[Rows]:
    """Every change of one cell: another digit, a blank to 0, 0 to a dash, a figure moved on."""
    places = [(row, column) for row in range(1, len(rows)) for column in range(1, len(rows[row]))]
    moved = (
        _with(rows, row, {column - 1: rows[row][column], column: rows[row][column - 1]})
        for row, column in places
        if column > 1
    )
    changed = (
        _with(rows, row, {column: text})
        for row, column in places
        for text in _other_texts(rows[row][column])
    )
    return [edited for edited in dict.fromkeys(chain(moved, changed)) if edited != rows]


def _other_texts(text: str) -> Iterator[str]:
    if not text:
        yield from ("0", "-", "1")
        return
    if text == "0":
        yield from ("", "-")
    for place, digit in enumerate(text):
        if digit.isdecimal():
            others = set("123456789") - {digit}
            yield from (text[:place] + other + text[place + 1 :] for other in sorted(others))
    yield text + "0"


def _with(rows: Rows, row: int, cells: Mapping[int, str]) -> Rows:
    line = tuple(cells.get(column, text) for column, text in enumerate(rows[row]))
    return (*rows[:row], line, *rows[row + 1 :])


def _shuffled(items: Iterable[T], random: Random) -> list[T]:
    listed = list(items)
    random.shuffle(listed)
    return listed


def _token(random: Random, length: int = 8) -> str:
    return "".join(random.choices("0123456789ABCDEF", k=length))


def _moment(random: Random) -> str:
    bounds = ((1, 12), (1, 28), (0, 23), (0, 59), (0, 59))
    parts = (random.randint(low, high) for low, high in bounds)
    return "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*parts)


# --- a page ------------------------------------------------------------------------------------


def _html(rows: Rows, random: Random) -> bytes:
    """In the VSB dialect, its session, its clocks and its counters new at every visit."""
    session, hits = _token(random, 32), random.randint(1, 99999)
    day, clock = _moment(random)[:10], _moment(random)[11:19]
    year, month, date = day.split("-")
    lines = "".join(
        f"<tr {random.choice(('', 'class=x', f'data-n={hits}'))}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    furniture = [
        f"<p>您是第 {hits} 位访客</p>",
        f"<p>今天是{year}年{month}月{date}日 星期{random.choice('一二三四五六日')} {clock}</p>",
        f"<p>打印时间：{day} {clock}</p>",
        f"<p>来源：某某区 浏览量：{hits} 【打印】</p>"
        if hits % 2
        else "<p>来源：某某区 【打印】</p>",
        f"<p>阅读次数：{hits}次</p>",
        f'<p><a href="/a.htm;jsessionid={session}?t={hits}">公开指南</a></p>',
    ]
    return f"""<html><head><title>{TITLE}</title><!--Announced by Visual SiteBuilder 9-->
<meta name="csrf-token" content="{session}"><script nonce="{session}">var t={hits};</script></head>
<body><p>当前时间：{day} {clock}</p><form name="_newscontent_fromname"><input type="hidden"
 value="{session}"><table><tr><td class="titlestyle1400">{TITLE}</td></tr>
<tr><td>2026-01-20 14:38 来源:某某区人民政府 (点击: {hits})</td></tr>
<tr><td><div id="vsb_content"><p>{PROSE}</p>{"".join(_sorted_noise(furniture, random))}
<table border="1">{lines}</table></div></td></tr></table></form>
<div>您是第{hits}位访问者 {clock} <a href="/i.jsp;jsessionid={session}">首页</a></div>
</body></html>""".encode()


def _sorted_noise(furniture: list[str], random: Random) -> list[str]:
    """Lines that are counters or clocks come and go; what they stand between stays in order."""
    return [line for line in furniture if "来源" in line or "指南" in line or random.random() < 0.7]


# --- docx and xlsx -----------------------------------------------------------------------------

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def _package(parts: dict[str, str], main: str, kinds: dict[str, str], random: Random) -> bytes:
    """A zip whose properties, order, times and packing are the seed's."""
    parts = {**parts, **_properties(random)}
    overrides = _shuffled(
        [f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in kinds.items()]
        + [
            f'<Override PartName="/{name}" ContentType="application/xml"/>'
            for name in parts
            if name.startswith("docProps/")
        ],
        random,
    )
    parts["[Content_Types].xml"] = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(overrides)}</Types>'
    )
    targets = _shuffled([main, *(name for name in parts if name.startswith("docProps/"))], random)
    relations = (
        f'<Relationship Id="rId{number}" Type="{_relation(name)}" Target="{name}"/>'
        for number, name in enumerate(targets, random.randint(1, 9))
    )
    parts["_rels/.rels"] = _relations(relations)
    written = BytesIO()
    with ZipFile(written, "w") as package:
        for name in _shuffled(parts, random):
            info = ZipInfo(name, (2026, random.randint(1, 12), random.randint(1, 28), 9, 0, 0))
            info.compress_type = random.choice((ZIP_DEFLATED, ZIP_STORED))
            info.external_attr = random.randint(0, 1) << 16
            package.writestr(info, parts[name], compresslevel=random.randint(1, 9))
    return written.getvalue()


def _relation(name: str) -> str:
    words = {"core.xml": "metadata/core-properties", "app.xml": "extended-properties"}
    last = name.rpartition("/")[2]
    return (
        f"{_R}/{words.get(last, 'custom-properties' if 'docProps' in name else 'officeDocument')}"
    )


def _relations(relations: Iterable[str]) -> str:
    body = "".join(relations)
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{body}</Relationships>'


def _properties(random: Random) -> dict[str, str]:
    core = (
        f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<cp:lastModifiedBy>{_token(random)}</cp:lastModifiedBy>"
        f"<cp:revision>{random.randint(1, 99)}</cp:revision>"
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{_moment(random)}</dcterms:modified>'
        "</cp:coreProperties>"
    )
    app = (
        f'{_XML}<Properties xmlns="{_R.rpartition("/")[0]}/extended-properties">'
        f"<TotalTime>{random.randint(0, 999)}</TotalTime></Properties>"
    )
    custom = f'{_XML}<Properties xmlns="{_R.rpartition("/")[0]}/custom-properties"/>'
    found = {"docProps/core.xml": core, "docProps/app.xml": app}
    return {**found, "docProps/custom.xml": custom} if random.random() < 0.5 else found


def _docx(rows: Rows, random: Random) -> bytes:
    ids = [_token(random) for _ in range(9)]

    def attributes() -> str:
        drawn = [
            f'w:rsidR="{random.choice(ids)}"',
            f'w:rsidRDefault="{random.choice(ids)}"',
            f'w:rsidP="{random.choice(ids)}"',
            f'w14:paraId="{_token(random)}"',
            'w14:textId="77777777"',
        ]
        return " ".join(_shuffled(drawn, random)[: random.randint(0, 5)])

    def paragraph(text: str) -> str:
        before = random.choice(("", '<w:proofErr w:type="spellStart"/>'))
        left = random.choice(("", "<w:lastRenderedPageBreak/>"))
        run = f'<w:r w:rsidRPr="{random.choice(ids)}">{left}<w:t>{escape(text)}</w:t></w:r>'
        return f"<w:p {attributes()}>{before}{run if text else ''}</w:p>"

    def line(cells: tuple[str, ...]) -> str:
        inner = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in cells)
        return f'<w:tr w:rsidTr="{random.choice(ids)}">{inner}</w:tr>'

    # Word marks where the last edit was, and counts it among the bookmarks.
    first = random.randint(0, 1)
    here = (
        f'<w:bookmarkStart w:id="{1 - first}" w:name="_GoBack"/><w:bookmarkEnd w:id="{1 - first}"/>'
    )
    body = [
        paragraph(TITLE),
        f'<w:bookmarkStart w:id="{first}" w:name="_Toc1"/>{paragraph(PROSE)}'
        f'<w:bookmarkEnd w:id="{first}"/>',
        "<w:tbl><w:tblPr/><w:tblGrid>"
        + "<w:gridCol/>" * len(rows[0])
        + "</w:tblGrid>"
        + "".join(map(line, rows))
        + "</w:tbl>",
        paragraph("完"),
    ]
    body.insert(random.choice((0, 1, 2)), here)
    names = [f'xmlns:w="{_W}"', 'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"']
    document = (
        f"{_XML}<w:document {' '.join(_shuffled(names, random))}><w:body>{''.join(body)}"
        f'<w:sectPr w:rsidSect="{ids[0]}"><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>'
        "</w:body></w:document>"
    )
    settings = (
        f'{_XML}<w:settings xmlns:w="{_W}"><w:proofState '
        f'w:spelling="{random.choice(("clean", "dirty"))}"/><w:rsids>'
        + "".join(f'<w:rsid w:val="{each}"/>' for each in ids)
        + "</w:rsids><w:defaultTabStop w:val='420'/></w:settings>"
    )
    relations = _relations(
        [f'<Relationship Id="rId1" Type="{_R}/settings" Target="settings.xml"/>']
    )
    return _package(
        {
            "word/document.xml": document,
            "word/settings.xml": settings,
            "word/_rels/document.xml.rels": relations,
        },
        "word/document.xml",
        {
            "word/document.xml": f"{_TYPE}.wordprocessingml.document.main+xml",
            "word/settings.xml": f"{_TYPE}.wordprocessingml.settings+xml",
        },
        random,
    )


def _xlsx(rows: Rows, random: Random) -> bytes:
    uid = f'xr:uid="{{{_token(random)}}}"'

    def cell(row: int, column: int, text: str) -> str:
        place = f"{'ABCDEFG'[column]}{row}"
        if not text:
            return f'<c r="{place}"/>'
        if text.replace(".", "").isdecimal():
            return f'<c r="{place}"><v>{text}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'

    lines = "".join(
        f'<row r="{n}">' + "".join(cell(n, c, text) for c, text in enumerate(row)) + "</row>"
        for n, row in enumerate(((TITLE,), (PROSE,), *rows), 1)
    )
    revision = "http://schemas.microsoft.com/office/spreadsheetml/2014/revision"
    active = f"{random.choice('ABCD')}{random.randint(1, 20)}"
    sheet = (
        f'{_XML}<worksheet xmlns="{_S}" xmlns:xr="{revision}" {uid}><sheetViews>'
        f"<sheetView {random.choice(('', 'tabSelected=' + chr(34) + '1' + chr(34)))} "
        f'workbookViewId="0" topLeftCell="A{random.randint(1, 9)}">'
        f'<selection activeCell="{active}" sqref="{active}"/></sheetView></sheetViews>'
        f"<sheetData>{lines}</sheetData></worksheet>"
    )
    workbook = (
        f'{_XML}<workbook xmlns="{_S}" xmlns:r="{_R}" xmlns:xr="{revision}" '
        'xmlns:x15ac="http://schemas.microsoft.com/office/spreadsheetml/2010/11/ac">'
        f'<fileVersion appName="xl" lastEdited="{random.randint(4, 7)}" '
        f'rupBuild="{random.randint(1, 99999)}"/><workbookPr/>'
        f'<x15ac:absPath url="C:\\{_token(random)}\\"/>'
        f'<xr:revisionPtr revIDLastSave="{random.randint(0, 9)}" documentId="{_token(random)}"/>'
        f'<bookViews><workbookView xWindow="{random.randint(0, 99)}" yWindow="0" '
        f'windowWidth="{random.randint(9999, 29999)}" windowHeight="9000"/></bookViews>'
        '<sheets><sheet name="年报" sheetId="1" r:id="rId1"/></sheets>'
        f'<calcPr calcId="{random.randint(100000, 200000)}"/></workbook>'
    )
    relations = _relations(
        [f'<Relationship Id="rId1" Type="{_R}/worksheet" Target="worksheets/sheet1.xml"/>']
    )
    return _package(
        {
            "xl/workbook.xml": workbook,
            "xl/worksheets/sheet1.xml": sheet,
            "xl/_rels/workbook.xml.rels": relations,
        },
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f"{_TYPE}.spreadsheetml.sheet.main+xml",
            "xl/worksheets/sheet1.xml": f"{_TYPE}.spreadsheetml.worksheet+xml",
        },
        random,
    )


# --- pdf ---------------------------------------------------------------------------------------


def _pdf(rows: Rows, random: Random) -> bytes:
    """Built object by object in the seed's order; saved by qpdf in one of its ways, or not."""
    subset = "".join(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=6)).encode()
    cells = [(TITLE,), (PROSE,), *rows]
    drawn = [
        f"BT /F1 9 Tf {60 + 120 * column} {780 - 20 * row} Td <{_glyphs(text)}> Tj ET"
        for row, line in enumerate(cells)
        for column, text in enumerate(line)
        if text
    ]
    date = _moment(random).replace("-", "").replace(":", "").replace("T", "")[:14].encode()
    data = {
        "page": b"\n".join(line.encode() for line in drawn),
        "font": b"CFF " + subset + b"+SimSun" + bytes(range(256)),
        "unicode": b"/CMapName /" + subset + b"+SimSun def",
        "image": b"\xff\xd8 a seal, synthetic \xff\xd9",
        "xmp": b"<x:xmpmeta>" + date + b"</x:xmpmeta>",
    }
    names = [
        *("root", "pages", "leaf", "font0", "cid", "descriptor", "info", "note", "old"),
        *data,
    ]
    number = {name: place for place, name in enumerate(_shuffled(names, random), 1)}
    at = {name: b"%d 0 R" % place for name, place in number.items()}
    objects = {
        "root": b"<</Type/Catalog/Pages %(pages)b/Metadata %(xmp)b>>",
        "pages": b"<</Type/Pages/Kids[%(leaf)b]/Count 1>>",
        "leaf": b"<</Type/Page/MediaBox[0 0 595 842]/Parent %(pages)b/Contents %(page)b"
        b"/Annots[%(note)b]/Resources"
        b"<</Font<</F1 %(font0)b>>/XObject<</Im1 %(image)b>>>>/LastModified(D:" + date + b")>>",
        "font0": b"<</Type/Font/Subtype/Type0/BaseFont/" + subset + b"+SimSun/Encoding/Identity-H"
        b"/DescendantFonts[%(cid)b]/ToUnicode %(unicode)b>>",
        "cid": b"<</Type/Font/Subtype/CIDFontType0/BaseFont/" + subset + b"+SimSun/CIDSystemInfo"
        b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %(descriptor)b>>",
        "descriptor": b"<</Type/FontDescriptor/FontName/" + subset + b"+SimSun/Flags 4/FontBBox"
        b"[0 0 1 1]/ItalicAngle 0/Ascent 1/Descent 0/CapHeight 1/StemV 1/FontFile3 %(font)b>>",
        "info": b"<</Producer(" + _token(random).encode() + b")/ModDate(D:" + date + b")>>",
        "note": b"<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(ok)/M(D:" + date + b")>>",
        "old": b"(" + _token(random).encode() + b")",
    }
    kinds = {
        "font": b"/Subtype/CIDFontType0C",
        "image": b"/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace"
        b"/DeviceGray/Filter/DCTDecode",
        "xmp": b"/Type/Metadata/Subtype/XML",
    }
    written = {
        name: text % {key.encode(): ref for key, ref in at.items()}
        for name, text in objects.items()
    }
    for name, shown in data.items():
        packed = name != "image" and random.random() < 0.7
        kind = kinds.get(name, b"") + (b"/Filter/FlateDecode" if packed else b"")
        held = zlib.compress(shown, random.randint(0, 9)) if packed else shown
        written[name] = stream(kind, held)
    return _saved(_pdf_file(written, number, at, random), random)


def _glyphs(text: str) -> str:
    return text.encode("utf-16-be").hex()


def _pdf_file(
    written: Mapping[str, bytes], number: Mapping[str, int], at: Mapping[str, bytes], random: Random
) -> bytes:
    file = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places: dict[int, int] = {}
    for name in _shuffled(written, random):
        places[number[name]] = len(file)
        file += b"%d 0 obj\n%b\nendobj\n" % (number[name], written[name])
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    file += b"".join(b"%010d 00000 n \n" % places[place] for place in sorted(places))
    identity = b"<" + _token(random, 32).encode() + b">"
    file += b"trailer\n<</Size %d/Root %b/Info %b/ID[%b%b]>>\nstartxref\n%d\n%%%%EOF\n" % (
        *(len(places) + 1, at["root"], at["info"], identity, identity, start),
    )
    return bytes(file)


def _saved(body: bytes, random: Random) -> bytes:
    way = random.choice(("as it is", "packed", "plain", "linear", "locked"))
    if way == "as it is":
        return body
    modes = pikepdf.ObjectStreamMode
    saved = BytesIO()
    with pikepdf.open(BytesIO(body)) as pdf:
        pdf.save(
            saved,
            object_stream_mode=modes.generate if way in ("packed", "locked") else modes.disable,
            recompress_flate=way == "packed",
            linearize=way == "linear",
            fix_metadata_version=False,
            encryption=pikepdf.Encryption(owner=_token(random), user="")
            if way == "locked"
            else False,
        )
    return saved.getvalue()


# --- doc and xls -------------------------------------------------------------------------------


def _doc(rows: Rows, random: Random) -> bytes:
    """Word 97: a FIB, the text behind it, the piece table and the Dop in the table stream."""
    body = f"{TITLE}\r{PROSE}\r" + "".join("\x07".join((*row, "\x07")) for row in rows) + "\r"
    text = body.encode("utf-16-le")
    start = 0x400
    fib = bytearray(start)
    struct.pack_into("<4HI", fib, 0, 0xA5EC, 0x00C1, random.randint(0, 0xFFFF), 0x0804, 0)
    # Complex, table 1, extended characters; and how often it was saved quickly.
    struct.pack_into("<H", fib, 0x0A, 0x1204 | random.randint(0, 15) << 4)
    struct.pack_into("<2I", fib, 0x18, start, start + len(text))
    struct.pack_into("<H", fib, 0x20, 14)
    fib[0x22:0x2A] = random.randbytes(8)
    struct.pack_into("<H", fib, 0x3E, 22)
    struct.pack_into("<I", fib, 0x40, start + len(text))
    fib[0x44:0x4C] = random.randbytes(8)
    struct.pack_into("<I", fib, 0x4C, len(body))
    struct.pack_into("<H", fib, 0x98, 93)
    pieces = struct.pack("<2IHIH", 0, len(body), 0, start, 0)
    clx = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<2I", fib, 0x9A + 33 * 8, 0, len(clx))
    dop = bytearray(500)
    dop[0x14:0x26] = random.randbytes(18)
    struct.pack_into("<2I", fib, 0x9A + 31 * 8, len(clx), len(dop))
    streams = {"WordDocument": bytes(fib) + text, "1Table": clx + dop, "\x01CompObj": b"Word"}
    return compound_file({**streams, **_summaries(random)}, random)


def _xls(rows: Rows, random: Random) -> bytes:
    """BIFF8: a workbook of one sheet, numbers as RK or NUMBER would be, texts as LABEL."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<2H", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        build = random.randint(0, 0xFFFF)
        return record(0x0809, struct.pack("<4H2I", 0x0600, kind, build, 1997, build, 6))

    def cell(row: int, column: int, text: str) -> bytes:
        place = struct.pack("<3H", row, column, 0)
        if not text:
            return record(0x0201, place)
        if text.replace(".", "").isdecimal():
            return record(0x0203, place + struct.pack("<d", float(text)))
        return record(0x0204, place + struct.pack("<HB", len(text), 1) + text.encode("utf-16-le"))

    table = ((TITLE,), (PROSE,), *rows)
    cells = b"".join(
        cell(row, column, text)
        for row, line in enumerate(table)
        for column, text in enumerate(line)
    )
    writer = struct.pack("<HB", 8, 0) + _token(random).ljust(109).encode()
    window = struct.pack("<9H", *(random.randint(0, 999) for _ in range(9)))
    before = begin(0x0005) + record(0x005C, writer) + record(0x0042, b"\xb0\x04")
    before += record(0x003D, window) + record(0x01C1, random.randbytes(8))
    before += record(0x00E0, bytes(20)) + record(0x00FF, random.randbytes(random.randint(2, 90)))
    name = "年报".encode("utf-16-le")
    bound = 4 + 4 + 4 + len(name)
    globals_end = record(0x000A, b"")
    sheet_at = len(before) + bound + len(globals_end)
    named = struct.pack("<IHBB", sheet_at, 0, 2, 1) + name
    chosen = struct.pack("<B4H", 3, 1, 1, 0, 1) + random.randbytes(6) * random.randint(1, 3)
    sheet = begin(0x0010) + record(0x020B, random.randbytes(16))
    sheet += record(0x0200, struct.pack("<2I3H", 0, len(table), 0, 4, 0)) + cells
    sheet += record(0x023E, struct.pack("<HHHI", 0x06B6, 0, 0, 64) + bytes(8))
    sheet += record(0x00D7, random.randbytes(8)) + record(0x00A0, random.randbytes(4))
    sheet += record(0x001D, chosen) + record(0x000A, b"")
    workbook = before + record(0x0085, named) + globals_end + sheet
    workbook += bytes(random.choice((0, 7, 512)))
    return compound_file({"Workbook": workbook, **_summaries(random)}, random)


def _summaries(random: Random) -> dict[str, bytes]:
    """Property sets hold authors, dates and counts; that a rule leaves them out needs no more."""
    names = ("\x05SummaryInformation", "\x05DocumentSummaryInformation")
    return {name: random.randbytes(random.randint(100, 5000)) for name in names}


_FREE, _LAST, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound_file(streams: Mapping[str, bytes], random: Random) -> bytes:
    """[MS-CFB] version 3 of these streams; where they lie, times and class ids are the seed's.

    A stream below 4096 bytes lies in the mini stream. The tree of names leans to the right.
    """
    sectors: list[bytes] = []
    chains: list[list[int]] = []

    def store(data: bytes) -> int:
        """Lay a stream out, with a free sector before it now and then; its first sector."""
        if not data:
            return _LAST
        if random.random() < 0.3:
            sectors.append(random.randbytes(512))
        chunks = [data[at : at + 512].ljust(512, b"\0") for at in range(0, len(data), 512)]
        chains.append(list(range(len(sectors), len(sectors) + len(chunks))))
        sectors.extend(chunks)
        return chains[-1][0]

    mini, minifat, start = b"", list[int](), dict[str, int]()
    for name in _shuffled(streams, random):
        data = streams[name]
        if len(data) >= 4096:
            start[name] = store(data)
        else:
            count = -(-len(data) // 64)
            start[name] = len(minifat) if count else _LAST
            minifat += [*range(len(minifat) + 1, len(minifat) + count), _LAST] if count else []
            mini += data.ljust(count * 64, b"\0")
    ministream = store(mini)
    minis = struct.pack(f"<{len(minifat)}I", *minifat)
    minifat_at = store(minis.ljust(-(-len(minis) // 512) * 512, b"\xff"))
    names = sorted(streams, key=lambda name: (len(name), name.upper()))
    child = 1 if names else _FREE
    entries = [_entry("Root Entry", 5, _FREE, child, ministream, len(mini), random)]
    for place, name in enumerate(names, 1):
        right = place + 1 if place < len(names) else _FREE
        entries.append(_entry(name, 2, right, _FREE, start[name], len(streams[name]), random))
    directory = store(b"".join(entries))
    tables = 1
    while len(sectors) + tables > tables * 128:
        tables += 1
    fat = [_FREE] * (tables * 128)
    for chain_of in chains:
        for here, there in zip(chain_of, [*chain_of[1:], _LAST], strict=True):
            fat[here] = there
    for table in range(tables):
        fat[len(sectors) + table] = _FAT
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += (
        struct.pack("<6H", 0x3E, 3, 0xFFFE, 9, 6, 0)
        + bytes(4)
        + struct.pack(
            "<10I",
            0,
            tables,
            directory,
            random.randint(0, 9),
            4096,
            *(minifat_at, -(-len(minis) // 512), _LAST, 0, len(sectors)),
        )
    )
    header += b"".join(struct.pack("<I", len(sectors) + table) for table in range(1, tables))
    return header.ljust(512, b"\xff") + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _entry(
    name: str, kind: int, right: int, child: int, start: int, size: int, random: Random
) -> bytes:
    written = (name + "\0").encode("utf-16-le")
    root = random.randbytes(16) if kind == 5 else bytes(16)
    return (
        written.ljust(64, b"\0")
        + struct.pack("<HBB3I", len(written), kind, 1, _FREE, right, child)
        + root
        + bytes(4)
        + random.randbytes(16)
        + struct.pack("<IQ", start, size)
    )


# --- bombs -------------------------------------------------------------------------------------


def bombs() -> Iterator[tuple[str, bytes]]:
    """Files that are small and would fill the memory of whoever unpacks or parses all of them."""
    document, most = "word/document.xml", 1_000_000
    yield "a picture", _bomb_package({"word/media/a.png": (b"", 100, b"")})
    yield "spaces", _bomb_package({document: (b"<a>", 20, b"</a>")})
    yield "one tag", _bomb_package({document: (b"<a b='", 15, b"'/>")})
    yield "tags in tags", _bomb_package({document: (b"<a>" * most, 0, b"</a>" * most)})
    names = b"".join(b"<a xmlns:n%d='u'/>" % number for number in range(5000))
    yield "names", _bomb_package({document: (b"<a>" + names, 0, b"</a>")})
    relations = b"<b c='1'/>" * most
    yield "relations", _bomb_package({"word/_rels/a.rels": (b"<a>" + relations, 0, b"</a>")})
    yield "parts", _bomb_package({f"word/{number}": (b"", 0, b"") for number in range(5000)})
    laughs = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><a>&b;</a>'
    yield "entities", _bomb_package({document: (laughs, 0, b"")})
    flate = b"/Filter/FlateDecode"
    yield "a page", pdf_with(_bomb_stream(flate, 250))
    yield "numbers", pdf_with(b"[%b]" % (b"0 " * (10 << 20)))
    yield "arrays", pdf_with(b"[" * (10 << 20))
    yield "a long string", pdf_with(b"(%b)" % (b"x" * (20 << 20)))
    packed = b"/Type/XRef/Size 9/W[1 4 2]/Root 1 0 R"
    yield (
        "references",
        b"".join(
            (
                b"%PDF-1.5\n1 0 obj\n",
                _bomb_stream(packed + flate, 100),
                b"\nendobj\nstartxref\n9\n%%EOF\n",
            )
        ),
    )
    yield "packed arrays", _packed_arrays()
    # A list of tables that goes on in itself, among as many tables as it names and among one.
    for tables in (60_000 * 127, 1):
        body = bytearray(make("xls", ROWS, 1))
        body[508 + 512 : 512 + 512] = bytes(4)
        struct.pack_into("<I", body, 44, tables)
        struct.pack_into("<2I", body, 68, 0, 60_000)
        yield f"{tables} tables", bytes(body)


def _bomb_package(parts: Mapping[str, tuple[bytes, int, bytes]]) -> bytes:
    """Parts by how they begin, how many MiB of spaces follow, and how they end."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        for name, (head, megabytes, tail) in parts.items():
            with package.open(name, "w") as part:
                part.write(head)
                for _ in range(megabytes):
                    part.write(b" " * (1 << 20))
                part.write(tail)
    return written.getvalue()


def _bomb_stream(words: bytes, megabytes: int) -> bytes:
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes))
    return stream(words, packed + packer.flush())


def stream(words: bytes, data: bytes) -> bytes:
    """A PDF stream; `words` stand in its dictionary."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (words, len(data), data)


def _packed_arrays() -> bytes:
    """Object streams, each small enough, that hold four million numbers in all."""
    file = bytearray(b"%PDF-1.5\n")
    kinds = [(0, 0, 0)]
    for number, text in enumerate(
        (
            b"<</Type/Catalog/Pages 2 0 R/Held[%b]>>"
            % b" ".join(b"%d 0 R" % each for each in range(12, 20)),
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<<>>>>",
            *(
                stream(
                    b"/Type/ObjStm/N 1/First 5/Filter/FlateDecode",
                    zlib.compress(b"%d 0 [%b]" % (number, b"0 " * 500_000)),
                )
                for number in range(12, 20)
            ),
        ),
        1,
    ):
        kinds.append((1, len(file), 0))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, text)
    kinds += [(2, number - 8, 0) for number in range(12, 20)] + [(1, len(file), 0)]
    table = b"".join(struct.pack(">BIH", *kind) for kind in kinds)
    words = b"/Type/XRef/Size 21/W[1 4 2]/Root 1 0 R"
    end = b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(file)
    return bytes(file) + b"20 0 obj\n" + stream(words, table) + end


def pdf_with(held: bytes) -> bytes:
    """A page of its own, and `held` in the catalogue."""
    written = {
        "root": b"<</Type/Catalog/Pages 2 0 R/Held 4 0 R>>",
        "pages": b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "leaf": b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<<>>>>",
        "held": held,
        "info": b"<<>>",
    }
    number = {name: place for place, name in enumerate(written, 1)}
    at = {name: b"%d 0 R" % place for name, place in number.items()}
    return _pdf_file(written, number, at, Random(0))


_MAKERS: dict[str, Callable[[Rows, Random], bytes]] = {
    "html": _html,
    "docx": _docx,
    "xlsx": _xlsx,
    "pdf": _pdf,
    "doc": _doc,
    "xls": _xls,
}
KINDS = tuple(_MAKERS)
