"""``User`` and ``db``: the second document's account and where it is stored, over the accounts of the service."""

import hmac
from typing import Final

from flask import g

from voxgate.accounts.account import Account
from voxgate.accounts.login import check_login
from voxgate.accounts.names import fold
from voxgate.gate import api_keys
from voxgate.gate.decision import KeyState
from voxgate.gate.errors import Refusal
from voxgate.web.classic import ClassicError
from voxgate.web.current import services
from voxgate.web.sessions import describe_account

_ADDED = "voxgate_classic_added"


class ClassicSession:
    """What stands where the document has ``db.session``: accounts that are added are made by ``commit``."""

    @staticmethod
    def add(user: "User") -> None:
        """Have an account made by the next ``commit``."""
        g.setdefault(_ADDED, []).append(user)

    @staticmethod
    def commit() -> None:
        """Make every account that was added, each by itself; changes of an account are stored when they are made.

        Raises:
            ClassicError: An account cannot be made; ``reason`` is a code such as USERNAME_TAKEN. Those before it are.
            DatabaseUnavailableError: The database cannot answer.
            StoreUnavailableError: The gate's store does not answer.
        """
        for user in g.pop(_ADDED, ()):
            user.register()


class ClassicDatabase:
    """What stands where the document has ``db``.

    Attributes:
        session: See ``ClassicSession``.
    """

    session: Final = ClassicSession()


class Query:
    """What stands where the document has ``User.query``."""

    @staticmethod
    def get(user_id: str) -> "User | None":
        """Return the account with this id, or None."""
        return _user_of(services().accounts.find(user_id))


db = ClassicDatabase()


class User:
    """An account as it was when it was read. Every method needs an application context of the service.

    A route that is guarded needs none of these calls: the gate reads credentials, and knows state and tier.
    Nothing here spends a limit; ``POST /login`` does before it looks at a password.

    Args:
        username: Name, by the rules of ``POST /register``.
        email: Address.
        password: Kept until ``db.session.commit()`` has stored its hash.

    Attributes:
        id: Stable text, the ``sub`` of its tokens; empty until it is stored.
    """

    query: Final = Query()

    def __init__(self, username: str, email: str, password: str = "") -> None:
        self.id = ""
        self._username = username
        self._email = email
        self._password = password
        self._account: Account | None = None
        self._first_key = ""
        self._key: KeyState | None = None

    @classmethod
    def get_by_username(cls, username: str, _session: object = None) -> "User | None":
        """Return the account of a name in any case, or None; the session is taken for the document's sake."""
        found = services().accounts.find_by_name(username)
        return _user_of(found) if found is not None and fold(found.username) == fold(username) else None

    @classmethod
    def get_by_email(cls, email: str, _session: object = None) -> "User | None":
        """Return the account of an address in any case, or None."""
        found = services().accounts.find_by_name(email)
        return _user_of(found) if found is not None and fold(found.email) == fold(email) else None

    @classmethod
    def get_by_api_key(cls, api_key: str, _session: object = None) -> "User | None":
        """Return the account of a key, an expired one too, or None.

        What else binds a key, its scopes, networks and limits, is judged by the gate alone.
        """
        parsed = api_keys.parse_key(api_key)
        key = None if parsed is None else services().directory.find_key(parsed.key_id)
        if parsed is None or key is None or key.is_ended or not hmac.compare_digest(parsed.digest, key.digest):
            return None
        user = _user_of(services().accounts.find(key.subject))
        if user is not None:
            user._key = key  # noqa: SLF001 -- its own
        return user

    @property
    def username(self) -> str:
        """Its name."""
        return self._username if self._account is None else self._account.username

    @property
    def email(self) -> str:
        """Its address."""
        return self._email if self._account is None else self._account.email

    @property
    def is_active(self) -> bool:
        """Whether it may do anything."""
        return self._account is not None and self._account.is_active

    @property
    def is_premium(self) -> bool:
        """Whether its tier is ``premium``."""
        return self._account is not None and self._account.is_premium

    def check_password(self, password: str) -> bool:
        """Tell whether this is the account's password, disabled or not; the same work for every answer.

        Raises:
            ClassicError: Too many passwords are being hashed.
            DatabaseUnavailableError: The database cannot answer.
        """
        parts = services()
        found = check_login(parts.database, parts.hasher, identifier=self.username, password=password)
        if isinstance(found, Refusal) and found.code == "HASHING_BUSY":
            raise ClassicError(found.code)
        return not isinstance(found, Refusal) or found.code == "LOGIN_DISABLED"

    def generate_api_key(self) -> str:
        """Return an API key that works at once: after ``commit`` the first one, from then on one more each time.

        The document has one key that is replaced; here the others go on until they are revoked.

        Raises:
            ClassicError: The account is not stored, or has as many keys as it can; ``reason`` is the code.
        """
        if self._first_key:
            text, self._first_key = self._first_key, ""
            return text
        issued = services().api_keys.create(self.id, name="classic")
        if isinstance(issued, Refusal):
            raise ClassicError(issued.code)
        return issued.text

    def is_api_key_expired(self) -> bool:
        """Tell whether the key by which the account was found has expired."""
        ends_at_ms = None if self._key is None else self._key.expires_at_ms
        return ends_at_ms is not None and ends_at_ms <= services().clock.now_ms()

    def to_dict(self) -> dict[str, object]:
        """Return what ``POST /login`` tells of the account.

        Raises:
            ClassicError: The account is not stored.
        """
        if self._account is None:
            raise ClassicError("ACCOUNT_UNKNOWN")
        return describe_account(self._account).model_dump()

    def register(self) -> None:
        """Make the account, with its first API key; ``db.session.commit()`` does."""
        made = services().accounts.register(username=self._username, email=self._email, password=self._password)
        if isinstance(made, Refusal):
            raise ClassicError(made.code)
        self._take(made.account)
        self._first_key, self._password = made.api_key, ""

    def _take(self, account: Account) -> None:
        self.id, self._account = account.subject, account


def _user_of(account: Account | None) -> User | None:
    if account is None:
        return None
    user = User(account.username, account.email)
    user._take(account)  # noqa: SLF001 -- its own
    return user
