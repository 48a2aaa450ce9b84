"""Registration: an account and its first API key in one transaction, one winner for every name."""

import re
import secrets
from dataclasses import dataclass, field

from sqlalchemy import exc, or_, select

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.directory import account_state, key_state
from voxgate.accounts.foreign_hashes import is_foreign_hash
from voxgate.accounts.key_rows import make_row
from voxgate.accounts.models import User
from voxgate.accounts.names import find_email_fault, find_username_fault, fold, normalize
from voxgate.accounts.password_rules import PasswordRules
from voxgate.accounts.passwords import Hasher
from voxgate.gate.api_keys import new_key
from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.stores.base import Store

FIRST_KEY_NAME = "first key"

# At most 999,999 KiB and nine passes: what is imported must not take the machine at a login.
_OWN_HASH = re.compile(r"\$argon2id\$v=19\$m=\d{1,6},t=\d,p=\d\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}")


@dataclass(frozen=True, slots=True)
class Registration:
    """A new account.

    Attributes:
        account: The account.
        api_key: Text of its first API key; shown once and kept nowhere.
        warnings: Why a better password would be wise.
    """

    account: Account
    api_key: str = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    username: str
    email: str

    @property
    def keys(self) -> tuple[str, str]:
        return fold(self.username), fold(self.email)


class Registrar:
    """Makes accounts.

    Args:
        database: Where accounts are stored.
        store: The gate's store.
        hasher: The hasher of the service.
        clock: The time of creation.
        rules: Which passwords are accepted.
    """

    def __init__(self, database: Database, store: Store, *, hasher: Hasher, clock: Clock, rules: PasswordRules) -> None:
        self._database = database
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._rules = rules

    def register(self, *, username: str, email: str, password: str) -> Registration | Refusal:
        """Make an account with its first API key; see ``Accounts.register``."""
        if not (username and email and password):
            return Refusal("MISSING_FIELDS")
        candidate = _Candidate(username=normalize(username), email=normalize(email))
        judgement = self._rules.judge(password, context=(candidate.username, candidate.email))
        faults = _find_name_faults(candidate) + tuple(FieldFault("/password", text) for text in judgement.faults)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        # Asked twice: here to spare the hash, and in the transaction to be right.
        taken = self._find_taken(candidate)
        if taken is not None:
            return taken
        password_hash = self._hasher.hash(password)  # before the transaction: no lock is held while hashing
        if isinstance(password_hash, Refusal):
            return password_hash
        created = self._create(candidate, password_hash=password_hash)
        if isinstance(created, Refusal):
            return created
        account, api_key = created
        return Registration(account=account, api_key=api_key, warnings=judgement.warnings)

    def enter(self, *, username: str, email: str, password_hash: str) -> Account | Refusal:
        """Make an account that comes from another system with its password's hash; it has no API key yet."""
        candidate = _Candidate(username=normalize(username), email=normalize(email))
        faults = _find_name_faults(candidate)
        if not (is_foreign_hash(password_hash) or _OWN_HASH.fullmatch(password_hash)):
            faults += (FieldFault("/password_hash", "is no hash of werkzeug, bcrypt or argon2id"),)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        created = self._create(candidate, password_hash=password_hash, has_key=False)
        return created if isinstance(created, Refusal) else created[0]

    def _create(
        self, candidate: _Candidate, *, password_hash: str, has_key: bool = True
    ) -> tuple[Account, str] | Refusal:
        now_ms = self._clock.now_ms()
        user = _make_user(candidate, password_hash=password_hash, now_ms=now_ms)
        key = new_key()
        key_row = make_row(key, user.subject, name=FIRST_KEY_NAME, now_ms=now_ms)
        try:
            with self._database.session() as session:
                session.add(user)
                session.flush()
                if has_key:
                    session.add(key_row)
                state = account_state(session, user)
        except exc.IntegrityError:
            # Another registration was first. The driver's text says which name it took, each in its own
            # words; asking is the same everywhere.
            taken = self._find_taken(candidate)
            if taken is None:
                raise
            return taken
        self._store.put_state(state)
        if has_key:
            self._store.put_state(key_state(key_row))
        return Account.of(user), key.text

    def _find_taken(self, candidate: _Candidate) -> Refusal | None:
        username_key, email_key = candidate.keys
        wanted = select(User.username_key).where(or_(User.username_key == username_key, User.email_key == email_key))
        with self._database.reading() as session:
            found = session.scalars(wanted).all()
        if not found:
            return None
        return Refusal("USERNAME_TAKEN" if username_key in found else "EMAIL_TAKEN")


def _find_name_faults(candidate: _Candidate) -> tuple[FieldFault, ...]:
    found = (
        ("/username", find_username_fault(candidate.username)),
        ("/email", find_email_fault(candidate.email)),
    )
    return tuple(FieldFault(pointer, detail) for pointer, detail in found if detail is not None)


def _make_user(candidate: _Candidate, *, password_hash: str, now_ms: int) -> User:
    username_key, email_key = candidate.keys
    return User(
        subject=secrets.token_hex(16),
        username=candidate.username,
        username_key=username_key,
        email=candidate.email,
        email_key=email_key,
        password_hash=password_hash,
        tier=DEFAULT_TIER,
        is_active=True,
        version=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        limits="",
        roles="",
    )
