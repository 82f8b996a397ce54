"""doc, wps → Document: the main text as it shows, its tables with their merged cells.

Left out is what a reader of the pages does not see: deleted and hidden text, the codes of fields;
and notes, headers and footers. Numbers that a list sets by itself are counted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from crawler.documents import cfb
from crawler.documents.flow import Flow
from crawler.documents.model import Document
from crawler.documents.word import KIND, Paragraph, Word
from crawler.errors import Unreadable

_STREAMS = ("WordDocument", "0Table", "1Table", "Data")
_MAGIC_97 = b"\xec\xa5"
# What ends a paragraph: cell and row, page, paragraph, column.
_MARK = re.compile("[\x07\x0c\x0d\x0e]")
_CELL, _END = "\x07", "\x0d"
_FIELD, _RESULT, _FIELD_END = "\x13", "\x14", "\x15"
_FIELD_MARK = re.compile("[\x13\x14\x15]")
# A line end, a hyphen that does not break, a picture; the others are marks of notes and fields.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f]")
_SHOWN = {"\x0b": "\n", "\x1e": "-", "\x01": "\x01"}
_PICTURE = re.compile("\x01")
_SYMBOL = "("  # stands for a sign of a symbol font
_PAIRED = re.compile("[\ud800-\udfff]")


def is_mine(body: bytes) -> bool:
    """A compound file with a Word text at its top; of a broken one, whatever is left to tell."""
    if not body.startswith(cfb.MAGIC):
        return False
    try:
        return _STREAMS[0] in cfb.names(body)
    except cfb.Broken:
        # Word and WPS write the text first, right behind the head; others its name.
        return body[512:514] == _MAGIC_97 or _STREAMS[0].encode("utf-16-le") in body


def read(body: bytes) -> Document:
    """Open a file of Word 97 to 2003. Raises Unreadable."""
    try:
        streams = cfb.outermost(body, _STREAMS)
    except cfb.Torn as torn:
        raise Unreadable("truncated", kind=KIND) from torn
    except cfb.Broken as broken:
        raise Unreadable("damaged", kind=KIND, why=str(broken)) from broken
    word = Word(streams)
    return _Walk(word).document()


class _Walk:
    def __init__(self, word: Word) -> None:
        self._word = word
        self._hidden: set[int] = set()  # marks
        self._pictures = 0
        self._units = self._shown()
        self._numbering = word.numbering()
        self._boxes = deque(word.boxes())
        self._flow = Flow(KIND)

    def document(self) -> Document:
        """The main text, text boxes behind the paragraph they are anchored in."""
        self._walk(0, self._word.main)
        self._boxes_before(self._word.main)
        return self._flow.document(self._pictures)

    def _boxes_before(self, place: int) -> None:
        while self._boxes and self._boxes[0][0] <= place:
            _, start, stop = self._boxes.popleft()
            self._walk(start, stop)

    def _walk(self, start: int, stop: int) -> None:
        """Tell the flow of the text between two places."""
        waiting, depth = "", 0
        for mark in _MARK.finditer(self._word.text, start, stop):
            place, start_of_next = mark.span()
            paragraph = self._word.paragraph(place)
            if waiting and depth != paragraph.depth:
                self._flow.paragraph(waiting, depth)
                waiting = ""
            text = waiting + self._text(start, place)
            waiting, depth, start = "", paragraph.depth, start_of_next
            hidden = paragraph.hidden or place in self._hidden
            text = "" if paragraph.hidden else text
            if mark[0] == _END and hidden and not (paragraph.cell_end or paragraph.row_end):
                waiting = text  # without its mark a paragraph runs on into the next
            else:
                self._end(mark[0], paragraph, text, not hidden)
                if not depth and place < self._word.main:
                    self._boxes_before(place)
        if rest := waiting + self._text(start, stop):
            self._flow.paragraph(rest, depth)

    def _end(self, mark: str, paragraph: Paragraph, text: str, shown: bool) -> None:
        depth = paragraph.depth
        in_own_table = mark == _CELL and depth == 1
        if paragraph.row_end and (in_own_table or (mark == _END and depth > 1)):
            self._flow.end_row(paragraph.rules, depth, shown)
            return
        label = self._numbering.label(str(paragraph.list), paragraph.level) if shown else ""
        self._flow.paragraph(label + text, depth, paragraph.heading)
        if in_own_table or paragraph.cell_end:
            self._flow.end_cell(depth)

    def _text(self, start: int, stop: int) -> str:
        text = "".join(self._units[start:stop])
        if _PAIRED.search(text):
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text

    def _shown(self) -> list[str]:
        """What shows of each unit: most often itself, sometimes nothing or more."""
        text = self._word.text
        units = list(text)
        for found in _CONTROL.finditer(text):
            units[found.start()] = _SHOWN.get(found[0], "")
        for start, stop in _codes(text):
            units[start:stop] = [""] * (stop - start)
        raised: list[tuple[int, int]] = []
        for start, stop, told in self._word.runs():
            if told.deleted or told.hidden:
                units[start:stop] = [""] * (stop - start)
                self._hidden.update(m.start() for m in _MARK.finditer(text, start, stop))
            elif told.symbol:
                for place in range(start, stop):
                    if text[place] == _SYMBOL:
                        units[place] = told.symbol
            if told.raised or told.struck:
                raised.append((start, stop))
        for found in _PICTURE.finditer(text):
            self._pictures += units[found.start()] == found[0]
            units[found.start()] = ""
        for start, stop in raised:
            _bracket(units, start, stop)
        return units


def _codes(text: str) -> Iterator[tuple[int, int]]:
    """Where the codes of fields stand, those that end; of fields within them only the outer one."""
    opened: list[tuple[int, int]] = []
    found: list[tuple[int, int]] = []
    for mark in _FIELD_MARK.finditer(text):
        place = mark.start()
        if mark[0] == _FIELD:
            opened.append((place, 0))
        elif opened and mark[0] == _RESULT:
            begun, result = opened.pop()
            opened.append((begun, result or place))
        elif opened:
            begun, result = opened.pop()
            found.append((begun, result or place))
    upto = 0
    for start, stop in sorted(found):
        if stop > upto:
            yield max(start, upto), stop
            upto = stop


def _bracket(units: list[str], start: int, stop: int) -> None:
    """A raised digit is a note mark: without brackets 22¹ would read 221, as would a 2 struck
    out before 21.
    """
    shown = [place for place in range(start, stop) if units[place].strip()]
    if shown:
        units[shown[0]] = "[" + units[shown[0]]
        units[shown[-1]] += "]"
