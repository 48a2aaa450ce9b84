"""The table `job`: one row per request to speak, the whole truth about it, and the queue at once.

A row that waits or runs is claimable once ``lease_until_ms`` has passed: a fresh row from its birth, a row handed back
from the end of its pause, a running row when its worker stopped renewing. ``fence`` grows with every change of hands,
so that whoever held the row before can no longer write to it.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)

metadata = MetaData()

job = Table(
    "job",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("state", String(9), nullable=False),
    # Private, and emptied when the job ends.
    Column("text", Text, nullable=False),
    Column("voice_name", String(100), nullable=False),
    Column("output_format", String(8), nullable=False),
    Column("speed_ratio", Float, nullable=False),
    Column("pitch_semitones", Float, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("characters", Integer, nullable=False),
    Column("segments_done", Integer, nullable=False),
    Column("segments_total", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_by", String(100)),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("artifact", String(80)),
    Column("media_type", String(40)),
    Column("size_bytes", BigInteger),
    Column("duration_s", Float),
    Column("error_code", String(40)),
    Column("error_detail", String(500)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("sample_rate_hz", Integer),
    Column("language", String(40)),
    Column("input_format", String(8)),
    Column("at_once", Integer),
    # Not empty as long as something may have to be given back.
    Column("reserved", Text),
    Column("idempotency_key", String(255)),
    # The claim looks up here what waits of an owner, the oldest first, its owner's bound, and what it is equal to; and
    # a request how much of its owner waits and runs.
    Index(
        "ix_job_claim", "state", "owner", "attempts", "created_at_ms", "id", "lease_until_ms", "at_once", "fingerprint"
    ),
    Index("ix_job_lease", "state", "lease_until_ms", "attempts"),
    Index("ix_job_turn", "owner", "started_at_ms"),
    Index("ix_job_reserved", "state"),
    Index("ix_job_key", "owner", "idempotency_key"),
    Index("ix_job_owner", "owner", "created_at_ms", "id"),
    Index("ix_job_fingerprint", "fingerprint", "state"),
    Index("ix_job_expiry", "expires_at_ms"),
)

_ROWS_OF = {
    "ix_job_reserved": text("reserved IS NOT NULL"),
    "ix_job_key": text("idempotency_key IS NOT NULL"),
}
"""The indexes that hold some rows only, and which."""


@event.listens_for(job, "before_create")
def _narrow(_job: Table, connection: Connection, **_how: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's own hook
    """Say which rows an index holds to the database at hand; said above, each start would import both dialects."""
    for index in job.indexes:
        if index.name in _ROWS_OF:
            index.dialect_options[connection.dialect.name]["where"] = _ROWS_OF[index.name]
