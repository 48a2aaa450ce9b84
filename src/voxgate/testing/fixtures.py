"""Fixtures for pytest: in a test that asks for ``gate_clock`` every gate reads that clock and has a store of its own.

PYTEST_DONT_REWRITE: nothing here asserts.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from voxgate.gate.flask import Gate, Parts
from voxgate.testing.clock import FakeClock


@pytest.fixture
def gate_store(tmp_path: Path) -> str:
    """Where the gates of one test keep their facts; override it to run the same tests on another store."""
    return str(tmp_path / "gate.db")


@pytest.fixture
def gate_clock(gate_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeClock]:
    """Give every gate that is put around an application during the test this clock, ``gate_store`` and a key.

    What the application hands to its gate itself, in ``Parts`` or as ``JWT_SECRET_KEY``, stays as it is.
    """
    clock = FakeClock()
    guarded: list[Flask] = []
    init_app = Gate.init_app

    def init_for_test(gate: Gate, app: Flask, parts: Parts | None = None) -> None:
        given = parts or Parts()
        app.config["VOXGATE_STORE"] = gate_store
        if not app.config.get("JWT_SECRET_KEY"):
            app.config["JWT_SECRET_KEY"] = secrets.token_urlsafe(32)
        init_app(gate, app, replace(given, clock=given.clock or clock))
        guarded.append(app)

    monkeypatch.setattr(Gate, "init_app", init_for_test)
    yield clock
    for app in guarded:
        with app.app_context():
            Gate().admission.store.close()
