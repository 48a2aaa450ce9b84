"""The command that lists voices."""

import json

import click

from voxgate.cli.frame import data_option, read_settings


@click.command()
@click.option("--language", default="", help="Only voices that speak this language, such as pt-BR.")
@click.option("--engine", default="", help="Only voices of this engine.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@data_option
def voices(*, language: str, engine: str, as_json: bool, data: str | None) -> None:
    """List the voices: name, language, gender, engine and how each sounds."""
    from voxgate.speaking import open_engines_of  # noqa: PLC0415 -- help is quicker without it
    from voxgate.speech.voices import language_for, read_tag  # noqa: PLC0415

    if language and read_tag(language) is None:
        raise click.ClickException(f"{language!r} is no language tag such as en, pt-BR or zh-Hans")
    engines = open_engines_of(read_settings(data=data), workers=1)
    names = sorted({voice.engine for voice in engines.voices})
    try:
        found = [
            voice
            for voice in engines.voices
            if (not engine or voice.engine == engine)
            and (not language or language_for(voice, language, engines.languages_of(voice)))
        ]
    finally:
        engines.close()
    for voice in found:
        if as_json:
            told = {name: getattr(voice, name) for name in ("name", "language", "gender", "engine", "style")}
            click.echo(json.dumps(told, ensure_ascii=False))
        else:
            spoken = voice.language or "any"
            click.echo(f"{voice.name:<24} {spoken:<20} {voice.gender:<8} {voice.engine:<8} {voice.style}")
    if engine and engine not in names:
        raise click.ClickException(f"no engine {engine!r} has voices here; those that have: {', '.join(names)}")
    if not found:
        raise click.ClickException("there is no such voice")
