"""政府信息公开情况统计表 (国办发〔2014〕32号) → indicators: an open set of labels, every line kept.

A line is read where the head says which columns hold label, unit and value; a key is given only
where label and block leave no choice.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from crawler.documents.model import Grid, GridCell
from crawler.forms.claims import Claims
from crawler.forms.definition import common
from crawler.forms.labels import measure, name, squeeze
from crawler.forms.model import Indicator, Line, Role, State

# Fewer known labels than this are another table's words.
_FEWEST = 3
_OF_WHICH = re.compile(r".{0,8}?其中[:,、]?")
_UNIT_BEHIND = re.compile(r"\((?:单位:)?([^()]{1,4})\)$")
_NO_VALUE = frozenset((State.BLANK, State.DASH))


@dataclass(frozen=True, slots=True)
class Statistics:
    """`grids` are the ordinals that were read, `used` the tokens of flattened text."""

    indicators: tuple[Indicator, ...] = ()
    grids: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Group:
    """Which grid columns hold what: labels from `start` up to `stop`, one unit, and a value; where
    the columns from `value` up to `end` hold several, nobody says which is this report's.
    """

    start: int
    stop: int
    unit: int | None
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Words:
    """old.toml, folded: what a head means, the block and the keys (by block) a label names."""

    title: str
    heads: dict[str, str]
    blocks: dict[str, str]
    keys: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


@cache
def _words() -> _Words:
    data: dict[str, Any] = tomllib.loads(
        (Path(__file__).parent / "old.toml").read_text(encoding="utf-8")
    )
    heads = {name(word).core: kind for kind, words in data["heads"].items() for word in words}
    words = _Words(data["title"], heads, {})
    for block in data["blocks"]:
        for label in (block["label"], *block.get("variants", ())):
            words.blocks[name(label).core] = block["key"]
        for item in block["indicators"]:
            for label in (item["label"], *item.get("variants", ())):
                words.keys[name(label).core][block["key"]] = f"{block['key']}.{item['key']}"
    return words


def title() -> str:
    """What the notice calls the table."""
    return _words().title


def read_statistics(grids: Iterable[Grid], tokens: Sequence[str], claims: Claims) -> Statistics:
    """Every line of the tables of indicators among these grids or, where there is none, tokens."""
    reader = _Reader(claims)
    read = frozenset([grid.ordinal for grid in grids if reader.read(grid)])
    if read or not tokens:
        return Statistics(_unambiguous(reader.found, claims), read)
    grid, start = _from_tokens(tokens, claims)
    if grid is None or not reader.read(grid):
        return Statistics()
    found = [
        one._replace(place=(-1, start + 3 * one.place[1] + one.place[2], 0)) if one.place else one
        for one in reader.found
    ]
    used = frozenset(range(start, start + 3 * len(grid.rows)))
    return Statistics(_unambiguous(found, claims), frozenset(), used)


class _Reader:
    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._groups: tuple[_Group, ...] = ()
        self._width = 0
        self._block = ""
        self.found: list[Indicator] = []

    def read(self, grid: Grid) -> bool:
        """Add the grid's lines; False where it is no table of indicators."""
        width = max((c.column + c.colspan for row in grid.rows for c in row), default=0)
        known = len({c.text for row in grid.rows for c in row if _keys(c.text)})
        head, groups = _find_head(grid)
        goes_on = bool(self._groups) and width == self._width and known > 0
        if not groups:
            groups = self._groups if goes_on else _guess_groups(grid)
        if not groups or not (known >= _FEWEST or goes_on):
            return False
        self._groups, self._width = groups, width
        for number in range(len(grid.rows)):
            role = Role.ROW if number > head else Role.HEADING if number < head else Role.HEAD
            self._claims.taken[grid.ordinal, number] = Line(role, len(grid.rows[number]))
        rows = list(_covering(grid))
        for group in groups:
            for number in range(head + 1, len(rows)):
                self._line(grid, number, rows[number], group)
        self._say_columns(grid, head)
        return True

    def _line(self, grid: Grid, number: int, at: dict[int, GridCell], group: _Group) -> None:
        labels = list(dict.fromkeys(at[c] for c in range(group.start, group.stop) if c in at))
        own = [cell for cell in labels if cell.text.strip() and cell.row == number]
        value = at.get(group.value)
        unit = at.get(group.unit) if group.unit is not None else None
        if not own:
            if value is not None and value.text.strip() and value.row == number:
                self._claims.say("unclaimed_row", label="(no label)")
                self._take(grid, number, Role.UNCLAIMED)
            return
        label = own[-1].text
        if value is not None and value in labels:
            self._open(own[0].text)
            return
        for above in labels:
            if above is not own[-1] and above.text.strip():
                self._open(above.text)
        named = _block(label)
        opens = name(label).ordinal[:1] == "p" or named not in (None, _block(self._block))
        if opens:
            self._block = label.strip()
        raw = value.text if value is not None else ""
        printed = "" if unit is None or unit is value else unit.text.strip()
        judged = measure(raw)
        if opens and judged.state in _NO_VALUE and measure(printed).state in _NO_VALUE:
            return
        beside = [at[c] for c in range(group.value, group.end) if c in at and at[c] is not value]
        certain = value is not None and value.rowspan == 1 and value is not unit and not beside
        if value is not None and value.confidence is not None:
            certain = certain and value.confidence >= common().least_confidence
        state = judged.state if certain else State.UNREAD
        found = Indicator(
            self._key(label), self._block, label.strip(), printed or _unit_of(label), raw, state,
            judged.value if certain else None,
            (grid.ordinal, value.row, value.column) if value is not None else None,
        )  # fmt: skip
        self.found.append(found)
        self._say(found)

    def _take(self, grid: Grid, number: int, role: Role) -> None:
        self._claims.taken[grid.ordinal, number] = Line(role)

    def _open(self, text: str) -> None:
        """A head above or beside the lines: of a block, or of a group within one."""
        if not self._block or _block(text) or name(text).ordinal[:1] == "p":
            self._block = text.strip()

    def _key(self, label: str) -> str | None:
        """The key of a label in the block it stands in; without a known block, its only one."""
        keys = _keys(label)
        block = _block(self._block)
        if block is not None:
            return keys.get(block)
        return next(iter(keys.values())) if len(keys) == 1 else None

    def _say(self, found: Indicator) -> None:
        label = "".join(found.label.split())[:40]
        if found.state is State.UNREAD:
            self._claims.say("unread.indicator", label=label)
        elif found.state is State.TEXT:
            self._claims.say("text_value.indicator", label=label, raw=found.raw)
        elif found.value is not None:
            judged = measure(found.raw)
            if judged.note:
                value = str(found.value)
                self._claims.say("note_in_cell", raw=found.raw, value=value, note=judged.note)
            if judged.unit and found.unit and judged.unit != found.unit:
                self._claims.say("foreign_unit", text=found.raw, unit=found.unit)

    def _say_columns(self, grid: Grid, head: int) -> None:
        """What stands in columns that hold neither label nor unit nor value."""
        taken = {column for group in self._groups for column in range(group.start, group.stop)}
        taken |= {group.value for group in self._groups}
        taken |= {group.unit for group in self._groups if group.unit is not None}
        numbers = {
            c.column for c in (grid.rows[head] if head >= 0 else ()) if _head(c.text) == "number"
        }
        for row in grid.rows[head + 1 :]:
            for cell in row:
                if cell.column not in taken | numbers and cell.text.strip():
                    self._claims.say("unclaimed_cell", text=cell.text, label=_first(row))


def _find_head(grid: Grid) -> tuple[int, tuple[_Group, ...]]:
    """The row of column heads and what it says; -1 where there is none."""
    for number, row in enumerate(grid.rows):
        kinds = [_head(cell.text) for cell in row]
        if "label" in kinds and "value" in kinds:
            return number, tuple(_groups(row, kinds))
        if sum(bool(_keys(cell.text)) for cell in row):
            break
    return -1, ()


def _groups(row: Sequence[GridCell], kinds: Sequence[str | None]) -> Iterator[_Group]:
    """The columns of a head, cut behind each value column: two groups may stand side by side."""
    start = stop = -1
    unit: int | None = None
    ends = [
        cell.column + cell.colspan if kind == "value" else 0
        for cell, kind in zip(row, kinds, strict=True)
    ]
    for number, (cell, kind) in enumerate(zip(row, kinds, strict=True)):
        if kind in ("block", "label"):
            start = cell.column if start < 0 else start
            stop = cell.column + cell.colspan
        elif kind == "unit":
            unit = cell.column
        elif kind == "value" and start >= 0:
            others = next((i for i in range(number, len(row)) if not ends[i]), len(row))
            yield _Group(start, stop, unit, cell.column, ends[others - 1])
            start, stop, unit = -1, -1, None


def _guess_groups(grid: Grid) -> tuple[_Group, ...]:
    """Without a head: label and value, with a column between them that says nothing but units."""
    widths = Counter(len(row) for row in grid.rows if any(_keys(cell.text) for cell in row))
    width = widths.most_common(1)[0][0] if widths else 0
    rows = [row for row in grid.rows if len(row) == width]
    if width not in (2, 3) or not all(_keys(r[0].text) or not _keys(r[1].text) for r in rows):
        return ()
    values = [measure(row[-1].text).state for row in rows]
    if State.TEXT in values or (width == 3 and not all(_is_unit(row[1].text) for row in rows)):
        return ()
    return (_Group(0, 1, 1 if width == 3 else None, width - 1, width),)


def _covering(grid: Grid) -> Iterator[dict[int, GridCell]]:
    """For each row: grid column → the cell that covers it."""
    tall: list[GridCell] = []
    for number, row in enumerate(grid.rows):
        tall = [cell for cell in tall if number < cell.row + cell.rowspan]
        yield {c.column + i: c for c in (*tall, *row) for i in range(c.colspan)}
        tall += [cell for cell in row if cell.rowspan > 1]


def _from_tokens(tokens: Sequence[str], claims: Claims) -> tuple[Grid | None, int]:
    """A grid of three columns from flattened text, and the token it begins at."""
    kinds = [_head(token) if token else None for token in tokens]
    wanted = ["label", "unit", "value"]
    start = next((at for at in range(len(kinds) - 2) if kinds[at : at + 3] == wanted), -1)
    if start < 0:
        return None, -1
    rows: list[tuple[GridCell, ...]] = []
    at = start
    while at + 2 < len(tokens) and (at == start or _is_line(tokens[at : at + 3])):
        row = len(rows)
        rows.append(tuple([GridCell(tokens[at + i], row, i) for i in range(3)]))
        at += 3
    if any(_keys(token) for token in tokens[at : at + 9] if token):
        claims.say("not_recoverable", tables="statistics", titles=title())
    return Grid(-1, tuple(rows)), start


def _is_line(tokens: Sequence[str]) -> bool:
    label, unit, value = tokens
    words = bool(label) and measure(label).state is State.TEXT
    return words and _is_unit(unit) and measure(value).state is not State.TEXT


def _is_unit(text: str) -> bool:
    return squeeze(text) in common().units or measure(text).state in _NO_VALUE


def _unit_of(label: str) -> str:
    """The unit a label carries in brackets behind it."""
    found = _UNIT_BEHIND.search(squeeze(label))
    return found[1] if found and found[1] in common().units else ""


def _head(text: str) -> str | None:
    return _words().heads.get(name(text).head) if 0 < len(text) <= 20 else None


def _block(text: str) -> str | None:
    named = name(text)
    return _words().blocks.get(named.core) or _words().blocks.get(named.head)


def _keys(text: str) -> dict[str, str]:
    """The keys a label may have, by block."""
    if not text or len(text) > 80:
        return {}
    label = squeeze(text)
    within = _OF_WHICH.match(label)
    named = name(label[within.end() :] if within else label)
    keys = _words().keys
    return keys[named.core] if named.core in keys else keys.get(named.head, {})


def _first(row: Sequence[GridCell]) -> str:
    return next(("".join(c.text.split())[:40] for c in row if c.text.strip()), "(no label)")


def _unambiguous(found: list[Indicator], claims: Claims) -> tuple[Indicator, ...]:
    """A key that several lines would bear with different values is none of theirs."""
    by_key: dict[str, list[Indicator]] = defaultdict(list)
    for one in found:
        if one.key:
            by_key[one.key].append(one)
    doubtful: set[str] = set()
    for key, same in by_key.items():
        if len(same) > 1:
            differ = len({(one.state, one.value) for one in same}) > 1
            doubtful |= {key} if differ else set()
            facts = {"table": "statistics", "title": title(), "rows": f"“{same[0].label}”"}
            case = "differ" if differ else "agree"
            claims.say(f"duplicate_row.{case}", (), **facts, count=str(len(same)))
    return tuple([one._replace(key=None) if one.key in doubtful else one for one in found])
