"""The second document's ``User`` and ``db``: its calls as it writes them, with what it expects of them."""

import pytest
from flask import g, jsonify
from tests.support.service import ANN, bearer

from voxgate.gate.errors import Refusal
from voxgate.web import classic_users
from voxgate.web.classic import ClassicError
from voxgate.web.classic_users import User, db

ME = "/api/v1/auth/me"


@pytest.fixture(autouse=True)
def _inside(app):
    with app.app_context():
        yield


@pytest.fixture
def made():
    """An account, made as the document's ``register`` makes it."""
    user = User(username=ANN["username"], email=ANN["email"], password=ANN["password"])
    db.session.add(user)
    db.session.commit()
    return user


class TestRegister:
    def test_nobody_is_there_before(self):
        """The document asks for both before it makes an account."""
        assert User.get_by_username(ANN["username"], db.session) is None
        assert User.get_by_email(ANN["email"], db.session) is None

    def test_account_is_stored_and_its_key_works(self, made, client):
        """The document's key was never stored."""
        assert made.id
        key = made.generate_api_key()
        assert key.startswith("sk-")
        assert client.get(ME, headers={"X-API-Key": key}).get_json()["id"] == made.id

    def test_account_can_log_in_over_http(self, made, client):
        """It is the same account everywhere."""
        login = client.post("/api/v1/auth/login", json={name: ANN[name] for name in ("username", "password")})
        assert login.get_json()["user"] == made.to_dict()

    def test_taken_names_are_told_by_their_code(self, made):
        """Where two ask at once, the second is told, whatever it has seen before."""
        db.session.add(User(ANN["username"], "other@example.com", ANN["password"]))
        with pytest.raises(ClassicError, match="USERNAME_TAKEN"):
            db.session.commit()
        db.session.add(User("other", ANN["email"], ANN["password"]))
        with pytest.raises(ClassicError, match="EMAIL_TAKEN"):
            db.session.commit()
        db.session.commit()  # nothing is left of them

    def test_nothing_is_made_without_commit(self, app):
        """And what one request has added, another does not commit."""
        waiting = User("later", "later@example.com", ANN["password"])
        db.session.add(waiting)
        with app.app_context():
            db.session.commit()
        assert (waiting.id, waiting.is_active, waiting.is_premium, waiting.username) == ("", False, False, "later")
        assert waiting.email == "later@example.com"
        with pytest.raises(ClassicError, match="ACCOUNT_UNKNOWN"):
            waiting.to_dict()
        assert User.get_by_username("later") is None
        assert len(g.voxgate_classic_added) == 1


class TestLogin:
    def test_user_is_found_by_name_and_by_address(self, made):
        """In any case, and never by the other."""
        assert User.get_by_username("TestUser", db.session).id == made.id
        assert User.get_by_email("TEST@example.com", db.session).id == made.id
        assert User.get_by_username(ANN["email"], db.session) is None
        assert User.get_by_email(ANN["username"], db.session) is None

    def test_right_password_alone_is_right(self, made):
        """Found or just made."""
        for user in (made, User.get_by_username(ANN["username"], db.session)):
            assert user.check_password(ANN["password"])
            assert not user.check_password(ANN["password"] + "!")

    def test_disabled_user_is_not_active_but_has_a_password(self, made, services):
        """The document looks at the password first."""
        services.accounts.set_active(made.id, False)
        user = User.query.get(made.id)
        assert user.check_password(ANN["password"])
        assert not user.is_active

    def test_busy_hasher_is_told(self, made, monkeypatch):
        """A password that was not looked at is not wrong."""
        monkeypatch.setattr(classic_users, "check_login", lambda *_, **__: Refusal("HASHING_BUSY"))
        with pytest.raises(ClassicError, match="HASHING_BUSY"):
            made.check_password(ANN["password"])

    def test_dictionary_is_what_login_tells(self, made):
        """And holds no secret."""
        told = User.query.get(made.id).to_dict()
        assert told.keys() == {"id", "username", "email", "tier", "is_premium", "is_active", "created_at"}
        assert jsonify(told).get_json() == told


class TestPremium:
    def test_tier_is_seen(self, made, services):
        """As the document's ``require_premium`` asks for it."""
        assert not User.query.get(made.id).is_premium
        services.accounts.set_tier(made.id, "premium")
        assert User.query.get(made.id).is_premium

    def test_deleted_user_is_none(self, made, services):
        """The document's decorator broke on it."""
        services.accounts.delete(made.id)
        assert User.query.get(made.id) is None


class TestApiKey:
    def test_key_names_its_user(self, made):
        """As the document's ``require_api_key`` asks for it."""
        user = User.get_by_api_key(made.generate_api_key(), db.session)
        assert user.id == made.id
        assert not user.is_api_key_expired()

    def test_each_call_makes_one_more(self, made):
        """And the others go on."""
        keys = {made.generate_api_key() for _ in range(3)}
        assert len(keys) == 3
        assert {User.get_by_api_key(key).id for key in keys} == {made.id}

    def test_unknown_mistyped_and_revoked_keys_name_nobody(self, made, services):
        """Nor does a right id with another secret."""
        key = made.generate_api_key()
        other = classic_users.api_keys.new_key().text
        assert [User.get_by_api_key(text) for text in ("", "sk-x", key[:-1], other)] == [None] * 4
        services.api_keys.revoke(made.id, classic_users.api_keys.parse_key(key).key_id)
        assert User.get_by_api_key(key) is None

    def test_expired_key_is_told(self, made, services, clock):
        """It still names its user, so that the answer can say so."""
        key = services.api_keys.create(made.id, expires_in_s=60).text
        assert not User.get_by_api_key(key).is_api_key_expired()
        clock.advance(60)
        assert User.get_by_api_key(key).is_api_key_expired()
        assert not User.query.get(made.id).is_api_key_expired()

    def test_key_of_an_account_that_is_going_names_nobody(self, made, services, monkeypatch):
        """Its row goes after the account is disabled."""
        key = made.generate_api_key()
        monkeypatch.setattr(type(services.accounts), "find", lambda *_: None)
        assert User.get_by_api_key(key) is None

    def test_key_of_a_user_that_is_not_stored_is_refused(self):
        """By a code."""
        with pytest.raises(ClassicError, match="ACCOUNT_UNKNOWN"):
            User("nobody", "nobody@example.com").generate_api_key()


def test_token_of_the_user_opens_what_its_tier_opens(made, services, client):
    """The id is the ``sub`` of tokens."""
    pair = services.sessions.open(services.accounts.find(made.id), address="", device="")
    assert client.get(ME, headers=bearer(pair.access_token)).get_json()["username"] == made.username
