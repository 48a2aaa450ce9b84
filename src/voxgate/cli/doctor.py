"""The command that says what is wrong, and how to mend it."""

import click

from voxgate.cli.frame import data_option


@click.command()
@data_option
def doctor(data: str | None) -> None:
    """Check everything that the service needs; changes nothing. Ends with status 1 when something fails."""
    from voxgate.cli.checks import examine  # noqa: PLC0415 -- opens most of the house
    from voxgate.cli.findings import State  # noqa: PLC0415

    states = set()
    for finding in examine(data):
        states.add(finding.state)
        click.echo(f"{finding.state:<4}  {finding.name}: {finding.text}")
        if finding.mend:
            click.echo(f"      mend it: {finding.mend}")
    raise SystemExit(1 if State.FAIL in states else 0)
