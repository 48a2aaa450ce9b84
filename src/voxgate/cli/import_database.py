"""The command that brings accounts and jobs from a file into another database, such as PostgreSQL."""

from contextlib import closing
from pathlib import Path

import click

from voxgate.cli.frame import data_option, read_settings


@click.command("import-database")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def import_database(file: Path, data: str | None) -> None:
    """Fill the empty database of the settings with all that FILE holds, a voxgate.db.

    Everything is copied or nothing: accounts, keys, sessions, tiers, security events and jobs. FILE stays as it is.
    Stop the services that use it first: what they write after the copy stays behind.
    """
    from voxgate.accounts.copying import copy_database  # noqa: PLC0415 -- SQLAlchemy costs half a second
    from voxgate.accounts.database import Database  # noqa: PLC0415
    from voxgate.accounts.models import Base  # noqa: PLC0415
    from voxgate.speech.jobs.table import metadata  # noqa: PLC0415

    settings = read_settings(data=data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    tables = [*Base.metadata.sorted_tables, *metadata.sorted_tables]
    with closing(Database(settings.database_url)) as target, closing(Database(f"sqlite:///{file}")) as source:
        target.migrate()
        counts = copy_database(source, target, tables)
    for name, count in counts.items():
        click.echo(f"{count:>8} {name}")
    click.echo("Next: voxgate doctor")
