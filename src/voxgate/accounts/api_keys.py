"""API keys: make, list and revoke them; SQL first, then the gate's store."""

import re
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy import select

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.directory import key_state
from voxgate.accounts.models import ApiKey, User
from voxgate.accounts.names import clean_label
from voxgate.gate.api_keys import NewKey, new_key
from voxgate.gate.clock import Clock
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.stores.base import Store

MAX_NAME_CHARACTERS = 100
MAX_SCOPES_CHARACTERS = 1000

_SCOPE = re.compile(r"[a-z0-9][a-z0-9:._-]*")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key at the one moment when its text is known.

    Attributes:
        key_id: The public part; safe to log.
        text: The whole key; shown to its owner once and kept nowhere.
    """

    key_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeyInfo:
    """What a list tells of a key; never its secret.

    Attributes:
        key_id: The public part.
        name: The owner's name for it.
        hint: The last characters of the secret.
        scopes: What it may do; empty means everything that the account may do.
        created_at_ms: Milliseconds since the epoch, UTC.
        expires_at_ms: End of the key, or None.
    """

    key_id: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at_ms: int
    expires_at_ms: int | None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        """Return the value of a row."""
        return cls(
            key_id=row.key_id,
            name=row.name,
            hint=row.hint,
            scopes=frozenset(row.scopes.split()),
            created_at_ms=row.created_at_ms,
            expires_at_ms=row.expires_at_ms,
        )


class ApiKeys:
    """The API keys of every account. Every method raises DatabaseUnavailableError and StoreUnavailableError.

    Args:
        database: Where keys are stored.
        store: The gate's store, told after SQL has committed.
        clock: The time of creation and end.
    """

    def __init__(self, database: Database, store: Store, *, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def create(
        self, subject: str, *, name: str, scopes: frozenset[str] = frozenset(), expires_at_ms: int | None = None
    ) -> IssuedKey | Refusal:
        """Make one more key; it works at once.

        Args:
            subject: The account that owns it.
            name: The owner's name for it, at most 100 characters; unprintable ones are dropped.
            scopes: What it may do; empty means everything that the account may do.
            expires_at_ms: End of the key in milliseconds since the epoch; None for no end.

        Returns:
            The key, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN.
        """
        now_ms = self._clock.now_ms()
        faults = _find_faults(name=name, scopes=scopes, expires_at_ms=expires_at_ms, now_ms=now_ms)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        key = new_key()
        row = make_row(key, subject, name=name, now_ms=now_ms)
        row.scopes, row.expires_at_ms = " ".join(sorted(scopes)), expires_at_ms
        with self._database.session() as session:
            user = session.get(User, subject, with_for_update=True)
            if user is None:
                return Refusal("ACCOUNT_UNKNOWN")
            session.add(row)
            state = Account.of(user).state
        self._store.put_state(state)
        self._store.put_state(key_state(row))
        return IssuedKey(key_id=key.key_id, text=key.text)

    def list(self, subject: str) -> tuple[ApiKeyInfo, ...]:
        """Return the account's keys that are not revoked, oldest first; expired ones too."""
        wanted = select(ApiKey).where(ApiKey.subject == subject, ApiKey.ended_at_ms.is_(None))
        with self._database.reading() as session:
            rows = session.scalars(wanted.order_by(ApiKey.created_at_ms, ApiKey.key_id))
            return tuple(ApiKeyInfo.of(row) for row in rows)

    def revoke(self, subject: str, key_id: str) -> bool:
        """End a key for ever; it is refused from the next request.

        Returns:
            Whether the account has such a key. Revoking once more is no error, so that an answer
            that was lost can be asked for again.
        """
        with self._database.session() as session:
            row = session.get(ApiKey, key_id, with_for_update=True)
            if row is None or row.subject != subject:
                return False
            if row.ended_at_ms is None:
                row.ended_at_ms = self._clock.now_ms()
        self._store.end_key(key_id)
        return True


def make_row(key: NewKey, subject: str, *, name: str, now_ms: int) -> ApiKey:
    """Return the row of a new key that may do everything and never expires."""
    return ApiKey(
        key_id=key.key_id,
        subject=subject,
        name=clean_label(name, limit=MAX_NAME_CHARACTERS),
        digest=key.digest,
        hint=key.hint,
        scopes="",
        created_at_ms=now_ms,
        expires_at_ms=None,
        ended_at_ms=None,
    )


def _find_faults(
    *, name: str, scopes: frozenset[str], expires_at_ms: int | None, now_ms: int
) -> tuple[FieldFault, ...]:
    faults = []
    if len(name) > MAX_NAME_CHARACTERS:
        faults.append(FieldFault("/name", f"must be at most {MAX_NAME_CHARACTERS} characters long"))
    if len(" ".join(scopes)) > MAX_SCOPES_CHARACTERS or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        faults.append(FieldFault("/scopes", "must be permission words such as 'tts:generate'"))
    if expires_at_ms is not None and expires_at_ms <= now_ms:
        faults.append(FieldFault("/expires_at", "must be in the future"))
    return tuple(faults)
