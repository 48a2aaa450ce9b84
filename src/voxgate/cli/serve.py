"""The command that serves the API."""

import click

from voxgate.cli.frame import data_option, read_settings, warn
from voxgate.cli.server import Server


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 unless set.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 5000 unless set, 0 takes a free one.")
@data_option
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes; 1 unless set.")
@click.option("--tls", is_flag=True, default=None, help="Serve https, with a development certificate made here.")
def serve(*, host: str | None, port: int | None, data: str | None, workers: int | None, tls: bool | None) -> None:
    """Serve the API until it is told to stop (Ctrl-C, SIGTERM).

    What is not given here comes from the environment or from voxgate.toml in the data folder.
    """
    settings = read_settings(host=host, port=port, data=data, workers=workers, tls=tls)
    if not settings.is_on_loopback and not settings.is_production:
        warn(f"{settings.host} can be reached from outside; the development profile is meant for this machine alone")
    raise SystemExit(Server(settings).run())
