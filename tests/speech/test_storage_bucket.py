"""The bucket of finished audio: the folder's promises kept in an S3-compatible store."""

import io
import itertools
import urllib.request

import obstore
import pytest
from tests.speech.job_stage import FINGERPRINT, GivenClock
from tests.support.buckets import CREDENTIALS, running_bucket

from voxgate.speech.artifacts import ArtifactStorageError, ArtifactTooLargeError, Swept
from voxgate.speech.storage.address import BucketAddress, parse_bucket
from voxgate.speech.storage.bucket import BucketArtifacts
from voxgate.speech.storage.ranges import ObjectFile

NAME = f"{FINGERPRINT}.wav"
_prefixes = itertools.count()


@pytest.fixture(scope="module")
def server():
    with running_bucket() as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def open_artifacts(server, clock):
    """Open places on one part of the bucket, as several machines do."""
    address = parse_bucket(server.url(f"part{next(_prefixes)}"))

    def call(*, quota_bytes=1000, **options):
        given = {"ttl_s": 60, "sweep_every_s": 0, "quota_bytes": quota_bytes, **options}
        return BucketArtifacts(address, now_ms=clock.now_ms, **given)

    return call


@pytest.fixture
def artifacts(open_artifacts):
    return open_artifacts()


def put(artifacts, number=0, content=b"audio", suffix="wav"):
    return artifacts.write(f"{number:064x}", suffix, lambda out: out.write(content))


def read(artifacts, name):
    opened = artifacts.open(name)
    return opened and opened.file.read()


def objects(artifacts):
    return sorted(each["path"] for page in obstore.list(artifacts._store) for each in page)


class TestWriting:
    def test_written_artifact_is_read_whole_by_another_machine(self, open_artifacts, clock):
        """What one has written the other reads, with its size and its time."""
        artifact = open_artifacts().write(FINGERPRINT, "wav", lambda out: out.write(b"audio"))
        assert (artifact.name, artifact.size_bytes) == (NAME, 5)
        assert artifact.expires_at_ms == clock.now_ms() + 60_000
        opened = open_artifacts().open(NAME)
        assert (opened.size_bytes, opened.file.read()) == (5, b"audio")

    def test_first_of_two_writers_wins(self, open_artifacts):
        """An object never changes once it can be read, though its time starts anew."""

        def write(out):
            open_artifacts().write(FINGERPRINT, "wav", lambda inner: inner.write(b"first"))
            out.write(b"second, and longer")

        artifact = open_artifacts().write(FINGERPRINT, "wav", write)
        assert (artifact.size_bytes, read(open_artifacts(), NAME)) == (5, b"first")

    def test_what_belongs_to_an_artifact_is_stored_with_it(self, artifacts):
        """Captions are found wherever their audio is."""
        artifacts.write(FINGERPRINT, "wav", lambda out: out.write(b"audio"), beside=lambda: {"json": b"captions"})
        assert read(artifacts, NAME) == b"audio"
        assert read(artifacts, f"{FINGERPRINT}.json") == b"captions"

    @pytest.mark.parametrize(("audio", "captions"), [(b"x" * 1001, b""), (b"", b"x" * 1001)])
    def test_neither_is_stored_when_one_is_too_large(self, artifacts, audio, captions):
        """What is refused leaves the bucket as it was."""
        with pytest.raises(ArtifactTooLargeError):
            artifacts.write(FINGERPRINT, "wav", lambda out: out.write(audio), beside=lambda: {"json": captions})
        assert objects(artifacts) == []

    def test_expired_artifact_is_written_anew(self, artifacts, clock):
        """What has expired does not come back by being asked for again."""
        put(artifacts, content=b"old")
        clock.advance(60)
        assert put(artifacts, content=b"new").size_bytes == 3
        assert read(artifacts, f"{0:064x}.wav") == b"new"

    def test_failing_writer_leaves_nothing(self, artifacts):
        """What the writer raises passes through, and the bucket is as it was."""

        def write(out):
            out.write(b"half")
            raise KeyError

        with pytest.raises(KeyError):
            artifacts.write(FINGERPRINT, "wav", write)
        assert objects(artifacts) == []

    def test_larger_than_the_quota(self, artifacts):
        """What could never be kept is refused, and the bucket is as it was."""
        with pytest.raises(ArtifactTooLargeError):
            put(artifacts, content=b"x" * 1001)
        assert objects(artifacts) == []

    def test_only_names_are_taken(self, artifacts):
        """Nothing else can be written, read or kept."""
        with pytest.raises(ValueError, match="named by"):
            artifacts.write("../x", "wav", lambda _out: None)
        assert artifacts.open("used/x") is None
        assert artifacts.touch("used/x") is None


class TestTime:
    def test_touch_keeps_it(self, artifacts, clock):
        """It expires a fixed time after it was last asked for."""
        artifact = put(artifacts)
        clock.advance(50)
        assert artifacts.touch(artifact.name).expires_at_ms == clock.now_ms() + 60_000
        clock.advance(50)
        assert artifacts.sweep() == Swept(0, 0, 0)
        assert len(objects(artifacts)) == 2  # the older note of its use is gone
        clock.advance(10)
        assert artifacts.touch(artifact.name) is None
        assert artifacts.sweep() == Swept(1, 0, 0)
        assert objects(artifacts) == []

    def test_missing_one_is_not_touched(self, artifacts):
        """There is nothing to keep."""
        assert artifacts.touch(NAME) is None
        assert artifacts.open(NAME) is None

    def test_what_is_about_to_expire_is_not_kept(self, artifacts, clock):
        """A sweep elsewhere may just be removing it."""
        artifact = put(artifacts)
        clock.advance(56)
        assert artifacts.touch(artifact.name) is None

    def test_one_without_a_note_is_as_old_as_the_store_says(self, artifacts, clock):
        """A writer that died between both leaves nothing that stays for ever."""
        artifact = put(artifacts)
        obstore.delete(artifacts._store, [path for path in objects(artifacts) if path.startswith("used/")])
        clock.ms = int(obstore.head(artifacts._store, artifact.name)["last_modified"].timestamp() * 1000)
        assert artifacts.sweep() == Swept(0, 0, 0)
        clock.advance(60)
        assert artifacts.sweep() == Swept(1, 0, 0)

    def test_what_is_not_ours_stays(self, artifacts, clock):
        """Other objects under the same prefix are left alone."""
        for path in ("readme.txt", "used/what/ever"):
            obstore.put(artifacts._store, path, b"x")
        clock.advance(10**6)
        assert artifacts.sweep() == Swept(0, 0, 0)
        assert objects(artifacts) == ["readme.txt", "used/what/ever"]

    def test_sweeps_are_rare(self, open_artifacts, clock):
        """The bucket is listed once in a while, however often it is asked for."""
        artifacts = open_artifacts(sweep_every_s=600)
        assert artifacts.sweep() == Swept(0, 0, 0)
        put(artifacts)
        clock.advance(599)
        assert artifacts.sweep() == Swept(0, 0, 0)
        clock.advance(1)
        assert artifacts.sweep() == Swept(1, 0, 0)


class TestQuota:
    def test_the_oldest_make_room(self, artifacts, open_artifacts, clock):
        """Over the quota those go that were not asked for the longest; writing alone keeps the quota too."""
        large = open_artifacts(quota_bytes=10**6)
        for number in range(4):
            put(large, number, b"x" * 400)
            clock.advance(1)
        large.touch(f"{0:064x}.wav")
        assert artifacts.sweep() == Swept(0, 2, 0)
        assert [read(artifacts, f"{number:064x}.wav") is None for number in range(4)] == [False, True, True, False]
        clock.advance(1)
        put(artifacts, 9, b"x" * 900)
        assert [path for path in objects(artifacts) if "/" not in path] == [f"{9:064x}.wav"]


class TestAddress:
    def test_signed_address_opens_one_artifact(self, open_artifacts):
        """It has the type and a name, and opens without a credential."""
        artifacts = open_artifacts(signs_urls=True)
        artifact = put(artifacts, suffix="mp3")
        with urllib.request.urlopen(artifacts.sign_url(artifact.name)) as answer:  # noqa: S310 -- http, and ours
            assert answer.read() == b"audio"
            assert answer.headers["Content-Type"] == "audio/mpeg"
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=voxgate-")

    def test_no_address_when_readers_are_served_here(self, artifacts):
        """Then there is none."""
        assert artifacts.sign_url(put(artifacts).name) is None

    def test_address_of_a_bucket_is_read(self):
        """Bucket, prefix, and what the store needs."""
        assert parse_bucket("s3://audio") == BucketAddress("audio", "", None, None, is_virtual=False)
        url = "s3://audio/a/b/?endpoint=https://s3.example.org&region=here&style=virtual"
        assert parse_bucket(url) == BucketAddress("audio", "a/b", "https://s3.example.org", "here", is_virtual=True)

    @pytest.mark.parametrize(
        "url",
        [
            *("http://audio/x", "s3://", "s3://A", "s3://audio/../x", "s3://audio?secret=1", "s3://audio?style=odd"),
            *("s3://key:hunter2@audio", "s3://audio?endpoint=ftp://x", "s3://audio?endpoint=https://k:hunter2@x"),
        ],
    )
    def test_what_is_no_address(self, url):
        """It is refused without being repeated: it could hold a credential."""
        with pytest.raises(ValueError, match=r"address|name|style") as caught:
            parse_bucket(url)
        assert "hunter2" not in str(caught.value)


class TestTrouble:
    def test_bucket_that_is_away(self, clock):
        """Every call says so in one kind of error of one line, and nothing is half there."""
        with running_bucket() as server:
            artifacts = BucketArtifacts(parse_bucket(server.url()), now_ms=clock.now_ms, ttl_s=60, quota_bytes=1000)
            artifacts.check()
        clock.advance(5)
        calls = [lambda: put(artifacts), artifacts.sweep, artifacts.check]
        calls += [lambda: artifacts.open(NAME), lambda: artifacts.touch(NAME)]
        for call in calls:
            with pytest.raises(ArtifactStorageError) as caught:
                call()
            assert "\n" not in str(caught.value)

    def test_bucket_that_is_not_there(self, server, clock):
        """An object that is missing is none; a bucket that is missing is trouble."""
        address = parse_bucket(f"s3://missing?endpoint={server.endpoint}&region=us-east-1")
        artifacts = BucketArtifacts(address, now_ms=clock.now_ms, ttl_s=60, quota_bytes=1000)
        for call in (artifacts.check, lambda: put(artifacts)):
            with pytest.raises(ArtifactStorageError):
                call()


class TestRanges:
    @pytest.fixture
    def asked(self):
        return []

    @pytest.fixture
    def content(self):
        return bytes(range(256)) * 4096

    @pytest.fixture
    def file(self, asked, content):
        def read_range(start, end):
            asked.append((start, end))
            return content[start:end]

        return ObjectFile(read_range, len(content))

    def test_it_reads_like_a_file(self, file, content):
        """From wherever it is set to, in whatever pieces."""
        like = io.BytesIO(content)
        for offset, whence, size in (
            (0, 0, 10),
            (70_000, 0, 200_000),
            (-5, 2, 100),
            (3, 1, 1),
            (-20, 1, 5),
            (0, 0, -1),
        ):
            assert file.seek(offset, whence) == like.seek(offset, whence)
            assert file.read(size) == like.read(size)
            assert file.tell() == like.tell()
        assert file.seekable()
        file.close()

    def test_a_small_range_costs_little(self, file, asked):
        """Ten bytes are not answered by reading megabytes ahead, and nothing is asked for twice."""
        file.seek(100)
        assert len(file.read(10) + file.read(10)) == 20
        assert asked == [(100, 100 + 65_536)]

    def test_an_object_that_became_shorter_is_an_error(self):
        """Not the end of the audio."""
        with pytest.raises(EOFError):
            ObjectFile(lambda _start, _end: b"", 10).read()
