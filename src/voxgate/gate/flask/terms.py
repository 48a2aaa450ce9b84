"""What the decorators of routes are given, read at the start: a misspelled word must not leave a route open."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypedDict

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.flask.cors import read_origins
from voxgate.gate.principal import CredentialKind

_ARGUMENTS = ("credentials", "scopes", "tier", "limits", "policy", "cost", "cookies", "cors")


class ForBrowsers(TypedDict, total=False):
    """What a route says of browsers; without, the settings hold.

    Attributes:
        cookies: Whether the credential may be shown in a cookie; on an open route, whether it may set one.
        cors: Origins whose pages may read the answers, and may act for their reader where cookies are taken.
    """

    cookies: bool
    cors: Iterable[str]


class Terms(TypedDict):
    """What a rule says of browsers; None where the settings hold."""

    cookies: bool | None
    cors: frozenset[str] | None


def read_browsers(given: ForBrowsers) -> Terms:
    """Return what a route says of browsers.

    Raises:
        ConfigurationError: An origin is none, or a name is no argument of a rule: Python takes any name here.
    """
    _refuse_unknown(given)
    cors = given.get("cors")
    return {"cookies": given.get("cookies"), "cors": None if cors is None else read_origins(cors, name="cors")}


def read_kinds(credentials: str | Iterable[str]) -> frozenset[CredentialKind]:
    """Return the kinds of credential that open a route, from a list or from words.

    Raises:
        ConfigurationError: There is no such kind, or none is named, which is what ``open`` is for.
    """
    named = words(credentials)
    kinds = [str(kind) for kind in CredentialKind]
    if not named or not named <= set(kinds):
        raise ConfigurationError("credentials", f"{sorted(named)} must be some of {', '.join(kinds)}")
    return frozenset(map(CredentialKind, named))


def words(given: str | Iterable[str]) -> frozenset[str]:
    """Return what is given as a list, or as a text of words."""
    return frozenset(given.split() if isinstance(given, str) else given)


def _refuse_unknown(given: Mapping[str, object]) -> None:
    for name in given.keys() - ForBrowsers.__optional_keys__:
        hint = difflib.get_close_matches(name, _ARGUMENTS, n=1)
        also = f"; did you mean {hint[0]}?" if hint else f"; there are {', '.join(_ARGUMENTS)}"
        raise ConfigurationError(name, f"is no argument of this decorator{also}")
