"""What every store promises of the generations of a session's tokens, shown on each."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.models import SessionModel
from tests.support.queries import TEN, TWO, by_refresh, by_session, code
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import AccountState, Charge, SessionState
from voxgate.gate.principal import CredentialKind

pytestmark = EVERY_STORE
HOUR_MS = 3_600_000
ids = itertools.count()


class TestRotation:
    def test_retry_passes_until_the_next_access_token_is_seen(self, known):
        """An answer that was lost can be asked for again; what has arrived cannot be undone."""
        for _ in range(3):
            answer = known.decide(by_refresh(generation=0))
            assert (code(answer), answer.principal.generation) == (None, 0)
        assert known.decide(by_session(generation=1)).is_allowed
        assert code(known.decide(by_refresh(generation=0))) == "TOKEN_REUSED"

    def test_next_refresh_token_confirms_as_well(self, known):
        """Who has it has got the answer, though the access token was never used."""
        assert known.decide(by_refresh(generation=1)).is_allowed
        assert known.decide(by_refresh(generation=1)).is_allowed
        assert code(known.decide(by_refresh(generation=0))) == "TOKEN_REUSED"

    def test_reuse_ends_both_tokens_at_once_everywhere(self, known, new_store, clock):
        """In the call that sees it, and whoever asks next."""
        other = new_store(clock)
        assert known.decide(by_session(generation=1)).is_allowed
        reused = other.decide(by_refresh(generation=0))
        assert (code(reused), reused.principal.subject, reused.principal.credential_id) == ("TOKEN_REUSED", "u1", "s1")
        for store in (known, other, new_store(clock)):
            for generation in (0, 1, 2):
                assert code(store.decide(by_session(generation=generation))) == "TOKEN_REVOKED"
                assert code(store.decide(by_refresh(generation=generation))) == "TOKEN_REVOKED"

    def test_session_that_reuse_has_ended_is_never_revived(self, known, clock):
        """A read-through that comes late finds it ended."""
        known.decide(by_refresh(generation=1))
        known.decide(by_refresh(generation=0))
        known.put_state(SessionState("s1", "u1", clock.now_ms() + HOUR_MS, generation=5))
        assert code(known.decide(by_session(generation=5))) == "TOKEN_REVOKED"

    def test_older_access_token_lives_on_and_takes_nothing_back(self, known):
        """Requests that overlap a refresh are served, and confirm nothing."""
        known.decide(by_session(generation=3))
        assert known.decide(by_session(generation=1)).principal.generation == 1
        assert known.decide(by_refresh(generation=3)).is_allowed
        assert code(known.decide(by_refresh(generation=2))) == "TOKEN_REUSED"

    def test_refused_request_confirms_nothing(self, known):
        """A refusal changes nothing."""
        for _ in range(2):
            known.decide(by_session(Charge(TWO)))
        assert code(known.decide(by_session(Charge(TWO), generation=1))) == "RATE_LIMITED"
        assert code(known.decide(by_refresh(Charge(TWO), generation=1, is_strict=True))) == "RATE_LIMITED"
        assert known.decide(by_refresh(generation=0)).is_allowed

    def test_twelve_at_once_all_pass_and_are_one_use(self, known, new_store, clock):
        """They are retries of each other: each is let in with the same generation."""
        stores = [known, new_store(clock), new_store(clock)]
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n: stores[n % 3].decide(by_refresh(generation=0)), range(12)))
        assert [(code(each), each.principal.generation) for each in answers] == [(None, 0)] * 12

    def test_strict_lets_one_of_twelve_in(self, known, new_store, clock):
        """The second use is reuse, whoever is first; then the session has ended."""
        stores = [known, new_store(clock), new_store(clock)]
        query = by_refresh(generation=0, is_strict=True)
        with ThreadPoolExecutor(12) as pool:
            codes = list(pool.map(lambda n: code(stores[n % 3].decide(query)), range(12)))
        assert (codes.count(None), codes.count("TOKEN_REUSED"), codes.count("TOKEN_REVOKED")) == (1, 1, 10)
        assert code(known.decide(by_session())) == "TOKEN_REVOKED"

    def test_strict_refresh_limited_elsewhere_is_not_used_up(self, known):
        """All or nothing also where a limit is on another node."""
        address = Charge(TWO, "ip:203.0.113.9")
        asks = [by_refresh(Charge(TEN), address, generation=n, is_strict=True) for n in range(3)]
        assert [code(known.decide(ask)) for ask in asks] == [None, None, "RATE_LIMITED"]
        assert known.decide(by_refresh(Charge(TEN), generation=2, is_strict=True)).is_allowed
        assert code(known.decide(by_refresh(Charge(TEN), address, generation=2, is_strict=True))) == "TOKEN_REUSED"

    def test_generation_survives_what_is_read_again(self, known, clock):
        """A state that is behind moves nothing back; one that is ahead, from SQL after a loss, counts."""
        known.decide(by_session(generation=4))
        known.put_state(SessionState("s1", "u1", clock.now_ms() + HOUR_MS, generation=2))
        assert code(known.decide(by_session(session="s1", generation=2))) is None
        known.put_state(SessionState("s1", "u1", clock.now_ms() + HOUR_MS, generation=6))
        assert code(known.decide(by_refresh(generation=5))) == "TOKEN_REUSED"

    def test_end_of_the_session_comes_before_reuse(self, known, clock):
        """What is over is over; nothing is told of a theft."""
        known.decide(by_session(generation=1))
        clock.advance(3600)
        assert code(known.decide(by_refresh(generation=0))) == "TOKEN_EXPIRED"


class TestIdle:
    @pytest.fixture(autouse=True)
    def idle_session(self, known, clock):
        """A session of an hour that must be refreshed every ten minutes."""
        now = clock.now_ms()
        known.put_state(SessionState("s1", "u1", now + HOUR_MS, idle_ends_at_ms=now + 600_000))

    def test_session_that_is_not_refreshed_ends(self, known, clock):
        """To the millisecond; its access token is judged by its own short life."""
        clock.advance(599.999)
        assert known.decide(by_refresh()).is_allowed
        clock.advance(0.001)
        assert code(known.decide(by_refresh(generation=1))) == "TOKEN_EXPIRED"
        assert known.decide(by_session()).is_allowed

    def test_each_refresh_gives_the_idle_time_again(self, known, clock):
        """In the same call."""
        for generation in range(4):
            clock.advance(599)
            assert known.decide(by_refresh(generation=generation, idle_ms=600_000)).is_allowed
        clock.advance(600)
        assert code(known.decide(by_refresh(generation=4, idle_ms=600_000))) == "TOKEN_EXPIRED"

    def test_no_refresh_goes_beyond_the_absolute_end(self, known, clock):
        """However often."""
        for generation in range(6):
            clock.advance(599.9)
            assert known.decide(by_refresh(generation=generation, idle_ms=600_000)).is_allowed
        clock.advance(1)
        assert code(known.decide(by_refresh(generation=6, idle_ms=600_000))) == "TOKEN_EXPIRED"

    def test_refused_refresh_gives_no_time(self, known, clock):
        """A refusal changes nothing."""
        for _ in range(2):
            known.decide(by_session(Charge(TWO)))
        clock.advance(59)
        assert code(known.decide(by_refresh(Charge(TWO), idle_ms=HOUR_MS))) == "RATE_LIMITED"
        clock.advance(541)
        assert code(known.decide(by_refresh())) == "TOKEN_EXPIRED"

    def test_state_that_is_read_again_takes_no_time_away(self, known, clock):
        """SQL is told after the decision, so what it says may be behind."""
        clock.advance(599)
        known.decide(by_refresh(idle_ms=600_000))
        start = clock.now_ms() - 599_000
        for idle in (start + 600_000, None):
            known.put_state(SessionState("s1", "u1", start + HOUR_MS, idle_ends_at_ms=idle))
        clock.advance(2)
        assert known.decide(by_refresh()).is_allowed


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["access", "refresh", "strict", "put", "end"]),
        st.integers(0, 4),
        st.sampled_from([0, 1, 300, 999, 1000, 4000]),
        st.sampled_from([None, 1000, 3000, 20_000]),
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_follows_a_session_like_a_plain_model(store, clock, steps):
    """Any order of tokens, pauses, late states and ends: alike to the code and the millisecond."""
    session = f"m{next(ids)}"
    store.put_state(AccountState("u1"))
    state = SessionState(session, "u1", clock.now_ms() + 9000, idle_ends_at_ms=clock.now_ms() + 2000)
    store.put_state(state)
    model = SessionModel(state)
    for what, number, pause, idle in steps:
        clock.advance(pause / 1000)
        now = clock.now_ms()
        if what == "put":
            late = replace(state, generation=number, idle_ends_at_ms=None if idle is None else now + idle)
            store.put_state(late)
            model.put(late)
        elif what == "end" and number == 0:
            store.end_session(session, expires_at_ms=state.expires_at_ms)
            model.is_ended = True
        elif what == "access":
            answer = store.decide(by_session(session=session, generation=number))
            assert code(answer) == model.access(now, number)
        else:
            more = {"generation": number, "is_strict": what == "strict", "idle_ms": idle or 0}
            query = replace(by_session(session=session, **more), kind=CredentialKind.REFRESH, subject=None)
            assert code(store.decide(query)) == model.refresh(now, query)
