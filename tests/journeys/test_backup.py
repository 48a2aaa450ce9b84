"""The backup of the operator's guide: its own lines, run on a service at work, give back a whole service."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.calls import V1

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "operate.md"


@pytest.fixture
def back_up(tmp_path):
    """Take a backup of a data folder; gives the folder of the backup."""

    def run(data):
        (lines,) = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        backup = tmp_path / "backup"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "DATA": str(data), "BACKUP": str(backup)}
        subprocess.run(["bash", "-e", "-c", lines], check=True, env=environment)
        return backup

    return run


def test_backup_of_a_running_service_is_a_whole_one(serve, back_up):
    """Accounts, tokens, keys and audio are there, what had ended is still ended, and nobody else can read it."""
    file_of_its_own = {"VOXGATE_DATABASE_URL": ""}  # where tests use PostgreSQL too: the page is about a folder
    first = serve("data", **file_of_its_own)
    member, gone = first.api.join(), first.api.join()
    assert gone.api.post(f"{V1}/auth/logout").status == 200
    job = member.api.post(f"{V1}/tts/generate", json={"text": "Keep this."}).json()["job_id"]
    assert member.api.get(f"{V1}/tts/status/{job}?wait=30").json()["status"] == "done"
    backup = back_up(first.data)
    assert {path.stat().st_mode & 0o077 for path in (backup, *backup.iterdir())} == {0}
    first.stop()
    shutil.rmtree(first.data)
    shutil.move(backup, first.data)

    second = serve("data", **file_of_its_own)
    assert second.api.shown(bearer=member.access).get(f"{V1}/auth/me").status == 200
    assert second.api.shown(bearer=gone.access).get(f"{V1}/auth/me").code == "TOKEN_REVOKED"
    assert_is_speech(read(second.api.shown(key=member.key).get(f"{V1}/tts/audio/{job}").data))
