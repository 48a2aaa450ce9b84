"""Captions over HTTP: of the owner's finished jobs alone, in three forms."""

import json

import pytest
from tests.support.service import V1

CAPTIONS = f"{V1}/tts/captions"
TEXT = "Fish & chips for 2024. That was it!"


def test_job_has_captions_in_three_forms(speak, client, auth_headers):
    """JSON has every word with its time; SubRip and WebVTT have the sentences."""
    job = speak(TEXT)
    told = client.get(job["captions_url"], headers=auth_headers)
    assert told.mimetype == "application/json"
    body = told.get_json()
    assert (body["exact"], body["duration_s"]) == (True, pytest.approx(job["duration_s"], abs=0.001))
    assert [segment["text"] for segment in body["segments"]] == ["Fish & chips for 2024.", "That was it!"]
    assert [word["text"] for word in body["segments"][1]["words"]] == ["That", "was", "it!"]
    assert body["segments"][-1]["end_s"] <= body["duration_s"]
    subrip, webvtt = (client.get(f"{CAPTIONS}/{job['job_id']}.{form}", headers=auth_headers) for form in ("srt", "vtt"))
    assert subrip.mimetype == "application/x-subrip"
    assert subrip.text.startswith("1\n00:00:00,000 --> ")
    assert "Fish & chips" in subrip.text
    assert webvtt.mimetype == "text/vtt"
    assert webvtt.text.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert "Fish &amp; chips" in webvtt.text
    assert webvtt.headers["Content-Disposition"] == f"attachment; filename=voxgate-{job['job_id'][:8]}.vtt"


def test_form_that_is_known_is_not_sent_again(speak, client, auth_headers):
    """Each form has an ETag of its own."""
    url = speak(TEXT)["captions_url"]
    first = client.get(url, headers=auth_headers)
    assert client.get(url, headers={**auth_headers, "If-None-Match": first.headers["ETag"]}).status_code == 304
    other = client.get(url.replace(".json", ".srt"), headers={**auth_headers, "If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_equal_job_has_captions_too(speak, client, auth_headers, clock):
    """What was not spoken again has the captions of the first."""
    first, second = speak(TEXT), speak(TEXT)
    answers = [client.get(job["captions_url"], headers=auth_headers).data for job in (first, second)]
    assert answers[0] == answers[1]
    assert json.loads(answers[0])["exact"]


def test_captions_that_cannot_be_had(speak, client, auth_headers, bob_headers, services, clock):
    """Another's, unknown forms, unknown jobs, jobs that wait, and jobs whose audio is gone."""
    job = speak(TEXT)
    assert client.get(job["captions_url"], headers=bob_headers).get_json()["code"] == "JOB_NOT_FOUND"
    assert client.get(job["captions_url"]).status_code == 401
    assert client.get(f"{CAPTIONS}/{job['job_id']}.ass", headers=auth_headers).get_json()["code"] == "NOT_FOUND"
    assert client.get(f"{CAPTIONS}/{'0' * 32}.srt", headers=auth_headers).get_json()["code"] == "JOB_NOT_FOUND"
    assert client.get(f"{CAPTIONS}/..%2F..%2Fetc.srt", headers=auth_headers).status_code == 404
    waiting = client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": "Later."}).get_json()["job_id"]
    assert client.get(f"{CAPTIONS}/{waiting}.srt", headers=auth_headers).get_json()["code"] == "AUDIO_NOT_READY"
    for path in services.settings.audio_folder.glob("*.json"):
        path.unlink()
    assert client.get(job["captions_url"], headers=auth_headers).get_json()["code"] == "AUDIO_EXPIRED"


def test_ssml_is_spoken_by_jobs(speak, client, auth_headers):
    """A pause of the document stands between its captions."""
    job = speak("<speak>One.<break time='2s'/>Two.</speak>", input_format="ssml")
    one, two = client.get(job["captions_url"], headers=auth_headers).get_json()["segments"]
    assert two["start_s"] == pytest.approx(one["end_s"] + 2, abs=0.01)


class TestLongTexts:
    """How long a text may be is a matter of the tier."""

    @pytest.fixture
    def long_text(self):
        return "Many words make a long text. " * 300

    def test_tier_that_allows_it_may_send_more(self, client, auth_headers, services, ann, long_text):
        """What a standard account may not, a premium one may; in JSON's longest form too."""
        body = json.dumps({"text": "\U0001f600 long. " * 5000, "voice_name": "Alnilam"})
        assert len(body) > services.settings.max_body_bytes // 2

        def generate(text):
            return client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": text})

        refused = generate(long_text)
        assert refused.get_json()["errors"] == [{"pointer": "/text", "detail": "Text too long"}]
        services.accounts.set_tier(ann["user_id"], "premium")
        assert generate(long_text).status_code == 202
        assert generate("\U0001f600" * 40_000).status_code == 202
        assert generate("a" * 50_001).status_code == 422
        assert generate("a" * 700_000).status_code == 413

    def test_longer_bodies_are_taken_by_speech_alone(self, client, auth_headers):
        """Routes without texts keep the usual bound."""
        body = {"username": "x", "password": "y" * 200_000}
        assert client.post(f"{V1}/auth/login", json=body).status_code == 413
