"""The commands about limits."""

from typing import TYPE_CHECKING

import click

from voxgate.accounts.names import name_digest
from voxgate.cli.frame import data_option, get_account, granted, opened, read_settings
from voxgate.gate import events
from voxgate.gate.addresses import parse_address, partition_of
from voxgate.gate.decision import Charge
from voxgate.gate.limits import Limit, parse_limits
from voxgate.gate.overrides import EVERY, parse_overrides
from voxgate.settings.budgets import CHARACTERS

if TYPE_CHECKING:
    from voxgate.web.services import Services


# Which policies count an address.
_OF_ADDRESSES = frozenset({"default", "login-address", "register"})

_tier_option = click.option("--tier", "is_tier", is_flag=True, help="WHO is the name of a tier.")


@click.group()
def limits() -> None:
    """Show limits and what is spent of them, and set them. WHO is an account, a network address or a tier."""


@limits.command("show")
@click.argument("who", required=False)
@data_option
def show(who: str | None, data: str | None) -> None:
    """Show every limit; for an account or an address also what is spent, which spends nothing."""
    if who is None:
        for name, text in read_settings(data=data).policies().items():
            click.echo(f"{name:<14}  {text}")
        return
    with opened(data) as services:
        partition, bound = _bound(services, who)
        readings = services.store.usage([Charge(limit, partition) for limit in bound])
    for reading in readings:
        click.echo(f"{reading.limit.name:<14}  {reading.used:>5} of {reading.limit}")


@limits.command("reset")
@click.argument("who")
@data_option
def reset(who: str, data: str | None) -> None:
    """Forget everything that an account or an address has spent, wrong passwords for an account too."""
    with opened(data) as services:
        partition = _bound(services, who)[0]
        count = services.store.reset(partition)
        if partition.startswith("user:"):
            account = get_account(services, who)
            names = (name_digest(account.username), name_digest(account.email))
            logins = (*(f"login:{name}" for name in names), f"own:{account.subject}", f"known:{account.subject}")
            count += sum(map(services.store.reset, logins))
    click.echo(f"{count} counter{'' if count == 1 else 's'} of {who} forgotten")


@limits.command("tiers")
@data_option
def show_tiers(data: str | None) -> None:
    """Show every tier, how many accounts are in it, and the limits that were set for it."""
    with opened(data) as services:
        tiers = services.tiers.list()
    for tier in tiers:
        told = ", ".join(f"{policy}: {text}" for policy, text in tier.limits.items()) or "as the settings say"
        click.echo(f"{tier.name:<14}  {tier.accounts:>5} accounts  {told}")


@limits.command("set")
@click.argument("who")
@click.argument("policy")
@click.argument("limit")
@_tier_option
@data_option
def set_limit(*, who: str, policy: str, limit: str, is_tier: bool, data: str | None) -> None:
    """Give an account or a tier a limit of its own, such as: limits set ann tts-generate '20 per minute'.

    POLICY is a name that 'limits show' tells, or '*' for every route without one. It holds from the next request.
    """
    with opened(data) as services:
        _change(services, who, {policy: limit}, is_tier=is_tier)
    click.echo(f"{who}: {policy} is {limit}")


@limits.command("unset")
@click.argument("who")
@click.argument("policy", required=False)
@_tier_option
@data_option
def unset_limit(*, who: str, policy: str | None, is_tier: bool, data: str | None) -> None:
    """Take back a limit of an account or a tier; without POLICY all of them, and a tier that nobody is in."""
    with opened(data) as services:
        if policy is not None:
            _change(services, who, {policy: None}, is_tier=is_tier)
        elif is_tier:
            granted(services.tiers.remove(who))
            services.events(events.TIER_UPDATED, {"tier": who, "limits": None, "by": "cli"})
        else:
            own = parse_overrides(get_account(services, who).limits)
            _change(services, who, dict.fromkeys(own), is_tier=False)
    click.echo(f"{who}: {policy or 'every limit of its own'} is taken back")


def _change(services: "Services", who: str, changes: dict[str, str | None], *, is_tier: bool) -> None:
    if is_tier:
        tier = granted(services.tiers.change(who, changes))
        services.events(events.TIER_UPDATED, {"tier": who, "limits": dict(tier.limits), "by": "cli"})
        return
    account = granted(services.accounts.change(get_account(services, who).subject, limits=changes))
    services.events(events.USER_UPDATED, {"user_id": account.subject, "limits": account.limits, "by": "cli"})


def _bound(services: "Services", who: str) -> tuple[str, list[Limit]]:
    """Return the partition of an account or an address, and the limits that bind it."""
    policies = services.settings.policies()
    if parse_address(who) is not None:
        return partition_of(who), _read({name: policies[name] for name in policies if name in _OF_ADDRESSES})
    account = get_account(services, who)
    state = services.directory.find_account(account.subject)
    overrides = parse_overrides(state.limits if state else "")
    tier = account.tier if account.tier in policies else "default"
    policies[CHARACTERS] = services.settings.character_budget(account.tier)
    texts = {tier: overrides.get(EVERY, policies[tier])}
    texts |= {name: overrides.get(name, policies[name]) for name in services.settings.account_policies()}
    order = list(policies)
    return f"user:{account.subject}", _read({name: texts[name] for name in sorted(texts, key=order.index)})


def _read(texts: dict[str, str]) -> list[Limit]:
    return [limit for name, text in texts.items() for limit in parse_limits(text, name=name)]
