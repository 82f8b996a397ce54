"""The ledger: lifetimes of organs, listings and looks at them, measures, alerts, withdrawals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _make_ledger()
    _make_watch()
    op.add_column("starts", sa.Column("scope", sa.Text()))
    op.add_column("starts", sa.Column("due_since", MOMENT))


def _make_ledger() -> None:
    op.create_table(
        "listings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("portal", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("annual", sa.Boolean(), nullable=False),
        sa.Column("trail", sa.JSON(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_listings_portal"),
        sa.PrimaryKeyConstraint("id", name="pk_listings"),
        sa.UniqueConstraint("portal", "url", name="uq_listings_portal_url"),
    )
    op.create_table(
        "lifetimes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organ_id", sa.Integer(), nullable=False),
        sa.Column("begins", sa.Text()),
        sa.Column("ends", sa.Text()),
        sa.Column("becomes", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["organ_id"], ["organs.id"], name="fk_lifetimes_organ_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lifetimes"),
    )
    op.create_index("ix_lifetimes_organ_id", "lifetimes", ["organ_id"])
    op.create_table(
        "listing_reads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("reason_zh", sa.Text()),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("declared_total", sa.Integer()),
        sa.Column("declared_pages", sa.Integer()),
        sa.Column("captures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name="fk_listing_reads_listing_id"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_listing_reads_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_listing_reads"),
    )
    op.create_index(
        "ix_listing_reads_listing_id_read_at", "listing_reads", ["listing_id", "read_at"]
    )
    op.create_index("ix_listing_reads_run_id", "listing_reads", ["run_id"])
    op.create_table(
        "listing_changes",
        sa.Column("listing_read_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text()),
        sa.Column("is_report", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_read_id"], ["listing_reads.id"], name="fk_listing_changes_listing_read_id"
        ),
        sa.PrimaryKeyConstraint("listing_read_id", "position", name="pk_listing_changes"),
    )


def _make_watch() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("portal", sa.Text()),
        sa.Column("host", sa.Text()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_alerts_portal"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("cause", name="uq_alerts_cause"),
    )
    op.create_table(
        "measures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("portal", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["portal"], ["portals.key"], name="fk_measures_portal"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_measures_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_measures"),
    )
    op.create_index("ix_measures_portal_template", "measures", ["portal", "template"])
    op.create_index("ix_measures_run_id", "measures", ["run_id"])
    op.create_table(
        "alert_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer()),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("message_zh", sa.Text()),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.Column("last_good", sa.Text()),
        sa.Column("act", sa.Text()),
        sa.Column("act_zh", sa.Text()),
        sa.Column("author", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_events_alert_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_alert_events_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_events"),
    )
    op.create_index("ix_alert_events_alert_id", "alert_events", ["alert_id"])
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer()),
        sa.Column("version_id", sa.Integer()),
        sa.Column("url", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_withdrawals_report_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_withdrawals_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawals"),
    )
    op.create_index("ix_withdrawals_report_id", "withdrawals", ["report_id"])


def downgrade() -> None:
    op.drop_column("starts", "due_since")
    op.drop_column("starts", "scope")
    op.drop_index("ix_withdrawals_report_id", table_name="withdrawals")
    op.drop_table("withdrawals")
    op.drop_table("listing_changes")
    op.drop_index("ix_listing_reads_run_id", table_name="listing_reads")
    op.drop_index("ix_listing_reads_listing_id_read_at", table_name="listing_reads")
    op.drop_table("listing_reads")
    op.drop_index("ix_lifetimes_organ_id", table_name="lifetimes")
    op.drop_table("lifetimes")
    op.drop_index("ix_alert_events_alert_id", table_name="alert_events")
    op.drop_table("alert_events")
    op.drop_index("ix_measures_run_id", table_name="measures")
    op.drop_index("ix_measures_portal_template", table_name="measures")
    op.drop_table("measures")
    op.drop_table("listings")
    op.drop_table("alerts")
