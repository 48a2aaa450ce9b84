"""Remember what binds a job beside its request: what was reserved for it, its name for repeats, its owner's turn."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_CLAIM = ["state", "lease_until_ms", "attempts", "owner", "created_at_ms", "id"]


def upgrade() -> None:
    """Add the columns; for jobs that are there nothing was reserved, and no bound is known."""
    op.add_column("job", sa.Column("at_once", sa.Integer(), nullable=True))
    op.add_column("job", sa.Column("reserved", sa.Text(), nullable=True))
    op.add_column("job", sa.Column("idempotency_key", sa.String(255), nullable=True))
    op.drop_index("ix_job_claim", "job")
    op.create_index("ix_job_claim", "job", [*_CLAIM, "at_once", "fingerprint"])
    op.create_index("ix_job_unfinished", "job", ["owner", "state"])
    op.create_index("ix_job_turn", "job", ["owner", "started_at_ms"])
    is_reserved, has_key = sa.text("reserved IS NOT NULL"), sa.text("idempotency_key IS NOT NULL")
    op.create_index("ix_job_reserved", "job", ["state"], sqlite_where=is_reserved, postgresql_where=is_reserved)
    op.create_index("ix_job_key", "job", ["owner", "idempotency_key"], sqlite_where=has_key, postgresql_where=has_key)


def downgrade() -> None:
    """Drop the columns; what is still reserved stays spent."""
    for index in ("ix_job_key", "ix_job_reserved", "ix_job_turn", "ix_job_unfinished", "ix_job_claim"):
        op.drop_index(index, "job")
    op.create_index("ix_job_claim", "job", _CLAIM)
    for column in ("idempotency_key", "reserved", "at_once"):
        op.drop_column("job", column)
