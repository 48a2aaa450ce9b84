"""What an unchanged OpenAI client asks over real HTTP, and what it gets."""

import base64
import contextlib
import io
import json
import re
import threading
import time
import wave
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import httpx2
import numpy as np
import openai
import pytest
from tests.support.service import bearer
from tests.support.waiting import eventually
from werkzeug.serving import make_server

from voxgate.speech.errors import SynthesisFailedError
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.streaming import SpeechStream
from voxgate.web import speech_streams
from voxgate.web.openai_speech import MODELS

TEXT = "Good morning. The quick brown fox jumps over the lazy dog, and then it rests near the river bank."
GUIDE = Path(__file__).parents[2] / "docs/guides/openai.md"
ASKED = {"model": "tts-1", "voice": "alloy", "input": TEXT}
RATE_HZ = 24_000
SECOND = bytes(2 * RATE_HZ)
ADDED_S = {"mp3": 3 * 1152 / RATE_HZ, "aac": 3 * 1024 / RATE_HZ}


def decode(data, name):
    """Decode with FFmpeg; samples between -1 and 1, and their rate."""
    if name == "pcm":
        return np.frombuffer(data, "<i2") / 32768, RATE_HZ
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        frames = [each for frame in file.decode(audio=0) for each in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), RATE_HZ


class Mouth:
    """A synthesizer that says what a test lets it say: seconds of silence, one for each permit."""

    formats = tuple(FORMATS)
    voice_names = frozenset({"alloy"})

    def __init__(self, *, seconds=10**6, fault=None, tick=lambda: None):
        self.begun = self.closed = 0
        self.may_speak = threading.Event()
        self.may_speak.set()
        self._seconds, self._fault, self._tick = seconds, fault, tick

    def stream(self, request, *, with_captions):
        assert not with_captions
        form = FORMATS[request.output_format]
        return SpeechStream(self._speak(), form.open_encoder(RATE_HZ), form=form, rate_hz=RATE_HZ)

    def find_language_faults(self, _request):
        return []

    def close(self):
        pass

    def _speak(self):
        self.begun += 1
        try:
            for _ in range(self._seconds):
                yield SECOND
                self._tick()
                assert self.may_speak.wait(30)
            if self._fault:
                raise SynthesisFailedError(self._fault, self._seconds)
        finally:
            self.closed += 1


@pytest.fixture
def serve_app():
    """Serve an application on a free port; gives its address."""
    started = []

    def start(app):
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def connect():
    """Make OpenAI's client, unchanged."""
    made = []

    def call(url, key, **options):
        made.append(openai.OpenAI(base_url=f"{url}/v1", api_key=key, **{"max_retries": 0} | options))
        return made[-1]

    yield call
    for one in made:
        one.close()


@pytest.fixture
def app(make_app):
    return make_app(ratelimit_openai_speech="1000 per minute")


@pytest.fixture
def key(ann):
    return ann["api_key"]


@pytest.fixture
def theirs(app, serve_app, connect, key):
    """The client, with our key as its key."""
    return connect(serve_app(app), key)


@pytest.fixture
def give_mouth(app):
    """Let an application speak with a synthesizer of the test's own."""

    def give(**behaviour):
        mouth = Mouth(**behaviour)
        app.extensions["voxgate.services"] = replace(app.extensions["voxgate.services"], synthesizer=mouth)
        return mouth

    return give


class TestAudio:
    """Every format, streamed and whole."""

    @pytest.mark.parametrize("name", FORMATS)
    def test_format_is_streamed_and_decodes(self, theirs, name):
        """Every format has its type, decodes, and is as long as the bare samples, with the same end."""
        with theirs.audio.speech.with_streaming_response.create(**ASKED, response_format=name) as answer:
            chunks = list(answer.iter_bytes())
            assert answer.headers["content-type"].partition(";")[0] == FORMATS[name].media_type
        heard, rate_hz = decode(b"".join(chunks), name)
        bare, _ = decode(theirs.audio.speech.create(**ASKED, response_format="pcm").read(), "pcm")
        assert len(heard) / rate_hz == pytest.approx(len(bare) / rate_hz, abs=ADDED_S.get(name, 0.002) + 0.03)
        loud = [np.flatnonzero(np.abs(one) > 0.02) for one in (heard, bare)]
        spans = [(one[-1] - one[0]) / rate_hz for one in loud]
        assert spans[0] == pytest.approx(spans[1], abs=0.06)

    def test_default_is_mp3(self, theirs):
        """Without a format it is MP3, as the client expects."""
        answer = theirs.audio.speech.create(**ASKED)
        assert answer.response.headers["content-type"] == "audio/mpeg"
        assert decode(answer.read(), "mp3")[0].any()

    def test_wav_has_a_true_header(self, theirs):
        """The standard library's strict reader finds every sample, and the length was told in advance."""
        answer = theirs.audio.speech.create(**ASKED, response_format="wav")
        data = answer.read()
        with wave.open(io.BytesIO(data)) as file:
            assert len(file.readframes(10**8)) == file.getnframes() * 2 == len(data) - 44
        assert int(answer.response.headers["content-length"]) == len(data)

    def test_slow_wav_is_streamed_without_a_length(self, theirs, give_mouth, clock):
        """What is not whole in two seconds begins at once and says that its length is not known."""
        give_mouth(seconds=5, tick=lambda: clock.advance(seconds=1))
        answer = theirs.audio.speech.create(**ASKED, response_format="wav")
        data = answer.read()
        assert "content-length" not in answer.response.headers
        assert data[40:44] == b"\xff" * 4
        assert len(data) == 44 + 5 * len(SECOND)

    def test_speed_changes_the_length(self, theirs):
        """A quarter and four times the speed are served too."""
        usual, slow, fast = (
            len(theirs.audio.speech.create(**ASKED, response_format="pcm", speed=speed).read())
            for speed in (1, 0.25, 4.0)
        )
        assert slow / usual == pytest.approx(4, rel=0.02)
        assert fast / usual == pytest.approx(0.25, rel=0.02)

    @pytest.mark.parametrize("voice", ["nova", {"id": "nova"}, "Alnilam", "vi"])
    def test_voice_is_a_name_or_an_object(self, theirs, voice):
        """Their names, ours and languages, bare or as ``{"id": name}``."""
        spoken = theirs.audio.speech.create(**ASKED | {"voice": voice}, response_format="pcm").read()
        bare = theirs.audio.speech.create(**ASKED | {"voice": "onyx"}, response_format="pcm").read()
        assert len(spoken) > RATE_HZ
        assert spoken != bare

    def test_instructions_are_accepted(self, theirs):
        """A client that sends directions is served all the same."""
        assert theirs.audio.speech.create(**ASKED, instructions="Whisper.").read()

    def test_events_carry_the_same_audio(self, theirs):
        """As events the audio comes in pieces, with the usage at the end."""
        answer = theirs.audio.speech.create(**ASKED, response_format="pcm", stream_format="sse")
        assert answer.response.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line.removeprefix("data: ")) for line in answer.read().decode().split("\n\n") if line]
        assert [each["type"] for each in events[-2:]] == ["speech.audio.delta", "speech.audio.done"]
        assert events[-1]["usage"]["input_tokens"] == len(TEXT)
        sound = b"".join(base64.b64decode(each["audio"]) for each in events[:-1])
        plain = theirs.audio.speech.create(**ASKED, response_format="pcm").read()
        assert len(sound) == pytest.approx(len(plain), rel=0.02)

    def test_first_bytes_come_before_the_rest_is_spoken(self, theirs, give_mouth):
        """The client hears the first second while nobody has said the next."""
        mouth = give_mouth(seconds=2)
        mouth.may_speak.clear()
        with theirs.audio.speech.with_streaming_response.create(**ASKED, response_format="pcm") as answer:
            chunks = answer.iter_bytes()
            assert next(chunks)
            assert mouth.closed == 0
            mouth.may_speak.set()
            assert b"".join(chunks)

    def test_guide_runs(self, app, serve_app, key, tmp_path, monkeypatch):
        """The program of the guide, as a reader would type it."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{serve_app(app)}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", key)
        names = {}
        for block in re.findall(r"^```py\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            exec(compile(block, str(GUIDE), "exec"), names)  # noqa: S102 -- the project's own page
        names["client"].close()
        assert decode((tmp_path / "morning.mp3").read_bytes(), "mp3")[0].any()


SSML = "<speak>One.<break time='2s'/>Two.</speak>"


class TestOurOwn:
    """What voxgate adds to their form, by ``extra_body``, and what it passes over."""

    @pytest.fixture
    def say(self, theirs):
        """Speak with fields of our own; gives samples."""
        return lambda text, **own: theirs.audio.speech.create(
            **ASKED | {"input": text}, response_format="pcm", extra_body=own
        ).read()

    def test_language_is_spoken_and_otherwise_guessed(self, say):
        """The same words in another language last another time; what is guessed is what would be named."""
        text = "Guten Morgen, wie geht es dir heute?"
        named, guessed, other = say(text, language="de"), say(text), say(text, language="en")
        assert len(named) == pytest.approx(len(guessed), rel=0.01)
        assert abs(len(named) - len(other)) > RATE_HZ / 10

    def test_markup_is_read_only_when_it_is_asked_for(self, say):
        """Plain text that looks like SSML is plain text: its signs are spoken, and nobody waits."""
        marked, plain, words = say(SSML, input_format="ssml"), say(SSML), say("One. Two.")
        assert len(marked) - len(words) == pytest.approx(2 * len(SECOND), rel=0.1)
        assert len(plain) > len(words) + len(SECOND)

    def test_pitch_and_sample_rate(self, say):
        """As in our own form; the text is so long that the voice's flutter of 13 ms is nothing beside it."""
        assert len(say(TEXT, sample_rate=48_000)) == pytest.approx(2 * len(say(TEXT)), rel=0.01)
        assert say("Hello.", pitch=5) != say("Hello.")

    def test_fields_of_other_servers_are_passed_over(self, say):
        """A program that was written for another server speaks here too."""
        theirs = {"lang_code": "a", "volume_multiplier": 1.0, "normalization_options": {"a": []}, "stream": True}
        assert say("Hello.", **theirs, instruction="softly", colour=None)

    def test_null_is_not_given(self, client, key):
        """A client that writes down what it does not set is served."""
        unset = dict.fromkeys(("instructions", "response_format", "speed", "stream_format", "language", "input_format"))
        answer = client.post("/v1/audio/speech", headers=bearer(key), json=ASKED | {"input": "Hi."} | unset)
        assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")

    def test_captions_come_before_their_audio(self, theirs):
        """Each sentence with its words, in order, within the audio; nobody gets them without asking."""
        text = "First comes this. Then comes that. It is over."
        answer = theirs.audio.speech.create(
            **ASKED | {"input": text}, response_format="pcm", stream_format="sse", extra_body={"captions": True}
        )
        events = [json.loads(line.removeprefix("data: ")) for line in answer.read().decode().split("\n\n") if line]
        told = [each["segment"] for each in events if each["type"] == "speech.captions.delta"]
        assert [each["text"] for each in told] == ["First comes this.", "Then comes that.", "It is over."]
        assert events[0]["type"] == "speech.captions.delta"
        heard_s = 0.0
        for event in events[:-1]:
            if event["type"] == "speech.captions.delta":
                assert event["segment"]["start_s"] >= heard_s - 0.001
            else:
                heard_s += len(base64.b64decode(event["audio"])) / len(SECOND)
        assert told[-1]["end_s"] == pytest.approx(heard_s, abs=0.01)
        words = [word["text"] for each in told for word in each["words"]]
        assert " ".join(words) == text


class TestModels:
    """The names that a client may give."""

    def test_models_are_listed_and_found(self, theirs):
        """Every listed name can be looked up."""
        assert tuple(one.id for one in theirs.models.list()) == MODELS
        assert theirs.models.retrieve("tts-1").object == "model"

    @pytest.mark.parametrize("model", MODELS)
    def test_every_model_speaks(self, theirs, model):
        """Each name is the one thing that speaks here."""
        assert theirs.audio.speech.create(**ASKED | {"model": model, "input": "Hi."}).read()

    def test_unknown_model_is_not_found(self, theirs):
        """As at OpenAI, whether it is looked up or used."""
        with pytest.raises(openai.NotFoundError) as looked_up:
            theirs.models.retrieve("gpt-9")
        with pytest.raises(openai.NotFoundError) as used:
            theirs.audio.speech.create(**ASKED | {"model": "gpt-9"})
        assert looked_up.value.code == used.value.code == "model_not_found"


class TestErrors:
    """Errors become the client's own exceptions."""

    @pytest.mark.parametrize(
        ("field", "param"),
        [
            ({"input": ""}, "input"),
            ({"input": "x" * 5001}, "input"),
            ({"input": "<script>"}, "input"),
            ({"input": 5}, "input"),
            ({"model": ""}, "model"),
            ({"voice": "nobody"}, "voice"),
            ({"voice": ""}, "voice"),
            ({"voice": {"id": 5}}, "voice"),
            ({"voice": {"id": "nova", "x": 1}}, "voice"),
            ({"response_format": "exe"}, "response_format"),
            ({"speed": 0.24}, "speed"),
            ({"speed": 4.01}, "speed"),
            ({"stream_format": "smoke"}, "stream_format"),
            ({"extra_body": {"langauge": "de"}}, "langauge"),
            ({"extra_body": {"language": "xx"}}, "language"),
            ({"extra_body": {"language": 5}}, "language"),
            ({"extra_body": {"input_format": "xml"}}, "input_format"),
            ({"input": "<speak>Hi", "extra_body": {"input_format": "ssml"}}, "input"),
            ({"input": "<speak><audio src='x'/></speak>", "extra_body": {"input_format": "ssml"}}, "input"),
            ({"extra_body": {"pitch": 11}}, "pitch"),
            ({"extra_body": {"sample_rate": 1}}, "sample_rate"),
            ({"extra_body": {"captions": True}}, "captions"),
        ],
    )
    def test_bad_field_is_a_bad_request(self, theirs, field, param):
        """Every bad field is 400 with its name, never 422 or 500."""
        with pytest.raises(openai.BadRequestError) as refused:
            theirs.audio.speech.create(**ASKED | field)
        assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")
        assert refused.value.message

    @pytest.mark.parametrize("key", ["sk-no", "sk-vg_AAAAAAAAAAAA_" + "a" * 49])
    def test_wrong_key_is_an_authentication_error(self, app, serve_app, connect, key):
        """A key that is none or unknown."""
        with pytest.raises(openai.AuthenticationError) as refused:
            connect(serve_app(app), key).models.list()
        assert refused.value.code == "invalid_api_key"

    def test_nothing_shown_is_an_error_in_their_form(self, client):
        """The gate itself answers so."""
        answer = client.post("/v1/audio/speech", json=ASKED)
        assert answer.status_code == 401
        assert answer.get_json()["error"]["code"] == "token_missing"

    def test_missing_scope_is_permission_denied(self, app, client, serve_app, connect, ann):
        """A key that may only read cannot have text spoken, but can list the models."""
        made = client.post(
            "/api/v1/auth/api-keys",
            headers=bearer(ann["access_token"]),
            json={"name": "reader", "scopes": ["tts:read"]},
        )
        reader = connect(serve_app(app), made.get_json()["api_key"])
        assert reader.models.list()
        with pytest.raises(openai.PermissionDeniedError) as refused:
            reader.audio.speech.create(**ASKED)
        assert refused.value.code == "insufficient_scope"

    @pytest.mark.parametrize(
        ("method", "path", "status"), [("GET", "/v1/audio/speech", 405), ("GET", "/v1/nothing", 404)]
    )
    def test_wrong_paths_have_their_form(self, client, method, path, status):
        """Also what no route answers; the CheckingClient holds the form."""
        answer = client.open(path, method=method)
        assert answer.status_code == status

    def test_other_paths_keep_our_form(self, client):
        """Their form is for their paths alone."""
        assert client.get("/api/v1/tts/voices").mimetype == "application/problem+json"

    @pytest.mark.parametrize(("reason", "kind"), [("engine_crashed", openai.BadRequestError)])
    def test_text_that_cannot_be_spoken_is_a_bad_request(self, theirs, give_mouth, reason, kind):
        """A fault before the first byte is an answer."""
        mouth = give_mouth(seconds=0, fault=reason)
        with pytest.raises(kind, match=reason):
            theirs.audio.speech.create(**ASKED)
        eventually(lambda: mouth.closed == 1, "the stream to be closed")

    @pytest.mark.parametrize("name", ["wav", "flac"])
    def test_late_fault_of_a_kept_format_is_an_answer(self, theirs, give_mouth, name):
        """Of a file that is kept until it is whole nothing was sent yet."""
        give_mouth(seconds=2, fault="audio_too_long")
        with pytest.raises(openai.BadRequestError, match="audio_too_long"):
            theirs.audio.speech.create(**ASKED, response_format=name)

    def test_engine_that_is_away_can_be_asked_again(self, theirs, give_mouth):
        """503 with a wait, which the client follows by itself."""
        give_mouth(seconds=0, fault="engine_unavailable")
        with pytest.raises(openai.InternalServerError) as refused:
            theirs.audio.speech.create(**ASKED)
        assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (503, "1")

    def test_fault_in_the_middle_breaks_the_connection(self, theirs, give_mouth):
        """Half of a text is never taken for the whole, where the server can break off."""
        give_mouth(seconds=2, fault="deadline_exceeded")
        with (
            theirs.audio.speech.with_streaming_response.create(**ASKED, response_format="pcm") as answer,
            pytest.raises(httpx2.HTTPError),
        ):
            list(answer.iter_bytes())

    def test_fault_in_the_middle_is_told_to_its_owner(self, theirs, client, key, give_mouth, events):
        """Where the server cannot break off, the account's events name the request, what was sent, and why no more."""
        give_mouth(seconds=2, fault="deadline_exceeded")
        with theirs.audio.speech.with_streaming_response.create(**ASKED, response_format="pcm") as answer:
            request_id = answer.headers["x-request-id"]
            with contextlib.suppress(httpx2.HTTPError):
                list(answer.iter_bytes())
        (told,) = [fields for name, fields in events if name == "tts_stream_broken"]
        assert (told["request_id"], told["sent_s"], told["code"]) == (request_id, 2.0, "deadline_exceeded")
        assert told["user_id"] == client.get("/api/v1/auth/me", headers={"X-API-Key": key}).get_json()["id"]

    def test_fault_among_events_is_an_event(self, theirs, give_mouth):
        """There is no `done`, and the last event says why."""
        give_mouth(seconds=2, fault="deadline_exceeded")
        text = theirs.audio.speech.create(**ASKED, stream_format="sse").read().decode()
        assert "speech.audio.done" not in text
        last = json.loads(text.strip().rpartition("data: ")[2])
        assert (last["type"], last["error"]["code"]) == ("error", "synthesis_failed")


class TestLimits:
    """What binds a client, and what it does about it."""

    @pytest.fixture
    def app(self, make_app):
        return make_app(ratelimit_openai_speech="2 per minute", streams_max=1)

    @pytest.fixture
    def naps(self, monkeypatch, clock):
        """What the client sleeps, in seconds; the given clock goes on by exactly that."""
        slept = []

        def nap(seconds):
            slept.append(seconds)
            clock.advance(seconds=seconds)

        # The client's alone: other threads of the process sleep, too.
        monkeypatch.setattr(openai._base_client, "time", SimpleNamespace(**{**vars(time), "sleep": nap}))
        return slept

    def test_client_waits_exactly_as_told_and_passes(self, app, serve_app, connect, key, naps):
        """One wait of Retry-After is enough: the client's own retry succeeds."""
        waiting = connect(serve_app(app), key, max_retries=1)
        for _ in range(3):
            assert waiting.audio.speech.create(**ASKED | {"input": "Hi."}).read()
        assert naps == [60]

    def test_limit_is_a_rate_limit_error(self, theirs):
        """With their type and code, and our wait."""
        for _ in range(2):
            theirs.audio.speech.create(**ASKED | {"input": "Hi."})
        with pytest.raises(openai.RateLimitError) as refused:
            theirs.audio.speech.create(**ASKED)
        assert (refused.value.type, refused.value.code) == ("requests", "rate_limit_exceeded")
        assert refused.value.response.headers["retry-after"] == "60"

    def test_client_that_goes_away_stops_the_speech(self, theirs, give_mouth):
        """Nothing is spoken for nobody, and its place is free again."""
        mouth = give_mouth()
        with theirs.audio.speech.with_streaming_response.create(**ASKED, response_format="pcm") as answer:
            next(answer.iter_bytes())
        eventually(lambda: mouth.closed == 1, "the speech to stop")
        give_mouth(seconds=1)
        assert theirs.audio.speech.create(**ASKED, response_format="pcm").read() == SECOND

    def test_streams_at_once_are_bounded(self, theirs, give_mouth, monkeypatch):
        """A slow reader holds one place; whoever finds none is told to come back."""
        monkeypatch.setattr(speech_streams, "WAIT_S", 0.01)
        mouth = give_mouth(seconds=2)
        mouth.may_speak.clear()
        with theirs.audio.speech.with_streaming_response.create(**ASKED, response_format="pcm") as answer:
            with pytest.raises(openai.InternalServerError) as refused:
                theirs.audio.speech.create(**ASKED)
            assert (refused.value.status_code, refused.value.code) == (503, "streams_full")
            assert refused.value.response.headers["retry-after"] == "1"
            mouth.may_speak.set()
            assert b"".join(answer.iter_bytes())
