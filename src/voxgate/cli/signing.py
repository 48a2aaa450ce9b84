"""The commands about the keys that sign tokens."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from voxgate.cli.frame import data_option, read_settings, security_log
from voxgate.gate import events
from voxgate.gate.clock import SystemClock
from voxgate.gate.signing import ALGORITHMS, KeyFolder, KeySet, SigningKey
from voxgate.logs import configure_logs
from voxgate.settings.forms import read_duration

_algorithm = click.option("--algorithm", type=click.Choice(ALGORITHMS), help="Signature algorithm of the key.")


@click.group()
def signing() -> None:
    """List, make, rotate and retire the keys that sign tokens. Running processes follow within a second."""


@signing.command("list")
@data_option
def list_keys(data: str | None) -> None:
    """Show the keys, never what they are made of."""
    with _opened(data) as folder:
        keys = folder.read()
    for key in keys.keys:
        made = "-" if not key.made_at_ms else _text_of(key.made_at_ms)
        click.echo(f"{key.kid:<14}{key.algorithm:<7}{_standing(key, keys):<32}made {made}")


@signing.command("new")
@_algorithm
@data_option
def new(*, algorithm: str | None, data: str | None) -> None:
    """Make a key that is published and verifies, and signs nothing yet; ``rotate`` signs with it.

    Between the two it can be copied to other machines, so that each knows it before the first token comes.
    """
    with _opened(data) as folder:
        key = folder.new(algorithm or folder.read().signing.algorithm)
        _tell(key, "made")
    click.echo(f"key {key.kid} ({key.algorithm}) is published; sign with it: voxgate signing rotate")


@signing.command("rotate")
@_algorithm
@click.option(
    "--overlap",
    default="24 hours",
    show_default=True,
    metavar="TIME",
    help="How long tokens of the old key are accepted; 0 ends them at once.",
)
@click.option(
    "--leaked",
    is_flag=True,
    help="Somebody else knows the key: it ends at once, refresh tokens with it, and everybody logs in again.",
)
@data_option
def rotate(*, algorithm: str | None, overlap: str, leaked: bool, data: str | None) -> None:
    """Sign with another key from now on; nobody is logged out, unless the old one has leaked."""
    try:
        overlap_s = read_duration(overlap)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--overlap") from error
    with _opened(data) as folder:
        old = folder.read().signing
        key = folder.rotate(overlap_s=overlap_s, algorithm=algorithm, is_leaked=leaked)
        ends_ms = SystemClock().now_ms() + overlap_s * 1000
        _tell(key, "signs", replaces=old.kid, leaked=leaked or None)
    click.echo(f"key {key.kid} ({key.algorithm}) signs")
    if leaked:
        click.echo(f"key {old.kid} ({old.algorithm}) has ended, and every refresh token with it")
        return
    click.echo(f"key {old.kid} ({old.algorithm}) verifies until {_text_of(ends_ms)}")


@signing.command("retire")
@click.argument("kid")
@click.option(
    "--leaked", is_flag=True, help="Somebody else knows it: refresh tokens end as well, and everybody logs in again."
)
@data_option
def retire(*, kid: str, leaked: bool, data: str | None) -> None:
    """Remove a key for ever: its tokens are refused in every process within a second."""
    with _opened(data) as folder:
        keys = folder.read()
        found = next((key for key in keys.keys if key.kid == kid), None)
        if found is None:
            raise click.ClickException(f"there is no key {kid!r}; 'voxgate signing list' shows them all")
        if not folder.retire(kid, is_leaked=leaked):
            raise click.ClickException(
                f"key {kid} signs; replace it, and end it at once: voxgate signing rotate --leaked"
            )
        _tell(found, "retired", leaked=leaked or None)
    click.echo(f"key {kid} is retired")


@contextlib.contextmanager
def _opened(data: str | None) -> Iterator[KeyFolder]:
    """Open the folder of the keys alone: neither the database nor the store is needed, as after a break-in."""
    settings = read_settings(data=data)
    configure_logs("error", security_log=security_log(settings))
    folder = KeyFolder(settings.data, clock=SystemClock(), secret=settings.signing_secret)
    folder.open()
    yield folder


def _tell(key: SigningKey, change: str, **more: object) -> None:
    fields = {"kid": key.kid, "algorithm": str(key.algorithm), "change": change, "by": "cli", **more}
    events.log_event(events.SIGNING_KEY_CHANGED, {name: value for name, value in fields.items() if value is not None})


def _standing(key: SigningKey, keys: KeySet) -> str:
    if key is keys.signing:
        return "signs"
    if key.ends_at_ms is None:
        return "verifies, waits to sign"
    if not key.lives_at(SystemClock().now_ms()):
        return "ended"
    return f"verifies until {_text_of(key.ends_at_ms)}"


def _text_of(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
