"""Assessments, corrections, confirmations, kept tables and indicators; files have readings too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

_CURRENT_VERSIONS = """
CREATE VIEW current_versions AS
SELECT v.report_id, v.part, v.name, v.id AS version_id,
       (SELECT r.id FROM readings r WHERE r.version_id = v.id
        ORDER BY coalesce((SELECT max(c.confirmed_at) FROM confirmations c
                           WHERE c.reading_id = r.id), r.created_at) DESC, r.id DESC
        LIMIT 1) AS reading_id,
       v.last_seen
FROM versions v
WHERE NOT EXISTS (
    SELECT 1 FROM versions later
    WHERE later.report_id = v.report_id AND later.part = v.part AND later.name = v.name
      AND (later.last_seen, later.id) > (v.last_seen, v.id))
"""

_CURRENT_PAGES = """
CREATE VIEW current_pages AS
SELECT report_id, version_id, reading_id FROM current_versions WHERE part = 'page'
"""

_CURRENT_READINGS = """
CREATE VIEW current_readings AS
SELECT p.id AS report_id,
       (SELECT r.id FROM current_versions v JOIN readings r ON r.id = v.reading_id
        WHERE v.report_id = p.id
        ORDER BY CASE WHEN r.form_id IS NOT NULL THEN 0 WHEN r.layout = 'old' THEN 1 ELSE 2 END,
                 CASE v.part WHEN 'page' THEN 0 ELSE 1 END, v.last_seen DESC, v.version_id DESC
        LIMIT 1) AS reading_id
FROM reports p
"""

_REPORT_CELLS = """
CREATE VIEW report_cells AS
SELECT o.division_code, o.name AS organ, o.kind AS organ_kind, p.year, p.kind AS report_kind,
       v.part, v.name AS part_name, r.layout, r.parser,
       CASE WHEN n.reading_id = r.id THEN 1 ELSE 0 END AS is_current,
       p.id AS report_id, v.id AS version_id, c.reading_id, c.position,
       c.table_key, c.row_key, c.column_key, c.raw, c.state, c.value, c.unit,
       {corrected_raw} AS corrected_raw, {corrected_value} AS corrected_value,
       k.id AS correction_id
FROM cells c
JOIN readings r ON r.id = c.reading_id
JOIN versions v ON v.id = r.version_id
JOIN reports p ON p.id = v.report_id
JOIN organs o ON o.id = p.organ_id
JOIN current_readings n ON n.report_id = p.id
LEFT JOIN corrections k ON k.report_id = p.id AND k.after IS NOT NULL
    AND k.cell = c.table_key || '.' || c.row_key || '.' || c.column_key
    AND k.id = (SELECT max(x.id) FROM corrections x
                WHERE x.report_id = k.report_id AND x.cell = k.cell)
"""

_SQLITE = {
    "corrected_raw": "json_extract(k.after, '$.raw')",
    "corrected_value": "json_extract(k.after, '$.value')",
}
_POSTGRESQL = {
    "corrected_raw": "k.after ->> 'raw'",
    "corrected_value": "(k.after ->> 'value')::numeric",
}

# As migration 0001 made them; `cells` stays.
_FORMER_CURRENT_PAGES = """
CREATE VIEW current_pages AS
SELECT v.report_id, v.id AS version_id,
       (SELECT max(r.id) FROM readings r WHERE r.version_id = v.id) AS reading_id
FROM versions v
WHERE v.part = 'page' AND NOT EXISTS (
    SELECT 1 FROM versions later
    WHERE later.report_id = v.report_id AND later.part = 'page'
      AND (later.last_seen, later.id) > (v.last_seen, v.id))
"""

_FORMER_REPORT_CELLS = """
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
    for view in ("report_cells", "current_pages"):
        op.execute(f"DROP VIEW {view}")
    op.add_column("findings", sa.Column("message_zh", sa.Text()))
    op.add_column("readings", sa.Column("engine", sa.Text()))
    op.add_column("readings", sa.Column("signature", sa.JSON()))
    op.add_column("figures", sa.Column("confidences", sa.JSON()))
    _add_to_readings()
    _add_to_reports()
    dialect = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    for view in (_CURRENT_VERSIONS, _CURRENT_PAGES, _CURRENT_READINGS, _REPORT_CELLS):
        op.execute(view.format(**dialect))


def _add_to_readings() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["reading_id"], ["readings.id"], name="fk_confirmations_reading_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_confirmations"),
    )
    op.create_index("ix_confirmations_reading_id", "confirmations", ["reading_id"])
    op.create_table(
        "grids",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("sheet", sa.Text()),
        sa.Column("xs", sa.JSON()),
        sa.Column("ys", sa.JSON()),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.JSON()),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_grids_reading_id"),
        sa.PrimaryKeyConstraint("reading_id", "ordinal", name="pk_grids"),
    )
    op.create_table(
        "indicators",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("place", sa.JSON()),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_indicators_reading_id"),
        sa.PrimaryKeyConstraint("reading_id", "position", name="pk_indicators"),
    )


def _add_to_reports() -> None:
    op.create_table(
        "assessments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.Column("assessed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_assessments_report_id"),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
    )
    op.create_index("ix_assessments_report_id", "assessments", ["report_id"])
    op.create_table(
        "assessment_findings",
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("message_zh", sa.Text(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name="fk_assessment_findings_assessment_id"
        ),
        sa.PrimaryKeyConstraint("assessment_id", "position", name="pk_assessment_findings"),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("cell", sa.Text()),
        sa.Column("url", sa.Text()),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON()),
        sa.Column("reading_id", sa.Integer()),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_corrections_report_id"),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_corrections_reading_id"),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_report_id_cell", "corrections", ["report_id", "cell"])


def downgrade() -> None:
    for view in ("report_cells", "current_readings", "current_pages", "current_versions"):
        op.execute(f"DROP VIEW {view}")
    op.drop_index("ix_corrections_report_id_cell", table_name="corrections")
    op.drop_table("corrections")
    op.drop_table("assessment_findings")
    op.drop_index("ix_assessments_report_id", table_name="assessments")
    op.drop_table("assessments")
    op.drop_table("indicators")
    op.drop_table("grids")
    op.drop_index("ix_confirmations_reading_id", table_name="confirmations")
    op.drop_table("confirmations")
    op.drop_column("figures", "confidences")
    op.drop_column("readings", "signature")
    op.drop_column("readings", "engine")
    op.drop_column("findings", "message_zh")
    op.execute(_FORMER_CURRENT_PAGES)
    op.execute(_FORMER_REPORT_CELLS)
