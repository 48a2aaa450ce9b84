"""What the paths of other services demand at the edge: rules of the settings, of which the nearest one binds."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from voxgate.accounts.scopes import SCOPES
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import LimitKind
from voxgate.gate.tiers import Rule
from voxgate.gate.verifying import GuardedRoute

SETTING = "VOXGATE_EDGE_RULES"
ANY_METHOD = "*"
MAX_PATH_CHARACTERS = 4096

_RULE = re.compile(r"\s*(?:([A-Z]+(?:,[A-Z]+)*)\s+)?(/\S*)\s*=\s*(.*)", re.DOTALL)
_METHOD = re.compile(r"[A-Z]{1,20}")
# What servers read differently: an encoded slash or backslash, a control character, an empty or dotted segment.
_AMBIGUOUS = re.compile(rb"%(?:2[fF]|5[cC]|00)|\\")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")

Prepare = Callable[..., GuardedRoute]
"""The gate's: takes a rule and ``name``, the name of its counters."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a caller wants of another service.

    Attributes:
        method: Its method, upper case.
        path: Its path, decoded, without the query.
    """

    method: str
    path: str


def read_target(method: str, uri: str) -> Target | None:
    """Return what is asked for, or None for what different servers could read differently.

    A path that this service and the one behind the edge do not read alike would be decided by the wrong rule, so
    what normalising would change is not normalised but refused (ASVS 5.0, 4.2.1).

    Args:
        method: The method of the original request.
        uri: Its path and query, as it was sent.
    """
    raw = re.split(r"[?#]", uri, maxsplit=1)[0].encode("utf-8", "surrogateescape")
    path = unquote_to_bytes(raw)
    segments = path.split(b"/")
    is_plain = path.startswith(b"/") and not {b".", b".."} & set(segments) and b"" not in segments[1:-1]
    if not is_plain or len(raw) > MAX_PATH_CHARACTERS or _AMBIGUOUS.search(raw) or _CONTROL.search(path):
        return None
    return Target(method, path.decode(errors="replace")) if _METHOD.fullmatch(method) else None


class EdgeRules:
    """Finds the rule of a path of another service; without one, a live credential within its tier's limits is asked.

    Args:
        texts: Rules such as ``POST,PUT /reports = 20 per minute | scope tts:read``. A rule holds for its path and
            everything below it; of several the longest path wins, and one that names the method.
        prepare: Resolves the limits of a rule.

    Raises:
        ConfigurationError: A text is not a rule.
    """

    def __init__(self, texts: Iterable[str], *, prepare: Prepare) -> None:
        self._routes: dict[tuple[str, str], GuardedRoute] = {}
        self._other = _without_leases(prepare(Rule(), name="edge"))
        for text in texts:
            for method, prefix, route in _read_rule(text, prepare):
                if (method, prefix) in self._routes:
                    raise ConfigurationError(SETTING, f"{text!r}: another rule names {method} {prefix or '/'} already")
                self._routes[method, prefix] = route

    def route_of(self, target: Target) -> GuardedRoute:
        """Return the rule that binds."""
        prefix = target.path.rstrip("/")
        while True:
            route = self._routes.get((target.method, prefix)) or self._routes.get((ANY_METHOD, prefix))
            if route is not None or not prefix:
                return route or self._other
            prefix = prefix.rpartition("/")[0]


def _read_rule(text: str, prepare: Prepare) -> Iterable[tuple[str, str, GuardedRoute]]:
    match = _RULE.fullmatch(text)
    if match is None:
        raise ConfigurationError(SETTING, f"{text!r} is no rule; write '/reports = 20 per minute | scope tts:read'")
    methods, prefix = (match[1] or ANY_METHOD).split(","), match[2].rstrip("/")
    if read_target("GET", prefix or "/") != Target("GET", prefix or "/"):
        raise ConfigurationError(SETTING, f"{text!r}: write the path decoded, without dots, '//' and '?'")
    rule = _read_terms(text, [part.strip() for part in match[3].split("|")])
    name = "edge" + (f"-{match[1].lower().replace(',', '-')}" if match[1] else "") + (prefix or "/")
    route = _without_leases(prepare(rule, name=name), refuses=rule.limits is not None)
    return [(method, prefix, route) for method in methods]


def _read_terms(text: str, terms: Iterable[str]) -> Rule:
    rule, limits = Rule(), []
    for term in terms:
        word, _, rest = term.partition(" ")
        if word == "scope":
            unknown = set(rest.split()) - set(SCOPES)
            if unknown or not rest.strip():
                raise ConfigurationError(SETTING, f"{text!r}: scopes are {', '.join(SCOPES)}")
            rule = replace(rule, scopes=rule.scopes | frozenset(rest.split()))
        elif word == "tier" and rest.strip():
            rule = replace(rule, tier=rest.strip())
        elif term == "open":
            rule = replace(rule, credentials=frozenset())
        elif term:
            limits.append(term)
    return replace(rule, limits="; ".join(limits)) if limits else rule


def _without_leases(route: GuardedRoute, *, refuses: bool = False) -> GuardedRoute:
    """Return the route without limits ``at once``: nobody tells the edge when a request has ended."""
    kept = {
        tier: tuple(charge for charge in charges if charge.limit.kind is not LimitKind.AT_ONCE)
        for tier, charges in route.charges.items()
    }
    if refuses and route.holds:
        raise ConfigurationError(SETTING, "a limit 'at once' cannot be held here: nobody tells when a request ends")
    return replace(route, charges=kept, holds=False)
