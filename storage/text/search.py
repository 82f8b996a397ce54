"""The index of words: of each page and file that stands, what was read in it, to be found by.

One text a current version that was read. Kept up in the transaction of what it follows from
(storage.readings.standing.refresh), from texts as they may leave: a person's number is in no index.
It holds no text, so a text that changes is another entry, and the one before is dead till
`reindex`.

Derived: nothing of it is sealed, `archive reindex` makes it anew. Until that has been done once in
an archive that was there before the index, or under another rule of storage.text.folding, the index
says that it is not ready and answers nothing: half an answer looks like a whole one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from storage.care.personal import masked
from storage.errors import SearchNotReady
from storage.schema import (
    current_versions,
    grids,
    indicators,
    organs,
    readings,
    sections,
    shown_versions,
    standing,
)
from storage.text.folding import (
    RULE,
    asked_words,
    folded,
    fts5_query,
    fts5_text,
    tsquery,
    tsvectors,
)

# Not of storage.schema: an index, no rows of the archive.
search_texts = sa.table(
    "search_texts",
    *(sa.column(name, sa.BigInteger) for name in ("id", "report_id", "version_id", "reading_id")),
    sa.column("basis", sa.Text),
    sa.column("live", sa.Integer),
)
_rule = sa.table("search_index", sa.column("rule", sa.Text))

# The number of an entry sorts it: reporting year, version, and how often that was indexed before.
_VERSION_BITS, _TIMES_BITS = 28, 16
_BATCH = 200


class Text(NamedTuple):
    """What is indexed of a version that was read."""

    report_id: int
    version_id: int
    reading_id: int
    year: int
    title: str
    name: str
    body_title: str | None
    organ: str
    organ_id: int
    division_code: str
    kind: str
    state: str

    @property
    def basis(self) -> str:
        """Equal as long as the entry need not be made anew."""
        return hashlib.blake2b(repr(self).encode(), digest_size=12).hexdigest()

    @property
    def marks(self) -> tuple[str, ...]:
        """What an answer may be narrowed to, as tokens; no number of a character begins so."""
        return tuple(
            narrowed(
                division=self.division_code,
                organ_id=self.organ_id,
                year=self.year,
                kind=self.kind,
                state=self.state,
            )
        )


def narrowed(
    *,
    division: str | None = None,
    organ_id: int | None = None,
    year: int | None = None,
    kind: str | None = None,
    state: str | None = None,
) -> Iterator[str]:
    """Filters as tokens."""
    told = {"p": division, "o": organ_id, "y": year, "k": kind, "s": state}
    for letter, value in told.items():
        if value is not None:
            yield letter + "".join(each for each in str(value).lower() if each.isalnum())


_v, _s, _o, _c, _r = (
    each.c for each in (shown_versions, standing, organs, current_versions, readings)
)
_TEXTS = (
    sa.select(_v.report_id, _v.id.label("version_id"), _r.id.label("reading_id"), _s.year)
    .add_columns(_v.title, _v.name, _r.body_title, _o.name.label("organ"), _o.id.label("organ_id"))
    .add_columns(_o.division_code, _o.kind, _s.state)
    .select_from(current_versions)
    .join(shown_versions, _v.id == _c.version_id)
    .join(readings, _r.id == _c.reading_id)
    .join(standing, _s.report_id == _c.report_id)
    .join(organs, _o.id == _s.organ_id)
    .where(_s.kind == "annual")
)
_OF_REPORT = _TEXTS.where(_c.report_id == sa.bindparam("of_report"))
_KEPT = sa.select(search_texts.c.id, search_texts.c.version_id, search_texts.c.basis).where(
    search_texts.c.report_id == sa.bindparam("of_report"), search_texts.c.live == 1
)
_NEWEST = sa.select(sa.func.max(search_texts.c.id)).where(
    search_texts.c.id >= sa.bindparam("low"), search_texts.c.id < sa.bindparam("high")
)
_READY = sa.select(_rule.c.rule).where(_rule.c.rule == RULE)
_ADD = {
    "sqlite": sa.text("INSERT INTO search_words (rowid, words) VALUES (:id, :words)"),
    "postgresql": sa.text(
        "INSERT INTO search_words (text_id, words) VALUES (:id, CAST(:words AS tsvector))"
    ),
}


def refresh(connection: sa.Connection, report_id: int) -> None:
    """Bring the entries of a report up to what stands; written only where they differ."""
    if connection.execute(_READY).first() is None:
        return
    asked = {"of_report": report_id}
    kept = {row.version_id: (row.id, row.basis) for row in connection.execute(_KEPT, asked)}
    stands = [Text(*row) for row in connection.execute(_OF_REPORT, asked)]
    new = [each for each in stands if kept.get(each.version_id, (0, None))[1] != each.basis]
    fresh = {each.version_id for each in stands} - {each.version_id for each in new}
    gone = [entry for version_id, (entry, _) in kept.items() if version_id not in fresh]
    if gone:
        c = search_texts.c
        connection.execute(search_texts.update().where(c.id.in_(gone)).values(live=0))
        if connection.dialect.name == "postgresql":
            words = sa.text("DELETE FROM search_words WHERE text_id = ANY(:gone)")
            connection.execute(words, {"gone": gone})
    if new:
        _add(connection, [(_next(connection, each), each) for each in new])


def reindex(connection: sa.Connection) -> int:
    """Make the whole index anew; how many texts it has."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO search_words (search_words) VALUES ('delete-all')")
    else:
        connection.exec_driver_sql("DELETE FROM search_words")
    for table in (search_texts, _rule):
        connection.execute(table.delete())
    texts = [Text(*row) for row in connection.execute(_TEXTS.order_by(_s.year, _v.id))]
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        _add(connection, [(key(each.year, each.version_id), each) for each in batch])
    if connection.dialect.name == "sqlite":
        # One tree of words instead of many.
        connection.exec_driver_sql("INSERT INTO search_words (search_words) VALUES ('optimize')")
    connection.execute(_rule.insert(), {"rule": RULE})
    return len(texts)


def key(year: int, version_id: int) -> int:
    """The first number that an entry of the version can have; with the next year's, the last."""
    return ((year << _VERSION_BITS) + version_id) << _TIMES_BITS


def entries(
    connection: sa.Connection,
    words: str,
    marks: Sequence[str],
    below: int | None,
    limit: int,
) -> list[sa.Row[Any]]:
    """Number, version and reading of what holds all the words: the newest year first, of a year
    the newest version. A mark that ends in `*` is the beginning of one.

    Raises BadQuestion, SearchNotReady.
    """
    asked = asked_words(words)
    if connection.execute(_READY).first() is None:
        raise SearchNotReady(
            "the index of words was not made yet, or by another rule: `archive reindex` makes it"
        )
    before = key(9999, 0) if below is None else below
    if connection.dialect.name == "sqlite":
        told = {"words": fts5_query(asked, marks), "before": before, "limit": limit}
        return list(connection.execute(_ON_SQLITE, told))
    each = {f"word{i}": tsquery(word, marks) for i, word in enumerate(asked)}
    found = ", ".join(_HAVING.format(name) for name in each)
    having = " ".join(f"AND t.id IN (SELECT text_id FROM {name})" for name in each)
    query = sa.text(_ON_POSTGRESQL.format(found, having))
    connection.execute(_SCANS, {"scans": "off"})
    rows = list(connection.execute(query, {**each, "before": before, "limit": limit}))
    connection.execute(_SCANS, {"scans": "on"})
    return rows


_ON_SQLITE = sa.text(
    "SELECT t.id, t.version_id, t.reading_id "
    "FROM search_words w CROSS JOIN search_texts t ON t.id = w.rowid "
    "WHERE w.search_words MATCH :words AND w.rowid < :before AND t.live = 1 "
    "ORDER BY w.rowid DESC LIMIT :limit"
)
_ON_POSTGRESQL = (
    "WITH {} SELECT t.id, t.version_id, t.reading_id FROM search_texts t "
    "WHERE t.live = 1 AND t.id < :before {} ORDER BY t.id DESC LIMIT :limit"
)
_HAVING = (
    "{0} AS MATERIALIZED (SELECT text_id FROM search_words WHERE words @@ CAST(:{0} AS tsquery))"
)
# PostgreSQL takes a row of tokens for short, and a scan that unpacks them all for cheap.
_SCANS = sa.text("SELECT set_config('enable_seqscan', :scans, true)")


def texts_read(connection: sa.Connection, reading_ids: Sequence[int]) -> dict[int, list[str]]:
    """What was read in words, by reading: sections, lines of statistics, tables nobody claimed."""
    told: dict[int, list[str]] = defaultdict(list)
    s, i, g = sections.c, indicators.c, grids.c
    prose = sa.select(s.reading_id, s.heading, s.text).order_by(s.reading_id, s.position)
    for row in connection.execute(prose.where(s.reading_id.in_(reading_ids))):
        told[row.reading_id] += (row.heading, row.text)
    lines = sa.select(i.reading_id, i.block, i.label).order_by(i.reading_id, i.position)
    for row in connection.execute(lines.where(i.reading_id.in_(reading_ids))):
        told[row.reading_id] += (row.block, row.label)
    tables = sa.select(g.reading_id, g.rows).order_by(g.reading_id, g.ordinal)
    unclaimed = tables.where(g.reading_id.in_(reading_ids), g.rows.is_not(None))
    for reading_id, grid in connection.execute(unclaimed):
        told[reading_id] += (str(cell[0]) for line in grid for cell in line)
    return told


def _add(connection: sa.Connection, numbered: Iterable[tuple[int, Text]]) -> None:
    numbered = list(numbered)
    read = texts_read(connection, [text.reading_id for _, text in numbered])
    rows, words = [], []
    for number, text in numbered:
        rows.append(
            {
                "id": number,
                "report_id": text.report_id,
                "version_id": text.version_id,
                "reading_id": text.reading_id,
                "basis": text.basis,
                "live": 1,
            }
        )
        heads = (text.title, text.name, text.body_title or "", text.organ)
        lines = [
            folded(line)
            for each in (*heads, *read[text.reading_id])
            for line in masked(each).splitlines()
        ]
        lines = [line for line in lines if line]
        if connection.dialect.name == "sqlite":
            words.append({"id": number, "words": fts5_text(lines, text.marks)})
        else:
            words += [{"id": number, "words": each} for each in tsvectors(lines, text.marks)]
    connection.execute(search_texts.insert(), rows)
    connection.execute(_ADD[connection.dialect.name], words)


def _next(connection: sa.Connection, text: Text) -> int:
    """A number that no entry ever had: an index that holds no text cannot forget one."""
    low = key(text.year, text.version_id)
    newest = connection.execute(_NEWEST, {"low": low, "high": low + (1 << _TIMES_BITS)}).scalar()
    return low if newest is None else int(newest) + 1
