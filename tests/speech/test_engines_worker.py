"""The worker program, asked over buffers in this process with text that is known to be harmless."""

import io
import json
import struct
import sys
from pathlib import Path

import espeakng_loader
import pytest

from voxgate.speech.engines import espeak_worker, sonic
from voxgate.speech.engines.espeak_data import link_data, read_catalogue
from voxgate.speech.engines.worker_process import WorkerProcess
from voxgate.speech.errors import EngineError

SPEAK = {
    "op": "speak",
    "cpu_s": 1,
    "text": "Hello there.",
    "identifier": "gmw/en-US",
    "variant": "m3",
    "pitch_line": (80, 118),
    "rate_ratio": 1.0,
    "speed_ratio": 1.0,
    "max_samples": 10**6,
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("espeak")
    link_data(Path(espeakng_loader.get_data_path()), folder)
    return folder


@pytest.fixture
def ask(workplace: Path, monkeypatch):
    """Serve requests and give the greeting and every answer with its audio."""
    monkeypatch.chdir(workplace)

    def serve(*requests: dict, pcm: bytes = b"") -> list[tuple[dict, bytes]]:
        data = b"".join(struct.pack("<I", len(one)) + one + pcm for one in (json.dumps(r).encode() for r in requests))
        answers, allowed = io.BytesIO(), []
        espeak_worker.serve(espeak_worker.Espeak(), io.BytesIO(data), answers, allow_cpu=allowed.append)
        assert allowed == [1] * len(requests)
        answers.seek(0)
        told = []
        while head := answers.read(4):
            header = json.loads(answers.read(struct.unpack("<I", head)[0]))
            told.append((header, answers.read(header.get("pcm_bytes", 0))))
        return told

    return serve


def test_greeting_tells_the_sample_rate(ask):
    """A worker is ready when it has said so; without requests it ends."""
    assert ask() == [({"sample_rate_hz": 22_050}, b"")]


def test_segment_is_answered_with_its_audio(ask):
    """Half the speed gives twice the audio; no variant is needed."""
    _, (_, normal), (_, slow), (_, plain) = ask(SPEAK, SPEAK | {"speed_ratio": 0.5}, SPEAK | {"variant": ""})
    assert len(normal) > 20_000
    assert len(slow) == pytest.approx(2 * len(normal), rel=0.02)
    assert plain != normal


@pytest.mark.parametrize("rate", [{}, {"to_hz": 24_000}, {"to_hz": 8_000}])
def test_segment_may_come_in_two_parts(ask, rate):
    """Its beginning comes first and is a fraction of it; both together are the segment, and its words come last."""
    whole, parts = SPEAK | rate, SPEAK | rate | {"in_parts": True}
    _, (told, pcm), (first, beginning), (last, rest) = ask(whole, parts)
    hz = rate.get("to_hz", 22_050)
    assert first == {"pcm_bytes": len(beginning), "is_part": True}
    assert 0.1 * hz < len(beginning) / 2 < 0.25 * hz
    assert len(beginning + rest) == pytest.approx(len(pcm), abs=0.04 * hz)
    assert len(last["words"]) == len(told["words"]) == 2


def test_segment_that_must_be_mended_comes_whole(ask):
    """At another speed its length is known last, so nothing of it can come before."""
    _, (told, pcm) = ask(SPEAK | {"in_parts": True, "speed_ratio": 0.5})
    assert "is_part" not in told
    assert pcm


def test_voice_is_chosen_once_and_again_after_another(ask, monkeypatch):
    """The voice that spoke last is not loaded again; one that was refused leaves none behind."""
    chosen, write = [], Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: (chosen.append(data), write(path, data)))
    higher, unknown = SPEAK | {"pitch_line": (90, 130)}, SPEAK | {"identifier": "gmw/none"}
    _, *answers = ask(SPEAK, SPEAK, higher, SPEAK, unknown, SPEAK, SPEAK)
    assert [bool(pcm) for _, pcm in answers] == [True, True, True, True, False, True, True]
    assert len(chosen) == 5


@pytest.mark.parametrize("speed_ratio", [1.0, 0.5])
def test_too_much_audio_is_refused_and_the_next_segment_spoken(ask, speed_ratio):
    """The cap ends a segment in its midst; the program stays."""
    long = SPEAK | {"speed_ratio": speed_ratio, "max_samples": 4000, "text": "Hello there, all of you. " * 10}
    _, refused, (_, spoken) = ask(long, SPEAK)
    assert refused == ({"error": "audio_too_long", "detail": ""}, b"")
    assert spoken


def test_unknown_voice_is_refused(ask):
    """A voice that the library does not have is told."""
    _, (header, _) = ask(SPEAK | {"identifier": "gmw/none"})
    assert header["error"] == "engine_refused"


def test_text_without_sound_is_no_error(ask):
    """Nothing to say is an answer without audio, at any speed."""
    _, (header, _), (slow, _) = ask(SPEAK | {"text": " "}, SPEAK | {"text": " ", "speed_ratio": 0.5})
    assert "error" not in header | slow


def test_finished_audio_is_retimed(ask):
    """Audio comes back with the exact duration asked."""
    request = {
        "op": "retime",
        "cpu_s": 1,
        "pcm_bytes": 44_100,
        "sample_rate_hz": 22_050,
        "speed_ratio": 2.0,
        "pitch_ratio": 1,
    }
    _, (header, pcm) = ask(request, pcm=bytes(44_100))
    assert header["pcm_bytes"] == len(pcm) == 22_050


def test_variants_leave_no_file(ask, workplace: Path):
    """The variant written for a segment is gone when the segment is spoken."""
    before = sorted(workplace.rglob("*"))
    ask(SPEAK, SPEAK | {"identifier": "gmw/none"})
    assert sorted(workplace.rglob("*")) == before


def test_end_of_audio_is_lengthened_and_cut_only_in_silence():
    """A sound is never cut to fit."""
    loud, still = struct.pack("<h", 9000), b"\0\0"
    assert sonic._fitted(loud * 2, 4) == loud * 2 + still * 2
    assert sonic._fitted(loud * 2 + still * 3, 3) == loud * 2 + still
    assert sonic._fitted(loud * 5, 3) == loud * 5


def test_library_that_does_not_open_is_told_in_the_greeting(tmp_path):
    """A worker without its data ends with an answer, which makes the engine unavailable."""
    command = (sys.executable, "-I", espeak_worker.__file__)
    with pytest.raises(EngineError, match="engine_unavailable: espeak_Initialize failed"):
        WorkerProcess(command, tmp_path)


def test_catalogue_holds_only_plain_names():
    """Every language has a public name, and its identifier stays inside the data folder."""
    catalogue = read_catalogue(Path(espeakng_loader.get_data_path()))
    assert len(catalogue) > 100
    assert catalogue["vi"].pitch_line == (95, 175)
    assert catalogue["vi-vn-x-south"].pitch_line == (82, 118)
    assert catalogue["en-us"].identifier == "gmw/en-US"
    assert all(".." not in one.identifier and not one.identifier.startswith("/") for one in catalogue.values())
