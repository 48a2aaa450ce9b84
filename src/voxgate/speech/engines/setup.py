"""What an engine is opened with: the shared program, where voices lie, and what the operator has set."""

from dataclasses import dataclass
from pathlib import Path

from voxgate.speech.engines.base import Gender
from voxgate.speech.engines.espeak_program import EspeakProgram


@dataclass(frozen=True, slots=True)
class CommandVoice:
    """A voice that a program of the operator's speaks.

    Attributes:
        name: What a request names.
        argv: The program and its arguments; never a shell's line.
        language: The language that it speaks; empty when it speaks any.
        style: How it sounds, in a few words.
        gender: What most people hear.
    """

    name: str
    argv: tuple[str, ...]
    language: str = ""
    style: str = "a program of the operator's"
    gender: Gender = "neutral"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is given to the entry point of every engine.

    Attributes:
        program: The worker program that is shared by all: it retimes and resamples finished sound.
        workers: How many processes an engine may run at once.
        voices_folder: Where the operator puts voices; None when there is none.
        command_voices: Voices that programs of the operator's speak.
    """

    program: EspeakProgram
    workers: int = 1
    voices_folder: Path | None = None
    command_voices: tuple[CommandVoice, ...] = ()
