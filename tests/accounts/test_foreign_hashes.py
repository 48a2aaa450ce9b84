"""Hashes that other systems have made: they open their accounts, and the first login makes them anew."""

import argon2
import bcrypt
import pytest
from werkzeug.security import generate_password_hash

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.accounts.foreign_hashes import is_foreign_hash, verify_foreign
from voxgate.accounts.login import check_login
from voxgate.accounts.models import User
from voxgate.accounts.passwords import HASHING_BUSY, Hasher

PASSWORD = "pässword of old"
MAKERS = {
    "pbkdf2-sha256": lambda password: generate_password_hash(password, method="pbkdf2:sha256:1000", salt_length=16),
    "pbkdf2-sha512": lambda password: generate_password_hash(password, method="pbkdf2:sha512:10"),
    "scrypt": lambda password: generate_password_hash(password, method="scrypt:1024:8:1"),
    "bcrypt": lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt-2a": lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode(),
    "argon2-old": argon2.PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash,
}
FOREIGN = [name for name in MAKERS if name != "argon2-old"]


@pytest.fixture
def stored(database, account):
    """Give the account a hash of another system, and read what it has."""

    def put(password_hash):
        with database.session() as session:
            session.get(User, account.subject).password_hash = password_hash

    def get():
        with database.reading() as session:
            return session.get(User, account.subject).password_hash

    return put, get


@pytest.fixture
def told():
    return []


@pytest.fixture
def login(database, hasher, told):
    def call(password=PASSWORD):
        return check_login(database, hasher, identifier="testuser", password=password, on_rehash=told.append)

    return call


class TestVerify:
    @pytest.mark.parametrize("name", FOREIGN)
    @pytest.mark.parametrize("password", [PASSWORD, "x", "long " * 14])
    def test_the_right_password_alone_matches(self, name, password):
        """In every form that was common, with any characters."""
        made = MAKERS[name](password)
        assert is_foreign_hash(made)
        assert verify_foreign(made, password.encode())
        assert not verify_foreign(made, (password[:-1] + "?").encode())

    def test_bcrypt_counts_the_bytes_that_it_always_has(self):
        """Systems that cut at 72 bytes have users with longer passwords; a zero byte cuts nothing off."""
        made = MAKERS["bcrypt"]("x" * 72)
        assert verify_foreign(made, b"x" * 80)
        assert not verify_foreign(made, b"x" * 71)
        assert not verify_foreign(MAKERS["bcrypt"]("abc"), b"abc\0def")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "plain",
            "md5$salt$" + "0" * 32,
            "pbkdf2:sha256:0$salt$" + "0" * 64,
            "pbkdf2:sha256:99999999$salt$" + "0" * 64,
            "pbkdf2:md5:1000$salt$" + "0" * 64,
            "pbkdf2:sha256:1000$salt$" + "0" * 64 + "\n",
            "scrypt:1048576:64:1$salt$" + "0" * 128,
            "scrypt:1000:8:1$salt$" + "0" * 128,
            "scrypt:1024:8:99$salt$" + "0" * 128,
            "scrypt:1024:0:1$salt$" + "0" * 128,
            "$2b$31$" + "a" * 53,
            "$2b$03$" + "a" * 53,
            "$1$salt$" + "0" * 22,
        ],
    )
    def test_what_is_no_hash_or_would_take_the_machine_is_refused(self, text):
        """At once, without any work."""
        assert not is_foreign_hash(text)
        assert not verify_foreign(text, b"password")


class TestLogin:
    @pytest.mark.parametrize("name", MAKERS)
    def test_the_first_login_makes_the_hash_anew(self, name, stored, login, account, told, hasher):
        """With the password that was just proven; the second finds nothing to do."""
        put, get = stored
        put(MAKERS[name](PASSWORD))
        assert hasher.is_outdated(get())
        assert login() == account
        assert get().startswith("$argon2id$")
        assert not hasher.is_outdated(get())
        assert login() == account
        assert told == [account.subject]

    @pytest.mark.parametrize("name", MAKERS)
    def test_a_wrong_password_changes_nothing(self, name, stored, login, told):
        """And is refused like any other."""
        put, get = stored
        made = MAKERS[name](PASSWORD)
        put(made)
        assert login("wrong password").code == "INVALID_CREDENTIALS"
        assert (get(), told) == (made, [])

    @pytest.mark.parametrize("trouble", ["busy", "database", "changed"])
    def test_what_cannot_be_made_now_waits(self, stored, login, account, told, monkeypatch, database, trouble):
        """The login succeeds all the same, and a password that was changed meanwhile stays."""
        put, get = stored
        put(MAKERS["bcrypt"](PASSWORD))

        def disturb(_hasher, _password):
            if trouble == "busy":
                return HASHING_BUSY
            if trouble == "changed":
                put("changed meanwhile")
            else:
                monkeypatch.setattr(database, "session", _refuse)
            return "hash"

        with monkeypatch.context() as patch:
            patch.setattr(Hasher, "hash", disturb)
            assert login() == account
        assert get() != "hash"
        assert told == []


def _refuse():
    raise DatabaseUnavailableError("locked")
