"""The gate for Flask: the only folder that imports flask."""

from voxgate.gate.flask.config import GateConfig
from voxgate.gate.flask.extension import Gate, Parts
from voxgate.gate.verifying import RefreshTerms

__all__ = ["Gate", "GateConfig", "Parts", "RefreshTerms"]
