"""Finished audio as an answer: whole, or one range of it, cacheable by its owner alone."""

from http import HTTPStatus

from flask import Response, request, send_file
from werkzeug.exceptions import PreconditionFailed

from voxgate.speech.artifacts import Artifacts, ArtifactStorageError
from voxgate.speech.jobs.base import Job

_ETAG_CHARACTERS = 32


def send_audio(job: Job, artifacts: Artifacts) -> Response | None:
    """Return the audio of a finished job, or None when it is no longer there.

    The file's name is made here, from the job's id and format; nothing of it comes from the caller.

    Args:
        job: A job that is done; its owner has been checked.
        artifacts: Where the audio lies.

    Raises:
        ArtifactStorageError: The folder cannot be read.
        PreconditionFailed: The caller's condition names other audio.
        RequestedRangeNotSatisfiable: The audio is shorter than the range begins.
    """
    path = artifacts.find(job.artifact or "")
    if path is None:
        return None
    _ignore_unusable_range()
    try:
        response = send_file(
            path,
            mimetype=job.media_type,
            as_attachment=True,
            download_name=f"voxgate-{job.id[:8]}.{job.output_format}",
            conditional=True,
            etag=job.fingerprint[:_ETAG_CHARACTERS],
            last_modified=(job.finished_at_ms or 0) // 1000,
        )
    except FileNotFoundError:
        return None  # it expired between the look and the opening
    except OSError as error:
        raise ArtifactStorageError(error) from error
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        response.close()
        raise PreconditionFailed
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _ignore_unusable_range() -> None:
    """Forget a Range that asks for nothing, for several ranges or in another method: RFC 9110, section 14.2."""
    wanted = request.range
    is_usable = wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1
    if request.method != "GET" or not is_usable:
        request.environ.pop("HTTP_RANGE", None)
