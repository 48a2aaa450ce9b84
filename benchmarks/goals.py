"""What this project promises of its own figures, each measured against the results of one run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.results import Results
from benchmarks.targets import USUAL


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise.

    Attributes:
        text: The promise.
        bound: The figure promised.
        figure: Reads the figure from the results; a KeyError means that this run has not measured it.
        is_least: True when the figure must be at least the bound, False when it must be at most.
    """

    text: str
    bound: float
    figure: Callable[[Results], float]
    is_least: bool = True

    def is_met(self, figure: float) -> bool:
        """Say whether a figure keeps the promise."""
        return figure >= self.bound if self.is_least else figure <= self.bound


def verdicts(results: Results) -> Iterator[tuple[Goal, float]]:
    """Give every goal that this run can judge, with its figure."""
    for goal in GOALS:
        try:
            yield goal, goal.figure(results)
        except KeyError:
            continue


def _ratio(scenario: str, target: str = "voxgate-redis") -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        ratio = results[scenario][target].ratio
        if ratio is None:
            raise KeyError(USUAL)
        return ratio

    return figure


def _cpu(one: tuple[str, str], other: tuple[str, str]) -> Callable[[Results], float]:
    """Divide the CPU times of two targets within each round, and take the median: what slows a round slows both."""

    def figure(results: Results) -> float:
        ours, theirs = (results[scenario][target].rounds_us for scenario, target in (one, other))
        return round(median(mine / yours for mine, yours in zip(ours, theirs, strict=True)), 3)

    return figure


def _trips(scenario: str) -> Callable[[Results], float]:
    return lambda results: results[scenario]["voxgate-redis"].trips


_ALLOWED = ("allowed", "voxgate-redis")
GOALS = (
    Goal("allowed, usual stack / ours", 5.5, _ratio("allowed")),
    Goal("allowed with three limits, usual stack / ours", 6.5, _ratio("allowed3")),
    Goal("allowed, ours / bare Flask", 1.7, _cpu(_ALLOWED, ("allowed", "bare-flask")), is_least=False),
    Goal("allowed, ours / bare Flask with a PING", 1.0, _cpu(_ALLOWED, ("allowed", "bare-flask-ping")), is_least=False),
    Goal("cold, usual stack / ours", 4, _ratio("cold")),
    Goal("ours with three limits / with one", 1.05, _cpu(("allowed3", "voxgate-redis"), _ALLOWED), is_least=False),
    Goal("denied, usual stack / ours", 20, _ratio("denied")),
    Goal("invalid, usual stack / ours", 8, _ratio("invalid")),
    Goal("revoked, usual stack / ours", 15, _ratio("revoked")),
    Goal("embedded store, allowed, usual stack / ours", 5, _ratio("allowed", "voxgate-sqlite")),
    Goal("store trips, allowed", 1.005, _trips("allowed"), is_least=False),
    Goal("store trips, denied", 0.02, _trips("denied"), is_least=False),
    Goal("store trips, invalid", 0, _trips("invalid"), is_least=False),
    Goal("allowed, FastAPI / ours", 1.8, _cpu(("allowed", "fastapi-async"), _ALLOWED)),
    Goal("denied, FastAPI / ours", 8, _cpu(("denied", "fastapi-async"), ("denied", "voxgate-redis"))),
)
