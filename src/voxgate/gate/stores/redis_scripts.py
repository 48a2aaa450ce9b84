"""The scripts that run inside Redis: read from the lua folder once, each with the parts that it is made of."""

import functools
import hashlib
from dataclasses import dataclass, field
from importlib.resources import files

# Makes Redis treat each script as one that writes: a replica refuses it at once, and so never decides anything.
_FIRST_LINE = "#!lua\n"
_MAX_ARGUMENTS = 256

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
            count = 3 + len(self.keys) + len(self.arguments)
            begin = _pack_begin(count, b"EVALSHA", self.script.sha, len(self.keys), *self.keys)
            self._packed = [begin + _pack_arguments(self.arguments)]
        return self._packed


def pack(command: tuple[Argument, ...]) -> list[bytes]:
    """Return a command as Redis reads it (RESP: an array of bulk strings), in the pieces that are sent."""
    return [_pack_begin(len(command), *command)]


def _pack_begin(count: int, *arguments: Argument) -> bytes:
    """Return the first of so many arguments of a command as Redis reads it."""
    return b"*%d\r\n%b" % (count, b"".join(map(_bulk, arguments)))


# Who asks stands in the keys: what is asked of a route is the same text for nearly everybody.
@functools.lru_cache(_MAX_ARGUMENTS)
def _pack_arguments(arguments: tuple[Argument, ...]) -> bytes:
    return b"".join(map(_bulk, arguments))


def _bulk(argument: Argument) -> bytes:
    text = argument if isinstance(argument, bytes) else str(argument).encode("utf-8", "surrogatepass")
    return b"$%d\r\n%b\r\n" % (len(text), text)


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
