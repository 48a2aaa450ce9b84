"""The service's one gate: imported by every blueprint, wired to its store in ``app.py``."""

from voxgate.gate.flask import Gate

gate = Gate()
