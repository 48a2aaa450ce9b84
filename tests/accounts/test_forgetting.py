"""Security events of deleted accounts: what happened stays, whoever it happened to is forgotten."""

import pytest

from voxgate.accounts import audit as audits
from voxgate.accounts import forgetting
from voxgate.accounts.audit import Audit, EventFilter
from voxgate.accounts.forgetting import pseudonym_of
from voxgate.gate import events

FROM = {"ip_address": "192.0.2.7", "user_agent": "curl/8.5", "request_id": "r1"}


@pytest.fixture
def audit(database, clock):
    opened = Audit(database, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def account(register):
    return register().account


@pytest.fixture
def other(register):
    return register(username="other", email="other@example.org").account


@pytest.fixture
def note(audit):
    """Write an event down at once."""

    def call(name, **fields):
        audit.note(name, fields | FROM)
        audit.flush()

    return call


@pytest.fixture
def table(audit):
    """Everything in the table: for each row its name and its fields."""
    return lambda: [(each.name, each.fields) for each in audit.read(EventFilter())]


def test_what_happened_stays_under_one_pseudonym(accounts, audit, account, note, table):
    """Neither id nor name nor address, and what belongs together still does."""
    note(events.LOGIN, user_id=account.subject, success=True)
    note(events.LOGIN, username=account.username.upper(), success=False)
    note(events.LOGIN, username=account.email, success=False)
    note(events.AUTHZ_FAIL, user_id=account.subject, endpoint=f"/api/v1/admin/users/{account.subject}")
    accounts.delete(account.subject)
    who = pseudonym_of(account.subject)
    assert table() == [
        (events.LOGIN, {"user_id": who, "success": True, "request_id": "r1"}),
        (events.LOGIN, {"success": False, "request_id": "r1"}),
        (events.LOGIN, {"success": False, "request_id": "r1"}),
        (events.AUTHZ_FAIL, {"user_id": who, "endpoint": f"/api/v1/admin/users/{who}", "request_id": "r1"}),
    ]
    assert len(audit.read(EventFilter(who=(who,)))) == 4
    assert audit.read(EventFilter(who=(account.subject, account.username, account.email))) == ()


def test_what_an_administrator_did_to_others_stays_theirs(accounts, account, other, note, table):
    """Only who did it is forgotten."""
    note(events.USER_UPDATED, user_id=other.subject, by=account.subject)
    note(events.USER_UPDATED, user_id=other.subject, by="cli")
    accounts.delete(account.subject)
    wanted = {"user_id": other.subject, **FROM}
    assert [fields for _, fields in table()] == [
        wanted | {"by": pseudonym_of(account.subject)},
        wanted | {"by": "cli"},
    ]


def test_events_of_others_stay_as_they_are(accounts, register, other, note, table, clock):
    """Also where the deleted account was called like another's id, and where its name was somebody's before."""
    note(events.LOGIN, username="newcomer", success=False)
    clock.at_ms += 1
    note(events.LOGIN, user_id=other.subject, success=True)
    for name in (other.subject, "newcomer"):
        made = register(username=name, email=f"{name[:8]}@example.net").account
        accounts.delete(made.subject)
    assert [fields.get("ip_address") for _, fields in table()] == ["192.0.2.7"] * 2
    assert table()[1][1]["user_id"] == other.subject


def test_more_than_one_batch_is_forgotten(accounts, account, note, table, monkeypatch):
    """However much happened."""
    monkeypatch.setattr(forgetting, "_BATCH", 2)
    for _ in range(5):
        note(events.API_KEY_USAGE, user_id=account.subject)
    accounts.delete(account.subject)
    assert {fields["user_id"] for _, fields in table()} == {pseudonym_of(account.subject)}


def test_an_event_that_was_cut_is_emptied(accounts, account, note, table):
    """Nobody knows what its text still holds."""
    note(events.USER_UPDATED, user_id=account.subject, limits="x" * 9_000)
    accounts.delete(account.subject)
    assert table() == [(events.USER_UPDATED, {})]


class TestLater:
    def test_what_this_process_tells_later_is_written_without_a_person(self, audit, accounts, account, note, table):
        """Such as the deletion itself."""
        accounts.delete(account.subject)
        audit.forget(account.subject)
        note(events.USER_DELETED, user_id=account.subject, by=account.subject)
        who = pseudonym_of(account.subject)
        assert table() == [(events.USER_DELETED, {"user_id": who, "by": who, "request_id": "r1"})]

    def test_what_another_process_writes_later_is_found(self, accounts, account, other, note, table, clock):
        """Such as a count whose window ended only now."""
        note(events.LOGIN, user_id=other.subject)
        accounts.delete(account.subject)
        for _ in range(2):
            note(events.API_KEY_USAGE, user_id=account.subject, repeats=3)
            clock.at_ms += 3_600_000
            note(events.LOGIN, user_id=other.subject)
        who = pseudonym_of(account.subject)
        assert [fields["user_id"] for _, fields in table()] == [other.subject, who, other.subject, who, other.subject]

    def test_not_everything_is_looked_at_again(self, audit, accounts, account, note, table, clock, monkeypatch):
        """A new process looks so far back, and later only at what is new."""
        monkeypatch.setattr(audits, "_STRAYS", 1)
        accounts.delete(account.subject)
        note(events.LOGIN, user_id=account.subject)
        looked = []
        monkeypatch.setattr(audits, "forget_strays", lambda _, *, after_id: looked.append(after_id))
        for _ in range(2):
            clock.at_ms += 3_600_000
            note(events.LOGIN, user_id="u1")
        assert looked == [1, 2]

    def test_memory_of_the_forgotten_is_bounded(self, audit, note, table, monkeypatch):
        """The oldest goes; its events are found in the table."""
        monkeypatch.setattr(audits, "_MAX_FORGOTTEN", 1)
        for each in ("a" * 31, "b" * 31):
            audit.forget(each)
            audit.forget(each)
        note(events.LOGIN, user_id="a" * 31)
        note(events.LOGIN, user_id="b" * 31)
        assert [fields["user_id"] for _, fields in table()] == ["a" * 31, pseudonym_of("b" * 31)]
