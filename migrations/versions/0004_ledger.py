"""The ledger: lifetimes of organs, listings and looks at them, measures, alerts, withdrawals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

# What is in force of the withdrawals: of a thing its newest row.
_WITHDRAWN = """
CREATE VIEW withdrawn AS
SELECT w.id, w.report_id, w.version_id, w.url, w.author, w.reason, w.made_at
FROM withdrawals w
WHERE w.action = 'withdrawn' AND NOT EXISTS (
    SELECT 1 FROM withdrawals later
    WHERE later.id > w.id AND coalesce(later.report_id, 0) = coalesce(w.report_id, 0)
      AND coalesce(later.version_id, 0) = coalesce(w.version_id, 0)
      AND coalesce(later.url, '') = coalesce(w.url, ''))
"""

# Beginning at the withdrawals, of which there are few: CROSS JOIN keeps SQLite to that order.
_WITHDRAWN_VERSIONS = """
CREATE VIEW withdrawn_versions AS
SELECT v.id AS version_id, w.id AS withdrawal_id
FROM withdrawn w CROSS JOIN versions v WHERE v.report_id = w.report_id
UNION
SELECT w.version_id, w.id FROM withdrawn w WHERE w.version_id IS NOT NULL
UNION
SELECT o.version_id, w.id
FROM withdrawn w CROSS JOIN aliases a CROSS JOIN observations o
WHERE a.url = w.url AND o.alias_id = a.id
"""

_SHOWN_REPORTS = """
CREATE VIEW shown_reports AS
SELECT p.* FROM reports p
WHERE p.id NOT IN (SELECT w.report_id FROM withdrawn w WHERE w.report_id IS NOT NULL)
"""

_SHOWN_VERSIONS = """
CREATE VIEW shown_versions AS
SELECT v.* FROM versions v WHERE v.id NOT IN (SELECT w.version_id FROM withdrawn_versions w)
"""

_SHOWN_ALIASES = """
CREATE VIEW shown_aliases AS
SELECT a.* FROM aliases a
WHERE a.report_id NOT IN (SELECT w.report_id FROM withdrawn w WHERE w.report_id IS NOT NULL)
  AND a.url NOT IN (SELECT w.url FROM withdrawn w WHERE w.url IS NOT NULL)
"""

# As migrations 0001 and 0003 made them, of `{versions}` and no others.
_CURRENT_VERSIONS = """
CREATE VIEW current_versions AS
SELECT v.report_id, v.part, v.name, v.id AS version_id,
       (SELECT r.id FROM readings r WHERE r.version_id = v.id
        ORDER BY coalesce((SELECT max(c.confirmed_at) FROM confirmations c
                           WHERE c.reading_id = r.id), r.created_at) DESC, r.id DESC
        LIMIT 1) AS reading_id,
       v.last_seen
FROM {versions} v
WHERE NOT EXISTS (
    SELECT 1 FROM {versions} later
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
{only}
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
    "mark": "substr(f.marks, c.position + 1, 1)",
    "number": "json_extract(f.numbers, '$[' || c.position || ']')",
    "value": "json_extract(f.numbers, '$[' || c.position || ']')",
    "odd": """json_extract(f.raws,
               '$[' || (unicode(substr(f.marks, c.position + 1, 1)) - 48) || ']')""",
    "unit": """json_extract(f.units, '$."' || c.position || '"')""",
    "corrected_raw": "json_extract(k.after, '$.raw')",
    "corrected_value": "json_extract(k.after, '$.value')",
}
_POSTGRESQL = {
    "mark": "substr(f.marks, c.position + 1, 1)",
    "number": "f.numbers ->> c.position",
    "value": "(f.numbers ->> c.position)::numeric",
    "odd": "f.raws ->> (ascii(substr(f.marks, c.position + 1, 1)) - 48)",
    "unit": "f.units ->> c.position::text",
    "corrected_raw": "k.after ->> 'raw'",
    "corrected_value": "(k.after ->> 'value')::numeric",
}
# In the order in which they rest on each other.
_SHOWN = (_WITHDRAWN, _WITHDRAWN_VERSIONS, _SHOWN_REPORTS, _SHOWN_VERSIONS, _SHOWN_ALIASES)
_CURRENT = (_CURRENT_VERSIONS, _CURRENT_PAGES, _CURRENT_READINGS, _CELLS, _REPORT_CELLS)
_CURRENT_NAMES = ("report_cells", "cells", "current_readings", "current_pages", "current_versions")
_SHOWN_NAMES = (
    "shown_aliases",
    "shown_versions",
    "shown_reports",
    "withdrawn_versions",
    "withdrawn",
)


def upgrade() -> None:
    _make_ledger()
    _make_watch()
    op.add_column("starts", sa.Column("scope", sa.Text()))
    op.add_column("starts", sa.Column("due_since", MOMENT))
    _drop(_CURRENT_NAMES)
    _make(_SHOWN)
    _make(_CURRENT, versions="shown_versions", only="JOIN shown_versions v ON v.id = r.version_id")


def _make(views: tuple[str, ...], **more: str) -> None:
    dialect = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    for view in views:
        op.execute(view.format(**dialect, **more))


def _drop(views: tuple[str, ...]) -> None:
    for view in views:
        op.execute(f"DROP VIEW {view}")


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
    hidden = op.get_bind().execute(sa.text("SELECT count(*) FROM withdrawn")).scalar()
    if hidden:
        raise CommandError(
            f"{hidden} withdrawals are in force, and an older schema would show it all again: "
            "`archive withdrawals` lists them, `archive restore` takes one back"
        )
    _drop(_CURRENT_NAMES)
    _drop(_SHOWN_NAMES)
    _make(_CURRENT, versions="versions", only="")
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
