"""``./dev bench guard``: what a guarded request costs, every target in every scenario, rounds interleaved."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import scenarios
from benchmarks.contest import Sample, find_obstacle, gather
from benchmarks.goals import verdicts
from benchmarks.load import CONNECTIONS
from benchmarks.redis_server import RedisServer, start_redis
from benchmarks.results import Results, format_table, summarize, write_json
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import BLOCKING_THREADS
from benchmarks.targets import DEFAULT, TARGETS, Target

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 1 when ``--check`` is given and a goal is missed, else 0."""
    options = _parser().parse_args(arguments)
    results: Results = {}
    with start_redis(is_needed=any(TARGETS[name].needs_redis for name in options.targets)) as redis:
        targets = _available(options.targets, redis)
        store = redis.version if redis else "none"
        print(f"granian, 1 worker, {BLOCKING_THREADS} blocking threads (asgi: uvloop); {CONNECTIONS} connections")
        print(f"store: {store}; {options.rounds} rounds of {options.seconds} s", flush=True)
        for group in scenarios.together(options.only):
            for name, row in _run(group, targets, redis=redis, options=options).items():
                results[name] = row
                print(f"\n{format_table(name, row)}", flush=True)
    if options.json:
        write_json(results, options.json)
    return int(_tell_goals(results) and options.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench guard", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    parser.add_argument("--rounds", type=int, default=21, help="rounds per scenario (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a round (default: %(default)s)")
    parser.add_argument("--only", type=_names(SCENARIOS), default=scenarios.DEFAULT, metavar="SCENARIO,...")
    parser.add_argument("--targets", type=_names(TARGETS), default=DEFAULT, metavar="TARGET,...")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    return parser


def _names(known: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a type in the sense of argparse
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        return chosen

    return names


def _available(names: Sequence[str], redis: RedisServer | None) -> list[Target]:
    obstacles = {name: find_obstacle(TARGETS[name], redis) for name in names}
    for name, obstacle in obstacles.items():
        if obstacle:
            print(f"left out: {name}: {obstacle}")
    return [TARGETS[name] for name in names if not obstacles[name]]


def _run(
    group: Sequence[Scenario], targets: Sequence[Target], *, redis: RedisServer | None, options: argparse.Namespace
) -> Results:
    if redis:
        redis.clear()
    with gather(targets, group, redis) as contestants:
        samples: dict[tuple[str, str], list[Sample]] = {contestant.name: [] for contestant in contestants}
        for number in range(options.rounds):
            # Each round begins with another target, so that none always follows the same one.
            first = number % max(1, len(contestants))
            for contestant in contestants[first:] + contestants[:first]:
                samples[contestant.name].append(contestant.measure(options.seconds))
        rss_mib = {contestant.name: contestant.rss_mib() for contestant in contestants}
    return {
        scenario.name: summarize(_of(scenario, samples), _of(scenario, rss_mib))
        for scenario in group
        if _of(scenario, samples)
    }


def _of(scenario: Scenario, by_name: Mapping[tuple[str, str], T]) -> dict[str, T]:
    return {target: value for (name, target), value in by_name.items() if name == scenario.name}


def _tell_goals(results: Results) -> bool:
    """Print every goal that this run can judge; returns whether one is missed."""
    judged = list(verdicts(results))
    if judged:
        print("\n| goal | bound | measured | |\n|---|---|---|---|")
    for goal, figure in judged:
        sign = "at least" if goal.is_least else "at most"
        print(f"| {goal.text} | {sign} {goal.bound:g} | {figure:g} | {'met' if goal.is_met(figure) else 'MISSED'} |")
    return not all(goal.is_met(figure) for goal, figure in judged)


if __name__ == "__main__":
    sys.exit(main())
