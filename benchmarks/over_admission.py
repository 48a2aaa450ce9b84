"""``./dev bench over_admission``: racing processes against one limit, and how many too many were let in: none."""

import argparse
import contextlib
import multiprocessing
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.redis_server import RedisServer, start_redis
from voxgate.gate.decision import Charge, Decision, Query
from voxgate.gate.limits import Limit
from voxgate.gate.stores import open_store

PROCESSES = 8
QUOTAS = (10, 1000)
WRONG_BY_S = 3600
_PARTITION = "ip:192.0.2.7"


@dataclass(frozen=True, slots=True)
class Race:
    """What the processes run against.

    Attributes:
        location: Path or URL of the store.
        quota: Units that fit into a window.
        window_s: Length of the window, in seconds.
        seconds: How long the race lasts; more than two windows see their edges.
        has_wrong_clock: Whether the first process believes that it is an hour later. Only for a store with a clock of
            its own: processes that share an embedded store share the machine's clock, too.
    """

    location: str
    quota: int
    window_s: int
    seconds: float
    has_wrong_clock: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a race went.

    Attributes:
        tries: Requests of all processes.
        admitted: Those that passed.
        excess: How many more than the quota some window is proven to have held; 0 when the limit is exact.
    """

    tries: int
    admitted: int
    excess: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every race; returns 1 when a limit was exceeded, else 0."""
    parser = argparse.ArgumentParser(prog="./dev bench over_admission", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a race (default: %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "redis"), help="one store alone")
    parser.add_argument("--window", type=int, default=2, help="length of the window in s (default: %(default)s)")
    options = parser.parse_args(arguments)
    worst = 0
    print("| store | limit | tries | admitted | too many |\n|---|---|---|---|---|", flush=True)
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-race-")))
        redis = opened.enter_context(start_redis(is_needed=options.only != "sqlite"))
        pool = opened.enter_context(gather_racers())
        for name, race in _races(folder, redis, options):
            outcome = run(race, pool)
            figures = f"{outcome.tries} | {outcome.admitted} | {outcome.excess}"
            print(f"| {name} | {race.quota} per {race.window_s} s | {figures} |", flush=True)
            worst = max(worst, outcome.excess)
    return int(worst > 0)


def gather_racers() -> ProcessPoolExecutor:
    """Start the processes; they race one race after the other."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    return ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=_set_barrier, initargs=(barrier,))


def run(race: Race, pool: ProcessPoolExecutor) -> Outcome:
    """Let all processes ask as fast as they can, from the same moment on."""
    runs = list(pool.map(_ask, [race] * PROCESSES, range(PROCESSES)))
    admitted = [span for _, spans in runs for span in spans]
    excess = find_excess(admitted, quota=race.quota, window_ms=race.window_s * 1000)
    return Outcome(tries=sum(tries for tries, _ in runs), admitted=len(admitted), excess=excess)


def find_excess(admitted: Sequence[tuple[int, int]], *, quota: int, window_ms: int) -> int:
    """Return by how many the fullest window exceeds the quota, as far as it can be proven from outside.

    Args:
        admitted: For each admitted request the milliseconds before it was asked and after it was answered; the
            moment of its admission lies between them.
        quota: Units that fit into a window.
        window_ms: Length of the window, which holds its first moment and not its last.
    """
    befores, afters = sorted(before for before, _ in admitted), sorted(after for _, after in admitted)
    fullest = 0
    for start in befores:
        inside = bisect_left(afters, start + window_ms) - bisect_left(befores, start)
        fullest = max(fullest, inside)
    return max(0, fullest - quota)


def _races(folder: Path, redis: RedisServer | None, options: argparse.Namespace) -> Iterator[tuple[str, Race]]:
    for quota in QUOTAS if options.only != "redis" else ():
        location = str(folder / f"{quota}.db")
        yield "SQLite", Race(location, quota, window_s=options.window, seconds=options.seconds)
    for quota in QUOTAS if redis else ():
        redis.clear()
        race = Race(redis.url(0), quota, window_s=options.window, seconds=options.seconds, has_wrong_clock=True)
        yield "Redis, one clock an hour off", race


_barrier: list[Barrier] = []


def _set_barrier(barrier: Barrier) -> None:
    _barrier.append(barrier)


def _ask(race: Race, number: int) -> tuple[int, list[tuple[int, int]]]:
    """Ask until the time is over; returns the tries, and for each that passed the moments around it."""
    now_ns = time.time_ns
    query = Query(charges={"": (Charge(Limit("race", race.quota, race.window_s), _PARTITION),)})
    tries, admitted = 0, []
    with _hour_ahead() if race.has_wrong_clock and number == 0 else contextlib.nullcontext():
        store = open_store(race.location)
        _barrier[0].wait()
        end_s = time.monotonic() + race.seconds
        while time.monotonic() < end_s:
            before_ms = now_ns() // 1_000_000
            answer = store.decide(query)
            tries += 1
            if isinstance(answer, Decision) and answer.is_allowed:
                admitted.append((before_ms, now_ns() // 1_000_000))
        store.close()
    return tries, admitted


@contextlib.contextmanager
def _hour_ahead() -> Iterator[None]:
    """Make this process believe that it is an hour later."""
    now_s, now_ns = time.time, time.time_ns
    time.time, time.time_ns = lambda: now_s() + WRONG_BY_S, lambda: now_ns() + WRONG_BY_S * 1_000_000_000
    try:
        yield
    finally:
        time.time, time.time_ns = now_s, now_ns


if __name__ == "__main__":
    sys.exit(main())
