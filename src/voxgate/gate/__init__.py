"""The gate: who may, and how often. A library of its own: ``from voxgate.gate import Gate``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgate.gate.flask.extension import Gate

__all__ = ["Gate"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- PEP 562
    """Give ``Gate`` when it is asked for, so that the framework-free core imports without Flask."""
    if name == "Gate":
        from voxgate.gate.flask.extension import Gate  # noqa: PLC0415 -- the point of this function

        return Gate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
