"""What the rows of sessions, keys and accounts say of a query: why it is refused, or what it must be asked with."""

import hmac
import sqlite3

from voxgate.gate.decision import AccountState, Changed, Decision, Query, SessionState, State
from voxgate.gate.errors import Refusal
from voxgate.gate.networks import network_bits
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import sqlite_schema as sql

Text = str | bytes


def to_sql(text: str) -> Text:
    """Return a text that a stranger may have chosen as SQLite takes it: what is not Unicode as bytes, and so itself."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_sql(value: Text) -> str:
    """Return what ``to_sql`` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def put_record(connection: sqlite3.Connection, state: State) -> None:
    """Write a state over an older one; nothing that has ended is revived, and no generation goes back."""
    row: tuple[object, ...]
    match state:
        case AccountState():
            row = (to_sql(state.subject), state.tier, state.is_active, state.version, state.limits)
            connection.execute(sql.PUT_ACCOUNT, row)
        case SessionState():
            owner = (to_sql(state.session_id), to_sql(state.subject))
            row = (*owner, state.expires_at_ms, state.is_ended, state.generation, state.idle_ends_at_ms)
            connection.execute(sql.PUT_SESSION, row)
        case _:
            owner = (to_sql(state.key_id), to_sql(state.subject))
            words = (" ".join(sorted(state.scopes)), " ".join(map(network_bits, state.networks)), state.limits)
            row = (*owner, state.digest, *words, state.expires_at_ms, state.is_ended, state.version)
            connection.execute(sql.PUT_KEY, row)


def refuse_session(row: sqlite3.Row, query: Query, now_ms: int) -> Refusal | None:
    """Return why a session's token is not good; a refresh token that was followed by another is used again."""
    if row["is_ended"]:
        return Refusal("TOKEN_REVOKED")
    if row["expires_at_ms"] <= now_ms:
        return Refusal("TOKEN_EXPIRED")
    owner = row["subject"]
    if query.subject is not None and owner != query.subject and from_sql(owner) != query.subject:
        return Refusal("INVALID_TOKEN")
    return _refuse_refresh(row, query, now_ms) if query.kind is CredentialKind.REFRESH else None


def refuse_key(row: sqlite3.Row, query: Query, now_ms: int) -> Refusal | None:
    """Return why a key is not good."""
    # The digest first: whoever does not hold the secret learns nothing of the key.
    if not hmac.compare_digest(row["digest"], query.digest) or row["is_ended"]:
        return Refusal("API_KEY_INVALID")
    if row["expires_at_ms"] is not None and row["expires_at_ms"] <= now_ms:
        return Refusal("API_KEY_EXPIRED")
    return None


def refuse_account(row: sqlite3.Row, query: Query, scopes: frozenset[str]) -> Refusal | None:
    """Return why the account may not do this with such a credential."""
    if not row["is_active"]:
        return Refusal("ACCOUNT_DISABLED")
    if scopes and not query.scopes <= scopes:
        return Refusal("INSUFFICIENT_SCOPE", scopes=tuple(sorted(query.scopes)))
    if query.tier is not None and row["tier"] != query.tier:
        return Refusal("PREMIUM_REQUIRED")
    return None


def check_terms(row: sqlite3.Row, query: Query, subject: str) -> Decision | Changed | None:
    """Return why a key is not taken from the address, or what the query must be asked with."""
    is_key = query.kind is CredentialKind.API_KEY
    networks, key_limits = (row["networks"], row["key_limits"]) if is_key else ("", query.key_limits)
    asks_address = bool(networks) and not query.address
    if networks and query.address and not query.address.startswith(tuple(networks.split())):
        return Decision(refusal=Refusal("API_KEY_NETWORK"))
    if asks_address or row["limits"] != query.account_limits or key_limits != query.key_limits:
        return Changed(subject, row["limits"], key_limits, asks_address=bool(networks))
    return None


def _refuse_refresh(row: sqlite3.Row, query: Query, now_ms: int) -> Refusal | None:
    if query.generation < row["generation"]:
        return Refusal("TOKEN_REUSED")
    is_idle = row["idle_ends_at_ms"] is not None and row["idle_ends_at_ms"] <= now_ms
    return Refusal("TOKEN_EXPIRED") if is_idle else None


def keep_generation(connection: sqlite3.Connection, query: Query, now_ms: int) -> None:
    """Note what an allowed token of a session has proven: which of them has reached the client."""
    generation, idle_ends_at_ms = query.generation, None
    if query.kind is CredentialKind.REFRESH:
        generation += query.is_strict
        idle_ends_at_ms = now_ms + query.idle_ms if query.idle_ms else None
    connection.execute(sql.KEEP_GENERATION, (generation, idle_ends_at_ms, to_sql(query.credential_id)))
