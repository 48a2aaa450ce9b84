"""The commands about API keys."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from voxgate.cli.frame import data_option, get_account, granted, opened
from voxgate.gate import events
from voxgate.gate.overrides import EVERY
from voxgate.settings.forms import read_duration

if TYPE_CHECKING:
    from voxgate.accounts.key_values import ApiKeyInfo, KeyTerms


Command = Callable[..., None]

_TERMS = (
    click.option("--name", help="What the key is for."),
    click.option(
        "--scopes",
        "--scope",
        multiple=True,
        metavar="WORDS",
        help="What it may do, such as tts:generate,tts:read; 'everything' unless given.",
    ),
    click.option(
        "--expires-in", metavar="TIME", help="Its life from now, such as '90 days'; 'never' ends unless given."
    ),
    click.option(
        "--network",
        "networks",
        multiple=True,
        metavar="NETWORK",
        help="Where it may be used from, such as 192.0.2.0/24; 'everywhere' unless given. May be repeated.",
    ),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="LIMIT",
        help="A limit of its own beneath those of the account, such as '100 per hour' or 'tts-generate=5 per minute'; "
        "'none' unless given. May be repeated.",
    ),
)


@click.group()
def keys() -> None:
    """List, make, change, rotate and revoke API keys. USER is a user name, an e-mail address or an id."""


def _terms_options(command: Command) -> Command:
    """Add the options that say what binds a key."""
    for option in reversed(_TERMS):
        command = option(command)
    return command


@keys.command("new")
@click.argument("user")
@_terms_options
@data_option
def new(user: str, data: str | None, **terms: Any) -> None:  # noqa: ANN401 -- what click hands over
    """Make a key and print it; it is shown only once."""
    with opened(data) as services:
        account = get_account(services, user)
        issued = granted(services.api_keys.create(account.subject, **_read_terms(**terms)))
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
        click.echo(_describe(key))
    if not found:
        click.echo(f"There is no key; make one with: voxgate keys new {user}", err=True)


@keys.command("change")
@click.argument("user")
@click.argument("key_id")
@_terms_options
@data_option
def change(*, user: str, key_id: str, data: str | None, **terms: Any) -> None:  # noqa: ANN401 -- what click hands over
    """Change what binds a key; what is not given stays. It holds from the next request.

    Scopes, networks and limits are replaced as a whole; 'everything', 'everywhere', 'none' and 'never' lift them.
    """
    given = _read_terms(**terms)
    if not given:
        raise click.UsageError("give at least one of --name, --scopes, --expires-in, --network, --limit")
    with opened(data) as services:
        account = get_account(services, user)
        changed = granted(services.api_keys.change(account.subject, key_id, **given))
        fields = {"user_id": account.subject, "key_id": key_id, "changed": sorted(given), "by": "cli"}
        services.events(events.USER_UPDATED, fields)
    click.echo(_describe(changed))


@keys.command("rotate")
@click.argument("user")
@click.argument("key_id")
@click.option(
    "--overlap", default="24 hours", show_default=True, metavar="TIME", help="How long the old key goes on; 0 ends it."
)
@data_option
def rotate(*, user: str, key_id: str, overlap: str, data: str | None) -> None:
    """Replace a key by a new one on the same terms; it is shown only once."""
    overlap_s = _read_time(overlap, "--overlap")
    with opened(data) as services:
        account = get_account(services, user)
        rotated = granted(services.api_keys.rotate(account.subject, key_id, overlap_s=overlap_s))
        new_id = rotated.issued.key_id
        fields = {"user_id": account.subject, "key_id": new_id, "replaces": key_id, "by": "cli"}
        services.events(events.AUTHN_TOKEN_CREATED, fields)
    click.echo(f"key id:  {new_id}")
    click.echo(f"api key: {rotated.issued.text}")
    click.echo(f"key {key_id} ends {datetime.fromtimestamp(rotated.replaced_at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC")


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


def _describe(key: "ApiKeyInfo") -> str:
    scopes = ",".join(sorted(key.scopes)) or "everything"
    ends = "never" if key.expires_at_ms is None else _date(key.expires_at_ms)
    made = _date(key.created_at_ms)
    used = "unused" if key.last_used_at_ms is None else f"used {_date(key.last_used_at_ms)}"
    bounds = [*key.networks, *(f"{policy}={text}" for policy, text in key.limits.items())]
    line = f"{key.key_id}  ...{key.hint}  made {made}  expires {ends}  {used}  {scopes}  {key.name}"
    return f"{line}  {', '.join(bounds)}".rstrip()


def _read_terms(
    *,
    name: str | None,
    scopes: tuple[str, ...],
    expires_in: str | None,
    networks: tuple[str, ...],
    limits: tuple[str, ...],
) -> "KeyTerms":
    """Return the terms that were given, those that lift a bound as that which is bound by nothing."""
    terms: KeyTerms = {}
    if name is not None:
        terms["name"] = name
    if scopes:
        words = frozenset(word.strip() for text in scopes for word in text.split(","))
        terms["scopes"] = frozenset() if words == {"everything"} else words
    if expires_in is not None:
        terms["expires_in_s"] = None if expires_in == "never" else _read_time(expires_in, "--expires-in")
    if networks:
        terms["networks"] = () if networks == ("everywhere",) else networks
    if limits:
        terms["limits"] = {} if limits == ("none",) else dict(_read_limit(text) for text in limits)
    return terms


def _read_limit(text: str) -> tuple[str, str]:
    before, equals, after = text.partition("=")
    return (before.strip(), after) if equals else (EVERY, before)


def _read_time(text: str, option: str) -> int:
    try:
        return read_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
