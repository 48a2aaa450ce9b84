"""Voices over HTTP: those of a language, and how each sounds."""

import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.service import V1, bearer

VOICES = f"{V1}/tts/voices"


def names(client, headers, language):
    answer = client.get(VOICES, headers=headers, query_string={"language": language})
    assert answer.status_code == 200
    return {voice["name"] for voice in answer.get_json()["voices"]}


def test_list_can_be_of_one_language(client, auth_headers):
    """Named voices speak every language of their engine; a language's own voice speaks no other."""
    vietnamese = names(client, auth_headers, "vi-VN")
    assert {"Alnilam", "alloy", "vi"} <= vietnamese
    assert "de" not in vietnamese
    assert names(client, auth_headers, "tlh") == set()
    assert "cmn" in names(client, auth_headers, "zh-CN")


@pytest.mark.parametrize("language", ["../vi", "e", "en_US", "a" * 50])
def test_what_is_no_tag_is_told(client, auth_headers, language):
    """A mistyped language is not silently an empty list."""
    answer = client.get(VOICES, headers=auth_headers, query_string={"language": language})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")
    answer = client.get(f"{VOICES}/Alnilam/preview", headers=auth_headers, query_string={"language": language})
    assert answer.status_code == 400


def test_preview_is_spoken_once_and_kept(client, auth_headers, services, monkeypatch):
    """The first asks the engine, the next gets the same bytes; a browser that has them gets 304."""
    spoken = []
    real = type(services.synthesizer).synthesize
    monkeypatch.setattr(
        type(services.synthesizer), "synthesize", lambda *given, **more: spoken.append(1) or real(*given, **more)
    )
    first, second = (client.get(f"{VOICES}/Kore/preview", headers=auth_headers) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert (first.mimetype, first.data == second.data, len(spoken)) == ("audio/mpeg", True, 1)
    assert_is_speech(read(first.data))
    known = client.get(f"{VOICES}/Kore/preview", headers={**auth_headers, "If-None-Match": first.headers["ETag"]})
    assert known.status_code == 304
    assert known.headers["Cache-Control"] == "private, max-age=86400"


def test_preview_speaks_the_language_of_the_voice_or_the_wanted_one(client, auth_headers):
    """Each language has a sentence of its own, and the rest count to five."""
    english, vietnamese, own, numbers = (
        client.get(f"{VOICES}/{path}", headers=auth_headers).data
        for path in ("Alnilam/preview", "Alnilam/preview?language=vi", "vi/preview", "lv/preview")
    )
    assert len({english, vietnamese, own, numbers}) == 4
    assert 1 < read(numbers).duration_s < 10


def test_preview_that_cannot_be(client, auth_headers, ann):
    """An unknown voice, a language that it does not speak, and a caller who may not listen."""
    unknown = client.get(f"{VOICES}/nobody/preview", headers=auth_headers)
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "VOICE_NOT_FOUND")
    other = client.get(f"{VOICES}/vi/preview?language=de", headers=auth_headers)
    assert (other.status_code, other.get_json()["code"]) == (400, "BAD_REQUEST")
    assert client.get(f"{VOICES}/Kore/preview").status_code == 401
    assert client.get(f"{VOICES}/Kore/preview", headers=bearer(ann["api_key"])).status_code == 200


def test_previews_are_limited(make_app):
    """They have a limit of their own, so that looking around does not use up the speech."""
    client = make_app(ratelimit_tts_preview="2 per minute").test_client()
    who = {"username": "testuser", "email": "test@example.com", "password": "password123"}
    headers = {"X-API-Key": client.post(f"{V1}/auth/register", json=who).get_json()["api_key"]}
    statuses = [client.get(f"{VOICES}/Kore/preview", headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize(
    ("reason", "code"), [("engine_crashed", "SYNTHESIS_FAILED"), ("engine_unavailable", "ENGINE_UNAVAILABLE")]
)
def test_preview_whose_engine_fails(client, auth_headers, services, monkeypatch, reason, code):
    """The trouble has the same answers as speech has."""
    from voxgate.speech.errors import SynthesisFailedError  # noqa: PLC0415

    def fail(*_given, **_more):
        raise SynthesisFailedError(reason, 0)

    monkeypatch.setattr(type(services.synthesizer), "synthesize", fail)
    assert client.get(f"{VOICES}/Kore/preview", headers=auth_headers).get_json()["code"] == code


def test_preview_without_room(client, auth_headers, services, monkeypatch):
    """When the quota takes it at once, the answer says that there is no room."""
    monkeypatch.setattr(type(services.artifacts), "open", lambda *_: None)
    assert client.get(f"{VOICES}/Kore/preview", headers=auth_headers).get_json()["code"] == "STORAGE_FULL"
