"""What every store promises of units that are held under a name, to be given back once."""

import threading

import pytest
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import Charge
from voxgate.gate.limits import parse_limits

pytestmark = EVERY_STORE

OWNER = "user:u1"


def charge(text, cost=1, *, partition=OWNER, name="characters"):
    """Return what one limit is charged."""
    return Charge(parse_limits(text, name=name)[0], partition, cost)


def used(store, *charges):
    """Return the units that are spent of each limit."""
    return [reading.used for reading in store.usage(charges)]


EVERY_KIND = pytest.mark.parametrize("text", ["10 per day", "10 per calendar day", "10 per calendar month"])


@EVERY_KIND
class TestOne:
    def test_held_units_are_spent(self, store, text):
        """What is held is refused to others, and the readings say what is left."""
        decision = store.hold([charge(text, 7)], hold_id="a")
        assert (decision.is_allowed, decision.readings[0].remaining) == (True, 3)
        refused = store.hold([charge(text, 4)], hold_id="b")
        assert (refused.refusal.code, refused.refusal.violated) == ("RATE_LIMITED", ("characters",))
        assert used(store, charge(text)) == [7]

    def test_units_come_back_once(self, store, text):
        """Asking again, as after a crash, gives back nothing more."""
        for name in "ab":
            store.hold([charge(text, 4)], hold_id=name)
        assert [store.refund([charge(text, 4)], hold_id="a") for _ in range(3)] == [True, False, False]
        assert used(store, charge(text)) == [4]

    def test_refused_hold_gives_nothing_back(self, store, text):
        """Its name is not known."""
        store.hold([charge(text, 8)], hold_id="a")
        store.hold([charge(text, 8)], hold_id="b")
        assert not store.refund([charge(text, 8)], hold_id="b")
        assert used(store, charge(text)) == [8]

    def test_units_of_a_period_that_is_over_give_nothing_to_the_next(self, store, clock, text):
        """Neither the day, nor the month, nor the window grows by what was spent before it."""
        store.hold([charge(text, 6)], hold_id="a")
        clock.advance(86_400 if "month" not in text else 20 * 86_400)
        store.hold([charge(text, 5)], hold_id="b")
        store.refund([charge(text, 6)], hold_id="a")
        assert used(store, charge(text)) == [5]

    def test_name_outlasts_what_is_swept(self, store, clock, text):
        """What others spend meanwhile makes it no less known."""
        store.hold([charge(text, 6)], hold_id="a")
        for number in range(300):
            store.hold([charge("1000 per minute", partition="user:u2")], hold_id=f"u2-{number}")
            clock.advance(0.1)
        assert store.refund([charge(text, 6)], hold_id="a")

    def test_racing_holds_spend_exactly_the_quota(self, store, text):
        """Fifty at a budget of ten: ten pass."""
        barrier, decisions = threading.Barrier(50), []

        def ask(number):
            barrier.wait(60)
            decisions.append(store.hold([charge(text)], hold_id=f"h{number}"))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(decision.is_allowed for decision in decisions) == [False] * 40 + [True] * 10
        assert used(store, charge(text)) == [10]


class TestSeveral:
    CHARGES = (charge("10 per calendar day", 4), charge("100 per calendar month", 4), charge("9 per hour", 4))

    def test_all_or_nothing(self, store):
        """The narrow limit's refusal leaves the wide ones as they were."""
        assert [store.hold(self.CHARGES, hold_id=name).is_allowed for name in "abc"] == [True, True, False]
        assert used(store, *self.CHARGES) == [8, 8, 8]

    def test_all_come_back(self, store):
        """Each limit has its units again."""
        for name in "ab":
            store.hold(self.CHARGES, hold_id=name)
        store.refund(self.CHARGES, hold_id="a")
        assert used(store, *self.CHARGES) == [4, 4, 4]
        assert store.hold(self.CHARGES, hold_id="c").is_allowed

    def test_account_and_key_are_held_together(self, store):
        """A key's own budget lies beside its account's."""
        own = charge("10 per calendar day", 3, partition="key:k1:u1", name="key-characters")
        store.hold([self.CHARGES[0], own], hold_id="a")
        assert used(store, self.CHARGES[0], own) == [4, 3]
        store.refund([self.CHARGES[0], own], hold_id="a")
        assert used(store, self.CHARGES[0], own) == [0, 0]

    def test_the_very_units_come_back_from_a_window(self, store, clock):
        """Not those of another of the same moment or the same cost: the rest goes on counting as long as it would."""
        minute = [charge("10 per minute", cost) for cost in (3, 2, 3)]
        store.hold([minute[0]], hold_id="a")
        store.hold([minute[1]], hold_id="b")
        clock.advance(30)
        store.hold([minute[2]], hold_id="c")
        store.refund([minute[2]], hold_id="c")
        clock.advance(29)
        assert used(store, minute[0]) == [5]
        store.refund([minute[1]], hold_id="b")
        assert used(store, minute[0]) == [3]
        clock.advance(1)
        assert used(store, minute[0]) == [0]

    def test_clock_set_back_gives_too_little_and_never_too_much(self, store, clock):
        """Units whose time was mended meanwhile stay spent."""
        minute = charge("10 per minute", 6)
        store.hold([minute], hold_id="a")
        clock.advance(-30)
        assert not store.hold([minute], hold_id="b").is_allowed
        store.refund([minute], hold_id="a")
        assert used(store, minute) == [6]

    def test_reset_forgets_what_is_held(self, store):
        """Nothing can be given back beyond nothing."""
        day = charge("10 per calendar day", 6)
        store.hold([day], hold_id="a")
        assert store.reset(OWNER) == 1
        store.refund([day], hold_id="a")
        assert used(store, day) == [0]

    def test_limits_of_what_runs_at_once_are_left_alone(self, store):
        """They have a way of their own to be given back."""
        day, once = charge("10 per calendar day", 6), charge("2 at once")
        store.hold([day], hold_id="a")
        store.refund([day, once], hold_id="a")
        assert used(store, day, once) == [0, 0]
