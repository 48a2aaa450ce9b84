"""The commands about accounts."""

from datetime import UTC, datetime

import click

from voxgate.cli.frame import data_option, get_account, granted, opened, password_option, read_password
from voxgate.cli.import_users import import_users
from voxgate.gate import events
from voxgate.settings.times import read_time


@click.group()
def users() -> None:
    """List, add and change accounts. USER is a user name, an e-mail address or an id."""


@users.command("add")
@click.argument("username")
@click.argument("email")
@click.option("--tier", default="standard", show_default=True, help="standard or premium.")
@password_option
@data_option
def add(*, username: str, email: str, tier: str, password_stdin: bool, data: str | None) -> None:
    """Make an account and print its first API key, which is shown only once."""
    password = read_password(from_stdin=password_stdin)
    with opened(data) as services:
        made = granted(services.accounts.register(username=username, email=email, password=password))
        services.events(events.USER_CREATED, {"user_id": made.account.subject, "by": "cli"})
        if tier != made.account.tier:
            granted(services.accounts.set_tier(made.account.subject, tier))
    for warning in made.warnings:
        click.echo(f"voxgate: warning: {warning}", err=True)
    click.echo(f"user id: {made.account.subject}")
    click.echo(f"api key: {made.api_key}")


users.add_command(import_users)


@users.command("list")
@data_option
def list_users(data: str | None) -> None:
    """Show every account, oldest first."""
    with opened(data) as services:
        accounts = services.accounts.list()
    for account in accounts:
        made = datetime.fromtimestamp(account.created_at_ms / 1000, UTC)
        state = "active" if account.is_active else "disabled"
        click.echo(
            f"{account.subject}  {made:%Y-%m-%d}  {account.tier:<8}  {state:<8}  {account.username}  {account.email}"
        )
    if not accounts:
        click.echo("There is no account yet; make one with: voxgate users add NAME EMAIL", err=True)


@users.command("disable")
@click.argument("user")
@data_option
def disable(user: str, data: str | None) -> None:
    """Disable an account, from the next request: its sessions and jobs end for ever, its keys until it is enabled."""
    _set_active(user, data, is_active=False)


@users.command("enable")
@click.argument("user")
@data_option
def enable(user: str, data: str | None) -> None:
    """Enable an account again: its API keys work again, and it must log in anew."""
    _set_active(user, data, is_active=True)


@users.command("set-tier")
@click.argument("user")
@click.argument("tier")
@data_option
def set_tier(user: str, tier: str, data: str | None) -> None:
    """Move an account to a tier ('voxgate limits tiers' shows them); its limits hold from the next request."""
    with opened(data) as services:
        account = granted(services.accounts.set_tier(get_account(services, user).subject, tier))
        services.events(events.USER_UPDATED, {"user_id": account.subject, "tier": account.tier, "by": "cli"})
    click.echo(f"{account.username} is {account.tier}")


@users.command("passwd")
@click.argument("user")
@password_option
@data_option
def set_password(*, user: str, password_stdin: bool, data: str | None) -> None:
    """Give an account a new password; its sessions end, its API keys stay."""
    with opened(data) as services:
        account = get_account(services, user)
        password = read_password(from_stdin=password_stdin)
        granted(services.accounts.set_password(account.subject, password))
        fields = {"user_id": account.subject, "success": True, "by": "cli"}
        services.events(events.AUTHN_PASSWORD_CHANGE, fields)
    click.echo(f"{account.username} has a new password; every session of the account has ended")


@users.command("grant")
@click.argument("user")
@click.argument("role")
@data_option
def grant(user: str, role: str, data: str | None) -> None:
    """Give an account a role; 'admin' may manage other accounts and the tiers over HTTP."""
    _set_role(user, role, data=data, is_granted=True)


@users.command("withdraw")
@click.argument("user")
@click.argument("role")
@data_option
def withdraw(user: str, role: str, data: str | None) -> None:
    """Take a role back from an account, from the next request."""
    _set_role(user, role, data=data, is_granted=False)


@users.command("delete")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def delete(*, user: str, yes: bool, data: str | None) -> None:
    """Delete an account with its sessions, keys, names and jobs; nothing of it comes back."""
    from voxgate.web.erasing import erase_account  # noqa: PLC0415 -- stands beside Flask, which help does not need

    with opened(data) as services:
        account = get_account(services, user)
        if not yes:
            click.confirm(f"Delete {account.username} <{account.email}> for ever?", abort=True)
        granted(erase_account(services, account.subject))
        services.events(events.USER_DELETED, {"user_id": account.subject, "by": "cli"})
    click.echo(f"{account.username} is deleted")


@users.command("logout")
@click.argument("user", required=False)
@click.option("--all", "is_all", is_flag=True, help="End the sessions of every account.")
@click.option("--before", metavar="TIME", help="End only what was opened before, such as 2027-01-15T08:00:00Z.")
@data_option
def logout(*, user: str | None, is_all: bool, before: str | None, data: str | None) -> None:
    """End every session of an account that was opened before now; its password and its API keys stay."""
    if is_all == (user is not None):
        raise click.UsageError("name one USER, or give --all")
    with opened(data) as services:
        before_ms = None if before is None else _read_moment(before, now_ms=services.clock.now_ms())
        account, sessions = None if user is None else get_account(services, user), services.sessions
        if account is None:
            count = sessions.end_everybody(before_ms=before_ms)
        else:
            count = sessions.end_all(account.subject, before_ms=before_ms)
        fields = {"user_id": account and account.subject, "sessions": count, "by": "cli"}
        services.events(events.AUTHN_TOKEN_REVOKED, fields)
    whose = "all accounts" if account is None else account.username
    click.echo(f"1 session of {whose} has ended" if count == 1 else f"{count} sessions of {whose} have ended")


def _set_role(user: str, role: str, *, data: str | None, is_granted: bool) -> None:
    with opened(data) as services:
        subject = get_account(services, user).subject
        account = granted(services.accounts.set_role(subject, role, is_granted=is_granted))
        services.events(events.USER_UPDATED, {"user_id": subject, "roles": sorted(account.roles), "by": "cli"})
    click.echo(f"{account.username} has the roles: {', '.join(sorted(account.roles)) or 'none'}")


def _read_moment(text: str, *, now_ms: int) -> int:
    try:
        return read_time(text, now_ms=now_ms)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--before") from error


def _set_active(user: str, data: str | None, *, is_active: bool) -> None:
    with opened(data) as services:
        account = granted(services.accounts.set_active(get_account(services, user).subject, is_active))
        services.events(events.USER_UPDATED, {"user_id": account.subject, "is_active": is_active, "by": "cli"})
    click.echo(f"{account.username} is {'active' if is_active else 'disabled'}")
