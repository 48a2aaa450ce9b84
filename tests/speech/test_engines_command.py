"""A program of the operator's speaks, within bounds, and nothing of a request is its argument."""

import os
import struct
import sys

import pytest
from tests.support.voices import SPEAKING_PROGRAM

from voxgate.speech.engines import command
from voxgate.speech.engines.base import Utterance
from voxgate.speech.engines.espeak_program import EspeakProgram
from voxgate.speech.engines.setup import CommandVoice, Setup
from voxgate.speech.engines.wav_input import read_wav
from voxgate.speech.errors import EngineError


@pytest.fixture(scope="module")
def program():
    opened = EspeakProgram(workers=1)
    yield opened
    opened.close()


@pytest.fixture
def speak(program):
    def call(code, *arguments, text="one two", language="", workers=1, **bounds):
        voice = CommandVoice("it", (sys.executable, "-S", "-c", code, *arguments), language)
        engine = command.open_engine(Setup(program, workers=workers, command_voices=(voice,)))
        terms = {"max_audio_s": 60.0, "deadline_s": 20.0} | bounds
        return engine.speak(
            Utterance(text=text, voice_name="it", language="", speed_ratio=1.0, pitch_semitones=0.0, **terms)
        )

    return call


def writing(rate_hz=22_050, *, bits=16, channels=1, samples=b"\1\0" * 100, form=1):
    """Give a program that writes one WAV file."""
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, form, channels, rate_hz, rate_hz * 2, 2, bits)
    data = b"RIFF" + struct.pack("<I", 0) + b"WAVE" + b"LIST" + struct.pack("<I", 3) + b"abc\0" + head
    data += b"data" + struct.pack("<I", len(samples)) + samples
    return f"import sys; sys.stdin.read(); sys.stdout.buffer.write({data!r})"


def test_text_goes_in_and_sound_comes_out(speak):
    """Two words are two buzzes, at the rate of the engine."""
    assert len(speak(SPEAKING_PROGRAM, "22050", "0.2").pcm) == pytest.approx(22_050 * 0.4 * 2, abs=8)
    assert len(speak(SPEAKING_PROGRAM, "16000", "0.2").pcm) == pytest.approx(22_050 * 0.4 * 2, abs=8)
    assert speak(writing()).pcm == b"\1\0" * 100


def test_only_settings_are_arguments(speak):
    """Placeholders stand for what is set; the text is never among them, and there is no shell."""
    code = "import sys; sys.exit(0 if sys.argv[1:] == ['vi', 'it', '$(id); {x}'] else 7)"
    with pytest.raises(EngineError, match="no WAV file"):
        speak(code, "{language}", "{voice}", "$(id); {x}", language="vi", text="--rf {language}")


def test_environment_and_folder_are_bare(speak, monkeypatch):
    """A program sees nothing of the service: no secret, no folder."""
    monkeypatch.setenv("JWT_SECRET_KEY", "secret")
    known = {"PATH", "LANG", "HOME", "TMPDIR", "LC_CTYPE"}
    code = f"import os, sys; sys.exit(len(set(os.environ) - {known!r}) + len(os.listdir()))"
    with pytest.raises(EngineError, match="no WAV file"):
        speak(code)


@pytest.mark.parametrize(
    ("code", "reason", "bounds"),
    [
        ("import sys; sys.exit(3)", "engine_crashed", {}),
        ("import os; os.kill(os.getpid(), 11)", "engine_crashed", {}),
        ("print('hello')", "engine_refused", {}),
        ("import threading; threading.Event().wait()", "deadline_exceeded", {"deadline_s": 0.5}),
        ("import os, threading; os.close(1); threading.Event().wait()", "deadline_exceeded", {"deadline_s": 0.5}),
        ("import sys\nwhile True: sys.stdout.buffer.write(b'x' * 65536)", "audio_too_long", {"max_audio_s": 0.1}),
        (writing(), "audio_too_long", {"max_audio_s": 0.001}),
        (writing(channels=2), "engine_refused", {}),
        (writing(bits=8), "engine_refused", {}),
        (writing(form=3), "engine_refused", {}),
        (writing(rate_hz=1), "engine_refused", {}),
        (writing(rate_hz=200_000), "engine_refused", {}),
        ("b = bytearray(8 << 30)", "engine_crashed", {}),
    ],
)
def test_trouble_of_a_program_has_a_reason(speak, code, reason, bounds):
    """Whatever a program does, its segment ends in time and by name."""
    with pytest.raises(EngineError) as failure:
        speak(code, **bounds)
    assert failure.value.reason == reason


def test_children_end_with_the_program(speak, tmp_path):
    """What a program leaves behind is killed, so that nothing runs on."""
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        "wait = 'import threading; threading.Event().wait()'\n"
        f"child = subprocess.Popen([{sys.executable!r}, '-c', wait], stdout=2)\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
    )
    with pytest.raises(EngineError):
        speak(code + writing() + "\nsys.exit(1)")
    pid = int(pid_file.read_text())
    for _ in range(2000):
        try:
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 -- a file of the kernel
                if stat.read().split()[2] == "Z":
                    return
        except FileNotFoundError:
            return
        os.sched_yield()
    raise AssertionError("the child lives on")


def test_program_that_is_not_there_is_told(program):
    """A mistyped command makes its voice unavailable, not the service."""
    engine = command.open_engine(Setup(program, command_voices=(CommandVoice("x", ("no-such-program",)),)))
    with pytest.raises(EngineError, match="engine_unavailable: there is no program no-such-program"):
        engine.speak(Utterance("a", "x", "", 1.0, 0.0, 60.0, 5.0))


def test_program_that_reads_nothing_is_no_trouble(speak):
    """It may end before everything was written to it."""
    data = writing().removeprefix("import sys; sys.stdin.read(); ")
    assert speak(f"import sys; {data}", text="word " * 20_000).pcm


def test_busy_programs_are_waited_for_only_so_long(program):
    """When every place is taken until the deadline, that is the reason."""
    engine = command.open_engine(Setup(program, command_voices=(CommandVoice("x", (sys.executable,)),)))
    engine._places.acquire()
    with pytest.raises(EngineError, match="all programs are busy"):
        engine.speak(Utterance("a", "x", "", 1.0, 0.0, 60.0, 0.05))


@pytest.mark.parametrize("cut", [12, 20, 30, 40, 50])
def test_file_that_is_cut_off_is_refused(cut):
    """Nothing is guessed about half a header."""
    data = b"RIFF\0\0\0\0WAVE" + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16) + b"data"
    with pytest.raises(EngineError, match="engine_refused"):
        read_wav(data[:cut], max_rate_hz=96_000)


def test_samples_before_their_form_are_refused():
    """A file tells its rate first."""
    with pytest.raises(EngineError, match="cut off"):
        read_wav(b"RIFF\0\0\0\0WAVEdata\2\0\0\0\1\0", max_rate_hz=96_000)
