"""Log in: one text and one amount of work for everything that is not right."""

import argon2
import pytest

from voxgate.accounts.login import check_login
from voxgate.accounts.passwords import Hasher
from voxgate.gate.errors import Refusal

INVALID = Refusal("INVALID_CREDENTIALS")


@pytest.fixture
def login(database, hasher):
    def call(identifier="testuser", password="password123"):
        return check_login(database, hasher, identifier=identifier, password=password)

    return call


@pytest.fixture
def verifications(monkeypatch):
    """Counts the hashes that are verified."""
    seen = []
    real = argon2.PasswordHasher.verify

    def verify(hasher, password_hash, password):
        seen.append(argon2.extract_parameters(password_hash))
        return real(hasher, password_hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    return seen


@pytest.mark.parametrize("identifier", ["testuser", "TestUser", "test@example.com", "TEST@EXAMPLE.COM"])
def test_right_password_gives_the_account(login, account, identifier):
    """A name or an address in any case, with its password, is the account."""
    assert login(identifier) == account


@pytest.mark.parametrize(
    ("identifier", "password"),
    [
        ("testuser", "password124"),
        ("testuser", ""),
        ("testuser", "\ud800"),
        ("testuser", "x" * 100_000),
        ("nobody", "password123"),
        ("no@body.example", "password123"),
        ("", "password123"),
        ("\ud800", "password123"),
        ("test\x00user", "password123"),
        ("x" * 100_000, "password123"),
    ],
)
@pytest.mark.usefixtures("account")
def test_everything_else_looks_and_costs_the_same(login, verifications, identifier, password):
    """One refusal and one hash of the same parameters: who exists cannot be found out."""
    assert login(identifier, password) == INVALID
    login()
    assert len(verifications) == 2
    assert verifications[0] == verifications[1]


def test_disabled_account_is_told_only_to_its_owner(login, accounts, account):
    """The wrong password learns nothing; the right one learns why it is refused."""
    accounts.set_active(account.subject, False)
    assert login(password="password124") == INVALID
    assert login() == Refusal("LOGIN_DISABLED")


def test_name_of_one_is_never_the_address_of_another(login, register):
    """A name cannot hold an at sign, so an identifier leads to one column only."""
    assert register("test@example.com", "other@example.com").code == "VALIDATION_FAILED"
    mine = register().account
    assert login("test@example.com") == mine


@pytest.mark.parametrize("identifier", ["testuser", "nobody"])
@pytest.mark.usefixtures("account")
def test_busy_hasher_is_told_for_known_and_unknown_alike(login, monkeypatch, identifier):
    """Being busy tells nothing of who exists."""
    busy = Refusal("HASHING_BUSY", retry_after_s=1)
    monkeypatch.setattr(Hasher, "verify", lambda *_arguments, **_named: busy)
    assert login(identifier) == busy
