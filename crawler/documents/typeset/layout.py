"""Pages → blocks in reading order: the text of each cell, and paragraphs of what stands around."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from crawler.documents.model import Block, Box
from crawler.documents.ruling import Lattice, Line, lattices
from crawler.documents.typeset.page import UNKNOWN, Char, Page

# All in heights of the letters around; those of paragraphs in em.
_SAME_LINE = 0.5
_SHADOW = 0.2
_DIGIT_GAP, _WORD_GAP = 0.18, 0.7
_RAISED, _SMALL = 0.2, 0.75
_TOUCHING = 0.1
_SLACK, _BORDER = 0.2, 1.0  # points
# A line this far from head and foot of a figure goes through it.
_STRUCK = 0.3
_INDENT, _RAGGED = 0.8, 2.6
_LEADING = 1.3
_BIGGER = 1.12
# A running head or foot stands within this part of the page at its edge.
_MARGIN = 0.12
_PAGE_NUMBER = re.compile(r"[-—–\s]*\d{1,4}[-—–\s]*|第?\s*\d{1,4}\s*[页/]\s*(共?\s*\d{1,4}\s*页?)?")
_NUMBERED = re.compile(r"[（(]?[一二三四五六七八九十]{1,3}[、.．)）]")
_NUMERIC = frozenset("0123456789.,０１２３４５６７８９．，")
_POINTS = frozenset(",.，．")
_AMOUNT = _NUMERIC | frozenset("万亿元")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of text outside of tables."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    page: int
    size: float  # the width of its widest letter: one em in Chinese text


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page cut into its tables and the lines around them."""

    number: int
    page: Page
    tables: list[tuple[Lattice, list[str]]]
    rows: list[_Row]


def blocks(pages: Sequence[Page]) -> Iterator[Block]:
    """Paragraphs and grids of all pages, running heads and page numbers left out."""
    sheets = [_sheet(number, page) for number, page in enumerate(pages, 1)]
    running = _running(sheets)
    ordinal = 0
    paragraph: list[_Row] = []
    for sheet in sheets:
        body = [row for row in sheet.rows if not _is_furniture(row, sheet, running)]
        margins = _margins(body)
        for item in _in_order(body, sheet.tables):
            if isinstance(item, _Row):
                if paragraph and not _continues(paragraph[-1], item, margins, sheet.page.width):
                    yield _paragraph(paragraph)
                    paragraph = []
                paragraph.append(item)
                continue
            if paragraph:
                yield _paragraph(paragraph)
                paragraph = []
            lattice, texts = item
            yield Block("table", grid=lattice.grid(texts, ordinal, sheet.number), page=sheet.number)
            ordinal += 1
    if paragraph:
        yield _paragraph(paragraph)


def _sheet(number: int, page: Page) -> _Sheet:
    tables = lattices(page.across, page.down)
    inside: list[list[list[Char]]] = [[[] for _ in table.cells] for table in tables]
    outside: list[Char] = []
    # A table within a table's cell holds its own text: the smaller ones first.
    order = sorted(range(len(tables)), key=lambda at: _area(tables[at]))
    bounds = [(at, *tables[at].bounds) for at in order]
    here, box = outside, Box(0, 0, 0, 0)  # letters come cell by cell
    for char in _doubted(page, tables):
        x, y = (char.left + char.right) / 2, (char.top + char.bottom) / 2
        if not (box.left < x < box.right and box.top < y < box.bottom):
            here, box = outside, Box(0, 0, 0, 0)
            for at, left, top, right, bottom in bounds:
                if left <= x <= right and top <= y <= bottom:
                    cell = tables[at].at(x, y)
                    if cell >= 0:
                        here, box = inside[at][cell], tables[at].box(tables[at].cells[cell])
                        break
        here.append(char)
    filled = [(table, _texts(table, chars)) for table, chars in zip(tables, inside, strict=True)]
    kept = [(table, texts) for table, texts in filled if any(texts)]
    return _Sheet(number, page, kept, list(_rows(outside, number)))


def _doubted(page: Page, tables: Sequence[Lattice]) -> list[Char]:
    """The letters of a page, figures with a line through them as doubtful ones."""
    edges = [y for table in tables for y in table.ys]
    loose = [line for line in page.across if all(abs(line.at - y) > _BORDER for y in edges)]
    if not loose:
        return page.chars
    return [
        char._replace(text=UNKNOWN + char.text)
        if char.text.isdigit() and any(_strikes(line, char) for line in loose)
        else char
        for char in page.chars
    ]


def _strikes(line: Line, char: Char) -> bool:
    share = _STRUCK * (char.bottom - char.top)
    over = line.start < (char.left + char.right) / 2 < line.end
    return over and char.top + share < line.at < char.bottom - share


def _area(table: Lattice) -> float:
    left, top, right, bottom = table.bounds
    return (right - left) * (bottom - top)


# --- cells --------------------------------------------------------------------------------------


def _texts(table: Lattice, chars: list[list[Char]]) -> list[str]:
    lines = [_cell_lines(inside) for inside in chars]
    free = -1.0
    texts: list[str] = []
    for cell, found in zip(table.cells, lines, strict=True):
        text = _line_text(found[0]) if found else ""
        for one, other in pairwise(found):
            edge = {one[-1].text, other[0].text}
            broken = edge <= _AMOUNT and bool(edge & _POINTS)  # no number begins with a comma
            if edge <= _AMOUNT and not broken:
                free = _free(table, lines) if free < 0 else free
                box = table.box(cell)
                room = box.right - box.left - 2 * free - (one[-1].right - one[0].left)
                broken = room < other[0].right - other[0].left - _SLACK
            # A number goes on in the next line where the first had no more room.
            text += ("" if broken else "\n") + _line_text(other)
        texts.append(text)
    for one_cell, other_cell in _torn(table, chars):
        texts[one_cell] += UNKNOWN
        texts[other_cell] = UNKNOWN + texts[other_cell]
    return texts


def _free(table: Lattice, lines: list[list[list[Char]]]) -> float:
    """What a table leaves free beside its letters, where they fill a cell."""
    least = float("inf")
    for cell, found in zip(table.cells, lines, strict=True):
        box = table.box(cell)
        for line in found:
            least = min(least, line[0].left - box.left, box.right - line[-1].right)
    return max(least, 0.0)


def _cell_lines(chars: list[Char]) -> list[list[Char]]:
    if len(chars) < 2:
        return [chars] if chars else []
    if lines := _in_turn(chars):
        return lines
    return list(_columns(chars)) if _is_vertical(chars) else _lines(chars)


def _in_turn(chars: list[Char]) -> list[list[Char]]:
    """The lines of letters that were drawn one after the other, line after line; else none."""
    _, _, top, right, bottom = chars[0]
    size = bottom - top
    line = [chars[0]]
    lines = [line]
    for char in chars[1:]:
        _, left, upper, end, lower = char
        if upper - top > 0.6 * size and upper > bottom - 0.4 * size:
            line = [char]
            lines.append(line)
            size = lower - upper
        elif abs(upper - top) < 0.15 * size and left > right - _SHADOW * size:
            if not 0.8 * size < lower - upper < 1.25 * size:
                return []
            line.append(char)
        else:
            return []
        top, right, bottom = upper, end, lower
    return lines


def _is_vertical(chars: list[Char]) -> bool:
    """Are the letters set downwards, in more than one column? As drawn, most follow one below."""
    below = beside = 0  # a shadow is neither
    for one, other in pairwise(chars):
        size = one.bottom - one.top
        shift = abs(other.left + other.right - one.left - one.right) / 2
        drop = (other.top + other.bottom - one.top - one.bottom) / 2
        if drop > size / 2 and shift < size / 4:
            below += 1
        elif abs(drop) < size / 4 and shift > _SHADOW * size:
            beside += 1
    return below > beside


def _columns(chars: list[Char]) -> Iterator[list[Char]]:
    """The letters of vertical text, each a line: its columns from right to left."""
    columns: list[list[Char]] = []
    for char in sorted(chars, key=lambda char: -(char.left + char.right)):
        wide = char.right - char.left
        if columns and (columns[-1][-1].left - char.left) < wide / 2:
            columns[-1].append(char)
        else:
            columns.append([char])
    for column in columns:
        yield from ([char] for char in _unshadowed(sorted(column, key=lambda c: c.top)))


def _torn(table: Lattice, chars: list[list[Char]]) -> Iterator[tuple[int, int]]:
    """Neighbours of one row between which a number runs on across the border."""
    for row in table.owners:
        for one, other in pairwise(row):
            if one != other and min(one, other) >= 0 and chars[one] and chars[other]:
                last = max(chars[one], key=lambda char: char.right)
                first = min(chars[other], key=lambda char: char.left)
                high = last.bottom - last.top
                level = abs(last.top - first.top) < _SAME_LINE * high
                if (
                    level
                    and {last.text, first.text} <= _NUMERIC
                    and first.left - last.right < _TOUCHING * high
                ):
                    yield one, other


# --- lines --------------------------------------------------------------------------------------


def _lines(chars: Iterable[Char]) -> list[list[Char]]:
    """Characters by line, from top to bottom, each from left to right, shadows left out."""
    lines: list[list[Char]] = []
    middle = 0.0
    for char in sorted(chars, key=lambda char: char.top + char.bottom):
        centre = (char.top + char.bottom) / 2
        size = char.bottom - char.top
        if lines and centre - middle < _SAME_LINE * max(size, _height(lines[-1])):
            lines[-1].append(char)
            middle += (centre - middle) / len(lines[-1])
        else:
            lines.append([char])
            middle = centre
    return [_unshadowed(sorted(line, key=lambda char: char.left)) for line in lines]


def _height(line: list[Char]) -> float:
    return line[0].bottom - line[0].top


def _unshadowed(chars: list[Char]) -> list[Char]:
    """A letter drawn twice, nearly at the same place, is one bold letter."""
    kept: list[Char] = []
    for char in chars:
        size = char.bottom - char.top
        if not any(
            char.text == other.text
            and abs(char.left - other.left) < _SHADOW * size
            and abs(char.top - other.top) < _SHADOW * size
            for other in kept[-3:]
        ):
            kept.append(char)
    return kept


def _line_text(line: list[Char]) -> str:
    """One line. A gap that no letter fills is a space; a small raised number is a note mark, in
    brackets, for 22¹ is not 221.
    """
    if len(line) == 1:
        return line[0].text
    heights = [bottom - top for _, _, top, _, bottom in line]
    tall = max(heights)
    has_small = min(heights) < _SMALL * tall
    foot = (
        max(char.bottom for char in line if char.bottom - char.top >= _SMALL * tall)
        if has_small
        else 0.0
    )
    digit_gap, word_gap = _DIGIT_GAP * tall, _WORD_GAP * tall
    parts: list[str] = []
    raised = False
    before, end = "", line[0].left
    for char in line:
        text, left, _, right, _ = char
        gap = left - end
        # Two figures in one place: one was meant to hide the other, and nobody knows which.
        if gap < 0 and -2 * gap > right - left and before.isdigit() and text.isdigit():
            parts.append(UNKNOWN)
        if gap > digit_gap and (gap > word_gap or (before.isascii() and text.isascii())):
            parts.append(" ")
        if has_small and _is_raised(char, foot, tall) != raised:
            raised = not raised
            parts.append("[" if raised else "]")
        parts.append(text)
        before, end = text, right
    if raised:
        parts.append("]")
    return "".join(parts)


def _is_raised(char: Char, foot: float, tall: float) -> bool:
    """Is this a small figure well above the foot of its line?"""
    is_small = char.bottom - char.top < _SMALL * tall
    return is_small and foot - char.bottom > _RAISED * tall and char.text.isdigit()


# --- paragraphs ---------------------------------------------------------------------------------


def _rows(chars: list[Char], page: int) -> Iterator[_Row]:
    for line in (chars and _in_turn(chars)) or _lines(chars):
        _, lefts, tops, rights, bottoms = zip(*line, strict=True)
        widest = max(map(float.__sub__, rights, lefts))
        yield _Row(
            _line_text(line), line[0].left, min(tops), max(rights), max(bottoms), page, widest
        )


def _running(sheets: list[_Sheet]) -> frozenset[tuple[str, int]]:
    """Texts that stand at one place near the edge of most pages, their numbers aside."""
    count = Counter(
        key
        for sheet in sheets
        for key in {_place(row) for row in sheet.rows if _at_edge(row, sheet)}
    )
    return frozenset(key for key, times in count.items() if times > max(1, len(sheets) // 2))


def _place(row: _Row) -> tuple[str, int]:
    return re.sub(r"\d+", "#", row.text), round(row.top / 4)


def _at_edge(row: _Row, sheet: _Sheet) -> bool:
    margin = _MARGIN * sheet.page.height
    return row.bottom < margin or row.top > sheet.page.height - margin


def _is_furniture(row: _Row, sheet: _Sheet, running: frozenset[tuple[str, int]]) -> bool:
    if not _at_edge(row, sheet):
        return False
    return _place(row) in running or bool(_PAGE_NUMBER.fullmatch(row.text))


def _margins(rows: list[_Row]) -> tuple[float, float]:
    """Where the lines of running text begin and end."""
    if not rows:
        return 0.0, 0.0
    return min(row.left for row in rows), max(row.right for row in rows)


def _in_order(
    rows: list[_Row], tables: list[tuple[Lattice, list[str]]]
) -> list[_Row | tuple[Lattice, list[str]]]:
    items: list[tuple[float, int, _Row | tuple[Lattice, list[str]]]] = []
    items += [(row.top, at, row) for at, row in enumerate(rows)]
    items += [(table[0].ys[0], len(rows) + at, table) for at, table in enumerate(tables)]
    return [item for *_, item in sorted(items, key=lambda entry: entry[:2])]


def _continues(before: _Row, row: _Row, margins: tuple[float, float], width: float) -> bool:
    """Is this line the next of a paragraph? The line before is full and this one not indented, or
    both are lines of a heading in the middle of the page.
    """
    left, right = margins
    size = min(before.size, row.size)
    if _NUMBERED.match(row.text) or max(before.size, row.size) > _BIGGER * size:
        return False
    if before.page == row.page and row.top - before.bottom > _LEADING * size:
        return False
    full = right - before.right < _RAGGED * size
    if full and row.left - left < _INDENT * size:
        return True
    centred = max(abs(line.left + line.right - width) / 2 for line in (before, row)) < size
    return centred and before.page == row.page and row.left - left >= size


def _paragraph(rows: list[_Row]) -> Block:
    text = rows[0].text
    for one, other in pairwise(rows):
        both = one.text[-1:].isascii() and other.text[:1].isascii()
        text += (" " if both else "") + other.text
    return Block("paragraph", text, page=rows[0].page)
