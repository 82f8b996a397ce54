"""Which captures of reports may leave as they are, bytes and all; why the others may not.

Bytes cannot be masked: that breaks their digests. So a capture stays where anything in it is
withdrawn or is a number of a person, and where nobody could look: a file that was never read.
"""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.asof import AsOf
from storage.capture.warc import locate, read_record
from storage.care.leaving import personal_in
from storage.care.withdrawals import withdrawn_addresses
from storage.exports.source import Selection
from storage.readings.facts import load_reading
from storage.schema import (
    captures,
    observations,
    organs,
    readings,
    reports,
    versions,
    warc_files,
    withdrawn_versions,
)

WITHDRAWN, PERSONAL = "captures of what is withdrawn", "captures with numbers of persons"
UNSEEN = "captures of files that nobody could look into"
ORPHANS = "captures whose payload does not leave"

# What does not end a word: of HTML, and of the runs that a Word file tears its text into.
_INLINE = re.compile(
    rb"</?(?:a|b|i|u|s|em|strong|font|span|wbr|sup|sub|o:p"
    rb"|w:(?!p\b|tc\b|tr\b|tbl\b|br\b|tab\b)[a-z]+)\b[^>]*>",
    re.I,
)
_TAG = re.compile(r"<[^>]*>")
_MOST = 1 << 26
# Rows of the database that are held at once.
_HELD = 1000
_OLE, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Sight:
    """A version seen in a capture, and where its bytes lie. `why`: what keeps it here."""

    portal: str
    year: int
    capture_id: int
    version_id: int
    part: str
    title: str
    url: str
    fetched_at: datetime
    payload_digest: str
    record_id: str
    revisit_of: int | None
    file: str
    offset: int
    length: int
    why: str = ""


class Door:
    """Tells which captures may leave. It remembers what it was asked of a version."""

    def __init__(self, connection: sa.Connection, directory: Path) -> None:
        self._connection = connection
        self._directory = directory
        self._withdrawn = withdrawn_addresses(connection)
        self._payloads = frozenset(connection.execute(_withdrawn_payloads()).scalars())
        self._versions: dict[int, str] = {}

    def why_not(self, sight: Sight) -> str:
        """What keeps a capture here; empty where nothing does. Raises WarcNotReadable."""
        if sight.payload_digest in self._payloads or sight.url in self._withdrawn:
            return WITHDRAWN
        if sight.version_id not in self._versions:
            self._versions[sight.version_id] = self._of_version(sight)
        if why := self._versions[sight.version_id]:
            return why
        headers, head, body = read_record(locate(self._directory, sight.file), sight.offset)
        if personal_in([sight.url, *headers.values(), head.decode("latin-1")]):
            return PERSONAL
        texts = texts_of(head, body)
        if texts is None:
            return UNSEEN
        return PERSONAL if personal_in(texts) else ""

    def _of_version(self, sight: Sight) -> str:
        v, r = versions.c, readings.c
        row = self._connection.execute(
            sa.select(v.name, v.title, v.source).where(v.id == sight.version_id)
        ).one()
        read = self._connection.execute(sa.select(r.id).where(r.version_id == sight.version_id))
        found = list(read.scalars())
        if not found and sight.part != "page":
            return UNSEEN
        told = [tuple(row), *(_said(load_reading(self._connection, each)) for each in found)]
        return PERSONAL if personal_in(told) else ""


def sights(connection: sa.Connection, wanted: Selection) -> Iterator[Sight]:
    """Every capture of the reports that are wanted, by portal, year and time, each once.

    Of what was withdrawn as well, with the reason why it does not leave.
    """
    hidden = sa.select(withdrawn_versions.c.version_id)
    query = _sights(wanted.as_of).add_columns(versions.c.id.in_(hidden).label("hidden"))
    o = organs.c
    for column, value in ((o.id, wanted.organ_id), (reports.c.year, wanted.year)):
        query = query if value is None else query.where(column == value)
    if wanted.portal is not None:
        query = query.where(o.portal == wanted.portal)
    if wanted.division is not None:
        query = query.where(o.division_code.startswith(wanted.division, autoescape=True))
    held: dict[int, Sight] = {}
    where: tuple[str, int] | None = None
    for row in connection.execute(query.execution_options(yield_per=_HELD)):
        if (row.portal, row.year) != where:
            yield from held.values()
            held, where = {}, (row.portal, row.year)
        sight = Sight(*row[:-1])
        if row.hidden:
            sight = replace(sight, why=WITHDRAWN)
        # A bundle of files is one capture of several versions: what keeps one keeps all.
        if sight.capture_id not in held or sight.why:
            held[sight.capture_id] = sight
    yield from held.values()


def capture(connection: sa.Connection, sight: Sight) -> Sight | None:
    """The capture that holds the payload of a revisit, with what is known of the revisit."""
    c = captures.c
    query = (
        sa.select(c.id, c.url, c.fetched_at, c.payload_digest, c.record_id)
        .add_columns(warc_files.c.name, c.warc_offset, c.warc_length)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .where(c.id == sight.revisit_of)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Sight(
        sight.portal,
        sight.year,
        row.id,
        sight.version_id,
        "",
        "",
        row.url,
        row.fetched_at,
        row.payload_digest,
        row.record_id,
        None,
        row.name,
        row.warc_offset,
        row.warc_length,
    )


def texts_of(head: bytes, body: bytes) -> list[str] | None:
    """Every text that can be found in an answer; None where it cannot be looked into."""
    coding = re.search(rb"(?im)^content-encoding:[ \t]*([^\r\n]*?)[ \t]*\r?$", head)
    plain = _decoded(body, coding[1].lower() if coding else b"")
    if plain is None:
        return None
    if plain.startswith(_ZIP):
        return _members(plain)
    if plain.startswith(_OLE):
        return [plain.decode(how, "replace") for how in ("utf-16-le", "gb18030")]
    return _marked(plain)


def _decoded(body: bytes, coding: bytes) -> bytes | None:
    """The content of a body, decompressed within bounds."""
    if coding in (b"", b"identity"):
        return body
    if coding not in (b"gzip", b"x-gzip", b"deflate"):
        return None
    try:
        opened = zlib.decompressobj(zlib.MAX_WBITS | 32)
        content = opened.decompress(body, _MOST)
    except zlib.error:
        return None
    return None if opened.unconsumed_tail else content


def _marked(content: bytes) -> list[str]:
    """As it stands, and as a reader sees it: numbers are torn apart by tags and entities."""
    told = []
    for each in (content, _INLINE.sub(b"", content)):
        try:
            text = each.decode("utf-8")
        except UnicodeDecodeError:
            text = each.decode("gb18030", "replace")
        told += [text, html.unescape(_TAG.sub("\n", text))]
    return told


def _members(content: bytes) -> list[str] | None:
    told: list[str] = []
    room = _MOST
    try:
        with zipfile.ZipFile(BytesIO(content)) as file:
            for each in file.infolist():
                told.append(each.filename)
                if each.filename.endswith((".xml", ".rels", ".txt", ".htm", ".html")):
                    room -= each.file_size
                    if room < 0:
                        return None
                    told += _marked(file.read(each))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        return None
    return told


def _said(reading: Any) -> list[object]:
    return [
        reading.body_title,
        reading.sections,
        [cell.raw for cell in reading.cells],
        [(each.block, each.label, each.raw) for each in reading.indicators],
        [grid.rows for grid in reading.grids if grid.rows],
        [(each.message, each.message_zh) for each in reading.findings],
    ]


def _withdrawn_payloads() -> sa.Select[Any]:
    o = observations.c
    return (
        sa.select(captures.c.payload_digest)
        .join(observations, o.capture_id == captures.c.id)
        .join(withdrawn_versions, withdrawn_versions.c.version_id == o.version_id)
        .distinct()
    )


def _sights(as_of: AsOf | None) -> sa.Select[Any]:
    v, c, o = versions.c, captures.c, observations.c
    query = (
        sa.select(organs.c.portal, reports.c.year, c.id, v.id.label("version_id"), v.part, v.title)
        .add_columns(c.url, c.fetched_at, c.payload_digest, c.record_id, c.revisit_of)
        .add_columns(warc_files.c.name, c.warc_offset, c.warc_length)
        .select_from(observations)
        .join(versions, v.id == o.version_id)
        .join(reports, reports.c.id == v.report_id)
        .join(organs, organs.c.id == reports.c.organ_id)
        .join(captures, c.id == o.capture_id)
        .join(warc_files, warc_files.c.id == c.warc_file_id)
        .order_by(organs.c.portal, reports.c.year, c.fetched_at, c.id, v.id)
    )
    return query if as_of is None else query.where(o.seen_at <= as_of.at)
