"""Worker processes crash, hang and talk nonsense; the threads that share them are served in order."""

import os
import sys
import threading
from pathlib import Path

import pytest

from voxgate.speech.engines.pool import WorkerPool
from voxgate.speech.engines.worker_process import Exchange, WorkerProcess
from voxgate.speech.errors import EngineError

# Answers each request with its own count of requests, after doing what it is told.
PROGRAM = """
import json, os, signal, struct, sys, time
def send(header, pcm=b""):
    data = json.dumps(header).encode() if not isinstance(header, bytes) else header
    sys.stdout.buffer.write(struct.pack("<I", len(data)) + data + pcm); sys.stdout.buffer.flush()
send({})
count = 0
while head := sys.stdin.buffer.read(4):
    request = json.loads(sys.stdin.buffer.read(struct.unpack("<I", head)[0]))
    sys.stdin.buffer.read(request.get("pcm_bytes", 0))
    count += 1
    what = request["do"]
    if what == "die" or (what == "die at second" and count == 2): os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang": time.sleep(60)
    if what == "refuse": send({"error": "audio_too_long", "detail": "by far"}); continue
    if what == "wait": open(request["fifo"]).read()
    if what == "not json": send(b"{"); continue
    if what == "a list": send([]); continue
    if what == "own reason": send({"error": "sorry"}); continue
    if what == "huge header": sys.stdout.buffer.write(b"\\xff\\xff\\xff\\x7f"); sys.stdout.buffer.flush(); continue
    if what == "huge answer": send({"pcm_bytes": 1 << 40}); continue
    if what.startswith("parts"):
        send({"pcm_bytes": 2, "is_part": True}, b"be")
        if what == "parts, then die at second" and count == 2: os.kill(os.getpid(), signal.SIGSEGV)
        if what == "parts, then die": os.kill(os.getpid(), signal.SIGSEGV)
        if what == "parts, then hang": time.sleep(60)
        if what == "parts, then refuse": send({"error": "audio_too_long", "detail": "by far"}); continue
        send({"pcm_bytes": 3, "is_part": True}, b"gun"); send({"pcm_bytes": 4}, b" all"); continue
    if what == "deaf": os.close(0); time.sleep(60)
    answer = str(count).encode()
    send({"pcm_bytes": len(answer)}, answer)
"""


def start() -> WorkerProcess:
    return WorkerProcess((sys.executable, "-I", "-c", PROGRAM), Path("/"))


def exchange(what: str, *, deadline_s: float = 20, pcm: bytes = b"", **fields) -> Exchange:
    return Exchange({"do": what, "pcm_bytes": len(pcm), **fields}, pcm, 1000, deadline_s)


@pytest.fixture
def pool():
    opened = WorkerPool(start, size=1)
    yield opened
    opened.close()


def test_processes_start_when_first_needed_and_are_kept(pool: WorkerPool):
    """No process before the first exchange; then one process answers them all."""
    assert pool.pids() == []
    assert [pool.ask(exchange("count")).pcm for _ in range(3)] == [b"1", b"2", b"3"]
    assert len(pool.pids()) == 1
    assert pool.restarts == 0


def test_crash_is_tried_once_more_on_a_fresh_worker(pool: WorkerPool):
    """What killed a worker by its history is answered by a fresh one."""
    pool.ask(exchange("count"))
    assert pool.ask(exchange("die at second")).pcm == b"1"
    assert pool.restarts == 1


@pytest.mark.parametrize("what", ["die", "not json", "a list", "own reason", "huge header", "huge answer"])
def test_crash_on_a_fresh_worker_too_is_told(pool: WorkerPool, what):
    """A request that breaks every worker fails after two; the next request is served."""
    with pytest.raises(EngineError) as failure:
        pool.ask(exchange(what))
    assert failure.value.reason == "engine_crashed"
    assert pool.restarts == 2
    assert pool.ask(exchange("count")).pcm == b"1"


@pytest.mark.parametrize("what", ["hang", "deaf"])
def test_hang_ends_by_the_deadline(pool: WorkerPool, what):
    """A worker that does not answer, or does not read, is killed at its deadline."""
    with pytest.raises(EngineError) as failure:
        pool.ask(exchange(what, deadline_s=0.2, pcm=b"x" * (1 << 20) if what == "deaf" else b""))
    assert failure.value.reason in {"deadline_exceeded", "engine_crashed"}
    assert pool.ask(exchange("count")).pcm == b"1"


def test_refusal_costs_no_worker(pool: WorkerPool):
    """A program's own no is handed on; the process stays."""
    pool.ask(exchange("count"))
    with pytest.raises(EngineError, match="audio_too_long: by far"):
        pool.ask(exchange("refuse"))
    assert pool.ask(exchange("count")).pcm == b"3"
    assert pool.restarts == 0


def test_answer_is_given_in_the_parts_in_which_it_comes(pool: WorkerPool):
    """Each part when it is there; the next exchange has the same worker."""
    assert [part.pcm for part in pool.ask_in_parts(exchange("parts"))] == [b"be", b"gun", b" all"]
    assert pool.ask(exchange("count")).pcm == b"2"


def test_crash_between_parts_repeats_nothing(pool: WorkerPool):
    """What was given before the crash is left out of what the fresh worker gives."""
    pool.ask(exchange("count"))
    parts = [part.pcm for part in pool.ask_in_parts(exchange("parts, then die at second"))]
    assert b"".join(parts) == b"begun all"
    assert pool.restarts == 1


@pytest.mark.parametrize(("what", "reason"), [("parts, then die", "crashed"), ("parts, then refuse", "too_long")])
def test_fault_between_parts_comes_after_what_was_there(pool: WorkerPool, what, reason):
    """The beginning is given, then the reason is raised."""
    parts = pool.ask_in_parts(exchange(what))
    assert next(parts).pcm == b"be"
    with pytest.raises(EngineError, match=reason):
        list(parts)
    assert pool.ask(exchange("count")).pcm


@pytest.mark.parametrize("what", ["parts", "parts, then refuse"])
def test_parts_that_nobody_wants_are_read_away(pool: WorkerPool, what):
    """Who goes after the first part leaves a worker that answers the next exchange."""
    parts = pool.ask_in_parts(exchange(what))
    next(parts)
    parts.close()
    assert pool.ask(exchange("count")).pcm == b"2"
    assert pool.restarts == 0


@pytest.mark.parametrize("what", ["parts, then die", "parts, then hang"])
def test_worker_that_cannot_finish_what_nobody_wants_is_replaced(pool: WorkerPool, what):
    """It is waited for until the deadline at most; the next exchange has a fresh one."""
    parts = pool.ask_in_parts(exchange(what, deadline_s=20 if what == "parts, then die" else 0.5))
    next(parts)
    parts.close()
    assert pool.ask(exchange("count")).pcm == b"1"


def test_parts_that_nobody_has_asked_for_are_a_broken_answer(pool: WorkerPool):
    """A whole answer is one."""
    with pytest.raises(EngineError, match="a broken answer"):
        pool.ask(exchange("parts"))
    worker = start()
    with pytest.raises(EngineError, match="a broken answer"):
        worker.ask(exchange("parts"))
    worker.end()


def test_worker_that_died_while_idle_costs_no_try(pool: WorkerPool):
    """A process killed between two exchanges is replaced before the next, which keeps both of its tries."""
    pool.ask(exchange("count"))
    os.kill(pool.pids()[0], 9)
    os.waitid(os.P_PID, pool._seats[0].worker.pid, os.WEXITED | os.WNOWAIT)
    assert pool.ask(exchange("count")).pcm == b"1"
    assert pool.restarts == 0


def test_threads_are_served_in_the_order_in_which_they_came(pool: WorkerPool, tmp_path):
    """First in, first out: nobody overtakes a thread that waits."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    answers = {}

    def ask(name: str, *what, **fields) -> None:
        answers[name] = pool.ask(exchange(*what, **fields)).pcm

    threads = [threading.Thread(target=ask, args=("first", "wait"), kwargs={"fifo": str(fifo)})]
    threads[0].start()
    with fifo.open("w"):  # opens when the worker is in its first exchange
        for place in range(2, 6):
            threads.append(threading.Thread(target=ask, args=(place, "count")))
            threads[-1].start()
            while pool.waiting < place - 1:
                threads[-1].join(0.001)
    for thread in threads:
        thread.join()
    assert answers == {"first": b"1", 2: b"2", 3: b"3", 4: b"4", 5: b"5"}


def test_closing_ends_processes_and_fails_who_works_and_who_waits(tmp_path):
    """close() kills a busy worker; its thread and those that wait are told; later ones are refused."""
    pool = WorkerPool(start, size=1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reasons = []

    def ask() -> None:
        with pytest.raises(EngineError) as failure:
            pool.ask(exchange("wait", fifo=str(fifo)))
        reasons.append(failure.value.reason)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    with fifo.open("w"):
        while pool.waiting < 2:
            threads[0].join(0.001)
        pid = pool.pids()[0]
        pool.close()
        for thread in threads:
            thread.join()
    assert reasons == ["engine_unavailable"] * 3
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(EngineError, match="closed"):
        pool.ask(exchange("count"))
    assert pool.pids() == []


@pytest.mark.parametrize("code", ["", "print('hello there')"])
def test_program_that_does_not_start_is_unavailable(code):
    """A program that ends or babbles instead of greeting gives engine_unavailable, not a crash of a segment."""
    with pytest.raises(EngineError) as failure:
        WorkerProcess((sys.executable, "-I", "-c", code), Path("/"))
    assert failure.value.reason == "engine_unavailable"
