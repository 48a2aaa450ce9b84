"""The command that prepares a data folder."""

from pathlib import Path

import click

from voxgate.cli.frame import data_option, opened, read_settings
from voxgate.gate.clock import SystemClock
from voxgate.gate.signing import KeyFolder
from voxgate.settings.reading import CONFIG_FILE
from voxgate.settings.reference import commented_file


@click.command()
@data_option
def init(data: str | None) -> None:
    """Make the data folder, its signing key, its databases and a commented voxgate.toml; keeps what is there."""
    # The production profile refuses to start without the key that is made here.
    settings = read_settings(data=data, profile="development")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    KeyFolder(settings.data, clock=SystemClock(), secret=settings.signing_secret).open(settings.jwt_algorithm)
    _write_once(settings.data / CONFIG_FILE, commented_file())
    with opened(str(settings.data)):
        pass
    click.echo(f"The house stands in {settings.data}.")
    click.echo(f"Its settings: {settings.data / CONFIG_FILE}")
    click.echo(f"Next: voxgate serve{f' --data {data}' if data else ''}")


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(text)
