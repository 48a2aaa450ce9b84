"""The command that speaks without a server."""

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxgate.cli.frame import read_settings

if TYPE_CHECKING:
    from voxgate.speech.captions import Captions
    from voxgate.speech.request import SpeechRequest
    from voxgate.speech.synthesis import Synthesizer

_STANDARD_OUTPUT = Path("-")
_CAPTION_FORMS = ("srt", "vtt", "json")
_MAX_CHARACTERS = 10_000_000  # a whole book is welcome here: nobody else is waiting for this machine


@click.command()
@click.argument("text")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help='File to write or replace; "-" sends the audio to standard output while it is made, as for a player.',
)
@click.option(
    "--voice", "voice_name", default="Alnilam", show_default=True, help="Name of a voice; see voxgate voices."
)
@click.option("--language", default="", help="Language to speak, such as pt-BR; otherwise guessed from the text.")
@click.option("--speed", "speed_ratio", default=1.0, show_default=True, help="0.5 to 2.0; 2 is twice as fast.")
@click.option("--pitch", "pitch_semitones", default=0.0, show_default=True, help="-10 to 10 semitones.")
@click.option("--format", "audio_format", help="wav, mp3, flac, opus, aac or pcm; otherwise what the file's name says.")
@click.option(
    "--sample-rate", "sample_rate_hz", type=int, help="Samples per second, 8000 to 48000; otherwise the voice's own."
)
@click.option("--ssml", "is_ssml", is_flag=True, help="TEXT is SSML.")
@click.option(
    "--captions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of captions to write or replace: .srt, .vtt or .json.",
)
def say(
    *,
    text: str,
    output: Path,
    audio_format: str | None,
    is_ssml: bool,
    captions: Path | None,
    **sound: Any,  # noqa: ANN401 -- options by name
) -> None:
    """Speak TEXT into a file; "-" reads the text from standard input."""
    from voxgate.speech.request import SpeechRequest  # noqa: PLC0415 -- help is quicker without it

    _check_places(output, captions)
    request = SpeechRequest(
        text=_read_text(text),
        output_format=audio_format or output.suffix.lstrip(".").lower() or "wav",
        input_format="ssml" if is_ssml else "text",
        **sound,
    )
    with _leaving_nothing(), _opened_synthesizer() as synthesizer:
        _refuse_faults(request, synthesizer)
        if output == _STANDARD_OUTPUT:
            _send(request, synthesizer)
            return
        made = _speak(request, synthesizer, output)
    if captions is not None:
        _replace(captions, lambda file: file.write(_written(made, captions.suffix)))
    click.echo(f"{output}: {made.duration_s:.1f} s", err=True)


def _read_text(text: str) -> str:
    """Return what is to be spoken; bytes of another encoding are refused, because their letters would be lost."""
    data = sys.stdin.buffer.read() if text == "-" else os.fsencode(text)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "convert it first, as in: iconv -f latin1 -t utf-8"
        raise click.ClickException(f"the text is not UTF-8, at byte {error.start + 1}; {hint}") from error


@contextlib.contextmanager
def _leaving_nothing() -> Iterator[None]:
    """End like Ctrl-C when told to stop, so that no half file is left."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_places(output: Path, captions: Path | None) -> None:
    for path in (output, captions):
        if path is not None and not path.parent.is_dir():
            raise click.ClickException(f"there is no folder {path.parent}")
    if captions is None:
        return
    if output == _STANDARD_OUTPUT:
        raise click.ClickException("captions are known when the audio is whole; write it to a file")
    if captions.suffix.lstrip(".") not in _CAPTION_FORMS:
        raise click.ClickException(f"captions are one of .{', .'.join(_CAPTION_FORMS)}")


@contextlib.contextmanager
def _opened_synthesizer() -> "Iterator[Synthesizer]":
    from voxgate.speaking import open_engines_of  # noqa: PLC0415 -- help is quicker without it
    from voxgate.speech.synthesis import Synthesizer  # noqa: PLC0415

    settings = read_settings()
    synthesizer = Synthesizer(
        open_engines_of(settings, workers=1),
        max_audio_s=settings.max_audio_s,
        segment_deadline_s=settings.segment_deadline_s,
    )
    try:
        yield synthesizer
    finally:
        synthesizer.close()


def _refuse_faults(request: "SpeechRequest", synthesizer: "Synthesizer") -> None:
    from voxgate.speech.request import find_faults  # noqa: PLC0415 -- help is quicker without it

    faults = find_faults(
        request,
        voices=synthesizer.voice_names,
        formats=synthesizer.formats,
        blocked_patterns=(),
        max_characters=_MAX_CHARACTERS,
    )
    details = [fault.detail for fault in (*faults, *synthesizer.find_language_faults(request))]
    if details:
        raise click.ClickException("; ".join(details))


def _send(request: "SpeechRequest", synthesizer: "Synthesizer") -> None:
    """Write the audio to standard output while it is made; a player that is closed ends it."""
    from voxgate.speech.errors import SpeechError  # noqa: PLC0415 -- help is quicker without it

    out = sys.stdout.buffer
    if out.isatty():
        raise click.ClickException("audio is not for a terminal; pipe it into a player, as in: | ffplay -nodisp -")
    try:
        stream = synthesizer.stream(request)
        try:
            for block in stream:
                out.write(block)
                out.flush()
        finally:
            stream.close()
    except SpeechError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        # Nothing more can be written, also not what Python still has to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _speak(request: "SpeechRequest", synthesizer: "Synthesizer", output: Path) -> "Captions":
    from voxgate.speech.errors import SpeechError  # noqa: PLC0415 -- help is quicker without it

    found: list[Captions] = []

    def write(file: Any) -> None:  # noqa: ANN401 -- a binary file
        with click.progressbar(length=1, label="Speaking", file=sys.stderr) as bar:

            def show(done: int, total: int) -> bool:
                bar.length = total
                bar.update(done - bar.pos)
                return True

            found.append(synthesizer.synthesize(request, file, on_progress=show).captions)

    try:
        _replace(output, write)
    except SpeechError as error:
        raise click.ClickException(str(error)) from error
    return found[0]


def _replace(path: Path, write: Any) -> None:  # noqa: ANN401 -- takes a binary file
    """Write a file beside its place and rename it, so that a failure leaves nothing half made."""
    # Its name is known before it is there, so that no stop comes between the two.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            write(file)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _written(captions: "Captions", suffix: str) -> bytes:
    from voxgate.speech.captions_text import to_srt, to_vtt  # noqa: PLC0415 -- help is quicker without it

    if suffix == ".json":
        return captions.to_json()
    return (to_srt(captions) if suffix == ".srt" else to_vtt(captions)).encode()
