"""OpenAI's client against the real server: streamed, left in the middle, and read too slowly."""

import openai
import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.calls import V1
from tests.support.served import WIDE

TEXT = "The quick brown fox jumps over the lazy dog near the river bank. "
LONG = TEXT * 70  # fourteen megabytes of bare samples, more than lie between a server and a client that does not read
ASKED = {"model": "tts-1", "voice": "alloy"}


@pytest.fixture(scope="module")
def service(serve_one):
    """One process with room for two streams."""
    return serve_one(**WIDE, RATELIMIT_OPENAI_SPEECH="1000000 per minute", VOXGATE_STREAMS_MAX="2")


@pytest.fixture(scope="module")
def theirs(service):
    """The client, unchanged, with the key of a new account; it asks again while those who left keep their places."""
    who = {"username": "caller", "email": "caller@example.org", "password": "password123"}
    key = service.api.post(f"{V1}/auth/register", json=who).json()["api_key"]
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=20) as client:
        yield client


def stream(theirs, text, response_format="pcm"):
    return theirs.audio.speech.with_streaming_response.create(**ASKED, input=text, response_format=response_format)


@pytest.mark.parametrize("name", ["mp3", "flac", "wav", "opus"])
def test_stream_is_speech(theirs, name):
    """What comes over the wire in pieces is a whole file for another library's reader."""
    with stream(theirs, TEXT, name) as answer:
        assert_is_speech(read(b"".join(answer.iter_bytes())))


def test_clients_that_go_away_leave_their_places(theirs):
    """More clients than places go away in the middle; after them there is room as before."""
    for _ in range(5):
        with stream(theirs, LONG) as answer:
            assert next(answer.iter_bytes())
    assert theirs.audio.speech.create(**ASKED, input=TEXT).read()


def test_slow_readers_hold_up_nobody(theirs, service):
    """While more clients than places do not read what they have asked for, another one is served, and so are they."""
    with stream(theirs, LONG) as first, stream(theirs, LONG) as second:
        assert theirs.audio.speech.create(**ASKED, input=TEXT).read()
        assert service.api.get("/healthz").status == 200
        assert theirs.models.list()
        assert sum(map(len, first.iter_bytes())) == pytest.approx(sum(map(len, second.iter_bytes())), rel=0.01)
