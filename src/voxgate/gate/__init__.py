"""The gate: who may, and how often. A library of its own: ``from voxgate.gate import Gate``."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgate.gate import events
    from voxgate.gate.decision import AccountState, Decision, KeyState, SessionState
    from voxgate.gate.errors import ConfigurationError, Refusal, StoreUnavailableError, VoxgateError
    from voxgate.gate.flask import Gate, GateConfig, Parts
    from voxgate.gate.principal import Principal

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
_ROOMS = {
    "decision": ("AccountState", "Decision", "KeyState", "SessionState"),
    "errors": ("ConfigurationError", "Refusal", "StoreUnavailableError", "VoxgateError"),
    "flask": ("Gate", "GateConfig", "Parts"),
    "principal": ("Principal",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- PEP 562
    """Give a name when it is asked for: the core imports without Flask, and the command line without either."""
    if name == "events":
        return importlib.import_module("voxgate.gate.events")
    if name in _ROOM_OF:
        return getattr(importlib.import_module(f"voxgate.gate.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
