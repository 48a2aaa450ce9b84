"""What the gate notes of sessions and keys in passing, written down for many at once: when they were last accepted."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, bindparam, or_, update

from voxgate.accounts.database import Database
from voxgate.accounts.models import ApiKey, UserSession

_SESSION_ID_CHARACTERS = 32


class LastSeen:
    """Writes down what never goes back. Every method raises DatabaseUnavailableError when they cannot be written.

    Args:
        database: Where sessions and keys are stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, seen: Mapping[str, int]) -> None:
        """Write down when credentials were last accepted; one transaction.

        Args:
            seen: For the id of each session or key the milliseconds since the epoch.
        """
        # In one order, so that two processes that write at once wait for each other instead of for ever.
        rows = [{"its_id": each, "at_ms": seen[each]} for each in sorted(seen)]
        sessions = [row for row in rows if len(str(row["its_id"])) == _SESSION_ID_CHARACTERS]
        keys = [row for row in rows if len(str(row["its_id"])) != _SESSION_ID_CHARACTERS]
        at_ms = bindparam("at_ms", type_=BigInteger)
        with self._database.session() as session:
            connection = session.connection()
            if sessions:
                seen_ms = UserSession.last_seen_at_ms
                is_later = or_(seen_ms.is_(None), seen_ms < at_ms)
                statement = update(UserSession).where(UserSession.session_id == bindparam("its_id"), is_later)
                connection.execute(statement.values({seen_ms: at_ms}), sessions)
            if keys:
                used_ms = ApiKey.last_used_at_ms
                is_later = or_(used_ms.is_(None), used_ms < at_ms)
                statement = update(ApiKey).where(ApiKey.key_id == bindparam("its_id"), is_later)
                connection.execute(statement.values({used_ms: at_ms}), keys)

    def confirm(self, generations: Mapping[str, int]) -> None:
        """Write down which refresh tokens have reached their client; one transaction.

        The gate's store knows it from the request that has shown it. Written here, it holds also when the store has
        lost everything: an older refresh token is refused as used again.

        Args:
            generations: For the id of each session the newest generation whose access token was shown.
        """
        rows = [{"its_id": each, "newest": generations[each]} for each in sorted(generations)]
        newest = bindparam("newest", type_=BigInteger)
        statement = update(UserSession).where(
            UserSession.session_id == bindparam("its_id"), UserSession.generation < newest
        )
        with self._database.session() as session:
            session.connection().execute(statement.values({UserSession.generation: newest}), rows)
