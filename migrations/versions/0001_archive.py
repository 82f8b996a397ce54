"""The archive's tables, and the views for people who bring SQL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

# `cells` and `report_cells` in each dialect; marks and states: storage/readings/packing.py.
_SQLITE = {
    "mark": "substr(f.marks, c.position + 1, 1)",
    "number": "json_extract(f.numbers, '$[' || c.position || ']')",
    "value": "json_extract(f.numbers, '$[' || c.position || ']')",
    "odd": """json_extract(f.raws,
               '$[' || (unicode(substr(f.marks, c.position + 1, 1)) - 48) || ']')""",
    "unit": """json_extract(f.units, '$."' || c.position || '"')""",
}
_POSTGRESQL = {
    "mark": "substr(f.marks, c.position + 1, 1)",
    "number": "f.numbers ->> c.position",
    "value": "(f.numbers ->> c.position)::numeric",
    "odd": "f.raws ->> (ascii(substr(f.marks, c.position + 1, 1)) - 48)",
    "unit": "f.units ->> c.position::text",
}

_CURRENT_PAGES = """
CREATE VIEW current_pages AS
SELECT v.report_id, v.id AS version_id,
       (SELECT max(r.id) FROM readings r WHERE r.version_id = v.id) AS reading_id
FROM versions v
WHERE v.part = 'page' AND NOT EXISTS (
    SELECT 1 FROM versions later
    WHERE later.report_id = v.report_id AND later.part = 'page'
      AND (later.last_seen, later.id) > (v.last_seen, v.id))
"""

_CELLS = """
CREATE VIEW cells AS
SELECT f.reading_id, c.position, c.table_key, c.row_key, c.column_key,
       CASE WHEN {mark} IN ('', '.') THEN coalesce(CAST({number} AS TEXT), '') ELSE {odd} END
           AS raw,
       CASE substr(f.states, c.position + 1, 1)
           WHEN 'n' THEN 'number' WHEN '0' THEN 'zero' WHEN '_' THEN 'blank'
           WHEN '-' THEN 'dash' WHEN 't' THEN 'text' WHEN '?' THEN 'unread' END AS state,
       {value} AS value,
       {unit} AS unit
FROM figures f
JOIN readings r ON r.id = f.reading_id
JOIN form_cells c ON c.form_id = r.form_id
"""

_REPORT_CELLS = """
CREATE VIEW report_cells AS
SELECT o.division_code, o.name AS organ, o.kind AS organ_kind, p.year, p.kind AS report_kind,
       v.part, v.name AS part_name, r.layout, r.parser,
       CASE WHEN EXISTS (SELECT 1 FROM current_pages n WHERE n.report_id = p.id
                         AND n.reading_id = r.id) THEN 1 ELSE 0 END AS is_current,
       p.id AS report_id, v.id AS version_id, c.reading_id, c.position,
       c.table_key, c.row_key, c.column_key, c.raw, c.state, c.value, c.unit
FROM cells c
JOIN readings r ON r.id = c.reading_id
JOIN versions v ON v.id = r.version_id
JOIN reports p ON p.id = v.report_id
JOIN organs o ON o.id = p.organ_id
"""


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forms"),
        sa.UniqueConstraint("digest", name="uq_forms_digest"),
    )
    op.create_table(
        "portals",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("division_code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("cms", sa.Text(), nullable=False),
        sa.Column("government", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_portals"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("spider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("config_digest", sa.Text(), nullable=False),
        sa.Column("stats", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("portal", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("retry", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_attempts_portal"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_attempts_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_run_id", "attempts", ["run_id"], unique=False)
    op.create_table(
        "form_cells",
        sa.Column("form_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("table_key", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("column_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name="fk_form_cells_form_id"),
        sa.PrimaryKeyConstraint("form_id", "position", name="pk_form_cells"),
    )
    op.create_table(
        "form_checks",
        sa.Column("form_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name="fk_form_checks_form_id"),
        sa.PrimaryKeyConstraint("form_id", "position", name="pk_form_checks"),
    )
    op.create_table(
        "organs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("division_code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("portal", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_organs_portal"),
        sa.PrimaryKeyConstraint("id", name="pk_organs"),
        sa.UniqueConstraint("division_code", "name", name="uq_organs_division_code_name"),
    )
    op.create_index("ix_organs_name", "organs", ["name"], unique=False)
    op.create_table(
        "warc_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_warc_files_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_warc_files"),
        sa.UniqueConstraint("name", name="uq_warc_files_name"),
    )
    op.create_table(
        "captures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("fetched_at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("payload_digest", sa.Text(), nullable=False),
        sa.Column("warc_file_id", sa.Integer(), nullable=False),
        sa.Column("warc_offset", sa.BigInteger(), nullable=False),
        sa.Column("warc_length", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("revisit_of", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_captures_attempt_id"),
        sa.ForeignKeyConstraint(["revisit_of"], ["captures.id"], name="fk_captures_revisit_of"),
        sa.ForeignKeyConstraint(
            ["warc_file_id"], ["warc_files.id"], name="fk_captures_warc_file_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_captures"),
        sa.UniqueConstraint("attempt_id", name="uq_captures_attempt_id"),
    )
    op.create_index("ix_captures_payload_digest", "captures", ["payload_digest"], unique=False)
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organ_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organ_id"], ["organs.id"], name="fk_reports_organ_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("organ_id", "year", "kind", name="uq_reports_organ_id_year_kind"),
    )
    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.Column("last_outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_aliases_report_id"),
        sa.PrimaryKeyConstraint("id", name="pk_aliases"),
        sa.UniqueConstraint("report_id", "url", name="uq_aliases_report_id_url"),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("canonical_digest", sa.Text(), nullable=False),
        sa.Column("canonical_rule", sa.Text(), nullable=False),
        sa.Column("media", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("published", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("capture_id", sa.Integer(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["capture_id"], ["captures.id"], name="fk_versions_capture_id"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_versions_report_id"),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.UniqueConstraint(
            "report_id",
            "part",
            "name",
            "canonical_digest",
            name="uq_versions_report_id_part_name_canonical_digest",
        ),
    )
    op.create_table(
        "observations",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("capture_id", sa.Integer(), nullable=False),
        sa.Column("alias_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["alias_id"], ["aliases.id"], name="fk_observations_alias_id"),
        sa.ForeignKeyConstraint(["capture_id"], ["captures.id"], name="fk_observations_capture_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_observations_version_id"),
        sa.PrimaryKeyConstraint("version_id", "capture_id", name="pk_observations"),
    )
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("form_id", sa.Integer(), nullable=True),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("body_title", sa.Text(), nullable=True),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name="fk_readings_form_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_readings_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_readings"),
        sa.UniqueConstraint("version_id", "parser", name="uq_readings_version_id_parser"),
    )
    op.create_table(
        "figures",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("states", sa.Text(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("raws", sa.JSON(), nullable=False),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_figures_reading_id"),
        sa.PrimaryKeyConstraint("reading_id", name="pk_figures"),
    )
    op.create_table(
        "findings",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_position", sa.Integer(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_findings_reading_id"),
        sa.PrimaryKeyConstraint("reading_id", "position", name="pk_findings"),
    )
    op.create_table(
        "sections",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_sections_reading_id"),
        sa.PrimaryKeyConstraint("reading_id", "position", name="pk_sections"),
    )
    dialect = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    for view in (_CURRENT_PAGES, _CELLS, _REPORT_CELLS):
        op.execute(view.format(**dialect))


def downgrade() -> None:
    for view in ("report_cells", "cells", "current_pages"):
        op.execute(f"DROP VIEW {view}")
    op.drop_table("sections")
    op.drop_table("findings")
    op.drop_table("figures")
    op.drop_table("readings")
    op.drop_table("observations")
    op.drop_table("versions")
    op.drop_table("aliases")
    op.drop_table("reports")
    op.drop_index("ix_captures_payload_digest", table_name="captures")
    op.drop_table("captures")
    op.drop_table("warc_files")
    op.drop_index("ix_organs_name", table_name="organs")
    op.drop_table("organs")
    op.drop_table("form_checks")
    op.drop_table("form_cells")
    op.drop_index("ix_attempts_run_id", table_name="attempts")
    op.drop_table("attempts")
    op.drop_table("runs")
    op.drop_table("portals")
    op.drop_table("forms")
