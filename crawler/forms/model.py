"""What reading a statutory form yields: cells with states, findings, prose by section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple, Self, TypeAlias

from crawler.documents.model import Grid
from crawler.words import Remark, said

# Three levels deep for most tables, four for the items of article 20.
Tables: TypeAlias = dict[str, "Tables | int | float | str | None"]


class State(StrEnum):
    """How a cell was published. Blank, zero and dash are three things."""

    NUMBER = "number"
    ZERO = "zero"
    BLANK = "blank"
    DASH = "dash"
    TEXT = "text"
    UNREAD = "unread"


class Verdict(StrEnum):
    """Outcome of a relation; FINDING marks what is reported beside the relations."""

    PASS = "pass"
    FAIL = "fail"
    BLANK_AS_ZERO = "holds_if_blank_is_zero"
    NOT_ASSESSABLE = "not_assessable"
    FINDING = "finding"


class Cell(NamedTuple):
    """One statutory cell; a tuple, since a report has hundreds of them.

    `table` is dotted, `row` and `column` are as in the gold files (`art20.item1`, `applications`),
    `raw` is the text as published, `value` only for NUMBER and ZERO, `unit` where the cell itself
    carries one (5446.75万元), `place` where it stood: (grid ordinal, row, column) or, in flattened
    text, (-1, token index, number within the token); None for a cell that was not found (state
    UNREAD). `confidence` is that of the engine where the source is an image.
    """

    table: str
    row: str
    column: str
    raw: str
    state: State
    value: Decimal | None = None
    unit: str | None = None
    place: tuple[int, int, int] | None = None
    confidence: float | None = None

    @property
    def path(self) -> str:
        return f"{self.table}.{self.row}.{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement about the report, never a reason to change it. `cells` are paths of Cell.

    Its sentence in crawler/words.toml is that of `words` (`sum.fail`), else of the rule; `facts`
    are put into it.
    """

    rule: str
    verdict: Verdict
    cells: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    words: str = ""

    @classmethod
    def remark(cls, remark: Remark) -> Self:
        """What a reader of the source said; the rule is the part before the dot."""
        rule = remark.rule.partition(".")[0]
        return cls(rule, Verdict.FINDING, (), remark.facts, remark.rule)

    @property
    def message(self) -> str:
        return said(self.words or self.rule, self.facts).en

    @property
    def message_zh(self) -> str:
        return said(self.words or self.rule, self.facts).zh


class Indicator(NamedTuple):
    """One line of the statistics of 国办发〔2014〕32号, an open set of labels, as published.

    `key` is set for the stable indicators that crawler/forms/old.toml names; `block` is the head
    the line stands under; `unit` what the table's unit column says.
    """

    key: str | None
    block: str
    label: str
    unit: str
    raw: str
    state: State
    value: Decimal | None = None
    place: tuple[int, int, int] | None = None


class Role(StrEnum):
    """What a row of a grid was taken for."""

    ROW = "row"
    HEAD = "head"
    HEADING = "heading"
    NOTE = "note"
    UNCLAIMED = "unclaimed"


class Line(NamedTuple):
    """A row of a grid as it was taken; its first `labels` cells are labels."""

    role: Role
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A prose section; `heading` is empty for the text before the first heading."""

    heading: str
    text: str


Layout: TypeAlias = Literal["2019", "2021", "old", "unknown"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One document read by one parser version.

    `cells` stand in the form's own order and are complete: a cell the document does not show is
    there as UNREAD. `checks` holds one finding per relation of the form in the form's order
    (empty for `old` and `unknown`); `findings` everything else that wants saying. `grids` are the
    document's, `unclaimed` the ordinals of those nobody read; `engine` as in Document. `lines` (by
    ordinal and row), `joined` (cells whose text was put to that of the page before) and `used`
    (tokens of flattened text that are no prose) are what `crawler.forms.account` goes by.
    """

    layout: Layout
    body_title: str | None
    cells: tuple[Cell, ...]
    checks: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]
    indicators: tuple[Indicator, ...] = ()
    grids: tuple[Grid, ...] = ()
    unclaimed: frozenset[int] = frozenset()
    engine: str = ""
    lines: Mapping[tuple[int, int], Line] = field(default_factory=dict)
    joined: frozenset[tuple[int, int, int]] = frozenset()
    used: frozenset[int] = frozenset()
