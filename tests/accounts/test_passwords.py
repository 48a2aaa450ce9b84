"""Hashing: right answers, bounded work, and the same work whatever the answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from argon2.exceptions import HashingError, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.accounts.password_rules import encode_password
from voxgate.accounts.passwords import HASHING_BUSY, Hasher
from voxgate.gate.errors import Refusal

CHEAP = Hasher(memory_kib=8)
DEFAULT_PARAMETERS = "$argon2id$v=19$m=47104,t=1,p=1$"


@pytest.fixture
def verified(monkeypatch):
    """Every hash that argon2 has verified."""
    seen = []
    real = argon2.PasswordHasher.verify

    def verify(hasher, password_hash, password):
        seen.append(argon2.extract_parameters(password_hash) if password_hash.startswith("$argon2") else None)
        return real(hasher, password_hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    return seen


@pytest.fixture
def gate(monkeypatch):
    """Holds every hash until it is opened, and tells when one has begun."""
    opened, begun = threading.Event(), threading.Semaphore(0)

    def hash_when_open(_hasher, _password):
        begun.release()
        assert opened.wait(60)
        return "hash"

    monkeypatch.setattr(argon2.PasswordHasher, "hash", hash_when_open)
    return opened, begun


class TestAnswer:
    def test_default_is_argon2id_as_owasp_chooses(self):
        """One real hash with the parameters of the service, verified."""
        hasher = Hasher()
        hashed = hasher.hash("password123")
        assert hashed.startswith(DEFAULT_PARAMETERS)
        assert hasher.verify(hashed, password="password123") is True

    @settings(max_examples=30)
    @given(st.text(min_size=1, max_size=40).filter(lambda text: encode_password(text) is not None))
    def test_only_the_same_text_matches(self, password):
        """The whole password counts."""
        hashed = CHEAP.hash(password)
        assert CHEAP.verify(hashed, password=password) is True
        assert CHEAP.verify(hashed, password=password + "x") is False
        assert CHEAP.verify(hashed, password=password[:-1]) is False

    def test_same_password_has_another_hash_each_time(self):
        """Salted: equal passwords cannot be seen."""
        assert CHEAP.hash("password123") != CHEAP.hash("password123")

    def test_last_of_many_bytes_counts(self):
        """No silent cut at 72 bytes."""
        hashed = CHEAP.hash("x" * 1023 + "y")
        assert CHEAP.verify(hashed, password="x" * 1023 + "z") is False

    @pytest.mark.parametrize(
        "stored", [None, "", "plain", "pbkdf2:sha256:1$a$b", "pbkdf2:sha256:99999999$salt$" + "0" * 64]
    )
    def test_nothing_matches_an_unknown_account_or_a_foreign_hash(self, stored):
        """No password opens what has no hash of ours, the empty one neither."""
        assert CHEAP.verify(stored, password="password123") is False
        assert CHEAP.verify(stored, password="") is False

    def test_text_that_is_no_password_matches_nothing(self):
        """Half a character or a megabyte is a wrong password, not an error."""
        hashed = CHEAP.hash("password123")
        assert CHEAP.verify(hashed, password="\ud800") is False
        assert CHEAP.verify(hashed, password="x" * 1_000_000) is False

    def test_text_that_is_no_password_is_never_hashed(self):
        """The rules stand before the hasher; passing them by is a defect."""
        with pytest.raises(ValueError, match="no such password"):
            CHEAP.hash("\ud800")

    def test_hasher_tells_no_secret(self):
        """Printing the hasher shows no hash."""
        assert "argon2id" not in repr(CHEAP)


class TestWork:
    def test_unknown_wrong_right_and_impossible_cost_the_same(self, verified):
        """One verification with the same parameters, whatever the answer."""
        hashed = CHEAP.hash("password123")
        for stored, password in [(hashed, "password123"), (hashed, "x"), (None, "x"), (hashed, "\ud800"), (None, "")]:
            CHEAP.verify(stored, password=password)
        assert len(verified) == 5
        assert len(set(map(repr, verified))) == 1

    def test_a_hash_that_nobody_understands_costs_one_verification_too(self, verified):
        """Finding the form wrong computes nothing, so the dummy is verified in its place."""
        CHEAP.verify("pbkdf2:sha256:1$a$b", password="password123")
        assert verified == [None, argon2.extract_parameters(CHEAP.hash("x"))]


class TestBounds:
    def test_full_queue_refuses_at_once(self, gate):
        """One runs, two wait, the fourth is told to come back; afterwards everything is free again."""
        opened, begun = gate
        hasher = Hasher(workers=1, queue=2, memory_kib=8)
        with ThreadPoolExecutor(3) as threads:
            waiting = [threads.submit(hasher.hash, "password123") for _ in range(3)]
            begun.acquire(timeout=60)
            refused = _ask_until_refused(hasher)
            opened.set()
            assert [each.result() for each in waiting].count("hash") >= 2
        assert refused == Refusal("HASHING_BUSY", retry_after_s=1)
        assert hasher.hash("password123") == "hash"

    def test_no_more_run_at_once_than_there_are_workers(self, gate, monkeypatch):
        """Memory is bounded by the workers."""
        opened, _begun = gate
        opened.set()
        running, most = [], []
        lock = threading.Lock()

        def count(_hasher, _password):
            with lock:
                running.append(1)
                most.append(len(running))
            with lock:
                running.pop()
            return "hash"

        monkeypatch.setattr(argon2.PasswordHasher, "hash", count)
        hasher = Hasher(workers=2, queue=100, memory_kib=8)
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(hasher.hash, ["password123"] * 100))
        assert max(most) <= 2

    @pytest.mark.parametrize("error", [HashingError("memory"), VerificationError("memory")])
    def test_missing_memory_is_told_as_busy(self, monkeypatch, error):
        """A machine without 46 MiB to spare refuses for a moment, and the place is given back."""
        hasher = Hasher(workers=1, queue=0, memory_kib=8)
        with monkeypatch.context() as patched:
            patched.setattr(argon2.PasswordHasher, "verify", _raise(error))
            assert hasher.verify(None, password="password123") == HASHING_BUSY
        assert hasher.verify(None, password="password123") is False


def _ask_until_refused(hasher):
    """Ask in threads, because an admitted one would wait; at most the free places are admitted before the refusal."""
    answers = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: answers.append(hasher.hash("password123")), daemon=True)
        thread.start()
        thread.join(0.2)
        if answers:
            return answers[0]
    return None


def _raise(error):
    def call(*_arguments):
        raise error

    return call
