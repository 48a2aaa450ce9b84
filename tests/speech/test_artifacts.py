"""The folder of finished audio: whole files only, one per sound, gone in time, never over its size."""

import errno
import functools
import os
import resource
import subprocess
import sys
import threading

import pytest
from tests.speech.job_stage import FINGERPRINT, PATIENCE_S, GivenClock

from voxgate.speech.artifacts import ArtifactStorageError, ArtifactTooLargeError, Swept
from voxgate.speech.storage.folder import FolderArtifacts

NAME = f"{FINGERPRINT}.wav"


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "audio"


@pytest.fixture
def artifacts(folder, clock):
    return FolderArtifacts(folder, now_ms=clock.now_ms, ttl_s=60, quota_bytes=1000)


def put(artifacts, number=0, size_bytes=10):
    """Store an artifact of a given size under the fingerprint of a given number."""
    return artifacts.write(f"{number:064x}", "wav", lambda out: out.write(b"x" * size_bytes))


def names(folder):
    """List what lies in the folder, except the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


class TestWriting:
    def test_written_artifact_is_found_whole(self, artifacts, folder, clock):
        """What was written is there under its name, with its size and its time."""
        artifact = artifacts.write(FINGERPRINT, "wav", lambda out: out.write(b"audio"))
        assert (artifact.name, artifact.size_bytes) == (NAME, 5)
        assert artifact.expires_at_ms == clock.now_ms() + 60_000
        assert artifacts.find(NAME) == folder / artifact.name
        assert (folder / artifact.name).read_bytes() == b"audio"
        assert names(folder) == [NAME]

    def test_artifact_is_not_seen_before_it_is_whole(self, artifacts):
        """A reader never meets half a file."""
        seen = []

        def write(out):
            out.write(b"half")
            out.flush()
            seen.append(artifacts.find(NAME))
            out.write(b"whole")

        artifacts.write(FINGERPRINT, "wav", write)
        assert seen == [None]

    def test_first_of_two_writers_wins(self, artifacts, folder):
        """A file never changes once it can be read, though its time starts anew."""

        def write(out):
            artifacts.write(FINGERPRINT, "wav", lambda inner: inner.write(b"first"))
            out.write(b"second, and longer")

        artifact = artifacts.write(FINGERPRINT, "wav", write)
        assert (folder / artifact.name).read_bytes() == b"first"
        assert artifact.size_bytes == 5
        assert names(folder) == [NAME]

    def test_what_belongs_to_an_artifact_is_there_no_later(self, artifacts, folder, monkeypatch):
        """Captions are found wherever their audio is, and the disk is waited for once for both names."""
        synced = []
        monkeypatch.setattr("voxgate.speech.storage.folder._sync_folder", lambda path: synced.append(names(path)))
        artifact = artifacts.write(
            FINGERPRINT, "wav", lambda out: out.write(b"audio"), beside=lambda: {"json": b"captions"}
        )
        assert (artifact.name, artifact.size_bytes) == (NAME, 5)
        assert (folder / f"{FINGERPRINT}.json").read_bytes() == b"captions"
        assert synced == [[f"{FINGERPRINT}.json", NAME]]

    def test_what_is_beside_is_asked_for_when_the_writer_is_done(self, artifacts, folder):
        """It may be found out by writing; when it cannot be given, nothing is left."""
        order = []

        def fail():
            order.append("beside")
            raise KeyError

        with pytest.raises(KeyError):
            artifacts.write(FINGERPRINT, "wav", lambda _out: order.append("writer"), beside=fail)
        assert order == ["writer", "beside"]
        assert names(folder) == []

    def test_too_large_beside_leaves_nothing(self, artifacts, folder):
        """Neither has a name as long as one of them cannot be kept."""
        with pytest.raises(ArtifactTooLargeError):
            artifacts.write(FINGERPRINT, "wav", lambda _out: None, beside=lambda: {"json": b"x" * 10**7})
        assert names(folder) == []

    def test_expired_artifact_is_written_anew(self, artifacts, clock):
        """What has expired does not come back by being asked for again."""
        artifacts.write(FINGERPRINT, "wav", lambda out: out.write(b"old"))
        clock.advance(60)
        artifacts.write(FINGERPRINT, "wav", lambda out: out.write(b"new"))
        assert artifacts.find(NAME).read_bytes() == b"new"

    def test_failing_writer_leaves_nothing(self, artifacts, folder):
        """What the writer raises passes through, and no half file stays."""

        def write(out):
            out.write(b"half")
            raise KeyError

        with pytest.raises(KeyError):
            artifacts.write(FINGERPRINT, "wav", write)
        assert names(folder) == []

    def test_many_threads_writing_one_artifact_leave_one_file(self, artifacts, folder):
        """Racing writers of equal audio end with one whole file."""
        barrier = threading.Barrier(8)

        def write(out):
            barrier.wait(PATIENCE_S)
            out.write(b"audio")

        def run():
            artifacts.write(FINGERPRINT, "wav", write)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert names(folder) == [NAME]
        assert (folder / NAME).read_bytes() == b"audio"

    def test_audio_larger_than_the_quota_is_refused(self, artifacts, folder):
        """One audio that could never be kept is told apart from a full disk."""
        with pytest.raises(ArtifactTooLargeError) as caught:
            put(artifacts, size_bytes=1001)
        assert (caught.value.size_bytes, caught.value.quota_bytes) == (1001, 1000)
        assert names(folder) == []


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "",
            "..",
            "../secret.key",
            "a.wav",
            f"{FINGERPRINT}.exe",
            f"{FINGERPRINT.upper()}.wav",
            f"{NAME}\n",
            f"x/{NAME}",
            f"{NAME}/..",
            ".lock",
        ],
    )
    def test_name_that_is_none_is_never_looked_up(self, artifacts, name):
        """Only a fingerprint and a known suffix name a file; no path gets through."""
        put(artifacts)
        assert artifacts.find(name) is None
        assert artifacts.touch(name) is None

    @pytest.mark.parametrize(("fingerprint", "suffix"), [("../x", "wav"), (FINGERPRINT, "exe"), (FINGERPRINT, "wav/x")])
    def test_name_that_is_none_is_never_written(self, artifacts, folder, fingerprint, suffix):
        """A bad name is a fault of ours and touches no disk."""
        with pytest.raises(ValueError, match="64 hexadecimal"):
            artifacts.write(fingerprint, suffix, bool)
        assert not folder.exists()


class TestExpiry:
    def test_artifact_is_gone_at_the_end_of_its_time(self, artifacts, clock):
        """An expired artifact is not found, swept or not."""
        put(artifacts, 1)
        clock.advance(59.999)
        assert artifacts.find(f"{1:064x}.wav") is not None
        clock.advance(0.001)
        assert artifacts.find(f"{1:064x}.wav") is None

    def test_touched_artifact_lasts_from_then_on(self, artifacts, clock):
        """Asking for the same audio again starts its time anew."""
        put(artifacts, 1)
        clock.advance(59)
        assert artifacts.touch(f"{1:064x}.wav").expires_at_ms == clock.now_ms() + 60_000
        clock.advance(59)
        assert artifacts.find(f"{1:064x}.wav") is not None

    def test_missing_or_expired_artifact_cannot_be_touched(self, artifacts, clock):
        """Touching brings nothing back."""
        assert artifacts.touch(NAME) is None
        put(artifacts, 1)
        assert artifacts.touch(NAME) is None
        clock.advance(60)
        assert artifacts.touch(f"{1:064x}.wav") is None


class TestSweeping:
    def test_expired_go_first_then_the_oldest_until_the_quota_holds(self, folder, clock):
        """A sweep keeps as many of the newest as the quota allows."""
        large = FolderArtifacts(folder, now_ms=clock.now_ms, ttl_s=60, quota_bytes=10_000)
        for number in range(6):
            put(large, number, size_bytes=300)
            clock.advance(10)
        clock.advance(5)
        small = FolderArtifacts(folder, now_ms=clock.now_ms, ttl_s=60, quota_bytes=1000)
        assert small.sweep() == Swept(expired=1, over_quota=2, abandoned=0)
        assert names(folder) == [f"{number:064x}.wav" for number in (3, 4, 5)]

    def test_sweep_without_need_removes_nothing(self, artifacts):
        """A live artifact within the quota stays."""
        put(artifacts)
        assert artifacts.sweep() == Swept(0, 0, 0)

    def test_missing_folder_needs_no_sweep(self, artifacts):
        """Before the first write there is nothing to do."""
        assert artifacts.sweep() == Swept(0, 0, 0)

    def test_folder_keeps_its_quota_without_anybody_sweeping(self, artifacts, folder, clock):
        """Writing sweeps by itself, so the folder passes its quota by one file at most."""
        for number in range(40):
            put(artifacts, number, size_bytes=100)
            clock.advance(0.01)
            assert sum((folder / name).stat().st_size for name in names(folder)) <= 1100

    def test_file_that_is_being_written_is_never_swept(self, artifacts, folder):
        """However long a writer takes, its half file is its own."""
        swept = []

        def write(out):
            out.write(b"half")
            out.flush()
            os.utime(next(folder.glob("*.part")), (0, 0))
            swept.append(artifacts.sweep())

        artifacts.write(FINGERPRINT, "wav", write)
        assert swept == [Swept(0, 0, 0)]
        assert names(folder) == [NAME]

    def test_half_file_of_a_dead_writer_is_swept(self, artifacts, folder):
        """What a killed process left is known by its lock, which died with it."""
        put(artifacts)
        (folder / f"{NAME}.0123456789abcdef.part").write_bytes(b"half")
        assert artifacts.sweep() == Swept(expired=0, over_quota=0, abandoned=1)
        assert names(folder) == [f"{0:064x}.wav"]

    def test_other_files_are_left_alone(self, artifacts, folder):
        """Only what has an artifact's name is an artifact."""
        put(artifacts)
        (folder / "README.txt").write_text("mine")
        artifacts.sweep()
        assert "README.txt" in names(folder)


class TestTroubleOfTheDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
    def test_full_or_read_only_disk_is_said_and_leaves_nothing(self, artifacts, folder, monkeypatch, number):
        """The system's refusal becomes one clear error; once it is over, writing works again."""

        def fail(_descriptor):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(ArtifactStorageError) as caught:
                put(artifacts)
        assert caught.value.errno == number
        assert names(folder) == []
        put(artifacts)

    def test_disk_that_ends_within_a_file_leaves_nothing(self, folder):
        """A real limit of the system in the middle of a write: an error, no half file."""
        program = (
            "import sys, resource, pathlib\n"
            "from voxgate.speech.storage.folder import *\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "artifacts = FolderArtifacts(pathlib.Path(sys.argv[1]), now_ms=lambda: 1, ttl_s=60, quota_bytes=10**9)\n"
            "try:\n"
            "    artifacts.write('ab' * 32, 'wav', lambda out: [out.write(b'x' * 4096) for _ in range(100)])\n"
            "except ArtifactStorageError as error:\n"
            "    print(error.errno)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        assert int(ran.stdout) == errno.EFBIG
        assert names(folder) == []
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000

    def test_folder_that_is_a_file_is_trouble_of_storage(self, folder, artifacts):
        """A folder that cannot be one is said in every operation that needs it."""
        folder.write_text("in the way")
        find, touch = (functools.partial(one, NAME) for one in (artifacts.find, artifacts.touch))
        for broken in (functools.partial(put, artifacts), find, touch, artifacts.sweep):
            with pytest.raises(ArtifactStorageError):
                broken()

    def test_touching_before_the_first_write_finds_nothing(self, artifacts):
        """No folder, no artifact, no trouble."""
        assert artifacts.touch(NAME) is None
