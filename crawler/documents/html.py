"""HTML → Document: paragraphs, headings and grids in reading order, as a reader would see them.

libxml2 repairs the page and writes the body out again as clean mark-up, `<` nowhere but at the
head of a tag. Reading that text costs a third of a Python object for every element.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import cache, lru_cache
from html import unescape
from typing import Literal, NamedTuple

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from crawler.documents.charset import decode
from crawler.documents.model import Block, Document, Grid, GridCell, Remark
from crawler.documents.text import tokens
from crawler.viewer import shown_files


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What no reader sees.
_DROPPED = _words(
    "script style noscript template head title meta link object iframe select textarea svg rt rp"
)
_HEADINGS = _words("h1 h2 h3 h4 h5 h6")
_BLOCKS = _HEADINGS | _words(
    "address article aside blockquote body center dd details div dl dt fieldset figure footer form"
    " header hr li main nav ol p pre section table tbody td tfoot th thead tr ul caption"
)
_LEAVES = _words("p div li pre dd dt")
# A raised digit is a note mark: without brackets 22¹ would read 221. So would what is struck out, 2
# before 21. A style that says either makes an element a "note".
_NOTES = _words("sup sub s strike del note")
_STYLED = re.compile(r"\sstyle=\"[^\"]*(?:line-through|vertical-align:su(?:per|b))")
_STRUCK = "line-through"
_TABLE_PARTS = _words("table tbody td tfoot th thead tr caption")
# What a form shows in a cell. Which choice is shown, and what a picture says, is not told.
_FIELD = re.compile(r"<(input)\b([^>]*)>|<textarea\b[^>]*>([^<]*)</textarea>|<select\b[^>]*>")
_NO_FIELD = re.compile(r"\stype=\"(?!text|number|tel)")
_VALUE = re.compile(r"\svalue=\"([^\"]*)\"")
_PICTURE = re.compile(r"<(?:img|svg|canvas|object|embed|iframe|script)\b")
_UNNAMED = "\ufffd"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ROW_TAG = re.compile(r"<(/?t(?:[rdh]|head|body|foot))((?:[\s/][^>]*)?)>")
_TABLE_TAG = re.compile(r"<(?:/table|t(?:able|[dh])\b)[^>]*>")
_TAG = re.compile(r"(/?)([^\s/]+)(.*?)(/?)", re.DOTALL)
_SPAN = re.compile(r"\s(row|col)span=\"\s*(\d+)\s*\"", re.ASCII)
_HIDDEN = re.compile(
    r"\shidden=|\sstyle=\"[^\"]*(?:display:none|visibility:(?:hidden|collapse)|mso-hide:all)"
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_AFTER_COLON = re.compile(r"\s*([:;=])\s*")
_LINE_ENDS = re.compile(r" *\n[ \n]*")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n")
# Bounds against hostile spans; the widest statutory table has 15 columns.
_MAX_SPAN = 64
_MAX_COLUMNS = 1024
_FOREVER = 1 << 30
# Titles, bylines and menus are no longer than this; the sentences of a report are.
_LONGEST_CAPTION = 60


def read(source: HtmlElement | bytes | str) -> Document:
    """Open an article body, or a whole page. An empty page is an empty Document."""
    body = source if isinstance(source, HtmlElement) else _parse(source)
    if body is None:
        return Document("html", ())
    written = etree.tostring(body, encoding="unicode", with_tail=False)
    walk = _Walk()
    for part, is_grid in _parts(_COMMENT.sub("", written)):
        if is_grid:
            walk.table(part)
        else:
            walk.text(part)
    walk.flush()
    blocks = tuple(walk.blocks)
    remarks = () if any(map(_is_report_text, blocks)) else _viewers(body)
    return Document("html", blocks, walk.tokens(), remarks=remarks)


def _is_report_text(block: Block) -> bool:
    return block.grid is not None or len(block.text) > _LONGEST_CAPTION


def _viewers(body: HtmlElement) -> tuple[Remark, ...]:
    """The files a page shows that says next to nothing itself."""
    urls = tuple(dict.fromkeys(shown_files(body)))
    return (Remark("viewer", {"url": ", ".join(urls)}),) if urls else ()


def _parse(source: bytes | str) -> HtmlElement | None:
    data = source.encode("utf-8", "replace") if isinstance(source, str) else _utf8(source)
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    if not data or data.isspace():
        return None
    try:
        tree = document_fromstring(data, parser=_parser())
    except etree.ParserError:
        return None
    body = tree.find("body")
    return tree if body is None else body


def _utf8(source: bytes) -> bytes:
    decoded = decode(source)
    if decoded.used == "utf-8" and not decoded.replaced:
        return source.removeprefix(BOM_UTF8)
    return decoded.text.encode("utf-8", "replace")


@cache
def _parser() -> HTMLParser:
    # Told the encoding, it does not believe the page's own <meta>. Without huge_tree it drops, and
    # says nothing, whatever lies deeper than 256 elements.
    return HTMLParser(encoding="utf-8", huge_tree=True)


class _Tag(NamedTuple):
    """A tag that matters to the layout. `opens` and `closes` are both true of `<br/>`."""

    name: str
    opens: bool
    closes: bool
    unseen: bool
    rowspan: int
    colspan: int
    struck: bool = False


@lru_cache(maxsize=4096)
def _tag(written: str) -> _Tag | None:
    """The inside of `<…>` judged; None for inline mark-up. Pages repeat their tags endlessly."""
    found = _TAG.fullmatch(written)
    if not found:
        return None
    closing, name, attributes, empty = found.groups()
    name = name.lower()
    said = _AFTER_COLON.sub(r"\1", attributes.lower()) if attributes else ""
    unseen = name in _DROPPED or bool(_HIDDEN.search(said))
    styled = bool(_STYLED.search(said))
    if styled and name not in _TABLE_PARTS and name not in _NOTES:
        name = "note"
    if empty and name in _NOTES:
        return None
    if not unseen and name not in _BLOCKS and name not in _NOTES and name != "br":
        return None
    spans = dict(_SPAN.findall(attributes))
    return _Tag(
        name,
        not closing,
        bool(closing or empty),
        unseen and not closing,
        int(spans["row"][:6]) if "row" in spans else 1,
        min(int(spans.get("col", "1")[:6]) or 1, _MAX_SPAN),
        styled and _STRUCK in said,
    )


_END_OF_NOTE = _Tag("note", opens=False, closes=True, unseen=False, rowspan=1, colspan=1)


def _parts(written: str) -> Iterator[tuple[str, bool]]:
    """The mark-up cut at its grids. A table around other tables, or of one cell, is layout."""
    opened: list[tuple[int, int, bool]] = []  # start, cells, holds another table
    grids: list[tuple[int, int]] = []
    for found in _TABLE_TAG.finditer(written):
        tag = found[0]
        if tag == "</table>":
            if opened:
                start, cells, outer = opened.pop()
                if cells > 1 and not outer:
                    grids.append((start, found.end()))
        elif tag.startswith("<table"):
            if not tag.endswith("/>"):
                opened = [(start, cells, True) for start, cells, _ in opened]
                opened.append((found.start(), 0, False))
        elif opened:
            start, cells, outer = opened[-1]
            opened[-1] = (start, cells + 1, outer)
    at = 0
    for start, stop in grids:
        yield written[at:start], False
        yield written[start:stop], True
        at = stop
    yield written[at:], False


def _pieces(written: str) -> Iterator[tuple[_Tag | None, str]]:
    """Each tag with the text behind it, without elements no reader sees."""
    unseen, depth = "", 0  # the element that is skipped, and how deep we are in its likes
    noted, within = "", 0  # and the one that is a note by its style
    first, *rest = written.split("<")
    if first:
        yield None, first
    for piece in rest:
        head, _, text = piece.partition(">")
        if depth:
            if head.startswith((unseen, "/" + unseen)):
                depth += _step(head, unseen)
            if depth or not text:
                continue
            tag = None
        else:
            tag = _tag(head)
            if tag is not None and tag.unseen:
                if not tag.closes:
                    unseen, depth = _name(head), 1
                    continue
                tag = None
            if within:
                if head.startswith((noted, "/" + noted)) and (step := _step(head, noted)):
                    within += step
                    tag = None if within else _END_OF_NOTE
                elif tag is not None and tag.name == "note":
                    tag = None
            elif tag is not None and tag.name == "note":
                noted, within = _name(head), 1
        yield tag, unescape(text) if "&" in text else text


def _name(head: str) -> str:
    """The element that a tag opens."""
    found = _TAG.fullmatch(head)
    return found[2].lower() if found else ""


def _step(head: str, name: str) -> int:
    """How a tag changes the depth within elements of this name."""
    found = _TAG.fullmatch(head)
    if not found or found[2].lower() != name or found[4]:
        return 0
    return -1 if found[1] else 1


class _Walk:
    """One pass over a body. Inline text gathers in `_line` until a block edge flushes it.

    `_flat` is the body as flattened text: paragraphs end in a blank line, an empty paragraph adds
    one line end; an int stands for the line ends that stood between two blocks in the source.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._line: list[str] = []
        self._flat: list[str | int] = []
        self._opened: list[tuple[str, int]] = []
        self._blanks = 0
        self._grids = 0
        self._verbatim = 0

    def table(self, written: str) -> None:
        """Add one grid."""
        self.flush()
        rows = _rows(written)
        if any(rows):
            self.blocks.append(Block("table", grid=Grid(self._grids, rows)))
            self._grids += 1

    def text(self, written: str) -> None:
        """Walk mark-up without grids."""
        for tag, text in _pieces(written):
            if tag is not None:
                self._tag(tag)
            if text:
                self._text(text)

    def flush(self, kind: Literal["paragraph", "heading"] = "paragraph") -> bool:
        """End the paragraph; False when there was no text in it."""
        if not self._line:
            return False
        text = "".join(self._line)
        text = "\n".join(line.strip(" ") for line in text.strip(" \n").split("\n"))
        self._line.clear()
        if not text or text.isspace():
            return False
        self.blocks.append(Block(kind, text))
        self._flat.append(text)
        return True

    def tokens(self) -> tuple[str, ...]:
        """The flattened sequence. Empty paragraphs are the blank cells; where a body has none,
        empty lines between its paragraphs are.
        """
        out: list[str] = []
        gap = 0
        for piece in self._flat:
            if isinstance(piece, int):
                gap = 0 if self._blanks else max(gap, piece)
            elif piece:
                out += ["\n" * (gap or 2) if out else "", piece]
                gap = 0
            elif out:
                out.append("\n")
        return tokens("".join(out)) if out else ()

    def _tag(self, tag: _Tag) -> None:
        name = tag.name
        if name == "br":
            self._line.append("\n")
        elif name in _NOTES:
            self._line.append("[" if tag.opens else "]")
        else:
            if tag.opens:
                self.flush()
                self._opened.append((name, len(self._flat)))
                self._verbatim += name == "pre"
            if tag.closes:
                self._close(name)

    def _close(self, name: str) -> None:
        empty = not self._line
        written = self.flush("heading" if name in _HEADINGS else "paragraph")
        opened, before = self._opened.pop() if self._opened else (name, 0)
        self._verbatim -= opened == "pre"
        # An empty <div> is furniture, an empty <p> a line somebody left blank.
        leaf = name == "p" or (name in _LEAVES and not empty)
        if leaf and not written and len(self._flat) == before:
            self._flat.append("")
            self._blanks += 1

    def _text(self, text: str) -> None:
        if self._verbatim or _EMPTY_LINES.search(text.strip()):
            self._line.append(text.replace("\r\n", "\n"))
        elif text.isspace() and "\xa0" not in text and "\u3000" not in text:
            if self._line:
                self._line.append(" ")
            elif "\n" in text:
                self._flat.append(text.count("\n"))
        else:
            self._line.append(_SPACE.sub(" ", text))


def _rows(written: str) -> tuple[tuple[GridCell, ...], ...]:
    """The cells of one table at their grid positions, hidden rows and cells left out."""
    layout = _Layout()
    unseen_row = unseen_section = False
    parts = _ROW_TAG.split(written)
    for name, attributes, inner in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if name in ("/tr", "/td", "/th"):
            continue
        tag = _tag(name + attributes)
        unseen = tag is not None and tag.unseen
        if name == "tr":
            unseen_row = unseen_section or unseen
            if not unseen_row:
                layout.rows.append([])
        elif name not in ("td", "th"):
            unseen_section = unseen_row = unseen
        elif tag is not None and not unseen and not unseen_row:
            text = "" if tag.closes else _cell_text(inner)
            layout.place(f"[{text}]" if text and tag.struck else text, tag)
    return layout.clipped()


@lru_cache(maxsize=4096)
def _cell_text(written: str) -> str:
    """The text of a cell from its mark-up. Blanks and zeros are written alike all over a page."""
    if "<" not in written:
        text = _SPACE.sub(" ", unescape(written))
    else:
        pictured = bool(_PICTURE.search(written))
        written = _FIELD.sub(_shown, written)
        parts: list[str] = []
        for tag, piece in _pieces(written):
            if tag is not None:
                parts.append(("[" if tag.opens else "]") if tag.name in _NOTES else "\n")
            parts.append(_SPACE.sub(" ", piece))
        text = _SPACE.sub(_one_space, _LINE_ENDS.sub("\n", "".join(parts))).replace("[]", "")
        if pictured and not text.strip():
            text = _UNNAMED
    return text.strip(" \n")


def _shown(field: re.Match[str]) -> str:
    """What a field of a form shows."""
    name, attributes, inside = field.groups()
    if not name:
        return f"{_UNNAMED}{field[0]}" if inside is None else str(inside)
    value = None if _NO_FIELD.search(attributes.lower()) else _VALUE.search(attributes)
    return value[1] if value else ""


def _one_space(found: re.Match[str]) -> str:
    return "\n" if "\n" in found[0] else " "


class _Layout:
    """Where the cells of a table stand, by the rules browsers follow."""

    def __init__(self) -> None:
        self.rows: list[list[GridCell]] = []
        self._free: list[int] = []  # by column: the first row that is free again

    def place(self, text: str, tag: _Tag) -> None:
        if not self.rows:
            self.rows.append([])
        line, row, free = self.rows[-1], len(self.rows) - 1, self._free
        column = line[-1].column + line[-1].colspan if line else 0
        while column < len(free) and free[column] > row:
            column += 1
        line.append(GridCell(text, row, column, tag.rowspan, tag.colspan))
        end = column + tag.colspan
        if tag.rowspan != 1 and end <= _MAX_COLUMNS:
            if end > len(free):
                free.extend([0] * (end - len(free)))
            free[column:end] = [row + tag.rowspan if tag.rowspan else _FOREVER] * tag.colspan

    def clipped(self) -> tuple[tuple[GridCell, ...], ...]:
        """The rows; a span past the last row ends there, and one of 0 means to run that far."""
        most = len(self.rows)
        return tuple(
            tuple(
                [
                    cell
                    if 0 < cell.rowspan <= most - number
                    else cell._replace(rowspan=most - number)
                    for cell in row
                ]
            )
            for number, row in enumerate(self.rows)
        )
