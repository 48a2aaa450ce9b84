"""``./dev bench soak``: many requests to speak, hostile texts among them; no good one may fail."""

import argparse
import http.client
import itertools
import json
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks.service import Client, serving

CLIENTS = 3
HOSTILE_EVERY = 5
JOB_EVERY = 4
_POLL_S = 0.05
_LEAST_BYTES = 20_000
_GOOD = "Good morning. This is request {}; the train to the coast leaves at nine, and the sea is calm today."
HOSTILE = (
    "W." * 192,
    "s'" * 220,
    "a" * 4000,
    "𪚥" * 1000,
    "ڍ🤠" * 500,
    "e" + "\u0301" * 4000,
    '<break time="100000s"/>' * 170,
    '<audio src="/etc/passwd">x</audio>',
    "[[" * 1500 + "h@'loU]]",
    "?!." * 1300,
    "a\n\n" * 1300,
    "%s%n%x" * 600,
)
"""Plain texts that kill or hang a speech engine, or have it open files, where nobody stands before it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended.

    Attributes:
        is_hostile: Whether its text was hostile.
        is_job: Whether it was a job, and not one streamed answer.
        is_good: Whether it was answered with whole audio.
        took_s: Seconds until the last byte of the audio.
        told: Status, state or error that it ended with.
    """

    is_hostile: bool
    is_job: bool
    is_good: bool
    took_s: float
    told: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a soak has shown.

    Attributes:
        requests: All requests.
        hostile: Those with a hostile text.
        failed: Good ones that failed.
        unkind: Hostile ones that were answered as a fault of ours.
        p50_s: Median time of good ones, to the last byte.
        p99_s: Time that one good one in a hundred exceeded.
        most_s: The longest time of a good one.
    """

    requests: int
    hostile: int
    failed: tuple[str, ...]
    unkind: tuple[str, ...]
    p50_s: float
    p99_s: float
    most_s: float


def soak(client: Client, requests: int) -> Report:
    """Send requests from several clients, each as soon as its last one is answered.

    Args:
        client: Asks the service; its limits must be wide.
        requests: How many.
    """
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(requests):
        numbers.put(number)
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=_work, args=(client.another(), numbers, outcomes)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _summarize(outcomes)


def _work(client: Client, numbers: "queue.SimpleQueue[int]", outcomes: list[Outcome]) -> None:
    while True:
        try:
            number = numbers.get_nowait()
        except queue.Empty:
            client.close()
            return
        outcomes.append(_ask(client, number))


def _ask(client: Client, number: int) -> Outcome:
    is_hostile, is_job = number % HOSTILE_EVERY == 0, number % JOB_EVERY == 0
    text = f"{HOSTILE[number // HOSTILE_EVERY % len(HOSTILE)]} {number}" if is_hostile else _GOOD.format(number)
    way: Callable[[Client, str], tuple[str, bytes]] = _by_job if is_job else _by_stream
    begun = time.monotonic()
    try:
        told, audio = way(client, text)
    except (OSError, http.client.HTTPException) as error:
        client.close()
        told, audio = f"broken off: {type(error).__name__}", b""
    is_good = told in {"200", "done"} and audio[:4] == b"RIFF" and (is_hostile or len(audio) > _LEAST_BYTES)
    return Outcome(is_hostile, is_job, is_good, time.monotonic() - begun, told)


def _by_stream(client: Client, text: str) -> tuple[str, bytes]:
    body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "wav"}
    status, data = client.ask("POST", "/v1/audio/speech", body)
    return str(status), data


def _by_job(client: Client, text: str) -> tuple[str, bytes]:
    status, data = client.ask("POST", "/api/v1/tts/generate", {"text": text})
    if status != HTTPStatus.ACCEPTED:
        return str(status), data
    url = json.loads(data)["status_url"]
    while True:
        status, data = client.ask("GET", url)
        if status != HTTPStatus.OK:
            return str(status), data
        job = json.loads(data)
        if job["status"] in {"failed", "cancelled"}:
            return str(job["status"]), b""
        if job["audio_url"]:
            status, audio = client.ask("GET", job["audio_url"])
            return ("done" if status == HTTPStatus.OK else str(status)), audio
        time.sleep(_POLL_S)


def _summarize(outcomes: Sequence[Outcome]) -> Report:
    good = [each for each in outcomes if not each.is_hostile]
    times_s = sorted(each.took_s for each in good)
    unkind = [each.told for each in outcomes if each.is_hostile and each.told.startswith("5")]
    return Report(
        requests=len(outcomes),
        hostile=len(outcomes) - len(good),
        failed=tuple(each.told for each in good if not each.is_good),
        unkind=tuple(unkind),
        p50_s=statistics.median(times_s),
        p99_s=times_s[int(len(times_s) * 0.99)],
        most_s=times_s[-1],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak a service of its own; returns 1 when a good request failed."""
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here, too")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with serving() as service:
        report = soak(service.client, options.requests)
    print(f"{report.requests} requests in {time.monotonic() - begun:.0f} s, {report.hostile} with hostile texts")
    print(f"good ones that failed: {len(report.failed)} {_counted(report.failed)}")
    print(f"hostile ones answered as a fault of ours: {len(report.unkind)} {_counted(report.unkind)}")
    print(f"good ones: p50 {report.p50_s * 1000:.0f} ms, p99 {report.p99_s * 1000:.0f} ms, ", end="")
    print(f"longest {report.most_s * 1000:.0f} ms to the last byte")
    if options.json:
        names = Report.__slots__  # type: ignore[attr-defined]
        options.json.write_text(json.dumps({name: getattr(report, name) for name in names}, indent=1))
    return int(bool(report.failed))


def _counted(told: Sequence[str]) -> str:
    return ", ".join(f"{len(list(group))} x {text}" for text, group in itertools.groupby(sorted(told)))


if __name__ == "__main__":
    sys.exit(main())
