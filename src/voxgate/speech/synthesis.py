"""From a request to audio, in a file or as a stream: clean, split, speak segment by segment, encode."""

import hashlib
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import BinaryIO

from voxgate.speech.engines.base import Utterance, Voice
from voxgate.speech.engines.languages import Context, guess_language
from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import EngineError, SynthesisCancelledError, SynthesisFailedError
from voxgate.speech.formats.base import BYTES_PER_SAMPLE, Format
from voxgate.speech.formats.registry import FORMATS, installed_formats
from voxgate.speech.request import SpeechRequest
from voxgate.speech.streaming import SpeechStream
from voxgate.speech.text import clean, split

_FORM = 1  # raised when splitting or encoding change what is heard
_LEAST_S = 0.1  # no decoder takes a file without any sound for a file


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


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who speaks a request, and in what form."""

    request: SpeechRequest
    voice: Voice
    form: Format
    engine_hz: int
    rate_hz: int


class Synthesizer:
    """Speaks requests; used by many threads at once.

    Attributes:
        formats: Every installed output format.
        voice_names: Every voice's name.
    """

    def __init__(self, engines: Engines, *, max_audio_s: float, segment_deadline_s: float) -> None:
        """Take the engines over; they are closed with the synthesizer.

        Args:
            engines: Where voices come from.
            max_audio_s: A request that makes more audio fails with ``audio_too_long``.
            segment_deadline_s: A segment that takes longer is tried once more, then the request fails.
        """
        self._engines = engines
        self.formats = installed_formats()
        self.voice_names = frozenset(voice.name for voice in engines.voices)
        self._max_audio_s = max_audio_s
        self._segment_deadline_s = segment_deadline_s

    def voices(self) -> tuple[Voice, ...]:
        """Give every voice, in the order to be listed."""
        return self._engines.voices

    def fingerprint(self, request: SpeechRequest) -> str:
        """Give the SHA-256, in hex, of everything that shapes the audio: equal requests may share one file."""
        plan = self._plan(request)
        engine = self._engines.engine_of(plan.voice)
        parts = [_FORM, engine.name, engine.version, plan.voice.name, plan.voice.language, plan.rate_hz]
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
        plan = self._plan(request)
        encoder = plan.form.open_encoder(plan.rate_hz)
        start, segments, pcm_bytes = out.tell(), 0, 0
        for pcm in self._speak(plan, on_progress):
            out.write(encoder.feed(pcm))
            segments += 1
            pcm_bytes += len(pcm)
        out.write(encoder.finish())
        end = out.tell()
        out.seek(start)
        out.write(encoder.head())
        out.seek(end)
        return Synthesis(pcm_bytes / BYTES_PER_SAMPLE / plan.rate_hz, segments, plan.form.media_type, end - start)

    def stream(self, request: SpeechRequest) -> SpeechStream:
        """Speak a request in which `find_faults` found nothing, and give its audio while it is made.

        Nothing is spoken before the stream is read, and nothing more once it is closed.

        Raises:
            SynthesisFailedError: The voice is unknown; reading raises it when a segment could not be spoken.
        """
        plan = self._plan(request)
        pcm = self._speak(plan, lambda _done, _all: True)
        return SpeechStream(pcm, plan.form.open_encoder(plan.rate_hz), form=plan.form, rate_hz=plan.rate_hz)

    def close(self) -> None:
        """End every worker process; requests under way fail."""
        self._engines.close()

    def _plan(self, request: SpeechRequest) -> _Plan:
        voice = self._engines.find_voice(request.voice_name)
        if voice is None:
            raise SynthesisFailedError("engine_unavailable", 0)
        form = FORMATS[request.output_format]
        engine_hz = self._engines.engine_of(voice).sample_rate_hz
        rate_hz = form.rate_for(request.sample_rate_hz, engine_hz=engine_hz)
        return _Plan(request, voice, form, engine_hz, rate_hz)

    def _speak(self, plan: _Plan, on_progress: Callable[[int, int], bool]) -> Generator[bytes, None, None]:
        """Give the sound of each segment, at the sample rate of the plan."""
        text = clean(plan.request.text)
        segments, context = split(text), Context(text)
        samples = 0
        for index, segment in enumerate(segments):
            _report(on_progress, index, len(segments))
            utterance = Utterance(
                text=segment.text,
                voice_name=plan.voice.name,
                language=plan.voice.language or guess_language(segment.text, context),
                speed_ratio=plan.request.speed_ratio,
                pitch_semitones=plan.request.pitch_semitones,
                max_audio_s=self._max_audio_s - samples / plan.rate_hz,
                deadline_s=self._segment_deadline_s,
            )
            pcm = self._speak_segment(plan, utterance, index)
            samples += len(pcm) // BYTES_PER_SAMPLE
            if not samples and index == len(segments) - 1:
                pcm = bytes(BYTES_PER_SAMPLE * round(_LEAST_S * plan.rate_hz))
            yield pcm
        _report(on_progress, len(segments), len(segments))

    def _speak_segment(self, plan: _Plan, utterance: Utterance, index: int) -> bytes:
        deadline_s = self._segment_deadline_s
        try:
            pcm = self._engines.speak(plan.voice, utterance).pcm
            return self._engines.resample(pcm, from_hz=plan.engine_hz, to_hz=plan.rate_hz, deadline_s=deadline_s)
        except EngineError as error:
            raise SynthesisFailedError(error.reason, index) from error


def _report(on_progress: Callable[[int, int], bool], done: int, total: int) -> None:
    if not on_progress(done, total):
        raise SynthesisCancelledError
