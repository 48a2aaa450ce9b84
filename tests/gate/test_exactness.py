"""Over-admission is zero: many threads, many processes, real time, and the edge of a window, on every store."""

import contextlib
import json
import subprocess
import sys
import threading

import pytest
from tests.support.queries import by_nobody
from tests.support.servers import EVERY_STORE

from voxgate.gate.clock import SystemClock
from voxgate.gate.decision import Charge
from voxgate.gate.limits import Limit
from voxgate.gate.stores import SqliteStore
from voxgate.gate.stores.redis_urls import open_redis

HOUR_S = 3600
RACER = """
import json, sys, threading, time
from pathlib import Path

ahead_s = 0
own_time_ns = time.time_ns
time.time_ns = lambda: own_time_ns() + ahead_s * 10**9

from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import Limit
from voxgate.gate.stores import SqliteStore
from voxgate.gate.stores.redis_urls import open_redis

for line in sys.stdin:
    kind, location, quota, threads, tries, ahead_s = json.loads(line)
    store = SqliteStore(Path(location), budget_s=60) if kind == "sqlite" else open_redis(location, budget_s=60)
    store.ping()
    query = Query(charges={"": (Charge(Limit("race", quota, 3600), "ip:x"),)})
    admitted, lock = [], threading.Lock()

    def race():
        for _ in range(tries):
            answer = store.decide(query)
            if answer.is_allowed:
                with lock:
                    admitted.append(answer.readings[0].used)

    print("ready", flush=True)
    sys.stdin.readline()
    racers = [threading.Thread(target=race) for _ in range(threads)]
    for racer in racers: racer.start()
    for racer in racers: racer.join()
    store.close()
    print(json.dumps(admitted), flush=True)
"""
"""Runs one race after another, each on a store that it opens for it: to start Python costs more than to race."""

pytestmark = EVERY_STORE


@pytest.fixture
def location(store_kind, tmp_path, server_of, prefix):
    """Where another process finds the same store."""
    return str(tmp_path / "gate.db") if store_kind == "sqlite" else f"{server_of(store_kind).url}?prefix={prefix}"


@pytest.fixture(scope="module")
def racers():
    """Eight processes."""
    command = [sys.executable, "-c", RACER]
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(8)
        ]


@pytest.fixture
def race(racers, store_kind, location):
    """Let eight processes race for one counter and return all numbers that were admitted."""

    def tell(line, to):
        to.stdin.write(f"{line}\n")
        to.stdin.flush()

    def run(*, quota, threads, tries, ahead_s=(0,) * 8):
        for racer, ahead in zip(racers, ahead_s, strict=True):
            tell(json.dumps([store_kind, location, quota, threads, tries, ahead]), racer)
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            tell("go", racer)
        return sorted(number for racer in racers for number in json.loads(racer.stdout.readline()))

    return run


def test_racing_threads_and_processes_admit_exactly_a_small_limit(race):
    """A limit of 10, 256 racing threads in eight processes: ten pass, each with a number of its own."""
    assert race(quota=10, threads=32, tries=4) == list(range(1, 11))


def test_racing_processes_admit_exactly_a_large_limit(race):
    """A limit of 1000, 1600 tries: a thousand pass."""
    assert race(quota=1000, threads=2, tries=100) == list(range(1, 1001))


def test_clocks_of_applications_admit_nothing_more(race, store_kind):
    """Half of the processes are an hour ahead; the server's clock decides. On one machine there is one clock."""
    ahead_s = (0,) * 8 if store_kind == "sqlite" else (0, HOUR_S) * 4
    assert race(quota=100, threads=2, tries=20, ahead_s=ahead_s) == list(range(1, 101))


class Recording(SystemClock):
    """Remembers, for the thread that decides, the moment that the embedded store took."""

    def __init__(self):
        self.local = threading.local()

    def now_ms(self):
        self.local.at = super().now_ms()
        return self.local.at


class Listening:
    """Remembers, for the thread that decides, the moment that the server took."""

    def __init__(self, link, local):
        self.link, self.local, self.is_cluster = link, local, link.is_cluster

    def run(self, script, keys, arguments):
        return self.link.run(script, keys, arguments)

    def run_call(self, call):
        answer = self.link.run_call(call)
        self.local.at = answer[3]
        return answer

    def close(self):
        self.link.close()


@pytest.fixture
def timed_store(store_kind, location, tmp_path):
    """Open a store and the place where it leaves the moment of each thread's last decision."""

    def open_one():
        clock = Recording()
        if store_kind == "sqlite":
            return SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=60), clock.local
        store = open_redis(location, budget_s=60)
        store._link = Listening(store._link, clock.local)
        return store, clock.local

    return open_one


def test_window_edges_admit_no_burst(timed_store):
    """Racing over several edges of a one-second window in real time: no window holds more than ten."""
    times, refused, lock = [], threading.Event(), threading.Lock()
    query = by_nobody(Charge(Limit("edge", 10, 1), "ip:x"))
    until = SystemClock().now_ms() + 2500

    def is_over():
        """Say whether edges were pressed upon: a slow machine takes longer to have passed two full windows."""
        return SystemClock().now_ms() >= until and len(times) >= 20 and refused.is_set()

    def run():
        store, local = timed_store()
        with contextlib.closing(store):
            while not is_over():
                if store.decide(query).is_allowed:
                    with lock:
                        times.append(local.at)
                else:
                    refused.set()

    racers = [threading.Thread(target=run) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(times) >= 20
    assert max(sum(start <= at < start + 1000 for at in times) for start in times) == 10
