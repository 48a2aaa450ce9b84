"""Speech over HTTP: what can be asked for, jobs of their owner alone, and every refusal."""

import errno
import io

import pytest
from tests.support.service import V1, bearer

from voxgate.gate.errors import StoreUnavailableError
from voxgate.speech.jobs.base import JobsUnavailableError, QueueFull

OVERVIEW = f"{V1}/tts/"
VOICES = f"{V1}/tts/voices"
GENERATE = f"{V1}/tts/generate"
STATUS = f"{V1}/tts/status"
AUDIO = f"{V1}/tts/audio"
NOBODYS = "0" * 32
GUARDED = [("GET", OVERVIEW), ("GET", VOICES), ("POST", GENERATE), ("GET", STATUS), ("GET", f"{STATUS}/{NOBODYS}")]

BAD_FIELDS = [
    ({"text": ""}, "/text", "Text cannot be empty"),
    ({"text": " \n\t\u200b"}, "/text", "Text cannot be empty"),
    ({"text": "a" * 5001}, "/text", "Text too long"),
    ({"text": "<SCRIPT>"}, "/text", "Text contains potentially harmful content"),
    ({"text": "javascript:x"}, "/text", "Text contains potentially harmful content"),
    ({"text": "<a onload=x>"}, "/text", "Text contains potentially harmful content"),
    ({"text": "<a onerror=x>"}, "/text", "Text contains potentially harmful content"),
    ({"text": None}, "/text", "must be a string"),
    ({"text": ["a"]}, "/text", "must be a string"),
    ({"speed": 0.49}, "/speed", "0.5"),
    ({"speed": 2.01}, "/speed", "2.0"),
    ({"speed": True}, "/speed", "must be a number"),
    ({"speed": "1.0"}, "/speed", "must be a number"),
    ({"pitch": 10.1}, "/pitch", "10"),
    ({"pitch": -11}, "/pitch", "-10"),
    ({"output_format": "exe"}, "/output_format", "Unknown format"),
    ({"sample_rate": 7999}, "/sample_rate", "must be one of 8000"),
    ({"sample_rate": "8000"}, "/sample_rate", "must be a whole number"),
    ({"output_format": "opus", "sample_rate": 44100}, "/sample_rate", "of opus must be one of"),
    ({"voice_name": "../../etc/passwd"}, "/voice_name", "Unknown voice"),
    ({"voice_name": "Alnilam\0"}, "/voice_name", "Unknown voice"),
    ({"voice_name": "-rf"}, "/voice_name", "Unknown voice"),
    ({"language": "tlh"}, "/language", "does not speak 'tlh'"),
    ({"language": "en", "voice_name": "vi"}, "/language", "The voice vi does not speak 'en'"),
    ({"input_format": "html"}, "/input_format", "'text' or 'ssml'"),
    ({"input_format": "ssml"}, "/text", "SSML is not well-formed XML"),
    ({"input_format": "ssml", "text": "<speak><audio src='file:///etc/passwd'/></speak>"}, "/text", "<audio>"),
    ({"owner": "someone"}, "/owner", "is not a known field"),
    ({"job_id": NOBODYS}, "/job_id", "is not a known field"),
]


@pytest.fixture
def generate(client, auth_headers):
    """Ask for speech."""

    def call(headers=auth_headers, **body):
        return client.post(GENERATE, headers=headers, json={"text": "Hello."} | body)

    return call


def faults(answer):
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "VALIDATION_FAILED"
    return {fault["pointer"]: fault["detail"] for fault in answer.get_json()["errors"]}


class TestGenerate:
    def test_202_says_where_the_job_is(self, generate, services):
        """An accepted text answers the document's message and where its job is."""
        answer = generate()
        assert answer.status_code == 202
        body = answer.get_json()
        assert body.keys() == {"message", "job_id", "status", "status_url"}
        assert (body["message"], body["status"]) == ("Audio generation started", "queued")
        assert body["status_url"] == answer.headers["Location"] == f"{STATUS}/{body['job_id']}"
        assert services.background.sent == [body["job_id"]]

    def test_202_with_the_api_key(self, client, ann):
        """The key of the registration generates, too."""
        for headers in ({"X-API-Key": ann["api_key"]}, bearer(ann["api_key"])):
            assert client.post(GENERATE, headers=headers, json={"text": "Hello."}).status_code == 202

    def test_202_every_field(self, generate, client, auth_headers):
        """Every documented field is taken, whole numbers too."""
        answer = generate(voice_name="Kore", output_format="mp3", speed=2, pitch=-10)
        assert answer.status_code == 202
        assert client.get(answer.headers["Location"], headers=auth_headers).get_json()["characters"] == 6

    def test_422_bad_field(self, generate, clock):
        """A value out of bounds is told by its field."""
        for body, pointer, detail in BAD_FIELDS:
            clock.advance(6)
            found = faults(generate(**body))
            assert list(found) == [pointer]
            assert detail in found[pointer]

    def test_422_names_every_bad_field(self, generate):
        """Wrong types and bad values are told together, and the message holds them all."""
        answer = generate(text="", speed=True, pitch=99, output_format="exe", colour="red")
        assert faults(answer).keys() == {"/text", "/speed", "/pitch", "/output_format", "/colour"}
        assert "Text cannot be empty" in answer.get_json()["message"]

    def test_422_text_is_missing(self, client, auth_headers):
        """A text that is not there is empty."""
        answer = client.post(GENERATE, headers=auth_headers, json={})
        assert faults(answer) == {"/text": "Text cannot be empty"}

    def test_bounds_are_within(self, generate):
        """The bounds themselves are allowed."""
        for body in ({"text": "a" * 5000}, {"speed": 0.5}, {"speed": 2.0}, {"pitch": -10}, {"pitch": 10.0}):
            assert generate(**body).status_code == 202

    def test_policy_can_be_switched_off(self, make_app):
        """The blocked patterns are the operator's."""
        client = make_app(blocked_patterns=()).test_client()
        key = client.post(
            f"{V1}/auth/register", json={"username": "ann", "email": "a@example.com", "password": "password123"}
        ).get_json()["api_key"]
        text = {"text": "I teach javascript: the good parts"}
        assert client.post(GENERATE, headers={"X-API-Key": key}, json=text).status_code == 202

    def test_429_after_ten_and_never_less(self, generate, clock):
        """Ten pass, the eleventh does not, and waiting as long as it says is enough."""
        assert [generate().status_code for _ in range(10)] == [202] * 10
        refused = generate()
        assert refused.status_code == 429
        body = refused.get_json()
        assert body["error"] == "Rate limit exceeded"
        assert body["message"].startswith("Too many requests. Limit: 10 per 1 minute")
        assert 1 <= body["retry_after"] <= 60
        clock.advance(body["retry_after"])
        assert generate().status_code == 202

    def test_429_one_budget_for_token_and_key(self, generate, ann):
        """The account has one budget, whatever it shows."""
        keys = [{"X-API-Key": ann["api_key"]}, bearer(ann["access_token"])]
        assert [generate(headers=keys[n % 2]).status_code for n in range(11)] == [202] * 10 + [429]

    def test_429_leaves_others_alone(self, generate, bob_headers):
        """The budget of one account is not the other's, from the same address."""
        for _ in range(11):
            generate()
        assert generate(headers=bob_headers).status_code == 202

    def test_bad_body_is_a_request_too(self, generate):
        """A refused body spends the limit of the route: it has passed the gate."""
        for _ in range(10):
            generate(text="")
        assert generate().status_code == 429

    def test_403_disabled(self, generate, ann, services):
        """A disabled account generates nothing."""
        services.accounts.set_active(ann["user_id"], False)
        answer = generate()
        assert (answer.status_code, answer.get_json()["error"]) == (403, "Account disabled")

    def test_403_scope(self, client, ann, services):
        """A key for something else does not generate."""
        key = services.api_keys.create(ann["user_id"], name="reader", scopes=frozenset({"tts:read"})).text
        headers = {"X-API-Key": key}
        answer = client.post(GENERATE, headers=headers, json={"text": "Hello."})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert 'scope="tts:generate"' in answer.headers["WWW-Authenticate"]
        assert client.get(STATUS, headers=headers).status_code == 200

    def test_415_no_json(self, client, auth_headers):
        """Another content type is not read."""
        answer = client.post(GENERATE, headers=auth_headers, data={"text": "Hello."})
        assert (answer.status_code, answer.get_json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    def test_413_too_large(self, client, auth_headers, services):
        """A body beyond the bound is not read."""
        text = "a" * services.settings.max_body_bytes
        answer = client.post(GENERATE, headers=auth_headers, json={"text": text})
        assert (answer.status_code, answer.get_json()["code"]) == (413, "BODY_TOO_LARGE")

    @pytest.mark.parametrize("body", [b"\0" * 200_000, b'{"text": "Hello."}' + b" " * 200_000])
    def test_413_too_large_without_a_length(self, client, auth_headers, body):
        """A chunked body beyond the bound is refused, never cut and taken for a whole one."""
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = client.post(
            GENERATE,
            headers=auth_headers,
            input_stream=io.BytesIO(body),
            content_type="application/json",
            environ_overrides=environ,
        )
        assert (answer.status_code, answer.get_json()["code"]) == (413, "BODY_TOO_LARGE")

    def test_202_without_a_length(self, client, auth_headers):
        """A chunked body within the bound is a body."""
        answer = client.post(
            GENERATE,
            headers=auth_headers,
            input_stream=io.BytesIO(b'{"text": "Hello."}'),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert answer.status_code == 202

    def test_503_queue_full(self, generate, services, monkeypatch):
        """A full queue says when to come back."""
        monkeypatch.setattr(type(services.jobs), "submit", lambda *_args, **_kwargs: QueueFull(1))
        answer = generate()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "QUEUE_FULL")
        assert answer.headers["Retry-After"] == "10"

    def test_503_database_down(self, generate, services, monkeypatch):
        """A database that does not answer is told as such, without its words."""

        def submit(*_args, **_kwargs):
            raise JobsUnavailableError("disk I/O error at /var/secret/path")

        monkeypatch.setattr(type(services.jobs), "submit", submit)
        answer = generate()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert "secret" not in answer.text

    def test_507_disk_full(self, generate, client, auth_headers, monkeypatch):
        """A full disk refuses new jobs and nothing else."""
        import os  # noqa: PLC0415

        full = os.statvfs_result((4096, 4096, 100, 0, 0, 10, 10, 10, 0, 255))
        monkeypatch.setattr("voxgate.speech.storage.folder.os.statvfs", lambda _path: full)
        answer = generate()
        assert (answer.status_code, answer.get_json()["code"]) == (507, "STORAGE_FULL")
        assert client.get(STATUS, headers=auth_headers).status_code == 200

    def test_503_audio_folder_cannot_be_written(self, generate, monkeypatch):
        """A folder without rights refuses new jobs, until it has them."""
        monkeypatch.setattr("voxgate.speech.storage.folder.os.access", lambda *_args: False)
        answer = generate()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        monkeypatch.undo()
        assert generate().status_code == 202

    def test_503_audio_folder_cannot_be_made(self, generate, services, monkeypatch):
        """A folder that cannot even be made is told the same way."""
        services.settings.audio_folder.write_text("in the way")
        answer = generate()
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STORAGE_UNAVAILABLE")

    def test_event_has_no_text(self, generate, events):
        """What is to be spoken is nobody else's business."""
        generate(text="my secret diary")
        fields = dict(events)["tts_job_submitted"]
        assert fields["characters"] == 15
        assert "diary" not in str(events)


class TestStatus:
    def test_200_one_job(self, generate, client, auth_headers):
        """A waiting job has the documented fields and nothing to fetch."""
        job_id = generate().get_json()["job_id"]
        answer = client.get(f"{STATUS}/{job_id}", headers=auth_headers)
        assert answer.get_json() == {
            "job_id": job_id,
            "status": "queued",
            "progress": 0.0,
            "audio_url": None,
            "captions_url": None,
            "duration_s": None,
            "characters": 6,
            "error": None,
            "estimated_s": 1,
        }

    def test_200_failed_job_says_why(self, generate, client, auth_headers, services):
        """A job that failed names its reason."""
        job_id = generate().get_json()["job_id"]
        services.jobs.fail(services.jobs.claim("test"), "SYNTHESIS_FAILED", "Segment 1 could not be spoken")
        body = client.get(f"{STATUS}/{job_id}", headers=auth_headers).get_json()
        assert (body["status"], body["error"]) == ("failed", "Segment 1 could not be spoken")

    def test_200_running_job_shows_progress(self, generate, client, auth_headers, services):
        """Progress is what has been spoken so far."""
        job_id = generate().get_json()["job_id"]
        services.jobs.renew(services.jobs.claim("test"), done=1, total=3)
        body = client.get(f"{STATUS}/{job_id}", headers=auth_headers).get_json()
        assert (body["status"], body["progress"]) == ("running", 0.333)

    def test_200_jobs_alone_while_the_store_is_away(self, app, client, auth_headers, monkeypatch):
        """Whoever was seen alive a moment ago still sees the jobs; the answer says that it was decided alone."""
        client.get(STATUS, headers=auth_headers)

        def gone(*_):
            raise StoreUnavailableError("gone")

        store = app.extensions["voxgate"].admission.store
        for name in ("decide", "usage"):
            monkeypatch.setattr(store, name, gone)
        answer = client.get(STATUS, headers=auth_headers)
        assert (answer.status_code, answer.get_json()) == (200, {"jobs": [], "limits": {}})
        assert answer.headers["X-Gate-Degraded"] == "1"

    def test_200_recent_jobs_and_limits(self, generate, client, auth_headers):
        """The status of the account is its jobs and what it may still do."""
        generate()
        body = client.get(STATUS, headers=auth_headers).get_json()
        assert [job["status"] for job in body["jobs"]] == ["queued"]
        assert body["limits"][GENERATE]["remaining"] == 9

    @pytest.mark.parametrize("path", [STATUS, AUDIO])
    def test_404_unknown(self, client, auth_headers, path):
        """What is no job of the caller is not found, whatever its form."""
        forms = [NOBODYS, "x", "0" * 31, "0" * 33, "G" * 32, "%00", "' OR 1=1 --", "..%2f..%2fetc", "é" * 32, "-1"]
        for job_id in forms:
            assert client.get(f"{path}/{job_id}", headers=auth_headers).status_code == 404

    @pytest.mark.parametrize("path", [STATUS, AUDIO])
    def test_404_of_another(self, generate, client, bob_headers, path):
        """Another's job cannot be told from one that does not exist."""
        job_id = generate().get_json()["job_id"]
        others = client.get(f"{path}/{job_id}", headers=bob_headers)
        nobodys = client.get(f"{path}/{NOBODYS}", headers=bob_headers)
        assert others.status_code == 404
        assert others.get_json()["code"] == "JOB_NOT_FOUND"
        assert {**others.get_json(), "instance": ""} == {**nobodys.get_json(), "instance": ""}

    def test_429_after_a_hundred(self, make_app):
        """Status has its own limit."""
        client = make_app(ratelimit_tts_status="2 per minute").test_client()
        key = client.post(
            f"{V1}/auth/register", json={"username": "ann", "email": "a@example.com", "password": "password123"}
        ).get_json()["api_key"]
        paths = [STATUS, f"{STATUS}/{NOBODYS}", STATUS]
        assert [client.get(path, headers={"X-API-Key": key}).status_code for path in paths] == [200, 404, 429]


class TestOverview:
    def test_200_has_jobs_voices_and_formats(self, generate, client, auth_headers):
        """The overview shows the caller's jobs and what can be asked for."""
        job_id = generate().get_json()["job_id"]
        body = client.get(OVERVIEW, headers=auth_headers).get_json()
        assert [job["job_id"] for job in body["jobs"]] == [job_id]
        assert "Alnilam" in body["voices"]
        assert body["formats"] == ["wav", "mp3", "flac", "opus", "aac", "pcm"]
        assert body["next"] is None

    def test_200_without_the_slash(self, client, auth_headers):
        """One route, with and without the slash, and no redirect."""
        assert client.get(OVERVIEW.rstrip("/"), headers=auth_headers).status_code == 200

    def test_pages_hold_every_job_once_newest_first(self, services, clock, client, ann, auth_headers):
        """Following `next` shows every job of the caller and no other's."""
        from voxgate.speech.request import SpeechRequest  # noqa: PLC0415

        made = []
        for number in range(45):
            clock.advance(number % 2)
            wanted = SpeechRequest("x")
            made.append(services.jobs.submit(wanted, owner=ann["user_id"], fingerprint="f" * 64).id)
            services.jobs.submit(wanted, owner="another", fingerprint="f" * 64)
        seen, path, pages = [], OVERVIEW, 0
        while path:
            page = client.get(path, headers=auth_headers).get_json()
            seen += [job["job_id"] for job in page["jobs"]]
            path, pages = page["next"], pages + 1
        assert pages == 3
        assert sorted(seen) == sorted(made)
        assert len(seen) == len(set(seen))
        assert seen[0] in made[-2:]

    def test_400_no_such_page(self, client, auth_headers):
        """What no page has said is no place in the list."""
        for before in ("x", "", "1-2", f"9999999999999999-{NOBODYS}", "%00", "1' OR 1"):
            answer = client.get(f"{OVERVIEW}?before={before}", headers=auth_headers)
            assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")


class TestVoices:
    def test_200_lists_every_voice(self, client, auth_headers):
        """Every voice has its documented fields; the document's own is among them."""
        voices = client.get(VOICES, headers=auth_headers).get_json()["voices"]
        assert {"name", "language", "engine", "style", "gender", "preview_url"} == voices[0].keys()
        assert {"Alnilam", "Kore", "alloy", "vi", "cmn"} <= {voice["name"] for voice in voices}


class TestGuard:
    def test_401_nothing_shown(self, client):
        """Nothing of the speech service is open, whatever the body."""
        for method, path in GUARDED:
            assert client.open(path, method=method).get_json()["code"] == "TOKEN_MISSING"

    def test_401_refresh_token(self, client, ann):
        """A refresh token opens nothing but its own route."""
        for method, path in GUARDED:
            answer = client.open(path, method=method, headers=bearer(ann["refresh_token"]))
            assert answer.get_json()["code"] == "INVALID_TOKEN"

    def test_401_token_in_the_address(self, client, ann):
        """A token in the address is no credential."""
        for name in ("access_token", "token", "api_key", "jwt"):
            assert client.get(f"{STATUS}?{name}={ann['access_token']}").status_code == 401


class TestStorageTrouble:
    def test_507_when_the_quota_of_the_disk_is_met(self, generate, monkeypatch, services):
        """EDQUOT is a full disk as well."""
        from voxgate.speech.artifacts import ArtifactStorageError  # noqa: PLC0415

        def check(_self):
            raise ArtifactStorageError(OSError(errno.EDQUOT, "Disk quota exceeded"))

        monkeypatch.setattr(type(services), "check_storage", check)
        assert generate().status_code == 507
