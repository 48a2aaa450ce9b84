"""Rows of sessions that end: which are found, how they are marked, and how the gate's store is told."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from voxgate.accounts.models import UserSession
from voxgate.gate.stores.base import Store

# An end that the store missed is told again by the same request, when it comes within this time.
_RETOLD_MS = 3_600_000


def end_rows(
    session: Session, subject: str, *, now_ms: int, but: str | None = None, before_ms: int | None = None
) -> tuple[list[UserSession], int]:
    """End the live sessions of an account, in the caller's transaction.

    Args:
        session: The transaction.
        subject: The account.
        now_ms: The time of the end.
        but: A session that goes on.
        before_ms: Ends only what was opened before then, milliseconds since the epoch.

    Returns:
        What the store is to be told by ``tell_ends`` after the commit, and how many sessions were live.
    """
    wanted = [UserSession.subject == subject, *to_end(now_ms)]
    if but is not None:
        wanted.append(UserSession.session_id != but)
    if before_ms is not None:
        wanted.append(UserSession.created_at_ms < before_ms)
    # In the order in which everybody's are ended, so that the two never wait for each other.
    chosen = select(UserSession).where(*wanted).order_by(UserSession.session_id)
    rows = list(session.scalars(chosen.with_for_update()))
    return rows, mark_ended(rows, now_ms=now_ms)


def find_ended(session: Session, subject: str, *, now_ms: int) -> list[UserSession]:
    """Return every session of an account that was ended before its time, whenever that was."""
    wanted = (UserSession.subject == subject, UserSession.ended_at_ms.is_not(None), UserSession.expires_at_ms > now_ms)
    return list(session.scalars(select(UserSession).where(*wanted)))


def tell_ends(store: Store, rows: Iterable[UserSession]) -> None:
    """Tell the store which sessions have ended.

    Raises:
        StoreUnavailableError: It cannot be told; asking for the same end again tells it.
    """
    for row in rows:
        store.end_session(row.session_id, expires_at_ms=row.expires_at_ms, subject=row.subject)


def to_end(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Return what selects live sessions, and those that have ended just now, whose end the store may have missed."""
    recent = or_(UserSession.ended_at_ms.is_(None), UserSession.ended_at_ms > now_ms - _RETOLD_MS)
    return UserSession.expires_at_ms > now_ms, recent


def mark_ended(rows: Iterable[UserSession], *, now_ms: int) -> int:
    """End the rows that are live; returns how many were."""
    live = [row for row in rows if row.ended_at_ms is None]
    for row in live:
        row.ended_at_ms = now_ms
    return len(live)
