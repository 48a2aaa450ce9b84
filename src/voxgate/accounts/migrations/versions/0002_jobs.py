"""Create the table of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "job",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("voice_name", sa.String(100), nullable=False),
        sa.Column("output_format", sa.String(8), nullable=False),
        sa.Column("speed_ratio", sa.Float(), nullable=False),
        sa.Column("pitch_semitones", sa.Float(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("segments_done", sa.Integer(), nullable=False),
        sa.Column("segments_total", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_by", sa.String(100), nullable=True),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("artifact", sa.String(80), nullable=True),
        sa.Column("media_type", sa.String(40), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("error_code", sa.String(40), nullable=True),
        sa.Column("error_detail", sa.String(500), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_job_claim", "job", ["state", "lease_until_ms", "attempts", "owner", "created_at_ms", "id"])
    op.create_index("ix_job_owner", "job", ["owner", "created_at_ms", "id"])
    op.create_index("ix_job_fingerprint", "job", ["fingerprint", "state"])
    op.create_index("ix_job_expiry", "job", ["expires_at_ms"])


def downgrade() -> None:
    """Drop the table with everything in it."""
    op.drop_table("job")
