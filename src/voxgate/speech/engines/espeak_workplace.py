"""The temporary folder in which worker processes work; it holds nothing that outlives them."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

import espeakng_loader

from voxgate.speech.engines.espeak_data import link_data

_PREFIX = "voxgate-espeak-"
_YOUNG_S = 60.0  # a younger folder may belong to a process that is about to lock it


class Workplace:
    """A folder of links to espeak-ng's data, with room for voice variants; locked as long as it is in use."""

    def __init__(self) -> None:
        """Make the folder, and remove those of services that were killed."""
        _sweep(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        # The lock keeps other services' sweeps away, and systemd-tmpfiles, which removes old files below /tmp.
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        link_data(Path(espeakng_loader.get_data_path()), self.path)

    def remove(self) -> None:
        """Remove the folder; its workers have ended."""
        os.close(self._lock)
        self._folder.cleanup()


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, not a folder, or another user's
            continue
        try:
            if _is_ours(os.fstat(descriptor)):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # a running service has locked it
            continue
        finally:
            os.close(descriptor)


def _is_ours(status: os.stat_result) -> bool:
    is_old = time.time() - status.st_mtime > _YOUNG_S
    return is_old and status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
