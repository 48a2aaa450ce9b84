"""The examples as a reader has them: copied to a folder of their own, and run on the file and on a server."""

import importlib.util
import secrets
import shutil
import sys
from pathlib import Path

import pytest
from tests.support.servers import running

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def server():
    """A real server, started when the first test asks for it."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def gate_store(request, tmp_path):
    """Where the gates of a test keep their facts: one setting, and nothing else differs."""
    if request.param == "sqlite":
        return str(tmp_path / "gate.db")
    return f"{request.getfixturevalue('server').url}?prefix={secrets.token_hex(8)}:"


@pytest.fixture
def copied(tmp_path):
    """Copy an example and return the path of the copy."""

    def copy(name):
        return Path(shutil.copy(EXAMPLES / f"{name}.py", tmp_path))

    return copy


@pytest.fixture
def load(copied, monkeypatch):
    """Import the copy of an example and return the module."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"example_{name}", copied(name))
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load
