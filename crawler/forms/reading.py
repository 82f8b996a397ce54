"""Document → Reading: which form it is, its cells, the checks on them, and the prose around."""

from __future__ import annotations

from crawler.documents.model import Document, Grid
from crawler.forms.arithmetic import check
from crawler.forms.claims import Claims, settle
from crawler.forms.definition import Form, forms
from crawler.forms.flat import read_tokens
from crawler.forms.grids import is_index, read_grids
from crawler.forms.index import Index, index_of
from crawler.forms.labels import core, name
from crawler.forms.model import Finding, Reading, Verdict
from crawler.forms.prose import body_title, is_old, lines_of, sections, title_lines

# Fewer row labels than this are words of prose, not a statutory table.
_FEWEST_ROWS = 3
_LONGEST_LABEL = 80


def read(document: Document) -> Reading:
    """Read a report. Never raises for what a report says; see docs/forms.md for the findings."""
    grids = [block.grid for block in document.blocks if block.grid]
    form, ambiguous = _choose(_labels(grids)) if grids else (None, False)
    if form is None and document.tokens:
        form, ambiguous = _choose({token for token in document.tokens if token})
    if form is None:
        return _prose(document, grids)
    return _statutory(document, grids, form, ambiguous)


def _statutory(document: Document, grids: list[Grid], form: Form, ambiguous: bool) -> Reading:
    claims = Claims()
    if ambiguous:
        claims.say("layout_ambiguous", layout=form.name)
    index = index_of(form)
    read_grids(grids, index, claims)
    absent = [table for table in form.tables if not claims.has(table.key)]
    used: frozenset[int] = frozenset()
    if absent and document.tokens:
        used = read_tokens(document.tokens, index, claims, absent)
    cells = settle(form, claims)
    if used:
        rest = enumerate(document.tokens)
        lines = [token for at, token in rest if token and at not in used]
    else:
        lines = lines_of(document, with_tables=False)
    return Reading(
        layout=form.name,
        body_title=body_title(title_lines(document)),
        cells=cells,
        checks=check(form, cells),
        findings=tuple(claims.findings),
        sections=sections(lines),
    )


def _prose(document: Document, grids: list[Grid]) -> Reading:
    found = sections(lines_of(document, with_tables=True))
    return Reading(
        layout="old" if is_old(found) else "unknown",
        body_title=body_title(title_lines(document)),
        cells=(),
        checks=(),
        findings=tuple(_annex(grid) for grid in grids if not is_index(grid)),
        sections=found,
    )


def _annex(grid: Grid) -> Finding:
    first = next((c.text for row in grid.rows for c in row if c.text.strip()), "")
    return Finding("unclaimed_table", Verdict.FINDING, (), {"text": first[:40]})


def _labels(grids: list[Grid]) -> set[str]:
    """The texts of all grids that may be labels."""
    return {
        cell.text
        for grid in grids
        for row in grid.rows
        for cell in row
        if 1 < len(cell.text) <= _LONGEST_LABEL
    }


def _choose(texts: set[str]) -> tuple[Form | None, bool]:
    """The form whose marks the texts show, and whether that was a close call. None: no form."""
    names = [name(text) for text in texts if len(text) <= _LONGEST_LABEL]
    words = {named.core for named in names} | {named.head for named in names}
    ranked = sorted(forms().values(), key=lambda form: -_score(form, words))
    first, second = (_score(form, words) for form in ranked[:2])
    index = index_of(ranked[0])
    rows = sum(index.row(text) is not None for text in texts if len(text) <= _LONGEST_LABEL)
    if rows < _FEWEST_ROWS and first < 2:
        return None, False
    return _as_printed(ranked[0], index, texts), first == second


def _score(form: Form, words: set[str]) -> int:
    return sum(core(mark) in words for mark in form.marks)


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
    return any(name(text).core == core(label) for text in texts)
