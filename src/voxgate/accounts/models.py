"""The tables of who exists: users, their sessions, their API keys, tiers, and security events."""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Names for every constraint, so that a migration can name what it changes on any database.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Root of the tables of this room. Times are integer milliseconds since the epoch, UTC."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {int: BigInteger}  # noqa: RUF012 -- SQLAlchemy's own hook


class User(Base):
    """One account.

    The ``_key`` columns hold the folded forms by which names are compared; they alone are unique.
    """

    __tablename__ = "users"

    subject: Mapped[str] = mapped_column(String(32), primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[str] = mapped_column(String(192), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    tier: Mapped[str] = mapped_column(String(32), index=True)
    is_active: Mapped[bool]
    version: Mapped[int]
    created_at_ms: Mapped[int]
    updated_at_ms: Mapped[int]
    limits: Mapped[str] = mapped_column(Text, default="")
    roles: Mapped[str] = mapped_column(String(200), default="")


class TierRow(Base):
    """The limits of a tier as data; a tier without a row has those of the settings."""

    __tablename__ = "tiers"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    limits: Mapped[str] = mapped_column(Text)
    updated_at_ms: Mapped[int]


class UserSession(Base):
    """One login, until it expires or is ended; an ended row is never opened again."""

    __tablename__ = "user_sessions"

    session_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey(User.subject), index=True)
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int]
    ended_at_ms: Mapped[int | None]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))
    generation: Mapped[int] = mapped_column(default=0)
    idle_ends_at_ms: Mapped[int | None]
    last_seen_at_ms: Mapped[int | None]


class ApiKey(Base):
    """One API key: its public id, a digest of its secret, and what it may do."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey(User.subject), index=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    hint: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[str] = mapped_column(String(1000))
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    ended_at_ms: Mapped[int | None]
    successor_id: Mapped[str | None] = mapped_column(String(64))
    networks: Mapped[str] = mapped_column(Text, default="")
    limits: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=0)
    last_used_at_ms: Mapped[int | None]


class SecurityEvent(Base):
    """One security event; rows are added, changed only to forget whom they name, and removed when they are old."""

    __tablename__ = "security_events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at_ms: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    who: Mapped[str | None] = mapped_column(String(254), index=True)
    fields: Mapped[str] = mapped_column(Text)
