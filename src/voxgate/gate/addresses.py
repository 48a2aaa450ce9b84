"""Addresses: one spelling for each, the partition whose counters it shares, and which proxies are trusted."""

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from voxgate.gate.errors import ConfigurationError

IPV6_PREFIX_BITS = 64
MAX_HOPS = 16
X_FORWARDED, FORWARDED = "x-forwarded", "forwarded"
HEADER_FAMILIES = (X_FORWARDED, FORWARDED)
"""Which headers the proxies write. Only one family is read: proxies pass the other on as the client has sent it."""

Networks = tuple[IPv4Network | IPv6Network, ...]

_SETTING = "VOXGATE_TRUSTED_PROXIES"
_HINT = "write the number of proxies, such as 1, or their networks, such as 127.0.0.1, 10.0.0.0/8"
_REMEMBERED = 4096


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4 address that is mapped into IPv6 as the IPv4 address, or None for other texts."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@functools.lru_cache(_REMEMBERED)
def partition_of(address: str) -> str:
    """Return the partition that an address is limited by, such as ``ip:192.0.2.7`` or ``ip:2001:db8:1:2::/64``.

    A subscriber of IPv6 is given a network of 64 bits at least and can change its address at will within it, so the
    network is counted and not the address. A text that is no address is a partition of its own.
    """
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return f"ip:{ip_network((parsed, IPV6_PREFIX_BITS), strict=False)}"
    return f"ip:{parsed or address}"


def read_trusted(trusted: Sequence[str]) -> tuple[int, Networks]:
    """Return the number of trusted proxies, or their networks; one of both is empty.

    Raises:
        ConfigurationError: The texts are neither a number nor networks.
    """
    if len(trusted) == 1 and trusted[0].isdecimal():
        count = int(trusted[0])
        if not 1 <= count <= MAX_HOPS:
            raise ConfigurationError(_SETTING, f"{count} is not 1 to {MAX_HOPS} proxies")
        return count, ()
    try:
        networks = tuple(ip_network(text.strip()) for text in trusted)
    except ValueError as error:
        raise ConfigurationError(_SETTING, f"{error}; {_HINT}") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ConfigurationError(_SETTING, f"a network of all addresses trusts everybody; {_HINT}")
    return 0, networks
