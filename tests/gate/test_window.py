"""The packed window against a plain list of what was admitted."""

from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate.stores.window import Window

WINDOW_MS = 1000

steps = st.lists(
    st.tuples(st.integers(0, 700), st.integers(1, 4)),  # milliseconds that pass, and the cost of the next request
    max_size=60,
)


class ListModel:
    """What a sliding window is, written as plainly as possible."""

    def __init__(self, quota):
        self.quota, self.admitted = quota, []

    def inside(self, now):
        return [(at, cost) for at, cost in self.admitted if now - WINDOW_MS < at <= now]

    def used(self, now):
        return sum(cost for _, cost in self.inside(now))

    def fits(self, now, cost):
        return self.used(now) + cost <= self.quota

    def wait(self, now, cost):
        return next(wait for wait in range(WINDOW_MS + 1) if self.fits(now + wait, cost))


def open_window(packed, now):
    return Window(packed, now_ms=now, window_ms=WINDOW_MS)


@given(steps=steps, quota=st.integers(4, 12))
def test_window_decides_like_a_plain_list(steps, quota):
    """Admission, use and waiting time equal the model's at every step."""
    model, packed, now = ListModel(quota), None, 1_800_000_000_000
    for pause, cost in steps:
        now += pause
        window = open_window(packed, now)
        assert window.used == model.used(now)
        wait = window.wait_for_ms(cost, quota=quota)
        assert wait == model.wait(now, cost)
        if wait == 0:
            packed = window.admit(cost)
            model.admitted.append((now, cost))


@given(steps=steps, quota=st.integers(4, 12))
def test_no_window_of_the_length_holds_more_than_the_quota(steps, quota):
    """Whatever is asked and when: every half-open window of the length holds at most the quota."""
    packed, now, admitted = None, 1_800_000_000_000, []
    for pause, cost in steps:
        now += pause
        window = open_window(packed, now)
        if window.wait_for_ms(cost, quota=quota) == 0:
            packed = window.admit(cost)
            admitted.append((now, cost))
    for start, _ in admitted:
        assert sum(cost for at, cost in admitted if start <= at < start + WINDOW_MS) <= quota


@given(steps=steps)
def test_clock_set_back_locks_out_for_one_window_at_most(steps):
    """State that lies in the future is brought back: the wait is never longer than a window."""
    packed, now = None, 1_800_000_000_000
    for pause, cost in steps:
        window = open_window(packed, now)
        packed, now = window.admit(cost), now + pause
    before = now - 3_600_000
    window = open_window(packed, before)
    assert 0 <= window.wait_for_ms(1, quota=1) <= WINDOW_MS
    assert window.next_free_ms <= WINDOW_MS


def test_wait_is_exact_at_the_edge():
    """A millisecond before the wait has passed the request does not fit; at its end it does."""
    packed = open_window(None, 10_000).admit(1)
    assert open_window(packed, 10_400).wait_for_ms(1, quota=1) == 600
    assert open_window(packed, 10_999).wait_for_ms(1, quota=1) == 1
    assert open_window(packed, 11_000).wait_for_ms(1, quota=1) == 0


def test_only_what_lies_in_the_future_is_brought_back():
    """After a small step back of the clock the older requests keep their times."""
    window = open_window(None, 10_000)
    window.admit(1)
    packed = open_window(window.admit(1), 10_400).admit(1)
    back = open_window(packed, 10_200)
    assert (back.used, back.next_free_ms, back.wait_for_ms(1, quota=1)) == (3, 800, 1000)


def test_cost_above_the_quota_never_fits():
    """A request that is heavier than the whole quota is refused, not admitted by mistake."""
    assert open_window(None, 10_000).wait_for_ms(5, quota=4) == WINDOW_MS


def test_an_emptied_window_is_as_new():
    """Nothing of what has left the window stays in the row."""
    window = open_window(None, 10_000)
    packed = [window.admit(3) for _ in range(100)][-1]
    later = open_window(packed, 11_000)
    assert (len(packed), later.used, later.next_free_ms) == (808, 0, 0)
    assert len(later.admit(1)) == 16


def test_release_takes_a_request_of_one_unit_and_leaves_heavier_ones():
    """What is given back is one unit, whoever came after it."""
    window = Window(None, now_ms=1000, window_ms=1000)
    window.admit(1)
    window.admit(5)
    assert Window(window.release(), now_ms=1000, window_ms=1000).used == 5
    assert Window(window.release(), now_ms=1000, window_ms=1000).used == 5
