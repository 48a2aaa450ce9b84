"""The life of an account: registered, found, disabled and enabled, moved between tiers, given a new password."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import exc, or_, select

from voxgate.accounts.account import PREMIUM, Account
from voxgate.accounts.api_keys import make_row
from voxgate.accounts.database import Database
from voxgate.accounts.directory import key_state
from voxgate.accounts.login import find_user
from voxgate.accounts.models import User, UserSession
from voxgate.accounts.names import find_email_fault, find_username_fault, fold, normalize
from voxgate.accounts.password_rules import rules_for
from voxgate.accounts.passwords import Hasher
from voxgate.accounts.sessions import end_rows, tell_ends
from voxgate.gate.api_keys import new_key
from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.stores.base import Store

TIERS = (DEFAULT_TIER, PREMIUM)
FIRST_KEY_NAME = "first key"


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


class Accounts:
    """Every account. Every method raises DatabaseUnavailableError, those that change also StoreUnavailableError.

    A change commits in SQL first and is then told to the gate's store. When the store did not answer, the
    change stands, and making it again tells the store.

    Args:
        database: Where accounts are stored.
        store: The gate's store.
        hasher: The hasher of the service.
        clock: The time of every change.
        profile: ``development`` or ``production``; chooses the password rules.

    Raises:
        ConfigurationError: There is no such profile.
    """

    def __init__(self, database: Database, store: Store, *, hasher: Hasher, clock: Clock, profile: str) -> None:
        self._database = database
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._rules = rules_for(profile)

    def register(self, *, username: str, email: str, password: str) -> Registration | Refusal:
        """Make an account with its first API key, which works at once.

        Args:
            username: 3 to 64 letters, digits and ``. _ -`` of any script; kept in NFKC.
            email: An address, at most 254 characters.
            password: By the profile's rules; at most 1024 bytes, any characters.

        Returns:
            The account, or a refusal: MISSING_FIELDS, VALIDATION_FAILED, USERNAME_TAKEN, EMAIL_TAKEN,
            HASHING_BUSY.
        """
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

    def find(self, subject: str) -> Account | None:
        """Return the account with this id, or None."""
        with self._database.reading() as session:
            user = session.get(User, subject)
            return None if user is None else Account.of(user)

    def find_by_name(self, username_or_email: str) -> Account | None:
        """Return the account with this username or e-mail address, in any case, or None."""
        user = find_user(self._database, username_or_email)
        return None if user is None else Account.of(user)

    def list(self) -> tuple[Account, ...]:
        """Return every account, oldest first."""
        with self._database.reading() as session:
            users = session.scalars(select(User).order_by(User.created_at_ms, User.subject))
            return tuple(Account.of(user) for user in users)

    def set_active(self, subject: str, is_active: bool) -> Account | Refusal:  # noqa: FBT001 -- the verb's only object
        """Enable or disable an account; holds from the next request, in every process.

        Returns:
            The account as it is now, or the refusal ACCOUNT_UNKNOWN.
        """

        def change(user: User) -> None:
            user.is_active = is_active

        return self._change(subject, change)

    def set_tier(self, subject: str, tier: str) -> Account | Refusal:
        """Move an account to another tier; its limits hold from the next request.

        Returns:
            The account as it is now, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN.
        """
        if tier not in TIERS:
            return Refusal("VALIDATION_FAILED", faults=(FieldFault("/tier", f"must be one of {', '.join(TIERS)}"),))

        def change(user: User) -> None:
            user.tier = tier

        return self._change(subject, change)

    def set_password(self, subject: str, password: str) -> Account | Refusal:
        """Give an account a new password and end all its sessions; its API keys stay.

        The caller has made sure that the change is wanted, by the current password or as operator.

        Returns:
            The account as it is now, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN, HASHING_BUSY.
        """
        account = self.find(subject)
        if account is None:
            return Refusal("ACCOUNT_UNKNOWN")
        password_hash = self._hash_for(account, password, pointer="/password")
        if isinstance(password_hash, Refusal):
            return password_hash

        def change(user: User) -> None:
            user.password_hash = password_hash

        return self._change(subject, change, ends_sessions=True)

    def change_password(self, subject: str, *, current: str, new: str, session_id: str) -> Account | Refusal:
        """Give an account a new password for the one that it has, and end all its sessions but one.

        Args:
            subject: The account.
            current: Its password, as it was typed.
            new: The new one; by the profile's rules.
            session_id: The session that goes on.

        Returns:
            The account as it is now, or a refusal: WRONG_PASSWORD, VALIDATION_FAILED, HASHING_BUSY.
        """
        with self._database.reading() as session:
            user = session.get(User, subject)
        known = None if user is None else user.password_hash
        is_right = self._hasher.verify(known, password=current)
        if isinstance(is_right, Refusal):
            return is_right
        if user is None or not is_right:
            return Refusal("WRONG_PASSWORD")
        if new == current:
            return Refusal("VALIDATION_FAILED", faults=(FieldFault("/new_password", "must be another one"),))
        password_hash = self._hash_for(Account.of(user), new, pointer="/new_password")
        if isinstance(password_hash, Refusal):
            return password_hash

        def change(user: User) -> Refusal | None:
            if user.password_hash != known:
                return Refusal("WRONG_PASSWORD")  # another change was first, and what was proven is proven no more
            user.password_hash = password_hash
            return None

        return self._change(subject, change, ends_sessions=True, but=session_id)

    def _hash_for(self, account: Account, password: str, *, pointer: str) -> str | Refusal:
        judgement = self._rules.judge(password, context=(account.username, account.email))
        if judgement.faults:
            return Refusal("VALIDATION_FAILED", faults=tuple(FieldFault(pointer, text) for text in judgement.faults))
        return self._hasher.hash(password)

    def _create(self, candidate: _Candidate, *, password_hash: str) -> tuple[Account, str] | Refusal:
        now_ms = self._clock.now_ms()
        user = _make_user(candidate, password_hash=password_hash, now_ms=now_ms)
        key = new_key()
        key_row = make_row(key, user.subject, name=FIRST_KEY_NAME, now_ms=now_ms)
        try:
            with self._database.session() as session:
                session.add(user)
                session.flush()
                session.add(key_row)
        except exc.IntegrityError:
            # Another registration was first. The driver's text says which name it took, each in its own
            # words; asking is the same everywhere.
            taken = self._find_taken(candidate)
            if taken is None:
                raise
            return taken
        account = Account.of(user)
        self._store.put_state(account.state)
        self._store.put_state(key_state(key_row))
        return account, key.text

    def _find_taken(self, candidate: _Candidate) -> Refusal | None:
        username_key, email_key = candidate.keys
        wanted = select(User.username_key).where(or_(User.username_key == username_key, User.email_key == email_key))
        with self._database.reading() as session:
            found = session.scalars(wanted).all()
        if not found:
            return None
        return Refusal("USERNAME_TAKEN" if username_key in found else "EMAIL_TAKEN")

    def _change(
        self,
        subject: str,
        change: Callable[[User], Refusal | None],
        *,
        ends_sessions: bool = False,
        but: str | None = None,
    ) -> Account | Refusal:
        now_ms = self._clock.now_ms()
        ended: list[UserSession] = []
        with self._database.session() as session:
            user = session.get(User, subject, with_for_update=True)
            if user is None:
                return Refusal("ACCOUNT_UNKNOWN")
            refusal = change(user)
            if refusal is not None:
                return refusal
            # Every change has its own version, so that the store never keeps an older state.
            user.version += 1
            user.updated_at_ms = now_ms
            if ends_sessions:
                ended, _ = end_rows(session, subject, now_ms=now_ms, but=but)
        account = Account.of(user)
        self._store.put_state(account.state)
        tell_ends(self._store, ended)
        return account


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
    )
