"""Text that kills the library, and workers that are killed, cost the good requests nothing."""

import errno
import io
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.speech.measure import assert_is_speech, read, voiced_share

from voxgate.speech.engines.espeak_program import EspeakProgram, EspeakUtterance
from voxgate.speech.engines.espeak_workplace import Workplace
from voxgate.speech.engines.registry import open_engines
from voxgate.speech.errors import EngineError, SynthesisFailedError
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

GOOD = "Good morning to everyone."
HOSTILE = {
    "run-on W.": "W." * 192,
    "run-on s'": "s'" * 220,
    "long run-on": "W." * 2500,
    "mixed scripts": "ڍ🤠ጷܕ߷ᚙ⅏ꙮ" * 120,
    "unclosed tags": "<speak><prosody rate='1%'><break time='99999s'/>" * 40,
    "phonemes": "[[" * 300 + "aeiou",
    "one letter": "a" * 5000,
    "digits": "9 " * 400,
    "ligatures": "\ufdfa" * 60,
    "unknown ideographs": "\u4dbf" * 60,
    "combining": "a" + "\u0301" * 3000,
    "controls": "".join(map(chr, range(32))) * 20 + "x",
    "surrogates": "\ud800\udfff" * 100 + "x",
    "punctuation": "!?.,;:-" * 300,
}


@pytest.fixture
def opened():
    """A synthesizer on a pool of its own, with a short deadline."""
    synthesizer = Synthesizer(open_engines(("espeak",), workers=2), max_audio_s=400, segment_deadline_s=8)
    yield synthesizer
    synthesizer.close()


def speak(synthesizer: Synthesizer, text: str, voice_name: str = "Alnilam", **callbacks) -> bytes:
    out = io.BytesIO()
    synthesizer.synthesize(SpeechRequest(text, voice_name), out, **callbacks)
    return out.getvalue()


def pids(synthesizer: Synthesizer) -> list[int]:
    return synthesizer._engines.program.pool.pids()


def run_all(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_good_requests_among_hostile_ones_are_all_served(opened: Synthesizer):
    """Three threads of good requests beside every hostile text in several languages: each good one is speech."""
    hostile = [(text, voice) for text in HOSTILE.values() for voice in ("Alnilam", "de", "vi")]
    served, told = [], []

    def be_good() -> None:
        served.extend(speak(opened, GOOD) for _ in range(12))

    def be_hostile() -> None:
        while hostile:
            text, voice_name = hostile.pop()
            try:
                speak(opened, text, voice_name)
            except SynthesisFailedError as error:
                told.append(error.reason)

    run_all(be_good, be_hostile, be_good, be_hostile, be_good)
    assert len(served) == 36
    assert min(voiced_share(read(audio)) for audio in served) > 0.5
    assert set(told) <= {"engine_crashed", "audio_too_long", "deadline_exceeded"}
    assert speak(opened, GOOD)
    assert len(pids(opened)) >= 1


def raw(text: str, **fields) -> EspeakUtterance:
    """Text as no caller can send it: neither cleaned nor split."""
    settings = {
        "identifier": "gmw/en-US",
        "variant": "",
        "pitch_line": (80, 118),
        "rate_ratio": 1.0,
        "speed_ratio": 1.0,
    }
    return EspeakUtterance(text=text, **{**settings, **fields})


def test_crash_of_the_library_is_survived():
    """Text that does smash the library's stack ends its process only; the next segment is spoken."""
    program = EspeakProgram(workers=1)
    try:
        with pytest.raises(EngineError, match="engine_crashed"):
            program.speak(raw("s'" * 220), max_audio_s=60, deadline_s=20)
        assert program.pool.restarts == 2
        assert program.speak(raw(GOOD), max_audio_s=60, deadline_s=20)
    finally:
        program.close()


def test_segment_is_spoken_by_a_fresh_worker_when_the_first_is_killed(opened: Synthesizer):
    """Killing every worker, in the middle of a request, loses nothing."""

    def kill(done: int, _all: int) -> bool:
        for pid in pids(opened) if done == 1 else ():
            os.kill(pid, signal.SIGKILL)
        return True

    whole = read(speak(opened, f"{GOOD} {GOOD}"))
    killed = read(speak(opened, f"{GOOD} {GOOD}", on_progress=kill))
    assert killed.duration_s == pytest.approx(whole.duration_s, rel=0.02)


@pytest.mark.parametrize("is_killed", [False, True])
def test_stopped_worker_costs_one_deadline(is_killed):
    """SIGSTOP in the middle of a segment ends by the deadline, kill -9 at once; the segment is spoken anyway."""
    # The kill comes long before the deadline; without it the deadline is waited for, and the next worker keeps it.
    deadline_s = 60 if is_killed else 5
    synthesizer = Synthesizer(open_engines(("espeak",), workers=1), max_audio_s=60, segment_deadline_s=deadline_s)

    def stop(done: int, _all: int) -> bool:
        if done == 1:
            (pid,) = pids(synthesizer)
            os.kill(pid, signal.SIGSTOP)
            if is_killed:
                threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
        return True

    try:
        assert_is_speech(read(speak(synthesizer, f"{GOOD} {GOOD}", on_progress=stop)))
        # A kill may come before the segment does: then no try was lost.
        assert synthesizer._engines.program.pool.restarts in ({0, 1} if is_killed else {1})
    finally:
        synthesizer.close()


def has_reader(fifo: Path) -> bool:
    """Whether someone opened, or tries to open, a named pipe for reading."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    return True


def test_markup_opens_no_file(opened: Synthesizer, tmp_path):
    """SSML is spoken as plain text: a file that it names is not opened, and neither is one of the system's."""
    fifo = tmp_path / "sentinel.wav"
    os.mkfifo(fifo)
    for source in (fifo, fifo.as_uri(), "/etc/passwd"):
        assert speak(opened, f'<speak>Hi <audio src="{source}">there</audio></speak>')
        assert not has_reader(fifo)
    assert opened._engines.program.pool.restarts == 0


@pytest.mark.parametrize("form", ["en-us+{}", "gmw/en-US+{}", "{}", "en-us+" + "x" * 4000])
def test_voice_that_is_a_path_reaches_no_engine(opened: Synthesizer, tmp_path, form):
    """A path in the place of a voice's name fails before any process starts."""
    fifo = tmp_path / "voice"
    os.mkfifo(fifo)
    with pytest.raises(SynthesisFailedError):
        speak(opened, GOOD, form.format("../../../../../../../.." + str(fifo)))
    assert pids(opened) == []
    assert not has_reader(fifo)


def test_worker_is_shut_in(opened: Synthesizer, monkeypatch):
    """No core files, bounded memory, files and processor time, and nothing of the service's environment."""
    monkeypatch.setenv("JWT_SECRET_KEY", "a secret of the service")
    speak(opened, GOOD)
    proc = Path("/proc") / str(pids(opened)[0])
    assert b"secret" not in (proc / "environ").read_bytes()
    limits = {line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == "0"
    assert all(limits[name].isdigit() for name in ("Max address space", "Max file size", "Max cpu time"))


ORPHANS = """
import io, sys
from voxgate.speech.engines.espeak_workplace import Workplace
from voxgate.speech.engines.registry import open_engines
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer
synthesizer = Synthesizer(open_engines(("espeak",), workers=1), max_audio_s=60, segment_deadline_s=20)
synthesizer.synthesize(SpeechRequest("Hi"), io.BytesIO())
print(*synthesizer._engines.program.pool.pids(), flush=True)
sys.stdin.read()
"""


def test_worker_ends_with_its_parent(tmp_path):
    """A killed service leaves no engine process behind."""
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with parent:
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    # A process that has ended makes its descriptor readable.
    try:
        assert select.select([worker], [], [], 20)[0]
    finally:
        os.close(worker)


def test_closing_ends_every_process_and_removes_the_folder(tmp_path, monkeypatch):
    """close() leaves neither a process nor a file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    synthesizer = Synthesizer(open_engines(("espeak",), workers=1), max_audio_s=60, segment_deadline_s=20)
    speak(synthesizer, GOOD)
    (pid,) = pids(synthesizer)
    assert list(tmp_path.iterdir())
    synthesizer.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(SynthesisFailedError, match="engine_unavailable"):
        speak(synthesizer, GOOD)


def test_folder_of_a_killed_service_is_removed_by_the_next(tmp_path, monkeypatch):
    """An old folder that nobody has locked goes; one in use, a young one, and what only looks like one stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    in_use = Workplace()
    left, young, open_to_all = (tmp_path / f"voxgate-espeak-{name}" for name in ("left", "young", "open"))
    for folder in (left, young, open_to_all):
        folder.mkdir(mode=0o755 if folder is open_to_all else 0o700)
    for folder in (left, open_to_all, in_use.path):
        os.utime(folder, (0, 0))
    (tmp_path / "voxgate-espeak-link").symlink_to(young)
    second = Workplace()
    names = {folder.name for folder in tmp_path.iterdir()}
    second.remove()
    in_use.remove()
    assert names == {in_use.path.name, second.path.name, young.name, open_to_all.name, "voxgate-espeak-link"}


def test_no_room_for_the_folder_is_told(tmp_path, monkeypatch):
    """A disk that takes no folder makes the engine unavailable; nothing hangs."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    program = EspeakProgram(workers=1)
    with pytest.raises(EngineError) as failure:
        program.speak(raw(GOOD), max_audio_s=60, deadline_s=20)
    assert failure.value.reason == "engine_unavailable"
    program.close()
