"""Create the table of security events."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; SQLite numbers rows of a plain INTEGER key alone."""
    op.create_table(
        "security_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("who", sa.String(254), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_security_events"),
    )
    op.create_index("ix_security_events_at_ms", "security_events", ["at_ms"])
    op.create_index("ix_security_events_name", "security_events", ["name"])
    op.create_index("ix_security_events_who", "security_events", ["who"])


def downgrade() -> None:
    """Drop the table with everything in it."""
    op.drop_table("security_events")
