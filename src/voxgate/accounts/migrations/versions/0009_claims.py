"""Let a claim find the first waiting job of each owner without a look at the others."""

from alembic import op

revision = "0009"
down_revision = "0008"

_FROM_LEASE = ("state", "lease_until_ms", "attempts", "owner", "created_at_ms", "id", "at_once", "fingerprint")
_BY_OWNER = ("state", "owner", "attempts", "created_at_ms", "id", "lease_until_ms", "at_once", "fingerprint")


def upgrade() -> None:
    """Sort what waits by owner and age; what leases and attempts are asked for needs no more of a row."""
    op.drop_index("ix_job_claim", "job")
    op.create_index("ix_job_claim", "job", list(_BY_OWNER))
    op.create_index("ix_job_lease", "job", ["state", "lease_until_ms", "attempts"])


def downgrade() -> None:
    """Sort it by lease again."""
    op.drop_index("ix_job_lease", "job")
    op.drop_index("ix_job_claim", "job")
    op.create_index("ix_job_claim", "job", list(_FROM_LEASE))
