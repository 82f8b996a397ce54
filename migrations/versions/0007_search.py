"""The index of words (storage.text.search); an archive with readings fills it by a reindex."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "search_texts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_texts"),
    )
    op.create_index("ix_search_texts_report_id", "search_texts", ["report_id"])
    op.create_table("search_index", sa.Column("rule", sa.Text(), nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE search_words USING fts5"
            "(words, content = '', columnsize = 0, tokenize = 'ascii')"
        )
    else:
        op.execute("CREATE TABLE search_words (text_id bigint NOT NULL, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_search_words_text_id ON search_words (text_id)")
        # Without the list of what is yet to be sorted in, which every question would walk through.
        op.execute(
            "CREATE INDEX ix_search_words_words ON search_words USING gin (words) "
            "WITH (fastupdate = off)"
        )
    # An empty archive has nothing to index; the rule is that of storage.text.folding.
    op.execute(
        "INSERT INTO search_index (rule) SELECT '1' WHERE NOT EXISTS (SELECT 1 FROM readings)"
    )


def downgrade() -> None:
    op.execute("DROP TABLE search_words")
    op.drop_table("search_index")
    op.drop_index("ix_search_texts_report_id", table_name="search_texts")
    op.drop_table("search_texts")
