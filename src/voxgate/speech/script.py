"""What is spoken, line by line: plain text with its language, its speed and pitch, and the pause before it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of plain text that is spoken in one manner.

    Attributes:
        text: Tidied plain text; empty when there is only a pause.
        language: As BCP 47 has it; empty for that of the whole request.
        speed_ratio: Multiplies the speed of the whole request.
        pitch_semitones: Added to the pitch of the whole request.
        pause_s: Silence before the text.
        is_continued: The sentence goes on in the next line.
    """

    text: str
    language: str = ""
    speed_ratio: float = 1.0
    pitch_semitones: float = 0.0
    pause_s: float = 0.0
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that is spoken for one request.

    Attributes:
        lines: In order.
    """

    lines: tuple[Line, ...]

    @property
    def characters(self) -> int:
        """How many characters are spoken."""
        return sum(len(line.text) for line in self.lines)

    @property
    def text(self) -> str:
        """The plain text of all lines, each on a line of its own."""
        return "\n".join(line.text for line in self.lines)

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that is named, once."""
        return tuple(dict.fromkeys(line.language for line in self.lines if line.language))
