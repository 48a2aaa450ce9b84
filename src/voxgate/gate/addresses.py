"""Addresses of clients: one spelling for each, and the partition whose counters an address shares."""

import functools
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV6_PREFIX_BITS = 64
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
