"""Remember which sample rate a job is to have."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; jobs that are there have the rate of their voice."""
    op.add_column("job", sa.Column("sample_rate_hz", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop the column; jobs that wait get the rate of their voice."""
    op.drop_column("job", "sample_rate_hz")
