"""The voices, opened as the settings say: for the service, its workers and the commands that speak without either."""

from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings
from voxgate.speech.engines.registry import Engines, open_engines
from voxgate.speech.engines.setup import CommandVoice
from voxgate.speech.errors import BrokenEngineError, TwoVoicesError
from voxgate.speech.synthesis import Synthesizer

ENGINES = "voxgate.engines"
"""What a fault of an installed engine is told under: its group of entry points, as there is no setting for it."""


def open_synthesizer(settings: Settings) -> Synthesizer:
    """Return the voices; their processes start when they first speak."""
    return Synthesizer(
        open_engines_of(settings, workers=settings.engine_workers),
        max_audio_s=settings.max_audio_s,
        segment_deadline_s=settings.segment_deadline_s,
    )


def open_engines_of(settings: Settings, *, workers: int) -> Engines:
    """Return every engine, with the voices that the settings bring; processes start when first needed.

    Raises:
        ConfigurationError: A voice that the operator has added has the name of another one, or an engine cannot be
            opened; then the setting is `ENGINES`.
    """
    try:
        return open_engines(
            workers=workers,
            voices_folder=settings.voices_folder,
            command_voices=tuple(
                CommandVoice(name, terms.argv, terms.language, terms.style, terms.gender)
                for name, terms in settings.command_voices.items()
            ),
        )
    except TwoVoicesError as error:
        setting = "VOXGATE_COMMAND_VOICES" if error.name in settings.command_voices else "VOXGATE_VOICES"
        raise ConfigurationError(setting, str(error)) from error
    except BrokenEngineError as error:
        raise ConfigurationError(ENGINES, str(error)) from error
