"""What an operator should know of a Redis before trusting it: version, eviction, clock and latency."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voxgate.gate.stores.redis_links import Link

MIN_VERSION = 7
MAX_CLOCK_DIFFERENCE_S = 5
MAX_LATENCY_MS = 20


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at on a server.

    Attributes:
        text: What was found.
        mend: A command or a deed that mends it; empty when there is nothing to mend.
    """

    text: str
    mend: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is as it should be."""
        return not self.mend


def examine(link: Link, *, now_ms: int) -> Iterator[HealthFinding]:
    """Look at every server behind a link that takes decisions; three calls to each.

    Args:
        link: The way to the servers.
        now_ms: This machine's time, milliseconds since the epoch.

    Raises:
        StoreUnavailableError: A server does not answer.
        ValueError: An answer is of no known form; so are AttributeError, LookupError and TypeError.
    """
    for info in link.call_each("INFO"):
        facts = _facts(info)
        yield _judge_version(facts)
        yield _judge_eviction(facts)
    began = time.monotonic()
    for moment in link.call_each("TIME"):
        yield _judge_clock(moment, now_ms)
    yield _judge_latency((time.monotonic() - began) * 1000)


def _facts(info: Any) -> dict[str, str]:  # noqa: ANN401 -- the cluster's client reads it, the others do not
    if isinstance(info, bytes):
        return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return {str(name): str(value) for name, value in info.items()}


def _judge_version(facts: dict[str, str]) -> HealthFinding:
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts[f"{name.lower()}_version"]
    if int(version.split(".")[0]) < MIN_VERSION:
        return HealthFinding(f"{name} {version} is too old", f"install Redis or Valkey {MIN_VERSION} or newer")
    return HealthFinding(f"{name} {version} answers")


def _judge_eviction(facts: dict[str, str]) -> HealthFinding:
    policy = facts["maxmemory_policy"]
    if policy == "noeviction":
        return HealthFinding("nothing is evicted")
    text = f"evicts under the policy {policy} when memory is short: limits are forgotten, and SQL is asked again"
    return HealthFinding(text, "redis-cli CONFIG SET maxmemory-policy noeviction")


def _judge_clock(moment: Any, now_ms: int) -> HealthFinding:  # noqa: ANN401 -- as of _facts
    difference_s = (int(moment[0]) * 1000 - now_ms) / 1000
    text = f"its clock is {abs(difference_s):.0f} s {'ahead of' if difference_s > 0 else 'behind'} this machine's"
    if abs(difference_s) > MAX_CLOCK_DIFFERENCE_S:
        return HealthFinding(text, "let both machines keep their time by NTP")
    return HealthFinding("its clock is this machine's")


def _judge_latency(latency_ms: float) -> HealthFinding:
    text = f"an answer takes {latency_ms:.1f} ms"
    if latency_ms > MAX_LATENCY_MS:
        return HealthFinding(text, "put it nearer: every request waits for it once")
    return HealthFinding(text)
