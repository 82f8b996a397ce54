"""The relations a report owes to last year's, to its own copies, its prose and the calendar.

`assess` is pure: the caller hands in readings (cells corrected by a person among them) and stores
what it answers. The relations within a table are those of `arithmetic`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from crawler.forms.likeness import own_words, shared, signature, similar
from crawler.forms.model import Cell, Finding, Layout, Reading, State, Verdict
from crawler.forms.relations import (
    NUMBERS,
    AcrossYears,
    Cells,
    Sum,
    Term,
    add,
    broken,
    deadline,
    label_of,
    plain,
    relations,
    span,
    table_of,
    unit_of,
)
from crawler.forms.statements import Claim, claims, fee_cell, fee_words


@dataclass(frozen=True)
class Organ:
    """`kind` is government, office, department or township; `division_code` six digits (GB/T 2260),
    empty where unknown.
    """

    name: str
    kind: str
    division_code: str


@dataclass(frozen=True)
class Copy:
    """One official copy of a report: its page or an attachment, by `name`. `published` is ISO to
    the precision shown (2020-03, 2020-03-06 14:38). `corrected` are the cells a person reads
    otherwise: all relations take them but D1, which holds what was published against each other.
    """

    reading: Reading
    year: int
    published: str | None
    name: str
    corrected: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A report as it is to be assessed. `copies` are this year's, at least one, the one that
    stands for the report first; `last` is the one that stands for the year before; `others` the
    prose signatures of other organs' reports for this year, by the organ's name.
    """

    organ: Organ
    year: int
    copies: tuple[Copy, ...]
    last: Copy | None = None
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def reading(self) -> Reading:
        return self.copies[0].reading

    @property
    def before(self) -> Reading | None:
        """Last year's reading: None where there is none, or it is of another year."""
        return self.last.reading if self.last and self.last.year == self.year - 1 else None


def assess(subject: Subject) -> tuple[Finding, ...]:
    """What X1 to X3, P1, D1, S1 to S3, T1 and C1 say of a report, in this order; those that pass
    or cannot be assessed among them.
    """
    published = _by_path(subject.reading)
    now = {**published, **{cell.path: cell for cell in subject.copies[0].corrected}}
    last = _by_path(subject.before) if subject.before else {}
    if last and subject.last:
        last = {**last, **{cell.path: cell for cell in subject.last.corrected}}
    return (
        *_years(subject, now, last),
        *_prose(subject, now),
        *_copies(subject, published),
        _regulations(subject, now),
        *_counts(subject, now, last),
        _fee(subject, now),
        _published(subject),
        *_likeness(subject),
    )


def _by_path(reading: Reading) -> Cells:
    return {cell.path: cell for cell in reading.cells}


# --- X1 to X3 -----------------------------------------------------------------------------------


def _years(subject: Subject, now: Cells, last: Cells) -> Iterator[Finding]:
    facts = {"year": str(subject.year), "last": str(subject.year - 1)}
    for relation in relations().years:
        reading, before = subject.reading, subject.before
        allowed = relation.layouts or {"2019", "2021"}
        if reading.layout not in allowed:
            yield _cannot(relation.rule, "across.layout", {"layout": reading.layout})
        elif before is None:
            yield _cannot(relation.rule, "across.no_last", facts)
        elif before.layout not in allowed:
            yield _cannot(relation.rule, "across.last_layout", facts | {"layout": before.layout})
        else:
            yield from _lines(relation, subject, now, last)


def _lines(relation: AcrossYears, subject: Subject, now: Cells, last: Cells) -> Iterator[Finding]:
    year = subject.year - 1

    def term(key: str, table: str, line: str) -> Term:
        sign = -1 if key.startswith("-") else 1
        name = key.removeprefix("-").removeprefix("last.")
        pair = (name, line) if relation.each == "column" else (line, name)
        path = ".".join((table, *pair))
        if "last." in key:
            return Term(f"{year}:{path}", last.get(path), sign)
        return Term(path, now.get(path), sign)

    for key in relation.tables:
        table = table_of(subject.reading.layout, key)
        assert table is not None, f"{relation.rule} names a table its layout lacks"
        for line in table.columns if relation.each == "column" else table.rows:
            left = [term(relation.left, key, line.key)]
            right = [term(name, key, line.key) for name in relation.right]
            facts = {"label": line.label, "last": str(year)}
            yield _balance(relation.rule, left, right, facts)


def _balance(
    rule: str, left: Sequence[Term], right: Sequence[Term], facts: dict[str, str]
) -> Finding:
    """Whether two sums are one, with the four verdicts of a relation."""
    paths = tuple([term.path for term in (*left, *right)])
    have, want = add(left), add(right)
    verdict, words = Verdict.NOT_ASSESSABLE, "across.no_number"
    if have.value is not None and want.value is not None:
        facts |= {"have": have.text, "want": want.text, "sum": _written(right)}
        if not have.numbers + want.numbers:
            words = "sum.blank"
        elif have.value != want.value:
            verdict, words = broken(rule), f"{rule}.fail"
        else:
            blank = have.blanks + want.blanks
            verdict, words = (Verdict.BLANK_AS_ZERO if blank else Verdict.PASS), "sum.holds"
    return Finding(rule, verdict, paths, facts, words)


def _written(terms: Sequence[Term]) -> str:
    """The sum as one would write it: 8 + 3 − 0."""
    values = [(term.cell and term.cell.value) or Decimal(0) for term in terms]
    parts = [
        f" {'−' if term.sign < 0 else '+'} {plain(value)}"
        for term, value in zip(terms, values, strict=True)
    ]
    return "".join(parts).removeprefix(" + ")


def _cannot(rule: str, words: str, facts: Mapping[str, str] | None = None) -> Finding:
    return Finding(rule, Verdict.NOT_ASSESSABLE, (), {"rule": rule} | dict(facts or {}), words)


# --- P1 -----------------------------------------------------------------------------------------


def _prose(subject: Subject, now: Cells) -> Iterator[Finding]:
    """A finding for each figure of the prose. Where one is said more than once (for the organ, for
    the place), one that agrees settles the others.
    """
    reading = subject.reading
    organ = subject.organ
    stated = claims(
        reading.sections,
        reading.layout,
        subject.year,
        organ.name,
        of_government=organ.kind == "government",
    )
    found = [(claim, _claimed(claim, subject, now)) for claim in stated]
    agreed = {c.key for c, finding in found if finding.verdict is not broken("P1")}
    kept = [f for c, f in found if c.key not in agreed or f.verdict is not broken("P1")]
    yield from kept or [_cannot("P1", "P1.none")]


def _claimed(claim: Claim, subject: Subject, now: Cells) -> Finding:
    """Whether the figure is one of the sums it may be; the cells are those of the first sum."""
    layout = subject.reading.layout
    sums = [_terms(paths, now) for paths in claim.sums]
    first = sums[0]
    facts = {"quote": claim.quote}
    cells = tuple([term.path for term in first])
    labels = [label_of(layout, term.cell) for term in first if term.cell]
    if not labels:
        return Finding("P1", Verdict.NOT_ASSESSABLE, cells, facts, "P1.unread")
    facts["label"] = labels[0] if len(labels) == 1 else f"{labels[0]}…{labels[-1]}"
    if claim.money:
        added = [_in_yuan(terms, layout) for terms in sums]
    else:
        added = [add(terms) for terms in sums]
    for each in added:
        if each.value is not None and _agrees(claim, each.value):
            verdict = Verdict.BLANK_AS_ZERO if each.blanks else Verdict.PASS
            return Finding("P1", verdict, cells, facts, "P1.holds")
    if any(each.value is None for each in added):
        return Finding("P1", Verdict.NOT_ASSESSABLE, cells, facts, "P1.unread")
    facts["have"] = add(first).text
    return Finding("P1", broken("P1"), cells, facts, "P1.fail")


def _agrees(claim: Claim, value: Decimal) -> bool:
    return value == claim.value or abs(value - claim.value) < claim.within


def _terms(paths: Sequence[str], now: Cells) -> list[Term]:
    return [Term(path, now.get(path)) for path in paths]


def _in_yuan(terms: Sequence[Term], layout: Layout) -> Sum:
    """The sum in 元; no value where a cell's unit is unknown."""
    worth = [
        term._replace(cell=term.cell._replace(value=yuan))
        for term in terms
        if term.cell and (yuan := _yuan(term.cell, layout)) is not None
    ]
    blanks = [term for term in terms if term.cell and term.cell.state is State.BLANK]
    return add([*worth, *blanks]) if len(worth) + len(blanks) == len(terms) else Sum(None, 0, 0)


def _yuan(cell: Cell, layout: Layout) -> Decimal | None:
    """A sum of money in 元; None for what is no number or of a unit nobody named."""
    unit = cell.unit or unit_of(layout, cell.table, cell.column)
    worth = relations().money.get(unit or "")
    return None if cell.value is None or worth is None else cell.value * worth


# --- D1 -----------------------------------------------------------------------------------------


def _copies(subject: Subject, now: Cells) -> Iterator[Finding]:
    """The copy that stands for the report against each other one."""
    if len(subject.copies) < 2:
        yield _cannot("D1", "D1.alone")
    for copy in subject.copies[1:]:
        yield from _against(subject, now, copy)


def _against(subject: Subject, now: Cells, copy: Copy) -> Iterator[Finding]:
    reading = subject.reading
    facts = {"name": copy.name}
    compared = blank = 0
    conflicts: list[tuple[Cell, Cell]] = []
    for cell in copy.reading.cells:
        own = now.get(cell.path)
        same = _same(own, cell, reading.layout, copy.reading.layout) if own else None
        if own is None or same is None:
            continue
        compared += 1
        if same is Verdict.FAIL:
            conflicts.append((own, cell))
        blank += same is Verdict.BLANK_AS_ZERO
    facts["count"] = str(len(conflicts) or compared)
    if len(conflicts) > relations().most_conflicts:
        paths = tuple([path for own, _ in conflicts for path in _pair(own, copy)])
        yield Finding("D1", broken("D1"), paths, facts | {"of": str(compared)}, "D1.many")
    elif conflicts:
        for own, cell in conflicts:
            said = {
                "name": copy.name,
                "label": label_of(reading.layout, own),
                "have": own.raw.strip() or "—",
                "want": cell.raw.strip() or "—",
            }
            yield Finding("D1", broken("D1"), _pair(own, copy), said, "D1.fail")
    elif not compared:
        yield Finding("D1", Verdict.NOT_ASSESSABLE, (), facts, "D1.nothing")
    elif blank:
        yield Finding("D1", Verdict.BLANK_AS_ZERO, (), facts | {"blank": str(blank)}, "D1.blank")
    else:
        yield Finding("D1", Verdict.PASS, (), facts, "D1.agree")


def _pair(cell: Cell, copy: Copy) -> tuple[str, str]:
    return cell.path, f"{copy.name}:{cell.path}"


def _same(one: Cell, other: Cell, layout: Layout, its_layout: Layout) -> Verdict | None:
    """Pass, fail or holds if blank (or a dash) is 0; None where the two cannot be compared: one of
    them is unread, words stand against a figure, or only one names its unit.
    """
    if one.state in NUMBERS and one[4:7] == other[4:7]:
        return Verdict.PASS
    states = {one.state, other.state}
    if State.UNREAD in states:
        return None
    if states <= NUMBERS:
        yuan = _yuan(one, layout), _yuan(other, its_layout)
        if None not in yuan:
            return Verdict.PASS if yuan[0] == yuan[1] else Verdict.FAIL
        if one.value == other.value:
            return Verdict.PASS
        return None if {one.unit, other.unit} & relations().money.keys() else Verdict.FAIL
    if len(states) == 1:
        return Verdict.PASS if one.state is not State.TEXT or _fold(one) == _fold(other) else None
    if State.TEXT in states:
        return None
    return Verdict.FAIL if State.NUMBER in states else Verdict.BLANK_AS_ZERO


def _fold(cell: Cell) -> str:
    return "".join(cell.raw.split())


# --- S1 to S3 -----------------------------------------------------------------------------------


def _regulations(subject: Subject, now: Cells) -> Finding:
    """Rules (规章) are made by provinces and cities with districts alone."""
    rule = relations().regulations
    code = subject.organ.division_code
    found = [
        cell for cell in now.values() if (cell.table, cell.row) == (rule["table"], rule["row"])
    ]
    if not found:
        return _cannot("S1", "across.layout", {"layout": subject.reading.layout})
    paths = tuple([cell.path for cell in found])
    facts = {"organ": subject.organ.name, "code": code}
    above = [cell for cell in found if cell.value is not None and cell.value > 0]
    if code and re.search(rule["division"], code):
        return Finding("S1", Verdict.PASS, paths, facts, "S1.may")
    if above:
        facts["count"] = "、".join(plain(cell.value) for cell in above if cell.value is not None)
        if not code:
            return Finding("S1", Verdict.NOT_ASSESSABLE, paths, facts, "S1.no_level")
        return Finding("S1", broken("S1"), tuple([c.path for c in above]), facts, "S1.fail")
    verdict = _of_none_above({cell.state for cell in found})
    words = "S1.unread" if verdict is Verdict.NOT_ASSESSABLE else "S1.none"
    return Finding("S1", verdict, paths, facts, words)


def _of_none_above(states: set[State]) -> Verdict:
    """The verdict on cells none of which holds a number above 0."""
    if states <= {*NUMBERS}:
        return Verdict.PASS
    return Verdict.BLANK_AS_ZERO if states <= {*NUMBERS, State.BLANK} else Verdict.NOT_ASSESSABLE


def _counts(subject: Subject, now: Cells, last: Cells) -> Iterator[Finding]:
    """Every figure that cannot be a count, and every jump from last year's."""
    odd = [finding for cell in now.values() if (finding := _odd(cell, subject.reading.layout))]
    jumps = [*_jumps(subject, now, last)]
    if odd or jumps:
        yield from odd
        yield from jumps
    elif any(cell.state in NUMBERS for cell in now.values()):
        yield Finding("S2", Verdict.PASS, (), {}, "S2.plain")
    else:
        yield _cannot("S2", "S2.nothing")


def _odd(cell: Cell, layout: Layout) -> Finding | None:
    value, rules = cell.value, relations()
    if value is None or (value >= 0 and value == value.to_integral_value()):
        return None
    if value < 0 and cell.column not in rules.signed:
        words = "S2.negative"
    elif value % 1 and cell.column not in rules.decimals:
        words = "S2.fraction"
    else:
        return None
    facts = {"label": label_of(layout, cell), "value": plain(value)}
    return Finding("S2", broken("S2"), (cell.path,), facts, words)


def _jumps(subject: Subject, now: Cells, last: Cells) -> Iterator[Finding]:
    rules, before = relations().jumps, subject.before
    if before is None:
        return
    same = rules.same_layout if before.layout == subject.reading.layout else ()
    for path in (*rules.any_layout, *same):
        one, other = last.get(path), now.get(path)
        if one is None or other is None or one.value is None or other.value is None:
            continue
        low, high = sorted((one.value, other.value))
        if (
            low > 0
            and low * rules.factor <= high
            and rules.least <= high
            and one.unit == other.unit
        ):
            facts = {
                "label": label_of(subject.reading.layout, other),
                "last": str(subject.year - 1),
                "before": plain(one.value),
                "value": plain(other.value),
            }
            cells = (path, f"{subject.year - 1}:{path}")
            yield Finding("S2", broken("S2"), cells, facts, "S2.jump")


def _fee(subject: Subject, now: Cells) -> Finding:
    """Does section six keep silent about a fee that the report shows elsewhere?"""
    said = fee_words(subject.reading.sections)
    cell = now.get(fee_cell())
    if said is None:
        return _cannot("S3", "S3.no_section")
    if said.amount and (said.none or said.nothing):
        return Finding("S3", broken("S3"), (), {"quote": said.amount}, "S3.elsewhere")
    if not said.nothing or cell is None:
        return Finding("S3", Verdict.PASS, (), {}, "S3.agree")
    if cell.value is not None and cell.value > 0:
        return Finding("S3", broken("S3"), (cell.path,), {"value": plain(cell.value)}, "S3.fee")
    verdict = _of_none_above({cell.state})
    words = "S3.unread" if verdict is Verdict.NOT_ASSESSABLE else "S3.agree"
    return Finding("S3", verdict, (cell.path,), {}, words)


# --- T1 -----------------------------------------------------------------------------------------


def _published(subject: Subject) -> Finding:
    """Whether the first copy that is dated came out by the deadline of such an organ."""
    days = deadline(subject.organ.kind, subject.year)
    dated = [copy.published for copy in subject.copies if copy.published]
    spans = {published: when for published in dated if (when := span(published))}
    facts = {"organ": subject.organ.name, "year": str(subject.year)}
    if not days:
        return Finding("T1", Verdict.NOT_ASSESSABLE, (), facts, "T1.unnamed")
    facts["deadline"] = days[-1].isoformat()
    if not spans:
        return Finding("T1", Verdict.NOT_ASSESSABLE, (), facts, "T1.undated")
    published = min(spans, key=lambda each: spans[each])
    first, latest = spans[published]
    facts["published"] = published
    if latest <= days[0]:
        return Finding("T1", Verdict.PASS, (), facts, "T1.in_time")
    if first > days[-1]:
        return Finding("T1", broken("T1"), (), facts, "T1.late")
    return Finding("T1", Verdict.NOT_ASSESSABLE, (), facts, "T1.unsure")


# --- C1 -----------------------------------------------------------------------------------------


def _likeness(subject: Subject) -> Iterator[Finding]:
    """Against last year's prose piece by piece, against other organs' by their signatures."""
    own, before = own_words(subject.reading.sections), subject.before
    limits = relations().likeness
    if not own:
        yield _cannot("C1", "C1.short")
        return
    last = own_words(before.sections) if before else ()
    if last:
        facts = {"last": str(subject.year - 1)}
        yield _alike(shared(own, last), limits.same, facts, "C1.last")
    if subject.others:
        mine = signature(subject.reading.sections)
        for name, theirs in subject.others.items():
            if theirs:
                share = similar(mine, theirs)
                yield _alike(share, limits.same_by_signature, {"organ": name}, "C1.other")
    if not last and not any(subject.others.values()):
        yield _cannot("C1", "C1.alone")


def _alike(share: float, same: float, facts: dict[str, str], words: str) -> Finding:
    facts["share"] = str(round(100 * share))
    return Finding("C1", broken("C1") if share >= same else Verdict.PASS, (), facts, words)
