"""A command line on an empty data folder, with a clean environment and clean logs."""

import logging
import os
from functools import partial

import pytest
from click.testing import CliRunner

from voxgate.accounts.passwords import Hasher
from voxgate.cli import cli

PASSWORD = "four plain words here"


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path, database_kind, request):
    """Take every setting of the outer environment away, and put the logs back afterwards."""
    for name in list(os.environ):
        if name.startswith(("VOXGATE_", "JWT_", "RATELIMIT_", "TTS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VOXGATE_DATA", str(tmp_path / "data"))
    # No command is about the price of a hash: 8 KiB instead of 46 MiB.
    monkeypatch.setattr("voxgate.web.services.Hasher", partial(Hasher, memory_kib=8))
    if database_kind == "postgres":
        monkeypatch.setenv("VOXGATE_DATABASE_URL", request.getfixturevalue("database_url"))
    yield
    for name in ("voxgate", "voxgate.events", "voxgate.settings"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
        logger.filters.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def data(tmp_path):
    """The data folder of the test; not made yet."""
    return tmp_path / "data"


@pytest.fixture
def run():
    """Run one command in this process; returns click's result."""

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)

    return invoke


@pytest.fixture
def ann(run):
    """An account named ann; returns the result of its making."""
    made = run("users", "add", "ann", "ann@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    return made
