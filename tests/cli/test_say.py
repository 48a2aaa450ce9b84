"""Speaking into a file without a server."""

import io
import signal
import subprocess
import sys

import av
import pytest
import soundfile
from tests.speech.measure import median_f0, read, semitones
from tests.support.waiting import eventually


def test_a_text_becomes_a_file_that_an_independent_reader_opens(run, tmp_path):
    """A second of speech for two words, no silence."""
    result = run("say", "Good morning.", "-o", tmp_path / "a.wav")
    assert result.exit_code == 0, result.output
    samples, rate_hz = soundfile.read(tmp_path / "a.wav")
    assert 0.4 < len(samples) / rate_hz < 3
    assert abs(samples).max() > 0.05


def test_the_name_of_the_file_chooses_the_format(run, tmp_path):
    """And --format wins over it."""
    run("say", "Good morning.", "-o", tmp_path / "a.mp3")
    run("say", "Good morning.", "-o", tmp_path / "b.sound", "--format", "mp3")
    assert soundfile.info(tmp_path / "a.mp3").format == soundfile.info(tmp_path / "b.sound").format == "MP3"


def test_speed_shortens_the_audio(run, tmp_path):
    """Twice the speed, half the time."""
    run("say", "Good morning to all of you.", "-o", tmp_path / "a.wav")
    run("say", "Good morning to all of you.", "-o", tmp_path / "b.wav", "--speed", "2", "--pitch", "2")
    ratio = soundfile.info(tmp_path / "b.wav").duration / soundfile.info(tmp_path / "a.wav").duration
    assert ratio == pytest.approx(0.5, abs=0.02)


def test_voice_pitch_and_sample_rate_are_heard(run, tmp_path):
    """By a reader and an estimator of their own: a woman's voice, five semitones up, at the rate asked for."""
    text, heard = "Good morning to all of you who walk along the river.", []
    for more in ((), ("--pitch", "5", "--sample-rate", "16000")):
        result = run("say", text, "-o", tmp_path / "a.wav", "--voice", "nova", "--language", "en", *more)
        assert result.exit_code == 0, result.stderr
        heard.append(read((tmp_path / "a.wav").read_bytes()))
    low, high = map(median_f0, heard)
    assert heard[1].sample_rate_hz == 16_000
    assert low > 140
    assert semitones(high / low) == pytest.approx(5, abs=1)


@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac", "pcm"])
def test_every_format_goes_to_a_pipe(run, form):
    """A player that knows nothing of the file reads it."""
    result = run("say", "Good morning.", "-o", "-", "--format", form)
    assert result.exit_code == 0, result.stderr
    if form == "pcm":
        assert len(result.stdout_bytes) % 2 == 0
        assert len(result.stdout_bytes) > 16_000
        return
    with av.open(io.BytesIO(result.stdout_bytes)) as file:
        assert 0.4 < sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0)) < 3


def test_a_long_text_from_standard_input_is_spoken_with_progress(run, tmp_path):
    """Longer than the API takes: nobody else waits for this machine."""
    result = run("say", "-", "-o", tmp_path / "a.wav", "--speed", "2", stdin="One more short sentence here. " * 180)
    assert result.exit_code == 0, result.output
    assert soundfile.info(tmp_path / "a.wav").duration > 60
    assert "Speaking" in result.stderr
    assert result.stdout == ""


def test_an_existing_file_is_replaced_as_a_whole(run, tmp_path):
    """Nothing half made is left, and nothing else in the folder."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.wav").write_text("old")
    run("say", "Good morning.", "-o", tmp_path / "out/a.wav")
    assert soundfile.info(tmp_path / "out/a.wav").duration > 0.4
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "-o", "a.wav"], "Text cannot be empty"),
        (["hello", "-o", "a.exe"], "one of aac, flac, mp3, opus, pcm, wav"),
        (["hello", "-o", "a.wav", "--voice", "Nobody"], "Nobody"),
        (["hello", "-o", "a.wav", "--speed", "9"], "Speed must be between"),
        (["hello", "-o", "a.wav", "--pitch", "nan"], "Pitch must be between"),
        (["hello", "-o", "no/a.wav"], "there is no folder no"),
        (["hello", "-o", "a.wav", "--captions", "no/a.srt"], "there is no folder no"),
        (["hello", "-o", "a.wav", "--captions", "a.ass"], "one of .srt, .vtt, .json"),
        (["hello", "-o", "-", "--captions", "a.srt"], "write it to a file"),
        (["hello", "-o", "a.wav", "--language", "tlh"], "does not speak 'tlh'"),
        (["<speak><audio/></speak>", "-o", "a.wav", "--ssml"], "<audio> is not taken"),
    ],
)
def test_what_cannot_be_spoken_is_refused_in_one_line(run, tmp_path, monkeypatch, arguments, said):
    """And no file appears."""
    monkeypatch.chdir(tmp_path)
    result = run("say", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failing_engine_is_one_line_and_leaves_nothing(run, tmp_path, monkeypatch):
    """More audio than the settings allow."""
    monkeypatch.setenv("VOXGATE_MAX_AUDIO_S", "1")
    result = run(
        "say", "a rather long sentence that takes longer than one second to be spoken", "-o", tmp_path / "a.wav"
    )
    assert result.exit_code == 1
    assert "Error:" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_audio_goes_to_a_pipe(run):
    """Standard output has the audio and nothing else, in any format."""
    result = run("say", "Good morning.", "-o", "-", "--format", "mp3")
    assert result.exit_code == 0, result.stderr
    with io.BytesIO(result.stdout_bytes) as file:
        assert soundfile.info(file).format == "MP3"


def test_player_that_is_closed_ends_the_speech(tmp_path):
    """A broken pipe is no error of ours."""
    script = f"{sys.executable} -m voxgate say - -o - --format pcm | head -c 100 > /dev/null"
    text = "One more short sentence here. " * 400
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], input=text.encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_failing_engine_is_told_in_a_pipe_too(run, monkeypatch):
    """More audio than the settings allow."""
    monkeypatch.setenv("VOXGATE_MAX_AUDIO_S", "1")
    result = run("say", "a rather long sentence that takes longer than one second to be spoken", "-o", "-")
    assert result.exit_code == 1
    assert "audio_too_long" in result.stderr


@pytest.mark.parametrize(("form", "begin"), [("srt", "1\n00:00:00,000"), ("vtt", "WEBVTT"), ("json", '{"exact":true')])
def test_captions_are_written_beside_the_audio(run, tmp_path, form, begin):
    """In the form of the file's name; SSML and a language are spoken."""
    text = "<speak>Guten Tag.<break time='1s'/>Auf Wiedersehen.</speak>"
    captions = tmp_path / f"a.{form}"
    result = run("say", text, "-o", tmp_path / "a.wav", "--ssml", "--language", "de", "--captions", captions)
    assert result.exit_code == 0, result.stderr
    assert captions.read_text().startswith(begin)
    assert "Auf Wiedersehen." in captions.read_text() or form == "json"
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"a.wav", f"a.{form}"}


@pytest.mark.parametrize("data", ["caf\xe9".encode("latin-1"), "Hello".encode("utf-16")])
def test_text_that_is_no_utf_8_is_refused(tmp_path, data):
    """Its letters would be lost without a word, as an argument and on standard input."""
    for arguments, stdin in ((("-",), data), ((data.replace(b"\0", b""),), b"")):
        done = subprocess.run(
            [sys.executable, "-m", "voxgate", "say", *arguments, "-o", tmp_path / "a.wav"],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1
        assert b"Error: the text is not UTF-8, at byte " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_byte_order_mark_is_not_spoken(run, tmp_path):
    """Files from Windows begin with one."""
    for name, text in (("a.wav", "\ufeffGood morning."), ("b.wav", "Good morning.")):
        assert run("say", "-", "-o", tmp_path / name, stdin=text).exit_code == 0
    durations = {soundfile.info(path).duration for path in tmp_path.glob("*.wav")}
    assert max(durations) - min(durations) < 0.01


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_in_the_middle_leaves_nothing(tmp_path, number):
    """No half file, under no name, and the old one as it was."""
    old = tmp_path / "a.mp3"
    old.write_bytes(b"old")
    command = [sys.executable, "-m", "voxgate", "say", "-", "-o", old]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as speaking:
        speaking.stdin.write(b"One more short sentence here. " * 20_000)
        speaking.stdin.close()
        eventually(lambda: len(list(tmp_path.iterdir())) > 1, "the beginning of a file")
        speaking.send_signal(number)
        assert speaking.wait(60) in {1, 128 + number}
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]
    assert old.read_bytes() == b"old"
