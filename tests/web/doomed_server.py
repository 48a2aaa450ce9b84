"""A process of its own for the tests: takes a request to speak, and is killed when its characters are held."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.support.service import ANN, V1, StillBackground

from voxgate.settings import Settings
from voxgate.web.app import create_app
from voxgate.web.services import Services, open_services

BUDGET = "100 per day"


def open_app(data: Path, database_url: str):
    """Open the service of a data folder; gives the application and its parts."""
    services = open_services(Settings(data=data, database_url=database_url, tts_characters_standard=BUDGET))
    return create_app(services=replace(services, background=StillBackground())), services


def kill_at(when: str, services: Services) -> None:
    """Have the process killed as soon as it comes to the row of the job, is past it, or would speak."""

    def die(*_args, **_kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    def write_and_die(*args, **kwargs):
        write(*args, **kwargs)
        die()

    write = type(services.jobs).submit.__get__(services.jobs)
    if when == "speech":
        services.synthesizer.stream = die
    else:
        services.jobs.submit = die if when == "row" else write_and_die


if __name__ == "__main__":
    _, where, url, instant = sys.argv
    app, parts = open_app(Path(where), url)
    client = app.test_client()
    key = {"X-API-Key": client.post(f"{V1}/auth/register", json=ANN).get_json()["api_key"]}
    sys.stdout.write(key["X-API-Key"])
    sys.stdout.flush()
    kill_at(instant, parts)
    if instant == "speech":
        client.post("/v1/audio/speech", headers=key, json={"model": "tts-1", "voice": "alloy", "input": "Hello."})
    else:
        client.post(f"{V1}/tts/generate", headers=key, json={"text": "Hello."})
