"""Audio over HTTP: whole and in ranges, cached by its owner, and gone when it has expired."""

import io
import re
import wave

import av
import pytest
import soundfile
from tests.support.service import V1

from voxgate.speech.formats.registry import FORMATS


@pytest.fixture
def spoken(speak):
    """One finished job."""
    return speak()


@pytest.fixture
def fetch(client, auth_headers, spoken):
    """Fetch its audio."""

    def call(method="GET", headers=None, **kwargs):
        return client.open(spoken["audio_url"], method=method, headers=auth_headers | (headers or {}), **kwargs)

    return call


class Test200:
    def test_wav_is_audio_of_the_told_length(self, fetch, spoken):
        """A WAV is read by the standard library and lasts as long as its job says."""
        answer = fetch()
        assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
        assert answer.headers["Content-Length"] == str(len(answer.data))
        with wave.open(io.BytesIO(answer.data)) as audio:
            assert audio.getnframes() / audio.getframerate() == pytest.approx(spoken["duration_s"], abs=0.001)

    def test_mp3_is_audio(self, speak, client, auth_headers):
        """An MP3 is read by an independent reader."""
        job = speak(output_format="mp3")
        answer = client.get(job["audio_url"], headers=auth_headers)
        assert answer.mimetype == "audio/mpeg"
        samples, rate = soundfile.read(io.BytesIO(answer.data))
        assert len(samples) / rate == pytest.approx(job["duration_s"], abs=0.2)

    @pytest.mark.parametrize("name", FORMATS)
    def test_every_format_is_kept_and_sent(self, speak, client, auth_headers, name):
        """A job of every format gives a file of its type and true length, at the rate that was asked for."""
        job = speak(output_format=name, sample_rate=16_000)
        answer = client.get(job["audio_url"], headers=auth_headers)
        assert (job["status"], answer.mimetype) == ("done", FORMATS[name].media_type)
        assert answer.headers["Content-Length"] == str(len(answer.data))
        assert answer.headers["Content-Disposition"].endswith(f".{name}")
        if name == "pcm":
            assert len(answer.data) / 2 / 16_000 == pytest.approx(job["duration_s"], abs=0.001)
        else:
            with av.open(io.BytesIO(answer.data)) as file:
                seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
            assert seconds == pytest.approx(job["duration_s"], abs=0.2)

    def test_name_is_made_by_the_server(self, fetch, spoken):
        """The file name has nothing of the caller in it."""
        told = fetch().headers["Content-Disposition"]
        assert told == f"attachment; filename=voxgate-{spoken['job_id'][:8]}.wav"

    def test_only_the_owner_may_keep_it(self, fetch):
        """No shared cache keeps it, and the owner's asks again."""
        assert fetch().headers["Cache-Control"] == "private, no-cache"

    def test_head_has_the_headers_alone(self, fetch):
        """HEAD tells the length and sends nothing."""
        whole, head = fetch(), fetch("HEAD")
        assert (head.status_code, head.data) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
            assert head.headers[name] == whole.headers[name]

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_unusable_range_is_ignored(self, fetch, method):
        """Several ranges, unknown units and nonsense give the whole audio (RFC 9110, section 14.2)."""
        for wanted in ("bytes=0-1,4-5", "lines=0-1", "bytes=5-2", "bytes=", "bytes=a-b", "nonsense"):
            answer = fetch(method, headers={"Range": wanted})
            assert answer.status_code == 200
            assert "Content-Range" not in answer.headers

    def test_range_of_an_older_audio_is_ignored(self, fetch):
        """If-Range with another tag gives the whole audio."""
        assert fetch(headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


class TestLong:
    """Audio that a slow client can draw out takes one of the few places for such."""

    @pytest.fixture
    def places(self, app, monkeypatch):
        monkeypatch.setattr("voxgate.web.audio.PLACELESS_BYTES", 100)
        return app.extensions["voxgate.streams"]

    def test_place_is_given_back(self, fetch, places):
        """However often it is fetched."""
        assert [fetch().status_code for _ in range(places.most + 1)] == [200] * (places.most + 1)
        assert places.taken == 0

    def test_503_without_a_place(self, fetch, places):
        """A thread is left for everybody else; a short range and the headers alone need no place."""
        for _ in range(places.most):
            assert places.take()
        answer = fetch()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STREAMS_FULL")
        assert answer.headers["Retry-After"] == "1"
        assert fetch(headers={"Range": "bytes=0-9"}).status_code == 206
        assert fetch("HEAD").status_code == 200
        places.give_back()
        assert fetch().status_code == 200


class Test206:
    def test_one_range(self, fetch):
        """One range of bytes is sent alone, and says what it is."""
        whole = fetch().data
        for wanted, start, stop in (("bytes=0-9", 0, 10), ("bytes=44-", 44, None), ("bytes=-7", -7, None)):
            part = fetch(headers={"Range": wanted})
            assert (part.status_code, part.data) == (206, whole[start:stop])
            told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", part.headers["Content-Range"])
            first, last, total = map(int, told.groups())
            assert (last - first + 1, total) == (len(part.data), len(whole))

    def test_end_beyond_the_audio_is_cut(self, fetch):
        """Asking for more than there is gives what there is."""
        whole = fetch().data
        part = fetch(headers={"Range": "bytes=10-99999999"})
        assert (part.status_code, part.data) == (206, whole[10:])

    def test_if_range(self, fetch):
        """A range of this very audio is sent."""
        tag = fetch().headers["ETag"]
        assert fetch(headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206


class Test304:
    def test_known_tag(self, fetch):
        """Who has the audio is not sent it again."""
        tag = fetch().headers["ETag"]
        answer = fetch(headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (304, b"")


class TestRefused:
    def test_404_of_another(self, client, spoken, bob_headers):
        """Who does not own the job does not hear it."""
        assert client.get(spoken["audio_url"], headers=bob_headers).status_code == 404

    def test_404_equal_text_opens_no_other_job(self, client, speak, join, run_jobs, spoken, bob_headers):
        """Equal requests share a file, never a right."""
        started = client.post(f"{V1}/tts/generate", headers=bob_headers, json={"text": "Hello."}).get_json()
        run_jobs()
        assert client.get(f"{V1}/tts/audio/{started['job_id']}", headers=bob_headers).status_code == 200
        assert client.get(spoken["audio_url"], headers=bob_headers).status_code == 404

    @pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
    def test_409_not_done(self, client, auth_headers, ann, services, state):
        """A job that is not done has no audio, and says how it stands."""
        job_id = client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": "Hello."}).get_json()["job_id"]
        if state == "cancelled":
            services.jobs.cancel(job_id, ann["user_id"])
        elif state != "queued":
            job = services.jobs.claim("test")
            if state == "failed":
                services.jobs.fail(job, "SYNTHESIS_FAILED", "no")
        answer = client.get(f"{V1}/tts/audio/{job_id}", headers=auth_headers)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "AUDIO_NOT_READY")
        assert state in answer.get_json()["message"]

    def test_410_expired(self, client, ann, services, clock, spoken):
        """After its time the audio is gone, and its job no longer points to it."""
        clock.advance(services.settings.audio_ttl_s)
        headers = {"X-API-Key": ann["api_key"]}
        answer = client.get(spoken["audio_url"], headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (410, "AUDIO_EXPIRED")
        job = client.get(f"{V1}/tts/status/{spoken['job_id']}", headers=headers).get_json()
        assert (job["status"], job["audio_url"]) == ("done", None)

    def test_410_removed_by_the_quota(self, fetch, services):
        """Audio that had to make room is gone too."""
        for path in services.settings.audio_folder.glob("*.wav"):
            path.unlink()
        assert fetch().status_code == 410

    def test_410_removed_between_look_and_opening(self, fetch, services, monkeypatch):
        """A sweep that comes between does no harm."""
        missing = services.settings.audio_folder / "gone.wav"
        monkeypatch.setattr(type(services.artifacts), "find", lambda *_: missing)
        assert fetch().status_code == 410

    def test_503_unreadable(self, fetch, services, monkeypatch):
        """An audio folder that cannot be read is trouble of ours, told as such."""

        def open_nothing(*_args, **_kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("voxgate.speech.storage.folder.Path.open", open_nothing)
        answer = fetch()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STORAGE_UNAVAILABLE")

    def test_416_beyond_the_end(self, fetch):
        """A range that begins behind the audio says how long it is."""
        size = len(fetch().data)
        answer = fetch(headers={"Range": f"bytes={size}-"})
        assert (answer.status_code, answer.get_json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")
        assert answer.headers["Content-Range"] == f"bytes */{size}"

    def test_412_if_match(self, fetch):
        """A condition that does not hold is told."""
        answer = fetch(headers={"If-Match": '"other"'})
        assert answer.status_code == 412
