"""The gate for Flask: the only folder that imports flask."""

from voxgate.gate.flask.config import GateConfig
from voxgate.gate.flask.extension import Gate, Parts

__all__ = ["Gate", "GateConfig", "Parts"]
