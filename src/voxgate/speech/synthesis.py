"""From a request to audio, in a file or as a stream: clean, split, speak segment by segment, encode."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from voxgate.speech.captions import Captions, CaptionTrack
from voxgate.speech.engines.base import Speech, Utterance, Voice
from voxgate.speech.engines.languages import guess_language
from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import EngineError, SynthesisCancelledError, SynthesisFailedError
from voxgate.speech.formats.base import BYTES_PER_SAMPLE, Format
from voxgate.speech.formats.registry import FORMATS, installed_formats
from voxgate.speech.formats.resampling import can_resample, resampled
from voxgate.speech.pieces import Piece, pieces_of
from voxgate.speech.request import (
    MAX_PITCH_SEMITONES,
    MIN_PITCH_SEMITONES,
    Fault,
    SpeechRequest,
    read_script,
)
from voxgate.speech.segments import SegmentSpeaker
from voxgate.speech.ssml import SsmlFaults
from voxgate.speech.streaming import SpeechStream
from voxgate.speech.text import clean
from voxgate.speech.voices import MAX_TAG_CHARS, language_for

_FORM = 3  # raised when splitting or encoding change what is heard
MIN_TOTAL_SPEED, MAX_TOTAL_SPEED = 0.25, 4.0
"""How slow and how fast SSML within a slow or fast request can become."""

_LEAST_S = 0.1  # no decoder takes a file without any sound for a file


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What was written.

    Attributes:
        duration_s: Of the audio.
        segments: How many the text was cut into.
        media_type: Such as ``audio/wav``.
        size_bytes: Of the file.
        captions: What is heard when.
    """

    duration_s: float
    segments: int
    media_type: str
    size_bytes: int
    captions: Captions


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who speaks a request, and in what form; spoken at one sample rate, and given at another where that is cheaper."""

    request: SpeechRequest
    voice: Voice
    form: Format
    spoken_hz: int
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

    def find_language_faults(self, request: SpeechRequest) -> list[Fault]:
        """Find every language of a request that its voice does not speak; an unknown voice is no fault of these."""
        voice = self._engines.find_voice(request.voice_name)
        if voice is None:
            return []
        script = read_script(request)
        named = [] if isinstance(script, SsmlFaults) else [("text", tag) for tag in script.languages]
        if request.language:
            named.insert(0, ("language", request.language))
        known = self._engines.languages_of(voice)
        return [
            Fault(field, f"The voice {voice.name} does not speak {tag[:MAX_TAG_CHARS]!r}")
            for field, tag in named
            if language_for(voice, tag, known) is None
        ]

    def speaks(self, voice: Voice, tag: str) -> bool:
        """Tell whether a voice speaks a language."""
        return language_for(voice, tag, self._engines.languages_of(voice)) is not None

    def language_of(self, voice: Voice, tag: str) -> str:
        """Give what a voice speaks when asked for a language; empty for that of the text."""
        return voice.language or ((tag and language_for(voice, tag, self._engines.languages_of(voice))) or "")

    def fingerprint(self, request: SpeechRequest) -> str:
        """Give the SHA-256, in hex, of everything that shapes the audio: equal requests may share one file."""
        plan = self._plan(request)
        engine = self._engines.engine_of(plan.voice)
        language = self.language_of(plan.voice, request.language)
        parts = [_FORM, engine.name, engine.version, plan.voice.name, language, plan.rate_hz]
        # Added to 0.0, because 1 and 1.0, and 0.0 and -0.0, are the same setting but not the same text.
        settings = [request.speed_ratio + 0.0, request.pitch_semitones + 0.0, request.output_format]
        text = [request.input_format, clean(request.text)]
        return hashlib.sha256(json.dumps([*parts, *settings, *text]).encode()).hexdigest()

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
        track = CaptionTrack(plan.form.delay_samples / plan.rate_hz)
        pieces = list(self._pieces(plan))
        start, pcm_bytes = out.tell(), 0
        for pcm in self._sound(plan, _reported(pieces, on_progress), track):
            out.write(encoder.feed(pcm))
            pcm_bytes += len(pcm)
        out.write(encoder.finish())
        end = out.tell()
        out.seek(start)
        out.write(encoder.head())
        out.seek(end)
        duration_s = pcm_bytes / BYTES_PER_SAMPLE / plan.rate_hz
        captions = track.captions(duration_s)
        return Synthesis(duration_s, len(captions.segments), plan.form.media_type, end - start, captions)

    def stream(self, request: SpeechRequest, *, with_captions: bool = False) -> SpeechStream:
        """Speak a request in which `find_faults` found nothing, and give its audio while it is made.

        Nothing is spoken before the stream is read, and nothing more once it is closed.

        Args:
            request: What to speak.
            with_captions: Whether captions are noted, each before its sound: then a segment is given when the whole of
                it is there, and without them the first one while it is made.

        Raises:
            SynthesisFailedError: The voice is unknown; reading raises it when a segment could not be spoken.
        """
        plan = self._plan(request)
        track = CaptionTrack(plan.form.delay_samples / plan.rate_hz) if with_captions else None
        pcm = self._sound(plan, self._pieces(plan), track)
        encoder = plan.form.open_encoder(plan.rate_hz)
        return SpeechStream(pcm, encoder, form=plan.form, rate_hz=plan.rate_hz, track=track)

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
        spoken_hz = engine_hz if can_resample() else rate_hz
        return _Plan(request, voice, form, spoken_hz, rate_hz)

    def _sound(self, plan: _Plan, pieces: Iterable[Piece], track: CaptionTrack | None) -> Generator[bytes, None, None]:
        spoken = self._speak(plan, pieces, track)
        if plan.spoken_hz == plan.rate_hz:
            return spoken
        return resampled(spoken, from_hz=plan.spoken_hz, to_hz=plan.rate_hz)

    def _speak(self, plan: _Plan, pieces: Iterable[Piece], track: CaptionTrack | None) -> Generator[bytes, None, None]:
        """Give the sound of each segment, at the rate at which it is spoken, and note its captions on a track.

        Without a track the first segment is given while it is made. The others are made while it is heard.
        """
        rate_hz = plan.spoken_hz
        speaker = SegmentSpeaker(self._engines, plan.voice, rate_hz)
        samples, is_begun = 0, track is not None
        for index, piece in enumerate(pieces):
            if pause := round(piece.pause_s * rate_hz):
                samples += pause
                yield bytes(BYTES_PER_SAMPLE * pause)
            if not piece.text:
                continue
            start_s = samples / rate_hz
            said = self._utterance(plan, piece, left_s=self._max_audio_s - start_s)
            for speech in _said(speaker, said, index=index, is_whole=is_begun):
                samples += len(speech.pcm) // BYTES_PER_SAMPLE
                if track:
                    end_s = samples / rate_hz
                    track.add(piece.written, piece.placed(speech.words), start_s=start_s, end_s=end_s)
                yield speech.pcm
            is_begun = True
        if not samples:
            yield bytes(BYTES_PER_SAMPLE * round(_LEAST_S * rate_hz))

    def _pieces(self, plan: _Plan) -> Iterator[Piece]:
        script = read_script(plan.request)
        if isinstance(script, SsmlFaults):
            raise SynthesisFailedError("engine_refused", 0)
        return pieces_of(script)

    def _utterance(self, plan: _Plan, piece: Piece, *, left_s: float) -> Utterance:
        tag = piece.line.language or plan.request.language
        speed = plan.request.speed_ratio * piece.line.speed_ratio
        pitch = plan.request.pitch_semitones + piece.line.pitch_semitones
        return Utterance(
            text=piece.text,
            voice_name=plan.voice.name,
            language=self.language_of(plan.voice, tag) or guess_language(piece.text, piece.context),
            speed_ratio=min(MAX_TOTAL_SPEED, max(MIN_TOTAL_SPEED, speed)),
            pitch_semitones=min(MAX_PITCH_SEMITONES, max(MIN_PITCH_SEMITONES, pitch)),
            max_audio_s=left_s,
            deadline_s=self._segment_deadline_s,
            is_continued=piece.is_continued,
        )


def _said(speaker: SegmentSpeaker, utterance: Utterance, *, index: int, is_whole: bool) -> Iterator[Speech]:
    try:
        if is_whole:
            yield speaker.speak(utterance)
        else:
            yield from speaker.speak_as_made(utterance)
    except EngineError as error:
        raise SynthesisFailedError(error.reason, index) from error


def _reported(pieces: list[Piece], on_progress: Callable[[int, int], bool]) -> Iterator[Piece]:
    """Give the pieces, and tell before each and after the last how many are done."""
    for done, piece in enumerate(pieces):
        _report(on_progress, done, len(pieces))
        yield piece
    _report(on_progress, len(pieces), len(pieces))


def _report(on_progress: Callable[[int, int], bool], done: int, total: int) -> None:
    if not on_progress(done, total):
        raise SynthesisCancelledError
