"""Rows of a listing whose markup nobody described: a small element with a link and a date."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml.html import HtmlElement

from crawler.cms.dates import written_date
from crawler.cms.text import DATE_ALONE, elements, enclosing, normal, pieces

# A row holds one article: its title, sometimes its channel or a picture, and a date.
ROW_LINKS = 3
ROW_LEVELS = 4
# `[03-06]`: the year is not shown.
SHORT_DATE = re.compile(r"\W*(\d{1,2}[-/.月]\d{1,2}日?)\W*")
NO_ROW = frozenset({"body", "html", "table", "tbody", "ul", "ol", "form", "a"})


def dated_row(anchor: HtmlElement) -> HtmlElement | None:
    """The nearest element around a link that also shows a date and at most two other links."""
    for row in enclosing(anchor, ROW_LEVELS):
        links = sum(1 for _ in zip(row.iter("a"), range(ROW_LINKS + 1), strict=False))
        if links > ROW_LINKS:
            return None
        if row.tag not in NO_ROW and beside(row, (".//span | .//em | .//i | .//td", ".")):
            return row
    return None


def beside(row: HtmlElement, paths: Sequence[str]) -> str | None:
    """The date of a row as written: in a cell of its own, else in the text outside its links."""
    for path in paths:
        cells = [row] if path == "." else elements(row, path)
        for cell in cells:
            written = own_date(cell)
            if written:
                return written
    return None


def own_date(cell: HtmlElement) -> str | None:
    """A date outside the links of a cell, or one that is a text of its own inside a link."""
    linked = {
        text for anchor in [*cell.iter("a"), *cell.iterancestors("a")] for text in pieces(anchor)
    }
    shown = [
        normal(text)
        for text in pieces(cell)
        if text not in linked or DATE_ALONE.fullmatch(normal(text))
    ]
    short = next(filter(None, map(SHORT_DATE.fullmatch, shown)), None)
    return written_date("\n".join(shown)) or (short[1] if short else None)
