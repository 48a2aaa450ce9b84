"""What the doctor looks at in the engines: each that the service opens says a word, and what lies unused is told."""

import importlib.util
import io
from collections.abc import Iterator

from voxgate.cli.findings import Finding, State
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings
from voxgate.speaking import ENGINES, open_engines_of
from voxgate.speech.engines.base import Voice
from voxgate.speech.engines.piper_voices import read_models
from voxgate.speech.errors import SpeechError
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

TRIED_VOICES = 10
"""Voices of one engine that are tried: each may be a program or a model of its own, and some models have hundreds."""

_MENDS = {
    "espeak": "python3 -m pip install --force-reinstall espeakng-loader",
    "piper": "replace the model's two files in the folder of voices, or take them away",
    "command": "correct VOXGATE_COMMAND_VOICES; the program must read text and write one 16-bit mono WAV",
}
_MEND_PACKAGE = "repair or uninstall the package that brings the engine"
_MAX_AUDIO_S = 60.0


def check_speech(settings: Settings) -> Iterator[Finding]:
    """Let every engine of the service speak a word, with the voices that the settings bring."""
    try:
        engines = open_engines_of(settings, workers=1)
    except SpeechError as error:
        yield Finding(State.FAIL, "speech", str(error), _MENDS["espeak"])
        return
    except ConfigurationError as error:
        is_broken = error.setting == ENGINES
        mend = _MEND_PACKAGE if is_broken else f"correct {error.setting}: give one of them another name"
        yield Finding(State.FAIL, "speech", str(error), mend)
        return
    synthesizer = Synthesizer(engines, max_audio_s=_MAX_AUDIO_S, segment_deadline_s=settings.segment_deadline_s)
    try:
        yield from _check_folder(settings)
        by_engine: dict[str, list[Voice]] = {}
        for voice in synthesizer.voices():
            by_engine.setdefault(voice.engine, []).append(voice)
        for name, voices in by_engine.items():
            yield from _check_engine(synthesizer, name, voices)
    finally:
        synthesizer.close()
    yield from _check_formats(synthesizer.formats)


def _check_engine(synthesizer: Synthesizer, name: str, voices: list[Voice]) -> Iterator[Finding]:
    # Espeak's voices are one program; elsewhere each may fail by itself.
    tried = voices[:1] if name == "espeak" else voices[:TRIED_VOICES]
    failed = False
    for voice in tried:
        try:
            made = synthesizer.synthesize(SpeechRequest("Hello.", voice.name), io.BytesIO())
        except SpeechError as error:
            failed = True
            reason = getattr(error.__cause__, "detail", "") or getattr(error, "reason", error)
            yield Finding(
                State.FAIL,
                f"speech, {name}",
                f"the voice {voice.name} does not speak: {reason}",
                _MENDS.get(name, f"{_MEND_PACKAGE} {name}"),
            )
    if not failed:
        rest = "" if len(tried) == len(voices) else f", {len(tried)} tried"
        text = f"{len(voices)} voices{rest}; the last word took {made.duration_s:.1f} s of audio"
        yield Finding(State.OK, f"speech, {name}", text)


def _check_folder(settings: Settings) -> Iterator[Finding]:
    """Look for voices that lie in the folder and are not listed."""
    folder = settings.voices_folder
    if not folder.is_dir():
        if settings.voices is not None:
            yield Finding(State.WARN, "voices", f"there is no folder {folder}", "correct VOXGATE_VOICES")
        return
    models = {path.name for path in folder.glob("*.onnx")}
    known = {model.file for model in read_models(folder).values()}
    for lost in sorted(models - known):
        mend = f"put {lost}.json beside it, the description that came with it"
        yield Finding(State.WARN, "voices", f"{lost} has no readable description, or a name that is none", mend)
    if known and importlib.util.find_spec("piper") is None:
        text = f"{len(known)} models in {folder} are not listed, because nothing here speaks them"
        yield Finding(State.WARN, "voices", text, "python3 -m pip install 'voxgate[piper]'")


def _check_formats(installed: tuple[str, ...]) -> Iterator[Finding]:
    missing = [f"{form.name} (extra {form.extra})" for form in FORMATS.values() if form.name not in installed]
    rest = f"; not installed: {', '.join(missing)}" if missing else ""
    yield Finding(State.OK, "formats", f"{', '.join(installed)}{rest}")
