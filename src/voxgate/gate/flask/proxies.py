"""Who really asks behind trusted proxies: the client's address, scheme and host, written into the WSGI environment."""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from voxgate.gate.addresses import FORWARDED, HEADER_FAMILIES, X_FORWARDED, parse_address, read_trusted
from voxgate.gate.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_REMEMBERED = 4096
_MAX_CHARACTERS = 1024  # of each header, from its end, where the nearest proxies write
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_PAIR = re.compile(r'\s*(for|proto|host)\s*=\s*("[^"\\]*"|[^\s"]*)\s*', re.IGNORECASE)

Told = tuple[str, str, str]
"""What the proxies say of the client's addresses, schemes and hosts: three lists, the nearest proxy's word last."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, as trusted proxies tell it.

    Attributes:
        address: The client's address.
        scheme: ``http`` or ``https``; empty when no proxy says it.
        host: The host that the client has asked; empty when no proxy says it.
    """

    address: str
    scheme: str = ""
    host: str = ""


class TrustedProxies:
    """Knows which hops are believed.

    Args:
        trusted: One number, which many proxies stand before this program, or the networks that they are in.
        family: Which headers they write, ``x-forwarded`` or ``forwarded`` (RFC 7239).

    Raises:
        ConfigurationError: The texts are neither a number nor networks.
    """

    def __init__(self, trusted: Sequence[str], *, family: str = X_FORWARDED) -> None:
        if family not in HEADER_FAMILIES:
            raise ConfigurationError(
                "VOXGATE_FORWARDED_HEADER", f"{family!r} is not one of {', '.join(HEADER_FAMILIES)}"
            )
        self._count, self._networks = read_trusted(trusted)
        self._family = family
        self._find = functools.lru_cache(_REMEMBERED)(self._find_origin)

    def origin_of(self, environ: dict[str, Any]) -> Origin | None:
        """Return where a request comes from, or None when it has not come through the trusted proxies."""
        if self._family == FORWARDED:
            told: Told = (environ.get("HTTP_FORWARDED", ""), "", "")
        else:
            names = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
            told = (environ.get(names[0], ""), environ.get(names[1], ""), environ.get(names[2], ""))
        return self._find(environ.get("REMOTE_ADDR", ""), told)

    def _find_origin(self, peer: str, told: Told) -> Origin | None:
        told = (told[0][-_MAX_CHARACTERS:], told[1][-_MAX_CHARACTERS:], told[2][-_MAX_CHARACTERS:])
        hops, schemes, hosts = _read_forwarded(told[0]) if self._family == FORWARDED else _read_x_forwarded(told)
        passed = self._count_passed(peer, hops)
        if not passed:
            return None
        # The nearest believed word of an address: a proxy may hide its client's ("unknown", RFC 7239, section 6).
        known = [address for hop in hops[-passed:] if (address := _address_of(hop))]
        scheme, host = _word(schemes, passed).lower(), _word(hosts, passed)
        return Origin(
            address=str(known[0] if known else peer),
            scheme=scheme if scheme in {"http", "https"} else "",
            host=host if _HOST.fullmatch(host) else "",
        )

    def _count_passed(self, peer: str, hops: Sequence[str]) -> int:
        """Return how many trusted proxies the request has passed; 0 when it has come past them."""
        if self._count:
            return self._count if len(hops) >= self._count else 0
        if not self._trusts(parse_address(peer)):
            return 0
        passed = 1
        while passed < len(hops) and self._trusts(_address_of(hops[-passed])):
            passed += 1
        return passed

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


class Proxied:
    """Stands before a WSGI application and writes who really asks where every application looks for it.

    Args:
        inner: The application.
        proxies: Which hops are believed; of everybody else no header is.
    """

    def __init__(self, inner: "WSGIApplication", proxies: TrustedProxies) -> None:
        self._inner = inner
        self._proxies = proxies

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Pass the request on with the client's address, scheme and host."""
        origin = self._proxies.origin_of(environ)
        if origin is not None:
            environ["REMOTE_ADDR"] = origin.address
            if origin.scheme:
                environ["wsgi.url_scheme"] = origin.scheme
            if origin.host:
                environ["HTTP_HOST"] = origin.host
        return self._inner(environ, start_response)


def _word(words: Sequence[str], passed: int) -> str:
    """Return what the farthest trusted proxy has said; proxies that replace a header leave one word for all."""
    return words[-min(passed, len(words))] if words else ""


def _read_x_forwarded(told: Told) -> tuple[list[str], list[str], list[str]]:
    addresses, schemes, hosts = ([word.strip() for word in text.split(",") if word.strip()] for text in told)
    return addresses, schemes, hosts


def _read_forwarded(text: str) -> tuple[list[str], list[str], list[str]]:
    """Return the words of ``Forwarded`` (RFC 7239, section 4): one element for each proxy."""
    elements = []
    # Quotes do not hold a comma: a client that opens one would swallow what the proxies append to its header.
    for element in text.split(","):
        pairs = (_PAIR.fullmatch(pair) for pair in element.split(";"))
        elements.append({pair[1].lower(): pair[2].strip('"') for pair in pairs if pair})
    named = [element for element in elements if element]
    addresses, schemes, hosts = ([element.get(name, "") for element in named] for name in ("for", "proto", "host"))
    return addresses, schemes, hosts


def _address_of(hop: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a hop, which may carry a port: ``192.0.2.7:443``, ``[2001:db8::7]:443``."""
    if hop.startswith("["):
        return parse_address(hop[1:].partition("]")[0])
    if hop.count(":") == 1:
        return parse_address(hop.partition(":")[0])
    return parse_address(hop)
