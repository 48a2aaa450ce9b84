"""For the tests of applications that use the gate: a given clock, credentials, and fixtures for pytest.

Importing this package needs no pytest. ``pytest_plugins = ["voxgate.testing"]`` in the root conftest.py or in a test
module brings the fixtures ``gate_clock`` and ``gate_store``.

PYTEST_DONT_REWRITE: nothing here asserts by itself, and a conftest.py may import it before pytest does.
"""

from voxgate.testing.clock import FakeClock
from voxgate.testing.credentials import bearer, make_key, make_token
from voxgate.testing.limits import Exhausted, exhaust

__all__ = ["Exhausted", "FakeClock", "bearer", "exhaust", "make_key", "make_token"]

# Read by pytest alone, when this package is named as a plug-in.
pytest_plugins = ("voxgate.testing.fixtures",)
