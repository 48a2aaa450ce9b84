"""The scenarios: who asks with what, under which limits, and which answer is right."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.targets.base import Desk

USERS = 1000
# Offenders are few and insistent; each of them may cost a store trip a second, however often it asks.
OFFENDERS = 100
# Each of a thousand users stays within a thousand a minute at any speed that one worker reaches, and no window grows
# beyond what ordinary use would fill it with.
ONE_LIMIT = "1000 per minute"
THREE_LIMITS = "1000 per minute;20000 per hour;100000 per day"
# Spent before the first round, and still spent after the last.
TINY_QUOTA = 10
TINY_LIMIT = f"{TINY_QUOTA} per hour"

Change = Callable[[Desk, Sequence[str]], list[str]]
"""Takes the tokens that the desk has issued, and gives those to ask with."""


def keep(_: Desk, tokens: Sequence[str]) -> list[str]:
    """Ask with the tokens as they are."""
    return list(tokens)


def revoke(desk: Desk, tokens: Sequence[str]) -> list[str]:
    """Log everybody out first."""
    desk.revoke(tokens)
    return list(tokens)


def spoil(_: Desk, tokens: Sequence[str]) -> list[str]:
    """Cut every other token's signature off; give the rest a signature that is not theirs."""
    return [_forged(token) if number % 2 else token.rpartition(".")[0] for number, token in enumerate(tokens)]


def forge(_: Desk, tokens: Sequence[str]) -> list[str]:
    """Give every token a signature that is not its own."""
    return [_forged(token) for token in tokens]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of traffic.

    Attributes:
        name: Its name in the results.
        status: The right answer to every request.
        limits: The limits of the route.
        clients: How many users ask in turn.
        spent: How often each asks successfully before the first round.
        is_fresh: Whether every request of every round carries a token of its own.
        change: What happens to the tokens before they are shown.
        beside: Name of the scenario that it is compared with, and whose rounds it therefore shares.
    """

    name: str
    status: int = 200
    limits: str = ONE_LIMIT
    clients: int = USERS
    spent: int = 0
    is_fresh: bool = False
    change: Change = keep
    beside: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether every request passes."""
        return self.status == 200  # noqa: PLR2004 -- OK


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("allowed"),
        Scenario("allowed3", limits=THREE_LIMITS, beside="allowed"),
        Scenario("cold", is_fresh=True),
        Scenario("denied", status=429, limits=TINY_LIMIT, clients=OFFENDERS, spent=TINY_QUOTA),
        Scenario("invalid", status=401, change=spoil),
        Scenario("revoked", status=401, clients=OFFENDERS, change=revoke),
        Scenario("forged", status=401, is_fresh=True, change=forge),
    )
}
# `forged` is the worst case of `invalid`, no bad token ever twice; asked for by name.
DEFAULT = tuple(name for name in SCENARIOS if name != "forged")


def together(names: Iterable[str]) -> list[list[Scenario]]:
    """Return the scenarios of these names, those in one list that are measured in the same rounds."""
    groups: dict[str, list[Scenario]] = {}
    for scenario in map(SCENARIOS.__getitem__, names):
        groups.setdefault(scenario.beside or scenario.name, []).append(scenario)
    return list(groups.values())


def users() -> list[str]:
    """Return the subjects that every target knows."""
    return [f"user-{number:04}" for number in range(USERS)]


def in_turn(subjects: Sequence[str], count: int) -> Iterator[str]:
    """Give ``count`` subjects, each as often as the others."""
    return (subjects[number % len(subjects)] for number in range(count))


def _forged(token: str) -> str:
    # 42 random characters and the old last one: a well-formed signature of 32 bytes that nobody has made.
    unsigned, _, signature = token.rpartition(".")
    return f"{unsigned}.{secrets.token_urlsafe(32)[:42]}{signature[-1:]}"
