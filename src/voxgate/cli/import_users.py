"""The command that brings accounts of another system, with the hashes of their passwords."""

import json
from typing import TYPE_CHECKING, Any, TextIO

import click

from voxgate.cli.frame import data_option, opened
from voxgate.gate import events
from voxgate.gate.errors import Refusal

if TYPE_CHECKING:
    from voxgate.web.services import Services

MAX_LINE_CHARACTERS = 100_000
_FIELDS = frozenset({"username", "email", "password_hash"})


@click.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@data_option
def import_users(file: TextIO, data: str | None) -> None:
    """Bring accounts of another system: JSON lines with username, email and password_hash.

    A hash may be of werkzeug (pbkdf2 or scrypt), bcrypt or argon2id; the first login of its owner makes it anew.
    A line that cannot be taken is named and left out; taking a file a second time makes no account twice.
    """
    made, left_out = 0, 0
    with opened(data) as services:
        number = 0
        while line := file.readline(MAX_LINE_CHARACTERS):
            number += 1
            if not line.strip():
                continue
            fault = _take(services, line)
            made, left_out = made + (fault is None), left_out + (fault is not None)
            if fault is not None:
                click.echo(f"line {number}: {fault}", err=True)
    click.echo(f"{made} accounts were made, {left_out} lines left out")
    if left_out:
        raise SystemExit(1)


def _take(services: "Services", line: str) -> str | None:
    """Make the account of one line; return why not, without the hash."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return "is no JSON"
    if (
        not isinstance(found, dict)
        or found.keys() != _FIELDS
        or not all(isinstance(each, str) for each in found.values())
    ):
        return "must be an object with the texts username, email and password_hash, and nothing else"
    account = services.accounts.enter(**found)
    if not isinstance(account, Refusal):
        services.events(events.USER_CREATED, {"user_id": account.subject, "by": "cli"})
        return None
    if account.faults:
        return "; ".join(f"{fault.pointer.strip('/')} {fault.detail}" for fault in account.faults)
    return account.code.lower().replace("_", " ")
