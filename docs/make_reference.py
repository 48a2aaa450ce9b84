"""Make the pages of docs/reference/ and the tree in ARCHITECTURE.md from the code, so that they never differ from it.

Run it as `./dev docs`; `./dev docs --check` changes nothing and fails when a page is not current.
"""

import re
import sys
from pathlib import Path

import click
from sqlalchemy import create_engine

from voxgate.accounts.schema import WHOLE, migrate, write_out
from voxgate.cli import cli
from voxgate.gate import events
from voxgate.gate.errors import Problem
from voxgate.settings.reference import reference_page
from voxgate.web.docs import document_for
from voxgate.web.problems import PROBLEMS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "voxgate"
TREE = re.compile(r"(?<=<!-- tree -->\n).*?(?=<!-- end of tree -->)", re.DOTALL)

# What each event means; a test asks for every name of voxgate.gate.events.
EVENTS = {
    "login": "Somebody logged in (`success` true) or tried to (`success` false, with `username`).",
    "api_key_usage": "An API key was used.",
    "rate_limit_exceeded": "A caller met a limit.",
    "authn_login_lock": "Logins to an account, or all logins, are refused for a while after too many failures.",
    "authn_login_new_device": "An account was logged in to from a device that was not known before.",
    "authn_password_rehash": "A password's hash of another system or with old parameters was made anew at login.",
    "authn_credential_refused": "A token or key was forged, unknown or ended; `code` says which.",
    "authn_token_created": "An API key was made.",
    "authn_token_revoked": "A session or an API key was ended.",
    "authn_token_reuse": "A refresh token was used a second time.",
    "authn_password_change": "A password was changed, or not, because the current one was wrong (`success` false).",
    "authz_fail": "A proven caller asked for what it may not do.",
    "user_created": "An account was made.",
    "user_updated": "The state, tier, limits or roles of an account or the terms of a key were changed.",
    "user_deleted": "An account was deleted with everything that belonged to it.",
    "tier_updated": "A tier was defined, changed or removed.",
    "signing_key_changed": "A key that signs tokens was made, signs from now on or was retired; `change` says which.",
    "gate_store_unavailable": "The gate's store did not answer; told once until it does.",
    "gate_store_recovered": "The gate's store answers again.",
    "tts_job_submitted": "A text was accepted to be spoken.",
    "tts_job_finished": "Its audio is ready.",
    "tts_job_failed": "It could not be spoken; `reason` says why.",
    "tts_stream_broken": "Audio that was being sent ended too early, after `sent_s` seconds; `code` says why.",
}


def made_from(source: str) -> str:
    """Return the note that stands in every made page."""
    return f"<!-- Made by ./dev docs from {source}. -->"


def errors_page() -> str:
    """Return docs/reference/errors.md."""
    lines = [
        "# Errors",
        "",
        made_from("src/voxgate/gate/errors.py and src/voxgate/web/problems.py"),
        "",
        "Every error is `application/problem+json` (RFC 9457).",
        "Its members are `type`, `title`, `status`, `detail`, `instance`, `error`, `message` and `code`.",
        "A client reads `code`; the other texts are for people and may be worded better one day.",
        "`retry_after` (whole seconds) stands where waiting helps, and waiting exactly so long is enough.",
        "`errors` lists every bad field as `{pointer, detail}`.",
        "`violated-policies` names the limits that were met.",
        "",
        "| code | status | error | message |",
        "|---|---|---|---|",
    ]
    rows = sorted(PROBLEMS.values(), key=lambda problem: (problem.status, problem.code))
    return "\n".join([*lines, *map(_error_row, rows)]) + "\n"


def _error_row(problem: Problem) -> str:
    return f"| `{problem.code}` | {problem.status} | {problem.error} | {problem.message} |"


def events_page() -> str:
    """Return docs/reference/events.md."""
    lines = [
        "# Events",
        "",
        made_from("src/voxgate/gate/events.py"),
        "",
        "Security events are JSON lines in `security.log` of the data folder, and on standard error.",
        "Every line has `timestamp` (UTC), `level` and `event`; the other fields say who, where and how.",
        "No line holds a token, a key, a password or a text that was spoken.",
        "What happens again and again is told once; what follows within its time is one line more, with `repeats`.",
        "How the files rotate and how events are looked up is in the [guide](../guides/events.md).",
        "",
        "| event | meaning |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| `{name}` | {EVENTS[name]} |" for name in event_names())]) + "\n"


def event_names() -> list[str]:
    """Return every event's name, in the order of the code."""
    return [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]


def http_page() -> str:
    """Return docs/reference/http.md."""
    document = document_for(has_root_routes=True)
    lines = [
        "# HTTP",
        "",
        made_from("src/voxgate/web/operations.py"),
        "",
        "JSON goes in and JSON comes out, in UTF-8.",
        "The service describes itself at `/openapi.json` (OpenAPI 3.1) and lets you try it at `/docs`.",
        "A route that takes a credential accepts any of the kinds named; two in one request are refused.",
        "`token` is an access token and `refresh` a refresh token, as `Authorization: Bearer`.",
        "`key` is an API key, as `X-API-Key` or as `Authorization: Bearer`.",
        "`cookie` is the cookie of a browser that has logged in with `cookies`.",
        "Every answer has `X-Request-ID`; limits are told by `RateLimit-Policy` and `RateLimit`.",
    ]
    shown = {"bearer": "token", "apiKey": "key", "refresh": "refresh", "cookie": "cookie", "refreshCookie": "cookie"}
    for tag in document["tags"]:
        lines += ["", f"## {tag['name']}", "", "| call | does | credential | answers |", "|---|---|---|---|"]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    kinds = [shown[kind] for need in operation["security"] for kind in need]
                    codes = ", ".join(operation["responses"])
                    does = operation["summary"]
                    lines.append(f"| `{method.upper()} {path}` | {does} | {' or '.join(kinds) or 'none'} | {codes} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Return docs/reference/cli.md."""
    lines = ["# Command line", "", made_from("src/voxgate/cli/"), "", "`python -m voxgate` is the same program."]
    lines += ["Status 0 is success, 1 a failure that one line explains, 2 a wrong use."]
    return "\n".join([*lines, *_command_help(cli, ["voxgate"])]) + "\n"


def _command_help(command: click.Command, path: list[str], parent: click.Context | None = None) -> list[str]:
    settings = {**command.context_settings, "terminal_width": 100}
    context = click.Context(command, info_name=path[-1], parent=parent, **settings)
    lines = ["", f"## {' '.join(path)}", "", "```", command.get_help(context), "```"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                lines += _command_help(child, [*path, name], context)
    return lines


def tree() -> str:
    """Return the rooms with the first sentence of each file."""
    lines = ["```", "src/voxgate/"]
    for path in sorted(
        PACKAGE.rglob("*.py"), key=lambda path: (path.parent.parts, path.name != "__init__.py", path.name)
    ):
        place = path.relative_to(PACKAGE)
        if "versions" in place.parts or "__pycache__" in place.parts:
            continue
        sentence = path.read_text().partition("\n")[0].strip('"')
        if path.name == "__init__.py":
            name, depth = f"{place.parent.name}/", len(place.parent.parts)
        else:
            name, depth = place.name, len(place.parts)
        if depth:
            lines.append(f"{'    ' * depth}{name:<22} {sentence}")
    return "\n".join([*lines, "```"]) + "\n"


def whole_schema() -> str:
    """Return what the migrations, one after the other, make of an empty file of SQLite."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection)
        whole = write_out(connection)
    engine.dispose()
    return whole


def pages() -> dict[Path, str]:
    """Return every made page by its path."""
    folder = ROOT / "docs" / "reference"
    architecture = ROOT / "ARCHITECTURE.md"
    return {
        folder / "settings.md": reference_page(),
        folder / "errors.md": errors_page(),
        folder / "events.md": events_page(),
        folder / "http.md": http_page(),
        folder / "cli.md": cli_page(),
        architecture: TREE.sub(lambda _: tree(), architecture.read_text()),
        WHOLE: whole_schema(),
    }


def main(*arguments: str) -> int:
    """Write the pages, or with ``--check`` compare them; returns the exit status."""
    stale = {path: text for path, text in pages().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        print(f"{'not current' if '--check' in arguments else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in arguments:
            path.write_text(text)
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
