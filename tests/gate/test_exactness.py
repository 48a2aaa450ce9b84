"""Over-admission is zero: many threads, many processes, real time, and the edge of a window."""

import json
import subprocess
import sys
import threading

from voxgate.gate.clock import SystemClock
from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import Limit
from voxgate.gate.stores import SqliteStore

RACER = """
import json, sys
from pathlib import Path
from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import Limit
from voxgate.gate.stores import SqliteStore
from voxgate.gate.clock import SystemClock
import threading

path, quota, window_s, threads, tries = Path(sys.argv[1]), *map(int, sys.argv[2:])

class Noting(SystemClock):
    last = 0
    def now_ms(self):
        Noting.last = super().now_ms()
        return Noting.last

store = SqliteStore(path, clock=Noting(), budget_s=30)
query = Query(charges={"": (Charge(Limit("race", quota, window_s), "ip:x"),)})
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
print(json.dumps(admitted))
"""


def run_racers(path, *, quota, window_s, processes, threads, tries):
    """Let processes race for one counter and return what each admitted."""
    command = [sys.executable, "-c", RACER, str(path), *map(str, (quota, window_s, threads, tries))]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]


def test_sixty_four_threads_and_four_processes_admit_exactly_the_limit(tmp_path):
    """A limit of 10, 256 racing threads in four processes: ten pass, each with a number of its own."""
    SqliteStore(tmp_path / "gate.db").ping()
    admitted = run_racers(tmp_path / "gate.db", quota=10, window_s=3600, processes=4, threads=64, tries=4)
    assert sorted(number for each in admitted for number in each) == list(range(1, 11))


def test_window_edges_admit_no_burst(tmp_path):
    """Racing over several edges of a one-second window in real time: no window holds more than ten."""
    path = tmp_path / "gate.db"
    times, lock = [], threading.Lock()

    class Recording(SystemClock):
        """Remembers, for the thread that decides, the moment that the store took."""

        local = threading.local()

        def now_ms(self):
            self.local.at = super().now_ms()
            return self.local.at

    clock = Recording()
    stores = [SqliteStore(path, clock=clock, budget_s=30) for _ in range(4)]
    query = Query(charges={"": (Charge(Limit("edge", 10, 1), "ip:x"),)})
    until = SystemClock().now_ms() + 2500

    def race(store):
        while SystemClock().now_ms() < until:
            if store.decide(query).is_allowed:
                with lock:
                    times.append(clock.local.at)

    racers = [threading.Thread(target=race, args=(store,)) for store in stores for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(times) >= 20
    assert max(sum(start <= at < start + 1000 for at in times) for start in times) == 10
