"""The life of an account: registered, found, disabled, enabled, changed, given a new password, deleted."""

from collections.abc import Mapping
from typing import TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from voxgate.accounts.account import PREMIUM, ROLES, Account, is_id
from voxgate.accounts.changing import AccountChanges, OnDisabled
from voxgate.accounts.database import Database
from voxgate.accounts.deletion import delete_account
from voxgate.accounts.limit_terms import find_limit_faults, merge_limits
from voxgate.accounts.login import find_user
from voxgate.accounts.models import TierRow, User
from voxgate.accounts.password_rules import PasswordRules, rules_for
from voxgate.accounts.passwords import Hasher
from voxgate.accounts.registration import Registrar, Registration
from voxgate.accounts.session_rows import find_ended, tell_ends
from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.stores.base import Store

TIERS = (DEFAULT_TIER, PREMIUM)


class Terms(TypedDict, total=False):
    """What is to change of an account; what is absent stays.

    Attributes:
        tier: Name of a tier that there is.
        is_active: False disables the account.
        limits: Limits of its own by policy; None takes one back.
    """

    tier: str
    is_active: bool
    limits: Mapping[str, str | None]


class Accounts:
    """Every account. Every method raises DatabaseUnavailableError, those that change also StoreUnavailableError.

    A change commits in SQL first and is then told to the gate's store. When the store did not answer, the
    change stands, and making it again tells the store.

    Args:
        database: Where accounts are stored.
        store: The gate's store.
        hasher: The hasher of the service.
        clock: The time of every change.
        profile: ``development`` or ``production``, which chooses the password rules; or the rules.
        policies: The policies whose limits an account can have of its own.

    Raises:
        ConfigurationError: There is no such profile.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        *,
        hasher: Hasher,
        clock: Clock,
        profile: str | PasswordRules,
        policies: frozenset[str] = frozenset(),
    ) -> None:
        self._database = database
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._rules = rules_for(profile) if isinstance(profile, str) else profile
        self._policies = policies
        self._changes = AccountChanges(database, store, clock=clock)
        self._registrar = Registrar(database, store, hasher=hasher, clock=clock, rules=self._rules)

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
        return self._registrar.register(username=username, email=email, password=password)

    def enter(self, *, username: str, email: str, password_hash: str) -> Account | Refusal:
        """Make an account that comes from another system; its first login makes the hash anew.

        Returns:
            The account, or a refusal: VALIDATION_FAILED, USERNAME_TAKEN, EMAIL_TAKEN.
        """
        return self._registrar.enter(username=username, email=email, password_hash=password_hash)

    def find(self, subject: str) -> Account | None:
        """Return the account with this id, or None."""
        if not is_id(subject):
            return None
        with self._database.reading() as session:
            user = session.get(User, subject)
            return None if user is None else Account.of(user)

    def find_by_name(self, username_or_email: str) -> Account | None:
        """Return the account with this username or e-mail address, in any case, or None."""
        user = find_user(self._database, username_or_email)
        return None if user is None else Account.of(user)

    def list(self, *, after: str = "", limit: int | None = None) -> tuple[Account, ...]:
        """Return accounts, oldest first; every one unless bounded.

        Args:
            after: Id of the account behind which the list begins.
            limit: How many at most.
        """
        wanted = select(User).order_by(User.created_at_ms, User.subject)
        with self._database.reading() as session:
            last = session.get(User, after) if is_id(after) else None
            if last is not None:
                is_later = User.created_at_ms > last.created_at_ms
                is_next = (User.created_at_ms == last.created_at_ms) & (User.subject > last.subject)
                wanted = wanted.where(is_later | is_next)
            return tuple(Account.of(user) for user in session.scalars(wanted.limit(limit)))

    def change(self, subject: str, **terms: Unpack[Terms]) -> Account | Refusal:
        """Change an account's tier, state and own limits, all or none of them; holds from the next request.

        A disabled account's sessions and jobs end for ever; its API keys are refused until it is enabled again.

        Args:
            subject: The account.
            terms: What changes.

        Returns:
            The account as it is now, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN.
        """
        limits, is_active = terms.get("limits") or {}, terms.get("is_active")
        faults = find_limit_faults(limits, self._policies)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)

        def change(user: User, session: Session) -> Refusal | None:
            tier = terms.get("tier", user.tier)
            if tier != user.tier and not is_tier(session, tier):
                return Refusal("VALIDATION_FAILED", faults=(FieldFault("/tier", "must be the name of a tier"),))
            if is_active and not user.is_active:
                # Under the account's lock: no disabling can come between what the store is told and the enabling.
                tell_ends(self._store, find_ended(session, subject, now_ms=self._clock.now_ms()))
            user.tier, user.limits = tier, merge_limits(user.limits, limits)
            user.is_active = user.is_active if is_active is None else is_active
            return None

        return self._changes.make(subject, change, ends_sessions=is_active is False)

    def when_disabled(self, end: OnDisabled) -> None:
        """Have `end` called, with its id, in the transaction that disables or deletes an account."""
        self._changes.when_disabled(end)

    def set_active(self, subject: str, is_active: bool) -> Account | Refusal:  # noqa: FBT001 -- the verb's only object
        """Enable or disable an account; see ``change``."""
        return self.change(subject, is_active=is_active)

    def set_tier(self, subject: str, tier: str) -> Account | Refusal:
        """Move an account to another tier; see ``change``."""
        return self.change(subject, tier=tier)

    def set_role(self, subject: str, role: str, *, is_granted: bool) -> Account | Refusal:
        """Give an account a role, or take it back; holds from the next request.

        Returns:
            The account as it is now, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN.
        """
        if role not in ROLES:
            return Refusal("VALIDATION_FAILED", faults=(FieldFault("/role", f"must be one of {', '.join(ROLES)}"),))

        def change(user: User, _session: Session) -> None:
            roles = set(user.roles.split()) | {role} if is_granted else set(user.roles.split()) - {role}
            user.roles = " ".join(sorted(roles))

        return self._changes.make(subject, change)

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

        def change(user: User, _session: Session) -> None:
            user.password_hash = password_hash

        return self._changes.make(subject, change, ends_sessions=True)

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
        user = self._prove(subject, current)
        if isinstance(user, Refusal):
            return user
        if new == current:
            return Refusal("VALIDATION_FAILED", faults=(FieldFault("/new_password", "must be another one"),))
        known, password_hash = user.password_hash, self._hash_for(Account.of(user), new, pointer="/new_password")
        if isinstance(password_hash, Refusal):
            return password_hash

        def change(user: User, _session: Session) -> Refusal | None:
            if user.password_hash != known:
                return Refusal("WRONG_PASSWORD")  # another change was first, and what was proven is proven no more
            user.password_hash = password_hash
            return None

        return self._changes.make(subject, change, ends_sessions=True, but=session_id)

    def delete(self, subject: str, *, password: str | None = None) -> Refusal | None:
        """Delete an account with its sessions, keys, names and password; its credentials are dead when this returns.

        Args:
            subject: The account.
            password: Its password as it was typed, when its owner asks; None for the operator.

        Returns:
            None when it is done, or a refusal: ACCOUNT_UNKNOWN, WRONG_PASSWORD, HASHING_BUSY.
        """
        proven = None if password is None else self._prove(subject, password)
        if isinstance(proven, Refusal):
            return proven

        known_hash = None if proven is None else proven.password_hash
        return delete_account(self._database, self._store, self._changes, subject=subject, known_hash=known_hash)

    def _prove(self, subject: str, password: str) -> User | Refusal:
        """Return the row of an account for its password; one hash, whatever the answer."""
        with self._database.reading() as session:
            user = session.get(User, subject)
        is_right = self._hasher.verify(None if user is None else user.password_hash, password=password)
        if isinstance(is_right, Refusal):
            return is_right
        return Refusal("WRONG_PASSWORD") if user is None or not is_right else user

    def _hash_for(self, account: Account, password: str, *, pointer: str) -> str | Refusal:
        judgement = self._rules.judge(password, context=(account.username, account.email))
        if judgement.faults:
            return Refusal("VALIDATION_FAILED", faults=tuple(FieldFault(pointer, text) for text in judgement.faults))
        return self._hasher.hash(password)


def is_tier(session: Session, name: str) -> bool:
    """Tell whether there is a tier of this name, built in or defined as data.

    Its row stays as it is until the caller's transaction ends: whoever changes the tier afterwards finds the account.
    """
    row = session.get(TierRow, name, with_for_update={"read": True}) if name.isprintable() else None
    return row is not None or name in TIERS
