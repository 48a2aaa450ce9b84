"""Files that hold secrets: whole or not there, and readable by their owner alone."""

import base64
import os
import re
import secrets
from pathlib import Path

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.signing.keys import MIN_KEY_BYTES


def load_or_create_key(path: Path) -> bytes:
    """Return the key in a file, made with 256 random bits and mode 0600 when there is none.

    Several processes may start at once: exactly one makes the file, all read the same key.

    Raises:
        ConfigurationError: The file holds less than 256 bits.
        OSError: The file can be neither read nor made.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = _write_beside(path, secrets.token_urlsafe(MIN_KEY_BYTES) + "\n")
        try:
            # A link fails when another process was first, and never shows a half-written key.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if re.fullmatch(r"[A-Za-z0-9_-]{43,}", text) else b""
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(str(path), "holds no key of 256 bits; remove the file to have a new one made")
    return key


def write_private(path: Path, text: str) -> None:
    """Put a text in the place of a file, whole, with mode 0600.

    Raises:
        OSError: It cannot be written; the file is what it was.
    """
    _write_beside(path, text).replace(path)


def _write_beside(path: Path, text: str) -> Path:
    """Return a new file beside a path, private and on the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary
