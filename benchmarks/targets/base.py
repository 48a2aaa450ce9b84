"""What every target shares: where it runs, and what the benchmark asks of it before measuring."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

ORIGIN = "https://your-frontend.com"
ACCESS_EXPIRES_S = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """Where one target runs; the same for the server's process and for ours.

    Attributes:
        folder: A folder of its own.
        limits: The limits of its guarded route, as a limit string.
        secret: The key that tokens are signed with.
        redis_url: A Redis database of its own, or empty.
    """

    folder: Path
    limits: str
    secret: str = field(repr=False)
    redis_url: str = ""

    def environment(self) -> dict[str, str]:
        """Return the variables that tell a server's process all this."""
        return {
            "BENCH_FOLDER": str(self.folder),
            "BENCH_LIMITS": self.limits,
            "BENCH_SECRET": self.secret,
            "BENCH_REDIS_URL": self.redis_url,
        }

    @classmethod
    def from_environment(cls) -> "Place":
        """Return the place that this process was started for."""
        return cls(
            folder=Path(os.environ["BENCH_FOLDER"]),
            limits=os.environ["BENCH_LIMITS"],
            secret=os.environ["BENCH_SECRET"],
            redis_url=os.environ["BENCH_REDIS_URL"],
        )


class Desk(Protocol):
    """The back office of a target, used before a round and never while measuring."""

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Make accounts that may log in."""
        ...

    def issue(self, subjects: Iterable[str]) -> list[str]:
        """Return one new access token for each subject named, in order."""
        ...

    def revoke(self, tokens: Sequence[str]) -> None:
        """Log out the holders of tokens."""
        ...
