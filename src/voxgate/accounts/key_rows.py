"""Rows of API keys: how one is made, found, counted and judged within a transaction."""

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from voxgate.accounts.key_values import clean_name
from voxgate.accounts.models import ApiKey
from voxgate.gate.api_keys import NewKey
from voxgate.gate.errors import Refusal


def make_row(key: NewKey, subject: str, *, name: str, now_ms: int) -> ApiKey:
    """Return the row of a new key that may do everything, from everywhere, and never expires."""
    return ApiKey(
        key_id=key.key_id,
        subject=subject,
        name=clean_name(name),
        digest=key.digest,
        hint=key.hint,
        scopes="",
        created_at_ms=now_ms,
        expires_at_ms=None,
        ended_at_ms=None,
        successor_id=None,
        networks="",
        limits="",
        version=1,
        last_used_at_ms=None,
    )


def inherit(successor: ApiKey, row: ApiKey) -> None:
    """Give a key everything that binds the one which it replaces."""
    successor.name = row.name
    successor.scopes = row.scopes
    successor.expires_at_ms = row.expires_at_ms
    successor.networks = row.networks
    successor.limits = row.limits


def find_own(session: Session, subject: str, key_id: str) -> ApiKey | None:
    """Return the key of an account, locked, ended or not; None for another's and for what can be no key's id."""
    is_id = key_id.isascii() and key_id.isalnum()  # PostgreSQL takes no NUL
    row = session.get(ApiKey, key_id, with_for_update=True) if is_id else None
    return row if row is not None and row.subject == subject else None


def find_end(row: ApiKey, now_ms: int) -> Refusal | None:
    """Return why a key cannot be changed any more, or None."""
    if row.ended_at_ms is not None:
        return Refusal("KEY_NOT_FOUND")
    if row.expires_at_ms is not None and row.expires_at_ms <= now_ms:
        return Refusal("KEY_EXPIRED")
    if row.successor_id is not None:
        return Refusal("KEY_ROTATED")
    return None


def count_live(session: Session, subject: str, now_ms: int) -> int:
    """Return how many keys of an account live."""
    return session.scalar(select(func.count()).select_from(ApiKey).where(*live_since(subject, now_ms))) or 0


def live_since(subject: str, at_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Return what selects the keys of an account that were not ended and had not expired at a time."""
    unexpired = or_(ApiKey.expires_at_ms.is_(None), ApiKey.expires_at_ms > at_ms)
    return ApiKey.subject == subject, ApiKey.ended_at_ms.is_(None), unexpired
