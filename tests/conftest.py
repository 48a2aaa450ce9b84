"""What every test leaves behind is closed, and what asks for a database runs on each kind of it."""

import gc

import hypothesis
import pytest
from tests.support.databases import (  # noqa: F401 -- fixtures are found by their names
    database_kind,
    database_url,
    databases,
    new_database,
    parametrize,
    postgres,
)
from tests.support.ordering import deal
from tests.support.remembering import _remember  # noqa: F401 -- the same

from voxgate.gate.stores import open_store

# How long an example takes, or takes to be made, says something of the machine, not of the code.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Let each of several processes begin with what takes long."""
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1:
        items[:] = [items[number] for number in deal([item.nodeid for item in items], processes)]


def pytest_collection_finish():
    """Look no more, in every collection of garbage, through the thousands of tests that stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc):
    """Run what asks for a database on each kind of it."""
    parametrize(metafunc)


@pytest.fixture(autouse=True)
def _close_stores(monkeypatch):
    """Close every store that a gate of the test has opened."""
    opened = []

    def open_and_note(*location, **how):
        opened.append(open_store(*location, **how))
        return opened[-1]

    monkeypatch.setattr("voxgate.gate.flask.extension.open_store", open_and_note)
    yield
    for store in opened:
        store.close()
