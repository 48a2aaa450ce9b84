"""The commands about limits."""

from typing import TYPE_CHECKING

import click

from voxgate.cli.frame import data_option, get_account, opened, read_settings
from voxgate.gate.addresses import parse_address, partition_of
from voxgate.gate.decision import Charge
from voxgate.gate.limits import parse_limits

if TYPE_CHECKING:
    from voxgate.web.services import Services


# Which policies count an address; all others count an account. Logins count pairs of both, names and devices, which
# neither shows alone.
_OF_ADDRESSES = frozenset({"default", "login-address", "register"})
_OF_PAIRS = frozenset({"login", "login-account", "login-device", "login-total"})


@click.group()
def limits() -> None:
    """Show limits and what is spent of them. WHO is an account or a network address."""


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
        partition, names = _bound(services, who)
        policies = services.settings.policies()
        bound = [limit for name in policies if name in names for limit in parse_limits(policies[name], name=name)]
        readings = services.store.usage([Charge(limit, partition) for limit in bound])
    for reading in readings:
        click.echo(f"{reading.limit.name:<14}  {reading.used:>5} of {reading.limit}")


@limits.command("reset")
@click.argument("who")
@data_option
def reset(who: str, data: str | None) -> None:
    """Forget everything that an account or an address has spent."""
    with opened(data) as services:
        count = services.store.reset(_bound(services, who)[0])
    click.echo(f"{count} counter{'' if count == 1 else 's'} of {who} forgotten")


def _bound(services: "Services", who: str) -> tuple[str, frozenset[str]]:
    """Return the partition of an account or an address, and the policies that bind it."""
    if parse_address(who) is not None:
        return partition_of(who), _OF_ADDRESSES
    account = get_account(services, who)
    other_tiers = {"standard", "premium"} - {account.tier}
    return f"user:{account.subject}", frozenset(services.settings.policies()) - _OF_ADDRESSES - _OF_PAIRS - other_tiers
