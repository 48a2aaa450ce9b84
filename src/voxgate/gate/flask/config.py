"""The gate's settings in a Flask application: the names that people know, read from ``app.config``."""

import difflib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from voxgate.gate.addresses import X_FORWARDED
from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import Trouble
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.flask.cookies import Cookies
from voxgate.gate.flask.cors import read_origins
from voxgate.gate.limits import parse_limits
from voxgate.gate.signing import KeyFolder
from voxgate.gate.tiers import Tiers
from voxgate.gate.tokens import Signer
from voxgate.gate.verifying import RefreshTerms

DEFAULT_LIMITS = "100 per minute"
DEFAULT_PREMIUM = "1000 per minute"
DEFAULT_BAD_CREDENTIALS = "60 per minute"
ACCESS_EXPIRES_S = 900
REFRESH_EXPIRES_S = 2_592_000

_OWN = (
    *("VOXGATE_STORE", "VOXGATE_CORS_ORIGINS", "VOXGATE_ON_TROUBLE", "VOXGATE_PROCESSES"),
    *("VOXGATE_TRUSTED_PROXIES", "VOXGATE_FORWARDED_HEADER", "VOXGATE_HTTPS_ONLY"),
)
_JWT = (
    "JWT_SECRET_KEY",
    "JWT_ALGORITHM",
    "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_REFRESH_TOKEN_EXPIRES",
    "JWT_ENCODE_ISSUER",
    "JWT_ENCODE_AUDIENCE",
    "JWT_DECODE_LEEWAY",
    *("JWT_REFRESH_STRICT", "JWT_REFRESH_IDLE_EXPIRES"),
    *("JWT_TOKEN_LOCATION", "JWT_COOKIE_SAMESITE", "JWT_REFRESH_COOKIE_PATH"),
)
_TIERS = {"RATELIMIT_STANDARD": "standard", "RATELIMIT_PREMIUM": "premium"}
_STORAGE = ("RATELIMIT_STORAGE_URI", "RATELIMIT_STORAGE_URL")
_SURE = 0.85  # names share their beginnings; below this even settings of other extensions look like one of ours


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Everything about a gate that is not a part to be wired.

    Attributes:
        tiers: For each tier its limit string.
        default: Limit string of requests without a credential and of tiers that are not named.
        policies: For each named policy its limit string.
        on_trouble: For each policy what it does while the store is out of reach: ``closed``, ``local`` or ``open``;
            ``default`` names the routes without a policy of their own.
        cors_origins: Origins whose pages may read answers, and act for their reader where cookies are taken.
        cookies: Whether and how tokens stand in cookies.
        processes: Processes that share every limit; each keeps to its share while the store is out of reach.
        session_expires_s: Life of a session, and so of its refresh token, in seconds.
        refreshing: How sessions are refreshed, and when they end because they are not.
        trusted_proxies: How many proxies stand before the application, as one number, or the networks they are in;
            nobody's headers are believed without.
        forwarded_header: Which headers those write, ``x-forwarded`` or ``forwarded``.
        https_only: Whether requests over plain HTTP are refused, but for health checks.
    """

    tiers: Mapping[str, str] = field(default_factory=lambda: {"standard": DEFAULT_LIMITS, "premium": DEFAULT_PREMIUM})
    default: str = DEFAULT_LIMITS
    policies: Mapping[str, str] = field(default_factory=dict)
    on_trouble: Mapping[str, str] = field(default_factory=dict)
    cors_origins: frozenset[str] = frozenset()
    cookies: Cookies = field(default_factory=Cookies)
    processes: int = 1
    session_expires_s: int = REFRESH_EXPIRES_S
    refreshing: RefreshTerms = field(default_factory=RefreshTerms)
    trusted_proxies: tuple[str, ...] = ()
    forwarded_header: str = X_FORWARDED
    https_only: bool = False

    def open_tiers(self) -> Tiers:
        """Return the limits read and checked.

        Raises:
            ConfigurationError: A text is not a limit string, or a mode is not one of the three.
        """
        for name, mode in self.on_trouble.items():
            if mode not in set(Trouble):
                raise ConfigurationError("VOXGATE_ON_TROUBLE", f"{name}: {mode!r} is not closed, local or open")
        return Tiers(
            self.tiers,
            default=self.default,
            policies=self.policies,
            on_trouble=self.on_trouble,
            processes=self.processes,
        )


def read_config(app: Flask) -> GateConfig:
    """Read the gate's settings.

    Unknown ``JWT_*`` and ``RATELIMIT_*`` names belong to other extensions and are warned about.

    Raises:
        ConfigurationError: A ``VOXGATE_*`` name is unknown, or a value cannot be used.
    """
    settings = app.config
    _refuse_unknown(settings)
    default = _limit(settings, "RATELIMIT_DEFAULT") or DEFAULT_LIMITS
    tiers = {tier: _limit(settings, name) for name, tier in _TIERS.items()}
    return GateConfig(
        tiers={"standard": tiers["standard"] or default, "premium": tiers["premium"] or DEFAULT_PREMIUM},
        default=default,
        policies=_read_policies(settings),
        cors_origins=read_origins(settings.get("VOXGATE_CORS_ORIGINS") or (), name="VOXGATE_CORS_ORIGINS"),
        cookies=_read_cookies(settings),
        on_trouble=dict(settings.get("VOXGATE_ON_TROUBLE") or {}),
        processes=int(settings.get("VOXGATE_PROCESSES") or 1),
        session_expires_s=_seconds(settings, "JWT_REFRESH_TOKEN_EXPIRES", REFRESH_EXPIRES_S),
        refreshing=RefreshTerms(
            is_strict=bool(settings.get("JWT_REFRESH_STRICT")), idle_s=_seconds(settings, "JWT_REFRESH_IDLE_EXPIRES", 0)
        ),
        trusted_proxies=_read_proxies(settings.get("VOXGATE_TRUSTED_PROXIES")),
        forwarded_header=str(settings.get("VOXGATE_FORWARDED_HEADER") or X_FORWARDED),
        https_only=bool(settings.get("VOXGATE_HTTPS_ONLY")),
    )


def read_signer(app: Flask, clock: Clock | None = None) -> Signer:
    """Make the signer that the settings describe; without ``JWT_SECRET_KEY`` keys are kept in the instance folder.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    settings = app.config
    secret = settings.get("JWT_SECRET_KEY")
    folder = KeyFolder(
        Path(app.instance_path), clock=clock or SystemClock(), secret=str(secret).encode() if secret else None
    )
    return Signer(
        folder.open(settings.get("JWT_ALGORITHM")),
        issuer=settings.get("JWT_ENCODE_ISSUER") or "voxgate",
        audience=settings.get("JWT_ENCODE_AUDIENCE") or "voxgate",
        access_expires_s=_seconds(settings, "JWT_ACCESS_TOKEN_EXPIRES", ACCESS_EXPIRES_S),
        leeway_s=_seconds(settings, "JWT_DECODE_LEEWAY", 0),
    )


def store_location(app: Flask) -> tuple[str, str]:
    """Return the name of the setting that says where the store is, and the place; by default the instance folder."""
    for name in ("VOXGATE_STORE", *_STORAGE):
        if app.config.get(name):
            return name, str(app.config[name])
    return "VOXGATE_STORE", str(Path(app.instance_path) / "gate.db")


def _read_cookies(settings: Mapping[str, Any]) -> Cookies:
    places = settings.get("JWT_TOKEN_LOCATION") or "headers"
    found = {places} if isinstance(places, str) else set(places)
    if not found <= {"headers", "cookies"}:
        raise ConfigurationError("JWT_TOKEN_LOCATION", "tokens are read from headers and cookies, nowhere else")
    return Cookies(
        is_on="cookies" in found,
        same_site=str(settings.get("JWT_COOKIE_SAMESITE") or "Strict"),
        refresh_path=str(settings.get("JWT_REFRESH_COOKIE_PATH") or "/"),
        session_expires_s=_seconds(settings, "JWT_REFRESH_TOKEN_EXPIRES", REFRESH_EXPIRES_S),
    )


def _read_proxies(value: object) -> tuple[str, ...]:
    """Return the texts of a number, of a text with commas, or of several texts."""
    parts = value if isinstance(value, list | tuple | set | frozenset) else str(value or "").split(",")
    return tuple(text for part in parts if (text := str(part).strip()))


def _limit(settings: Mapping[str, Any], name: str) -> str:
    text = str(settings.get(name) or "")
    parse_limits(text, name=name)  # Refused here, the message names the setting and not the tier.
    return text


def _read_policies(settings: Mapping[str, Any]) -> dict[str, str]:
    policies = {"bad-credentials": DEFAULT_BAD_CREDENTIALS}
    known = {"RATELIMIT_DEFAULT", *_TIERS, *_STORAGE}
    for name in sorted(name for name in settings if name.startswith("RATELIMIT_") and name not in known):
        policy = name.removeprefix("RATELIMIT_").lower().replace("_", "-")
        try:
            parse_limits(str(settings[name]), name=policy)
        except ConfigurationError:
            _warn_unread(name, known)
        else:
            policies[policy] = str(settings[name])
            hint = _hint(name, known, cutoff=_SURE)
            if hint:  # it may be a policy, and is more likely a default that would silently not hold
                warnings.warn(f"{name} sets the policy {policy!r}{hint}", stacklevel=2)
    return policies


def _refuse_unknown(settings: Mapping[str, Any]) -> None:
    for name in settings:
        if name.startswith("VOXGATE_") and name not in _OWN:
            raise ConfigurationError(name, f"is not a setting{_hint(name, _OWN)}")
        if name.startswith("JWT_") and name not in _JWT:
            _warn_unread(name, _JWT)


def _warn_unread(name: str, known: Iterable[str]) -> None:
    hint = _hint(name, known, cutoff=_SURE)
    warnings.warn(f"{name} is not a setting of this gate and is not read{hint}", stacklevel=2)


def _hint(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else ""


def _seconds(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ConfigurationError(name, f"must be seconds or a timedelta, not {value!r}")
    return int(value)
