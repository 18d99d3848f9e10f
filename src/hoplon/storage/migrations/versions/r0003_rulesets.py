"""Rulesets and their rules: custom rules and limits as rows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_CURRENT = sa.text("last_version IS NULL")


def upgrade() -> None:
    op.create_table(
        "rulesets",
        *_row_of_zone("rulesets"),
        sa.Column("ruleset_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("last_updated", sa.DateTime(), nullable=False),
    )
    _current_index("rulesets", "zone_id", "feature")
    op.create_index("ix_rulesets_history", "rulesets", ["zone_id", "ruleset_id", "number"])
    op.create_table(
        "rules",
        *_row_of_zone("rules"),
        sa.Column("rule_id", sa.String(32), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("last_updated", sa.DateTime(), nullable=False),
    )
    _current_index("rules", "zone_id", "feature", "rule_id")
    op.create_index("ix_rules_history", "rules", ["zone_id", "feature", "first_version"])


def downgrade() -> None:
    op.drop_table("rules")
    op.drop_table("rulesets")


def _row_of_zone(table: str) -> tuple[Any, ...]:
    zone = sa.ForeignKey("zones.id", name=f"fk_{table}_zone_id", ondelete="CASCADE")
    return (
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("zone_id", sa.String(32), zone, nullable=False),
        sa.Column("feature", sa.String(63), nullable=False),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer()),
        sa.PrimaryKeyConstraint("row_id", name=f"pk_{table}"),
    )


def _current_index(table: str, *columns: str) -> None:
    op.create_index(
        f"ix_{table}_current",
        table,
        list(columns),
        unique=True,
        sqlite_where=_CURRENT,
        postgresql_where=_CURRENT,
    )
