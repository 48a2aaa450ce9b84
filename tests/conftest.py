"""What every test leaves behind is closed."""

import pytest

from voxgate.gate.stores import open_store


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
