"""The words of a report: its own title and its sections."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache

from crawler.documents.model import Document
from crawler.forms.definition import common
from crawler.forms.labels import squeeze
from crawler.forms.model import Section

_NUMBERED = re.compile(
    r"\s*(?:[一二三四五六七八九十]{1,3}\s*[、.．]|第[一二三四五六七八九十]+(?:部分|章))"
)
_DATE = re.compile(r"(?:19|20)\d\d\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}")
_LONGEST_HEADING = 45
_LONGEST_TITLE = 60
_HEAD_LINES = 80  # a title further down is a link or a quotation


def body_title(lines: Sequence[str]) -> str | None:
    """The first line inside the body that looks like a report's title. On a whole page the body
    begins below the line with date and source; a title only above that is the listing's.
    """
    head = []
    for line in lines[:_HEAD_LINES]:
        if _NUMBERED.match(line):
            break
        head.append(line)
    below = max((i + 1 for i, line in enumerate(head) if _is_dateline(line)), default=0)
    for line in head[below:]:
        if _is_title(title := " ".join(line.replace("\n", "").split())):
            return title
    return None


def sections(lines: Iterable[str]) -> tuple[Section, ...]:
    """Prose by heading (一、 二、 …). No line is lost; two sections may bear one heading."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        if _is_heading(line):
            found.append((line.strip(), []))
        else:
            found[-1][1].append(line)
    return tuple(Section(heading, "\n".join(text)) for heading, text in found if heading or text)


def lines_of(document: Document, tables: Collection[int] = ()) -> list[str]:
    """The document's prose line by line; of the tables those wanted, a line a row."""
    lines: list[str] = []
    for block in document.blocks:
        if block.grid is None:
            lines += [line for line in block.text.split("\n") if line.strip()]
        elif block.grid.ordinal in tables:
            lines += ["\t".join(cell.text for cell in row) for row in block.grid.rows]
    return lines


def title_lines(document: Document) -> list[str]:
    """The beginning of the document: short paragraphs whole, for a title may be broken over two
    lines; of longer ones each line.
    """
    lines: list[str] = []
    for block in document.blocks[:_HEAD_LINES]:
        if block.grid is None:
            short = len(block.text) <= _LONGEST_TITLE
            lines += [block.text] if short else block.text.split("\n")
    return [line for line in lines if line.strip()]


def is_old(found: Sequence[Section]) -> bool:
    """Is this the prose report of the years before statutory tables?"""
    known = {word for section in found for word in common().old_headings if word in section.heading}
    text = "".join(section.heading + section.text for section in found)
    return len(known) >= 2 and any(word in text for word in common().title_subject)


def _is_heading(line: str) -> bool:
    text = line.strip()
    return (
        len(text) <= _LONGEST_HEADING and text[-1:] not in "。；;" and bool(_NUMBERED.match(text))
    )


def _is_dateline(line: str) -> bool:
    return bool(_DATE.search(line)) and any(word in line for word in common().dateline)


def _is_title(line: str) -> bool:
    text = squeeze(line)
    subject, kind, never = _title_words()
    return bool(
        len(text) <= _LONGEST_TITLE
        and subject.search(text)
        and kind.search(text)
        and not never.search(text)
        and text[-1:] not in "。.;；:,，"
    )


@cache
def _title_words() -> tuple[re.Pattern[str], ...]:
    words = common()
    kinds = (words.title_subject, words.title_kind, words.title_never)
    return tuple([re.compile("|".join(map(re.escape, kind))) for kind in kinds])
