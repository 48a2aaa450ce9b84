"""A password that is changed by its owner: proven by the current one, and the end of all other sessions."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_sessions import ask

from voxgate.accounts.login import check_login
from voxgate.accounts.passwords import HASHING_BUSY
from voxgate.gate.errors import Refusal

NEW = "seven round stones"


@pytest.fixture
def mine(sessions, account):
    return sessions.open(account, address="", device="").session_id


@pytest.fixture
def change(accounts, account, mine):
    """Change the password; returns the account or the refusal."""

    def call(current=PASSWORD, new=NEW, subject=account.subject):
        return accounts.change_password(subject, current=current, new=new, session_id=mine)

    return call


@pytest.fixture
def log_in(database, hasher):
    return lambda password: check_login(database, hasher, identifier="testuser", password=password)


def test_new_password_counts_and_the_old_one_no_more(change, log_in, account):
    """From the moment of the answer."""
    assert change().subject == account.subject
    assert log_in(NEW).subject == account.subject
    assert log_in(PASSWORD) == Refusal("INVALID_CREDENTIALS")


def test_other_sessions_end_and_this_one_goes_on(change, sessions, account, store, mine):
    """Whoever stole a session loses it; the owner does not."""
    stolen = sessions.open(account, address="", device="").session_id
    change()
    assert ask(store, stolen).refusal.code == "TOKEN_REVOKED"
    assert ask(store, mine).is_allowed
    assert [info.session_id for info in sessions.list(account.subject)] == [mine]


@pytest.mark.parametrize("current", ["", "wrong password", PASSWORD.upper(), "\0", "\ud800", "x" * 5000])
def test_wrong_current_password_changes_nothing(change, log_in, sessions, account, store, current):
    """However it is wrong; the other sessions live on."""
    other = sessions.open(account, address="", device="").session_id
    assert change(current) == Refusal("WRONG_PASSWORD")
    assert log_in(PASSWORD).subject == account.subject
    assert ask(store, other).is_allowed


@pytest.mark.parametrize("new", ["short", "x" * 2000, "\ud800" * 20, PASSWORD])
def test_new_password_keeps_the_rules(change, log_in, account, new):
    """The profile's, and it is another one than the current."""
    refusal = change(new=new)
    assert (refusal.code, refusal.faults[0].pointer) == ("VALIDATION_FAILED", "/new_password")
    assert log_in(PASSWORD).subject == account.subject


def test_rules_are_told_only_to_who_knows_the_current_password(change):
    """A guess learns that it is wrong and nothing else."""
    assert change("wrong password", "short") == Refusal("WRONG_PASSWORD")


def test_unknown_account_costs_and_tells_the_same(change, hasher, monkeypatch):
    """A hash is verified for everybody."""
    verified = []
    verify = hasher.verify
    monkeypatch.setattr(hasher, "verify", lambda *given, **named: verified.append(1) or verify(*given, **named))
    assert change(subject="0" * 32) == change("wrong password") == Refusal("WRONG_PASSWORD")
    assert len(verified) == 2


@pytest.mark.parametrize("work", ["verify", "hash"])
def test_too_many_hashes_at_once_are_told(change, hasher, log_in, account, monkeypatch, work):
    """Nothing has changed then."""
    with monkeypatch.context() as busy:
        busy.setattr(hasher, work, lambda *_given, **_named: HASHING_BUSY)
        assert change() == HASHING_BUSY
    assert log_in(PASSWORD).subject == account.subject


def test_of_changes_at_once_one_wins(change, log_in):
    """A password proves one change; the others are told that it is wrong now."""
    words = [f"{number} round stones" for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda new: change(new=new), words))
    won = [new for new, answer in zip(words, answers, strict=True) if not isinstance(answer, Refusal)]
    assert len(won) == 1
    assert [isinstance(log_in(new), Refusal) for new in words] == [new not in won for new in words]
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"WRONG_PASSWORD"}


def test_login_that_races_with_the_change_opens_nothing(change, sessions, account):
    """What was proven before the change is worth nothing after it."""
    change()
    assert sessions.open(account, address="", device="") == Refusal("INVALID_CREDENTIALS")
