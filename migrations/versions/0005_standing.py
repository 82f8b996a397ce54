"""What stands for each report, kept up in a table; indexes for findings and changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEXES = (
    ("captures", ["fetched_at"]),
    ("observations", ["seen_at"]),
    ("findings", ["rule", "reading_id"]),
    ("assessment_findings", ["rule", "assessment_id"]),
    ("standing", ["division_code", "year"]),
    ("standing", ["year"]),
    ("standing", ["organ_id", "year"]),
    ("standing", ["reading_id"]),
)

# As storage.readings.standing has it today; a later change of it has a migration of its own.
_FILL = """
INSERT INTO standing (report_id, organ_id, division_code, year, kind, version_id, reading_id,
                      layout, form_id, unread, published, title, state)
SELECT p.id, o.id, o.division_code, p.year, p.kind, v.id, r.id,
       r.layout, r.form_id, r.unread, c.published,
       CASE WHEN v.id IS NOT NULL THEN v.title ELSE a.title END,
       CASE WHEN r.form_id IS NOT NULL AND r.unread > 0 THEN 'partly_read'
            WHEN r.form_id IS NOT NULL THEN 'read'
            WHEN r.layout = 'old' THEN 'old'
            WHEN c.files > 0 THEN 'attachment_only'
            WHEN v.id IS NULL THEN 'unreachable'
            ELSE 'unread' END
FROM shown_reports p
JOIN organs o ON o.id = p.organ_id
JOIN current_readings n ON n.report_id = p.id
LEFT JOIN current_pages g ON g.report_id = p.id
LEFT JOIN shown_versions v ON v.id = g.version_id
LEFT JOIN readings r ON r.id = n.reading_id
LEFT JOIN (SELECT report_id, min(published) AS published,
                  sum(CASE WHEN part = 'attachment' THEN 1 ELSE 0 END) AS files
           FROM shown_versions GROUP BY report_id) c ON c.report_id = p.id
LEFT JOIN (SELECT report_id, title,
                  row_number() OVER (PARTITION BY report_id
                                     ORDER BY first_seen DESC, id DESC) AS newest
           FROM shown_aliases WHERE part = 'page') a ON a.report_id = p.id AND a.newest = 1
"""


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("report_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organ_id", sa.Integer(), nullable=False),
        sa.Column("division_code", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Integer()),
        sa.Column("reading_id", sa.Integer()),
        sa.Column("layout", sa.Text()),
        sa.Column("form_id", sa.Integer()),
        sa.Column("unread", sa.Integer()),
        sa.Column("published", sa.Text()),
        sa.Column("title", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name="pk_standing"),
    )
    for table, columns in _INDEXES:
        op.create_index(_name(table, columns), table, columns)
    op.execute(_FILL)


def downgrade() -> None:
    for table, columns in reversed(_INDEXES):
        op.drop_index(_name(table, columns), table_name=table)
    op.drop_table("standing")


def _name(table: str, columns: list[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
