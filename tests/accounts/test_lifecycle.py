"""The life of an account over its public functions, with the real store of the gate."""

import pytest
from sqlalchemy import event

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.login import check_login
from voxgate.accounts.models import ApiKey, User
from voxgate.accounts.passwords import Hasher
from voxgate.gate.api_keys import parse_key
from voxgate.gate.decision import Query
from voxgate.gate.errors import ConfigurationError, Refusal, StoreUnavailableError
from voxgate.gate.principal import CredentialKind


def ask_key(store, text, *, tier=None):
    key = parse_key(text)
    query = Query(charges={"": ()}, kind=CredentialKind.API_KEY, credential_id=key.key_id, digest=key.digest, tier=tier)
    return store.decide(query)


def ask_session(store, session_id):
    return store.decide(Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=session_id))


class TestRegister:
    def test_gives_an_account_as_it_was_asked_for(self, register, clock):
        """A new account is standard, active and carries what was typed."""
        account = register("TestUser", "Test@Example.com").account
        assert (account.username, account.email) == ("TestUser", "Test@Example.com")
        assert (account.tier, account.is_premium, account.is_active) == ("standard", False, True)
        assert account.created_at_ms == clock.at_ms
        assert len(account.subject) == 32

    def test_first_key_works_at_once(self, register, store):
        """The key of the answer is known to the gate before the answer is given."""
        made = register()
        assert ask_key(store, made.api_key).principal.subject == made.account.subject

    def test_first_key_is_stored_as_a_digest(self, register, database):
        """Neither the key's text nor the password is anywhere in the file."""
        made = register()
        with database.reading() as session:
            row = session.get(ApiKey, parse_key(made.api_key).key_id)
            user = session.get(User, made.account.subject)
        assert row.digest == parse_key(made.api_key).digest
        assert user.password_hash.startswith("$argon2id$")

    def test_secrets_are_not_in_any_text_form(self, register, database):
        """A registration, an account or a row that is printed by mistake tells no secret."""
        made = register()
        with database.reading() as session:
            user = session.get(User, made.account.subject)
        printed = f"{made} {user} {made.account}"
        assert made.api_key not in printed
        assert "argon2" not in printed

    @pytest.mark.parametrize("missing", ["username", "email", "password"])
    def test_missing_field_is_refused(self, accounts, missing):
        """An empty field is a missing one."""
        fields = {"username": "someone", "email": "a@example.com", "password": "password123", missing: ""}
        assert accounts.register(**fields) == Refusal("MISSING_FIELDS")

    def test_every_bad_field_is_named_at_once(self, register):
        """One answer names all that is wrong, and repeats no value."""
        refusal = register("a b", "nowhere", "short")
        assert refusal.code == "VALIDATION_FAILED"
        assert [fault.pointer for fault in refusal.faults] == ["/username", "/email", "/password"]
        assert not any("nowhere" in fault.detail or fault.detail == "short" for fault in refusal.faults)

    @pytest.mark.parametrize("again", ["testuser", "TESTUSER", "ｔｅｓｔｕｓｅｒ"])  # noqa: RUF001 -- full width
    def test_taken_username_is_refused_in_every_spelling(self, register, again):
        """Names are compared without case and width."""
        register("testuser")
        assert register(again, "other@example.com") == Refusal("USERNAME_TAKEN")

    def test_taken_email_is_refused_in_every_case(self, register):
        """Addresses are compared without case."""
        register()
        assert register("other", "TEST@example.COM") == Refusal("EMAIL_TAKEN")

    def test_name_is_told_before_address_when_both_are_taken(self, register):
        """Two conflicts give one stable answer."""
        register()
        assert register() == Refusal("USERNAME_TAKEN")

    def test_name_taken_by_one_and_address_by_another_tells_the_name(self, register):
        """Two conflicts with two accounts give the same stable answer."""
        register("first", "first@example.com")
        register("second", "second@example.com")
        assert register("second", "first@example.com") == Refusal("USERNAME_TAKEN")

    def test_common_password_only_warns_in_development(self, register):
        """The first document's own password registers, and the answer says what is wrong with it."""
        assert register(password="password123").warnings
        assert register("other", "o@example.com", "seven stones in a stream").warnings == ()

    def test_production_refuses_common_and_context_passwords(self, database, store, hasher, clock):
        """In production the same findings are faults."""
        accounts = Accounts(database, store, hasher=hasher, clock=clock, profile="production")
        for password in ("password123", "qwertyuiopasdfg", "testuser-testuser-1"):
            refusal = accounts.register(username="testuser", email="a@example.com", password=password)
            assert refusal.code == "VALIDATION_FAILED", password
        assert accounts.register(username="testuser", email="a@example.com", password="seven stones in it").account

    def test_unknown_profile_is_refused(self, database, store, hasher, clock):
        """A misspelt profile never means the weaker rules."""
        with pytest.raises(ConfigurationError):
            Accounts(database, store, hasher=hasher, clock=clock, profile="prod")

    def test_lost_race_for_the_transaction_is_a_refusal(self, accounts, register, monkeypatch):
        """Somebody who registers between the question and the transaction wins; the other gets a 409."""
        real_hash = Hasher.hash

        def hash_slowly(hasher, password):
            monkeypatch.setattr(Hasher, "hash", real_hash)
            register("testuser", "first@example.com")
            return real_hash(hasher, password)

        monkeypatch.setattr(Hasher, "hash", hash_slowly)
        assert register("testuser", "second@example.com") == Refusal("USERNAME_TAKEN")
        assert [account.email for account in accounts.list()] == ["first@example.com"]

    def test_conflict_that_nobody_explains_is_not_hidden(self, register, monkeypatch):
        """A violation that is neither name nor address is a defect and is raised as one."""
        subject = register().account.subject
        monkeypatch.setattr("voxgate.accounts.registration.secrets.token_hex", lambda _size: subject)
        with pytest.raises(Exception, match=r"users\.subject|pk_users") as caught:
            register("other", "other@example.com")
        assert "argon2" not in str(caught.value)

    def test_no_lock_is_held_while_hashing(self, register, database, monkeypatch):
        """Another connection may write while a password is hashed."""
        real_hash = Hasher.hash

        def hash_and_write(hasher, password):
            with database.session() as session:
                session.add(User(**_other_user()))
            return real_hash(hasher, password)

        monkeypatch.setattr(Hasher, "hash", hash_and_write)
        assert register().account.username == "testuser"

    def test_busy_hasher_leaves_nothing(self, accounts, register, monkeypatch):
        """A refused hash writes no row."""
        monkeypatch.setattr(Hasher, "hash", lambda _hasher, _password: Refusal("HASHING_BUSY", retry_after_s=1))
        assert register() == Refusal("HASHING_BUSY", retry_after_s=1)
        assert accounts.list() == ()

    def test_failure_at_the_key_leaves_no_user(self, accounts, register, database):
        """User and first key are one transaction."""

        def fail(_connection, _cursor, statement, _parameters, _context, _many):
            if "INSERT INTO api_keys" in statement:
                raise DatabaseUnavailableError("disk full")

        event.listen(database.engine, "before_cursor_execute", fail)
        with pytest.raises(DatabaseUnavailableError):
            register()
        event.remove(database.engine, "before_cursor_execute", fail)
        assert accounts.list() == ()


class TestFind:
    def test_finds_by_id_name_and_address_in_any_case(self, accounts, account):
        """Every way to name an account leads to the same one."""
        assert accounts.find(account.subject) == account
        assert accounts.find_by_name("TESTUSER") == account
        assert accounts.find_by_name("Test@Example.Com") == account

    @pytest.mark.parametrize("name", ["nobody", "no@body", "", "x" * 300, "\ud800", "a\x00b"])
    @pytest.mark.usefixtures("account")
    def test_finds_nobody_for_other_texts(self, accounts, name):
        """A text that no database takes names nobody and raises nothing."""
        assert accounts.find_by_name(name) is None
        assert accounts.find("0" * 32) is None

    def test_lists_everybody_oldest_first(self, accounts, register, clock):
        """The list is complete and in a stable order."""
        for number in range(3):
            clock.at_ms += 1
            register(f"user{number}", f"user{number}@example.com")
        assert [account.username for account in accounts.list()] == ["user0", "user1", "user2"]


class TestChange:
    def test_disabling_holds_from_the_next_request(self, accounts, register, store):
        """Every credential of a disabled account is refused, and works again once it is enabled."""
        made = register()
        assert accounts.set_active(made.account.subject, False).is_active is False
        assert ask_key(store, made.api_key).refusal == Refusal("ACCOUNT_DISABLED")
        assert accounts.set_active(made.account.subject, True).is_active is True
        assert ask_key(store, made.api_key).is_allowed

    def test_tier_holds_from_the_next_request(self, accounts, register, store):
        """A raised account passes a premium route at once, and a lowered one does not."""
        made = register()
        assert ask_key(store, made.api_key, tier="premium").refusal.code == "PREMIUM_REQUIRED"
        assert accounts.set_tier(made.account.subject, "premium").is_premium
        assert ask_key(store, made.api_key, tier="premium").is_allowed
        accounts.set_tier(made.account.subject, "standard")
        assert ask_key(store, made.api_key, tier="premium").refusal.code == "PREMIUM_REQUIRED"

    def test_every_change_has_its_own_version(self, accounts, account):
        """Versions grow, also when a change changes nothing, so that the store can be told again."""
        versions = [accounts.set_active(account.subject, False).version for _ in range(3)]
        assert versions == [2, 3, 4]

    def test_store_that_was_down_is_told_by_the_same_change_again(self, accounts, register, store, monkeypatch):
        """The truth stands in SQL; repeating the command brings it to the gate."""
        made = register()

        def refuse(_state):
            raise StoreUnavailableError("down")

        with monkeypatch.context() as down:
            down.setattr(store, "put_state", refuse)
            with pytest.raises(StoreUnavailableError):
                accounts.set_active(made.account.subject, False)
        assert accounts.find(made.account.subject).is_active is False
        accounts.set_active(made.account.subject, False)
        assert ask_key(store, made.api_key).refusal.code == "ACCOUNT_DISABLED"

    def test_unknown_tier_is_refused(self, accounts, account):
        """A misspelt tier never becomes a tier without limits."""
        refusal = accounts.set_tier(account.subject, "gold")
        assert refusal.code == "VALIDATION_FAILED"
        assert refusal.faults[0].pointer == "/tier"

    def test_unknown_account_is_refused(self, accounts):
        """Changing nobody is an expected no."""
        unknown = Refusal("ACCOUNT_UNKNOWN")
        assert accounts.set_active("0" * 32, False) == unknown
        assert accounts.set_tier("0" * 32, "premium") == unknown
        assert accounts.set_password("0" * 32, "password123") == unknown


class TestPassword:
    def test_new_password_replaces_the_old(self, accounts, account, database, hasher):
        """After the change only the new password logs in."""
        changed = accounts.set_password(account.subject, "seven stones")
        assert check_login(database, hasher, identifier="testuser", password="seven stones") == changed
        assert check_login(database, hasher, identifier="testuser", password="password123").code
        assert changed.version == 2

    def test_new_password_ends_every_session_and_no_key(self, accounts, register, sessions, store):
        """Whoever had the old password is out at once; API keys stay."""
        made = register()
        pairs = [sessions.open(made.account, address="192.0.2.1", device="") for _ in range(3)]
        accounts.set_password(made.account.subject, "seven stones")
        assert {ask_session(store, pair.session_id).refusal.code for pair in pairs} == {"TOKEN_REVOKED"}
        assert sessions.refresh(pairs[0].session_id, made.account.subject) == Refusal("TOKEN_REVOKED")
        assert ask_key(store, made.api_key).is_allowed

    def test_other_accounts_keep_their_sessions(self, accounts, register, sessions, store):
        """A change of password touches one account."""
        mine = register().account
        other = register("other", "other@example.com").account
        pair = sessions.open(other, address="192.0.2.1", device="")
        accounts.set_password(mine.subject, "seven stones")
        assert ask_session(store, pair.session_id).is_allowed

    def test_bad_password_changes_nothing(self, accounts, account, database, hasher):
        """A refused password leaves the old one."""
        assert accounts.set_password(account.subject, "short").faults[0].pointer == "/password"
        assert check_login(database, hasher, identifier="testuser", password="password123") == account

    def test_busy_hasher_changes_nothing(self, accounts, account, monkeypatch):
        """A refused hash leaves the account as it was."""
        monkeypatch.setattr(Hasher, "hash", lambda _hasher, _password: Refusal("HASHING_BUSY"))
        assert accounts.set_password(account.subject, "seven stones") == Refusal("HASHING_BUSY")
        assert accounts.find(account.subject) == account


def _other_user():
    names = dict.fromkeys(("username", "username_key", "email", "email_key", "password_hash", "tier"), "other")
    numbers = {"version": 1, "created_at_ms": 1, "updated_at_ms": 1}
    return {"subject": "f" * 32, "is_active": True, **names, **numbers}
