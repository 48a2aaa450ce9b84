"""Log in: who is behind a name and a password, found with the same work for every answer."""

from collections.abc import Callable

from sqlalchemy import select, update

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.models import User
from voxgate.accounts.names import clean_label, fold
from voxgate.accounts.passwords import Hasher
from voxgate.gate.errors import Refusal

_MAX_IDENTIFIER_CHARACTERS = 254


def check_login(
    database: Database,
    hasher: Hasher,
    *,
    identifier: str,
    password: str,
    on_rehash: Callable[[str], None] | None = None,
) -> Account | Refusal:
    """Return the account of a name and its password; one read, one hash, whatever the answer.

    An unknown name, a wrong password and a text that can be neither look and cost the same. That
    an account is disabled is told only to one who knows its password.

    Args:
        database: Where accounts are stored.
        hasher: The hasher of the service.
        identifier: Username or e-mail address, in any case.
        password: As it was typed.
        on_rehash: Told the subject whose hash, of another system or with old parameters, was made anew.

    Returns:
        The account, or a refusal: INVALID_CREDENTIALS, LOGIN_DISABLED, HASHING_BUSY.

    Raises:
        DatabaseUnavailableError: The database cannot answer.
    """
    user = find_user(database, identifier)
    is_right = hasher.verify(None if user is None else user.password_hash, password=password)
    if isinstance(is_right, Refusal):
        return is_right
    if user is None or not is_right:
        return Refusal("INVALID_CREDENTIALS")
    if hasher.is_outdated(user.password_hash) and _rehash(database, hasher, user=user, password=password) and on_rehash:
        on_rehash(user.subject)
    return Account.of(user) if user.is_active else Refusal("LOGIN_DISABLED")


def find_user(database: Database, identifier: str) -> User | None:
    """Return the row of a username or e-mail address, or None; one read.

    Raises:
        DatabaseUnavailableError: The database cannot answer.
    """
    is_name = len(identifier) <= _MAX_IDENTIFIER_CHARACTERS and clean_label(identifier, limit=254) == identifier
    key = fold(identifier) if is_name else ""  # a text that no database takes names nobody
    column = User.email_key if "@" in key else User.username_key
    with database.reading() as session:
        return session.scalars(select(User).where(column == key)).one_or_none()


def _rehash(database: Database, hasher: Hasher, *, user: User, password: str) -> bool:
    """Make the hash of a password that was just proven anew; one that cannot be made now waits for the next login."""
    made = hasher.hash(password)
    if isinstance(made, Refusal):
        return False
    # Only in place of the hash that was proven: the password may have been changed meanwhile.
    proven = (User.subject == user.subject) & (User.password_hash == user.password_hash)
    try:
        with database.session() as session:
            changed = session.execute(update(User).where(proven).values(password_hash=made))
    except DatabaseUnavailableError:
        return False
    return bool(getattr(changed, "rowcount", 0))
