"""The vocabulary of security events is closed: nobody emits a name that is not in it."""

import ast
from pathlib import Path

from voxgate.gate import events
from voxgate.speech.jobs import base as jobs

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/voxgate").rglob("*.py"))
SINKS = {"tell", "emit", "_emit", "events", "log_event", "_on_event", "_sink"}


def name_of(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def calls_of(path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]


def test_every_event_that_is_named_exists():
    """A constant that is gone is found here and not in production."""
    used = {
        f"{path.name}: {node.attr}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "events"
        and node.attr.isupper()
        and node.attr != "NAMES"
        and getattr(events, node.attr, None) not in events.NAMES
    }
    assert not used


def test_no_event_is_emitted_by_a_text_of_its_own():
    """A name stands in the vocabulary, or nobody finds it."""
    strays = [
        f"{path.name}:{call.lineno}"
        for path in SOURCES
        for call in calls_of(path)
        if name_of(call) in SINKS and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert not strays


def test_the_jobs_events_are_in_the_vocabulary():
    """Speech knows no gate, so it has the three names of its own."""
    own = {value for name, value in vars(jobs).items() if name.startswith("TTS_JOB_")}
    assert own
    assert own <= events.NAMES
