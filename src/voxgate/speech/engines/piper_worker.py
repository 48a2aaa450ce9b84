"""Speak one segment after another with Piper, in a process of its own that is asked over pipes.

Licence: combined with piper-tts, which it loads, this program runs under GPL-3.0-or-later. The rest of voxgate never
loads that library; it starts this file as a separate program and talks to it over pipes only.

Piper brings espeak-ng for its phonemes, so plain text can end this process as it can end espeak_worker.py's: it holds
nothing that matters, imports nothing of voxgate, writes no file, and ends with its standard input. The frames are
those of espeak_worker.py; the working folder holds the models.

Request:  ``{"op": "speak", "text", "model", "speaker", "speed_ratio", "max_audio_s", "cpu_s"}``.
Answer:   ``{"pcm_bytes": n, "sample_rate_hz": n}`` and the audio, or ``{"error": reason, "detail": text}``.
"""

import json
import math
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

MEMORY_BYTES = 6 << 30  # address space; onnxruntime maps far more than it uses
MODELS_MAX = 4


class RefusedError(Exception):
    """The request cannot be answered; the arguments are a reason and a detail."""


class Piper:
    """The library and the models that were used last."""

    def __init__(self) -> None:
        import onnxruntime  # noqa: PLC0415 -- a missing library is told in the greeting
        import piper  # noqa: PLC0415
        from piper.config import PiperConfig  # noqa: PLC0415

        self._onnxruntime: Any = onnxruntime
        self._piper: Any = piper
        self._read_config: Any = PiperConfig.from_dict
        self._models: dict[str, Any] = {}

    def speak(self, request: dict[str, Any]) -> tuple[bytes, int]:
        """Give the audio of one segment and its sample rate."""
        voice = self._model(request["model"])
        rate_hz = int(voice.config.sample_rate)
        settings = self._piper.SynthesisConfig(
            speaker_id=request["speaker"], length_scale=voice.config.length_scale / request["speed_ratio"]
        )
        most = int(request["max_audio_s"] * rate_hz) * 2
        pcm = bytearray()
        for chunk in voice.synthesize(request["text"], settings):
            pcm += chunk.audio_int16_bytes
            if len(pcm) > most:
                raise RefusedError("audio_too_long", "")
        return bytes(pcm), rate_hz

    def _model(self, name: str) -> Any:  # noqa: ANN401 -- a voice of the library
        voice = self._models.pop(name, None) or self._load(name)
        self._models[name] = voice  # the last used is the last to go
        while len(self._models) > MODELS_MAX:
            del self._models[next(iter(self._models))]
        return voice

    def _load(self, name: str) -> Any:  # noqa: ANN401 -- a voice of the library
        options = self._onnxruntime.SessionOptions()
        # There are as many processes as cores already.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            config = self._read_config(json.loads(Path(f"{name}.json").read_text(encoding="utf-8")))
            session = self._onnxruntime.InferenceSession(name, sess_options=options, providers=["CPUExecutionProvider"])
            return self._piper.PiperVoice(config=config, session=session)
        except Exception as error:  # whatever a broken file makes the library raise
            raise RefusedError("engine_refused", f"{name} cannot be loaded: {type(error).__name__}") from error


def serve(engine: Piper, requests: BinaryIO, answers: BinaryIO, *, allow_cpu: Callable[[float], None]) -> None:
    """Answer requests until there are no more.

    Args:
        engine: The loaded library.
        requests: Where requests are read.
        answers: Where answers are written.
        allow_cpu: Called before each request with the seconds of processor time that it may use.
    """
    _send(answers, {})
    while head := requests.read(4):
        request = json.loads(requests.read(struct.unpack("<I", head)[0]))
        allow_cpu(request["cpu_s"])
        try:
            pcm, rate_hz = engine.speak(request)
        except RefusedError as error:
            reason, detail = error.args
            _send(answers, {"error": reason, "detail": detail})
        except Exception as error:  # noqa: BLE001 -- a text that a model cannot speak must not end the process
            _send(answers, {"error": "engine_refused", "detail": type(error).__name__})
        else:
            _send(answers, {"pcm_bytes": len(pcm), "sample_rate_hz": rate_hz}, pcm)


def _send(answers: BinaryIO, header: dict[str, object], pcm: bytes = b"") -> None:
    data = json.dumps(header).encode()
    answers.write(struct.pack("<I", len(data)) + data + pcm)
    answers.flush()


def _allow_cpu(cpu_s: float) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + cpu_s), hard))


def main() -> None:
    """Shut this process in, then serve its pipes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # What C code prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        engine = Piper()
    except (ImportError, OSError, AttributeError) as error:
        _send(answers, {"error": "engine_unavailable", "detail": f"pip install 'voxgate[piper]': {error}"[:200]})
        return
    serve(engine, sys.stdin.buffer, answers, allow_cpu=_allow_cpu)


if __name__ == "__main__":
    main()
