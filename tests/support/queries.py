"""Questions to a store, as the tests of every store ask them."""

import hashlib

from voxgate.gate.decision import Query
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind

TEN = Limit("ten", 10, 60)
TWO = Limit("two", 2, 60)
DIGEST = hashlib.sha256(b"secret").digest()


def by_session(*charges, session="s1", **more):
    """Ask with the access token of a session of account u1."""
    return Query(charges={"": charges}, kind=CredentialKind.ACCESS, credential_id=session, subject="u1", **more)


def by_refresh(*charges, **more):
    """Ask with the refresh token of session s1, which names no account."""
    return Query(charges={"": charges}, kind=CredentialKind.REFRESH, credential_id="s1", **more)


def by_key(*charges, digest=DIGEST, **more):
    """Ask with the API key k1."""
    return Query(charges={"": charges}, kind=CredentialKind.API_KEY, credential_id="k1", digest=digest, **more)


def by_nobody(*charges, **more):
    """Ask without a credential; every charge names its partition."""
    return Query(charges={"": charges}, **more)


def code(answer):
    """Return the code of the refusal, or None when the request may pass."""
    return answer.refusal.code if answer.refusal else None
