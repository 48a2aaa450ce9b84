"""Networks that a key may be used from: their one spelling, and the bits by which a store compares them."""

import functools
from ipaddress import IPv4Network, IPv6Network, ip_network

from voxgate.gate.addresses import parse_address

MAX_NETWORKS = 32
_REMEMBERED = 4096
_MAPPED = IPv6Network("::ffff:0:0/96")


def clean_network(text: str) -> str:
    """Return a network in its one spelling, such as ``192.0.2.0/24``; an address alone is a network of one.

    Raises:
        ValueError: The text is not a network, or it has bits beyond its length.
    """
    network = ip_network(text.strip())
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # An IPv4 address that comes mapped into IPv6 is compared as the IPv4 address.
        return str(IPv4Network((network.network_address.packed[12:], network.prefixlen - 96)))
    return str(network)


@functools.lru_cache(_REMEMBERED)
def address_bits(address: str) -> str:
    """Return an address as the digit of its version and its bits, such as ``4110…``; ``-`` for what is no address."""
    parsed = parse_address(address)
    return "-" if parsed is None else f"{parsed.version}{int(parsed):0{parsed.max_prefixlen}b}"


def network_bits(network: str) -> str:
    """Return what the bits of every address in a network begin with.

    Raises:
        ValueError: The text is not a network.
    """
    cleaned = ip_network(clean_network(network))
    return f"{cleaned.version}{int(cleaned.network_address):0{cleaned.max_prefixlen}b}"[: 1 + cleaned.prefixlen]
