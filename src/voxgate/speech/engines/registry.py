"""Every installed engine, found by its entry point, as one set of voices."""

import importlib.metadata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from voxgate.speech.engines.base import (
    MAX_SPEED_RATIO,
    MIN_SPEED_RATIO,
    Engine,
    GradualEngine,
    Speech,
    Utterance,
    Voice,
    Word,
)
from voxgate.speech.engines.espeak_program import EspeakProgram
from voxgate.speech.engines.setup import CommandVoice, Setup
from voxgate.speech.errors import BrokenEngineError, EngineError, SpeechError, TwoVoicesError

GROUP = "voxgate.engines"
_FIRST = "espeak"
TEST_ENGINES = frozenset(("tone",))


class Engines:
    """The open engines and their voices."""

    def __init__(self, engines: Sequence[Engine], program: EspeakProgram) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self.program = program
        voices = [voice for engine in engines for voice in engine.voices()]
        self.voices = tuple(voices)
        self._by_name = {voice.name: voice for voice in voices}
        self._languages = {
            engine.name: frozenset(voice.language for voice in engine.voices() if voice.language) for engine in engines
        }
        for voice in voices:
            if voice is not self._by_name[voice.name]:
                raise TwoVoicesError(voice.name, (voice.engine, self._by_name[voice.name].engine))

    def find_voice(self, name: str) -> Voice | None:
        """Find a voice by its name."""
        return self._by_name.get(name)

    def engine_of(self, voice: Voice) -> Engine:
        """Give the engine that has a voice."""
        return self._engines[voice.engine]

    def languages_of(self, voice: Voice) -> frozenset[str]:
        """Give every language that has a voice of its own in the engine of a voice."""
        return self._languages[voice.engine]

    def speak(self, voice: Voice, utterance: Utterance) -> Speech:
        """Speak one segment; what the engine cannot change by itself is changed in its finished audio.

        Raises:
            EngineError: The segment cannot be spoken within its bounds.
        """
        engine = self.engine_of(voice)
        speed, pitch = _changes_left(engine, utterance)
        if (speed, pitch) == (1.0, 0.0):
            return engine.speak(utterance)
        asked = replace(
            utterance,
            speed_ratio=utterance.speed_ratio / speed,
            pitch_semitones=utterance.pitch_semitones - pitch,
            max_audio_s=utterance.max_audio_s * speed,
            rate_hz=0,
        )
        speech = engine.speak(asked)
        pcm = self.program.retime(
            speech.pcm,
            sample_rate_hz=engine.sample_rate_hz,
            speed_ratio=speed,
            pitch_semitones=pitch,
            deadline_s=utterance.deadline_s,
        )
        return Speech(pcm, tuple(Word(word.offset, word.at_s / speed) for word in speech.words))

    def speak_as_made(self, voice: Voice, utterance: Utterance) -> Iterator[Speech]:
        """Speak one segment and give its audio while it is made, where the engine can; else as a whole.

        Raises:
            EngineError: As `speak` says; also after the first part.
        """
        engine = self.engine_of(voice)
        if isinstance(engine, GradualEngine) and _changes_left(engine, utterance) == (1.0, 0.0):
            yield from engine.speak_as_made(utterance)
        else:
            yield self.speak(voice, utterance)

    def resample(self, pcm: bytes, *, from_hz: int, to_hz: int, deadline_s: float) -> bytes:
        """Give audio another sample rate, of exactly the same duration.

        Raises:
            EngineError: It could not be done within the deadline.
        """
        if from_hz == to_hz:
            return pcm
        return self.program.resample(pcm, from_hz=from_hz, to_hz=to_hz, deadline_s=deadline_s)

    def close(self) -> None:
        """Close every engine and end every worker process."""
        for engine in self._engines.values():
            engine.close()
        self.program.close()


def _changes_left(engine: Engine, utterance: Utterance) -> tuple[float, float]:
    """Give the speed and the pitch that the engine cannot give by itself."""
    own_speed = min(MAX_SPEED_RATIO, max(MIN_SPEED_RATIO, utterance.speed_ratio))
    speed = utterance.speed_ratio / (own_speed if "speed" in engine.native else 1.0)
    return speed, 0.0 if "pitch" in engine.native else utterance.pitch_semitones


def open_engines(
    names: Collection[str] | None = None,
    *,
    workers: int,
    voices_folder: Path | None = None,
    command_voices: tuple[CommandVoice, ...] = (),
) -> Engines:
    """Open engines; their processes start when first needed.

    Args:
        names: Which engines; without it every installed one except those for tests.
        workers: How many worker processes each at most; more than the machine has cores only adds latency.
        voices_folder: Where the operator puts voices.
        command_voices: Voices that programs of the operator's speak.

    Raises:
        EngineError: ``engine_unavailable`` when a named engine is not installed.
        BrokenEngineError: An installed one cannot be opened.
        TwoVoicesError: Two voices have the same name.
    """
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    wanted = sorted(found.keys() - TEST_ENGINES) if names is None else names
    if missing := [name for name in wanted if name not in found]:
        raise EngineError("engine_unavailable", f"no engine {', '.join(missing)} is installed")
    setup = Setup(EspeakProgram(workers=workers), workers, voices_folder, command_voices)
    engines = [_open(found[name], setup) for name in wanted]
    # Espeak's voices stand first: the list begins with the voice that is spoken when none is named.
    engines.sort(key=lambda engine: engine.name != _FIRST)
    return Engines(engines, setup.program)


def _open(entry: importlib.metadata.EntryPoint, setup: Setup) -> Engine:
    try:
        open_engine: Callable[[Setup], Engine] = entry.load()
        return open_engine(setup)
    except SpeechError:
        raise
    except Exception as error:  # a stranger's package may raise anything
        raise BrokenEngineError(entry.name, error) from error
