"""The embedded engine: espeak-ng from its wheel, with every named voice and one voice for each language."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import espeakng_loader

from voxgate.speech.engines.base import Ability, Speech, Utterance, Voice
from voxgate.speech.engines.espeak_data import DEFAULT_PITCH_LINE, LanguageVoice, read_catalogue
from voxgate.speech.engines.espeak_program import SAMPLE_RATE_HZ, EspeakProgram, EspeakUtterance
from voxgate.speech.engines.languages import DEFAULT_LANGUAGE
from voxgate.speech.engines.presets import PRESETS, Preset
from voxgate.speech.engines.setup import Setup

_NAME = "espeak"
_SOUND_REVISION = 1  # raised when presets or mappings change what is heard
_PITCH_FLOOR = 9  # the library takes this from both figures of a pitch line


class EspeakEngine:
    """Speaks with libespeak-ng, which lives in worker processes only."""

    name = _NAME
    sample_rate_hz = SAMPLE_RATE_HZ
    native: frozenset[Ability] = frozenset(("speed", "pitch"))

    def __init__(self, program: EspeakProgram) -> None:
        self._program = program
        self._languages = read_catalogue(Path(espeakng_loader.get_data_path()))
        self._presets = {preset.name: preset for preset in PRESETS}
        self._version = f"{importlib.metadata.version('espeakng-loader')}.{_SOUND_REVISION}"  # read from a file

    @property
    def version(self) -> str:
        """Changes whenever the same request would sound different."""
        return self._version

    def voices(self) -> tuple[Voice, ...]:
        """Give the named voices, then one voice for each language."""
        named = [Voice(one.name, "", _NAME, one.style, one.gender) for one in PRESETS]
        spoken = [Voice(one.name, one.name, _NAME, one.title, "male") for one in self._languages.values()]
        return (*named, *spoken)

    def speak(self, utterance: Utterance) -> Speech:
        """Speak one segment; see `Engine.speak`."""
        return self._program.speak(
            self._said(utterance), max_audio_s=utterance.max_audio_s, deadline_s=utterance.deadline_s
        )

    def speak_as_made(self, utterance: Utterance) -> Iterator[Speech]:
        """Speak one segment; see `GradualEngine.speak_as_made`."""
        return self._program.speak_as_made(
            self._said(utterance), max_audio_s=utterance.max_audio_s, deadline_s=utterance.deadline_s
        )

    def close(self) -> None:
        """Do nothing: the program is closed by who opened it."""

    def _said(self, utterance: Utterance) -> EspeakUtterance:
        language = self._languages.get(utterance.language) or self._languages[DEFAULT_LANGUAGE]
        preset = self._presets.get(utterance.voice_name)
        pitch_line = _preset_pitch(preset, language) if preset else language.pitch_line
        return EspeakUtterance(
            text=utterance.text,
            identifier=language.identifier,
            variant=preset.variant if preset else "",
            pitch_line=_shifted(pitch_line, utterance.pitch_semitones),
            rate_ratio=preset.rate_ratio if preset else 1.0,
            speed_ratio=utterance.speed_ratio,
            is_continued=utterance.is_continued,
            rate_hz=utterance.rate_hz or SAMPLE_RATE_HZ,
        )


def open_engine(setup: Setup) -> EspeakEngine:
    """Open the engine; no process starts before it first speaks."""
    return EspeakEngine(setup.program)


def _preset_pitch(preset: Preset, language: LanguageVoice) -> tuple[int, int]:
    """Give the preset's pitch line, widened where the language's tones need more range than usual."""
    low, high = language.pitch_line
    usual_low, usual_high = DEFAULT_PITCH_LINE
    widening = max(1.0, (high / low) / (usual_high / usual_low))
    return preset.base, round(preset.base * preset.melody * widening)


def _shifted(pitch_line: tuple[int, int], semitones: float) -> tuple[int, int]:
    """Give the pitch line that sounds ``semitones`` higher: base and range scale by the same ratio."""
    low, high = pitch_line
    ratio = 2 ** (semitones / 12)
    new_low = round(_PITCH_FLOOR + (low - _PITCH_FLOOR) * ratio)
    return new_low, round(new_low + (high - low) * ratio)
