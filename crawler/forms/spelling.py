"""Labels recognised in an image, a letter or two wrong: 尚末审结 for 尚未审结."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from crawler.documents.model import Grid, GridCell
from crawler.forms.claims import Claims
from crawler.forms.index import Index
from crawler.forms.labels import name

_SHORTEST = 3
_LONGEST = 80
# One letter in this many may be wrong, and always one.
_ONE_IN = 8
# How labels number themselves, by the first letter of `Name.ordinal`.
_ORDINALS = {"b": "（{}）", "p": "{}、", "d": "{}."}


def spelt(grid: Grid, index: Index, claims: Claims) -> Grid:
    """The grid with slips of recognition in labels put right, each said. Text that the source
    holds as text stays as it is, and so does what is as near to a second label.
    """
    first = next((cell for row in grid.rows for cell in row), None)
    if first is None or first.confidence is None:
        return grid
    rows = tuple(tuple(_spelt(cell, index, claims) for cell in row) for row in grid.rows)
    return Grid(grid.ordinal, rows, grid.page, grid.sheet, grid.xs, grid.ys)


def _spelt(cell: GridCell, index: Index, claims: Claims) -> GridCell:
    named = name(cell.text)
    if (
        cell.confidence is None
        or not _SHORTEST <= len(named.core) <= _LONGEST
        or index.is_label(cell.text)
    ):
        return cell
    label = _nearest(named.core, index.words())
    if not label:
        return cell
    claims.say("label_guessed", label="".join(cell.text.split()))
    ordinal = named.ordinal and _ORDINALS[named.ordinal[0]].format(named.ordinal[1:])
    return cell._replace(text=ordinal + label)


@lru_cache(maxsize=512)
def _nearest(core: str, words: frozenset[str]) -> str:
    """The one label that differs by no more than a slip; empty where there is none, or two."""
    allowed = max(1, len(core) // _ONE_IN)
    near = sorted(
        (slips, word)
        for word in words
        if len(word) >= _SHORTEST
        and abs(len(word) - len(core)) <= allowed
        and (slips := _slips(core, word)) <= allowed
    )
    alone = len(near) == 1 or (len(near) > 1 and near[0][0] < near[1][0])
    return near[0][1] if alone else ""


def _slips(one: str, other: str) -> int:
    """Letters to change, add or leave out."""
    return sum(
        max(i2 - i1, j2 - j1)
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, one, other).get_opcodes()
        if tag != "equal"
    )
