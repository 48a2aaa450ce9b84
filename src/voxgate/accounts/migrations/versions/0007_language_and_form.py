"""Remember in which language a job is to be spoken, and whether its text is SSML."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; jobs that are there are plain text, of whatever language it seems to be."""
    op.add_column("job", sa.Column("language", sa.String(40), nullable=True))
    op.add_column("job", sa.Column("input_format", sa.String(8), nullable=True))


def downgrade() -> None:
    """Drop the columns; jobs that wait are spoken as plain text."""
    op.drop_column("job", "input_format")
    op.drop_column("job", "language")
