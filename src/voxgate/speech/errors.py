"""What can go wrong while text becomes audio; every error here is a SpeechError."""

from typing import Literal

Reason = Literal["engine_crashed", "deadline_exceeded", "audio_too_long", "engine_refused", "engine_unavailable"]


class SpeechError(Exception):
    """The root of every error that the speech room raises."""


class EngineError(SpeechError):
    """An engine could not speak one segment.

    Attributes:
        reason: A machine word for what happened.
        detail: A short text for the operator's log; never the text to be spoken.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason: Reason = reason
        self.detail = detail


class TwoVoicesError(SpeechError):
    """Two engines have a voice of the same name.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str, engines: tuple[str, ...]) -> None:
        super().__init__(f"the engines {' and '.join(engines)} both have a voice named {name}")
        self.name = name


class BrokenEngineError(SpeechError):
    """An engine that is installed cannot be opened.

    Attributes:
        name: The name of its entry point.
    """

    def __init__(self, name: str, cause: Exception) -> None:
        super().__init__(f"the engine {name} is installed and cannot be opened: {type(cause).__name__}: {cause}")
        self.name = name


class SynthesisFailedError(SpeechError):
    """A request could not be spoken; the segment that failed is named.

    Attributes:
        reason: A machine word for what happened.
        segment_index: The failing segment, counted from 0.
    """

    def __init__(self, reason: Reason, segment_index: int) -> None:
        super().__init__(f"Segment {segment_index + 1} could not be spoken: {reason}")
        self.reason: Reason = reason
        self.segment_index = segment_index


class SynthesisCancelledError(SpeechError):
    """The caller's progress callback asked to stop."""
