"""Audio that lies in a bucket, over HTTP: through the service or from the store, with the same promises."""

import urllib.request

import pytest
from tests.support.buckets import CREDENTIALS, running_bucket
from tests.support.service import ANN, V1, bearer

from voxgate.gate.errors import ConfigurationError
from voxgate.speech.jobs.run import JobRunner


@pytest.fixture(scope="module")
def server():
    with running_bucket() as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class House:
    """An application whose audio lies in a bucket, with one member."""

    def __init__(self, app):
        self.services = app.extensions["voxgate.services"]
        self.client = app.test_client()
        self.client.post(f"{V1}/auth/register", json=ANN)
        login = {name: ANN[name] for name in ("username", "password")}
        self.headers = bearer(self.client.post(f"{V1}/auth/login", json=login).get_json()["access_token"])

    def speak(self, text="Hello."):
        """Have a text spoken; gives the status of its job."""
        started = self.client.post(f"{V1}/tts/generate", headers=self.headers, json={"text": text})
        assert started.status_code == 202, started.data
        runner = JobRunner(self.services.jobs, self.services.synthesizer, self.services.artifacts)
        while job := self.services.jobs.claim("test"):
            runner.run(job, lambda: False)
        return self.client.get(started.get_json()["status_url"], headers=self.headers).get_json()

    def fetch(self, job, method="GET", **headers):
        """Ask for the audio of a job."""
        return self.client.open(f"{V1}/tts/audio/{job['job_id']}", method=method, headers=self.headers | headers)


@pytest.fixture
def open_house(make_app, server):
    """Open a house that serves audio in one way."""
    return lambda download: House(make_app(audio_store=server.url(download), audio_download=download))


@pytest.fixture
def house(open_house):
    return open_house("proxy")


@pytest.fixture
def redirecting(open_house):
    return open_house("redirect")


def test_audio_and_ranges_come_through_the_service(house):
    """Whole, in part, by condition and as headers alone, as from a folder; nothing lies in the data folder."""
    job = house.speak()
    whole = house.fetch(job)
    assert (whole.status_code, whole.mimetype, whole.data[:4]) == (200, "audio/wav", b"RIFF")
    assert whole.headers["Content-Length"] == str(len(whole.data))
    assert whole.headers["Cache-Control"] == "private, no-cache"
    part = house.fetch(job, Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.data)}"
    assert house.fetch(job, **{"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert house.fetch(job, **{"If-Match": '"other"'}).status_code == 412
    assert house.fetch(job, Range=f"bytes={len(whole.data)}-").status_code == 416
    assert house.fetch(job, "HEAD").headers["Content-Length"] == str(len(whole.data))
    assert not house.services.settings.audio_folder.exists()


def test_equal_requests_share_one_object(house):
    """The second job speaks nothing, and both can be fetched."""
    first, second = house.speak(), house.speak()
    assert house.fetch(first).data == house.fetch(second).data


def test_reader_is_sent_to_the_store(redirecting):
    """A GET whose conditions are met gets an address that opens this audio for a while, and that nobody keeps."""
    job = redirecting.speak()
    answer = redirecting.fetch(job)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    request = urllib.request.Request(answer.headers["Location"], headers={"Range": "bytes=0-3"})  # noqa: S310 -- http
    with urllib.request.urlopen(request) as fetched:  # noqa: S310 -- loopback
        assert (fetched.status, fetched.read()) == (206, b"RIFF")
    head = redirecting.fetch(job, "HEAD")
    assert (head.status_code, "Location" in head.headers) == (200, False)
    assert redirecting.fetch(job, **{"If-None-Match": head.headers["ETag"]}).status_code == 304


def test_nobody_else_gets_an_address(redirecting):
    """Who may read is decided by the row, before the store is asked."""
    job = redirecting.speak()
    answer = redirecting.client.get(f"{V1}/tts/audio/{job['job_id']}")
    assert (answer.status_code, "Location" in answer.headers) == (401, False)


@pytest.mark.parametrize("download", ["proxy", "redirect"])
def test_410_after_its_time(open_house, download, clock):
    """Expired audio is gone, whether it was swept or not, and no address is given."""
    house = open_house(download)
    job = house.speak("This will be gone.")
    clock.advance(house.services.settings.audio_ttl_s)
    headers = {name: ANN[name] for name in ("username", "password")}
    token = house.client.post(f"{V1}/auth/login", json=headers).get_json()["access_token"]
    house.headers = bearer(token)
    assert house.fetch(job).status_code == 410
    assert house.services.artifacts.sweep().expired > 0
    assert house.fetch(job).status_code == 410


def test_410_removed_by_the_quota(house):
    """Audio that had to make room is gone too."""
    job = house.speak("Room is needed.")
    house.services.artifacts._quota_bytes = 1
    house.services.artifacts.sweep()
    assert house.fetch(job).status_code == 410


def test_503_while_the_bucket_is_away(make_app, clock):
    """No job is taken and no audio sent while the store does not answer; nothing is our fault, and nothing is lost."""
    with running_bucket() as server:
        house = House(make_app(audio_store=server.url()))
        job = house.speak()
    clock.advance(5)
    answers = [house.fetch(job), house.client.post(f"{V1}/tts/generate", headers=house.headers, json={"text": "No."})]
    assert {(each.status_code, each.get_json()["code"]) for each in answers} == {(503, "STORAGE_UNAVAILABLE")}
    assert house.client.get("/readyz").status_code == 503


def test_missing_library_is_named(make_app, monkeypatch):
    """The start says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "voxgate.speech.storage.bucket", None)
    with pytest.raises(ConfigurationError, match=r"voxgate\[s3\]"):
        make_app(audio_store="s3://audio")


def test_address_that_is_none_is_refused_at_the_start(make_app):
    """It is judged with all other settings, and not repeated."""
    with pytest.raises(ValueError, match="credentials come from") as caught:
        make_app(audio_store="s3://key:hunter2@audio")
    assert "hunter2" not in str(caught.value)
