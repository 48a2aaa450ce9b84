"""One question asked of Redis again and again: its bytes are kept, and each answer is still read as it came."""

import pytest
from tests.support.queries import TEN, TWO, by_nobody, by_session, code

from voxgate.gate.decision import AccountState, Charge
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores import redis_commands, redis_links

pytestmark = pytest.mark.redis


@pytest.fixture
def store_kind():
    """A single server."""
    return "valkey"


@pytest.fixture
def answered(known, monkeypatch):
    """Let the next answer come changed."""

    def change(how):
        real = known._link.run_call
        monkeypatch.setattr(known._link, "run_call", lambda call: how(real(call)))

    return change


def test_each_answer_has_its_own_figures(known):
    """Allowed by the same bytes, and counted up to the limit; then refused with the wait."""
    query = by_session(Charge(TWO))
    answers = [known.decide(query) for _ in range(3)]
    assert [code(each) for each in answers] == [None, None, "RATE_LIMITED"]
    assert [each.readings[0].used for each in answers] == [1, 2, 2]
    assert answers[0].principal == answers[1].principal
    assert answers[0].principal.subject == "u1"


def test_on_the_servers_own_clock_the_very_same_bytes_are_sent(known, new_store):
    """As a service asks: nothing is written a second time."""
    store, query = new_store(None), by_session(Charge(TEN))
    assert [store.decide(query).readings[0].used for _ in range(3)] == [1, 2, 3]


def test_a_change_of_tier_is_in_the_very_next_answer(known):
    """Nothing of an earlier answer is told for another."""
    query = by_session(Charge(TEN))
    for _ in range(2):
        assert known.decide(query).principal.tier == "standard"
    known.put_state(AccountState("u1", tier="premium", version=2))
    assert [known.decide(query).principal.tier for _ in range(2)] == ["premium", "premium"]


@pytest.mark.parametrize(
    "how",
    [
        lambda answer: answer[:-1],
        lambda answer: [*answer, 0, 0, 0],
        lambda answer: [*answer[:-1], 5],
        lambda answer: [*answer[:-3], b"many", 0, 0],
        lambda answer: answer[:2],
        lambda _: None,
    ],
    ids=["short", "long", "allowed with a wait", "no number", "cut", "nothing"],
)
def test_an_answer_that_is_none_is_an_error_also_the_second_time(known, answered, how):
    """What is kept is compared and never trusted in place of what came."""
    query = by_session(Charge(TEN))
    known.decide(query)
    answered(how)
    with pytest.raises(StoreUnavailableError):
        known.decide(query)


def test_questions_of_addresses_are_not_kept(known):
    """Each has a partition of its own, so keeping them would only fill the memory."""
    for number in range(3):
        known.decide(by_nobody(Charge(TEN, f"ip:192.0.2.{number}")))
    assert known._commands.kept == {}


def test_what_is_kept_is_bounded(known, monkeypatch):
    """And what was let go of is written anew."""
    monkeypatch.setattr(redis_commands, "_MAX_KEPT", 2)
    queries = [by_session(Charge(TEN)) for _ in range(3)]
    used = [known.decide(each).readings[0].used for _ in range(2) for each in queries]
    assert used == [1, 2, 3, 4, 5, 6]
    assert len(known._commands.kept) <= 2


def test_a_fork_is_noticed_by_the_child_alone(known, monkeypatch):
    """The child opens a connection of its own and leaves the parent's as it is."""
    query = by_session(Charge(TEN))
    known.decide(query)
    parents = known._link._mine.connection
    monkeypatch.setattr(redis_links, "_forks", redis_links._forks)
    redis_links._count_fork()
    assert known.decide(query).readings[0].used == 2
    assert known._link._mine.connection is not parents
    assert parents._sock is not None
    parents.disconnect()
