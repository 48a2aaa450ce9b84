"""The scripts that run inside Redis: read from the lua folder once, each with the parts that it is made of."""

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files

# Makes Redis treat each script as one that writes: a replica refuses it at once, and so never decides anything.
_FIRST_LINE = "#!lua\n"


@dataclass(frozen=True, slots=True)
class Script:
    """One script.

    Attributes:
        text: What Redis runs.
        sha: The SHA-1 by which Redis knows it.
    """

    text: bytes = field(repr=False)
    sha: bytes


def load_script(*names: str) -> Script:
    """Read the parts of a script, the last of which does the work."""
    folder = files("voxgate.gate.stores") / "lua"
    text = (_FIRST_LINE + "".join((folder / f"{name}.lua").read_text("utf-8") for name in names)).encode()
    # Redis names scripts by SHA-1; nothing secret depends on it.
    return Script(text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


DECIDE = load_script("clock", "window", "calendar", "lease", "credential", "decide")
REFUND = load_script("clock", "window", "calendar", "refund")
PUT_ACCOUNT = load_script("clock", "version", "account")
PUT_POINTER = load_script("clock", "pointer")
PUT_RECORD = load_script("clock", "version", "record")
NOTE_COUNTERS = load_script("clock", "note")
