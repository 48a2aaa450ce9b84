"""Finished audio as an answer: whole, or one range of it, cacheable by its owner alone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import IO, cast

from flask import Response, request
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wsgi import wrap_file

from voxgate.gate.errors import Refusal
from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs.base import Job
from voxgate.web.gathering import PIECE_BYTES, gather
from voxgate.web.speech_streams import stream_places

BLOCK_BYTES = 1 << 16
PLACELESS_BYTES = 2 * PIECE_BYTES  # so much the server takes from a thread before the client has taken anything

_ETAG_CHARACTERS = 32
_WITH_BODY = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


def send_audio(job: Job, artifacts: Artifacts) -> Response | Refusal | None:
    """Return the audio of a finished job, why it must wait, or None when it is no longer there.

    The file's name is made here, from the job's id and format; nothing of it comes from the caller. Where the place of
    the audio signs addresses, a GET is sent there, once its conditions are met; who may have it was decided before.

    Args:
        job: A job that is done; its owner has been checked.
        artifacts: Where the audio lies.

    Raises:
        ArtifactStorageError: The place cannot be read.
        PreconditionFailed: The caller's condition names other audio.
        RequestedRangeNotSatisfiable: The audio is shorter than the range begins.
    """
    opened = artifacts.open(job.artifact or "")
    if opened is None:
        return None
    _ignore_unusable_range()
    blocks = wrap_file(request.environ, cast("IO[bytes]", opened.file), BLOCK_BYTES)
    response = Response(blocks, mimetype=job.media_type, direct_passthrough=True)
    response.call_on_close(opened.file.close)
    response.content_length = opened.size_bytes
    response.headers.set("Content-Disposition", "attachment", filename=f"voxgate-{job.id[:8]}.{job.output_format}")
    response.set_etag(job.fingerprint[:_ETAG_CHARACTERS])
    response.last_modified = datetime.fromtimestamp((job.finished_at_ms or 0) // 1000, UTC)
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=opened.size_bytes)
    except Exception:
        response.close()
        raise
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        response.close()
        raise PreconditionFailed
    response.headers["Cache-Control"] = "private, no-cache"
    url = artifacts.sign_url(job.artifact or "") if _wants_body(response) else None
    if url is not None:
        return _redirect(response, url)
    response.response = gather(iter(cast("Iterable[bytes]", response.response)))
    response.direct_passthrough = False  # so that its end is told
    return _with_place(response)


def _with_place(response: Response) -> Response | Refusal:
    """Give an answer that a slow client may draw out one of the few places for such; a short one needs none."""
    if not _wants_body(response) or (response.content_length or 0) <= PLACELESS_BYTES:
        return response
    places = stream_places()
    if not places.take():
        response.close()
        return Refusal("STREAMS_FULL")
    response.call_on_close(places.give_back)
    return response


def _wants_body(response: Response) -> bool:
    return request.method == "GET" and response.status_code in _WITH_BODY


def _redirect(response: Response, url: str) -> Response:
    """Send the caller to where the audio is; the address opens it for anybody, so nobody keeps it."""
    response.close()
    answer = Response(status=HTTPStatus.FOUND, headers={"Location": url, "Cache-Control": "no-store"})
    del answer.headers["Content-Type"]
    return answer


def _ignore_unusable_range() -> None:
    """Forget a Range that asks for nothing, for several ranges or in another method: RFC 9110, section 14.2."""
    wanted = request.range
    is_usable = wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1
    if request.method != "GET" or not is_usable:
        request.environ.pop("HTTP_RANGE", None)
