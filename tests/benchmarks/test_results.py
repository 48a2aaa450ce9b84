"""Medians, ratios and goals: figures of a run are put together as the page about the method says."""

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import process
from benchmarks.contest import Sample
from benchmarks.goals import verdicts
from benchmarks.results import Result, format_table, summarize
from benchmarks.scenarios import together


def samples(*cpu_us):
    return [Sample(requests=10, cpu_us=each, rps=100, p50_ms=1, p99_ms=2, trips=1) for each in cpu_us]


def test_ratio_is_the_median_of_the_ratios_within_each_round():
    """A round that was slow for everybody changes nothing."""
    rounds = {"usual-stack": samples(1000, 5000, 1200), "voxgate-redis": samples(200, 1000, 300)}
    results = summarize(rounds, {"usual-stack": 80, "voxgate-redis": 60})
    assert results["voxgate-redis"].ratio == 5
    assert results["voxgate-redis"].cpu_us == 300
    assert results["usual-stack"].ratio == 1


def test_without_the_usual_stack_there_is_no_ratio():
    """No figure is invented."""
    result = summarize({"bare-flask": samples(100)}, {"bare-flask": 40})["bare-flask"]
    assert result.ratio is None
    assert "| bare-flask | 100.0 |  |" in format_table("allowed", {"bare-flask": result})


@pytest.mark.parametrize(("ratio", "is_met"), [(5.5, True), (5.49, False)])
def test_goals_are_judged_by_what_was_measured(ratio, is_met):
    """A goal without its figure is not judged, one with it exactly."""
    ours = Result(cpu_us=170, ratio=ratio, rps=1, p50_ms=1, p99_ms=1, trips=1.0, rss_mib=1)
    judged = {goal.text: goal.is_met(figure) for goal, figure in verdicts({"allowed": {"voxgate-redis": ours}})}
    assert judged == {"allowed, usual stack / ours": is_met, "store trips, allowed": True}


def result(*rounds_us):
    return replace(summarize({"voxgate-redis": samples(*rounds_us)}, {"voxgate-redis": 60})["voxgate-redis"], ratio=9.9)


def test_what_is_compared_is_compared_within_each_round():
    """A round that was slow for both changes nothing, also where the two are scenarios."""
    results = {
        "allowed": {"voxgate-redis": result(200, 900, 210), "bare-flask": result(100, 450, 140)},
        "allowed3": {"voxgate-redis": result(206, 927, 420)},
    }
    figures = {goal.text: figure for goal, figure in verdicts(results)}
    assert figures["allowed, ours / bare Flask"] == 2
    assert figures["ours with three limits / with one"] == 1.03


def test_scenarios_that_are_compared_share_their_rounds():
    """Minutes between two figures are as good as two machines."""
    groups = together(["denied", "allowed", "invalid", "allowed3"])
    assert [[scenario.name for scenario in group] for group in groups] == [
        ["denied"],
        ["allowed", "allowed3"],
        ["invalid"],
    ]


WORK = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
end = time.process_time() + 0.02
while time.process_time() < end:
    pass
print("done", flush=True)
sys.stdin.readline()
"""


def test_cpu_time_of_a_process_counts_work_and_not_waiting():
    """The clock of the process that is asked for moves with its work."""
    # A process of its own: of this one's the children would count too, and with each that ends its time goes.
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout.readline() == b"ready\n"
        before = process.cpu_ns(worker.pid)
        worker.stdin.write(b"work\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == b"done\n"
        assert process.cpu_ns(worker.pid) - before >= 15_000_000
        assert process.rss_mib(worker.pid) > 1
        worker.stdin.close()
