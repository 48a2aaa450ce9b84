"""The command line: every command by name; one is imported only when it runs, so that help is quick."""

import importlib
import importlib.metadata
import os

import click

from voxgate.cli.importing import importing
from voxgate.gate.errors import VoxgateError

COMMANDS = {
    "serve": ("voxgate.cli.serve:serve", "Serve the API."),
    "worker": ("voxgate.cli.worker:worker", "Speak jobs without serving; any number share a database."),
    "init": ("voxgate.cli.init:init", "Make the data folder, its key, its databases and a commented settings file."),
    "import-database": (
        "voxgate.cli.import_database:import_database",
        "Fill the empty database of the settings with what a file holds.",
    ),
    "users": ("voxgate.cli.users:users", "List, add and change accounts."),
    "keys": ("voxgate.cli.keys:keys", "List, make and revoke API keys."),
    "signing": ("voxgate.cli.signing:signing", "List, make, rotate and retire the keys that sign tokens."),
    "events": ("voxgate.cli.events:events", "Show security events as they come, or write them all down."),
    "limits": ("voxgate.cli.limits:limits", "Show limits and what is spent of them; forget what is spent."),
    "say": ("voxgate.cli.say:say", "Speak a text into a file, without a server."),
    "voices": ("voxgate.cli.voices:voices", "List the voices, of one language or all."),
    "doctor": ("voxgate.cli.doctor:doctor", "Say what is wrong here, and the command that mends it."),
}
"""Where each command is, and what it does in one line, in the order of the help."""


class LazyGroup(click.Group):
    """The top of the command line; turns what is broken into one line and exit status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with importing():
            command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """Write the commands' list without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, doc) for name, (_, doc) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except VoxgateError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            place = f": {error.filename}" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{place}") from error


def _print_version(ctx: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:  # noqa: FBT001 -- click's signature
    if is_asked:
        click.echo(f"voxgate {importlib.metadata.version('voxgate')}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def cli() -> None:
    """A text-to-speech service with a door."""


def main() -> None:
    """Run the command that the arguments name; never returns."""
    # Pydantic would read the description of every installed package to find extensions of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    cli.main(prog_name="voxgate")
