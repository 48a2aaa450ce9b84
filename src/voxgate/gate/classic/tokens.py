"""``TokenManager``: revoke a token by its id and ask what a token is, over sessions and the gate's store."""

from voxgate.gate.admission import Admission
from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import Decision, Query, State, Unknown
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores.base import Directory

# No session lives longer, so an end that is remembered so long outlives every token of it.
_LONGEST_SESSION_MS = 366 * 86_400_000
_MAX_ASKED = 3


class TokenManager:
    """Tokens by their id. The first part of a ``jti`` is its session: ending one token ends its session.

    Every method may raise StoreUnavailableError.

    Args:
        admission: The core of a gate, ``gate.admission``.
        directory: The source of truth behind the store, if the application has one.
        clock: Source of time.
    """

    def __init__(self, admission: Admission, *, directory: Directory | None = None, clock: Clock | None = None) -> None:
        self._store = admission.store
        self._signer = admission.signer
        self._directory = directory
        self._clock = clock or SystemClock()

    def revoke_token(self, jti: str) -> None:
        """End the session of a token: its access and its refresh token are refused from the next request on.

        An application with a directory ends the session there first, as ``POST /api/v1/auth/revoke`` does.
        """
        now_ms = self._clock.now_ms()
        if self._directory is not None:
            self._directory.end_session(_session_of(jti), now_ms=now_ms)
        self._store.end_session(_session_of(jti), expires_at_ms=now_ms + _LONGEST_SESSION_MS)

    def is_token_revoked(self, jti: str) -> bool:
        """Tell whether the gate would refuse a token of this id though its signature and time were right."""
        return self._is_refused(_session_of(jti))

    def cleanup_expired_tokens(self) -> None:
        """Do nothing, rightly: the store forgets the end of a session once none of its tokens can be alive."""

    def get_token_info(self, token: str) -> dict[str, object]:
        """Return what an access token says, or why it is refused.

        Returns:
            ``user_id``, ``exp`` (seconds since the epoch), ``jti``, ``is_expired`` and ``is_revoked``; or ``error``:
            ``Token expired`` or ``Invalid token``.
        """
        claims = self._signer.verify_access(token, now_ms=self._clock.now_ms())
        if isinstance(claims, Refusal):
            return {"error": "Token expired" if claims.code == "TOKEN_EXPIRED" else "Invalid token"}
        return {
            "user_id": claims.subject,
            "exp": claims.expires_at_ms // 1000,
            "jti": claims.token_id,
            "is_expired": False,
            "is_revoked": self._is_refused(claims.session_id, subject=claims.subject),
        }

    def _is_refused(self, session_id: str, *, subject: str | None = None) -> bool:
        """Ask the store without spending anything."""
        query = Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=session_id, subject=subject)
        for _ in range(_MAX_ASKED):
            answer = self._store.decide(query)
            if not isinstance(answer, Unknown):
                # Limits that this process does not believe in yet are no refusal.
                return isinstance(answer, Decision) and answer.refusal is not None
            state = self._find(answer)
            if state is None:
                return True  # what nobody knows is never taken as valid
            self._store.put_state(state)
        return True

    def _find(self, unknown: Unknown) -> State | None:
        if self._directory is None:
            return None
        if unknown.kind == "session":
            return self._directory.find_session(unknown.record_id)
        return self._directory.find_account(unknown.record_id)


def _session_of(jti: str) -> str:
    return jti.rpartition(".")[0] or jti
