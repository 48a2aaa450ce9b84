"""From a request to an audio file: clean, split, speak segment by segment, encode."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from voxgate.speech.audio import BYTES_PER_SAMPLE, MEDIA_TYPES, open_encoder
from voxgate.speech.engines.base import Utterance, Voice
from voxgate.speech.engines.languages import Context, guess_language
from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import EngineError, SynthesisCancelledError, SynthesisFailedError
from voxgate.speech.request import SpeechRequest
from voxgate.speech.text import clean, split

_FORM = 1  # raised when splitting or encoding change what is heard


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What was written.

    Attributes:
        duration_s: Of the audio.
        segments: How many the text was cut into.
        media_type: Such as ``audio/wav``.
        size_bytes: Of the file.
    """

    duration_s: float
    segments: int
    media_type: str
    size_bytes: int


class Synthesizer:
    """Speaks requests; used by many threads at once.

    Attributes:
        formats: Every output format.
        voice_names: Every voice's name.
    """

    formats = tuple(MEDIA_TYPES)

    def __init__(self, engines: Engines, *, max_audio_s: float, segment_deadline_s: float) -> None:
        """Take the engines over; they are closed with the synthesizer.

        Args:
            engines: Where voices come from.
            max_audio_s: A request that makes more audio fails with ``audio_too_long``.
            segment_deadline_s: A segment that takes longer is tried once more, then the request fails.
        """
        self._engines = engines
        self.voice_names = frozenset(voice.name for voice in engines.voices)
        self._max_audio_s = max_audio_s
        self._segment_deadline_s = segment_deadline_s

    def voices(self) -> tuple[Voice, ...]:
        """Give every voice, in the order to be listed."""
        return self._engines.voices

    def fingerprint(self, request: SpeechRequest) -> str:
        """Give the SHA-256, in hex, of everything that shapes the audio: equal requests may share one file."""
        voice = self._voice(request)
        engine = self._engines.engine_of(voice)
        parts = [_FORM, engine.name, engine.version, voice.name, voice.language]
        # Added to 0.0, because 1 and 1.0, and 0.0 and -0.0, are the same setting but not the same text.
        settings = [request.speed_ratio + 0.0, request.pitch_semitones + 0.0, request.output_format]
        return hashlib.sha256(json.dumps([*parts, *settings, clean(request.text)]).encode()).hexdigest()

    def synthesize(
        self,
        request: SpeechRequest,
        out: BinaryIO,
        *,
        on_progress: Callable[[int, int], bool] = lambda _done, _all: True,
    ) -> Synthesis:
        """Speak a request in which `find_faults` found nothing.

        Args:
            request: What to speak.
            out: Where the file is written; it must allow seeking.
            on_progress: Called before the first segment and after each with the segments done and their total;
                a false answer stops the work.

        Raises:
            SynthesisFailedError: A segment could not be spoken.
            SynthesisCancelledError: ``on_progress`` asked to stop.
        """
        voice = self._voice(request)
        rate_hz = self._engines.engine_of(voice).sample_rate_hz
        encoder = open_encoder(request.output_format, out, sample_rate_hz=rate_hz)
        text = clean(request.text)
        segments, context = split(text), Context(text)
        duration_s = 0.0
        for index, segment in enumerate(segments):
            _report(on_progress, index, len(segments))
            utterance = Utterance(
                text=segment.text,
                voice_name=voice.name,
                language=voice.language or guess_language(segment.text, context),
                speed_ratio=request.speed_ratio,
                pitch_semitones=request.pitch_semitones,
                max_audio_s=self._max_audio_s - duration_s,
                deadline_s=self._segment_deadline_s,
            )
            pcm = self._speak(voice, utterance, index)
            encoder.write(pcm)
            duration_s += len(pcm) / BYTES_PER_SAMPLE / rate_hz
        _report(on_progress, len(segments), len(segments))
        return Synthesis(duration_s, len(segments), MEDIA_TYPES[request.output_format], encoder.finish())

    def close(self) -> None:
        """End every worker process; requests under way fail."""
        self._engines.close()

    def _voice(self, request: SpeechRequest) -> Voice:
        voice = self._engines.find_voice(request.voice_name)
        if voice is None:
            raise SynthesisFailedError("engine_unavailable", 0)
        return voice

    def _speak(self, voice: Voice, utterance: Utterance, index: int) -> bytes:
        try:
            return self._engines.speak(voice, utterance)
        except EngineError as error:
            raise SynthesisFailedError(error.reason, index) from error


def _report(on_progress: Callable[[int, int], bool], done: int, total: int) -> None:
    if not on_progress(done, total):
        raise SynthesisCancelledError
