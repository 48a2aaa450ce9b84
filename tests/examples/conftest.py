"""The examples as a reader has them: copied to a folder of their own, so that what they write stays there."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


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
