"""Document → Reading: which form it is, its cells, the checks on them, and the prose around."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from crawler.documents.model import Document, Grid
from crawler.forms.account import account, is_plain
from crawler.forms.arithmetic import check
from crawler.forms.claims import Claims, settle
from crawler.forms.definition import Form, common, composed, forms
from crawler.forms.flat import read_tokens
from crawler.forms.grids import is_index, read_grids
from crawler.forms.index import Index, index_of
from crawler.forms.labels import core, name
from crawler.forms.model import Finding, Reading, Verdict
from crawler.forms.prose import body_title, is_old, lines_of, sections, title_lines
from crawler.forms.statistics import Statistics, read_statistics
from crawler.forms.statistics import title as statistics_title

# Fewer row labels than this are words of prose, not a statutory table.
_FEWEST_ROWS = 3
_LONGEST_LABEL = 80
# Bounds against hostile files: no report comes near them.
_MOST_CELLS = 10_000  # of one table
_MOST_CELLS_IN_ALL = 50_000
_MOST_TOKENS = 10_000


def read(document: Document) -> Reading:
    """Read a report. Never raises for what a report says; see docs/forms.md for the findings."""
    grids = tuple([block.grid for block in document.blocks if block.grid])
    claims = Claims()
    source = _Source(document, grids, _within_bounds(grids, claims), _tokens(document))
    form = _choose(_labels(source.tables), claims) if source.tables else None
    if form is None and source.tokens:
        form = _choose({token for token in source.tokens if token}, claims)
    if form is None and source.tokens:  # lines of several cells
        form = _choose({word for token in source.tokens for word in token.split()}, claims)
    if form is None:
        return _prose(source, claims)
    return _statutory(source, form, claims)


@dataclass(frozen=True, slots=True)
class _Source:
    """A document: all its grids, the tables among them that may be read, and its tokens."""

    document: Document
    grids: tuple[Grid, ...]
    tables: tuple[Grid, ...]
    tokens: tuple[str, ...]


def _within_bounds(grids: tuple[Grid, ...], claims: Claims) -> tuple[Grid, ...]:
    """The grids a report could print; the others stay unread, and are said."""
    found: list[Grid] = []
    left = _MOST_CELLS_IN_ALL
    for grid in grids:
        cells = sum(map(len, grid.rows))
        if cells <= min(left, _MOST_CELLS):
            found.append(grid)
            left -= cells
        else:
            claims.unclaimed.add(grid.ordinal)
            claims.say("unclaimed_table", text=_begins(grid))
    return tuple(found)


def _tokens(document: Document) -> tuple[str, ...]:
    return document.tokens if len(document.tokens) <= _MOST_TOKENS else ()


def _statutory(source: _Source, form: Form, claims: Claims) -> Reading:
    document, grids, tokens = source.document, source.grids, source.tokens
    index = index_of(form)
    read_grids(source.tables, index, claims)
    absent = [table for table in form.tables if not claims.has(table.key)]
    used: frozenset[int] = frozenset()
    if absent and tokens:
        used = read_tokens(tokens, index, claims, absent)
    statistics = _annexed(source.tables, claims, form)
    cells = settle(form, claims)
    if used:
        rest = enumerate(tokens)
        lines = [token for at, token in rest if token and at not in used]
    else:
        lines = lines_of(document)
    reading = Reading(
        layout=form.name,
        body_title=body_title(title_lines(document)),
        cells=cells,
        checks=check(form, cells),
        findings=_findings(document, claims),
        sections=sections(lines),
        indicators=statistics.indicators,
        grids=grids,
        unclaimed=frozenset(claims.unclaimed),
        engine=document.engine,
        lines=claims.taken,
        joined=frozenset(claims.joined),
        used=used,
    )
    return reading if is_plain(reading) else _accounted(document, reading)


def _accounted(document: Document, reading: Reading) -> Reading:
    """The reading, with a finding for every text that has no place in it."""
    left = [one.text for one in account(document, reading) if one.kind == "unaccounted"]
    if not left:
        return reading
    said = [
        Finding("unaccounted", Verdict.FINDING, (), {"text": "".join(text.split())[:40]})
        for text in dict.fromkeys(left)
    ]
    return replace(reading, findings=(*reading.findings, *said))


def _annexed(grids: tuple[Grid, ...], claims: Claims, form: Form) -> Statistics:
    """The statistics of the old layout beside tables of a new one."""
    left = [grid for grid in grids if grid.ordinal in claims.unclaimed]
    statistics = read_statistics(left, (), claims) if left else Statistics()
    for grid in left:
        if grid.ordinal not in statistics.grids:
            claims.say("unclaimed_table", text=_begins(grid))
    claims.unclaimed -= statistics.grids
    if statistics.indicators:
        annex = statistics_title()
        facts = {"tables": "statistics", "titles": annex, "other": "old", "layout": form.name}
        claims.say("mixed_layout", (), **facts)
    return statistics


def _prose(source: _Source, claims: Claims) -> Reading:
    document, grids = source.document, source.grids
    statistics = read_statistics(source.tables, source.tokens, claims)
    if statistics.used:
        rest = enumerate(source.tokens)
        lines = [token for at, token in rest if token and at not in statistics.used]
    else:
        lines = lines_of(document, [g.ordinal for g in grids if g.ordinal not in statistics.grids])
    found = sections(lines)
    for grid in source.tables:
        if grid.ordinal not in statistics.grids and not is_index(grid):
            claims.say("unclaimed_table", text=_begins(grid))
            claims.unclaimed.add(grid.ordinal)
    reading = Reading(
        layout="old" if statistics.indicators or is_old(found) else "unknown",
        body_title=body_title(title_lines(document)),
        cells=(),
        checks=(),
        findings=_findings(document, claims),
        sections=found,
        indicators=statistics.indicators,
        grids=grids,
        unclaimed=frozenset(claims.unclaimed),
        engine=document.engine,
        lines=claims.taken,
        used=statistics.used,
    )
    return _accounted(document, reading) if grids or reading.used else reading


def _findings(document: Document, claims: Claims) -> tuple[Finding, ...]:
    """What the reader of the source said comes first."""
    return (*map(Finding.remark, document.remarks), *claims.findings)


def _begins(grid: Grid) -> str:
    return next((c.text for row in grid.rows for c in row if c.text.strip()), "")[:40]


def _labels(grids: tuple[Grid, ...]) -> set[str]:
    """The texts of all grids that may be labels."""
    return {
        cell.text
        for grid in grids
        for row in grid.rows
        for cell in row
        if 1 < len(cell.text) <= _LONGEST_LABEL
    }


def _choose(texts: set[str], claims: Claims) -> Form | None:
    """The form whose marks the texts show, as the document prints it; says whether that was a
    close call. None: no form.
    """
    names = [name(text) for text in texts if len(text) <= _LONGEST_LABEL]
    words = {named.core for named in names} | {named.head for named in names}
    ranked = sorted(forms().values(), key=lambda form: -_score(form.marks, words))
    first, second = (_score(form.marks, words) for form in ranked[:2])
    index = index_of(ranked[0])
    rows = sum(index.row(text) is not None for text in texts if len(text) <= _LONGEST_LABEL)
    if rows < _FEWEST_ROWS and first < 2:
        return None
    if first == second:
        claims.say("layout_ambiguous", layout=ranked[0].name)
    form = _mixed(ranked[0], ranked[1], words, claims) if second else ranked[0]
    return _as_printed(form, index_of(form), texts)


def _score(marks: Collection[str], words: set[str]) -> int:
    return sum(core(mark) in words for mark in marks)


def _mixed(form: Form, other: Form, words: set[str], claims: Claims) -> Form:
    """The form with those parts of the other that the document shows in place of its own."""
    parts: list[str] = []
    for keys in common().parts:
        own, foreign = (_marks(one, two, keys) for one, two in ((form, other), (other, form)))
        shown = _score(foreign, words)
        taken = shown and shown >= min(2, len(foreign)) and not _score(own, words)
        parts.append(other.name if taken else form.name)
    keys = frozenset(
        key
        for part, keys in zip(parts, common().parts, strict=True)
        if part != form.name
        for key in keys
    )
    if not keys:
        return form
    moved = [table for table in other.tables if table.key in keys]
    claims.say(
        "mixed_layout",
        tables=", ".join(table.key for table in moved),
        titles="、".join(table.title for table in moved),
        other=other.name,
        layout=form.name,
    )
    return composed(form.name, tuple(parts))


def _marks(form: Form, other: Form, keys: frozenset[str]) -> list[str]:
    """The marks that stand in these tables of a form and nowhere in the other's."""
    own, foreign = (_words(one, keys) for one in (form, other))
    return [mark for mark in form.marks if core(mark) in own - foreign]


def _words(form: Form, keys: frozenset[str]) -> set[str]:
    return {
        core(label)
        for table in form.tables
        if table.key in keys
        for named in (table.rows, table.columns)
        for item in named
        for label in (item.label, *item.variants)
    }


def _as_printed(form: Form, index: Index, texts: set[str]) -> Form:
    """The form with merged rows where the document shows the one row and none of its parts."""
    for table in form.tables:
        if table.merged and form.merged:
            named = {label.row for text in texts if (label := index.row(text))}
            parts = set(table.merged.replaces[:2])
            if not named & parts and _shows(texts, table.merged.label):
                return form.merged
    return form


def _shows(texts: set[str], label: str) -> bool:
    return any(core(label) in (name(text).core, name(text).head) for text in texts)
