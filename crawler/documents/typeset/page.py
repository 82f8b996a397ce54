"""PDF bytes → what stands on each page: characters with boxes and ruling lines, as displayed.

Speaks to pdfium through its C interface, a call for every character: the tables that pdfplumber
finds in 17 times the time of plain text extraction are found in less than twice that time.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from threading import Lock
from typing import Any, Final, Literal, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as c

from crawler.documents.model import Box
from crawler.documents.ruling import THICK, Line, frame, strokes
from crawler.errors import Unreadable

# What stands in place of a character that its font does not name.
UNKNOWN: Final = "\ufffd"
MAX_PAGES: Final = 1000
MAX_SECONDS: Final = 8.0
MAX_OBJECTS: Final = 400_000
# Reports nest a form or two (a header, a stamp); each level may call the next many times.
_MAX_DEPTH = 8
_MAX_SEGMENTS = 4000
_MOST_PATHS = 30_000  # a map has more; tables are not looked for on it
_INVISIBLE_MODES = frozenset((c.FPDF_TEXTRENDERMODE_INVISIBLE, c.FPDF_TEXTRENDERMODE_CLIP))
_WHITE, _DARK = 250, 160
# Annotations that show text of their own: widgets of forms, free text, stamps.
_SPEAKING = frozenset((c.FPDF_ANNOT_WIDGET, c.FPDF_ANNOT_FREETEXT, c.FPDF_ANNOT_STAMP))
# An image over this much of a page is a scan of it; a picture smaller than that is a picture.
_MOST_OF_PAGE, _LARGE_IMAGE = 0.5, 0.1
_DRAWN_LETTERS = 100  # curves on a page without text: letters as outlines
_SLANT = 0.03  # quarter turns
_THICKEST = 6.1  # points: the widest border an office program offers is six
_LOCK = Lock()  # pdfium knows no threads

Matrix = tuple[float, float, float, float, float, float]
_PLAIN: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Char(NamedTuple):
    """One character and its box on the page as displayed, in points from the upper left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class Page(NamedTuple):
    """What stands on a page, in the order it was drawn. `kind` is `scan` where an image is all
    there is, or all that can be trusted: text under an image is another's recognition of it.
    `unknown` counts characters that no font names, `unseen` those no reader of the page sees.
    """

    width: float
    height: float
    chars: list[Char]
    across: list[Line]
    down: list[Line]
    kind: Literal["text", "scan", "empty"]
    unknown: int = 0
    unseen: int = 0


def read_pages(body: bytes) -> list[Page]:
    """Every page of a PDF. Raises Unreadable for bytes that pdfium does not open, and for more
    pages, objects or seconds than any report needs.
    """
    started = time.monotonic()
    pages: list[Page] = []
    with _LOCK:
        document = opened(body)
        try:
            for number in range(len(document)):
                pages.append(_page(document, number))
                if time.monotonic() - started > MAX_SECONDS:
                    raise Unreadable("too_slow", kind="pdf", limit=f"{MAX_SECONDS:.0f} s")
        finally:
            document.close()
    return pages


def opened(body: bytes) -> Any:
    """pdfium's document, its form fields filled in. Raises Unreadable."""
    try:
        document = pdfium.PdfDocument(body)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == c.FPDF_ERR_PASSWORD:
            raise Unreadable("encrypted", kind="pdf") from None
        raise Unreadable("damaged", kind="pdf", why="no pages can be found in it") from None
    if len(document) > MAX_PAGES:
        document.close()
        raise Unreadable("bomb", kind="pdf", limit=f"{MAX_PAGES} pages")
    if document.get_formtype() != c.FORMTYPE_NONE:
        document.init_forms()
    return document


def _page(document: Any, number: int) -> Page:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return Page(0, 0, [], [], [], "empty")
    try:
        if _speaks(page.raw) and c.FPDFPage_Flatten(page.raw, c.FLAT_NORMALDISPLAY) == (
            c.FLATTEN_SUCCESS
        ):
            page.close()
            page = document[number]
        return _Reader(page.raw).page()
    finally:
        page.close()


def _speaks(page: Any) -> bool:
    """Does the page hold annotations with text of their own?"""
    for index in range(min(c.FPDFPage_GetAnnotCount(page), 1000)):
        note = c.FPDFPage_GetAnnot(page, index)
        kind = c.FPDFAnnot_GetSubtype(note)
        c.FPDFPage_CloseAnnot(note)
        if kind in _SPEAKING:
            return True
    return False


class _Text(NamedTuple):
    """A text object: its number among the page's objects and whether a reader sees it."""

    order: int
    item: Any
    outer: Matrix
    seen: bool = True
    white: bool = False


@dataclass(slots=True)
class _Found:
    """What a walk over the objects of a page gathers, in the page's own coordinates."""

    texts: list[_Text] = field(default_factory=list)
    # Texts without a peculiarity, many at once: order of the first, places behind it, objects.
    plain: list[tuple[int, list[int], list[Any], Matrix]] = field(default_factory=list)
    turns: Counter[int] = field(default_factory=Counter)
    odd: bool = False  # some text is unseen, white or slanted
    lies: list[Box] = field(default_factory=list)  # strokes and thin rectangles
    outlines: list[Box] = field(default_factory=list)
    filled: list[tuple[Any, Box]] = field(default_factory=list)
    images: list[tuple[int, Box]] = field(default_factory=list)
    curves: int = 0
    paths: int = 0
    count: int = 0


class _Reader:
    def __init__(self, page: Any) -> None:
        self._page = page
        self._found = _Found()
        self._floats = [ctypes.c_float() for _ in range(4)]
        self._float_refs = [ctypes.byref(number) for number in self._floats]
        self._matrix = c.FS_MATRIX()
        self._matrix_ref = ctypes.byref(self._matrix)
        self._shades = [ctypes.c_uint() for _ in range(4)]
        self._shade_refs = [ctypes.byref(shade) for shade in self._shades]

    def page(self) -> Page:
        """The page as displayed: cropped, and turned so that most of its text stands upright."""
        rect = c.FS_RECTF()
        c.FPDF_GetPageBoundingBox(self._page, ctypes.byref(rect))
        crop = Box(rect.left, rect.top, rect.right, rect.bottom)
        self._walk(_objects(self._page), _PLAIN, 0)
        found = self._found
        turn = (
            found.turns.most_common(1)[0][0]
            if found.turns
            else c.FPDFPage_GetRotation(self._page) % 4
        )
        shown = _View(crop, turn)
        has_text = found.texts or found.plain
        chars, unknown, unseen = self._chars(shown) if has_text else ([], 0, 0)
        kind = self._kind(chars, shown, unseen)
        across, down = self._lines(shown)
        return Page(shown.width, shown.height, chars, across, down, kind, unknown, unseen)

    # --- objects --------------------------------------------------------------------------------

    def _walk(self, objects: list[Any], outer: Matrix, depth: int) -> None:
        found = self._found
        if found.count + len(objects) > MAX_OBJECTS:
            raise Unreadable("bomb", kind="pdf", limit=f"{MAX_OBJECTS} objects on a page")
        kinds = list(map(c.FPDFPageObj_GetType, objects))
        first = found.count
        found.count += len(objects)
        self._texts(objects, kinds, outer, first)
        paths = [
            item for item, kind in zip(objects, kinds, strict=True) if kind == c.FPDF_PAGEOBJ_PATH
        ]
        found.paths += len(paths)
        if found.paths <= _MOST_PATHS:
            self._paths(paths, outer)
        for at, (item, kind) in enumerate(zip(objects, kinds, strict=True), first):
            if kind == c.FPDF_PAGEOBJ_IMAGE:
                found.images.append((at, self._bounds(item, outer)))
            elif kind == c.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH:
                inner = _product(self._matrix_of(item), outer)
                count = c.FPDFFormObj_CountObjects(item)
                self._walk(
                    list(map(c.FPDFFormObj_GetObject, repeat(item), range(count))), inner, depth + 1
                )

    def _texts(self, objects: list[Any], kinds: list[int], outer: Matrix, first: int) -> None:
        """Where the text objects stand and how they are turned, in a few calls each."""
        found = self._found
        places = [at for at, kind in enumerate(kinds) if kind == c.FPDF_PAGEOBJ_TEXT]
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            items = [objects[at] for at in chunk]
            modes = list(map(c.FPDFTextObj_GetTextRenderMode, items))
            list(map(c.FPDFPageObj_GetMatrix, items, _MATRIX_REFS))
            coloured = list(map(c.FPDFPageObj_GetFillColor, items, *_SHADE_REFS))
            numbers = iter(_numbers(_MATRICES, 6 * len(items), "f"))
            turned = list(zip(*[numbers] * 6, strict=True))
            if outer is not _PLAIN:
                turned = [_product(matrix, outer) for matrix in turned]
            shades = [_numbers(shade, len(items), "I") for shade in _SHADES]
            plain = (
                all(coloured)
                and _INVISIBLE_MODES.isdisjoint(modes)
                and max(shades[0]) < _WHITE
                and min(shades[3]) > 0
                and all(not matrix[1] and matrix[0] > 0 for matrix in turned)
            )
            if plain:
                found.turns[0] += len(items)
                found.plain.append((first, chunk, items, outer))
            else:
                colours = zip(coloured, *shades, strict=True)
                for at, item, matrix, mode, colour in zip(
                    chunk, items, turned, modes, colours, strict=True
                ):
                    self._text(_Text(first + at, item, outer), matrix, mode, colour)

    def _text(
        self, text: _Text, matrix: Matrix, mode: int, colour: tuple[int, int, int, int, int]
    ) -> None:
        found = self._found
        angle = math.atan2(matrix[1], matrix[0]) / (math.pi / 2)
        turn = round(angle)
        slanted = abs(angle - turn) > _SLANT
        if not slanted:
            found.turns[turn % 4] += 1
        known, *shade, alpha = colour
        white = bool(known) and min(shade) >= _WHITE
        seen = not (slanted or (known and not alpha) or mode in _INVISIBLE_MODES)
        found.odd = found.odd or white or not seen
        found.texts.append(text._replace(seen=seen, white=white))

    def _paths(self, items: list[Any], outer: Matrix) -> None:
        """Lines, rectangles and longer paths, asked about in a few calls each."""
        found = self._found
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            counts = list(map(c.FPDFPath_CountSegments, chunk))
            list(map(c.FPDFPath_GetDrawMode, chunk, *_MODE_REFS))
            list(map(c.FPDFPageObj_GetBounds, chunk, *_SIDE_REFS))
            fills, strokes_ = (_numbers(mode, len(chunk), "I") for mode in _MODES)
            left, bottom, right, top = (_numbers(side, len(chunk), "f") for side in _SIDES)
            boxes = map(Box, left, top, right, bottom)
            for item, count, fill, stroke, box in zip(
                chunk, counts, fills, strokes_, boxes, strict=True
            ):
                if count <= 2:
                    if stroke:
                        found.lies.append(_thinned(_carried(box, outer)))
                elif count <= 5 and outer is _PLAIN and not stroke:
                    self._area(item, box, bool(fill), False)
                elif count <= _MAX_SEGMENTS:
                    self._subpaths(item, outer, count, bool(fill), bool(stroke))

    def _area(self, item: Any, box: Box, fill: bool, stroke: bool) -> None:
        found = self._found
        if min(box.right - box.left, box.top - box.bottom) <= THICK:
            if fill or stroke:
                found.lies.append(box)
        else:
            if stroke:
                found.outlines.append(box)
            if fill:
                found.filled.append((item, box))

    def _subpaths(self, item: Any, outer: Matrix, count: int, fill: bool, stroke: bool) -> None:
        """Lines and rectangles of a longer path, each part for itself; curves are no borders."""
        matrix = _product(self._matrix_of(item), outer)
        x, y = self._floats[:2]
        points: list[tuple[float, float]] = []
        curved = False

        def end() -> None:
            if len(points) < 2 or curved:
                return
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            box = Box(min(xs), max(ys), max(xs), min(ys))
            if _is_rectangle(points):
                self._area(item, box, fill, stroke)
            elif stroke:
                for (x0, y0), (x1, y1) in pairwise(points):
                    self._found.lies.append(Box(min(x0, x1), max(y0, y1), max(x0, x1), min(y0, y1)))

        for index in range(count):
            segment = c.FPDFPath_GetPathSegment(item, index)
            kind = c.FPDFPathSegment_GetType(segment)
            if kind == c.FPDF_SEGMENT_MOVETO:
                end()
                points, curved = [], False
            elif kind == c.FPDF_SEGMENT_BEZIERTO:
                curved = True
                self._found.curves += 1
            c.FPDFPathSegment_GetPoint(segment, *self._float_refs[:2])
            points.append(_moved((x.value, y.value), matrix))
            if c.FPDFPathSegment_GetClose(segment):
                points.append(points[0])
        end()

    def _bounds(self, item: Any, outer: Matrix) -> Box:
        c.FPDFPageObj_GetBounds(item, *self._float_refs)
        left, bottom, right, top = (number.value for number in self._floats)
        return _carried(Box(left, top, right, bottom), outer)

    def _colour(self, item: Any) -> tuple[int, int, int, int]:
        if not c.FPDFPageObj_GetFillColor(item, *self._shade_refs):
            return 0, 0, 0, 255
        red, green, blue, alpha = self._shades
        return red.value, green.value, blue.value, alpha.value

    def _matrix_of(self, item: Any) -> Matrix:
        c.FPDFPageObj_GetMatrix(item, self._matrix_ref)
        m = self._matrix
        return (m.a, m.b, m.c, m.d, m.e, m.f)

    # --- lines ----------------------------------------------------------------------------------

    def _lines(self, shown: _View) -> tuple[list[Line], list[Line]]:
        across: list[Line] = []
        down: list[Line] = []
        sides = [side for box in self._found.lies for side in box]
        for box in map(Box, *shown.all_edges(sides)):
            lies, stands = strokes(box)
            across += lies
            down += stands
        for box in self._found.outlines:
            lies, stands = frame(shown.box(box))
            across += lies
            down += stands
        return across, down

    # --- characters -----------------------------------------------------------------------------

    def _chars(self, shown: _View) -> tuple[list[Char], int, int]:
        """The characters a reader sees within the crop box, the unknown and the unseen counted."""
        text_page = c.FPDFText_LoadPage(self._page)
        if not text_page:
            return [], 0, 0
        try:
            scans = [
                (at, image)
                for at, image in self._found.images
                if _overlap(image, shown.crop) >= _MOST_OF_PAGE * shown.area
            ]
            unseen = self._unseen(scans) if self._found.odd or scans else frozenset()
            return _characters(text_page, shown, unseen)
        finally:
            c.FPDFText_ClosePage(text_page)

    def _unseen(self, scans: list[tuple[int, Box]]) -> frozenset[int]:
        """Addresses of text objects that no reader sees: invisible, slanted (a watermark), drawn
        below the scan of a page, white on white. A seal does not hide what it is put on.
        """
        unseen = set()
        plain = [
            _Text(first + at, item, outer)
            for first, places, items, outer in self._found.plain
            for at, item in zip(places, items, strict=True)
        ]
        for text in (*self._found.texts, *plain):
            box = self._bounds(text.item, text.outer)
            covered = any(text.order < at and _within(box, image) for at, image in scans)
            if not text.seen or covered or (text.white and not self._on_dark(box)):
                unseen.add(ctypes.addressof(text.item.contents))
        return frozenset(unseen)

    def _on_dark(self, box: Box) -> bool:
        behind = [item for item, area in self._found.filled if _within(box, area)]
        if behind and min(self._colour(behind[-1])[:3]) < _DARK:
            return True
        return any(_within(box, area) for _, area in self._found.images)

    def _kind(
        self, chars: list[Char], shown: _View, unseen: int
    ) -> Literal["text", "scan", "empty"]:
        found = self._found
        covered = sum(_overlap(box, shown.crop) for _, box in found.images) / shown.area
        if chars and not (covered >= _MOST_OF_PAGE and unseen > len(chars)):
            return "text"
        drawn = found.curves >= _DRAWN_LETTERS
        return "scan" if covered >= _LARGE_IMAGE or drawn or chars else "empty"


_CHUNK: Final = 2048
_RECTS = (c.FS_RECTF * _CHUNK)()
_RECT_REFS = [ctypes.byref(rect) for rect in _RECTS]
_MATRICES = (c.FS_MATRIX * _CHUNK)()
_MATRIX_REFS = [ctypes.byref(matrix) for matrix in _MATRICES]


def _array(kind: Any) -> tuple[Any, list[Any]]:
    """Numbers for pdfium to fill in, and what to hand it for each."""
    array = (kind * _CHUNK)()
    return array, [(kind * 1).from_buffer(array, 4 * at) for at in range(_CHUNK)]


_SHADES, _SHADE_REFS = zip(*(_array(ctypes.c_uint) for _ in range(4)), strict=True)
_SIDES, _SIDE_REFS = zip(*(_array(ctypes.c_float) for _ in range(4)), strict=True)
_MODES, _MODE_REFS = zip(*(_array(ctypes.c_int) for _ in range(2)), strict=True)


def _numbers(array: Any, count: int, kind: Literal["f", "I"]) -> list[Any]:
    """The first numbers of an array, all at once."""
    return memoryview(array).cast("B")[: 4 * count].cast(kind).tolist()


def _characters(
    text_page: Any, shown: _View, unseen: frozenset[int]
) -> tuple[list[Char], int, int]:
    chars: list[Char] = []
    hidden = 0
    text = _text_of(text_page)
    visible = [at for at, letter in enumerate(text) if letter not in _SPACES]
    if unseen:
        owners = map(c.FPDFText_GetTextObject, repeat(text_page), visible)
        seen = [
            at
            for at, owner in zip(visible, owners, strict=True)
            if not owner or ctypes.addressof(owner.contents) not in unseen
        ]
        hidden, visible = len(visible) - len(seen), seen
    letters = [text[at] for at in visible]
    unknown = _unnamed(text_page, visible, letters)
    for first in range(0, len(visible), _CHUNK):
        places = visible[first : first + _CHUNK]
        list(map(c.FPDFText_GetLooseCharBox, repeat(text_page), places, _RECT_REFS))
        boxes = shown.all_edges(_numbers(_RECTS, 4 * len(places), "f"))
        named = zip(letters[first : first + _CHUNK], *boxes, strict=True)
        chars += map(tuple.__new__, repeat(Char), named)
    if any(map(shown.is_cut, chars)):
        kept = [char for char in chars if not shown.is_cut(char)]
        hidden, chars = hidden + len(chars) - len(kept), kept
    return chars, unknown, hidden


def _unnamed(text_page: Any, places: list[int], letters: list[str]) -> int:
    """Put a sign for letters that their font does not name, and say how many there are.

    A number is always asked about, any other letter once: where a font names none of its glyphs,
    pdfium gives their numbers, and those may look like anything.
    """
    known: set[str] = set()
    doubtful = [
        at
        for at, letter in enumerate(letters)
        if letter < _FIRST_HAN or not (letter in known or known.add(letter))  # type: ignore[func-returns-value]
    ]
    said = map(c.FPDFText_HasUnicodeMapError, repeat(text_page), [places[at] for at in doubtful])
    unknown = 0
    for at, error in zip(doubtful, said, strict=True):
        letter = letters[at]
        if error == 1 or letter < " ":
            hyphen = letter in _HYPHENS and error != 1
            letters[at] = "-" if hyphen else UNKNOWN
            unknown += not hyphen
    return unknown


def _text_of(text_page: Any) -> str:
    """A character for each of the page's, in one call where none is left out or takes two."""
    count = c.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    if c.FPDFText_GetText(text_page, 0, count, buffer) == count + 1:
        text = bytes(buffer)[:-2].decode("utf-16-le", "surrogatepass")
        if len(text) == count:
            return text
    return "".join(map(chr, map(c.FPDFText_GetUnicode, repeat(text_page), range(count))))


_FIRST_HAN = "\u2e80"
_SPACES = frozenset("\t\n\r \xa0\u3000\u200b\ufeff")
_HYPHENS = frozenset("\x02")  # what pdfium says in place of a hyphen at the end of a line


class _View:
    """From a page's own coordinates to those of the page as displayed, `turn` quarters round."""

    def __init__(self, crop: Box, turn: int) -> None:
        self.crop, self._turn = crop, turn
        wide, high = crop.right - crop.left, crop.top - crop.bottom
        self.width, self.height = (high, wide) if turn % 2 else (wide, high)
        self.area = max(wide * high, 1.0)
        self._twice_wide, self._twice_high = 2 * self.width, 2 * self.height

    def is_cut(self, char: Char) -> bool:
        """Does the middle of a letter stand off the page?"""
        _, left, top, right, bottom = char
        return not (0 <= left + right <= self._twice_wide and 0 <= top + bottom <= self._twice_high)

    def all_edges(self, numbers: list[float]) -> tuple[list[float], ...]:
        """Left, top, right and bottom of many boxes as displayed; each is four numbers."""
        left, top, right, bottom = (numbers[at::4] for at in range(4))
        crop = self.crop
        if self._turn == 0:
            columns = (left, crop.left, 1), (top, crop.top, -1), (right, crop.left, 1)
            rest = (bottom, crop.top, -1)
        elif self._turn == 1:
            columns = (bottom, crop.bottom, 1), (left, crop.left, 1), (top, crop.bottom, 1)
            rest = (right, crop.left, 1)
        elif self._turn == 2:
            columns = (right, crop.right, -1), (bottom, crop.bottom, 1), (left, crop.right, -1)
            rest = (top, crop.bottom, 1)
        else:
            columns = (top, crop.top, -1), (right, crop.right, -1), (bottom, crop.top, -1)
            rest = (left, crop.right, -1)
        return tuple(
            [x - zero for x in values] if sign > 0 else [zero - x for x in values]
            for values, zero, sign in (*columns, rest)
        )

    def box(self, box: Box) -> Box:
        left, top, right, bottom = self.all_edges([*box])
        return Box(left[0], top[0], right[0], bottom[0])


def _objects(page: Any) -> list[Any]:
    return list(map(c.FPDFPage_GetObject, repeat(page), range(c.FPDFPage_CountObjects(page))))


def _product(one: Matrix, other: Matrix) -> Matrix:
    """First one, then the other."""
    if other is _PLAIN:
        return one
    a, b, k, d, e, f = one
    m = other
    return (
        a * m[0] + b * m[2],
        a * m[1] + b * m[3],
        k * m[0] + d * m[2],
        k * m[1] + d * m[3],
        e * m[0] + f * m[2] + m[4],
        e * m[1] + f * m[3] + m[5],
    )


def _moved(point: tuple[float, float], matrix: Matrix) -> tuple[float, float]:
    x, y = point
    a, b, k, d, e, f = matrix
    return a * x + k * y + e, b * x + d * y + f


def _carried(box: Box, outer: Matrix) -> Box:
    """A box within a form, as it stands on the page."""
    if outer is _PLAIN:
        return box
    left, top, right, bottom = box
    corners = [_moved((x, y), outer) for x in (left, right) for y in (top, bottom)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), max(ys), max(xs), min(ys))


def _thinned(box: Box) -> Box:
    """A stroke without its width, by which pdfium widens its bounds on every side: a thick border
    is a line, a stroke aslant is none.
    """
    left, top, right, bottom = box
    wide, high = right - left, top - bottom
    if high <= min(2 * _THICKEST, wide):
        middle = (top + bottom) / 2
        return Box(left + high / 2, middle, right - high / 2, middle)
    if wide <= min(2 * _THICKEST, high):
        middle = (left + right) / 2
        return Box(middle, top - wide / 2, middle, bottom + wide / 2)
    return box


def _is_rectangle(points: list[tuple[float, float]]) -> bool:
    """Four or five points, every side level or upright."""
    if not 4 <= len(points) <= 6:
        return False
    sides = pairwise(points)
    return all(abs(x0 - x1) < 0.1 or abs(y0 - y1) < 0.1 for (x0, y0), (x1, y1) in sides) and (
        len({round(x) for x, _ in points}) <= 2 or len({round(y) for _, y in points}) <= 2
    )


def _within(inner: Box, outer: Box) -> bool:
    """Does the middle of one box stand in the other? Both with y upwards."""
    x, y = (inner.left + inner.right) / 2, (inner.top + inner.bottom) / 2
    return outer.left <= x <= outer.right and outer.bottom <= y <= outer.top


def _overlap(box: Box, crop: Box) -> float:
    wide = min(box.right, crop.right) - max(box.left, crop.left)
    high = min(box.top, crop.top) - max(box.bottom, crop.bottom)
    return max(wide, 0.0) * max(high, 0.0)
