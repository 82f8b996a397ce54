"""Plain text → Document. Flattened tables stay lossless: a blank cell is an empty token."""

from __future__ import annotations

import re
from collections import Counter

from crawler.documents.charset import decode
from crawler.documents.model import Block, Document

_EMPTY_LINE = re.compile(r"^[ \t]+$", re.MULTILINE)
_BREAKS = re.compile(r"(\n+)")


def read(source: str | bytes) -> Document:
    """Open flattened text as saved from a page. `tokens` holds every text and every blank cell."""
    text = decode(source).text if isinstance(source, bytes) else source
    found = tokens(text)
    blocks = tuple(Block("paragraph", token) for token in found if token.strip())
    return Document("text", blocks, found)


def tokens(text: str) -> tuple[str, ...]:
    r"""Split flattened text. Cells are joined by the commonest run of line ends (one or two);
    every line end beyond it is one blank cell, and so is a line of white space that is no space.

    >>> tokens("a\n\nb\n\n\n\nc\n\nd")
    ('a', 'b', '', '', 'c', 'd')
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = _EMPTY_LINE.sub("", text).strip("\n")
    if not text:
        return ()
    pieces = _BREAKS.split(text)
    gaps = [len(gap) for gap in pieces[1::2]]
    join = _join(gaps)
    found: list[str] = []
    for index, line in enumerate(pieces[0::2]):
        found.append(line.strip(" \t") if line.strip() else "")
        if index < len(gaps):
            found.extend([""] * (gaps[index] - join))
    return tuple(found)


def _join(gaps: list[int]) -> int:
    """How many line ends join two cells: one or two, whichever is commoner."""
    count = Counter(gaps)
    return 1 if count[1] > count[2] else 2
