"""What the doctor looks at beyond this machine, where the settings name it: the place of the audio, and the broker."""

from collections.abc import Iterator

from voxgate.cli.findings import Finding, State
from voxgate.gate.clock import SystemClock
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings
from voxgate.speech.errors import SpeechError
from voxgate.working import check_broker, open_artifacts

_INSTALL = "install the extra that the text names, in the environment of this command"


def check_audio(settings: Settings) -> Iterator[Finding]:
    """Look at whether the bucket of the audio answers; a folder is looked at with the data folder and the disk."""
    if settings.audio_store is None:
        return
    try:
        open_artifacts(settings, SystemClock()).check()
    except ConfigurationError as error:
        yield Finding(State.FAIL, "audio", str(error), _INSTALL)
    except SpeechError as error:
        mend = "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=..., or correct VOXGATE_AUDIO_STORE"
        yield Finding(State.FAIL, "audio", str(error), mend)
    else:
        yield Finding(State.OK, "audio", "the bucket answers and can be listed")


def check_messages(settings: Settings) -> Iterator[Finding]:
    """Look at whether the broker answers that tells workers of jobs."""
    if settings.jobs != "celery":
        return
    try:
        check_broker(settings)
    except ConfigurationError as error:
        yield Finding(State.FAIL, "broker", str(error), _INSTALL)
    except SpeechError as error:
        yield Finding(State.FAIL, "broker", str(error), "start the broker, or correct VOXGATE_BROKER_URL")
    else:
        yield Finding(State.OK, "broker", "answers")
