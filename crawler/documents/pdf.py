"""PDF → Document: the text of its cells between the lines that are drawn, paragraphs around."""

from __future__ import annotations

from crawler.documents.model import Document, Remark

_MAGIC = b"%PDF-"
_HEAD = 1024  # bytes before the magic that readers put up with


def is_mine(body: bytes) -> bool:
    return _MAGIC in body[:_HEAD]


def read(body: bytes) -> Document:
    from crawler.documents.typeset.layout import blocks
    from crawler.documents.typeset.page import read_pages

    pages = read_pages(body)
    return Document("pdf", tuple(blocks(pages)))
