"""The command that serves the API."""

import click

from voxgate.cli.frame import data_option, read_settings, warn
from voxgate.cli.server import Server
from voxgate.gate.errors import StoreUnavailableError


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 unless set.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 5000 unless set, 0 takes a free one.")
@data_option
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes; 1 unless set.")
@click.option("--tls", is_flag=True, default=None, help="Serve https, with a development certificate made here.")
@click.option("--plain-port", type=click.IntRange(0, 65_535), help="With TLS: port that sends plain HTTP to https.")
def serve(**given: object) -> None:
    """Serve the API until it is told to stop (Ctrl-C, SIGTERM).

    What is not given here comes from the environment or from voxgate.toml in the data folder.
    """
    settings = read_settings(**given)
    if not settings.is_on_loopback and not settings.is_production:
        warn(f"{settings.host} can be reached from outside; the development profile is meant for this machine alone")
    if settings.redis_url is not None:
        _warn_of_store(settings.redis_url)
    raise SystemExit(Server(settings).run())


def _warn_of_store(url: str) -> None:
    """Say what is wrong with the Redis that the gate stands on, such as that it evicts; the service starts with it.

    One that does not answer yet is no reason to wait: it is asked again with every request.
    """
    from voxgate.gate.stores import open_store  # noqa: PLC0415 -- only where a Redis is set

    store = open_store(url)
    try:
        findings = list(getattr(store, "check_health", tuple)())
    except StoreUnavailableError:
        findings = []
    finally:
        store.close()
    for found in findings:
        if not found.is_good:
            warn(f"the gate's store {found.text}; mend it: {found.mend}")
