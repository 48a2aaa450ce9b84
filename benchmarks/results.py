"""From samples to results: medians over the rounds, ratios within each round, a table and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.contest import Sample
from benchmarks.targets import USUAL

Results = dict[str, dict[str, "Result"]]
"""For each scenario and target its result."""


@dataclass(frozen=True, slots=True)
class Result:
    """One target in one scenario; medians over the rounds.

    Attributes:
        cpu_us: CPU time of the server per request, in microseconds.
        ratio: The usual stack's CPU time by this one's, the median of the rounds' ratios; None without a usual stack.
        rps: Requests per second; the load and Redis share the machine, so this says less than the CPU time.
        p50_ms: Median time to an answer, in milliseconds.
        p99_ms: The time that one answer in a hundred exceeded, in milliseconds.
        trips: Questions to the store per request.
        rss_mib: Resident memory of the worker after the last round.
        rounds_us: CPU time per request of each round, in their order; for comparisons within a round.
    """

    cpu_us: float
    ratio: float | None
    rps: float
    p50_ms: float
    p99_ms: float
    trips: float
    rss_mib: float
    rounds_us: tuple[float, ...] = ()


def summarize(samples: Mapping[str, Sequence[Sample]], rss_mib: Mapping[str, float]) -> dict[str, Result]:
    """Return for each target its result from the samples of all rounds, in the order of the rounds."""
    return {
        name: Result(
            cpu_us=round(median(sample.cpu_us for sample in own), 1),
            ratio=_ratio(samples.get(USUAL), own),
            rps=round(median(sample.rps for sample in own)),
            p50_ms=round(median(sample.p50_ms for sample in own), 3),
            p99_ms=round(median(sample.p99_ms for sample in own), 3),
            trips=round(median(sample.trips for sample in own), 4),
            rss_mib=round(rss_mib[name], 1),
            rounds_us=tuple(sample.cpu_us for sample in own),
        )
        for name, own in samples.items()
    }


def write_json(results: Results, path: Path) -> None:
    """Write ``{scenario: {target: {cpu_us, ratio, rps, p50_ms, p99_ms, trips, rss_mib}}}``."""
    plain = {name: {target: _figures(result) for target, result in row.items()} for name, row in results.items()}
    path.write_text(json.dumps(plain, indent=2) + "\n")


def format_table(name: str, row: Mapping[str, Result]) -> str:
    """Return one scenario as a Markdown table."""
    lines = [
        f"| {name} | CPU us | ratio | requests/s | p50 ms | p99 ms | trips | RSS MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target, result in row.items():
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}x"
        figures = (f"{result.cpu_us:.1f}", ratio, f"{result.rps:.0f}", f"{result.p50_ms:.2f}", f"{result.p99_ms:.2f}")
        lines.append("| " + " | ".join((target, *figures, f"{result.trips:.3f}", f"{result.rss_mib:.0f}")) + " |")
    return "\n".join(lines)


def _figures(result: Result) -> dict[str, float | None]:
    figures = asdict(result)
    del figures["rounds_us"]
    return figures


def _ratio(usual: Sequence[Sample] | None, own: Sequence[Sample]) -> float | None:
    if usual is None:
        return None
    return round(median(theirs.cpu_us / ours.cpu_us for theirs, ours in zip(usual, own, strict=True)), 2)
