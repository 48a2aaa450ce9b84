"""Sessions that are listed and ended: one, all others, all of an account, all of everybody."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.accounts.conftest import LIFETIME_S, START_MS
from tests.accounts.test_sessions import ask

from voxgate.gate.errors import StoreUnavailableError


@pytest.fixture
def open_session(sessions, account):
    """Open a session; gives its id."""

    def call(who=account, *, address="192.0.2.7", device="curl/8.5"):
        return sessions.open(who, address=address, device=device).session_id

    return call


@pytest.fixture
def other(register):
    return register("other", "other@example.com").account


@pytest.fixture
def is_alive(store):
    return lambda session_id: ask(store, session_id).is_allowed


class TestList:
    def test_tells_when_and_from_where(self, sessions, account, open_session, clock):
        """Newest first, with what the client called itself, cleaned and bounded."""
        first = open_session(device="a\x00b" + "c" * 900)
        clock.at_ms += 5
        second = open_session(address="2001:db8::1", device="")
        newest, oldest = sessions.list(account.subject)
        assert (newest.session_id, newest.address, newest.device) == (second, "2001:db8::1", "")
        assert (oldest.session_id, oldest.device) == (first, "ab" + "c" * 198)
        assert (oldest.created_at_ms, oldest.expires_at_ms) == (START_MS, START_MS + LIFETIME_S * 1000)

    def test_tells_only_what_lives(self, sessions, account, open_session, other, clock):
        """Neither ended nor expired sessions, nor those of others."""
        open_session(other)
        ended = open_session()
        sessions.end(ended)
        clock.at_ms += 1000
        alive = open_session()
        assert [info.session_id for info in sessions.list(account.subject)] == [alive]
        clock.at_ms += LIFETIME_S * 1000
        assert sessions.list(account.subject) == ()

    def test_is_bounded(self, sessions, account, open_session, monkeypatch, clock):
        """The newest are shown; ending all ends the others too."""
        monkeypatch.setattr("voxgate.accounts.sessions.MAX_LISTED", 2)
        for _ in range(3):
            clock.at_ms += 1
            last = open_session()
        assert [len(sessions.list(account.subject)), sessions.list(account.subject)[0].session_id] == [2, last]
        assert sessions.end_all(account.subject) == 3


class TestEndOne:
    def test_ends_ones_own(self, sessions, account, open_session, is_alive):
        """From the next request; once more is no error."""
        one, two = open_session(), open_session()
        assert [sessions.end(one, subject=account.subject) for _ in range(2)] == [True, True]
        assert [is_alive(one), is_alive(two)] == [False, True]

    @pytest.mark.parametrize("session_id", ["", "0" * 32, "a\0b", "\ud800", "x" * 500])
    def test_unknown_session_is_not_found(self, sessions, account, session_id):
        """Whatever stands where an id belongs."""
        assert sessions.end(session_id, subject=account.subject) is False

    def test_session_of_another_is_left_alone(self, sessions, account, other, open_session, is_alive):
        """Nobody ends another's session, and is not told that it exists."""
        theirs = open_session(other)
        assert sessions.end(theirs, subject=account.subject) is False
        assert is_alive(theirs)


class TestEndAll:
    def test_ends_all_but_one(self, sessions, account, other, open_session, is_alive):
        """The one that asks goes on, and so do others' sessions."""
        mine, theirs = [open_session() for _ in range(3)], open_session(other)
        assert sessions.end_all(account.subject, but=mine[1]) == 2
        assert [is_alive(each) for each in (*mine, theirs)] == [False, True, False, True]
        assert sessions.end_all(account.subject) == 1
        assert [is_alive(each) for each in (*mine, theirs)] == [False, False, False, True]

    def test_later_session_lives(self, sessions, account, open_session, is_alive, clock):
        """What is ended is what was there before."""
        open_session()
        sessions.end_all(account.subject)
        clock.at_ms += 1
        assert is_alive(open_session())

    @pytest.mark.parametrize("end", ["end_all", "end_everybody", "password"])
    def test_store_that_was_down_is_told_by_the_same_request_again(
        self, sessions, accounts, account, open_session, is_alive, store, monkeypatch, end
    ):
        """What SQL has ended does not live on at the gate, also when the store failed in the middle."""
        opened = [open_session() for _ in range(3)]
        ask_for = {
            "end_all": lambda: sessions.end_all(account.subject),
            "end_everybody": sessions.end_everybody,
            "password": lambda: accounts.set_password(account.subject, "seven stones"),
        }[end]
        end_session, answered = store.end_session, []

        def fail_at_the_second(session_id, *, expires_at_ms, subject):
            if answered:
                raise StoreUnavailableError("away")
            answered.append(session_id)
            end_session(session_id, expires_at_ms=expires_at_ms, subject=subject)

        with monkeypatch.context() as down:
            down.setattr(store, "end_session", fail_at_the_second)
            with pytest.raises(StoreUnavailableError):
                ask_for()
        assert sum(map(is_alive, opened)) == 2
        ask_for()
        assert not any(map(is_alive, opened))

    def test_login_that_races_is_either_ended_or_later(self, sessions, account, open_session, is_alive):
        """No session that SQL lists is dead at the gate, and none that it has ended lives."""
        with ThreadPoolExecutor(9) as threads:
            opening = [threads.submit(open_session) for _ in range(8)]
            threads.submit(sessions.end_all, account.subject).result()
            opened = [each.result() for each in opening]
        listed = {info.session_id for info in sessions.list(account.subject)}
        assert {each for each in opened if is_alive(each)} == listed


class TestEndEverybody:
    def test_ends_every_session_of_every_account(self, sessions, account, other, open_session, is_alive, monkeypatch):
        """In batches of any size."""
        monkeypatch.setattr("voxgate.accounts.sessions._BATCH", 2)
        opened = [open_session(who) for who in (account, other) * 3]
        sessions.end(opened[0])
        assert sessions.end_everybody() == 5
        assert not any(map(is_alive, opened))
        assert sessions.end_everybody() == 0

    def test_latest_cut_wins_in_any_order(self, sessions, account, open_session, is_alive, clock):
        """One's own end after everybody's, and everybody's after one's own."""
        first = open_session()
        sessions.end_everybody()
        clock.at_ms += 1
        second = open_session()
        sessions.end_all(account.subject)
        clock.at_ms += 1
        third = open_session()
        sessions.end_everybody()
        clock.at_ms += 1
        assert [is_alive(each) for each in (first, second, third, open_session())] == [False, False, False, True]
