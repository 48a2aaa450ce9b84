"""``./dev bench stores``: the stores alone: decisions per second, time per decision, bytes per key."""

import argparse
import contextlib
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders import Contender, open_contenders
from benchmarks.redis_server import start_redis

SUBJECTS = 1000
FULL_COUNTERS = 50


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a store decides, one decision after the other, seen from one thread.

    Attributes:
        per_second: Decisions per second.
        p50_us: Median time of a decision, in microseconds.
        p99_us: The time that one decision in a hundred exceeded, in microseconds.
        cpu_us: CPU time of this process per decision, in microseconds; a server's own is not in it.
    """

    per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    options = _parser().parse_args(arguments)
    results: dict[str, dict[str, object]] = {}
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-bench-")))
        redis = opened.enter_context(start_redis(is_needed=options.only != "sqlite"))
        print(f"redis: {redis.version if redis else 'none'}; one thread, {options.seconds} s per figure", flush=True)
        for contender in open_contenders(folder, redis, only=options.only):
            results[contender.name] = measure(contender, seconds=options.seconds, keys=options.keys)
            print(_lines(contender.name, results[contender.name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def measure(contender: Contender, *, seconds: float, keys: Sequence[int]) -> dict[str, object]:
    """Return all figures of one store; forgets everything in it."""
    figures: dict[str, object] = {}
    subjects = [f"user-{number:04}" for number in range(SUBJECTS)]
    contender.add_accounts(subjects)
    for name, limits in (("one limit", (1_000_000,)), ("three limits", (1_000_000, 2_000_000, 3_000_000))):
        figures[name] = asdict(time_decisions(contender, _in_turn(subjects), quotas=limits, seconds=seconds))
        contender.clear()
        contender.add_accounts(subjects)
    for quota in (10, 1000):
        size = _fill(contender, [f"full-{number}" for number in range(FULL_COUNTERS)], quota=quota)
        figures[f"bytes per key, limit of {quota}, full"] = size
        names = _in_turn([f"full-{number}" for number in range(FULL_COUNTERS)])
        figures[f"refused, limit of {quota}, full"] = asdict(
            time_decisions(contender, names, quotas=(quota,), seconds=seconds, is_spend=True)
        )
        contender.clear()
    for count in keys:
        names = [secrets.token_hex(12) for _ in range(count)]
        figures[f"bytes per key, {count} keys, one hit each"] = _fill(contender, names, quota=1)
        figures[f"one limit, {count} keys"] = asdict(
            time_decisions(contender, _in_turn(names), quotas=(1_000_000,), seconds=seconds, is_spend=True)
        )
        contender.clear()
    return figures


def time_decisions(
    contender: Contender, names: Iterator[str], *, quotas: Sequence[int], seconds: float, is_spend: bool = False
) -> Speed:
    """Decide for one name after the other.

    Args:
        contender: The store.
        names: Whom to decide for.
        quotas: Quotas of the limits that bind.
        seconds: How long.
        is_spend: Whether to ask for limits alone; otherwise session and account are decided with them.
    """
    ask = contender.prepare(quotas, is_spend=is_spend)
    durations = []
    cpu_ns, start_ns = time.process_time_ns(), time.perf_counter_ns()
    now_ns, end_ns = start_ns, start_ns + int(seconds * 1e9)
    while now_ns < end_ns:
        name = next(names)
        before_ns = time.perf_counter_ns()
        ask(name)
        now_ns = time.perf_counter_ns()
        durations.append(now_ns - before_ns)
    cpu_ns = time.process_time_ns() - cpu_ns
    durations.sort()
    count = len(durations)
    return Speed(
        per_second=round(count / (now_ns - start_ns) * 1e9),
        p50_us=durations[count // 2] / 1000,
        p99_us=durations[count * 99 // 100] / 1000,
        cpu_us=round(cpu_ns / count / 1000, 1),
    )


def _fill(contender: Contender, names: Sequence[str], *, quota: int) -> float:
    """Spend each name's quota; returns how many bytes each has taken."""
    ask = contender.prepare((quota,), is_spend=True)
    before = contender.stored_bytes()
    for name in names:
        for _ in range(quota):
            if not ask(name):
                raise RuntimeError(f"{contender.name} refused before the quota was spent")
    return round((contender.stored_bytes() - before) / len(names), 1)


def _in_turn(names: Sequence[str]) -> Iterator[str]:
    while True:
        yield from names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench stores", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    parser.add_argument("--seconds", type=float, default=3.0, help="time per figure (default: %(default)s)")
    parser.add_argument(
        "--keys",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[100_000],
        metavar="NUMBER,...",
        help="how many keys to hold at once (default: 100000; 1000000 takes minutes)",
    )
    parser.add_argument("--only", choices=("sqlite", "redis", "limits"), help="one store alone")
    return parser


def _lines(name: str, figures: dict[str, object]) -> str:
    lines = [f"\n| {name} | decisions/s | p50 us | p99 us | CPU us |", "|---|---|---|---|---|"]
    for label, figure in figures.items():
        if isinstance(figure, dict):
            speed = Speed(**figure)
            parts = f"{speed.per_second:.0f} | {speed.p50_us:.1f} | {speed.p99_us:.1f} | {speed.cpu_us:.1f}"
            lines.append(f"| {label} | {parts} |")
    lines += [f"{label}: {figure:.0f}" for label, figure in figures.items() if isinstance(figure, float)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
