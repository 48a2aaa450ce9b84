"""Credentials for the tests of a guarded application: tokens, keys, and the header that shows them."""

from collections.abc import Iterable

from flask import Flask

from voxgate.gate.decision import DEFAULT_TIER
from voxgate.gate.flask import Gate
from voxgate.gate.issuing import Issuer


def make_token(app: Flask, subject: str, *, tier: str = DEFAULT_TIER, scopes: str | Iterable[str] = ()) -> str:
    """Return an access token of a new session; the account is made, or changed to the tier.

    Args:
        app: An application with a gate around it.
        subject: Id of the account.
        tier: Tier of the account.
        scopes: What the token may do, as a list or as words; nothing means everything that the account may do.
    """
    with app.app_context():
        issuer = _issuer_for(subject, tier)
        return issuer.open_session(subject, scopes=_as_set(scopes)).access_token


def make_key(app: Flask, subject: str, *, tier: str = DEFAULT_TIER, scopes: str | Iterable[str] = ()) -> str:
    """Return the text of a new API key; the arguments are those of ``make_token``."""
    with app.app_context():
        issuer = _issuer_for(subject, tier)
        return issuer.new_key(subject, scopes=_as_set(scopes)).text


def bearer(credential: str) -> dict[str, str]:
    """Return the headers that show a token or an API key."""
    return {"Authorization": f"Bearer {credential}"}


def _issuer_for(subject: str, tier: str) -> Issuer:
    issuer = Gate().issuer
    issuer.set_account(subject, tier=tier)
    return issuer


def _as_set(scopes: str | Iterable[str]) -> frozenset[str]:
    return frozenset(scopes.split() if isinstance(scopes, str) else scopes)
