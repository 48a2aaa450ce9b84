"""The gate's view of SQL: what its store reads when it does not know an account, a session or a key."""

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.models import ApiKey, User, UserSession
from voxgate.gate.decision import AccountState, KeyState, SessionState


class SqlDirectory:
    """The gate's directory over the accounts' database; one primary-key read per question.

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
            return None if user is None else Account.of(user).state

    def find_session(self, session_id: str) -> SessionState | None:
        """Return the session, or None when there is none."""
        with self._database.reading() as session:
            row = session.get(UserSession, session_id)
            return None if row is None else session_state(row)

    def find_key(self, key_id: str) -> KeyState | None:
        """Return the API key, or None when there is none."""
        with self._database.reading() as session:
            row = session.get(ApiKey, key_id)
            return None if row is None else key_state(row)


def session_state(row: UserSession) -> SessionState:
    """Return what the gate's store needs to know of a session."""
    return SessionState(
        session_id=row.session_id,
        subject=row.subject,
        expires_at_ms=row.expires_at_ms,
        is_ended=row.ended_at_ms is not None,
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
    )
