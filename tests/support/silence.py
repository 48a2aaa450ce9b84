"""A PostgreSQL that says nothing: every wait for it is real, and counted by what it was allowed, not by a clock.

So what a hang costs is the same on any machine, however long this one takes to come back from a wait.
"""

import threading

import psycopg
import pytest


class Waits(list):
    """The seconds that were allowed to each wait for PostgreSQL that ended in vain; no other time passes meanwhile.

    Only the thread of the test is counted. A service has others, which wait for themselves: what they wait, passes for
    them alone.
    """

    def __init__(self):
        super().__init__()
        self._passed_s = 0
        self._thread = threading.get_ident()
        self._others = threading.local()

    def monotonic(self):
        """Return the time as the module of that name does."""
        return self._passed_s + sum(self) + getattr(self._others, "waited_s", 0)

    def let_pass(self, seconds):
        """Let time pass without a wait."""
        self._passed_s += seconds

    def counting(self, wait):
        """Return one of psycopg's two functions that wait, which is counted where it ends in vain."""

        def wait_and_count(*arguments, timeout=None, **how):
            try:
                return wait(*arguments, timeout=timeout, **how)
            except psycopg.OperationalError:
                if threading.get_ident() == self._thread:
                    self.append(timeout)
                else:
                    self._others.waited_s = getattr(self._others, "waited_s", 0) + timeout
                raise

        return wait_and_count


@pytest.fixture
def waits(monkeypatch):
    """Count the waits of every connection, whoever opens it."""
    counted = Waits()
    for name in ("wait", "wait_conn"):
        monkeypatch.setattr(psycopg.waiting, name, counted.counting(getattr(psycopg.waiting, name)))
    monkeypatch.setattr("voxgate.accounts.postgres.time", counted)
    return counted
