"""Which reports say this, and where?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves, shown
from storage.errors import BadQuestion
from storage.schema import organs, readings
from storage.schema import shown_reports as reports
from storage.schema import shown_versions as versions
from storage.text.folding import asked_words, folded, folded_with_places
from storage.text.search import entries, key, narrowed, texts_read

# Of a text at most so many excerpts, and so many characters on either side of a word.
_EXCERPTS, _AROUND = 3, 24
MOST = 100


class Excerpt(TypedDict):
    """A stretch of a text; `hit`: it is one of the words."""

    text: str
    hit: bool


class SearchHit(TypedDict):
    """A page, or a file of it, that holds all the words; `name` is empty for a page."""

    division_code: str
    organ: str
    year: int
    part: str
    name: str
    title: str
    version_id: int
    snippets: list[list[Excerpt]]


class Found(TypedDict):
    """`after` asks for what follows; null at the end."""

    hits: list[SearchHit]
    after: tuple[int, int] | None


@leaves
def search(
    connection: sa.Connection,
    *,
    words: str,
    division: str | None = None,
    organ_id: int | None = None,
    year: int | None = None,
    kind: str | None = None,
    state: str | None = None,
    limit: int = 20,
    after: tuple[int, int] | None = None,
) -> Found:
    """What holds all the words, as it stands today: the newest reporting year first, of a year the
    version that was seen last for the first time.

    `words` are apart by spaces, or in quotes; `kind` is the organ's, `state` that of coverage,
    `limit` at most 100. Raises BadQuestion, SearchNotReady.
    """
    if not 1 <= limit <= MOST:
        raise BadQuestion(f"{limit} hits: ask for 1 to {MOST}")
    if after is not None and not (0 <= after[0] < 10_000 and 0 <= after[1] < 2**31):
        raise BadQuestion(f"no page ends at {after}: begin with the first")
    asked = asked_words(words)
    marks = [*narrowed(organ_id=organ_id, year=year, kind=kind, state=state)]
    marks += (f"{each}*" for each in narrowed(division=division))
    below = None if after is None else key(*after)
    hits: list[SearchHit] = []
    while True:
        rows = entries(connection, words, marks, below, limit + 1 - len(hits))
        hits += _hits(connection, rows, asked)
        if len(hits) > limit:
            last = hits[limit - 1]
            return Found(hits=hits[:limit], after=(last["year"], last["version_id"]))
        if not rows:
            return Found(hits=hits, after=None)
        below = rows[-1].id


def _hits(
    connection: sa.Connection, rows: Sequence[sa.Row[Any]], words: Sequence[str]
) -> Iterator[SearchHit]:
    """Those of the entries that may be shown, and whose texts as shown still hold every word."""
    v, r, o = versions.c, reports.c, organs.c
    query = (
        sa.select(v.id, v.part, v.name, v.title, r.year, o.division_code, o.name.label("organ"))
        .add_columns(readings.c.body_title)
        .select_from(versions)
        .join(reports, r.id == v.report_id)
        .join(organs, o.id == r.organ_id)
        .join(readings, readings.c.version_id == v.id)
        .where(readings.c.id.in_([row.reading_id for row in rows]))
    )
    told = {row.id: row for row in connection.execute(query)}
    read = texts_read(connection, [row.reading_id for row in rows])
    # What was read goes before the heads, which are shown anyway: excerpts are taken in this order.
    texts = {
        row.version_id: (
            *read[row.reading_id],
            *(one.body_title or "", one.title, one.name, one.organ),
        )
        for row in rows
        if (one := told.get(row.version_id)) is not None
    }
    for version_id, lines in shown(connection, texts).items():
        snippets = _snippets(lines, words)
        if snippets is None:
            continue
        one = told[version_id]
        yield SearchHit(
            division_code=one.division_code,
            organ=one.organ,
            year=one.year,
            part=one.part,
            name=one.name,
            title=one.title,
            version_id=version_id,
            snippets=snippets,
        )


def _snippets(texts: Sequence[str], words: Sequence[str]) -> list[list[Excerpt]] | None:
    """The first lines that hold a word no line before them holds, else the first that hold one;
    None where a word is in none.
    """
    missing, chosen, others = set(words), [], []
    for line in dict.fromkeys(line.strip() for text in texts for line in text.splitlines()):
        plain = folded(line)
        here = {word for word in words if word in plain}
        if here & missing:
            missing -= here
            chosen.append(line)
        elif here:
            others.append(line)
    if missing:
        return None
    return [_excerpt(line, words) for line in (chosen + others)[:_EXCERPTS]]


def _excerpt(line: str, words: Sequence[str]) -> list[Excerpt]:
    """The line around its first word, with every word in it marked."""
    plain, places = folded_with_places(line)
    marked = bytearray(len(line))
    first = len(line)
    for word in words:
        at = plain.find(word)
        while at >= 0:
            start, end = places[at], places[at + len(word) - 1] + 1
            marked[start:end] = b"\1" * (end - start)
            first = min(first, start)
            at = plain.find(word, at + 1)
    begin = max(0, first - _AROUND)
    stop = min(len(line), max(first + 2 * _AROUND, first + marked[first:].find(0) + _AROUND))
    told: list[Excerpt] = []
    for place in range(begin, stop):
        hit = bool(marked[place])
        if told and told[-1]["hit"] == hit:
            told[-1]["text"] += line[place]
        else:
            told.append(Excerpt(text=line[place], hit=hit))
    for place, cut in ((0, begin > 0), (-1, stop < len(line))):
        if cut and not told[place]["hit"]:
            text = told[place]["text"]
            told[place]["text"] = f"…{text}" if place == 0 else f"{text}…"
        elif cut:
            told.insert(0 if place == 0 else len(told), Excerpt(text="…", hit=False))
    return told
