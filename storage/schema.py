"""The tables. SQLAlchemy Core on purpose: `import sqlalchemy.orm` costs 460 ms at the start of
every `archive` command, and an object a row costs ten times Core's insert.

A reading keeps its 200 cells in *one* row of `figures`: a row a cell costs 23.6 kB a reading on
PostgreSQL, this less than 2 kB (`python -m bench.storage`). Which cell stands at which position is
kept once a form, in `form_cells`, by content, so old readings stay readable when a form changes.
The views `cells` and `report_cells` lay the cells out again, one a row, for people who bring SQL.
docs/database.md explains every column.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

# The newest migration; a test holds it against migrations/. Kept here so that a start of `archive`
# need not import Alembic to know whether the database fits.
REVISION = "0007"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(sa.TypeDecorator[datetime]):
    """A time stamp: aware in and out, UTC in the database, on both dialects.

    SQLite keeps no zone, so without this a value would come back naive from one database only.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable(text: str) -> str:
    """Text from outside without U+0000, which PostgreSQL cannot hold; it becomes U+FFFD."""
    return text.replace("\0", "\ufffd")


class Words(sa.TypeDecorator[str]):
    """Text from outside, made `storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else storable(value)


def dumps(value: Any) -> str:
    """JSON for a `Json` column; a string is JSON already (exact decimals: readings.packing)."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


loads = partial(json.loads, parse_float=Decimal)

# `json` and not `jsonb`: it is text on both databases, so a decimal keeps the digits it was given.
Json = sa.JSON(none_as_null=True)


def _reference(target: str, *, nullable: bool = False, **options: Any) -> Column[Any]:
    name = target.partition(".")[0].removesuffix("s") + "_id"
    return Column(name, ForeignKey(target), nullable=nullable, **options)


portals = Table(
    "portals",
    metadata,
    Column("key", Text, primary_key=True),
    Column("division_code", Text, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("cms", Text, nullable=False),
    Column("government", Text, nullable=False),
)

organs = Table(
    "organs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("division_code", Text, nullable=False),
    Column("name", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("portal", ForeignKey("portals.key"), nullable=False),
    UniqueConstraint("division_code", "name"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("spider", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Words),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("software", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("config_digest", Text, nullable=False),
    Column("stats", Json),
)

starts = Table(
    "starts",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("runs.id", index=True),
    Column("started_at", Moment, nullable=False),
    Column("software", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("config_digest", Text, nullable=False),
    Column("rehearsal", sa.Boolean, nullable=False),
    # What the delays were multiplied by: 1 but in a rehearsal.
    Column("pace", sa.Float, nullable=False),
    # `all`, or `due`: what the schedule asked for. NULL before there was one.
    Column("scope", Text),
    # Since when the oldest of what was due has been waiting.
    Column("due_since", Moment),
)

# What a start promised each portal: the audit holds its attempts to this, not to today's files.
terms = Table(
    "terms",
    metadata,
    _reference("starts.id", primary_key=True),
    Column("portal", ForeignKey("portals.key"), primary_key=True),
    Column("delay_s", sa.Float, nullable=False),
    Column("opens", Text, nullable=False),
    Column("closes", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("budget", Integer, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("runs.id", index=True),
    Column("portal", ForeignKey("portals.key")),
    Column("url", Text, nullable=False, index=True),
    Column("purpose", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("size", Integer, nullable=False),
    Column("retry", Integer, nullable=False),
    Column("error", Words),
    Column("referrer", Text),
    sa.Index(None, "portal", "started_at"),
)

warc_files = Table(
    "warc_files",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("runs.id"),
    Column("name", Text, nullable=False, unique=True),
)

captures = Table(
    "captures",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("attempts.id", unique=True),
    Column("url", Text, nullable=False, index=True),
    Column("fetched_at", Moment, nullable=False),
    Column("status", Integer, nullable=False),
    Column("content_type", Words),
    Column("etag", Words),
    Column("last_modified", Words),
    Column("size", Integer, nullable=False),
    # As in WARC-Payload-Digest, letter for letter: `sha256:<hex>`.
    Column("payload_digest", Text, nullable=False, index=True),
    _reference("warc_files.id"),
    Column("warc_offset", sa.BigInteger, nullable=False),
    Column("warc_length", sa.BigInteger, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("revisit_of", ForeignKey("captures.id")),
    sa.Index(None, "fetched_at"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("organs.id"),
    Column("year", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    UniqueConstraint("organ_id", "year", "kind"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("reports.id"),
    Column("url", Text, nullable=False, index=True),
    Column("part", Text, nullable=False),
    Column("name", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("last_outcome", Text, nullable=False),
    UniqueConstraint("report_id", "url"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("reports.id"),
    Column("part", Text, nullable=False),
    Column("name", Words, nullable=False),
    Column("canonical_digest", Text, nullable=False),
    Column("canonical_rule", Text, nullable=False),
    Column("media", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("published", Text),
    Column("source", Words),
    _reference("captures.id"),
    Column("first_seen", Moment, nullable=False),
    # Moves with every observation, so that "which version is current" needs no look at them all.
    Column("last_seen", Moment, nullable=False),
    UniqueConstraint("report_id", "part", "name", "canonical_digest"),
)

observations = Table(
    "observations",
    metadata,
    _reference("versions.id", primary_key=True),
    _reference("captures.id", primary_key=True),
    Column("alias_id", ForeignKey("aliases.id"), nullable=False, index=True),
    Column("seen_at", Moment, nullable=False),
    sa.Index(None, "seen_at"),
)

forms = Table(
    "forms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
)

form_cells = Table(
    "form_cells",
    metadata,
    _reference("forms.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("table_key", Text, nullable=False),
    Column("row_key", Text, nullable=False),
    Column("column_key", Text, nullable=False),
)

form_checks = Table(
    "form_checks",
    metadata,
    _reference("forms.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    Column("cells", Json, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("versions.id"),
    Column("parser", Text, nullable=False),
    _reference("forms.id", nullable=True),
    Column("layout", Text, nullable=False),
    Column("body_title", Words),
    # One character a relation of the form (storage.readings.packing.VERDICTS).
    Column("verdicts", Text, nullable=False),
    # How many cells are unread; coverage asks this of every report.
    Column("unread", Integer, nullable=False),
    # The third layer of version: equal figures have equal ones, whatever the page around them.
    Column("record_digest", Text),
    # What recognised the text of an image, with its model; NULL where the source holds text.
    Column("engine", Text),
    # Of the prose, small enough to hold every report against every other.
    Column("signature", Json),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("version_id", "parser"),
)

# Apart from `readings`, so that a scan over all readings does not drag the cells along.
figures = Table(
    "figures",
    metadata,
    _reference("readings.id", primary_key=True),
    Column("numbers", Json, nullable=False),
    Column("states", Text, nullable=False),
    Column("marks", Text, nullable=False),
    Column("raws", Json, nullable=False),
    Column("units", Json, nullable=False),
    Column("places", Json, nullable=False),
    # Of the engine, cell by cell, where the source is an image.
    Column("confidences", Json),
)

# A parser that read what a reading of the version says already adds one of these to it. Of the
# readings of a version the one that was made or confirmed last is in force.
confirmations = Table(
    "confirmations",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("readings.id"),
    Column("parser", Text, nullable=False),
    Column("confirmed_at", Moment, nullable=False),
    sa.Index(None, "reading_id"),
)

# The tables of a source that have a page or a geometry, or that nobody claimed.
grids = Table(
    "grids",
    metadata,
    _reference("readings.id", primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("page", Integer),
    Column("sheet", Words),
    Column("xs", Json),
    Column("ys", Json),
    Column("claimed", sa.Boolean, nullable=False),
    # [[[text, row, column, rowspan, colspan], …], …] of a table nobody claimed.
    Column("rows", Json),
)

# The statistics of 国办发〔2014〕32号: an open set of labels, a row each.
indicators = Table(
    "indicators",
    metadata,
    _reference("readings.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("key", Text),
    Column("block", Words, nullable=False),
    Column("label", Words, nullable=False),
    Column("unit", Words, nullable=False),
    Column("raw", Words, nullable=False),
    Column("state", Text, nullable=False),
    # A number with the digits it was given.
    Column("value", Text),
    Column("place", Json),
)

findings = Table(
    "findings",
    metadata,
    _reference("readings.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # The relation of the form this is the verdict of; NULL for a finding that is no relation.
    Column("check_position", Integer),
    Column("rule", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("message", Words, nullable=False),
    Column("message_zh", Words),
    Column("cells", Json, nullable=False),
    sa.Index(None, "rule", "reading_id"),
)

sections = Table(
    "sections",
    metadata,
    _reference("readings.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("heading", Words, nullable=False),
    Column("text", Words, nullable=False),
)

# A report held against its other copies, the year before, its neighbours and the calendar. A new
# one is kept only where it rests on other readings, says something else or is another parser's
# than the newest, which is the one in force.
assessments = Table(
    "assessments",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("reports.id", index=True),
    Column("parser", Text, nullable=False),
    Column("readings", Json, nullable=False),
    Column("assessed_at", Moment, nullable=False),
)

assessment_findings = Table(
    "assessment_findings",
    metadata,
    _reference("assessments.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("message", Words, nullable=False),
    Column("message_zh", Words, nullable=False),
    Column("cells", Json, nullable=False),
    sa.Index(None, "rule", "assessment_id"),
)

# What a person holds against the machine. Rows are only added: of a cell the newest counts, and
# one whose `after` is NULL takes the earlier back.
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("reports.id"),
    # `applications.granted.total`; NULL where the report's identity is corrected.
    Column("cell", Text),
    # The address whose report it is, where the identity is corrected.
    Column("url", Text),
    Column("before", Json, nullable=False),
    Column("after", Json),
    _reference("readings.id", nullable=True),
    Column("author", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
    sa.Index(None, "report_id", "cell"),
)

# --- what should exist --------------------------------------------------------------------------

# When an organ began, ended, and whose work it took over: from the registry's files. Of an organ
# the newest row counts.
lifetimes = Table(
    "lifetimes",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("organs.id", index=True),
    # The first and the last day, as ISO dates.
    Column("begins", Text),
    Column("ends", Text),
    # Names of the organs that go on with its work.
    Column("becomes", Json, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("noted_at", Moment, nullable=False),
)

# A listing that shows annual reports, or should.
listings = Table(
    "listings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("portal", ForeignKey("portals.key"), nullable=False),
    # Of its first page.
    Column("url", Text, nullable=False),
    Column("title", Words, nullable=False),
    # Whether its name says that it holds annual reports; if not, some of its entries were ones.
    Column("annual", sa.Boolean, nullable=False),
    # The texts of the links that led to it, and how many links deep it lies.
    Column("trail", Json, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("first_seen", Moment, nullable=False),
    UniqueConstraint("portal", "url"),
)

# One look at a listing, good or not: the proof of what it shows and of what it does not.
listing_reads = Table(
    "listing_reads",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("listings.id"),
    _reference("runs.id"),
    Column("read_at", Moment, nullable=False),
    # `whole`: every page; `head`: the first pages, down to what was known already.
    Column("scope", Text, nullable=False),
    # complete, incomplete, blocked, down, gone, not_asked
    Column("verdict", Text, nullable=False),
    # The rule that failed, and its sentence; of a complete one, what is odd about it.
    Column("rule", Text),
    Column("reason", Words),
    Column("reason_zh", Words),
    Column("pages", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("declared_total", Integer),
    Column("declared_pages", Integer),
    # The captures of the pages that were read, in their order.
    Column("captures", Json, nullable=False),
    sa.Index(None, "listing_id", "read_at"),
    sa.Index(None, "run_id"),
)

# What a read of a listing found otherwise than the reads before it.
listing_changes = Table(
    "listing_changes",
    metadata,
    _reference("listing_reads.id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # added, removed, retitled
    Column("change", Text, nullable=False),
    Column("url", Text, nullable=False, index=True),
    Column("title", Words, nullable=False),
    # The date beside it, as shown.
    Column("shown", Words),
    # Whether its title is a report's.
    Column("is_report", sa.Boolean, nullable=False),
)

# --- how the crawl goes -------------------------------------------------------------------------

# What a run counted of a portal's pages of one kind: the history that a change of layout shows in.
measures = Table(
    "measures",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("runs.id", index=True),
    Column("portal", ForeignKey("portals.key"), nullable=False),
    # `vsb article`, `ucap listing`: the dialect, and what the page was.
    Column("template", Text, nullable=False),
    Column("counts", Json, nullable=False),
    sa.Index(None, "portal", "template"),
)

# One row a cause, however often it recurs; what became of it stands in `alert_events`.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    # Class and subject: what makes two sights of it the same.
    Column("cause", Words, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("portal", ForeignKey("portals.key")),
    Column("host", Text),
    Column("subject", Words, nullable=False),
    Column("first_seen", Moment, nullable=False),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("alerts.id", index=True),
    _reference("runs.id", nullable=True),
    Column("at", Moment, nullable=False),
    # opened, seen, acknowledged, closed, reopened, delivered, undelivered
    Column("event", Text, nullable=False),
    # What is wrong, against what was last good, and what to do: of opened, seen and reopened.
    Column("message", Words),
    Column("message_zh", Words),
    Column("before", Json),
    Column("after", Json),
    Column("last_good", Words),
    Column("act", Words),
    Column("act_zh", Words),
    # Who, and why: of what a person did. Of a delivery: whereto.
    Column("author", Words),
    Column("note", Words),
)

# What is shown to nobody any more, or again: of a thing the newest row counts.
withdrawals = Table(
    "withdrawals",
    metadata,
    Column("id", Integer, primary_key=True),
    # A whole report; one of its versions; or an address, wherever it was captured.
    _reference("reports.id", nullable=True, index=True),
    _reference("versions.id", nullable=True),
    Column("url", Text),
    # withdrawn, restored
    Column("action", Text, nullable=False),
    Column("author", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
)

# What stands for each shown report today: derived from the rows above and kept up with them
# (storage.readings.standing), so that a question over the whole archive need not ask the views of
# each report. It references nothing and is not sealed: `archive verify` holds it against the views.
standing = Table(
    "standing",
    metadata,
    Column("report_id", Integer, primary_key=True, autoincrement=False),
    Column("organ_id", Integer, nullable=False),
    Column("division_code", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    # Of the page.
    Column("version_id", Integer),
    Column("reading_id", Integer),
    Column("layout", Text),
    Column("form_id", Integer),
    Column("unread", Integer),
    # The earliest date any version claims.
    Column("published", Text),
    Column("title", Words),
    Column("state", Text, nullable=False),
    sa.Index(None, "division_code", "year"),
    sa.Index(None, "year"),
    sa.Index(None, "organ_id", "year"),
    sa.Index(None, "reading_id"),
)
# Tables whose rows follow from others.
DERIVED = frozenset({"standing"})

# Views, made by the migration. The newest version of each page and file with its newest reading
# (or NULL); the same for pages alone; and of each report the reading that stands for it: the
# page's, or a file's where only that has the statutory tables.
current_versions = sa.table(
    "current_versions",
    *map(sa.column, ("report_id", "part", "name", "version_id", "reading_id", "last_seen")),
)
current_pages = sa.table(
    "current_pages", sa.column("report_id"), sa.column("version_id"), sa.column("reading_id")
)
current_readings = sa.table("current_readings", sa.column("report_id"), sa.column("reading_id"))

# What was not withdrawn: storage.queries asks these, never the tables (a test holds them to it).
# `withdrawn`: what is in force of the withdrawals; with each of the versions that it hides.
withdrawn = sa.table(
    "withdrawn",
    *(sa.column(each.name, each.type) for each in withdrawals.c if each.name != "action"),
)
withdrawn_versions = sa.table(
    "withdrawn_versions", sa.column("version_id"), sa.column("withdrawal_id")
)
shown_reports, shown_versions, shown_aliases = (
    sa.table(f"shown_{each.name}", *(sa.column(one.name, one.type) for one in each.c))
    for each in (reports, versions, aliases)
)

# Which of a portal's organs is its government; for queries that join both tables.
is_government = organs.c.name == portals.c.government
