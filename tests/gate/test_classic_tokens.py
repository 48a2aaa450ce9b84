"""The second document's classes about tokens and events: its call forms, and what the words of each promise."""

import logging

import pytest

from voxgate.gate.classic.loggers import AuthLogger, RateLimitLogger
from voxgate.gate.classic.tokens import TokenManager
from voxgate.gate.decision import AccountState, SessionState


@pytest.fixture
def token(admission, known, clock):
    return admission.signer.issue_access("u1", "s1", now_ms=clock.now_ms())


@pytest.fixture
def tokens(admission, clock):
    return TokenManager(admission, clock=clock)


@pytest.fixture
def records():
    """Every record that the logger of an application has got."""
    return []


@pytest.fixture
def logger(records):
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("an.application")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


class TestTokenManager:
    def test_info_says_whose_and_until_when(self, tokens, token, clock):
        """The four keys of the document, and whether it was revoked."""
        info = tokens.get_token_info(token)
        assert info == {
            "user_id": "u1",
            "exp": clock.now_ms() // 1000 + 900,
            "jti": info["jti"],
            "is_expired": False,
            "is_revoked": False,
        }

    def test_info_of_a_bad_token_says_why(self, tokens, token, clock):
        """The document's two errors."""
        assert tokens.get_token_info("x.y.z") == {"error": "Invalid token"}
        clock.advance(900)
        assert tokens.get_token_info(token) == {"error": "Token expired"}

    def test_revoked_token_is_refused_by_the_gate(self, tokens, token, admission, store):
        """One truth: what is revoked by its jti is ended for every route."""
        jti = tokens.get_token_info(token)["jti"]
        assert not tokens.is_token_revoked(jti)
        tokens.revoke_token(jti)
        assert tokens.is_token_revoked(jti)
        assert tokens.get_token_info(token)["is_revoked"]

    def test_session_id_is_taken_as_well(self, tokens, known):
        """Who knows the session need not know a token."""
        tokens.revoke_token("s1")
        assert tokens.is_token_revoked("s1")

    def test_unknown_token_counts_as_revoked(self, tokens, store):
        """What nobody knows is never taken as valid."""
        assert tokens.is_token_revoked("nobody.1")

    def test_directory_is_asked_and_told(self, admission, clock, directory, store):
        """Where SQL is the truth, its session lives on until it is ended there."""
        ended = []
        directory.add(AccountState("u2"), SessionState("s2", "u2", clock.now_ms() + 60_000))
        directory.end_session = lambda session_id, **_: ended.append(session_id)
        tokens = TokenManager(admission, directory=directory, clock=clock)
        assert not tokens.is_token_revoked("s2.1")
        tokens.revoke_token("s2.1")
        assert ended == ["s2"]
        assert tokens.is_token_revoked("s2.1")

    def test_store_that_forgets_at_once_revokes(self, admission, clock, directory, store, monkeypatch):
        """A store that cannot keep what it is told proves nothing."""
        directory.add(AccountState("u2"), SessionState("s2", "u2", clock.now_ms() + 60_000))
        monkeypatch.setattr(admission.store, "put_state", lambda _: None)
        assert TokenManager(admission, directory=directory, clock=clock).is_token_revoked("s2.1")

    def test_cleanup_has_nothing_to_do(self, tokens, token):
        """The store forgets by itself; nothing that lives is touched."""
        tokens.cleanup_expired_tokens()
        assert not tokens.get_token_info(token)["is_revoked"]


class TestAuthLogger:
    def test_login_is_told_with_its_fields(self, logger, records, clock):
        """The document's text and fields, with the time in UTC."""
        AuthLogger(logger, clock=clock).log_login("u1", "192.0.2.1", "curl/8", True)
        (record,) = records
        assert (record.levelname, record.getMessage()) == ("INFO", "Successful login: u1")
        assert (record.event, record.user_id, record.ip_address, record.user_agent) == (
            "login",
            "u1",
            "192.0.2.1",
            "curl/8",
        )
        assert record.success
        assert record.timestamp == "2027-01-15T08:00:00+00:00"

    def test_failed_login_names_what_was_typed_and_forges_nothing(self, logger, records):
        """A line break in a name makes no second line."""
        AuthLogger(logger).log_login("bob\nINFO Successful login: admin", "192.0.2.1", "curl/8", success=False)
        (record,) = records
        assert record.levelname == "WARNING"
        assert "\n" not in record.getMessage()
        assert record.getMessage().startswith("Failed login attempt: bob")
        assert record.fields["username"].startswith("bob")

    def test_key_usage_is_told(self, logger, records):
        """Who, where to and from where."""
        AuthLogger(logger).log_api_key_usage("u1", "/api/v1/tts/generate", "192.0.2.1")
        (record,) = records
        assert record.getMessage() == "API key used: u1"
        assert (record.event, record.endpoint) == ("api_key_usage", "/api/v1/tts/generate")


def test_limits_are_told_once_and_then_counted(logger, records, clock):
    """A hundred refused calls are two lines."""
    limits = RateLimitLogger(logger, clock=clock)
    for _ in range(100):
        limits.log_rate_limit_exceeded("u1", "/x", 10)
    assert [record.getMessage() for record in records] == ["Rate limit exceeded: u1"]
    assert (records[0].event, records[0].limit, records[0].levelname) == ("rate_limit_exceeded", 10, "WARNING")
    clock.advance(60)
    limits.log_rate_limit_exceeded("u1", "/x", 10)
    assert [record.fields.get("repeats") for record in records] == [None, 99, None]
