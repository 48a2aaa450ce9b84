"""Those who speak in the speech benchmark: the service in two ways, its engines alone, a command, another server."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from benchmarks import process
from benchmarks.ports import free_port
from benchmarks.service import Client, Service
from voxgate.settings import Settings
from voxgate.speaking import open_synthesizer
from voxgate.speech.request import SpeechRequest

_HEADER_BYTES = 44
_START_S = 60


class Obstacle(Exception):  # noqa: N818 -- a reason, not a fault
    """Why one cannot take part here."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one text has cost.

    Attributes:
        first_s: Seconds until the first byte of audio, its header aside.
        whole_s: Seconds until the last one.
        cpu_s: CPU time of all processes that speak, user and system.
        audio_s: Length of the audio.
    """

    first_s: float
    whole_s: float
    cpu_s: float
    audio_s: float


class Speaker(Protocol):
    """One that speaks."""

    name: str

    def speak(self, text: str) -> Sample:
        """Speak a text and measure it."""
        ...


class Stream:
    """The service by OpenAI's route: samples are sent while they are made."""

    name = "voxgate, streamed"

    def __init__(self, service: Service) -> None:
        self._pid, self._client = service.pid, service.client.another()

    def speak(self, text: str) -> Sample:
        """Ask for a text and read it as it comes."""
        self._client.close()  # one that was idle meanwhile is closed by the service, too
        body = {"model": "tts-1", "voice": "en-us", "input": text, "response_format": "pcm"}
        cpu_ns, begun = process.cpu_ns(self._pid), time.perf_counter()
        answer = self._client.open("POST", "/v1/audio/speech", body)
        first = answer.read(1)
        first_s = time.perf_counter() - begun
        audio = first + answer.read()
        if answer.status != 200:  # noqa: PLR2004
            raise RuntimeError(f"{answer.status}: {audio!r}")
        whole_s = time.perf_counter() - begun
        cpu_s = (process.cpu_ns(self._pid) - cpu_ns) / 1e9
        return Sample(first_s, whole_s, cpu_s, len(audio) / 2 / 24_000)


class Jobs:
    """The service by job: asked for, waited for, fetched."""

    name = "voxgate, by job"

    def __init__(self, service: Service) -> None:
        self._pid, self._client = service.pid, service.client.another()

    def speak(self, text: str) -> Sample:
        """Have a text spoken and fetch it."""
        self._client.close()
        cpu_ns, begun = process.cpu_ns(self._pid), time.perf_counter()
        _, data = self._client.ask("POST", "/api/v1/tts/generate", {"text": text, "voice_name": "en-us"})
        url = json.loads(data)["status_url"]
        while not (job := json.loads(self._client.ask("GET", f"{url}?wait=30")[1]))["audio_url"]:
            if job["status"] == "failed":
                raise RuntimeError(job["error"])
        answer = self._client.open("GET", job["audio_url"])
        audio = answer.read(_HEADER_BYTES + 1)
        first_s = time.perf_counter() - begun
        audio += answer.read()
        whole_s = time.perf_counter() - begun
        return Sample(first_s, whole_s, (process.cpu_ns(self._pid) - cpu_ns) / 1e9, _length_s(audio))


class _Opened:
    """One that is closed at the end of the run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what was started."""


class Bare(_Opened):
    """The engines of the service without the service: called from this process, the file written into memory."""

    name = "engines alone"

    def __init__(self, folder: Path, workers: int) -> None:
        self._synthesizer = open_synthesizer(Settings(data=folder, engine_workers=workers))

    def speak(self, text: str) -> Sample:
        """Speak a text."""
        cpu_ns, begun = process.cpu_ns(os.getpid()), time.perf_counter()
        first_s: list[float] = []

        def note(done: int, _total: int) -> bool:
            if done == 1:
                first_s.append(time.perf_counter() - begun)
            return True

        spoken = self._synthesizer.synthesize(SpeechRequest(text, voice_name="en-us"), io.BytesIO(), on_progress=note)
        whole_s = time.perf_counter() - begun
        cpu_s = (process.cpu_ns(os.getpid()) - cpu_ns) / 1e9
        return Sample(first_s[0], whole_s, cpu_s, spoken.duration_s)

    def write(self, text: str) -> None:
        """Speak a text and measure nothing."""
        self._synthesizer.synthesize(SpeechRequest(text, voice_name="en-us"), io.BytesIO())

    def close(self) -> None:
        """Stop the engine processes."""
        self._synthesizer.close()


class Command(_Opened):
    """The command espeak-ng, started for each request."""

    name = "espeak-ng command"

    def __init__(self, _folder: Path, _workers: int) -> None:
        self._environment = dict(os.environ)
        self._program = shutil.which("espeak-ng") or self._unpack()

    def speak(self, text: str) -> Sample:
        """Start the command and read what it writes."""
        begun = time.perf_counter()
        command = [self._program, "-v", "en-us", "--stdin", "--stdout"]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment)
        if running.stdin is None or running.stdout is None:
            raise Obstacle("no pipes")
        running.stdin.write(text.encode())
        running.stdin.close()
        audio = running.stdout.read(_HEADER_BYTES + 1)
        first_s = time.perf_counter() - begun
        audio += running.stdout.read()
        _, _, usage = os.wait4(running.pid, 0)
        running.returncode = 0
        running.stdout.close()
        whole_s = time.perf_counter() - begun
        if len(audio) <= _HEADER_BYTES:
            raise RuntimeError("espeak-ng has said nothing")
        # Its header does not know how long the audio is: 44 bytes, then samples at 22,050 Hz.
        return Sample(first_s, whole_s, usage.ru_utime + usage.ru_stime, (len(audio) - _HEADER_BYTES) / 2 / 22_050)

    def _unpack(self) -> str:
        from tests.support import debian  # noqa: PLC0415 -- fetches Debian's package, where apt is

        try:
            root = debian.unpacked("espeak-ng", has_libraries=True)
        except (AssertionError, OSError) as error:
            raise Obstacle(str(error)) from error
        libraries = sorted({str(path.parent) for path in root.rglob("*.so*")})
        data = next(root.rglob("phontab")).parent.parent
        self._environment |= {"LD_LIBRARY_PATH": ":".join(libraries), "ESPEAK_DATA_PATH": str(data)}
        return str(root / "usr/bin/espeak-ng")


class Piper(_Opened):
    """Piper's own HTTP server with a tiny model, a sine for each sound: its server and phonemes, and hardly a voice."""

    name = "piper.http_server, tiny model"

    def __init__(self, folder: Path, _workers: int) -> None:
        try:
            from tests.support.voices import make_piper_voice  # noqa: PLC0415 -- needs onnx
        except ImportError as error:
            raise Obstacle(f"{error}; it comes with the requirements of the tests") from error
        model = make_piper_voice(folder / "piper", "tiny")
        port = free_port()
        command = [sys.executable, "-m", "piper.http_server", "--host", "127.0.0.1", "--port", str(port)]
        log = (folder / "piper.log").open("wb")
        with log:
            self._process = subprocess.Popen([*command, "-m", str(model)], stdout=log, stderr=log, cwd=folder)
        self._client = Client(f"http://127.0.0.1:{port}")
        self._wait(folder / "piper.log")

    def speak(self, text: str) -> Sample:
        """Ask for a text."""
        cpu_ns, begun = process.cpu_ns(self._process.pid), time.perf_counter()
        answer = self._client.open("POST", "/synthesize", {"text": text})
        audio = answer.read(_HEADER_BYTES + 1)
        first_s = time.perf_counter() - begun
        audio += answer.read()
        whole_s = time.perf_counter() - begun
        self._client.close()
        return Sample(first_s, whole_s, (process.cpu_ns(self._process.pid) - cpu_ns) / 1e9, _length_s(audio))

    def close(self) -> None:
        """Stop the server."""
        self._process.kill()
        self._process.wait()

    def _wait(self, log: Path) -> None:
        until = time.monotonic() + _START_S
        while True:
            try:
                self._client.ask("GET", "/voices")
            except OSError as error:
                self._client.close()
                if self._process.poll() is not None or time.monotonic() > until:
                    raise Obstacle(log.read_text()[-500:]) from error
                time.sleep(0.1)
            else:
                self._client.close()
                return


def _length_s(audio: bytes) -> float:
    with wave.open(io.BytesIO(audio)) as file:
        return file.getnframes() / file.getframerate()
