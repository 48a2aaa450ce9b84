"""Every store against plain lists: what is asked at random is answered alike, to the millisecond."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.models import MODELS
from tests.support.queries import by_nobody
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import Charge
from voxgate.gate.limits import Limit, LimitKind

pytestmark = EVERY_STORE
partitions = itertools.count()
START_MS = 1_800_000_000_000

# Milliseconds that pass; now and then the clock is set back, or a day or a month is over.
PAUSES = st.one_of(
    st.integers(0, 700), st.just(0), st.sampled_from([999, 1000, 1001, 40_000_000, 2_000_000_000, -800, -3_600_000])
)
COSTS = st.one_of(st.just(1), st.integers(1, 5), st.just(1_048_575))
LIMITS = st.lists(
    st.builds(Limit, st.just("l"), st.one_of(st.integers(1, 12), st.just(2_000_000)), st.integers(1, 3))
    | st.builds(
        Limit,
        st.just("l"),
        st.integers(1, 12),
        st.sampled_from([2, 86_400]),
        st.sampled_from([LimitKind.CALENDAR_DAY, LimitKind.CALENDAR_MONTH, LimitKind.AT_ONCE]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda limit: limit.counter,
)
STEPS = st.lists(st.tuples(PAUSES, COSTS, st.sampled_from("abcd"), st.booleans()), max_size=40)


@given(limits=LIMITS, steps=STEPS, is_spread=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_decides_like_plain_lists(store, clock, limits, steps, is_spread):
    """Admission, use, what is free next and the exact wait, of windows, calendars and leases, weighted and mixed."""
    clock.advance((START_MS - clock.now_ms()) / 1000)
    partition = f"ip:{next(partitions)}"
    models = [MODELS[limit.kind](limit) for limit in limits]
    for pause, cost, lease_id, only_looks in steps:
        # What is spread over the nodes of a cluster is mended only where it is spent.
        clock.advance((abs(pause) if is_spread else pause) / 1000)
        now = clock.now_ms()
        charges = [Charge(limit, f"{partition}:{number * is_spread}", cost=cost) for number, limit in enumerate(limits)]
        if only_looks:
            readings = store.usage(charges)
            assert [each.used for each in readings] == [model.used(now) for model in models]
            continue
        for model in models:
            model.look(now)
        waits = [model.wait(now, cost) for model in models]
        if not any(waits):
            for model in models:
                model.admit(now, cost, lease_id)
        answer = store.decide(by_nobody(*charges, lease_id=lease_id))
        assert (answer.refusal.retry_after_s if answer.refusal else 0) == -(-max(waits) // 1000)
        # What runs may end at any moment; the wait for anything else is exact.
        if answer.refusal and all(limit.kind is not LimitKind.AT_ONCE for limit in limits):
            assert answer.refusal.wait_ms == max(waits)
        assert [(each.used, each.next_free_ms) for each in answer.readings] == [
            (model.used(now), model.next_free(now)) for model in models
        ]
