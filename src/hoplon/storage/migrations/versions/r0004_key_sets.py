"""Keys that are fetched from the URL of a token configuration."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    zone = sa.ForeignKey("zones.id", name="fk_key_sets_zone_id", ondelete="CASCADE")
    op.create_table(
        "key_sets",
        sa.Column("zone_id", sa.String(32), zone, nullable=False),
        sa.Column("configuration_id", sa.String(36), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("keys", sa.Text()),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime()),
        sa.Column("fetched_at", sa.DateTime()),
        sa.Column("tried_at", sa.DateTime()),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("zone_id", "configuration_id", name="pk_key_sets"),
    )


def downgrade() -> None:
    op.drop_table("key_sets")
