"""When credentials were last accepted: written for many at once, never backwards."""

import pytest

from voxgate.accounts.last_seen import LastSeen


@pytest.fixture
def last_seen(database):
    return LastSeen(database)


@pytest.fixture
def key(api_keys, account):
    return api_keys.create(account.subject, name="laptop")


def used_at(listed, key):
    (found,) = (each for each in listed if each.key_id == key.key_id)
    return found.last_used_at_ms


def test_sessions_and_keys_are_written_at_once(last_seen, sessions, api_keys, account, key, clock):
    """Each in its own list; a key that was never used says so, and a session was seen at its login."""
    pair = sessions.open(account, address="", device="")
    assert sessions.list(account.subject)[0].last_seen_at_ms == clock.at_ms
    assert used_at(api_keys.list(account.subject), key) is None
    last_seen.write({pair.session_id: clock.at_ms + 5, key.key_id: clock.at_ms + 7})
    assert sessions.list(account.subject)[0].last_seen_at_ms == clock.at_ms + 5
    assert used_at(api_keys.list(account.subject), key) == clock.at_ms + 7


def test_times_never_go_back(last_seen, sessions, api_keys, account, key, clock):
    """Of two processes the one that writes last may have seen less."""
    pair = sessions.open(account, address="", device="")
    for later_ms in (9, 3):
        last_seen.write({pair.session_id: clock.at_ms + later_ms, key.key_id: clock.at_ms + later_ms})
    assert sessions.list(account.subject)[0].last_seen_at_ms == clock.at_ms + 9
    assert used_at(api_keys.list(account.subject), key) == clock.at_ms + 9


def test_what_is_unknown_or_nothing_is_no_error(last_seen):
    """A session may have been removed since it was seen."""
    last_seen.write({})
    last_seen.write({"0" * 32: 5, "0" * 12: 5})


def test_confirmed_generations_never_go_back(last_seen, sessions, directory, account):
    """Nor does a session that is unknown stop the others."""
    pair = sessions.open(account, address="", device="")
    for generation in (2, 1):
        last_seen.confirm({pair.session_id: generation, "0" * 32: 7})
        assert directory.find_session(pair.session_id).generation == 2
