"""From registration to audio over real HTTP, judged by another library's reader and another's pitch estimator."""

# ruff: noqa: RUF001 -- Chinese commas are meant

import pytest
from tests.speech.measure import assert_is_speech, median_f0, read, semitones
from tests.support.calls import V1

ENGLISH = (
    "The quick brown fox jumps over the lazy dog near the river bank. "
    "Every morning the old man walks along the quiet road, and he looks at the sea."
)
VIETNAMESE = (
    "Việt Nam là một quốc gia nằm ở phía đông bán đảo Đông Dương. "
    "Hà Nội là thủ đô của cả nước, còn thành phố Hồ Chí Minh là đô thị lớn nhất."
)
MANDARIN = "北京是中华人民共和国的首都。今天天气很好，我们去公园散步吧。"


@pytest.fixture(scope="session")
def speaker(served):
    """Somebody whose texts all tests of this file have spoken."""
    return served.api.join()


@pytest.fixture(scope="session")
def hear(speaker):
    """Speak a text once, with settings; gives what an independent reader decodes."""
    heard = {}

    def speak_once(text, **wanted):
        key = (text, *wanted.items())
        if key not in heard:
            heard[key] = read(speaker.speak(text, **wanted).data)
        return heard[key]

    return speak_once


def test_stranger_hears_a_text_in_five_calls(served):
    """Register, log in, generate, look until it is done, download."""
    api, who = served.api, {"username": "stranger", "email": "stranger@example.org", "password": "password123"}
    assert api.post(f"{V1}/auth/register", json=who).status == 201
    member = api.shown(bearer=api.login("stranger")["access_token"])
    started = member.post(f"{V1}/tts/generate", json={"text": ENGLISH})
    assert started.status == 202
    assert started.headers["Location"] == started.json()["status_url"]
    job = member.get(started.json()["status_url"]).json()
    while job["status"] in {"queued", "running"}:
        assert 0 <= job["progress"] <= 1
        job = member.get(started.json()["status_url"]).json()
    assert (job["status"], job["progress"], job["characters"]) == ("done", 1, len(ENGLISH))
    audio = member.get(job["audio_url"])
    assert audio.status == 200
    assert_is_speech(read(audio.data))


@pytest.mark.parametrize(("form", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
def test_audio_is_speech_of_the_told_length(speaker, form, media_type):
    """Both formats decode, last as long as the job says and as a reader would take, and are neither noise nor hum."""
    job = speaker.wait_for(speaker.generate(ENGLISH, output_format=form).json()["job_id"])
    audio = speaker.api.get(job["audio_url"])
    assert audio.headers["Content-Type"] == media_type
    assert audio.headers["Content-Length"] == str(len(audio.data))
    sound = read(audio.data)
    assert sound.duration_s == pytest.approx(job["duration_s"], abs=0.2)
    assert 8 < len(ENGLISH) / sound.duration_s < 25  # characters a second
    assert_is_speech(sound)


def test_audio_comes_in_ranges(speaker):
    """The parts put together are the whole; a part that is not there is 416; a known tag needs no body."""
    whole = speaker.speak()
    url = speaker.api.get(f"{V1}/tts/").json()["jobs"][0]["audio_url"]
    parts = [speaker.api.get(url, headers={"Range": f"bytes={span}"}) for span in ("0-999", "1000-")]
    assert [part.status for part in parts] == [206, 206]
    assert b"".join(part.data for part in parts) == whole.data
    assert parts[0].headers["Content-Range"] == f"bytes 0-999/{len(whole.data)}"
    assert speaker.api.get(url, headers={"Range": "bytes=99999999-"}).status == 416
    assert speaker.api.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status == 304
    head = speaker.api.ask("HEAD", url)
    assert (head.headers["Content-Length"], head.data) == (str(len(whole.data)), b"")


def test_audio_is_its_owners_alone(served, speaker):
    """Another account learns nothing of a job, not even that it exists, and an equal text opens no other's audio."""
    job_id = speaker.generate(ENGLISH).json()["job_id"]
    speaker.wait_for(job_id)
    other = served.api.join()
    assert other.speak(ENGLISH).status == 200
    for path in (f"{V1}/tts/status/{job_id}", f"{V1}/tts/audio/{job_id}"):
        assert (other.api.get(path).status, served.api.get(path).status) == (404, 401)


@pytest.mark.parametrize("kind", ["key", "bearer"])
def test_first_key_opens_the_whole_journey(served, kind):
    """The key of the registration, as X-API-Key and as bearer, does what a token does."""
    joined = served.api.join()
    shown = served.api.shown(**{kind: joined.key})
    started = shown.post(f"{V1}/tts/generate", json={"text": "One key."})
    assert started.status == 202
    job = joined.wait_for(started.json()["job_id"])
    assert shown.get(job["audio_url"]).status == 200
    assert shown.get(f"{V1}/tts/").json()["jobs"][0]["job_id"] == job["job_id"]


def test_logout_kills_the_session_and_nothing_else(served):
    """Both tokens are dead from the next request; the key and another session live on."""
    joined = served.api.join()
    other = served.api.shown(bearer=served.api.login(joined.username)["access_token"])
    assert joined.api.post(f"{V1}/auth/logout").json() == {"message": "Successfully logged out"}
    assert joined.api.get(f"{V1}/tts/").code == "TOKEN_REVOKED"
    assert served.api.shown(bearer=joined.refresh).post(f"{V1}/auth/refresh").code == "TOKEN_REVOKED"
    assert served.api.shown(key=joined.key).get(f"{V1}/tts/").status == 200
    assert other.get(f"{V1}/tts/").status == 200


@pytest.mark.parametrize("text", [ENGLISH, VIETNAMESE], ids=["english", "vietnamese"])
@pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0])
def test_speed_sets_the_duration(hear, text, speed):
    """Twice as fast is half as long, within 2 %."""
    spoken = hear(text, speed=speed)
    assert spoken.duration_s * speed / hear(text).duration_s == pytest.approx(1, abs=0.02)
    assert_is_speech(spoken)


@pytest.mark.parametrize("text", [ENGLISH, VIETNAMESE], ids=["english", "vietnamese"])
@pytest.mark.parametrize("pitch", [-10, -5, 5, 10])
def test_pitch_moves_the_voice_by_semitones(hear, text, pitch):
    """The voice moves by what was asked, within half a semitone, and does not hurry."""
    moved, normal = hear(text, pitch=pitch), hear(text)
    assert semitones(median_f0(moved) / median_f0(normal)) == pytest.approx(pitch, abs=0.5)
    assert moved.duration_s == pytest.approx(normal.duration_s, rel=0.02)
    assert_is_speech(moved)


def test_mandarin_speaks(hear):
    """Chinese text is spoken, at the pace of Chinese."""
    sound = hear(MANDARIN)
    assert_is_speech(sound)
    assert 2 < len(MANDARIN) / sound.duration_s < 8
