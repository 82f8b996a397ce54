"""PDF → Document: the text of its cells between the lines that are drawn, paragraphs around."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from crawler.documents.model import Document, Remark

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crawler.documents.typeset.page import Page

_MAGIC = b"%PDF-"
_HEAD = 1024  # bytes before the magic that readers put up with
_DPI = 200


def is_mine(body: bytes) -> bool:
    return _MAGIC in body[:_HEAD]


def read(body: bytes) -> Document:
    """Open a PDF: a grid for each part of a table that stands on one page, edges in points.

    A file whose pages all are images goes to the reader of scans.

    Raises:
        Unreadable: damaged, encrypted, bomb, too_slow; needs_ocr for scans without that extra.
    """
    from crawler.documents.typeset.guard import pages_of
    from crawler.documents.typeset.layout import blocks

    pages = pages_of(body)
    kinds = {page.kind for page in pages}
    if "scan" in kinds and "text" not in kinds:
        read_pages = import_module("crawler.documents.image").read_pages
        scanned: Document = read_pages(page_images(body))
        return scanned
    return Document("pdf", tuple(blocks(pages)), remarks=tuple(_remarks(pages)))


def page_images(body: bytes, dpi: int = _DPI) -> Iterator[tuple[int, npt.NDArray[np.uint8], int]]:
    """Each page drawn, one at a time: its number from 1, grey pixels (height x width, uint8), and
    their number an inch.

    Raises:
        Unreadable: as `read`, when the first page is asked for.
    """
    from crawler.documents.typeset.guard import images_of

    return images_of(body, dpi)


def _remarks(pages: list[Page]) -> Iterator[Remark]:
    for number, page in enumerate(pages, 1):
        if page.kind == "scan":
            yield Remark("no_text", {"page": str(number)})
        if page.unknown:
            yield Remark("no_unicode", {"page": str(number), "count": str(page.unknown)})
        if page.unseen:
            yield Remark("unseen_text", {"page": str(number), "count": str(page.unseen)})
