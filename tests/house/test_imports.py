"""What each program leaves unimported: what it does not need, and what would make every start of it slow."""

import re
import subprocess
import sys

import pytest
from tests.support.served import Served

WEB = {"flask", "werkzeug", "jinja2", "granian", "openapi_pydantic"}
SQL = {"sqlalchemy", "alembic", "psycopg"}
KEYS = {"joserfc", "cryptography"}
SOUND = {"numpy", "av", "soundfile", "piper", "onnxruntime"}
EXTRAS = {"celery", "kombu", "obstore", "redis", "bcrypt"}
OTHER_DATABASES = {"alembic", "sqlalchemy.dialects.postgresql", "psycopg"}


def imported_by(folder, *arguments):
    """Run a command on a data folder of its own and return the modules that it imports."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "voxgate", *map(str, arguments)],
        env={"VOXGATE_DATA": str(folder / "data"), "LANG": "C.UTF-8"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return modules_of(ended.stderr.decode())


def modules_of(told):
    """Return the modules of which Python tells when it times its imports."""
    return set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)", told, re.MULTILINE))


@pytest.mark.parametrize("command", [("voices",), ("say", "--format", "wav", "-o", "-", "Hi.")], ids=["voices", "say"])
def test_to_speak_takes_no_service(tmp_path, command):
    """Whoever speaks a text or looks for a voice waits for no web server, no database and no signature."""
    imported = imported_by(tmp_path, *command)
    assert "voxgate" in imported
    assert not imported & (WEB | SQL | KEYS | SOUND | EXTRAS)


def test_to_look_after_accounts_takes_no_web_server(tmp_path):
    """Operators' commands open the parts of the service, not what answers over HTTP."""
    imported = imported_by(tmp_path, "users", "list")
    assert "sqlalchemy" in imported
    assert not imported & (WEB | KEYS | SOUND | EXTRAS | OTHER_DATABASES)


def test_to_serve_takes_no_more_than_is_set(tmp_path):
    """Neither the server nor its worker imports what another setting would need, or the first request for a page."""
    served = Served(tmp_path / "data", settings={"PYTHONPROFILEIMPORTTIME": "1"}, is_typed=True)
    try:
        assert served.api.get("/healthz").status == 200
        assert served.stop() == 0
    finally:
        served.kill()
    imported = modules_of(served.output)
    assert {"flask", "granian", "voxgate.web.leaving"} <= imported  # the last one by the worker
    assert not imported & (KEYS | SOUND | EXTRAS | OTHER_DATABASES | {"openapi_pydantic"})
