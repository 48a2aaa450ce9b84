"""The README runs: each of its lines, one after the other, as a reader would type them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from tests.speech.measure import assert_is_speech, read
from tests.support.waiting import eventually

from voxgate.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:5000"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
UNTIL = re.compile(r'# .*\buntil\b.*"(\w+)"')
DONE = "--- done with status "


class Terminal:
    """One bash that runs what it is given, step by step, and keeps its variables."""

    def __init__(self, folder):
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment | {"LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.run("set -o pipefail")

    def run(self, step):
        """Run one step and return what it prints; a step that fails, fails the test."""
        self._shell.stdin.write(f"{step}\necho; echo '{DONE}'$?\n")
        self._shell.stdin.flush()
        lines = []
        while not (line := self._shell.stdout.readline()).startswith(DONE):
            assert line, f"the terminal closed: {step}\n{''.join(lines)}"
            lines.append(line)
        assert line == f"{DONE}0\n", f"{step}\n{''.join(lines)}"
        return "".join(lines)

    def close(self):
        """End the shell and all that it started."""
        self._shell.stdin.close()
        self._shell.wait(timeout=60)
        self._shell.stdout.close()


@pytest.fixture
def terminal(tmp_path):
    """A terminal in an empty folder."""
    missing = [name for name in ("bash", "curl") if shutil.which(name) is None]
    assert not missing, f"the README is run with {missing[0]}; Debian: apt-get install {missing[0]}"
    (tmp_path / "work").mkdir()
    opened = Terminal(tmp_path / "work")
    yield opened
    opened.close()


def blocks(kind):
    """Return the README's fenced texts of a kind."""
    return [text for found, text in FENCED.findall(README) if found == kind]


def steps(kind):
    """Return the paragraphs of the README's fenced texts of a kind."""
    return [step.strip() for text in blocks(kind) for step in text.split("\n\n")]


def test_first_request_works_as_it_is_written(serve, terminal, tmp_path):
    """Every curl line in order, against a fresh service with its defaults; at the end there is audio to listen to."""
    url = serve().url
    ran = [step for step in steps("sh") if "curl" in step or "=" in step]
    assert sum(step.count("curl ") for step in ran) == README.count("curl ") >= 5
    for step in ran:
        printed = terminal.run(step.replace(ADDRESS, url))
        while (until := UNTIL.search(step)) and f'"{until[1]}"' not in printed:
            printed = terminal.run(step)
        assert '"code"' not in printed, printed  # of an error
    (audio,) = (tmp_path / "work").glob("*.mp3")
    assert_is_speech(read(audio.read_bytes()))


def test_command_without_a_server_speaks(terminal, tmp_path):
    """The line with `voxgate say` makes the file that it names."""
    (line,) = (line for text in blocks("") for line in text.splitlines() if line.startswith("voxgate say "))
    terminal.run(line)
    (audio,) = (tmp_path / "work").glob("*.wav")
    assert_is_speech(read(audio.read_bytes()))


def test_every_other_command_exists():
    """What stands in the text between back quotes as a command of voxgate is one."""
    named = set(re.findall(r"`voxgate (\w+)", README))
    assert {"init", "doctor"} <= named <= set(COMMANDS)


def test_door_alone_guards(tmp_path, monkeypatch):
    """The Python of the README is an application whose route asks for a token."""
    (program,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda _: str(tmp_path))
    names = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 -- it is what a reader would run
    app, gate = names["app"], names["gate"]
    client = app.test_client()
    assert client.get("/hello").status_code == 401
    with app.app_context():
        gate.issuer.set_account("ann")
        token = gate.issuer.open_session("ann").access_token
    answers = [client.get("/hello", headers={"Authorization": f"Bearer {token}"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].get_json() == {"hello": "ann"}


def test_line_of_the_first_start_works(serve, terminal):
    """What a new service prints as the next thing to type makes an account."""
    served = serve()
    printed = eventually(lambda: re.search(r"Next, .*?\n(.*\}')", served.output, re.DOTALL), "the next thing to type")
    assert '"api_key"' in terminal.run(f"{printed[1]} -s")
