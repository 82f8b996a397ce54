"""Starts and their terms, validators of captures, and the digest of a reading's figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "starts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("config_digest", sa.Text(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_starts_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_starts"),
    )
    op.create_index("ix_starts_run_id", "starts", ["run_id"])
    op.create_table(
        "terms",
        sa.Column("start_id", sa.Integer(), nullable=False),
        sa.Column("portal", sa.Text(), nullable=False),
        sa.Column("delay_s", sa.Float(), nullable=False),
        sa.Column("opens", sa.Text(), nullable=False),
        sa.Column("closes", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("budget", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["start_id"], ["starts.id"], name="fk_terms_start_id"),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_terms_portal"),
        sa.PrimaryKeyConstraint("start_id", "portal", name="pk_terms"),
    )
    op.create_index("ix_attempts_portal_started_at", "attempts", ["portal", "started_at"])
    op.add_column("captures", sa.Column("etag", sa.Text()))
    op.add_column("captures", sa.Column("last_modified", sa.Text()))
    op.create_index("ix_captures_url", "captures", ["url"])
    op.add_column("readings", sa.Column("record_digest", sa.Text()))


def downgrade() -> None:
    op.drop_column("readings", "record_digest")
    op.drop_index("ix_captures_url", table_name="captures")
    op.drop_column("captures", "last_modified")
    op.drop_column("captures", "etag")
    op.drop_index("ix_attempts_portal_started_at", table_name="attempts")
    op.drop_table("terms")
    op.drop_index("ix_starts_run_id", table_name="starts")
    op.drop_table("starts")
