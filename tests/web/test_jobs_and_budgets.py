"""Jobs over HTTP: their bounds, their budget of characters, repeats, waiting and the end at their owner's wish."""

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.service import ANN, V1, bearer

from voxgate.gate.errors import StoreUnavailableError
from voxgate.speech.jobs.base import FailureCode, JobsUnavailableError, SpokenAudio
from voxgate.web import submitting

GENERATE = f"{V1}/tts/generate"
STATUS = f"{V1}/tts/status"
JOBS = f"{V1}/tts/jobs"
LIMITS = f"{V1}/limits"
SPEECH = "/v1/audio/speech"
NOBODYS = "0" * 32
DAY, MONTH = "characters per calendar day", "characters per calendar month"


class Caller:
    """Somebody with an account at an application of given settings."""

    def __init__(self, app):
        self.app = app
        self.client = app.test_client()
        self.services = app.extensions["voxgate.services"]
        registered = self.client.post(f"{V1}/auth/register", json=ANN).get_json()
        self.subject, self.headers = registered["user_id"], {"X-API-Key": registered["api_key"]}

    def generate(self, text="Hello.", *, headers=None, **body):
        return self.client.post(GENERATE, headers={**self.headers, **(headers or {})}, json={"text": text} | body)

    def insist(self, text="Hello.", *, headers=None):
        """Generate from any thread, and again while the files are too busy for all of them."""
        client, shown = self.app.test_client(), {**self.headers, **(headers or {})}
        while (answer := client.post(GENERATE, headers=shown, json={"text": text})).status_code == 503:
            pass
        return answer

    def get(self, path):
        return self.client.get(path, headers=self.headers)

    def delete(self, job_id):
        return self.client.delete(f"{JOBS}/{job_id}", headers=self.headers)

    def limits(self):
        return self.get(LIMITS).get_json()

    def used(self, name=DAY):
        return self.limits()[name]["current_count"]

    def finish(self, job, *, is_spoken=True):
        audio = SpokenAudio(f"{job.fingerprint}.wav", "audio/wav", 44, 1.5, 2, self.services.clock.now_ms() + 1000)
        return self.services.jobs.finish(job, audio, is_spoken=is_spoken)

    def settle(self):
        return self.services.settlement.settle()


@pytest.fixture
def caller(make_app):
    """Somebody with a hundred characters a day, a thousand a month, and requests enough."""

    def make(**settings):
        given = {
            "tts_characters_standard": "100 per calendar day; 1000 per calendar month",
            "ratelimit_tts_generate": "1000 per minute",
            "ratelimit_standard": "1000 per minute",
            **settings,
        }
        return Caller(make_app(**given))

    return make


@pytest.fixture
def ann(caller):
    return caller()


class TestBudget:
    def test_202_spends_the_characters(self, ann):
        """And tells what is left, in the limits and in the headers."""
        answer = ann.generate("a" * 60)
        assert answer.status_code == 202
        assert '"characters";q=100;w=86400' in answer.headers["RateLimit-Policy"]
        assert '"characters";r=40;' in answer.headers["RateLimit"]
        limits = ann.limits()
        assert (limits[DAY]["current_count"], limits[DAY]["remaining"], limits[DAY]["limit"]) == (60, 40, 100)
        assert (limits[MONTH]["remaining"], limits[MONTH]["policy"]) == (940, "characters")
        assert limits[DAY]["reset_after"] == 16 * 3600

    def test_429_when_it_is_used_up(self, ann, clock):
        """Nothing is spent, the request counts, and the next day it passes."""
        ann.generate("a" * 60)
        refused = ann.generate("b" * 41)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "RATE_LIMITED")
        body = refused.get_json()
        assert body["message"] == "The text has 41 characters and 40 are left. Budget: 100 per calendar day"
        assert body["violated-policies"] == ["characters"]
        assert '"characters";r=40;' in refused.headers["RateLimit"]
        assert (ann.used(), ann.limits()[GENERATE]["current_count"]) == (60, 2)
        assert ann.generate("b" * 40).status_code == 202
        clock.advance(body["retry_after"])
        assert ann.generate("b" * 41).status_code == 202
        assert (ann.used(), ann.used(MONTH)) == (41, 141)

    def test_422_text_longer_than_the_whole_budget(self, ann):
        """Waiting would be in vain."""
        answer = ann.generate("a" * 101)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "TEXT_OVER_BUDGET")
        assert ann.used() == 0

    def test_markup_costs_nothing(self, ann):
        """Spent, told and given back are the characters that are spoken, an alias among them."""
        text = '<speak>Good<break time="1s"/><prosody rate="slow">day</prosody><sub alias="to you">2u</sub></speak>'
        spoken = len("Good") + len("day") + len("to you")
        answer = ann.generate(text, input_format="ssml")
        assert f'"characters";r={100 - spoken};' in answer.headers["RateLimit"]
        assert ann.get(answer.headers["Location"]).get_json()["characters"] == spoken
        assert (ann.used(), ann.used(MONTH)) == (spoken, spoken)
        ann.services.jobs.fail(ann.services.jobs.claim("w"), FailureCode.SYNTHESIS_FAILED, "no")
        assert (ann.settle(), ann.used(), ann.used(MONTH)) == (1, 0, 0)

    def test_422_long_markup_is_not_what_is_refused(self, ann):
        """A document longer than the budget is taken while its words are not."""
        markup = '<speak>{}<break time="1ms"/><break time="1ms"/><break time="1ms"/><break time="1ms"/></speak>'
        assert ann.generate(markup.format("a" * 100), input_format="ssml").status_code == 202
        refused = ann.generate(markup.format("a" * 101), input_format="ssml")
        assert refused.get_json()["message"].startswith("The text has 101 characters")

    def test_fifty_parallel_submits_at_a_budget_of_ten(self, ann):
        """Exactly what fits is taken, and one job each."""
        barrier, statuses = threading.Barrier(50), []

        def ask(number):
            barrier.wait(60)
            statuses.append(ann.insist(f"ten chars{number % 10}").status_code)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(statuses) == [202] * 10 + [429] * 40
        assert (ann.used(), len(ann.services.jobs.list(ann.subject, limit=50).jobs)) == (100, 10)

    def test_no_budget_costs_nothing(self, caller):
        """Without a setting nothing is counted."""
        ann = caller(tts_characters_standard="")
        assert ann.generate().status_code == 202
        assert DAY not in ann.limits()
        assert ann.services.jobs.list(ann.subject).jobs[0].reserved is None

    def test_tier_and_account_have_their_own(self, caller):
        """A premium account has the budget of its tier, and an account what is set for it."""
        ann = caller(tts_characters_premium="500 per calendar day")
        ann.services.accounts.set_tier(ann.subject, "premium")
        assert ann.limits()[DAY]["limit"] == 500
        ann.services.accounts.change(ann.subject, limits={"characters": "7 per calendar day"})
        assert ann.limits()[DAY]["limit"] == 7
        assert [ann.generate("1234").status_code for _ in range(2)] == [202, 429]

    def test_key_has_its_own_beneath(self, caller):
        """A key's limit of characters counts characters; its limit of everything else does not."""
        ann = caller()
        keys = ann.services.api_keys
        own = keys.create(ann.subject, name="own", limits={"characters": "8 per calendar day"}).text
        every = keys.create(ann.subject, name="every", limits={"*": "5 per minute"}).text
        assert [ann.generate("12345", headers={"X-API-Key": own}).status_code for _ in range(2)] == [202, 429]
        assert ann.generate("1234567890", headers={"X-API-Key": every}).status_code == 202
        assert ann.used() == 15

    def test_openai_speech_spends_it_too(self, ann):
        """Whichever form asks, one budget pays; a text that cannot be begun costs nothing."""
        body = {"model": "tts-1", "input": "a b c", "voice": "alloy"}
        assert ann.client.post(SPEECH, headers=ann.headers, json=body).status_code == 200
        assert ann.used() == 5
        refused = ann.client.post(SPEECH, headers=ann.headers, json=body | {"input": "a " * 60})
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (400, "text_over_budget")
        ann.generate("a" * 95)
        refused = ann.client.post(SPEECH, headers=ann.headers, json=body)
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "rate_limit_exceeded")

    def test_openai_speech_that_is_not_begun_gives_it_back(self, caller, monkeypatch):
        """Too many streams at once are no fault of the caller."""
        from voxgate.gate.errors import Refusal  # noqa: PLC0415

        full = Refusal("STREAMS_FULL")
        monkeypatch.setattr("voxgate.web.openai_speech.open_stream", lambda *_asked, **_how: full)
        ann = caller()
        body = {"model": "tts-1", "input": "a b c", "voice": "alloy"}
        assert ann.client.post(SPEECH, headers=ann.headers, json=body).status_code == 503
        assert ann.used() == 0


class TestGivenBack:
    @pytest.fixture
    def job(self, ann):
        ann.generate("a" * 60)
        return ann.services.jobs.claim("w")

    def test_spoken_job_stays_spent(self, ann, job):
        """Nothing comes back."""
        ann.finish(job)
        assert (ann.settle(), ann.used()) == (0, 60)

    def test_failed_job_comes_back_once(self, ann, job):
        """However often it is settled, by whom ever."""
        ann.services.jobs.fail(job, FailureCode.SYNTHESIS_FAILED, "no")
        assert [ann.settle(), ann.settle(), ann.used(), ann.used(MONTH)] == [1, 0, 0, 0]

    def test_job_served_from_what_is_there_comes_back(self, ann, job):
        """Nothing was spoken for it."""
        ann.finish(job, is_spoken=False)
        assert (ann.settle(), ann.used()) == (1, 0)

    def test_crash_between_refund_and_note_is_made_good_once(self, ann, job, monkeypatch):
        """The store knows what it has given back, though the row does not."""
        ann.generate("b" * 10)
        ann.services.jobs.fail(job, FailureCode.SYNTHESIS_FAILED, "no")

        def crash(_job_id):
            raise JobsUnavailableError("gone")

        with monkeypatch.context() as broken:
            broken.setattr(ann.services.jobs, "note_given_back", crash)
            with pytest.raises(JobsUnavailableError):
                ann.settle()
        assert ann.used() == 10
        assert (ann.settle(), ann.used()) == (1, 10)

    def test_store_that_is_away_is_waited_for(self, ann, job, monkeypatch):
        """What is due stays so."""
        ann.services.jobs.fail(job, FailureCode.SYNTHESIS_FAILED, "no")

        def gone(*_args, **_kwargs):
            raise StoreUnavailableError("gone")

        with monkeypatch.context() as broken:
            broken.setattr(ann.services.store, "refund", gone)
            with pytest.raises(StoreUnavailableError):
                ann.settle()
        assert (ann.settle(), ann.used()) == (1, 0)

    def test_served_process_settles_by_itself(self, ann, job, monkeypatch):
        """Also after it could not for a while, and no more once it is closed."""
        monkeypatch.setattr("voxgate.web.settlement.SETTLE_EVERY_S", 0.01)
        settled, tries, settle = threading.Event(), [], ann.services.settlement.settle

        def settle_second_time():
            tries.append(1)
            if len(tries) == 1:
                raise StoreUnavailableError("gone")
            settle()
            settled.set()

        monkeypatch.setattr(ann.services.settlement, "settle", settle_second_time)
        ann.services.jobs.fail(job, FailureCode.SYNTHESIS_FAILED, "no")
        for _ in range(2):
            ann.services.settlement.start()
        assert settled.wait(60)
        ann.services.settlement.close()
        assert ann.used() == 0

    @pytest.mark.parametrize("code", ["QUEUE_FULL", "STORAGE_FULL", "DATABASE_UNAVAILABLE"])
    def test_503_gives_back_characters_and_request(self, caller, monkeypatch, code):
        """A full queue, a full disk and a broken database cost the caller nothing."""
        ann = caller(queue_max=1)
        ann.generate("a")
        if code == "STORAGE_FULL":
            import os  # noqa: PLC0415

            full = os.statvfs_result((4096, 4096, 100, 0, 0, 10, 10, 10, 0, 255))
            monkeypatch.setattr("os.statvfs", lambda _path: full)
        elif code == "DATABASE_UNAVAILABLE":

            def submit(*_args, **_kwargs):
                raise JobsUnavailableError("gone")

            monkeypatch.setattr(type(ann.services.jobs), "submit", submit)
        answer = ann.generate("b" * 50)
        assert answer.get_json()["code"] == code
        assert (ann.used(), ann.limits()[GENERATE]["current_count"]) == (1, 1)

    def test_503_without_a_budget_has_nothing_to_give_back(self, caller):
        """But the request's count."""
        ann = caller(queue_max=1, tts_characters_standard="")
        assert [ann.generate("a").status_code, ann.generate("b").status_code] == [202, 503]
        assert ann.limits()[GENERATE]["current_count"] == 1

    def test_503_without_the_store_a_budget_is_never_spent_blindly(self, ann, monkeypatch):
        """What the gate lets pass alone is refused where a budget binds."""
        ann.generate("a")

        def gone(*_args, **_kwargs):
            raise StoreUnavailableError("gone")

        store = ann.app.extensions["voxgate"].admission.store
        with monkeypatch.context() as broken:
            broken.setattr(store, "hold", gone)
            assert ann.generate("b").get_json()["code"] == "STORE_UNAVAILABLE"
        with monkeypatch.context() as broken:
            broken.setattr(store, "decide", gone)
            assert ann.generate("b").get_json()["code"] == "STORE_UNAVAILABLE"
        assert len(ann.services.jobs.list(ann.subject).jobs) == 1


class TestBounds:
    def test_429_too_many_unfinished_jobs(self, caller):
        """Told apart from a limit of requests; it costs no characters, and an end makes room."""
        ann = caller(tts_jobs_unfinished_standard=2)
        assert [ann.generate("abc").status_code for _ in range(3)] == [202, 202, 429]
        answer = ann.generate("abc")
        assert (answer.get_json()["code"], answer.headers["Retry-After"]) == ("TOO_MANY_JOBS", "10")
        assert ann.used() == 6
        ann.finish(ann.services.jobs.claim("w"))
        assert ann.generate("abc").status_code == 202

    def test_jobs_are_among_the_limits(self, caller):
        """How many run and wait, and how many may."""
        ann = caller(tts_jobs_at_once_standard=1, tts_jobs_unfinished_standard=5)
        for text in ("one", "two"):
            ann.generate(text)
        assert ann.services.jobs.claim("w") is not None
        assert ann.services.jobs.claim("w") is None
        limits = ann.limits()
        assert [limits["jobs at once"][name] for name in ("limit", "current_count", "remaining")] == [1, 1, 0]
        assert [limits["jobs unfinished"][name] for name in ("limit", "current_count", "remaining")] == [5, 2, 3]


NAME = '"8e03978e-40d5-43e8-bc93-6894a57f9324"'


class TestRepeats:
    def test_202_again_is_the_same_job(self, ann):
        """With or without quotes; one job, one budget, and the second answer says that it is one."""
        first = ann.generate(headers={"Idempotency-Key": NAME})
        again = ann.generate(headers={"Idempotency-Key": NAME.strip('"')})
        assert first.get_json() == again.get_json()
        assert first.headers["Location"] == again.headers["Location"]
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert ann.used() == 6
        assert len(ann.services.background.sent) == 1

    def test_422_same_name_for_another_request(self, ann):
        """A name is one request's; nothing is spent."""
        ann.generate(headers={"Idempotency-Key": NAME})
        answer = ann.generate(headers={"Idempotency-Key": NAME}, speed=1.5)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert ann.used() == 6

    def test_refused_request_leaves_the_name_free(self, ann):
        """What was not taken can be asked again under the same name."""
        ann.generate("a" * 95)
        assert ann.generate("b" * 10, headers={"Idempotency-Key": NAME}).status_code == 429
        assert ann.generate("b" * 5, headers={"Idempotency-Key": NAME}).status_code == 202

    def test_name_is_free_after_a_day(self, ann, clock):
        """Then it is a new request."""
        first = ann.generate(headers={"Idempotency-Key": NAME}).get_json()
        clock.advance(86_400)
        assert ann.generate(headers={"Idempotency-Key": NAME}).get_json()["job_id"] != first["job_id"]

    @pytest.mark.parametrize("key", ["", '""', "a" * 256, "é", "a\tb"])
    def test_400_no_name(self, ann, key):
        """Printable ASCII, 1 to 255 characters."""
        answer = ann.generate(headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")

    def test_twelve_at_once_are_one_job(self, ann):
        """And are paid once: who comes second gives back what it held."""
        barrier, answers = threading.Barrier(12), []

        def ask():
            barrier.wait(60)
            answers.append(ann.insist(headers={"Idempotency-Key": NAME}))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.get_json()["job_id"] for answer in answers}) == 1
        assert ann.used() == 6


class TestEnd:
    def test_204_cancels_what_waits(self, ann):
        """Its characters come back at once, and it is never begun."""
        job_id = ann.generate().get_json()["job_id"]
        answer = ann.delete(job_id)
        assert (answer.status_code, answer.data) == (204, b"")
        shown = ann.get(f"{STATUS}/{job_id}").get_json()
        assert (shown["status"], shown["estimated_s"]) == ("cancelled", None)
        assert ann.used() == 0
        assert ann.services.jobs.claim("w") is None

    def test_204_stops_what_runs(self, ann):
        """Its worker is told no at the next segment; what was spoken stays spent."""
        ann.generate()
        job = ann.services.jobs.claim("w")
        ann.services.jobs.renew(job, done=1, total=3)
        assert ann.delete(job.id).status_code == 204
        assert not ann.services.jobs.renew(job, done=2, total=3)
        assert (ann.settle(), ann.used()) == (0, 6)

    def test_204_removes_what_has_ended(self, ann):
        """Then there is no such job, and what was due is given back before its row is gone."""
        for ending in (ann.finish, lambda job: ann.services.jobs.fail(job, FailureCode.SYNTHESIS_FAILED, "no")):
            job_id = ann.generate().get_json()["job_id"]
            ending(ann.services.jobs.claim("w"))
            assert ann.delete(job_id).status_code == 204
            assert ann.get(f"{STATUS}/{job_id}").status_code == 404
        assert ann.used() == 6

    def test_204_cancels_while_the_store_is_away(self, ann, monkeypatch):
        """What is due is given back later."""

        def gone(*_args, **_kwargs):
            raise StoreUnavailableError("gone")

        job_id = ann.generate().get_json()["job_id"]
        with monkeypatch.context() as broken:
            broken.setattr(ann.services.store, "refund", gone)
            assert ann.delete(job_id).status_code == 204
        assert (ann.settle(), ann.used()) == (1, 0)

    def test_404_nobodys_and_anothers(self, ann, client):
        """Neither is there."""
        job_id = ann.generate().get_json()["job_id"]
        bob = {"username": "bobby", "email": "bobby@example.com", "password": "correct horse"}
        other = {"X-API-Key": ann.client.post(f"{V1}/auth/register", json=bob).get_json()["api_key"]}
        assert ann.client.delete(f"{JOBS}/{job_id}", headers=other).status_code == 404
        assert ann.delete(NOBODYS).status_code == ann.delete("x").status_code == 404
        assert ann.get(f"{STATUS}/{job_id}").get_json()["status"] == "queued"

    def test_204_account_is_deleted_with_what_is_reserved(self, ann):
        """Jobs that wait hold nobody up, and nothing is due to nobody."""
        for text in ("one", "two"):
            ann.generate(text)
        tokens = ann.client.post(
            f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")}
        ).get_json()
        headers = bearer(tokens["access_token"])
        answer = ann.client.delete(f"{V1}/auth/me", headers=headers, json={"password": ANN["password"]})
        assert answer.status_code == 204
        assert (ann.services.jobs.list(ann.subject).jobs, ann.settle()) == ((), 0)


class TestDisabledOwner:
    def disable(self, ann):
        assert not ann.services.accounts.set_active(ann.subject, is_active=False).is_active

    def enable(self, ann):
        assert ann.services.accounts.set_active(ann.subject, is_active=True).is_active

    def test_what_waits_is_never_begun(self, ann):
        """Its characters come back, and its owner finds it cancelled with the reason once enabled again."""
        job_id = ann.generate().get_json()["job_id"]
        self.disable(ann)
        assert ann.services.jobs.claim("w") is None
        assert ann.settle() == 1
        self.enable(ann)
        shown = ann.get(f"{STATUS}/{job_id}").get_json()
        assert (shown["status"], shown["audio_url"]) == ("cancelled", None)
        assert shown["error"] == "The account was disabled before the job came to its end."
        assert (ann.used(), ann.services.jobs.claim("w")) == (0, None)
        assert ann.generate().status_code == 202

    def test_what_runs_stops_at_its_next_segment(self, ann):
        """What was spoken stays spent, and the late end of its worker changes nothing."""
        ann.generate()
        job = ann.services.jobs.claim("w")
        ann.services.jobs.renew(job, done=1, total=3)
        self.disable(ann)
        assert not ann.services.jobs.renew(job, done=2, total=3)
        assert not ann.finish(job)
        self.enable(ann)
        assert (ann.settle(), ann.used()) == (0, 6)

    def test_others_and_what_has_ended_stay(self, ann):
        """A finished job keeps its audio, and another account's job its turn."""
        done_id = ann.generate().get_json()["job_id"]
        ann.finish(ann.services.jobs.claim("w"))
        bob = {"username": "bobby", "email": "bobby@example.com", "password": "correct horse"}
        other = {"X-API-Key": ann.client.post(f"{V1}/auth/register", json=bob).get_json()["api_key"]}
        waiting_id = ann.generate("Another.", headers=other).get_json()["job_id"]
        self.disable(ann)
        assert ann.services.jobs.claim("w").id == waiting_id
        self.enable(ann)
        assert ann.get(f"{STATUS}/{done_id}").get_json()["status"] == "done"

    def test_403_disabled_between_the_gate_and_the_row(self, ann, monkeypatch):
        """The request was let in, but its job is not taken; what was held comes back at once."""
        hold = submitting.hold_characters

        def disable_first(*args, **kwargs):
            self.disable(ann)
            return hold(*args, **kwargs)

        monkeypatch.setattr(submitting, "hold_characters", disable_first)
        answer = ann.generate()
        assert (answer.status_code, answer.get_json()["code"]) == (403, "ACCOUNT_DISABLED")
        assert (ann.services.jobs.list(ann.subject).jobs, ann.settle()) == ((), 0)
        self.enable(ann)
        assert ann.used() == 0

    def test_nothing_waits_however_requests_race_with_the_disabling(self, ann):
        """Each request is taken and cancelled, or refused."""
        answers = []

        def ask():
            answers.append(ann.insist())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads[:4]:
            thread.start()
        self.disable(ann)
        for thread in threads[4:]:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} <= {202, 403}
        assert ann.services.jobs.claim("w") is None
        taken = sum(answer.status_code == 202 for answer in answers)
        assert ann.settle() == taken
        self.enable(ann)
        assert ann.used() == 0


class TestWaiting:
    def test_200_as_soon_as_the_job_has_ended(self, ann, monkeypatch):
        """A look that finds the end is the answer."""
        job_id = ann.generate().get_json()["job_id"]
        monkeypatch.setattr("voxgate.web.waiting.rest", lambda *_: ann.finish(ann.services.jobs.claim("w")))
        assert ann.get(f"{STATUS}/{job_id}?wait=30").get_json()["status"] == "done"

    def test_who_waits_is_woken_by_the_end_in_this_process(self, ann, monkeypatch):
        """The answer does not wait for the next look at the table."""
        job_id = ann.generate().get_json()["job_id"]
        woken = []

        def end_meanwhile(ended, _longest_s):
            woken.append(ended.is_set())
            ann.finish(ann.services.jobs.claim("w"))
            woken.append(ended.is_set())

        monkeypatch.setattr("voxgate.web.waiting.rest", end_meanwhile)
        assert ann.get(f"{STATUS}/{job_id}?wait=30").get_json()["status"] == "done"
        assert woken == [False, True]

    def test_what_ends_in_this_process_is_not_read_again(self, ann, monkeypatch):
        """Who has ended the job gives it to those who wait; the table is looked at before the wait alone."""
        job_id = ann.generate().get_json()["job_id"]
        monkeypatch.setattr("voxgate.web.waiting.rest", lambda *_: ann.finish(ann.services.jobs.claim("w")))
        looks, find = [], ann.services.jobs.find
        monkeypatch.setattr(ann.services.jobs, "find", lambda *given: looks.append(given) or find(*given))
        waited = ann.get(f"{STATUS}/{job_id}?wait=30").get_json()
        assert len(looks) == 1
        assert waited == ann.get(f"{STATUS}/{job_id}").get_json()

    def test_200_at_the_end_of_the_wait(self, ann):
        """As it stands then."""
        job_id = ann.generate().get_json()["job_id"]
        assert ann.get(f"{STATUS}/{job_id}?wait=1").get_json()["status"] == "queued"

    def test_404_when_it_is_removed_meanwhile(self, ann, monkeypatch):
        """There is nothing to wait for any more."""
        job_id = ann.generate().get_json()["job_id"]

        def remove(*_):
            ann.services.jobs.cancel(job_id, ann.subject)
            ann.settle()
            ann.services.jobs.remove(job_id, ann.subject)

        monkeypatch.setattr("voxgate.web.waiting.rest", remove)
        assert ann.get(f"{STATUS}/{job_id}?wait=30").status_code == 404

    @pytest.mark.parametrize("waiters", [0, 1])
    def test_200_at_once_when_too_many_wait(self, caller, monkeypatch, waiters):
        """A thread of the server is left for everybody else."""
        ann = caller(waiters_max=waiters)
        if waiters:
            ann.app.extensions["voxgate.waiters"].take()
        job_id = ann.generate().get_json()["job_id"]
        monkeypatch.setattr("voxgate.web.waiting.rest", lambda *_: pytest.fail("waited"))
        assert ann.get(f"{STATUS}/{job_id}?wait=30").get_json()["status"] == "queued"

    def test_200_early_when_streams_need_the_threads(self, caller, monkeypatch):
        """Who waits can ask again, a stream would be refused; without a stream everybody waits who may."""
        ann = caller(waiters_max=2, streams_max=2)
        waiters, streams = (ann.app.extensions[f"voxgate.{name}"] for name in ("waiters", "streams"))
        waiters.take()
        job_id = ann.generate().get_json()["job_id"]
        slept = []

        def begin_stream(*_):
            slept.append(streams.taken)
            streams.take()

        monkeypatch.setattr("voxgate.web.waiting.rest", begin_stream)
        assert ann.get(f"{STATUS}/{job_id}?wait=30").get_json()["status"] == "queued"
        assert slept == [0]
        assert waiters.taken == 1

    def test_guides_loop_ends_with_the_job(self, ann):
        """It asks on after an early answer and after a limit, and pauses as long as it is told."""
        page = (Path(__file__).parents[2] / "docs/guides/jobs-and-budgets.md").read_text(encoding="utf-8")
        names, naps = {}, []
        exec(re.search(r"```py\n(.*?)```", page, re.DOTALL)[1], names)  # noqa: S102 -- the project's own page

        def nap(seconds):
            if naps:
                ann.finish(ann.services.jobs.claim("w"))
            naps.append(seconds)

        answers = [SimpleNamespace(status_code=429, headers={"Retry-After": "7"})]

        def get(url, *, params, timeout):
            assert timeout > params["wait"]
            if answers:
                return answers.pop()
            answer = ann.client.get(url, query_string=params | {"wait": 0}, headers=ann.headers)
            return SimpleNamespace(status_code=200, json=answer.get_json, raise_for_status=lambda: None)

        status_url = ann.generate().get_json()["status_url"]
        names["time"] = SimpleNamespace(monotonic=lambda: 0, sleep=nap)
        assert names["wait_for_end"](SimpleNamespace(get=get), status_url)["status"] == "done"
        assert naps == [7, 1]

    @pytest.mark.parametrize("wait", ["31", "-1", "1.5", "x", "", "99999999999"])
    def test_400_no_wait(self, ann, wait):
        """Whole seconds, thirty at most."""
        answer = ann.get(f"{STATUS}/{NOBODYS}?wait={wait}")
        assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")


class TestEstimates:
    def left(self, ann, job_id):
        return ann.get(f"{STATUS}/{job_id}").get_json()["estimated_s"]

    def test_estimate_of_a_running_job_goes_by_its_own_pace(self, ann, clock):
        """A third in ten seconds leaves twenty."""
        job_id = ann.generate().get_json()["job_id"]
        job = ann.services.jobs.claim("w")
        ann.services.jobs.renew(job, done=1, total=3)
        clock.advance(10)
        assert self.left(ann, job_id) == 20

    def test_estimate_of_a_waiting_job_goes_by_the_last_ones(self, ann, clock):
        """Forty characters of all at ten a second."""
        ann.generate("a" * 20)
        job = ann.services.jobs.claim("w")
        clock.advance(2)
        ann.finish(job)
        job_ids = [ann.generate(letter * 20).get_json()["job_id"] for letter in "bc"]
        assert [self.left(ann, job_id) for job_id in job_ids] == [4, 4]

    def test_many_who_ask_cost_one_look_a_second(self, ann, clock, monkeypatch):
        """The load is remembered for as long."""
        job_id = ann.generate().get_json()["job_id"]
        looks, load = [], ann.services.jobs.load
        monkeypatch.setattr(ann.services.jobs, "load", lambda *given: looks.append(1) or load(*given))
        for _ in range(5):
            self.left(ann, job_id)
        clock.advance(1)
        self.left(ann, job_id)
        assert len(looks) == 2
