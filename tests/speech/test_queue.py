"""The queue of jobs: one row, one lease, one fence, and whoever is not its holder changes nothing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.speech.job_stage import FINGERPRINT, START_MS, GivenClock, audio, create_database, submit

from voxgate.speech.jobs.base import Cursor, FailureCode, JobState, QueueFull
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.request import SpeechRequest


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def events():
    return []


@pytest.fixture
def engine(jobs_url):
    engine = create_database(jobs_url)
    yield engine
    engine.dispose()


@pytest.fixture
def queue(engine, clock, events):
    def hear(name, fields):
        events.append((name, fields))

    return JobQueue(engine, now_ms=clock.now_ms, queue_max=5, on_event=hear)


class TestSubmit:
    def test_submitted_job_waits_with_everything_it_was_asked(self, queue):
        """What was asked is in the row, and the answer is the row."""
        settings = {"sample_rate_hz": 16_000, "language": "vi", "input_format": "ssml"}
        request = SpeechRequest("Good day.", "Kore", "mp3", 1.5, -2.0, **settings)
        job = queue.submit(request, owner="ann", fingerprint=FINGERPRINT)
        assert job == queue.find(job.id, "ann")
        asked = (job.text, job.voice_name, job.output_format, job.speed_ratio, job.pitch_semitones)
        assert asked == ("Good day.", "Kore", "mp3", 1.5, -2.0)
        assert {name: getattr(job, name) for name in settings} == settings
        assert (job.state, job.characters, job.created_at_ms) == (JobState.QUEUED, 9, START_MS)
        assert (job.progress_ratio, job.is_active, job.attempts) == (0.0, True, 0)

    def test_ids_are_unguessable_and_differ(self, queue):
        """An id is 128 random bits in hexadecimal."""
        ids = {submit(queue).id for _ in range(5)}
        assert len(ids) == 5
        assert all(len(job_id) == 32 and int(job_id, 16) >= 0 for job_id in ids)

    def test_full_queue_takes_nothing_until_a_job_is_claimed(self, queue):
        """A full queue is an expected no, and writes nothing."""
        for _ in range(5):
            submit(queue)
        assert queue.submit(SpeechRequest("x"), owner="ann", fingerprint=FINGERPRINT) == QueueFull(5)
        assert len(queue.list("ann").jobs) == 5
        queue.claim("w")
        submit(queue)

    def test_text_is_never_shown_and_is_forgotten_at_the_end(self, queue):
        """The text to be spoken is in no repr, and no longer in the row once the job has ended."""
        submit(queue, text="my secret")
        job = queue.claim("w")
        assert job.text == "my secret"
        assert "secret" not in repr(job)
        queue.finish(job, audio())
        assert queue.find(job.id, "ann").text == ""


class TestOwnership:
    def test_job_of_another_is_no_job(self, queue):
        """Whatever is asked about another's job, it does not exist."""
        job = submit(queue)
        assert queue.find(job.id, "bob") is None
        assert queue.cancel(job.id, "bob") is False
        assert queue.remove(job.id, "bob") is False
        assert queue.list("bob").jobs == ()
        assert queue.find(job.id, "ann") == job

    def test_unknown_job_is_none(self, queue):
        """An id nobody has is no error."""
        assert queue.find("0" * 32, "ann") is None


class TestClaim:
    def test_claimed_job_is_nobody_elses_while_its_lease_lasts(self, queue, clock):
        """One job, one worker; a claim counts as an attempt and raises the fence."""
        job = submit(queue)
        claimed = queue.claim("w1")
        assert (claimed.id, claimed.state, claimed.lease_by) == (job.id, JobState.RUNNING, "w1")
        assert (claimed.attempts, claimed.fence, claimed.started_at_ms) == (1, 1, START_MS)
        clock.advance(14.999)
        assert queue.claim("w2") is None

    def test_job_of_a_silent_worker_is_claimed_again_when_its_lease_is_over(self, queue, clock):
        """A killed worker's job is back exactly at the end of its lease, and remembers when it first began."""
        submit(queue)
        first = queue.claim("w1")
        clock.advance(15)
        second = queue.claim("w2")
        assert (second.id, second.attempts, second.fence) == (first.id, 2, 2)
        assert second.started_at_ms == first.started_at_ms

    def test_renewed_lease_lasts_from_its_renewal(self, queue, clock):
        """A sign of life prolongs the lease by its whole length."""
        submit(queue)
        job = queue.claim("w1")
        clock.advance(10)
        assert queue.renew(job, done=1, total=4)
        clock.advance(10)
        assert queue.claim("w2") is None
        seen = queue.find(job.id, "ann")
        assert (seen.segments_done, seen.segments_total, seen.progress_ratio) == (1, 4, 0.25)

    def test_renewing_without_progress_keeps_the_progress(self, queue):
        """A heartbeat does not touch what is shown."""
        submit(queue)
        job = queue.claim("w1")
        queue.renew(job, done=2, total=4)
        assert queue.renew(job)
        assert queue.find(job.id, "ann").segments_done == 2

    def test_oldest_job_of_an_owner_comes_first(self, queue, clock):
        """First in, first out."""
        jobs = []
        for _ in range(3):
            jobs.append(submit(queue))
            clock.advance(0.001)
        assert [queue.claim("w").id for _ in jobs] == [job.id for job in jobs]

    def test_owners_take_turns_by_how_many_of_their_jobs_run(self, queue, clock):
        """Four jobs of one owner do not keep another's single, younger job waiting."""
        for _ in range(4):
            submit(queue, owner="ann")
            clock.advance(0.001)
        submit(queue, owner="bob")
        assert [queue.claim("w").owner for _ in range(5)] == ["ann", "bob", "ann", "ann", "ann"]

    def test_jobs_of_dead_workers_do_not_count_as_running(self, queue, clock):
        """An owner whose job's worker died is not put behind for it."""
        submit(queue, owner="ann")
        queue.claim("dead")
        clock.advance(1)
        submit(queue, owner="bob")
        clock.advance(15)
        assert queue.claim("w").owner == "ann"

    def test_empty_queue_gives_none(self, queue):
        """Nothing to do is no error."""
        assert queue.claim("w") is None


class TestFence:
    @pytest.fixture
    def late(self, queue, clock):
        """A worker that was believed dead: its job is another's by now."""
        submit(queue)
        late = queue.claim("w1")
        clock.advance(15)
        self.holder = queue.claim("w2")
        return late

    def test_late_worker_changes_nothing(self, queue, late, events):
        """Every write under an old fence is void, and tells nobody."""
        events.clear()
        before = queue.find(late.id, "ann")
        assert queue.renew(late, done=9, total=9) is False
        assert queue.finish(late, audio()) is False
        assert queue.fail(late, FailureCode.SYNTHESIS_FAILED, "x") is False
        assert queue.release(late, is_attempt=True) is False
        assert queue.find(late.id, "ann") == before
        assert events == []

    def test_holder_still_finishes(self, queue, late):
        """The late worker does not harm the one that holds the job."""
        assert queue.finish(self.holder, audio()) is True
        assert queue.find(late.id, "ann").state is JobState.DONE

    def test_second_finish_is_void(self, queue, events):
        """A job finishes once, also for its own worker."""
        submit(queue)
        job = queue.claim("w")
        events.clear()
        assert [queue.finish(job, audio()) for _ in range(2)] == [True, False]
        assert [name for name, _ in events] == ["tts_job_finished"]

    def test_late_worker_may_still_finish_if_nobody_took_the_job(self, queue, clock):
        """A lease that is over takes nothing away as long as nobody else wants the job."""
        submit(queue)
        job = queue.claim("w")
        clock.advance(60)
        assert queue.renew(job)
        assert queue.finish(job, audio())


class TestEnds:
    def test_finished_job_says_what_came_of_it(self, queue, clock, events):
        """The row of a finished job describes its audio; the event has ids and numbers, no text."""
        submit(queue, text="my secret")
        job = queue.claim("w")
        clock.advance(2)
        queue.finish(job, audio(START_MS + 600_000))
        done = queue.find(job.id, "ann")
        assert (done.artifact, done.media_type, done.size_bytes) == (f"{FINGERPRINT}.wav", "audio/wav", 44)
        assert (done.duration_s, done.progress_ratio, done.is_active) == (1.5, 1.0, False)
        assert (done.finished_at_ms, done.lease_by) == (START_MS + 2000, None)
        assert not done.is_expired(START_MS + 599_999)
        assert done.is_expired(START_MS + 600_000)
        assert [name for name, _ in events] == ["tts_job_submitted", "tts_job_finished"]
        assert events[1][1]["job_id"] == job.id
        assert "secret" not in repr(events)

    def test_failed_job_says_why(self, queue, events):
        """A failure has a code for programs and words for people, cut to what the row holds."""
        submit(queue)
        job = queue.claim("w")
        queue.fail(job, FailureCode.SYNTHESIS_FAILED, "Segment 2 could not be spoken" + "." * 900)
        failed = queue.find(job.id, "ann")
        assert (failed.state, failed.error_code) == (JobState.FAILED, "SYNTHESIS_FAILED")
        assert failed.error_detail.startswith("Segment 2")
        assert len(failed.error_detail) == 500
        assert events[-1][0] == "tts_job_failed"
        assert events[-1][1]["code"] == "SYNTHESIS_FAILED"

    def test_progress_is_whole_only_when_the_audio_is_there(self, queue):
        """All segments spoken is not yet done."""
        submit(queue)
        job = queue.claim("w")
        queue.renew(job, done=4, total=4)
        assert queue.find(job.id, "ann").progress_ratio == 0.99

    @pytest.mark.parametrize("is_claimed", [False, True])
    def test_cancelled_job_is_nobodys(self, queue, is_claimed):
        """Cancelling ends a waiting and a running job alike; its worker learns it at the next renewal."""
        job = submit(queue)
        claimed = queue.claim("w") if is_claimed else job
        assert queue.cancel(job.id, "ann") is True
        assert queue.renew(claimed) is False
        assert queue.finish(claimed, audio()) is False
        assert queue.claim("w") is None
        seen = queue.find(job.id, "ann")
        assert (seen.state, seen.text) == (JobState.CANCELLED, "")

    def test_ended_job_cannot_be_cancelled_but_removed(self, queue):
        """Removing is for jobs that have ended, cancelling for those that have not."""
        job = submit(queue)
        assert queue.remove(job.id, "ann") is False
        queue.cancel(job.id, "ann")
        assert queue.cancel(job.id, "ann") is False
        assert queue.remove(job.id, "ann") is True
        assert queue.find(job.id, "ann") is None


class TestRelease:
    def test_released_job_is_claimed_anew_at_once(self, queue):
        """A job that is handed back loses nothing, not even an attempt."""
        submit(queue)
        job = queue.claim("w1")
        queue.renew(job, done=2, total=3)
        assert queue.release(job, is_attempt=False)
        waiting = queue.find(job.id, "ann")
        assert (waiting.state, waiting.attempts, waiting.segments_done) == (JobState.QUEUED, 0, 0)
        assert queue.claim("w2").attempts == 1

    def test_paused_job_waits_behind_others(self, queue, clock):
        """A pause keeps a job from being claimed before its time, and nobody else."""
        submit(queue)
        job = queue.claim("w1")
        queue.release(job, is_attempt=True, pause_s=10)
        other = submit(queue, owner="bob")
        clock.advance(9.999)
        assert queue.claim("w2").id == other.id
        assert queue.claim("w2") is None
        clock.advance(0.001)
        assert queue.claim("w2").id == job.id


class TestGivingUp:
    def test_job_is_begun_three_times_and_then_failed_with_the_reason(self, queue, clock, events):
        """A job that kills its workers ends, and the queue moves on."""
        job = submit(queue)
        for attempt in (1, 2, 3):
            assert queue.claim("w").attempts == attempt
            assert queue.give_up() == ()
            clock.advance(15)
        other = submit(queue)
        assert queue.claim("w").id == other.id
        assert [given_up.id for given_up in queue.give_up()] == [job.id]
        failed = queue.find(job.id, "ann")
        assert (failed.state, failed.error_code) == (JobState.FAILED, "ATTEMPTS_EXHAUSTED")
        assert "3 times" in failed.error_detail
        assert events[-1][0] == "tts_job_failed"
        assert queue.give_up() == ()

    def test_third_attempt_is_left_alone_while_it_is_alive(self, queue, clock):
        """A last attempt that renews its lease is not given up."""
        submit(queue)
        for _ in range(3):
            job = queue.claim("w")
            clock.advance(15)
        queue.renew(job)
        assert queue.give_up() == ()
        assert queue.finish(job, audio())

    def test_job_that_nobody_can_finish_ends_after_a_day(self, queue, clock):
        """Nothing waits for ever, however often it is handed back without blame."""
        job = submit(queue)
        clock.advance(86_399)
        assert queue.give_up() == ()
        clock.advance(1)
        queue.give_up()
        assert queue.find(job.id, "ann").error_code == "WAITED_TOO_LONG"


class TestSweep:
    def test_row_stays_a_week_after_its_audio_and_then_goes(self, queue, clock):
        """An expired job can be told from an unknown one (410, not 404) for a week."""
        submit(queue)
        job = queue.claim("w")
        queue.finish(job, audio(START_MS + 1000))
        clock.advance(1 + 604_799)
        assert queue.sweep() == 0
        assert queue.find(job.id, "ann").is_expired(clock.now_ms())
        clock.advance(1)
        assert queue.sweep() == 1
        assert queue.find(job.id, "ann") is None

    def test_active_jobs_are_never_swept(self, queue, clock):
        """A job that was answered 202 does not vanish."""
        job = submit(queue)
        clock.advance(30 * 86_400)
        assert queue.sweep() == 0
        assert queue.find(job.id, "ann") is not None


class TestEqualJobs:
    def test_audio_of_an_equal_job_is_found_while_it_lasts(self, queue, clock):
        """Equal requests find the audio that is already there, whoever asked for it."""
        submit(queue, fingerprint=FINGERPRINT)
        assert queue.find_audio(FINGERPRINT) is None
        queue.finish(queue.claim("w"), audio(START_MS + 1000))
        assert queue.find_audio(FINGERPRINT) == audio(START_MS + 1000)
        assert queue.find_audio("0" * 64) is None
        clock.advance(1)
        assert queue.find_audio(FINGERPRINT) is None

    def test_claim_tells_whether_there_is_audio_to_look_for(self, queue, clock):
        """A worker looks for the audio of an equal job only where there is one that has not expired."""
        for fingerprint in ("0" * 64, FINGERPRINT, FINGERPRINT, FINGERPRINT):
            submit(queue, fingerprint=fingerprint)
            clock.advance(1)
        expires_at_ms = START_MS + 60_000
        assert queue.finish(queue.claim("w"), audio(expires_at_ms))
        first = queue.claim("w")
        assert not first.has_equal
        assert queue.finish(first, audio(expires_at_ms))
        second = queue.claim("w")
        assert second.has_equal
        assert queue.finish(second, audio(expires_at_ms), is_spoken=False)
        clock.advance(60)
        assert not queue.claim("w").has_equal


class TestPaging:
    def test_pages_hold_every_job_once_newest_first(self, engine, clock):
        """Paging by cursor neither skips nor repeats, also for jobs of one millisecond and with new jobs coming in."""
        queue = JobQueue(engine, now_ms=clock.now_ms)
        jobs = []
        for number in range(7):
            jobs.append(submit(queue))
            clock.advance(0.001 * (number % 2))
        expected = sorted(jobs, key=lambda job: (job.created_at_ms, job.id), reverse=True)
        seen, page = [], queue.list("ann", limit=3)
        seen += page.jobs
        submit(queue)
        while page.next is not None:
            page = queue.list("ann", limit=3, before=Cursor.parse(str(page.next)))
            seen += page.jobs
        assert seen == expected

    def test_last_full_page_has_no_next(self, queue):
        """A page that ends the list says so."""
        for _ in range(3):
            submit(queue)
        assert queue.list("ann", limit=3).next is None
        assert queue.list("ann", limit=2).next is not None

    @pytest.mark.parametrize(
        "text", ["", "-", "1", "x-" + "a" * 32, "1-" + "g" * 32, "1-" + "a" * 31, "9" * 16 + "-" + "a" * 32]
    )
    def test_text_that_is_no_cursor_is_none(self, text):
        """A client's invention is told from a place in the list."""
        assert Cursor.parse(text) is None

    @given(st.text())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_text_breaks_the_reading_of_a_cursor(self, text):
        """Reading gives a cursor that writes itself the same way, or none."""
        cursor = Cursor.parse(text)
        assert cursor is None or Cursor.parse(str(cursor)) == cursor
