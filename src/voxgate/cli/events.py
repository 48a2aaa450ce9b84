"""The commands about security events."""

import csv
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from voxgate.cli.frame import data_option, opened
from voxgate.gate.events import NAMES
from voxgate.settings.forms import read_duration

if TYPE_CHECKING:
    from voxgate.accounts.audit import EventFilter, EventRecord
    from voxgate.web.services import Services

_LOOK_EVERY_S = 0.5
# Rows of several writers may become visible out of their order; so many ids are looked at again.
_LOOKED_BACK = 200
_COLUMNS = ("timestamp", "event", "user_id", "username", "ip_address", "endpoint", "request_id", "success", "code")


@click.group()
def events() -> None:
    """Show security events as they come, or write them all down."""


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    names = click.Choice(sorted(NAMES))
    command = click.option("--event", "name", type=names, metavar="NAME", help="Only events of this name.")(command)
    command = click.option("--user", metavar="USER", help="Only events about a user name, an address or an id.")(
        command
    )
    since = click.option("--since", metavar="WHEN", help="Only from a time such as 2026-11-21T08:00, or '2 hours' ago.")
    return data_option(since(command))


@events.command("tail")
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=20, show_default=True, help="Newest events.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@_filter_options
def tail(*, lines: int, follow: bool, name: str | None, user: str | None, since: str | None, data: str | None) -> None:
    """Show the newest events, one JSON object a line."""
    with opened(data) as services:
        wanted = _wanted(services, name=name, user=user, since=since)
        newest = services.audit.read_last(wanted, limit=lines) if lines else ()
        for record in newest:
            click.echo(_line_of(record))
        if follow:
            last = services.audit.read_last(wanted, limit=1)
            _follow(services, wanted, after_id=last[-1].event_id if last else 0)


@events.command("export")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@_filter_options
def export(*, form: str, name: str | None, user: str | None, since: str | None, data: str | None) -> None:
    """Write every event to standard output, oldest first."""
    with opened(data) as services:
        found = services.audit.read_all(_wanted(services, name=name, user=user, since=since))
        if form == "jsonl":
            for record in found:
                click.echo(_line_of(record))
            return
        table = csv.writer(sys.stdout)
        table.writerow((*_COLUMNS, "fields"))
        for record in found:
            table.writerow(_row_of(record))


def _wanted(services: "Services", *, name: str | None, user: str | None, since: str | None) -> "EventFilter":
    from voxgate.accounts.audit import EventFilter  # noqa: PLC0415 -- SQLAlchemy is slow to import

    who: tuple[str, ...] = ()
    if user is not None:
        account = services.accounts.find_by_name(user) or services.accounts.find(user)
        # Failed logins name what was typed, everything else the account.
        who = (user, *((account.subject, account.username, account.email) if account else ()))
    return EventFilter(name=name, who=who, since_ms=None if since is None else _read_time_ms(since))


def _read_time_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        try:
            moment = datetime.now(UTC) - timedelta(seconds=read_duration(text))
        except (ValueError, OverflowError):
            hint = f"{text!r} is no time; write 2026-11-21T08:00 (UTC) or '2 hours'"
            raise click.BadParameter(hint, param_hint="--since") from None
    return int(moment.timestamp() * 1000)


def _follow(services: "Services", wanted: "EventFilter", *, after_id: int) -> None:
    seen = deque(range(max(0, after_id - _LOOKED_BACK), after_id + 1), maxlen=2 * _LOOKED_BACK)
    while True:
        for record in services.audit.read(wanted, after_id=max(0, after_id - _LOOKED_BACK)):
            if record.event_id not in seen:
                seen.append(record.event_id)
                after_id = max(after_id, record.event_id)
                click.echo(_line_of(record))
        time.sleep(_LOOK_EVERY_S)


def _line_of(record: "EventRecord") -> str:
    told = {name: value for name, value in record.fields.items() if value is not None}
    return json.dumps({"timestamp": _time_of(record), "event": record.name, **told})


def _row_of(record: "EventRecord") -> tuple[Any, ...]:
    told = {"timestamp": _time_of(record), "event": record.name, **record.fields}
    # A spreadsheet takes a text that begins like this for a formula and would run it.
    known = [f"'{value}" if str(value)[:1] in set("=+-@\t\r") else value for value in map(told.get, _COLUMNS)]
    return (*known, json.dumps(dict(record.fields)))


def _time_of(record: "EventRecord") -> str:
    return datetime.fromtimestamp(record.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
