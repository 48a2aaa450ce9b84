"""Piper's worker program, asked over buffers in this process with text that is known to be harmless."""

import io
import json
import struct

import pytest
from tests.support.voices import make_piper_voice

from voxgate.speech.engines import piper_worker

SPEAK = {"op": "speak", "cpu_s": 1, "text": "One two.", "speaker": None, "speed_ratio": 1.0, "max_audio_s": 60.0}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Serve requests and give the greeting and every answer with its audio."""
    for number in range(piper_worker.MODELS_MAX + 1):
        make_piper_voice(tmp_path, f"tiny{number}", rate_hz=16_000)
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    monkeypatch.chdir(tmp_path)

    def serve(*requests):
        data = b"".join(struct.pack("<I", len(one)) + one for one in (json.dumps(r).encode() for r in requests))
        answers, allowed = io.BytesIO(), []
        engine = piper_worker.Piper()
        piper_worker.serve(engine, io.BytesIO(data), answers, allow_cpu=allowed.append)
        assert allowed == [1] * len(requests)
        answers.seek(0)
        told = []
        while head := answers.read(4):
            header = json.loads(answers.read(struct.unpack("<I", head)[0]))
            told.append((header, answers.read(header.get("pcm_bytes", 0))))
        return engine, told

    return serve


def test_segment_is_answered_with_its_audio_and_rate(ask):
    """Half the speed gives twice the audio, at the rate of the model."""
    _, (greeting, (usual, pcm), (_, slow)) = ask(
        SPEAK | {"model": "tiny0.onnx"}, SPEAK | {"model": "tiny0.onnx", "speed_ratio": 0.5}
    )
    assert greeting == ({}, b"")
    assert usual["sample_rate_hz"] == 16_000
    assert len(slow) == 2 * len(pcm) > 10_000


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"model": "broken.onnx"}, "engine_refused"),
        ({"model": "none.onnx"}, "engine_refused"),
        ({"model": "tiny0.onnx", "max_audio_s": 0.1}, "audio_too_long"),
        ({"model": "tiny0.onnx", "text": 7}, "engine_refused"),
    ],
)
def test_trouble_is_told_and_the_next_spoken(ask, terms, reason):
    """A bad model, too much audio, and what the library raises for itself end no process."""
    _, (_, (header, _), (_, pcm)) = ask(SPEAK | terms, SPEAK | {"model": "tiny0.onnx"})
    assert header["error"] == reason
    assert pcm


def test_models_that_were_not_used_for_long_are_let_go(ask):
    """Memory is bounded however many voices there are."""
    count = piper_worker.MODELS_MAX + 1
    engine, _ = ask(*(SPEAK | {"model": f"tiny{number}.onnx"} for number in range(count)))
    assert list(engine._models) == [f"tiny{number}.onnx" for number in range(1, count)]
