"""The command that speaks jobs without serving."""

import signal
import sys

import click

from voxgate.cli.frame import data_option, read_settings
from voxgate.cli.importing import importing
from voxgate.logs import configure_logs


@click.command()
@data_option
@click.option("--jobs", type=click.IntRange(1, 64), help="Jobs that are spoken at once; one per core unless set.")
def worker(*, data: str | None, jobs: int | None) -> None:
    """Speak jobs until it is told to stop (Ctrl-C, SIGTERM), then finish what runs or hand it back.

    Any number of workers, on any number of machines, share the jobs of one database. The servers leave them all
    to workers when VOXGATE_JOBS is worker.
    """
    settings = read_settings(data=data, engine_workers=jobs)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_logs(settings.log_level, security_log=settings.security_log_path)
    with importing():
        from voxgate.worker import Worker  # noqa: PLC0415 -- what is wrong with a setting is said before

    working = Worker(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: working.stop())
    click.echo(f"voxgate: takes jobs, {settings.engine_workers} at once")
    sys.stdout.flush()
    working.run()
