"""What was shown, verified without any input or output: the question to the store, or why there is none."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from voxgate.gate import api_keys
from voxgate.gate.clock import Clock
from voxgate.gate.decision import Charge, Query, Trouble
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.signing import LOOK_MS
from voxgate.gate.tiers import Rule
from voxgate.gate.tokens import Signer

CAPACITY = 10_000
_NEVER_MS = 1 << 62
_KEYS_ALONE = frozenset({CredentialKind.API_KEY})


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request has shown; proves nothing yet."""

    kind: CredentialKind
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A rule with everything about it that can be computed before the first request.

    Attributes:
        rule: The rule.
        charges: For each tier what a request spends.
        on_trouble: What the route does while the store is out of reach.
        holds: Whether a limit ``at once`` binds, so that something must be given back.
        name: Tells the counters of unnamed limits apart.
    """

    rule: Rule
    charges: Mapping[str, tuple[Charge, ...]]
    on_trouble: Trouble
    holds: bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class RefreshTerms:
    """How sessions are refreshed.

    Attributes:
        is_strict: Whether a refresh token works once only. Otherwise a client whose answer was lost may ask again, and
            gets the same next token, until the new access token has been seen.
        idle_s: Seconds after which a session that is not refreshed ends; 0 for its absolute end alone.
    """

    is_strict: bool = False
    idle_s: int = 0


class Verifier:
    """Verifies credentials, each once: what a signature has proven is remembered until the token expires.

    What a token says stays for the store to decide; only the proof is remembered, and no longer than its key: once a
    second the key file's date is looked at, and when a key has come or gone every proof is made again.

    Args:
        signer: Verifies tokens.
        clock: Source of time for their expiry.
    """

    def __init__(self, signer: Signer, *, clock: Clock) -> None:
        self.refreshing = RefreshTerms()
        """How sessions are refreshed; set before the first request."""
        self._signer = signer
        self._clock = clock
        # A plain dict finds its oldest entry only behind the places of all that went before: 8 us at this capacity.
        self._verified: OrderedDict[Hashable, tuple[int, Query]] = OrderedDict()
        self._confirmed: dict[str, int] = {}
        self._keys_version = signer.keys.version
        self._looked_ms = self._look_again_ms = 0
        self._with_new_keys: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._readers = {
            CredentialKind.ACCESS: self._read_access,
            CredentialKind.REFRESH: self._read_refresh,
            CredentialKind.API_KEY: self._read_key,
        }

    def recall(self, key: Hashable) -> Query | None:
        """Return the question of what was verified under a key, while it has not expired."""
        now_ms = self._clock.now_ms()
        if not self._looked_ms <= now_ms < self._look_again_ms:
            self._look(now_ms)
        known = self._verified.get(key)
        return known[1] if known is not None and now_ms < known[0] else None

    def verify(
        self, route: GuardedRoute, credential: Credential | None, *, key: Hashable | None = None
    ) -> Query | Refusal:
        """Turn what was shown into a question for the store, or refuse it without one.

        Args:
            route: The prepared rule of the route.
            credential: What was shown, or None.
            key: Names route and credential, by digest; under it the proof is remembered.
        """
        if credential is None:
            return Refusal("API_KEY_MISSING" if route.rule.credentials == _KEYS_ALONE else "TOKEN_MISSING")
        if credential.kind not in route.rule.credentials:
            return _refuse_kind(credential.kind)
        version = self._signer.keys.version
        until_ms, query = self._readers[credential.kind](route, credential.text)
        if key is not None and isinstance(query, Query):
            with self._lock:
                if version != self._keys_version:
                    return query  # proven by keys that are not those of what is remembered
                if len(self._verified) >= CAPACITY:
                    self._verified.popitem(last=False)
                self._verified[key] = (until_ms, query)
        return query

    def on_new_keys(self, call: Callable[[], None]) -> None:
        """Have something called whenever a key has come or gone: what was refused before may be accepted now."""
        self._with_new_keys.append(call)

    def take_confirmed(self) -> dict[str, int]:
        """Return for sessions the newest generation whose access token was shown since this was asked, and forget it.

        Whoever shows it has got the refresh token of that generation, so an older one that comes again is reuse.
        """
        confirmed, self._confirmed = self._confirmed, {}
        return confirmed

    def _look(self, now_ms: int) -> None:
        self._looked_ms, self._look_again_ms = now_ms, now_ms + LOOK_MS
        keys = self._signer.keys
        keys.look(now_ms)
        if keys.version != self._keys_version:
            with self._lock:
                self._verified.clear()
                self._keys_version = keys.version
            for call in self._with_new_keys:
                call()

    def _read_access(self, route: GuardedRoute, text: str) -> tuple[int, Query | Refusal]:
        claims = self._signer.verify_access(text, now_ms=self._clock.now_ms())
        if isinstance(claims, Refusal):
            return 0, claims
        # Here and not at every request: a token is verified at its first use in a process, and then remembered.
        if claims.generation and len(self._confirmed) < CAPACITY:
            known = self._confirmed.get(claims.session_id, 0)
            self._confirmed[claims.session_id] = max(claims.generation, known)
        return claims.expires_at_ms, Query(
            charges=route.charges,
            kind=CredentialKind.ACCESS,
            credential_id=claims.session_id,
            subject=claims.subject,
            granted=claims.scopes,
            scopes=route.rule.scopes,
            tier=route.rule.tier,
            generation=claims.generation,
        )

    def _read_refresh(self, route: GuardedRoute, text: str) -> tuple[int, Query | Refusal]:
        claims = self._signer.verify_refresh(text)
        if isinstance(claims, Refusal):
            return 0, claims
        return _NEVER_MS, Query(
            charges=route.charges,
            kind=CredentialKind.REFRESH,
            credential_id=claims.session_id,
            granted=claims.scopes,
            scopes=route.rule.scopes,
            tier=route.rule.tier,
            generation=claims.counter,
            is_strict=self.refreshing.is_strict,
            idle_ms=self.refreshing.idle_s * 1000,
        )

    def _read_key(self, route: GuardedRoute, text: str) -> tuple[int, Query | Refusal]:
        key = api_keys.parse_key(text)
        if key is None:
            return 0, Refusal("API_KEY_INVALID")
        return _NEVER_MS, Query(
            charges=route.charges,
            kind=CredentialKind.API_KEY,
            credential_id=key.key_id,
            digest=key.digest,
            scopes=route.rule.scopes,
            tier=route.rule.tier,
        )


def _refuse_kind(kind: CredentialKind) -> Refusal:
    if kind is CredentialKind.API_KEY:
        return Refusal("INSUFFICIENT_SCOPE", message="An API key does not open this route; log in and use the token.")
    return Refusal("INVALID_TOKEN", message=f"This route does not take the {kind} token")
