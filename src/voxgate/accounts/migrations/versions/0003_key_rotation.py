"""Remember which key has replaced a key."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; keys that are there have no successor."""
    op.add_column("api_keys", sa.Column("successor_id", sa.String(64), nullable=True))


def downgrade() -> None:
    """Drop the column; rotated keys keep their ends."""
    op.drop_column("api_keys", "successor_id")
