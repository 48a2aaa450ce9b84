"""The gate: who may, and how often. A library of its own: ``from voxgate.gate import Gate``."""

from typing import TYPE_CHECKING, Any

from voxgate.gate import events
from voxgate.gate.decision import AccountState, Decision, KeyState, SessionState
from voxgate.gate.errors import ConfigurationError, Refusal, StoreUnavailableError, VoxgateError
from voxgate.gate.principal import Principal

if TYPE_CHECKING:
    from voxgate.gate.flask import Gate, GateConfig, Parts

__all__ = [
    "AccountState",
    "ConfigurationError",
    "Decision",
    "Gate",
    "GateConfig",
    "KeyState",
    "Parts",
    "Principal",
    "Refusal",
    "SessionState",
    "StoreUnavailableError",
    "VoxgateError",
    "events",
]
_OF_FLASK = frozenset({"Gate", "GateConfig", "Parts"})


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- PEP 562
    """Give what needs Flask when it is asked for, so that the framework-free core imports without Flask."""
    if name in _OF_FLASK:
        from voxgate.gate import flask  # noqa: PLC0415 -- the point of this function

        return getattr(flask, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
