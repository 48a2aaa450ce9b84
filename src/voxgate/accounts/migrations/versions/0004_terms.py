"""Give sessions generations and idle ends, keys networks and limits, users roles and limits, and tiers a table."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and the table; what is there keeps its meaning: no limits of its own, no role, no idle end."""
    op.create_table(
        "tiers",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tiers"),
    )
    op.add_column("users", sa.Column("limits", sa.Text(), nullable=False, server_default=""))
    op.add_column("users", sa.Column("roles", sa.String(200), nullable=False, server_default=""))
    # A change of a tier looks for every account of it.
    op.create_index("ix_users_tier", "users", ["tier"])
    op.add_column("user_sessions", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("user_sessions", sa.Column("idle_ends_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("user_sessions", sa.Column("last_seen_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("networks", sa.Text(), nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("limits", sa.Text(), nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("api_keys", sa.Column("last_used_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the columns and the table; what they said is lost."""
    for column in ("last_used_at_ms", "version", "limits", "networks"):
        op.drop_column("api_keys", column)
    for column in ("last_seen_at_ms", "idle_ends_at_ms", "generation"):
        op.drop_column("user_sessions", column)
    op.drop_index("ix_users_tier", "users")
    for column in ("roles", "limits"):
        op.drop_column("users", column)
    op.drop_table("tiers")
