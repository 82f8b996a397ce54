"""docx → Document: what a reader of the printed pages sees, body only, in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from lxml import etree

from crawler.documents import cfb, zipped
from crawler.documents.model import Block, Document, Grid, GridCell, Remark
from crawler.documents.numbering import Numbering
from crawler.documents.ooxml import MATH, WORD, is_package, main_part, parse, relations
from crawler.documents.zipped import Package
from crawler.errors import Unreadable

_KIND: Final = "docx"
_MAIN: Final = "word/document.xml"
# How a package locked by a password is kept: as one stream of a compound file.
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_W: Final = f"{{{WORD}}}"
_VAL: Final = _W + "val"
_P, _R, _T, _RPR, _PPR = _W + "p", _W + "r", _W + "t", _W + "rPr", _W + "pPr"
_TABLE, _ROW, _CELL, _ROW_PROPERTIES = _W + "tbl", _W + "tr", _W + "tc", _W + "trPr"
_GRID_SPAN, _GRID_BEFORE = _W + "gridSpan", _W + "gridBefore"
_V_MERGE, _H_MERGE = _W + "vMerge", _W + "hMerge"
_NUMBERED, _P_STYLE, _R_STYLE, _OUTLINE = (
    _W + "numPr", _W + "pStyle", _W + "rStyle", _W + "outlineLvl")  # fmt: skip
_RAISE, _SIGN, _NOTE, _END_NOTE = (
    _W + "vertAlign", _W + "sym", _W + "footnoteReference", _W + "endnoteReference")  # fmt: skip
_STRUCK = (_W + "strike", _W + "dstrike")
_BOX, _VANISH = _W + "txbxContent", _W + "vanish"
_DELETED = (_W + "del", _W + "moveFrom", _W + "cellDel", _W + "rt")
_SWITCHES = (_VANISH, _W + "hidden")
_ALTERNATE: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_EMBEDDED = _W + "altChunk"
_SPANS = (_GRID_SPAN, _V_MERGE, _H_MERGE)
_PICTURES = (
    "{http://schemas.openxmlformats.org/drawingml/2006/main}blip",
    "{urn:schemas-microsoft-com:vml}imagedata",
)
# Properties as they were before a tracked change.
_CHANGES = (_W + "pPrChange", _W + "rPrChange", _W + "trPrChange", _W + "tcPrChange")
_STOPS = _W + "tabs"
_STYLES = (_R_STYLE, _P_STYLE)
_TAKEN_OUT = (_BOX, *_DELETED, *_CHANGES, *_SWITCHES)
_MARKS = (_TABLE, _STOPS, _NUMBERED, _OUTLINE, _ALTERNATE, *_STYLES, *_TAKEN_OUT, *_PICTURES)
_WRITTEN = {
    _W + "tab": "\t",
    _W + "ptab": "\t",
    _W + "br": "\n",
    _W + "cr": "\n",
    _W + "noBreakHyphen": "-",
}
_INLINE = (_T, *_WRITTEN, _SIGN, _RAISE, *_STRUCK, _NOTE, _END_NOTE, f"{{{MATH}}}t")
_IN_TABLE = (_ROW, _CELL, _P, _GRID_SPAN, _GRID_BEFORE, _V_MERGE, _H_MERGE)
_OFF = frozenset(("0", "false", "off", "none"))
_RAISED = frozenset(("superscript", "subscript"))
# Fonts of signs keep them at U+F000; these have figures and ASCII punctuation at their own places.
_PLAIN_FONTS = frozenset(("symbol",))
_SAID = (b"vanish", b"vertAlign", b"numPr")
_STYLE_ID = re.compile(rb"\bstyleId=[\"']([^\"']*)")
_BASED_ON = re.compile(rb"\bbasedOn\s[^>]*?val=[\"']([^\"']*)")
_LINE_ENDS = re.compile(r"[ \t]*\n[ \t\n]*")
# Bounds against hostile spans, as in html.py.
_MAX_SPAN = 64
_MAX_DEPTH = 100


def is_mine(body: bytes) -> bool:
    """A package with parts in word/, or one that is locked: nobody can tell of which kind."""
    if body.startswith(cfb.MAGIC):
        return _LOCKED in body
    return is_package(body, "word/")


def read(body: bytes) -> Document:
    """Open a docx. Raises Unreadable."""
    if body.startswith(cfb.MAGIC):
        raise Unreadable("encrypted", kind="docx/xlsx")
    with zipped.opened(body, _KIND) as package:
        name = main_part(package, _MAIN)
        root = parse(package.read(name), _KIND)
        if root.tag != _W + "document":
            raise Unreadable("damaged", kind=_KIND, why=f"{name} is no document")
        marks = _marks(root)
        styles = _styles(package, name, marks)
        numbered = styles.numbered or _NUMBERED in marks
        numbering = Numbering(_part(package, name, "numbering")) if numbered else None
        reader = _Reader(styles, numbering)
        reader.read(root, marks)
        if reader.notes:
            for kind in ("footnote", "endnote"):
                notes = _part(package, name, kind + "s")
                if notes is not None:
                    reader.read_notes(notes, kind)
    return Document(_KIND, tuple(reader.blocks), remarks=tuple(reader.remarks))


def _part(package: Package, main: str, what: str) -> etree._Element | None:
    folder = main.rpartition("/")[0]
    name = f"{folder}/{what}.xml"
    if name not in package:
        found = (part for type_, part in relations(package, main).values()
                 if type_.endswith("/" + what) and part in package)  # fmt: skip
        name = next(found, "")
    return parse(package.read(name), _KIND) if name else None


_Marks = dict[str, list[etree._Element]]


def _marks(root: etree._Element) -> _Marks:
    """The elements that need a look before the text is read, by name: one pass finds them all."""
    found: _Marks = {}
    for node in root.iter(*_MARKS):
        found.setdefault(str(node.tag), []).append(node)
    return found


@dataclass(slots=True)
class _Styles:
    """What styles say of their text: not seen, raised, numbered (list and level)."""

    hidden: set[str] = field(default_factory=set)
    raised: set[str] = field(default_factory=set)
    numbered: dict[str, tuple[str, int]] = field(default_factory=dict)


def _styles(package: Package, main: str, marks: _Marks) -> _Styles:
    found = _Styles()
    name = f"{main.rpartition('/')[0]}/styles.xml"
    used = {node.get(_VAL, "") for tag in _STYLES for node in marks.get(tag, ())}
    if not used or name not in package:
        return found
    data = package.read(name)
    if not _speaks(data, used):
        return found
    by_name = {item.get(_W + "styleId", ""): item for item in parse(data, _KIND).iter(_W + "style")}
    for key in used & by_name.keys():
        for ancestor in _based_on(by_name[key], by_name):
            _note_style(found, key, ancestor)
    return found


def _speaks(data: bytes, used: set[str]) -> bool:
    """Does a style in use say any of it? Few do, and parsing costs as much as a report."""
    said: set[bytes] = set()
    for word in _SAID:
        at = data.find(word)
        while at >= 0:
            said.update(_STYLE_ID.findall(data, data.rfind(b"styleId", 0, at), at)[:1])
            at = data.find(word, at + 1)
    line = {name.encode() for name in used}
    for _ in range(_MAX_DEPTH):
        if not line or line & said:
            break
        line = {base for key in line if (base := _base(data, key))} - line
    return bool(line & said)


def _base(data: bytes, key: bytes) -> bytes:
    """The style that a style is based on."""
    at = max(data.find(b"styleId=" + quote + key + quote) for quote in (b'"', b"'"))
    found = _BASED_ON.search(data, at, data.find(b"style>", at)) if at >= 0 else None
    return found[1] if found else b""


def _based_on(style: etree._Element, by_name: dict[str, etree._Element]) -> list[etree._Element]:
    """The style, and those it is based on, nearest first."""
    line = [style]
    while len(line) < _MAX_DEPTH:
        base = line[-1].find(_W + "basedOn")
        above = None if base is None else by_name.get(base.get(_VAL, ""))
        if above is None or above in line:
            break
        line.append(above)
    return line


def _note_style(found: _Styles, key: str, style: etree._Element) -> None:
    for node in style.iter(_VANISH, _RAISE, _NUMBERED):
        if node.tag == _NUMBERED:
            found.numbered.setdefault(key, _list_of(node))
        elif node.tag == _VANISH and node.get(_VAL) not in _OFF:
            found.hidden.add(key)
        elif node.get(_VAL) in _RAISED:
            found.raised.add(key)


def _list_of(node: etree._Element) -> tuple[str, int]:
    number, level = node.find(_W + "numId"), node.find(_W + "ilvl")
    at = "0" if level is None else level.get(_VAL, "0")
    return (
        "" if number is None else number.get(_VAL, ""),
        int(at) if at in set("012345678") else 0,
    )


def _prune(marks: _Marks, styles: _Styles) -> dict[etree._Element, list[etree._Element]]:
    """Take out what no reader sees. Text boxes are taken out too, and given back by the paragraph
    they are anchored in.
    """
    for node in marks.get(_ALTERNATE, ()):
        # Every branch says the same, for readers of another age.
        for branch in list(node)[1:]:
            node.remove(branch)
    boxes: dict[etree._Element, list[etree._Element]] = {}
    for box in marks.get(_BOX, ()):
        if (anchor := next(box.iterancestors(_P), None)) is not None:
            boxes.setdefault(anchor, []).append(box)
    tags = _TAKEN_OUT + (_STYLES if styles.hidden else ())
    for node in [node for tag in tags for node in marks.get(tag, ())]:
        gone = _unseen(node, styles)
        if gone is not None and (above := gone.getparent()) is not None:
            above.remove(gone)
    return boxes


def _unseen(node: etree._Element, styles: _Styles) -> etree._Element | None:
    """The element that is not seen because of this one, or is itself out of its place."""
    above = node.getparent()
    owner = None if above is None else above.getparent()
    tag = node.tag
    if above is None or (tag in _SWITCHES and node.get(_VAL) in _OFF):
        return None
    if tag in _STYLES:
        return owner if node.get(_VAL) in styles.hidden else None
    if tag == _VANISH:
        return owner if owner is not None and owner.tag == _R else None
    if above.tag == _ROW_PROPERTIES or tag == _W + "cellDel":
        return owner
    return None if tag == _W + "hidden" else node


class _Reader:
    """One pass over a body. `notes` are the kind and identifier of each note referred to."""

    def __init__(self, styles: _Styles, numbering: Numbering | None) -> None:
        self.blocks: list[Block] = []
        self.remarks: list[Remark] = []
        self.notes: list[tuple[str, str]] = []
        self._styles = styles
        self._numbering = numbering
        self._boxes: dict[etree._Element, list[etree._Element]] = {}
        self._layouts: set[etree._Element] = set()
        self._headings: set[etree._Element] = set()
        self._raised: etree._Element | None = None
        self._grids = 0
        inline = _INLINE
        if numbering is not None:
            inline += (_NUMBERED, _P_STYLE)
        if styles.raised:
            inline += (_R_STYLE,)
        self._inline = inline
        self._in_table = (*inline, *_IN_TABLE)

    def read(self, root: etree._Element, marks: _Marks) -> None:
        """Read a document."""
        self._boxes = _prune(marks, self._styles)
        # Tables around other tables only place them.
        inner = (table.iterancestors(_TABLE) for table in marks.get(_TABLE, ()))
        self._layouts = {outer for outers in inner for outer in outers}
        self._headings = set(_headings(marks))
        if _STOPS in marks:
            # Places to stop at are written as tabs are.
            etree.strip_elements(root, _STOPS, with_tail=False)
        pictures = sum(len(marks.get(tag, ())) for tag in _PICTURES)
        if pictures:
            self.remarks.append(Remark("pictures", {"count": str(pictures)}))
        self._walk(root)

    def read_notes(self, root: etree._Element, kind: str) -> None:
        """Add the notes that are referred to, below the text."""
        _prune(_marks(root), self._styles)
        by_id = {note.get(_W + "id"): note for note in root.iter(_W + kind)}
        for number, (of_kind, key) in enumerate(self.notes, 1):
            if of_kind == kind and key in by_id:
                text = "\n".join(filter(None, map(self._text, by_id[key].iter(_P))))
                self.blocks.append(Block("paragraph", f"[{number}]{text}"))

    def _walk(self, container: etree._Element) -> None:
        for node in container.iterchildren("*"):
            tag = node.tag
            if tag == _P:
                self._paragraph(node)
            elif tag == _TABLE and node not in self._layouts:
                self._table(node)
            elif tag == _EMBEDDED:
                self.remarks.append(Remark("part_left", {"part": "altChunk"}))
            elif len(node):
                self._walk(node)

    def _paragraph(self, node: etree._Element) -> None:
        text = self._text(node)
        if text and not text.isspace():
            kind: Literal["heading", "paragraph"] = (
                "heading" if node in self._headings else "paragraph"
            )
            self.blocks.append(Block(kind, text))
        self._box(node)

    def _box(self, anchor: etree._Element) -> None:
        if self._boxes:
            for box in self._boxes.get(anchor, ()):
                self._walk(box)

    def _text(self, paragraph: etree._Element) -> str:
        pieces = [
            (node.text or "") if node.tag == _T and self._raised is None else self._piece(node)
            for node in paragraph.iter(*self._inline)
        ]
        self._raised = None
        return "".join(pieces).strip(" \n")

    def _piece(self, node: etree._Element) -> str:
        """What one element inside a paragraph writes."""
        tag = node.tag
        if tag in _WRITTEN:
            return _WRITTEN[str(tag)]
        if tag == _SIGN:
            return _sign(node)
        if tag in (_NOTE, _END_NOTE):
            kind = "footnote" if tag == _NOTE else "endnote"
            self.notes.append((kind, node.get(_W + "id", "")))
            return f"[{len(self.notes)}]"
        if tag in (_NUMBERED, _P_STYLE):
            return self._label(node)
        if tag in (_RAISE, _R_STYLE):
            if node.get(_VAL) in (_RAISED if tag == _RAISE else self._styles.raised):
                self._raised = _run_of(node)
            return ""
        if tag in _STRUCK:
            if node.get(_VAL) not in _OFF:
                self._raised = _run_of(node)
            return ""
        text = node.text or ""
        # A raised digit is a note mark: without brackets 22¹ would read 221, as would a 2
        # struck out before 21.
        return f"[{text}]" if self._raised is not None and _run_of(node) is self._raised else text

    def _label(self, node: etree._Element) -> str:
        """The number a paragraph is printed with, from its own properties or those of its style."""
        properties = node.getparent()
        if self._numbering is None or properties is None or properties.tag != _PPR:
            return ""
        style = properties.find(_P_STYLE)
        of_style = self._styles.numbered.get("" if style is None else style.get(_VAL, ""))
        if node.tag == _P_STYLE:
            if of_style is None or properties.find(_NUMBERED) is not None:
                return ""
            return self._numbering.label(*of_style)
        number, level = _list_of(node)
        return self._numbering.label(number or (of_style or ("", 0))[0], level)

    def _table(self, table: etree._Element) -> None:
        cells = table.iter(_CELL)
        if next(cells, None) is None or next(cells, None) is None:
            self._walk(table)  # a frame around text
            return
        found: list[_Row] = []
        anchors: list[etree._Element] = []
        cell = _Cell([])
        pieces, boxes = cell.pieces, self._boxes
        for node in table.iter(*self._in_table):
            tag = node.tag
            if tag == _T and self._raised is None:
                pieces.append(node.text or "")
            elif tag == _P:
                pieces.append("\n")
                if boxes and node in boxes:
                    anchors.append(node)
            elif tag == _CELL:
                pieces = []
                cell = _Cell(pieces)
                if found:
                    found[-1].cells.append(cell)
            elif tag == _ROW:
                found.append(_Row())
            elif tag == _GRID_BEFORE:
                found[-1].before = _count(node.get(_VAL))
            elif tag in _SPANS:
                cell.set(str(tag), node.get(_VAL))
            else:
                pieces.append(self._piece(node))
        self._raised = None
        rows = _laid_out(found)
        if any(rows):
            self.blocks.append(Block("table", grid=Grid(self._grids, rows)))
            self._grids += 1
        for anchor in anchors:
            self._box(anchor)


def _run_of(node: etree._Element) -> etree._Element | None:
    """The run whose text or whose property this is."""
    return next(node.iterancestors(_R), None)


def _sign(node: etree._Element) -> str:
    try:
        code = int(node.get(_W + "char", ""), 16)
    except ValueError:
        return "\ufffd"
    plain = node.get(_W + "font", "").lower() in _PLAIN_FONTS
    if plain and 0xF020 <= code <= 0xF03F:
        code -= 0xF000
    return chr(code) if 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE else "\ufffd"


def _headings(marks: _Marks) -> Iterator[etree._Element]:
    """The paragraphs that are headings by their level or by the usual name of their style."""
    levels = (node for node in marks.get(_OUTLINE, ()) if node.get(_VAL) in set("012345678"))
    named = (
        node
        for node in marks.get(_P_STYLE, ())
        if (node.get(_VAL) or "").lower().startswith("heading")
    )
    for node in (*levels, *named):
        yield from node.iterancestors(_P)


@dataclass(slots=True)
class _Cell:
    """A cell as the file has it: what its paragraphs write, each behind a line end, its width, and
    whether it begins or continues a cell merged downwards or to the right.
    """

    pieces: list[str]
    span: int = 1
    down: str = ""
    right: str = ""

    def set(self, tag: str, value: str | None) -> None:
        """Take one of the cell's properties."""
        if tag == _GRID_SPAN:
            self.span = _count(value)
        elif tag == _V_MERGE:
            self.down = value or "continue"
        else:
            self.right = value or "continue"

    def text(self) -> str:
        text = "".join(self.pieces).strip(" \n")
        return _LINE_ENDS.sub("\n", text) if "\n" in text else text


def _count(value: str | None) -> int:
    plain = value is not None and value.isascii() and value.isdigit() and len(value) < 9
    return min(max(int(value or 1), 1), _MAX_SPAN) if plain else 1


@dataclass(slots=True)
class _Row:
    """`before`: the columns it leaves out at its beginning."""

    cells: list[_Cell] = field(default_factory=list)
    before: int = 0


def _laid_out(rows: list[_Row]) -> tuple[tuple[GridCell, ...], ...]:
    """The cells at their grid positions; a merged cell stands where it begins."""
    placed: list[list[GridCell]] = []
    tall: dict[int, tuple[int, int]] = {}  # by column: row and place of the cell it belongs to
    for number, row in enumerate(rows):
        line: list[GridCell] = []
        placed.append(line)
        column = row.before
        for cell in row.cells:
            span = cell.span
            if cell.right == "continue" and line:
                wide = min(line[-1].colspan + span, _MAX_SPAN)
                line[-1] = line[-1]._replace(colspan=wide)
            elif cell.down == "continue" and column in tall:
                above, place = tall[column]
                merged = placed[above][place]
                placed[above][place] = merged._replace(rowspan=number - above + 1)
            else:
                if tall:
                    for covered in range(column, column + span):
                        tall.pop(covered, None)
                if cell.down:
                    tall[column] = (number, len(line))
                line.append(GridCell(cell.text(), number, column, 1, span))
            column += span
    return tuple(map(tuple, placed))
