"""Tiers as data: their limits in SQL come before those of the settings, and hold from the next request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from voxgate.accounts.database import Database
from voxgate.accounts.directory import account_state
from voxgate.accounts.lifecycle import TIERS
from voxgate.accounts.limit_terms import find_limit_faults, merge_limits, read_limits, write_limits
from voxgate.accounts.models import TierRow, User
from voxgate.gate.clock import Clock
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.stores.base import Store

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class TierInfo:
    """What a list tells of a tier.

    Attributes:
        name: Its name.
        limits: For each policy its limit string; what is absent is as the settings say.
        accounts: How many accounts are in it.
    """

    name: str
    limits: Mapping[str, str]
    accounts: int


class TierTable:
    """Every tier. Every method raises DatabaseUnavailableError, those that change also StoreUnavailableError.

    A change commits in SQL first; then the store is told of every account of the tier, some hundreds at a time. When
    that is interrupted, making the change again tells the rest.

    Args:
        database: Where tiers and accounts are stored.
        store: The gate's store.
        clock: The time of every change.
        policies: The policies that a tier can set, beside ``*``.
    """

    def __init__(self, database: Database, store: Store, *, clock: Clock, policies: frozenset[str]) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._policies = policies

    def list(self) -> tuple[TierInfo, ...]:
        """Return every tier by name, those of the settings too."""
        with self._database.reading() as session:
            texts = {row.name: row.limits for row in session.scalars(select(TierRow))}
            counted = session.execute(select(User.tier, func.count()).group_by(User.tier))
            counts = {tier: int(count) for tier, count in counted}
        return tuple(
            TierInfo(name, read_limits(texts.get(name, "")), counts.get(name, 0)) for name in sorted({*TIERS, *texts})
        )

    def define(self, name: str, limits: Mapping[str, str]) -> TierInfo | Refusal:
        """Make a tier, or replace all its limits.

        Args:
            name: 1 to 32 lower-case letters, digits and hyphens, a letter first.
            limits: For each policy or ``*`` its limit string; what is absent is as the settings say.

        Returns:
            The tier, or the refusal VALIDATION_FAILED.
        """
        return self._write(name, limits, lambda _text: write_limits(limits))

    def change(self, name: str, limits: Mapping[str, str | None]) -> TierInfo | Refusal:
        """Change some limits of a tier, made when there is none; None takes one back.

        Returns:
            The tier, or the refusal VALIDATION_FAILED.
        """
        return self._write(name, limits, lambda text: merge_limits(text, limits))

    def remove(self, name: str) -> Refusal | None:
        """Remove a tier that nobody is in; a tier of the settings goes back to them.

        Returns:
            None when it is gone, or a refusal: TIER_UNKNOWN, TIER_IN_USE.
        """
        with self._database.session() as session:
            row = session.get(TierRow, name, with_for_update=True) if _NAME.fullmatch(name) else None
            if row is None:
                return Refusal("TIER_UNKNOWN")
            if name not in TIERS and session.scalar(select(User.subject).where(User.tier == name).limit(1)):
                return Refusal("TIER_IN_USE")
            session.delete(row)
        self._tell(name)
        return None

    def _write(self, name: str, limits: Mapping[str, str | None], text_of: Callable[[str], str]) -> TierInfo | Refusal:
        faults = find_limit_faults(limits, self._policies)
        if not _NAME.fullmatch(name):
            detail = "must be 1 to 32 lower-case letters, digits and hyphens, a letter first"
            faults = (FieldFault("/name", detail), *faults)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        with self._database.session() as session:
            row = session.get(TierRow, name, with_for_update=True)
            if row is None:
                row = TierRow(name=name, limits="", updated_at_ms=0)
                session.add(row)
            row.limits, row.updated_at_ms = text_of(row.limits), self._clock.now_ms()
        return TierInfo(name, read_limits(row.limits), self._tell(name))

    def _tell(self, name: str) -> int:
        """Give every account of a tier a new version, and tell the store of it; returns how many there are."""
        last, total = "", 0
        while True:
            wanted = select(User).where(User.tier == name, User.subject > last).order_by(User.subject).limit(_BATCH)
            with self._database.session() as session:
                users = list(session.scalars(wanted.with_for_update()))
                for user in users:
                    user.version += 1
                states = [account_state(session, user) for user in users]
            for state in states:
                self._store.put_state(state)
            total += len(states)
            if len(states) < _BATCH:
                return total
            last = states[-1].subject
