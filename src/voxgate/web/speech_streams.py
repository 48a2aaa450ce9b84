"""Speech sent while it is made: a bounded number at once, stopped when the client goes, broken off visibly."""

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import cast

from flask import Flask, Response, current_app

from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.events import TTS_STREAM_BROKEN
from voxgate.speech.errors import SynthesisFailedError
from voxgate.speech.request import SpeechRequest
from voxgate.speech.streaming import SpeechStream
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.gathering import gather
from voxgate.web.places import Places

EXTENSION = "voxgate.streams"
WAIT_S = 0.5
WHOLE_WITHIN_MS = 2_000
WHOLE_BYTES = 1 << 25

_log = logging.getLogger("voxgate.web")


def limit_streams(app: Flask, streams_max: int) -> None:
    """Bound how many streams one process makes at once: each holds a thread."""
    app.extensions[EXTENSION] = Places(streams_max)


def stream_places() -> Places:
    """Return the places of this process."""
    return cast("Places", current_app.extensions[EXTENSION])


class OpenedStream:
    """A stream whose first bytes are there, so that what fails at once is an answer and not a broken stream.

    It holds a place, which closing gives to another.
    """

    def __init__(self, stream: SpeechStream, first: bytes, *, places: Places) -> None:
        self.stream = stream
        self._first = first
        self._places = places
        self._request_id = gate.request_id
        # What is sent outlives its request, and with it everything that asks who it was.
        self._events = services().events
        self._who = {"user_id": gate.principal.subject, "ip_address": gate.address, "request_id": gate.request_id}
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes.

        Raises:
            SynthesisFailedError: The rest cannot be spoken.
        """
        try:
            yield self._first
            yield from self.stream
        except SynthesisFailedError as error:
            sent_s = round(self.stream.duration_s, 1)
            _log.warning("request %s: speech broke off after %.1f s of audio: %s", self._request_id, sent_s, error)
            self._events(TTS_STREAM_BROKEN, {**self._who, "sent_s": sent_s, "code": error.reason})
            raise

    def close(self) -> None:
        """Speak nothing more, and let another stream begin; closing again is no error."""
        if not self._is_closed:
            self._is_closed = True
            self.stream.close()
            self._places.give_back()


def open_stream(request: SpeechRequest, *, with_captions: bool = False) -> OpenedStream | Refusal:
    """Begin to speak a request in which no fault was found, with captions of it only where they are wanted.

    Returns:
        The stream, or why there is none: too many are under way, or the text cannot be spoken.
    """
    places = stream_places()
    # Speech is usually over in milliseconds, so waiting a little is better than a refusal.
    if not places.take(wait_s=WAIT_S):
        return Refusal("STREAMS_FULL")
    with ExitStack() as undo:
        undo.callback(places.give_back)
        try:
            stream = services().synthesizer.stream(request, with_captions=with_captions)
            undo.callback(stream.close)
            first = next(stream, b"")
        except SynthesisFailedError as error:
            return _refusal_of(error)
        undo.pop_all()
    return OpenedStream(stream, first, places=places)


def send_audio(opened: OpenedStream) -> Response | Refusal:
    """Return the audio itself, in chunks as it is made.

    A format whose first bytes tell its length is kept until it is whole, and sent with its true length, unless that
    takes longer than two seconds: then its first bytes say that the length is not known.
    """
    form = opened.stream.form
    if not form.tells_length:
        return Response(_Sent(iter(opened), opened), mimetype=form.media_type)
    chunks = iter(opened)
    try:
        kept, is_whole = _keep(chunks, services().clock)
    except SynthesisFailedError as error:
        opened.close()
        return _refusal_of(error)
    if not is_whole:
        return Response(_Sent(chain((kept,), chunks), opened), mimetype=form.media_type)
    opened.close()
    head = opened.stream.head()
    return Response(head + kept[len(head) :], mimetype=form.media_type)


def send_events(opened: OpenedStream, *, characters: int, with_captions: bool = False) -> Response:
    """Return the audio as server-sent events in OpenAI's form; a fault is the last event.

    Args:
        opened: What is spoken.
        characters: How many are spoken.
        with_captions: Whether each sentence is told, in an event of our own, before its audio.
    """
    # A proxy that collects an answer before it passes it on would undo what events are for.
    headers = {"X-Accel-Buffering": "no"}
    events = _events(opened, characters, with_captions=with_captions)
    return Response(_Sent(events, opened), mimetype="text/event-stream", headers=headers)


class _Sent:
    """What the server sends; it calls ``close`` at the end, also when the client has gone."""

    def __init__(self, chunks: Iterator[bytes], opened: OpenedStream) -> None:
        self._opened = opened
        self._clock = services().clock
        self._began_ms = self._clock.now_ms()
        self._given_s = 0.0
        self._pieces = gather(chunks, has_time=self._has_time)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._given_s = self._opened.stream.duration_s
            yield piece

    def close(self) -> None:
        self._opened.close()

    def _has_time(self) -> bool:
        """Tell whether who listens from the first byte on has heard less than half of what was given."""
        return (self._clock.now_ms() - self._began_ms) / 1000 < self._given_s / 2


def _keep(chunks: Iterator[bytes], clock: Clock) -> tuple[bytes, bool]:
    """Return what was made within two seconds, and whether that is everything."""
    began_ms = clock.now_ms()
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        if clock.now_ms() - began_ms > WHOLE_WITHIN_MS or len(kept) > WHOLE_BYTES:
            return bytes(kept), False
    return bytes(kept), True


def _events(opened: OpenedStream, characters: int, *, with_captions: bool) -> Iterator[bytes]:
    try:
        for chunk in opened:
            for segment in opened.stream.new_captions() if with_captions else ():
                yield _event({"type": "speech.captions.delta", "segment": segment.told()})
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    except SynthesisFailedError as error:
        problem = {"message": f"{error}.", "type": "server_error", "param": None, "code": "synthesis_failed"}
        yield _event({"type": "error", "error": problem})
        return
    # Nothing here is counted in tokens; a character is the unit that is.
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _refusal_of(error: SynthesisFailedError) -> Refusal:
    if error.reason == "engine_unavailable":
        return Refusal("ENGINE_UNAVAILABLE")
    return Refusal("SYNTHESIS_FAILED", f"{error}.")
