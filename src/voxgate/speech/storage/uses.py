"""When the artifacts of a bucket were last asked for: notes that are the names of empty objects."""

from dataclasses import dataclass, field

USED = "used/"
"""What the names of notes begin with: ``used/<artifact>/<milliseconds since the epoch>``."""


@dataclass(slots=True)
class Known:
    """What is known of one artifact's name.

    Attributes:
        size_bytes: Size of the object; None when there is none.
        stored_at_ms: When it was stored, by the clock of the store.
        uses_ms: When it was asked for, as the notes say.
    """

    size_bytes: int | None = None
    stored_at_ms: int = 0
    uses_ms: list[int] = field(default_factory=list)

    @property
    def used_at_ms(self) -> int:
        """When it was last asked for; of one whose writer died before its note, when it was stored."""
        return max(self.uses_ms, default=self.stored_at_ms)


def read_use(path: str) -> tuple[str, int]:
    """Read a note: the artifact's name and the moment; an empty name where it is none."""
    name, _, used_at_ms = path.removeprefix(USED).partition("/")
    return (name, int(used_at_ms)) if used_at_ms.isdecimal() else ("", 0)
