"""What browsers are asked for and no other client is: cookies read with a proof against forgery, and CORS."""

import hashlib
from dataclasses import dataclass
from typing import Any

from voxgate.gate.decision import Query
from voxgate.gate.errors import Refusal
from voxgate.gate.flask import credentials
from voxgate.gate.flask.cookies import SHOWN, Cookies
from voxgate.gate.flask.cors import Cors
from voxgate.gate.flask.csrf import Csrf
from voxgate.gate.tiers import Rule
from voxgate.gate.verifying import Credential, GuardedRoute, Verifier


@dataclass(frozen=True, slots=True)
class Browsers:
    """The three parts of a gate that are about browsers.

    Attributes:
        cors: Says which pages may read answers.
        cookies: Reads and writes cookies.
        csrf: Tells forged requests.
    """

    cors: Cors
    cookies: Cookies
    csrf: Csrf

    def read(self, environ: dict[str, Any], route: GuardedRoute, verifier: Verifier) -> Query | Refusal:
        """Return the question to the store that the request's cookie leads to, or why there is none.

        What is forged is refused here, before the store is asked: nobody else's page spends the reader's limits.
        """
        shown: Credential | Refusal = environ[SHOWN]
        if isinstance(shown, Refusal):
            return shown
        if credentials.read(environ) is not None:
            return Refusal("INVALID_REQUEST", message="Show a cookie, a bearer token or an API key, only one of them.")
        key = (id(route), shown.kind, hashlib.sha256(shown.text.encode("utf-8", "surrogatepass")).digest())
        query = verifier.recall(key) or verifier.verify(route, shown, key=key)
        if isinstance(query, Refusal):
            return query
        return self.find_forgery(environ, route.rule, session_id=query.credential_id) or query

    def find_forgery(self, environ: dict[str, Any], rule: Rule | None, *, session_id: str | None) -> Refusal | None:
        """Return why a request is taken for forged, or None; pages that CORS names may act for their reader."""
        return self.csrf.check(environ, session_id, trusted=self.cors.origins_of(rule))
