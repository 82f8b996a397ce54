"""What of a page counts as its content: the text that two observations are compared by.

The rules are versioned (RULE): a page that differs only in what they leave out is the same version.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from crawler.documents.model import Block, Document

RULE = "page/1"
RULE_BYTES = "bytes/1"

# Counters that a page writes anew for every visitor.
_COUNTER = re.compile(
    r"(?:(?:点击|浏览|阅读|访问|下载)(?:次数|量)?[:：]?|已下载)\s*\d+\s*次?|\(点击:?\s*\d*\s*\)"
)

# A line that only names a file: some skins show it inside the body, some below; the file itself is
# a part of the report with versions of its own.
_FILE_LINE = re.compile(
    r"附件\s*\d*\s*[:：【.、]?.{0,200}\.(?:docx?|wps|pdf|xlsx?|zip|rar)\s*】?(?:已下载\s*次?)?",
    re.IGNORECASE,
)


def digest(document: Document, *head: str | None) -> str:
    """sha256 (hex) over what the page says: `head` (title, date, source), then every block."""
    lines = [_fold(text or "") for text in head]
    lines += [_line(block) for block in document.blocks]
    text = "\n".join(line for line in lines if line)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_bytes(body: bytes) -> str:
    """sha256 (hex) of a file as served."""
    return hashlib.sha256(body).hexdigest()


def _line(block: Block) -> str:
    if block.grid is None:
        text = _fold(block.text)
        return "" if _FILE_LINE.fullmatch(text) else text
    # Cells keep their borders: a figure that moves one cell on is another content.
    return "\n".join("\t".join(_fold(cell.text) for cell in row) for row in block.grid.rows)


def _fold(text: str) -> str:
    return " ".join(_COUNTER.sub("", unicodedata.normalize("NFC", text)).split())
