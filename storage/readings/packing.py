"""The cells of a reading packed into the columns of one `figures` row, and back, exactly.

Position i is the i-th cell of the form. The columns:

- `numbers`: JSON array, a number with the digits it was given, or null
- `states`: one character a cell (`STATES`)
- `marks`, `raws`: empty when every raw text is the plain writing of its value (`12`, or nothing at
  all); else `marks` has one character a cell, `.` for plain, or `0` + n (as code points) for the
  n-th text of the JSON array `raws`. The same odd blank a hundred times is kept once.
- `units`: JSON object, position to unit, where the cell itself carries one
- `places`: JSON array of blocks in cell order: `[grid, row, column, width, height]` for a rectangle
  read row by row, `[n]` for n cells that were not found
- `confidences`: JSON array, of the engine, where the source is an image; else NULL
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import TypeAlias, TypedDict

from storage.schema import storable

Place: TypeAlias = tuple[int, int, int]

STATES = {"number": "n", "zero": "0", "blank": "_", "dash": "-", "text": "t", "unread": "?"}
VERDICTS = {"pass": "p", "fail": "f", "holds_if_blank_is_zero": "b", "not_assessable": "n"}
_STATE_OF = {letter: state for state, letter in STATES.items()}
_VERDICT_OF = {letter: verdict for verdict, letter in VERDICTS.items()}

_PLAIN = "."
_FIRST_MARK = ord("0")
_NOTHING = "null"


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One cell as storage takes it; the fields are those of the reader's Cell."""

    table: str
    row: str
    column: str
    raw: str
    state: str
    value: Decimal | None
    unit: str | None
    place: Place | None
    confidence: float | None = None

    @property
    def path(self) -> str:
        """The cell's name across forms: `applications.granted.total`."""
        return f"{self.table}.{self.row}.{self.column}"


class Packed(TypedDict):
    """The columns of a `figures` row, apart from its key."""

    numbers: str | Sequence[int | Decimal | None]
    states: str
    marks: str
    raws: Sequence[str]
    units: dict[str, str]
    places: Sequence[Sequence[int]]
    confidences: Sequence[float | None] | None


def pack(cells: Sequence[CellRecord]) -> Packed:
    """The columns for these cells. Raises KeyError for an unknown state."""
    numbers = [_number(cell.value) for cell in cells]
    marks, raws = _pack_raws(cells, numbers)
    return Packed(
        numbers="[" + ",".join(numbers) + "]",
        states="".join([STATES[cell.state] for cell in cells]),
        marks=marks,
        raws=raws,
        units={str(i): cell.unit for i, cell in enumerate(cells) if cell.unit is not None},
        places=_pack_places([cell.place for cell in cells]),
        confidences=_pack_confidences([cell.confidence for cell in cells]),
    )


def unpack(names: Sequence[tuple[str, str, str]], packed: Packed) -> list[CellRecord]:
    """The cells again; `names` are (table, row, column) in the form's order."""
    marks, raws, units = packed["marks"], packed["raws"], packed["units"]
    columns = zip(
        names,
        packed["numbers"],
        packed["states"],
        _unpack_places(packed["places"]),
        packed["confidences"] or repeat(None, len(names)),
        strict=True,
    )
    cells = []
    for i, (name, number, letter, place, confidence) in enumerate(columns):
        assert not isinstance(number, str)
        value = None if number is None else Decimal(number)
        if not marks or marks[i] == _PLAIN:
            raw = "" if number is None else str(number)
        else:
            raw = raws[ord(marks[i]) - _FIRST_MARK]
        unit, sure = units.get(str(i)), None if confidence is None else float(confidence)
        cells.append(CellRecord(*name, raw, _STATE_OF[letter], value, unit, place, sure))
    return cells


def _pack_confidences(confidences: list[float | None]) -> list[float | None] | None:
    """Nothing where the source holds text."""
    return confidences if any(one is not None for one in confidences) else None


def pack_verdicts(verdicts: Iterable[str]) -> str:
    """One character a relation. Raises KeyError for a verdict that is none."""
    return "".join([VERDICTS[verdict] for verdict in verdicts])


def unpack_verdicts(letters: str) -> list[str]:
    """The verdicts in the order of the form's relations."""
    return [_VERDICT_OF[letter] for letter in letters]


def _number(value: Decimal | None) -> str:
    """As JSON, with every digit."""
    if value is None:
        return _NOTHING
    if not value.is_finite():
        raise ValueError(f"{value} is not a number a cell can hold")
    return format(value, "f")


def _is_plain(raw: str, number: str) -> bool:
    """Whether nothing is odd about how a cell is written: SQL writes its number the same way.

    Of the numbers only whole ones of 15 digits are sure to be written alike everywhere.
    """
    if number is _NOTHING:
        return not raw
    return raw == number and raw.isdigit() and len(raw) <= 15


def _pack_raws(cells: Sequence[CellRecord], numbers: Sequence[str]) -> tuple[str, list[str]]:
    texts: dict[str, int] = {}
    marks = [
        _PLAIN
        if _is_plain(cell.raw, number)
        else chr(_FIRST_MARK + texts.setdefault(cell.raw, len(texts)))
        for cell, number in zip(cells, numbers, strict=True)
    ]
    return ("".join(marks) if texts else ""), [storable(text) for text in texts]


def _pack_places(places: Iterable[Place | None]) -> list[list[int]]:
    blocks: list[list[int]] = []
    for run in _runs(places):
        last = blocks[-1] if blocks else []
        if len(run) == 5 and len(last) == 5 and _stands_below(run, last):
            last[4] += 1
        else:
            blocks.append(run)
    return blocks


def _runs(places: Iterable[Place | None]) -> Iterator[list[int]]:
    """Neighbours in one grid row as [grid, row, column, width, 1]; cells without place as [n]."""
    run: list[int] = []
    for place in places:
        if place is None and len(run) == 1:
            run[0] += 1
        elif place is not None and run[:2] == [*place[:2]] and run[2] + run[3] == place[2]:
            run[3] += 1
        else:
            if run:
                yield run
            run = [1] if place is None else [*place, 1, 1]
    if run:
        yield run


def _stands_below(run: list[int], block: list[int]) -> bool:
    grid, row, column, width, height = block
    return run[:4] == [grid, row + height, column, width]


def _unpack_places(blocks: Iterable[Sequence[int]]) -> Iterator[Place | None]:
    for block in blocks:
        if len(block) == 1:
            yield from [None] * block[0]
            continue
        grid, row, column, width, height = block
        for down in range(height):
            for across in range(width):
                yield (grid, row + down, column + across)
