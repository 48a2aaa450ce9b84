"""The deletion of an account: nothing of it opens anything before the first row is removed."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from voxgate.accounts.changing import AccountChanges
from voxgate.accounts.database import Database
from voxgate.accounts.forgetting import forget_events
from voxgate.accounts.models import ApiKey, User, UserSession
from voxgate.accounts.session_rows import tell_ends
from voxgate.gate.errors import Refusal
from voxgate.gate.stores.base import Store


def delete_account(
    database: Database, store: Store, changes: AccountChanges, *, subject: str, known_hash: str | None
) -> Refusal | None:
    """Delete an account with its sessions, keys, names and password; its security events forget whom they are about.

    Args:
        database: Where accounts are stored.
        store: The gate's store.
        changes: Disables the account.
        subject: The account.
        known_hash: The hash against which its owner has proven the password; None for the operator.

    Returns:
        None when it is done, or a refusal: ACCOUNT_UNKNOWN, WRONG_PASSWORD.

    Raises:
        DatabaseUnavailableError: Something of it is left; deleting it again removes that.
        StoreUnavailableError: The store does not know all of it; what it does not know is refused as disabled.
    """

    def disable(user: User, _session: Session) -> Refusal | None:
        if known_hash is not None and user.password_hash != known_hash:
            return Refusal("WRONG_PASSWORD")  # another change was first, and what was proven is proven no more
        user.is_active = False
        return None

    # Disabled first: once the store knows that, nothing of the account is accepted any more, whatever fails below.
    disabled = changes.make(subject, disable, ends_sessions=True)
    if isinstance(disabled, Refusal):
        return disabled
    forget_events(database, disabled)
    with database.session() as session:
        session.execute(select(User.subject).where(User.subject == subject).with_for_update())
        sessions = list(session.scalars(select(UserSession).where(UserSession.subject == subject)))
        key_ids = list(session.scalars(select(ApiKey.key_id).where(ApiKey.subject == subject)))
        for table in (UserSession, ApiKey, User):
            session.execute(delete(table).where(table.subject == subject))
    for key_id in key_ids:
        store.end_key(key_id, subject=subject)
    tell_ends(store, sessions)
    return None
