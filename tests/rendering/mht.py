"""A report as a page saved in one file, as word processors and browsers save it."""

from __future__ import annotations

import base64
import quopri
from typing import Literal

from tests.replica.report_model import Report
from tests.replica.report_pages import Markup, body_html

Encoding = Literal["quoted-printable", "base64", "8bit"]
BOUNDARY = "----=_NextPart_01D5F3A0.7C0D3B40"
_PICTURE = base64.encodebytes(bytes(range(256)) * 20).decode().replace("\n", "\r\n")


def render(
    report: Report,
    markup: Markup = "word",
    encoding: Encoding = "quoted-printable",
    charset: str = "gb2312",
) -> bytes:
    """The page first, then a header and a picture."""
    page = (
        f'<html><head><meta http-equiv=Content-Type content="text/html; charset={charset}">'
        f"</head><body>{body_html(report, markup)}</body></html>"
    )
    data = page.encode("gb18030" if charset.startswith("gb") else charset)
    parts = [
        _part("text/html", charset, encoding, _encoded(data, encoding)),
        _part("text/html", charset, "8bit", b"<html><body><p>9999</p></body></html>"),
        _part("image/png", "", "base64", _PICTURE.encode()),
    ]
    head = (
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/related;\r\n\tboundary="{BOUNDARY}"\r\n\r\n'
        "A page of several files.\r\n\r\n"
    )
    line = f"--{BOUNDARY}\r\n".encode()
    return head.encode() + b"".join(line + part for part in parts) + line[:-2] + b"--\r\n"


def _part(kind: str, charset: str, encoding: str, content: bytes) -> bytes:
    named = f'; charset="{charset}"' if charset else ""
    head = (
        f"Content-Location: file:///C:/x/{kind.replace('/', '.')}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\nContent-Type: {kind}{named}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n\r\n"


def _encoded(data: bytes, encoding: Encoding) -> bytes:
    if encoding == "quoted-printable":
        return quopri.encodestring(data).replace(b"\n", b"\r\n")
    return base64.encodebytes(data) if encoding == "base64" else data
