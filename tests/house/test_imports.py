"""What each program leaves unimported: what it does not need, and what would make every start of it slow."""

import re
import subprocess
import sys

import pytest

WEB = {"flask", "werkzeug", "jinja2", "granian", "openapi_pydantic"}
SQL = {"sqlalchemy", "alembic", "psycopg"}
KEYS = {"joserfc", "cryptography"}
SOUND = {"numpy", "av", "soundfile", "piper", "onnxruntime"}
EXTRAS = {"celery", "kombu", "obstore", "redis", "bcrypt"}


def imported_by(folder, *arguments):
    """Run a command and return the packages that it imports, on a data folder of its own."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "voxgate", *map(str, arguments)],
        env={"VOXGATE_DATA": str(folder / "data"), "LANG": "C.UTF-8"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return packages_of(ended.stderr.decode())


def packages_of(told):
    """Return the packages of which Python tells when it times its imports."""
    return set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\w+)", told, re.MULTILINE))


@pytest.mark.parametrize("command", [("voices",), ("say", "--format", "wav", "-o", "-", "Hi.")], ids=["voices", "say"])
def test_to_speak_takes_no_service(tmp_path, command):
    """Whoever speaks a text or looks for a voice waits for no web server, no database and no signature."""
    imported = imported_by(tmp_path, *command)
    assert "voxgate" in imported
    assert not imported & (WEB | SQL | KEYS | SOUND | EXTRAS)


def test_to_look_after_accounts_takes_no_web_server(tmp_path):
    """The commands of operators open the parts of the service, not what answers over HTTP, nor the library of pairs."""
    imported = imported_by(tmp_path, "users", "list")
    assert "sqlalchemy" in imported
    assert not imported & (WEB | KEYS | SOUND | EXTRAS)
