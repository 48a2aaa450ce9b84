"""The commands about API keys."""

from datetime import UTC, datetime

import click

from voxgate.cli.frame import data_option, get_account, granted, opened
from voxgate.gate import events
from voxgate.settings.forms import read_duration


@click.group()
def keys() -> None:
    """List, make and revoke API keys. USER is a user name, an e-mail address or an id."""


@keys.command("new")
@click.argument("user")
@click.option("--name", default="", help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may do, such as tts:generate; everything unless given.")
@click.option("--expires-in", metavar="TIME", help="Its life, such as '90 days'; no end unless given.")
@data_option
def new(*, user: str, name: str, scopes: tuple[str, ...], expires_in: str | None, data: str | None) -> None:
    """Make a key and print it; it is shown only once."""
    lifetime_s = None if expires_in is None else _read_lifetime(expires_in)
    with opened(data) as services:
        account = get_account(services, user)
        expires_at_ms = None if lifetime_s is None else services.clock.now_ms() + lifetime_s * 1000
        issued = granted(
            services.api_keys.create(account.subject, name=name, scopes=frozenset(scopes), expires_at_ms=expires_at_ms)
        )
        fields = {"user_id": account.subject, "key_id": issued.key_id, "by": "cli"}
        services.events(events.AUTHN_TOKEN_CREATED, fields)
    click.echo(f"key id:  {issued.key_id}")
    click.echo(f"api key: {issued.text}")


@keys.command("list")
@click.argument("user")
@data_option
def list_keys(user: str, data: str | None) -> None:
    """Show the keys of an account, never their secrets."""
    with opened(data) as services:
        found = services.api_keys.list(get_account(services, user).subject)
    for key in found:
        scopes = ",".join(sorted(key.scopes)) or "everything"
        ends = "never" if key.expires_at_ms is None else _date(key.expires_at_ms)
        made = _date(key.created_at_ms)
        click.echo(f"{key.key_id}  ...{key.hint}  made {made}  expires {ends}  {scopes}  {key.name}".rstrip())
    if not found:
        click.echo(f"There is no key; make one with: voxgate keys new {user}", err=True)


@keys.command("revoke")
@click.argument("user")
@click.argument("key_id")
@data_option
def revoke(user: str, key_id: str, data: str | None) -> None:
    """End a key for ever; it is refused from the next request."""
    with opened(data) as services:
        account = get_account(services, user)
        if not services.api_keys.revoke(account.subject, key_id):
            raise click.ClickException(f"{account.username} has no key {key_id!r}; see: voxgate keys list {user}")
        fields = {"user_id": account.subject, "key_id": key_id, "by": "cli"}
        services.events(events.AUTHN_TOKEN_REVOKED, fields)
    click.echo(f"key {key_id} is revoked")


def _read_lifetime(text: str) -> int:
    try:
        return read_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from error


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
