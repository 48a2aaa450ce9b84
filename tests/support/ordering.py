"""The order of the tests over several processes: what takes long begins first, in each of them."""

import itertools

FIRST = (
    "tests/benchmarks/",
    "tests/browser/",
    "tests/cli/test_renewal.py",
    "tests/cli/test_serve.py",
    "tests/cli/test_stalls.py",
    "tests/cli/test_tls.py",
    "tests/gate/test_exactness.py",
    "tests/gate/test_redis_sentinel.py",
    "tests/journeys/",
    "tests/speech/test_celery.py",
    "tests/speech/test_hostile.py",
    "tests/speech/test_queue_races.py",
    "tests/speech/test_storage_bucket.py",
)
"""Where tests start services, browsers or many processes, and one of them may take half a minute."""


def deal(nodeids, processes):
    """Return the numbers of the tests in the order in which they are to run.

    pytest-xdist gives each process an equal part of the list, one after the other, and lets those that are done steal
    from the ends of the others. So each part begins with long tests: one that began last would be waited for.

    Args:
        nodeids: The tests in the order of pytest, which keeps what shares a fixture together.
        processes: How many processes the list is for.
    """
    runs = [list(run) for _, run in itertools.groupby(range(len(nodeids)), lambda at: nodeids[at].partition("::")[0])]
    parts = [[] for _ in range(processes)]
    rest = []
    for run in runs:
        target = min(parts, key=len) if nodeids[run[0]].startswith(FIRST) else rest
        target.extend(run)
    dealt = []
    for number, part in enumerate(parts):
        left = sum(map(len, parts[number:])) + len(rest)
        room = max(0, left // (processes - number) - len(part))  # as xdist counts
        dealt += part + rest[:room]
        rest = rest[room:]
    return dealt + rest
