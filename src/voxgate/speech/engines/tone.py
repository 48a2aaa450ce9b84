"""An engine for tests: one steady note for each word, with no process and no library."""

import math
import struct

from voxgate.speech.engines.base import Ability, Speech, Utterance, Voice
from voxgate.speech.engines.setup import Setup
from voxgate.speech.errors import EngineError

SAMPLE_RATE_HZ = 22_050
NOTE_HZ = 220.0
NOTE_S = 0.2
_AMPLITUDE = 9_000
_HARMONICS = (1.0, 0.5, 0.25)


class ToneEngine:
    """Speaks each word as a note of 220 Hz that lasts 0.2 s; changes neither speed nor pitch by itself."""

    name = "tone"
    version = "1"
    sample_rate_hz = SAMPLE_RATE_HZ
    native: frozenset[Ability] = frozenset()

    def voices(self) -> tuple[Voice, ...]:
        """Give the one voice."""
        return (Voice("tone", "", self.name, "a note for each word", "neutral"),)

    def speak(self, utterance: Utterance) -> Speech:
        """Give 0.2 s of the note for each word."""
        duration_s = len(utterance.text.split()) * NOTE_S
        if duration_s > utterance.max_audio_s:
            raise EngineError("audio_too_long")
        samples = [_sample(index) for index in range(round(duration_s * SAMPLE_RATE_HZ))]
        return Speech(struct.pack(f"<{len(samples)}h", *samples))

    def close(self) -> None:
        """Do nothing: there is nothing to end."""


def open_engine(_setup: Setup) -> ToneEngine:
    """Open the engine."""
    return ToneEngine()


def _sample(index: int) -> int:
    turn = 2 * math.pi * NOTE_HZ * index / SAMPLE_RATE_HZ
    return round(_AMPLITUDE * sum(part * math.sin((order + 1) * turn) for order, part in enumerate(_HARMONICS)))
