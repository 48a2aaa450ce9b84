"""The benchmark of the gate: what it measures is there and right; how fast it was is never tested."""

import json
from dataclasses import replace

import pytest

from benchmarks import guard, scenarios
from benchmarks.contest import WrongStatusError, gather
from benchmarks.scenarios import SCENARIOS, keep
from benchmarks.targets import TARGETS
from voxgate.gate.clock import SystemClock
from voxgate.gate.tokens import Signer

OWN = "bare-flask,voxgate-sqlite"
FIGURES = {"cpu_us", "ratio", "rps", "p50_ms", "p99_ms", "trips", "rss_mib"}


@pytest.fixture(autouse=True)
def few_users(monkeypatch):
    """As many accounts as the tests need."""
    monkeypatch.setattr(scenarios, "USERS", scenarios.OFFENDERS)


def test_guard_measures_every_target_that_fits_the_scenario(tmp_path, capsys):
    """The JSON has the promised form, a guard costs one trip, a remembered refusal next to none."""
    file = tmp_path / "results.json"
    options = ["--targets", OWN, "--only", "allowed,denied", "--rounds", "1", "--seconds", "0.2", "--json", str(file)]
    assert guard.main(options) == 0
    results = json.loads(file.read_text())
    assert {name: set(row) for name, row in results.items()} == {
        "allowed": {"bare-flask", "voxgate-sqlite"},
        "denied": {"voxgate-sqlite"},
    }
    assert all(set(result) == FIGURES for row in results.values() for result in row.values())
    assert results["allowed"]["bare-flask"]["trips"] == 0
    assert results["allowed"]["voxgate-sqlite"]["trips"] == 1
    assert "| voxgate-sqlite |" in capsys.readouterr().out


def test_wrong_status_stops_the_run():
    """A figure for the wrong answer is no figure."""
    scenario = replace(SCENARIOS["revoked"], clients=1, change=keep)
    with pytest.raises(WrongStatusError, match="instead of 401"), gather([TARGETS["voxgate-sqlite"]], [scenario], None):
        pass


@pytest.mark.parametrize("options", [["--only", "nothing"], ["--targets", "usual-stack,nobody"]])
def test_unknown_names_are_refused_with_those_that_there_are(options, capsys):
    """A mistyped name does not run for minutes without what was meant."""
    with pytest.raises(SystemExit):
        guard.main(options)
    assert "unknown: no" in capsys.readouterr().err


def test_target_that_cannot_run_is_left_out_and_named(capsys, monkeypatch):
    """The comparison goes on without what is not installed, and says so."""
    monkeypatch.setattr("benchmarks.redis_server.find_program", lambda: None)
    assert guard.main(["--targets", "voxgate-redis,bare-flask", "--rounds", "1", "--only", "denied"]) == 0
    assert "left out: voxgate-redis: no redis-server" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["invalid", "forged"])
def test_spoiled_tokens_are_refused_by_the_signer(name):
    """What the scenario shows is bad in the way that it says: nobody has signed it."""
    signer = Signer(bytes(range(32)))
    tokens = [signer.issue_access("ann", "session", now_ms=SystemClock().now_ms()) for _ in range(10)]
    spoiled = SCENARIOS[name].change(None, tokens)
    refusals = [signer.verify_access(token, now_ms=SystemClock().now_ms()) for token in spoiled]
    assert {refusal.code for refusal in refusals} == {"INVALID_TOKEN"}
    assert len(set(spoiled)) == 10
