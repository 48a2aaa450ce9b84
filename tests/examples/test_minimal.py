"""The smallest example: as short as it says, and really guarded."""

import ast
import re
import runpy
import subprocess
import sys
import urllib.request

import pytest
from flask import Flask
from tests.support.waiting import eventually

from voxgate.testing import bearer, exhaust

pytest_plugins = ["voxgate.testing"]


@pytest.fixture
def client(gate_clock, load):
    return load("minimal").app.test_client()


@pytest.fixture
def ann(client):
    return bearer(client.post("/login/ann").get_json()["access_token"])


def test_it_is_ten_lines_of_code(copied):
    """Statements outside the docstring, without the two lines that start it."""
    _docstring, *body, _start = ast.parse(copied("minimal").read_text()).body
    statements = [node for top in body for node in ast.walk(top) if isinstance(node, ast.stmt)]
    assert len(statements) <= 10


def test_login_opens_a_session(client, ann):
    """The token opens the route, and nothing else does."""
    assert client.get("/hello", headers=ann).get_json() == {"hello": "ann"}
    assert client.get("/hello").status_code == 401


def test_hello_is_said_ten_times_a_minute(client, ann, gate_clock):
    """The eleventh has to wait, and the wait is enough."""
    spent = exhaust(client, "/hello", headers=ann)
    assert spent.passed == 10
    gate_clock.advance(spent.retry_after_s)
    assert client.get("/hello", headers=ann).status_code == 200


def test_it_starts_as_a_program(copied, monkeypatch):
    """``python examples/minimal.py`` serves."""
    served = []

    def run(app):
        served.append(app)

    monkeypatch.setattr(Flask, "run", run)
    monkeypatch.chdir(copied("minimal").parent)
    runpy.run_path("minimal.py", run_name="__main__")
    assert len(served) == 1


def test_it_runs_under_the_flask_command(copied):
    """With nothing set and nothing prepared: a real server, asked over loopback."""
    path = copied("minimal")
    output = path.with_name("output")
    command = (sys.executable, "-m", "flask", "--app", str(path), "run", "--port", "0")
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, cwd=path.parent) as process:
        try:
            url = eventually(lambda: re.search(r"http://127\.0\.0\.1:\d+", output.read_text()), "its address")[0]
            request = urllib.request.Request(f"{url}/login/ann", method="POST")  # noqa: S310 -- a loopback address
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                assert b"access_token" in answer.read()
        finally:
            process.terminate()
