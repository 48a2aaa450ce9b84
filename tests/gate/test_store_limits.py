"""What every store promises of limits, shown on each."""

import pytest
from tests.support.queries import TEN, TWO, by_key, by_nobody, by_session
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import Charge, Query, SessionState
from voxgate.gate.limits import Limit, parse_limits

pytestmark = EVERY_STORE


class TestLimits:
    def test_exactly_the_quota_passes(self, known):
        """Ten pass, the eleventh is told when to come back."""
        answers = [known.decide(by_session(Charge(TEN))) for _ in range(11)]
        assert [answer.is_allowed for answer in answers] == [True] * 10 + [False]
        refusal = answers[-1].refusal
        assert (refusal.code, refusal.retry_after_s, refusal.violated) == ("RATE_LIMITED", 60, ("ten",))
        assert refusal.message == "Too many requests. Limit: 10 per 1 minute"
        assert [answer.readings[0].remaining for answer in answers] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]

    def test_waiting_exactly_retry_after_is_enough(self, known, clock):
        """And a second less is not."""
        for pause in (0, 17.3):
            clock.advance(pause)
            known.decide(by_session(Charge(TWO)))
        retry_after_s = known.decide(by_session(Charge(TWO))).refusal.retry_after_s
        assert retry_after_s == 43
        clock.advance(retry_after_s - 1)
        assert not known.decide(by_session(Charge(TWO))).is_allowed
        clock.advance(1)
        assert known.decide(by_session(Charge(TWO))).is_allowed

    def test_no_burst_passes_over_a_window_edge(self, known, clock):
        """Ten at the end of a minute and ten at the start of the next are twenty in a minute."""
        clock.advance(59.9)
        first = sum(known.decide(by_session(Charge(TEN))).is_allowed for _ in range(15))
        clock.advance(0.2)
        second = sum(known.decide(by_session(Charge(TEN))).is_allowed for _ in range(15))
        assert (first, second) == (10, 0)

    def test_refusal_spends_nothing_anywhere(self, known):
        """All or nothing: the wide limit is not spent by requests that the narrow one refuses."""
        for _ in range(5):
            known.decide(by_session(Charge(TEN), Charge(TWO)))
        used = {each.limit.name: each.used for each in known.decide(by_session(Charge(TEN), Charge(TWO))).readings}
        assert used == {"ten": 2, "two": 2}

    def test_refused_credential_spends_nothing(self, known, clock):
        """A revoked token does not eat its account's budget."""
        known.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        known.decide(by_session(Charge(TWO)))
        assert known.decide(by_key(Charge(TWO))).readings[0].used == 1

    def test_one_account_has_one_budget(self, known):
        """Over tokens and keys alike."""
        known.decide(by_session(Charge(TWO)))
        known.decide(by_key(Charge(TWO)))
        assert not known.decide(by_session(Charge(TWO))).is_allowed

    def test_partitions_do_not_share(self, store):
        """What one address spends another does not miss."""
        ask = {name: Query(charges={"": (Charge(TWO, f"ip:{name}"),)}) for name in ("a", "b")}
        assert [store.decide(ask[name]).is_allowed for name in "aaabb"] == [True, True, False, True, True]

    def test_partition_of_any_name_is_itself_alone(self, store):
        """A name that a stranger chose reaches nobody else's counter."""
        names = ["ip:a", "ip:a}", "login:1:{a}", "login:1:a}:of:two:60", "", "%", "user:", "user:a", "a", "é"]
        for name in names:
            assert store.decide(by_nobody(Charge(TWO, name))).readings[0].used == 1

    def test_cost_weighs(self, known):
        """A request of cost four spends four."""
        answers = [known.decide(by_session(Charge(TEN, cost=4))) for _ in range(3)]
        assert [answer.is_allowed for answer in answers] == [True, True, False]
        assert answers[2].readings[0].remaining == 2

    def test_longest_wait_is_told(self, known):
        """With several limits exhausted, waiting for one alone would be in vain."""
        hour = Limit("hour", 2, 3600)
        for _ in range(2):
            known.decide(by_session(Charge(TWO), Charge(hour)))
        refusal = known.decide(by_session(Charge(TWO), Charge(hour))).refusal
        assert (refusal.retry_after_s, refusal.violated) == (3600, ("two", "hour"))

    def test_usage_spends_nothing(self, known):
        """Looking is free, and nothing that was looked at changes."""
        known.decide(by_session(Charge(TEN)))
        readings = [known.usage([Charge(TEN, "user:u1"), Charge(TWO, "user:u1")]) for _ in range(20)][-1]
        assert [(each.used, each.remaining, each.next_free_ms) for each in readings] == [(1, 9, 60_000), (0, 2, 0)]

    def test_reset_forgets_a_partition(self, known):
        """From the next decision everything fits again, for this partition alone."""
        for _ in range(3):
            known.decide(by_session(Charge(TWO), Charge(TEN)))
        known.decide(Query(charges={"": (Charge(TWO, "ip:a"),)}))
        assert known.reset("user:u1") == 2
        assert known.decide(by_session(Charge(TWO))).readings[0].used == 1
        assert known.usage([Charge(TWO, "ip:a")])[0].used == 1

    def test_no_charges_means_no_limit(self, known):
        """A tier without limits is let through."""
        assert known.decide(by_session()).readings == ()


DAY = parse_limits("3 per calendar day", name="day")[0]
MONTH = parse_limits("3 per calendar month", name="month")[0]
PAIR = parse_limits("2 at once", name="pair")[0]


class TestCalendar:
    """FakeClock starts on 2027-01-15, 08:00 UTC."""

    @pytest.fixture(autouse=True)
    def long_session(self, known, clock):
        known.put_state(SessionState("s1", "u1", clock.now_ms() + 400 * 86_400_000))

    def test_quota_of_the_day_ends_at_midnight(self, known, clock):
        """Three in the day, however late; at midnight UTC three more."""
        answers = [known.decide(by_session(Charge(DAY))) for _ in range(4)]
        assert [answer.is_allowed for answer in answers] == [True, True, True, False]
        assert answers[3].refusal.retry_after_s == 16 * 3600
        assert answers[3].refusal.message == "Too many requests. Limit: 3 per calendar day"
        clock.advance(16 * 3600 - 1)
        assert not known.decide(by_session(Charge(DAY))).is_allowed
        clock.advance(1)
        assert known.decide(by_session(Charge(DAY))).readings[0].used == 1

    def test_quota_of_the_month_ends_with_it(self, known, clock):
        """On the first of the next month, also at the turn of the year."""
        for days in (17, 28, 31):  # to the first of February, March and April
            known.decide(by_session(Charge(MONTH, cost=3)))
            refusal = known.decide(by_session(Charge(MONTH))).refusal
            clock.advance(refusal.retry_after_s - 1)
            assert not known.decide(by_session(Charge(MONTH))).is_allowed, days
            clock.advance(1)
            assert known.decide(by_session()).is_allowed

    def test_month_is_told_in_whole_days(self, known):
        """From the fifteenth at eight: sixteen days and sixteen hours."""
        known.decide(by_session(Charge(MONTH, cost=3)))
        retry_after_s = known.decide(by_session(Charge(MONTH))).refusal.retry_after_s
        assert retry_after_s == 16 * 86_400 + 16 * 3600

    def test_cost_weighs(self, known):
        """Characters of a day, say."""
        assert known.decide(by_session(Charge(DAY, cost=2))).readings[0].remaining == 1
        assert not known.decide(by_session(Charge(DAY, cost=2))).is_allowed
        assert known.usage([Charge(DAY, "user:u1")])[0].used == 2


class TestAtOnce:
    def ask(self, store, lease_id):
        return store.decide(by_session(Charge(PAIR), lease_id=lease_id))

    def test_quota_runs_at_once_and_no_more(self, known):
        """The third waits until one is given back."""
        assert [self.ask(known, name).is_allowed for name in "abc"] == [True, True, False]
        known.release([Charge(PAIR, "user:u1")], lease_id="a")
        assert self.ask(known, "c").is_allowed
        assert known.usage([Charge(PAIR, "user:u1")])[0].used == 2

    def test_lost_lease_is_free_after_its_time(self, known, clock):
        """A worker that died holds nothing for ever; Retry-After is when that is so at the latest."""
        self.ask(known, "a")
        clock.advance(100)
        self.ask(known, "b")
        assert self.ask(known, "c").refusal.retry_after_s == 200
        clock.advance(200)
        assert self.ask(known, "c").is_allowed
        assert not self.ask(known, "d").is_allowed

    def test_release_is_safe_to_repeat(self, known):
        """Also for a name that holds nothing, and beside limits of another kind."""
        self.ask(known, "a")
        charges = [Charge(PAIR, "user:u1"), Charge(TEN, "user:u1")]
        for _ in range(2):
            known.release(charges, lease_id="a")
        known.release(charges, lease_id="never")
        assert [reading.used for reading in known.usage(charges)] == [0, 0]

    def test_refused_request_holds_nothing(self, known):
        """All or nothing: another limit's refusal leaves no lease."""
        for name in "ab":
            known.decide(by_session(Charge(TWO), Charge(PAIR), lease_id=name))
            known.release([Charge(PAIR, "user:u1")], lease_id=name)
        assert not known.decide(by_session(Charge(TWO), Charge(PAIR), lease_id="c")).is_allowed
        assert known.usage([Charge(PAIR, "user:u1")])[0].used == 0

    def test_clock_set_back_holds_for_one_lease_at_most(self, known, clock):
        """An end that lies too far in the future is brought back."""
        self.ask(known, "a")
        self.ask(known, "b")
        clock.advance(-3600)
        assert self.ask(known, "c").refusal.retry_after_s == 300

    def test_clock_set_back_is_mended_by_a_refusal_too(self, known, clock):
        """What is told to a refused client comes true: waiting once for the lease is enough."""
        self.ask(known, "a")
        self.ask(known, "b")
        clock.advance(-3600)
        for _ in range(3):
            refusal = self.ask(known, "c").refusal
            clock.advance(100)
        clock.advance(refusal.retry_after_s - 100)
        assert self.ask(known, "c").is_allowed


class TestGivenBack:
    """What was spent before it was known whether it counts."""

    CHARGES = (Charge(TEN, "login:a"), Charge(TWO, "login:a"))

    def ask(self, known):
        return known.decide(Query(charges={"": self.CHARGES}))

    def test_a_unit_given_back_can_be_spent_again(self, known):
        """One unit of each window, and none of another partition."""
        known.decide(Query(charges={"": (Charge(TWO, "login:b"),)}))
        assert [self.ask(known).is_allowed for _ in range(3)] == [True, True, False]
        known.release(self.CHARGES, lease_id="")
        assert [reading.used for reading in known.usage(self.CHARGES)] == [1, 1]
        assert known.usage([Charge(TWO, "login:b")])[0].used == 1
        assert [self.ask(known).is_allowed for _ in range(2)] == [True, False]

    def test_giving_back_more_than_was_spent_gives_nothing(self, known):
        """A counter never stands below nothing."""
        self.ask(known)
        for _ in range(3):
            known.release(self.CHARGES, lease_id="")
        assert [reading.used for reading in known.usage(self.CHARGES)] == [0, 0]
        assert [self.ask(known).is_allowed for _ in range(3)] == [True, True, False]

    def test_the_oldest_unit_goes_on_counting(self, known, clock):
        """The newest is given back, so no wait grows shorter than it was before."""
        self.ask(known)
        clock.advance(30)
        self.ask(known)
        known.release(self.CHARGES, lease_id="")
        assert known.usage(self.CHARGES)[1].next_free_ms == 30_000

    def test_a_quota_of_the_calendar_stays_spent(self, known):
        """It is not made for what is given back."""
        (day,) = parse_limits("2 per calendar day", name="day")
        charge = Charge(day, "login:a")
        known.decide(Query(charges={"": (charge,)}))
        known.release([charge], lease_id="")
        assert known.usage([charge])[0].used == 1


class TestClockSetBack:
    """A counter that is full when the clock is set back by an hour."""

    @pytest.fixture(autouse=True)
    def full(self, known, clock):
        for _ in range(2):
            known.decide(by_nobody(Charge(TWO, "ip:a")))
            clock.advance(1)
        clock.advance(-3600)

    def test_nobody_is_locked_out_for_longer_than_a_window(self, known, clock):
        """Although every try in between is refused."""
        waits = []
        for _ in range(6):
            waits.append(known.decide(by_nobody(Charge(TWO, "ip:a"))).refusal.retry_after_s)
            clock.advance(10)
        assert waits == [60, 50, 40, 30, 20, 10]
        assert known.decide(by_nobody(Charge(TWO, "ip:a"))).is_allowed

    def test_nothing_passes_that_would_not_have_passed(self, known, clock):
        """What was admitted in the hour that comes again still counts for its window."""
        assert known.usage([Charge(TWO, "ip:a")])[0].used == 2
        clock.advance(59)
        assert not known.decide(by_nobody(Charge(TWO, "ip:a"))).is_allowed
