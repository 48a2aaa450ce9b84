"""Speak one segment after another with libespeak-ng, in a process of its own that is asked over pipes.

Licence: combined with espeak-ng, which it loads, this program runs under GPL-3.0-or-later. The rest of voxgate never
loads that library; it starts this file as a separate program and talks to it over pipes only.

libespeak-ng dies of hostile text and keeps all of its state in C globals, so this process may end at any time and
holds nothing that matters. It imports nothing of voxgate. It ends when its standard input ends, that is with its
parent. (PR_SET_PDEATHSIG would end it with the parent's *thread* that started it, which is not wanted.)

Request:  u32 size, JSON ``{"op": "speak" | "retime" | "resample", ...}``; all but the first are followed by
          ``pcm_bytes`` of audio.
Answer:   u32 size, JSON ``{"pcm_bytes": n}`` and n bytes of audio, or ``{"error": reason, "detail": text}``; with
          speech also ``"words"``: pairs of an offset in the text and the sample at which that word begins, counted at
          the rate of the greeting also when the audio has another, ``to_hz``. Speech that is asked for with
          ``in_parts`` may come in two such answers: the first has ``"is_part"`` and the beginning of the audio.
Greeting: u32 size, JSON ``{"sample_rate_hz": n}`` or an error, once, when ready. Integers are little-endian.
Audio is 16-bit mono, little-endian. The working folder holds ``espeak-ng-data``, in which this process may write
``voices/!v``.
"""

import ctypes
import functools
import importlib.util
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

import espeakng_loader

MEMORY_BYTES = 1 << 30
FILE_BYTES = 1 << 20  # a voice variant has about 1 kB
BLOCK_MS = 200
NORMAL_RATE_WPM = 175

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_TEXT_IS_UTF8 = 1  # never espeakSSML (0x10): its <audio> opens files, its <break> makes hours of silence
_END_PAUSE = 0x1000
_BY_CHARACTER = 1
_RATE = 1
_WORD = 1
_MAX_WORDS = 2000  # of one segment; the numbers of a text give several for each word

Words = list[tuple[int, int]]
"""Offset in the text and sample in the audio of each word."""

Begin = Callable[[bytes], None]
"""Takes the beginning of an audio."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_void_p),
    )


_OnAudio = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_OnUri = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)


class RefusedError(Exception):
    """The request cannot be answered; the arguments are a reason and a detail."""


class Espeak:
    """The library, loaded once in this process."""

    def __init__(self) -> None:
        self._library = library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]
        # The library keeps the data folder's path in 160 bytes, so it is given relative to the working folder.
        self.sample_rate_hz: int = library.espeak_Initialize(_SYNCHRONOUS, BLOCK_MS, b".", _DONT_EXIT)
        if self.sample_rate_hz <= 0:
            raise RefusedError("engine_unavailable", "espeak_Initialize failed")
        # C keeps only the pointers: these references keep the callbacks alive.
        self._callbacks = (_OnAudio(self._on_audio), _OnUri(lambda _type, _uri, _base: 1))
        library.espeak_SetSynthCallback(self._callbacks[0])
        library.espeak_SetUriCallback(self._callbacks[1])
        self.sonic = _neighbour("sonic").Sonic(
            library, open_low_pass=lambda **rates: _neighbour("lowpass").LowPass(**rates)
        )
        self._take: Callable[[int, int], bool] = lambda _address, _samples: False
        self._words: Words = []
        self._variant = Path("espeak-ng-data/voices/!v") / f"v{os.getpid()}"
        self._selected: tuple[str, str, int, int] | None = None

    def speak(self, request: dict[str, Any], begin: Begin | None = None) -> tuple[bytes, Words]:
        """Speak one segment, and tell where its words begin.

        The audio is made at the asked rate, which sounds better than stretching, and what the rate misses is
        mended by stretching: the library's rate is up to 15 % off, and by another amount for every text.
        Where nothing is to be mended, ``begin`` takes the beginning as soon as it is there; the rest is returned.
        """
        self._select(request)
        speed = request["speed_ratio"]
        rate = request["rate_ratio"] * NORMAL_RATE_WPM
        flags = _TEXT_IS_UTF8 | (_END_PAUSE if request.get("has_end_pause", True) else 0)
        if speed == 1:
            return self._synthesize(request["text"], rate, flags=flags, max_samples=request["max_samples"], begin=begin)
        most = math.ceil(request["max_samples"] * speed)
        wanted = self._count(request["text"], rate, flags=flags, max_samples=most) / speed
        pcm, words = self._synthesize(
            request["text"], rate * speed, flags=flags, max_samples=request["max_samples"] * 2
        )
        if not wanted or not pcm:
            return pcm, words
        ratio = len(pcm) / 2 / wanted
        changed = self.sonic.retime(pcm, sample_rate_hz=self.sample_rate_hz, speed_ratio=ratio, pitch_ratio=1.0)
        return changed, [(offset, round(at / ratio)) for offset, at in words]

    def _select(self, request: dict[str, Any]) -> None:
        """Choose the voice, through a variant written for exactly this pitch; it stays until another is chosen."""
        low, high = request["pitch_line"]
        wanted = (request["identifier"], request["variant"], low, high)
        if wanted == self._selected:
            return
        self._selected = None
        base = self._variant.with_name(request["variant"]).read_bytes() if request["variant"] else b"language variant\n"
        kept = [line for line in base.splitlines() if not line.startswith((b"pitch", b"name"))]
        self._variant.write_bytes(b"\n".join([*kept, b"pitch %d %d" % (low, high), b""]))
        try:
            name = f"{request['identifier']}+{self._variant.name}"
            if self._library.espeak_SetVoiceByName(name.encode()):
                raise RefusedError("engine_refused", f"no voice {name}")
        finally:
            self._variant.unlink()
        self._selected = wanted

    def _count(self, text: str, rate: float, *, flags: int, max_samples: int) -> int:
        counted = 0

        def take(_address: int, samples: int) -> bool:
            nonlocal counted
            counted += samples
            return counted > max_samples

        self._run(text, rate, flags=flags, take=take)
        return counted

    def _synthesize(
        self, text: str, rate: float, *, flags: int, max_samples: int, begin: Begin | None = None
    ) -> tuple[bytes, Words]:
        pcm, begun_bytes = bytearray(), 0

        def take(address: int, samples: int) -> bool:
            nonlocal begun_bytes
            pcm.extend(ctypes.string_at(address, samples * 2))
            if begun_bytes + len(pcm) > max_samples * 2:
                return True
            if begin and not begun_bytes:
                begun_bytes = len(pcm)
                begin(bytes(pcm))
                pcm.clear()
            return False

        self._run(text, rate, flags=flags, take=take)
        return bytes(pcm), self._words

    def _run(self, text: str, rate: float, *, flags: int, take: Callable[[int, int], bool]) -> None:
        too_long = False
        self._words = []

        def take_and_tell(address: int, samples: int) -> bool:
            nonlocal too_long
            too_long = too_long or take(address, samples)
            return too_long

        self._take = take_and_tell
        self._library.espeak_SetParameter(_RATE, round(rate), 0)
        data = text.encode()
        status = self._library.espeak_Synth(data, len(data) + 1, 0, _BY_CHARACTER, 0, flags, None, None)
        if too_long:
            raise RefusedError("audio_too_long", "")
        if status:
            raise RefusedError("engine_refused", f"espeak_Synth gave {status}")

    def _on_audio(self, audio: Any, samples: int, events: Any) -> int:  # noqa: ANN401 - ctypes pointers
        index = 0
        while events and events[index].type and len(self._words) < _MAX_WORDS:
            event = events[index]
            if event.type == _WORD:
                self._words.append((event.text_position - 1, event.sample))
            index += 1
        if not audio or not samples:
            return 0
        return int(self._take(ctypes.cast(audio, ctypes.c_void_p).value or 0, samples))


@functools.cache
def _neighbour(name: str) -> Any:  # noqa: ANN401 - a module
    """Load a file that lies beside this one, by its path, because nothing of voxgate is imported here."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise RefusedError("engine_unavailable", f"no {name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(engine: Espeak, requests: BinaryIO, answers: BinaryIO, *, allow_cpu: Callable[[float], None]) -> None:
    """Answer requests until there are no more.

    Args:
        engine: The loaded library.
        requests: Where requests are read.
        answers: Where answers are written.
        allow_cpu: Called before each request with the seconds of processor time that it may use.
    """
    _send(answers, {"sample_rate_hz": engine.sample_rate_hz})
    while head := requests.read(4):
        request = json.loads(requests.read(struct.unpack("<I", head)[0]))
        pcm_in = requests.read(request.get("pcm_bytes", 0))
        allow_cpu(request["cpu_s"])
        try:
            pcm, words = _answer(engine, request, pcm_in, begin=lambda part: _send_part(answers, part))
        except RefusedError as error:
            reason, detail = error.args
            _send(answers, {"error": reason, "detail": detail})
        except MemoryError as error:
            _send(answers, {"error": "engine_refused", "detail": str(error)})
        else:
            _send(answers, {"pcm_bytes": len(pcm), "words": words}, pcm)


def _answer(engine: Espeak, request: dict[str, Any], pcm: bytes, *, begin: Begin) -> tuple[bytes, Words]:
    if request["op"] == "speak":
        return _speak(engine, request, begin if request.get("in_parts") else None)
    if request["op"] == "resample":
        return engine.sonic.resample(pcm, from_hz=request["from_hz"], to_hz=request["to_hz"]), []
    changed = engine.sonic.retime(
        pcm,
        sample_rate_hz=request["sample_rate_hz"],
        speed_ratio=request["speed_ratio"],
        pitch_ratio=request["pitch_ratio"],
    )
    return changed, []


def _speak(engine: Espeak, request: dict[str, Any], begin: Begin | None) -> tuple[bytes, Words]:
    own_hz, to_hz = engine.sample_rate_hz, request.get("to_hz", engine.sample_rate_hz)
    if to_hz == own_hz:
        return engine.speak(request, begin)
    # Here, so that the audio need not go out, in and out again.
    sound = engine.sonic.resampling(from_hz=own_hz, to_hz=to_hz)
    pcm, words = engine.speak(request, begin and (lambda part: begin(sound.feed(part))))
    return sound.feed(pcm, is_last=True), words


def _send_part(answers: BinaryIO, pcm: bytes) -> None:
    _send(answers, {"pcm_bytes": len(pcm), "is_part": True}, pcm)


def _send(answers: BinaryIO, header: dict[str, object], pcm: bytes = b"") -> None:
    data = json.dumps(header).encode()
    answers.write(struct.pack("<I", len(data)) + data + pcm)
    answers.flush()


def _allow_cpu(cpu_s: float) -> None:
    """Let this process use ``cpu_s`` more of processor time, then die; the limit counts from the process's start."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + cpu_s), hard))


def main() -> None:
    """Shut this process in, then serve its pipes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if sys.platform == "linux":  # elsewhere the loader itself needs more address space than memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # What C code prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        engine = Espeak()
    except (RefusedError, OSError) as error:
        _send(answers, {"error": "engine_unavailable", "detail": str(error.args[-1])})
        return
    serve(engine, sys.stdin.buffer, answers, allow_cpu=_allow_cpu)


if __name__ == "__main__":
    main()
