"""Keep one index less of the jobs: what it was made for is looked up in that of the claims."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Spare every change of a job's state the upkeep of an index that nothing is looked up in."""
    op.drop_index("ix_job_unfinished", "job")


def downgrade() -> None:
    """Keep it again."""
    op.create_index("ix_job_unfinished", "job", ["owner", "state"])
