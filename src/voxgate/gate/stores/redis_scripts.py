"""The scripts that run inside Redis: read from the lua folder once, each with the parts that it is made of."""

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files

# Makes Redis treat each script as one that writes: a replica refuses it at once, and so never decides anything.
_FIRST_LINE = "#!lua\n"

Argument = bytes | str | int


@dataclass(frozen=True, slots=True)
class Script:
    """One script.

    Attributes:
        text: What Redis runs.
        sha: The SHA-1 by which Redis knows it.
    """

    text: bytes = field(repr=False)
    sha: bytes


class Call:
    """A script with its keys and arguments, and the bytes that call it, made when they are first sent.

    Args:
        script: The script.
        keys: Its keys.
        arguments: Its arguments.
    """

    __slots__ = ("_packed", "arguments", "keys", "script")

    def __init__(self, script: Script, keys: tuple[bytes, ...], arguments: tuple[Argument, ...]) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self._packed: list[bytes] | None = None

    @property
    def command(self) -> tuple[Argument, ...]:
        """The command that calls the script."""
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)

    def packed(self) -> list[bytes]:
        """Return the command in the pieces that are sent."""
        if self._packed is None:
            self._packed = pack(self.command)
        return self._packed


def pack(command: tuple[Argument, ...]) -> list[bytes]:
    """Return a command as Redis reads it (RESP: an array of bulk strings), in the pieces that are sent."""
    pieces = [b"*%d\r\n" % len(command)]
    for argument in command:
        text = argument if isinstance(argument, bytes) else str(argument).encode("utf-8", "surrogatepass")
        pieces.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return [b"".join(pieces)]


def load_script(*names: str) -> Script:
    """Read the parts of a script, the last of which does the work."""
    folder = files("voxgate.gate.stores") / "lua"
    text = (_FIRST_LINE + "".join((folder / f"{name}.lua").read_text("utf-8") for name in names)).encode()
    # Redis names scripts by SHA-1; nothing secret depends on it.
    return Script(text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


DECIDE = load_script("clock", "window", "calendar", "lease", "credential", "decide")
HOLD = load_script("clock", "window", "calendar", "hold")
REFUND = load_script("clock", "window", "calendar", "refund")
PUT_ACCOUNT = load_script("clock", "version", "account")
PUT_POINTER = load_script("clock", "pointer")
PUT_RECORD = load_script("clock", "version", "record")
NOTE_COUNTERS = load_script("clock", "note")
