"""What every engine must do: a class of tests that the author of an engine runs with pytest against it.

    from voxgate.testing.engines import EngineContract

    class TestMyEngine(EngineContract):
        @pytest.fixture(scope="class")
        @classmethod
        def engine(cls, engine_setup):
            return my_package.open_engine(engine_setup)

The engines of voxgate pass the same tests. See docs/guides/write-an-engine.md.
"""

import re
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from voxgate.speech.engines.base import Engine, GradualEngine, Speech, Utterance
from voxgate.speech.engines.espeak_program import EspeakProgram
from voxgate.speech.engines.setup import Setup
from voxgate.speech.errors import EngineError

Speak = Callable[..., Speech]
TEXT = "One two three four."
_BYTES_PER_SAMPLE = 2
_RATES_HZ = (4_000, 96_000)
_SILENCE = 200  # of 32,768
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_HOSTILE = (
    "W." * 24,
    "s' " * 100,
    "\u068d \U0001f920 \ufdfa",
    "<speak><audio src='/etc/passwd'/></speak>",
    "[ [ a ] ]",
    "1 2 3 " * 60,
    "-rf --help",
    ".",
)
_ALLOWED = frozenset(("engine_crashed", "deadline_exceeded", "audio_too_long", "engine_refused"))


class EngineContract:
    """Tests of the contract of an engine; inherit from it and give the fixture ``engine``."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine_setup(cls) -> Iterator[Setup]:
        """Give what the service gives to the entry point; override it for an engine that needs more."""
        program = EspeakProgram(workers=1)
        yield Setup(program)
        program.close()

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup: Setup) -> Engine:
        """Give the engine under test."""
        raise NotImplementedError("give a fixture 'engine' that opens yours")

    @pytest.fixture
    def speak(self, engine: Engine) -> Speak:
        """Speak a text in the engine's first voice."""
        voice = engine.voices()[0]

        def call(text: str = TEXT, **terms: object) -> Speech:
            usual = {"speed_ratio": 1.0, "pitch_semitones": 0.0, "max_audio_s": 60.0, "deadline_s": 30.0}
            return engine.speak(Utterance(text=text, voice_name=voice.name, language=voice.language, **(usual | terms)))  # type: ignore[arg-type]

        return call

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        """A name, a version, a sample rate, and abilities from the list."""
        assert _NAME.fullmatch(engine.name)
        assert engine.version
        assert engine.version == engine.version
        assert _RATES_HZ[0] <= engine.sample_rate_hz <= _RATES_HZ[1]
        assert engine.native <= {"speed", "pitch"}

    def test_its_voices_can_be_listed(self, engine: Engine) -> None:
        """At least one, each with a plain name of its own that also stands in an address."""
        voices = engine.voices()
        names = [voice.name for voice in voices]
        assert names
        assert len(names) == len(set(names))
        assert all(_NAME.fullmatch(name) for name in names)
        assert all(voice.engine == engine.name and voice.style for voice in voices)
        assert all(voice.language == voice.language.lower() for voice in voices)
        assert all(voice.gender in {"female", "male", "neutral"} for voice in voices)

    def test_it_speaks(self, engine: Engine, speak: Speak) -> None:
        """Whole samples that are heard, between a tenth of a second and a minute."""
        speech = speak()
        samples = struct.unpack(f"<{len(speech.pcm) // _BYTES_PER_SAMPLE}h", speech.pcm)
        assert engine.sample_rate_hz / 10 < len(samples) < engine.sample_rate_hz * 60
        assert max(map(abs, samples)) > _SILENCE

    def test_a_longer_text_is_longer(self, speak: Speak) -> None:
        """What is asked is what is spoken."""
        assert len(speak(f"{TEXT} {TEXT} {TEXT}").pcm) > len(speak().pcm)

    def test_words_lie_within_the_text_and_the_audio(self, engine: Engine, speak: Speak) -> None:
        """An engine that tells words tells places in the text and times in the audio."""
        speech = speak()
        duration_s = len(speech.pcm) / _BYTES_PER_SAMPLE / engine.sample_rate_hz
        assert all(0 <= word.offset < len(TEXT) for word in speech.words)
        assert all(0 <= word.at_s <= duration_s for word in speech.words)

    def test_parts_are_the_whole(self, engine: Engine, speak: Speak) -> None:
        """An engine that gives its sound while it is made gives all of it, and its words within it."""
        if not isinstance(engine, GradualEngine):
            pytest.skip("a segment is given as a whole")
        voice = engine.voices()[0]
        parts = list(engine.speak_as_made(Utterance(TEXT, voice.name, voice.language, 1.0, 0.0, 60.0, 30.0)))
        size = sum(len(part.pcm) for part in parts)
        assert size == pytest.approx(len(speak().pcm), rel=0.05)
        assert not any(len(part.pcm) % _BYTES_PER_SAMPLE for part in parts)
        words = [word for part in parts for word in part.words]
        assert all(0 <= word.at_s <= size / _BYTES_PER_SAMPLE / engine.sample_rate_hz for word in words)

    @pytest.mark.parametrize("speed_ratio", [0.5, 2.0])
    def test_native_speed_is_kept(self, engine: Engine, speak: Speak, speed_ratio: float) -> None:
        """An engine that says so speaks twice as fast in about half the time."""
        if "speed" not in engine.native:
            pytest.skip("speed is done to the finished audio")
        usual, changed = len(speak().pcm), len(speak(speed_ratio=speed_ratio).pcm)
        assert changed == pytest.approx(usual / speed_ratio, rel=0.15)

    def test_too_much_audio_is_refused(self, speak: Speak) -> None:
        """The bound on audio holds within a segment."""
        with pytest.raises(EngineError) as refused:
            speak(f"{TEXT} " * 15, max_audio_s=0.05)
        assert refused.value.reason == "audio_too_long"

    def test_an_unknown_voice_is_refused(self, engine: Engine) -> None:
        """Or spoken in the engine's own; it never becomes a path or an argument."""
        for name in ("nobody", "../../etc/passwd", "-rf", "a\0b", ""):
            try:
                engine.speak(Utterance(TEXT, name, "", 1.0, 0.0, 60.0, 30.0))
            except EngineError as refused:
                assert refused.reason == "engine_refused"  # noqa: PT017 -- both are right

    @pytest.mark.parametrize("text", _HOSTILE)
    def test_hostile_text_costs_one_segment(self, speak: Speak, text: str) -> None:
        """It is spoken or refused with a reason of the list, and the next text is spoken as ever."""
        try:
            speak(text)
        except EngineError as refused:
            assert refused.reason in _ALLOWED  # noqa: PT017 -- both are right
        assert speak().pcm

    def test_many_threads_speak_at_once(self, speak: Speak) -> None:
        """Each gets its own whole audio."""
        sizes: list[int] = []
        threads = [threading.Thread(target=lambda: sizes.append(len(speak().pcm))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(sizes) == len(threads)
        assert max(sizes) - min(sizes) <= max(sizes) * 0.05
