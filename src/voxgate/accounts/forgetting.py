"""What security events keep of a deleted account: what happened stays, under a pseudonym; who and from where goes."""

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, func, or_, select

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.models import SecurityEvent, User
from voxgate.accounts.names import fold
from voxgate.gate import events

PERSONAL = frozenset({"ip_address", "user_agent", "username"})
"""Fields of an event that lead to a person."""

_SUBJECT_CHARACTERS = 32
_BATCH = 500
# What an administrator does to others names him in ``by``.
_DONE_TO_OTHERS = (
    events.USER_UPDATED,
    events.USER_DELETED,
    events.TIER_UPDATED,
    events.AUTHN_TOKEN_CREATED,
    events.AUTHN_TOKEN_REVOKED,
)


def pseudonym_of(subject: str) -> str:
    """Return what stands for a deleted account: the same for each of its events, and from it nobody finds the id."""
    return f"deleted-{hashlib.sha256(f'voxgate deleted {subject}'.encode()).hexdigest()[:16]}"


def subject_of(fields: Mapping[str, object]) -> str:
    """Return the id of the account that an event is about, or nothing; jobs call it as they call their owner."""
    return str(fields.get("user_id") or fields.get("subject") or "")


def without_person(fields: Mapping[str, object], subject: str) -> dict[str, object]:
    """Return the fields of an event about a deleted account as they may be kept."""
    kept = {name: value for name, value in fields.items() if name not in PERSONAL}
    cleaned: dict[str, object] = json.loads(json.dumps(kept, default=str).replace(subject, pseudonym_of(subject)))
    return cleaned


def forget_events(database: Database, account: Account) -> None:
    """Take out of the table what leads to an account that is being deleted; some hundreds of rows at a time.

    Raises:
        DatabaseUnavailableError: Some are left; doing it again takes them out.
    """
    subject = account.subject
    names = (fold(account.username), fold(account.email))
    # A login that failed names nobody but the text that was typed, and a name may have been another's before.
    typed = and_(SecurityEvent.who.in_(names), SecurityEvent.at_ms >= account.created_at_ms)
    did = and_(SecurityEvent.name.in_(_DONE_TO_OTHERS), SecurityEvent.fields.contains(f'"by": "{subject}"'))
    _rewrite(database, or_(SecurityEvent.who == subject, typed, did), after_id=0, subject=subject)


def forget_strays(database: Database, *, after_id: int) -> None:
    """Do the same with events that were written down after their account was deleted, such as a count of repeats.

    Args:
        database: Where events and accounts are.
        after_id: The event behind which it looks.

    Raises:
        DatabaseUnavailableError: The database cannot answer.
    """
    is_nobody = and_(
        func.length(SecurityEvent.who) == _SUBJECT_CHARACTERS, SecurityEvent.who.not_in(select(User.subject))
    )
    _rewrite(database, is_nobody, after_id=after_id, subject=None)


def _rewrite(database: Database, wanted: ColumnElement[bool], *, after_id: int, subject: str | None) -> None:
    """Rewrite the rows that are about an account; without one each is about the account that it names."""
    while True:
        chosen = select(SecurityEvent).where(wanted, SecurityEvent.id > after_id)
        with database.session() as session:
            rows = list(session.scalars(chosen.order_by(SecurityEvent.id).limit(_BATCH)))
            for row in rows:
                _rewrite_row(row, subject or str(row.who))
                after_id = row.id
        if len(rows) < _BATCH:
            return


def _rewrite_row(row: SecurityEvent, subject: str) -> None:
    fields = json.loads(row.fields)
    about = subject_of(fields)
    if about == subject or (not about and "username" in fields and row.who != subject):
        row.who, row.fields = pseudonym_of(subject), json.dumps(without_person(fields, subject))
    elif "cut" in fields and row.who == subject:
        row.who, row.fields = pseudonym_of(subject), "{}"
    elif fields.get("by") == subject:
        row.fields = json.dumps({**fields, "by": pseudonym_of(subject)})
