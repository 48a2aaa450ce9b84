"""Limits as data: what is set for one account or one key, written as one line of text.

The text is ``policy=limits|policy=limits``, such as ``*=500 per 1 minute|tts-generate=20 per 1 minute``: policies in
order of their names, limits as ``str(limit)`` writes them. ``*`` is every route that has no policy of its own; of a
key it is every route that its text does not name. An empty list of limits sets none.
"""

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import LimitKind, parse_limits

EVERY = "*"
MAX_POLICIES = 64
_MAX_CHARACTERS = 4096
_REMEMBERED = 4096
_NAME = re.compile(r"\*|[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")


def format_overrides(limits: Mapping[str, str]) -> str:
    """Return limits by policy as the one text that means them; nothing for no policies.

    Raises:
        ConfigurationError: A name is not one of a policy, a text is not a limit string, or it limits what runs at
            once, which the settings alone can.
    """
    if len(limits) > MAX_POLICIES:
        raise ConfigurationError("limits", f"at most {MAX_POLICIES} policies can be set")
    parts = []
    for name in sorted(limits):
        if not _NAME.fullmatch(name):
            raise ConfigurationError(name, "is not the name of a policy; '*' names all that have none")
        parsed = parse_limits(limits[name], name=name)
        if any(limit.kind is LimitKind.AT_ONCE for limit in parsed):
            raise ConfigurationError(name, "what runs at once is limited by the settings alone")
        parts.append(f"{name}={'; '.join(map(str, parsed))}")
    text = "|".join(parts)
    if len(text) > _MAX_CHARACTERS:
        raise ConfigurationError("limits", f"longer than {_MAX_CHARACTERS} characters")
    return text


@functools.lru_cache(_REMEMBERED)
def parse_overrides(text: str) -> Mapping[str, str]:
    """Return the limit string of each policy that a text of ``format_overrides`` sets.

    Raises:
        ConfigurationError: The text is not of that form.
    """
    pairs = [part.partition("=") for part in text.split("|")] if text else []
    if not all(equals for _, equals, _ in pairs):
        raise ConfigurationError("limits", f"{text!r} is not of the form 'policy=limits|policy=limits'")
    return MappingProxyType({name: limits for name, _, limits in pairs})
