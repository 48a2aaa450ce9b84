"""The command that speaks without a server."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxgate.cli.frame import read_settings

if TYPE_CHECKING:
    from voxgate.speech.request import SpeechRequest
    from voxgate.speech.synthesis import Synthesizer


@click.command()
@click.argument("text")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write or replace."
)
@click.option("--voice", "voice_name", default="Alnilam", show_default=True, help="Name of a voice.")
@click.option("--speed", "speed_ratio", default=1.0, show_default=True, help="0.5 to 2.0; 2 is twice as fast.")
@click.option("--pitch", "pitch_semitones", default=0.0, show_default=True, help="-10 to 10 semitones.")
@click.option("--format", "audio_format", help="wav, mp3, flac, opus, aac or pcm; otherwise what the file's name says.")
@click.option(
    "--sample-rate", "sample_rate_hz", type=int, help="Samples per second, 8000 to 48000; otherwise the voice's own."
)
def say(*, text: str, output: Path, audio_format: str | None, **sound: Any) -> None:  # noqa: ANN401 -- options by name
    """Speak TEXT into a file; "-" reads the text from standard input."""
    from voxgate.speech.request import SpeechRequest  # noqa: PLC0415 -- help is quicker without it

    if not output.parent.is_dir():
        raise click.ClickException(f"there is no folder {output.parent}")
    spoken = sys.stdin.read() if text == "-" else text
    request = SpeechRequest(
        text=spoken,
        output_format=audio_format or output.suffix.lstrip(".").lower() or "wav",
        **sound,
    )
    with _opened_synthesizer() as synthesizer:
        _refuse_faults(request, synthesizer)
        duration_s = _speak(request, synthesizer, output)
    click.echo(f"{output}: {duration_s:.1f} s", err=True)


@contextlib.contextmanager
def _opened_synthesizer() -> "Iterator[Synthesizer]":
    from voxgate.speech.engines.registry import open_engines  # noqa: PLC0415 -- help is quicker without it
    from voxgate.speech.synthesis import Synthesizer  # noqa: PLC0415

    settings = read_settings()
    synthesizer = Synthesizer(
        open_engines(workers=1), max_audio_s=settings.max_audio_s, segment_deadline_s=settings.segment_deadline_s
    )
    try:
        yield synthesizer
    finally:
        synthesizer.close()


def _refuse_faults(request: "SpeechRequest", synthesizer: "Synthesizer") -> None:
    from voxgate.speech.request import TEXT_TOO_LONG, find_faults  # noqa: PLC0415 -- help is quicker without it

    voices = {voice.name for voice in synthesizer.voices()}
    faults = find_faults(request, voices=voices, formats=synthesizer.formats, blocked_patterns=())
    # A whole book is welcome here: nobody else is waiting for this machine.
    details = [fault.detail for fault in faults if fault.detail != TEXT_TOO_LONG]
    if details:
        raise click.ClickException("; ".join(details))


def _speak(request: "SpeechRequest", synthesizer: "Synthesizer", output: Path) -> float:
    """Write the audio beside its place and rename it, so that a failure leaves nothing half made; returns seconds."""
    from voxgate.speech.errors import SpeechError  # noqa: PLC0415 -- help is quicker without it

    descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    unfinished = Path(name)
    with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor has no path
        try:
            with click.progressbar(length=1, label="Speaking", file=sys.stderr) as bar:

                def show(done: int, total: int) -> bool:
                    bar.length = total
                    bar.update(done - bar.pos)
                    return True

                made = synthesizer.synthesize(request, file, on_progress=show)
            unfinished.chmod(0o644)
            unfinished.replace(output)
        except SpeechError as error:
            raise click.ClickException(str(error)) from error
        finally:
            unfinished.unlink(missing_ok=True)
    return made.duration_s
