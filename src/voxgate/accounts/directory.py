"""The gate's view of SQL: what its store reads when it does not know an account, a session or a key."""

from sqlalchemy import String, bindparam, exists, update
from sqlalchemy.orm import Session

from voxgate.accounts.database import Database
from voxgate.accounts.limit_terms import read_limits, write_limits
from voxgate.accounts.models import ApiKey, TierRow, User, UserSession
from voxgate.gate.decision import AccountState, KeyState, SessionState

IS_ACTIVE = exists().where(User.subject == bindparam("of", type_=String), User.is_active)
"""SQL that tells whether the subject ``of`` is that of an account which may use the service."""


class SqlDirectory:
    """The gate's directory over the accounts' database; one or two primary-key reads per question.

    Every method raises DatabaseUnavailableError when the database cannot answer.

    Args:
        database: Where accounts, sessions and keys are stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_account(self, subject: str) -> AccountState | None:
        """Return the account, or None when there is none."""
        with self._database.reading() as session:
            user = session.get(User, subject)
            return None if user is None else account_state(session, user)

    def find_session(self, session_id: str) -> SessionState | None:
        """Return the session, or None when there is none."""
        with self._database.reading() as session:
            row = session.get(UserSession, session_id)
            return None if row is None else session_state(row)

    def end_session(self, session_id: str, *, now_ms: int) -> None:
        """End a session that the gate's store has ended by itself, because a refresh token of it was used again."""
        statement = update(UserSession).where(UserSession.session_id == session_id, UserSession.ended_at_ms.is_(None))
        with self._database.session() as session:
            session.execute(statement.values(ended_at_ms=now_ms))

    def find_key(self, key_id: str) -> KeyState | None:
        """Return the API key, or None when there is none."""
        with self._database.reading() as session:
            row = session.get(ApiKey, key_id)
            return None if row is None else key_state(row)


def account_state(session: Session, user: User) -> AccountState:
    """Return what the gate's store needs to know of an account: its own limits come before those of its tier.

    Args:
        session: The transaction in which the account was read.
        user: The account.
    """
    row = session.get(TierRow, user.tier)
    of_tier = "" if row is None else row.limits
    limits = write_limits({**read_limits(of_tier), **read_limits(user.limits)}) if of_tier else user.limits
    return AccountState(
        subject=user.subject, tier=user.tier, is_active=user.is_active, version=user.version, limits=limits
    )


def session_state(row: UserSession) -> SessionState:
    """Return what the gate's store needs to know of a session."""
    return SessionState(
        session_id=row.session_id,
        subject=row.subject,
        expires_at_ms=row.expires_at_ms,
        is_ended=row.ended_at_ms is not None,
        generation=row.generation,
        idle_ends_at_ms=row.idle_ends_at_ms,
    )


def key_state(row: ApiKey) -> KeyState:
    """Return what the gate's store needs to know of an API key."""
    return KeyState(
        key_id=row.key_id,
        subject=row.subject,
        digest=row.digest,
        scopes=frozenset(row.scopes.split()),
        expires_at_ms=row.expires_at_ms,
        is_ended=row.ended_at_ms is not None,
        version=row.version,
        networks=tuple(row.networks.split()),
        limits=row.limits,
    )
