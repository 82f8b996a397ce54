"""Reports as docx: plain, or with all that a word processor leaves around the text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from random import Random

from lxml import etree

from tests.replica.report_model import Report
from tests.replica.report_pages import docx_bytes, with_fixed_times

MAIN = "word/document.xml"
NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
W = f"{{{NAMESPACE}}}"
FONTS = (
    f'<w:rPr xmlns:w="{NAMESPACE}">'
    '<w:rFonts w:hint="eastAsia" w:ascii="仿宋_GB2312" w:eastAsia="仿宋_GB2312"'
    ' w:hAnsi="宋体" w:cs="宋体"/><w:color w:val="000000"/><w:kern w:val="0"/><w:sz w:val="32"/>'
    '<w:szCs w:val="32"/><w:lang w:val="en-US" w:eastAsia="zh-CN" w:bidi="ar"/></w:rPr>'
)
PARAGRAPH = (
    f'<w:pPr xmlns:w="{NAMESPACE}">'
    '<w:keepNext w:val="0"/><w:widowControl/><w:suppressLineNumbers w:val="0"/>'
    '<w:spacing w:before="0" w:after="0" w:line="560" w:lineRule="exact"/>'
    f'<w:ind w:left="0" w:right="0" w:firstLine="0"/><w:jc w:val="center"/>{FONTS}</w:pPr>'
)
SIDE = '<w:{side} w:val="single" w:color="auto" w:sz="8" w:space="0"/>'
BORDERS = (
    f'<w:tcBorders xmlns:w="{NAMESPACE}">'
    f"{''.join(SIDE.format(side=side) for side in ('top', 'left', 'bottom', 'right'))}"
    "</w:tcBorders>"
)


def render(report: Report, processed: bool = False) -> bytes:
    """The report as docx; `processed` with fonts on every run and paragraph, borders on every cell,
    runs cut in two, revision numbers and proof marks, which is how a word processor saves it.
    """
    plain = docx_bytes(report)
    return rewritten(plain, clutter) if processed else plain


def rewritten(archive: bytes, change: Callable[[etree._Element], None], part: str = MAIN) -> bytes:
    """A docx with one of its parts changed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == part:
                root = etree.fromstring(data)
                change(root)
                data = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
            target.writestr(name, data)
    return with_fixed_times(buffer.getvalue())


def clutter(root: etree._Element) -> None:
    rng = Random(len(root[0]))
    for paragraph in root.iter(f"{W}p"):
        paragraph.set(f"{W}rsidR", f"{rng.getrandbits(32):08X}")
        if paragraph.find(f"{W}pPr") is None:
            paragraph.insert(0, etree.fromstring(PARAGRAPH))
        etree.SubElement(paragraph, f"{W}proofErr", {f"{W}type": "spellEnd"})
    for properties in root.iter(f"{W}tcPr"):
        properties.append(etree.fromstring(BORDERS))
    for run in list(root.iter(f"{W}r")):
        cut(run)
    for run in root.iter(f"{W}r"):
        if run.find(f"{W}rPr") is None:
            run.insert(0, etree.fromstring(FONTS))


def cut(run: etree._Element) -> None:
    """Word cuts texts where fonts change."""
    text = run.find(f"{W}t")
    if text is None or not text.text or len(text.text) < 2 or len(run) > 2:
        return
    half = len(text.text) // 2
    other = etree.fromstring(etree.tostring(run))
    first, second = text, other.find(f"{W}t")
    assert second is not None
    first.text, second.text = text.text[:half], text.text[half:]
    for piece in (first, second):
        piece.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    run.addnext(other)
