"""How much is spoken in a second: by the engines alone, and by jobs of the service on as many engine processes."""

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import process
from benchmarks.service import Client, Service
from benchmarks.speakers import Bare

TEXTS = 40
_TEXT = "The train to the coast leaves at nine, and the sea is calm today. " * 15


@dataclass(frozen=True, slots=True)
class Rates:
    """How the engines alone compare with jobs; medians.

    Attributes:
        bare: Characters per second of the engines alone.
        jobs: The same by jobs, from the first request to the last end.
        ratio: Of jobs by the engines', median of the rounds' ratios.
        cpu_ratio: CPU time per character of the engines alone by that of the service; a shared machine changes it less.
    """

    bare: float
    jobs: float
    ratio: float
    cpu_ratio: float

    def told(self) -> str:
        """Say it in a line."""
        rates = f"engines alone {self.bare:.0f} characters/s, by jobs {self.jobs:.0f}, ratio {self.ratio:.3f}"
        return f"{rates}; by CPU time per character {self.cpu_ratio:.3f}"


@dataclass(frozen=True, slots=True)
class _Turn:
    """One way in one round: characters per second, and CPU seconds."""

    rate: float
    cpu_s: float


def compare_rates(service: Service, *, workers: int, rounds: int) -> Rates:
    """Measure both in turn, `rounds` times; what is only done once, such as the start of an engine, is not counted."""
    client = service.client.another()
    bares, jobs = [], []
    # As many threads as the service has for jobs: one more than engines, so that none waits for words.
    threads = workers + 1
    with Bare(Path(), workers) as bare:
        begin = [f"{_TEXT}At first {index}." for index in range(2 * threads)]
        _by_engines(bare, begin, threads)
        _by_jobs(client, begin)
        for number in range(rounds):
            texts = [f"{_TEXT}{number} {index}." for index in range(TEXTS)]
            for is_bare in (True, False) if number % 2 == 0 else (False, True):
                if is_bare:
                    bares.append(
                        _measure(partial(_own_cpu_ns, service.pid), partial(_by_engines, bare, texts, threads))
                    )
                else:
                    jobs.append(_measure(partial(process.cpu_ns, service.pid), partial(_by_jobs, client, texts)))
    middle, pairs = statistics.median, list(zip(bares, jobs, strict=True))
    return Rates(
        bare=middle(each.rate for each in bares),
        jobs=middle(each.rate for each in jobs),
        ratio=middle(job.rate / alone.rate for alone, job in pairs),
        cpu_ratio=middle(alone.cpu_s / job.cpu_s for alone, job in pairs),
    )


def _measure(look_ns: Callable[[], int], way: Callable[[], float]) -> _Turn:
    cpu_ns = look_ns()
    return _Turn(way(), (look_ns() - cpu_ns) / 1e9)


def _own_cpu_ns(service_pid: int) -> int:
    """Return the CPU time of this process and its engines, without that of the service that it has started."""
    return process.cpu_ns(os.getpid()) - process.cpu_ns(service_pid)


def _by_engines(bare: Bare, texts: Sequence[str], threads: int) -> float:
    left = list(texts)

    def work() -> None:
        while left:
            try:
                text = left.pop()
            except IndexError:
                return
            bare.write(text)

    begun = time.perf_counter()
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(map(len, texts)) / (time.perf_counter() - begun)


def _by_jobs(client: Client, texts: Sequence[str]) -> float:
    client.close()  # idle while the engines spoke alone
    begun = time.perf_counter()
    urls = [
        json.loads(client.ask("POST", "/api/v1/tts/generate", {"text": text, "voice_name": "en-us"})[1])["status_url"]
        for text in texts
    ]
    for url in urls:
        # As the guide has it: the service answers when the job has ended, so nobody sleeps past that.
        while (job := json.loads(client.ask("GET", f"{url}?wait=30")[1]))["status"] not in {"done", "failed"}:
            pass
        if job["status"] == "failed":
            raise RuntimeError(job["error"])
    return sum(map(len, texts)) / (time.perf_counter() - begun)
