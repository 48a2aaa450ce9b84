"""What the commands share: the data option, the settings, the opened service, refusals and passwords as lines."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from voxgate.cli.importing import importing
from voxgate.gate.errors import Refusal
from voxgate.logs import SecurityLog, configure_logs
from voxgate.settings import Settings, load_settings

if TYPE_CHECKING:
    from voxgate.accounts.account import Account
    from voxgate.web.services import Services

Command = TypeVar("Command", bound=Callable[..., Any])
Value = TypeVar("Value")


def data_option(command: Command) -> Command:
    """Add ``--data DIR`` to a command."""
    option = click.option("--data", type=click.Path(file_okay=False), metavar="DIR", help="Data folder.")
    return option(command)


def password_option(command: Command) -> Command:
    """Add ``--password-stdin`` to a command."""
    option = click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
    return option(command)


def read_settings(**overrides: object) -> Settings:
    """Read the settings, with values of the command line over them; warnings go to standard error.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    given = {f"VOXGATE_{name.upper()}": value for name, value in overrides.items() if value is not None}
    return load_settings(overrides=given, warn=warn)


def warn(text: str) -> None:
    """Say on standard error what is not wrong yet."""
    click.echo(f"voxgate: warning: {text}", err=True)


def security_log(settings: Settings) -> SecurityLog:
    """Return the file of security events as the settings say; nothing is opened before the first event."""
    return SecurityLog(
        settings.security_log_path,
        max_bytes=settings.events_file_bytes,
        max_age_s=settings.events_file_age_s,
        kept=settings.events_files,
    )


@contextlib.contextmanager
def opened(data: str | None) -> "Iterator[Services]":
    """Open the service's parts for one command; what it changes is recorded in the security log.

    Raises:
        VoxgateError: A part cannot be opened.
    """
    with importing():
        from voxgate.web.services import open_services  # noqa: PLC0415 -- costs half a second

    settings = read_settings(data=data)
    configure_logs("error", security_log=security_log(settings))
    services = open_services(settings)
    try:
        yield services
    finally:
        services.close()


def granted(answer: Value | Refusal) -> Value:
    """Return the value, or end the command with the refusal in one line.

    Raises:
        click.ClickException: The answer is a refusal.
    """
    if not isinstance(answer, Refusal):
        return answer
    if answer.faults:
        raise click.ClickException("; ".join(f"{fault.pointer.strip('/')} {fault.detail}" for fault in answer.faults))
    from voxgate.web.problems import PROBLEMS  # noqa: PLC0415 -- the table stands beside Flask

    problem = PROBLEMS[answer.code]
    raise click.ClickException(answer.message or f"{problem.error}. {problem.message}")


def get_account(services: "Services", name: str) -> "Account":
    """Return the account of a user name, an e-mail address or an id.

    Raises:
        click.ClickException: There is none.
    """
    account = services.accounts.find_by_name(name) or services.accounts.find(name)
    if account is None:
        raise click.ClickException(f"there is no account {name!r}; 'voxgate users list' shows them all")
    return account


def read_password(*, from_stdin: bool) -> str:
    """Return a password that was typed twice at a prompt, or piped in; never an argument, which every user sees.

    Raises:
        click.ClickException: Standard input ends before a line.
    """
    if not from_stdin:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.ClickException("standard input holds no password")
    return password
