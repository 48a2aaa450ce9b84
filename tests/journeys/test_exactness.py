"""Races over real HTTP against several server processes: exactly what is allowed passes, at a window's edge too."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.calls import PASSWORD, V1
from tests.support.served import WIDE
from tests.support.waiting import wait_as_told

CLIENTS = 64
QUOTA = 10
WINDOW_S = 1.0
# The store counts whole milliseconds: two moments that it sees a window apart may be one less apart.
GRAIN_S = 0.002


@pytest.fixture(scope="module")
def four(serve_one):
    """Four processes on one data folder."""
    limits = {
        "RATELIMIT_TTS_GENERATE": f"{QUOTA} per hour",
        "RATELIMIT_PROTECTED": f"{QUOTA} per hour",
        "RATELIMIT_TTS_STATUS": f"{QUOTA} per second",
        "RATELIMIT_REFRESH": "1 per 3 seconds",
    }
    return serve_one(workers=4, **{**WIDE, **limits})


def race(call, *, racers=CLIENTS):
    """Let threads call at once; gives what each got."""
    start = threading.Barrier(racers)

    def run(number):
        start.wait()
        return call(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))


def test_sixty_four_clients_pass_ten_times(four):
    """A limit of ten, sixty-four clients at once: ten pass, all others are refused."""
    member = four.api.join()
    answers = race(lambda _: member.api.get("/protected", patience=60))
    assert Counter(answer.status for answer in answers) == {200: QUOTA, 429: CLIENTS - QUOTA}
    assert all(answer.json()["retry_after"] >= 3500 for answer in answers if answer.status == 429)


def test_sixty_four_clients_get_ten_texts_taken(four):
    """The same with token and key, where ten have work done; what the database did not take is free to be asked for."""
    member = four.api.join()
    shown = (member.api, four.api.shown(key=member.key))
    asked = {"path": f"{V1}/tts/generate", "json": {"text": "One."}, "patience": 60}
    answers = race(lambda number: shown[number % 2].post(**asked))
    counted = Counter(answer.code or answer.status for answer in answers)
    assert counted == {202: QUOTA, "RATE_LIMITED": CLIENTS - QUOTA}
    job_ids = [answer.json()["job_id"] for answer in answers if answer.status == 202]
    assert {member.wait_for(job_id)["status"] for job_id in job_ids} == {"done"}
    assert member.api.get(f"{V1}/limits").json()[f"{V1}/tts/generate"]["current_count"] == QUOTA


def test_no_second_holds_more_than_ten(four):
    """Clients press over the edges of a one-second window; no second holds eleven requests that passed.

    A request is admitted at some moment between its sending and its answer. Eleven whose sendings and answers all
    lie within less than a second were admitted within a second, so they would prove a burst.
    """
    member, passed, lock = four.api.join(), [], threading.Lock()
    until = time.monotonic() + 60

    def press(_):
        while len(passed) < 5 * QUOTA:
            assert time.monotonic() < until, f"only {len(passed)} requests passed"
            sent = time.monotonic()
            answer = member.api.get(f"{V1}/tts/status", patience=60)
            assert answer.status in {200, 429}
            if answer.status == 200:
                with lock:
                    passed.append((sent, time.monotonic()))

    race(press, racers=8)
    for sent, _ in passed:
        burst = [other for other in passed if sent <= other[0] and other[1] < sent + WINDOW_S - GRAIN_S]
        assert len(burst) <= QUOTA


def test_waiting_as_long_as_told_is_enough(four):
    """Whoever is refused and waits for Retry-After passes."""
    member = four.api.join()
    refresh = four.api.shown(bearer=member.refresh)
    while (answer := refresh.post(f"{V1}/auth/refresh")).status != 429:
        assert answer.status == 200
    wait_as_told(answer)
    assert refresh.post(f"{V1}/auth/refresh").status == 200


def test_twenty_registrations_of_one_name_make_one_account(four):
    """One 201, nineteen 409; the one that was made can log in and its key works."""
    who = {"username": "racer", "email": "racer@example.org", "password": PASSWORD}
    answers = race(lambda _: four.api.post(f"{V1}/auth/register", json=who, patience=60), racers=20)
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 19}
    (made,) = (answer.json() for answer in answers if answer.status == 201)
    assert {answer.json()["error"] for answer in answers if answer.status == 409} <= {
        "Username already exists",
        "Email already exists",
    }
    assert four.api.login("racer")["user"]["id"] == made["user_id"]
    assert four.api.shown(key=made["api_key"]).get(f"{V1}/tts/").status == 200


def test_logout_during_a_storm_is_the_last_word(four):
    """Requests that are sent after the logout has answered are refused, whatever else is under way."""
    member, ended = four.api.join(), threading.Event()

    def storm(number):
        if number == 0:
            assert member.api.post(f"{V1}/auth/logout").status == 200
            ended.set()
        late = []
        while len(late) < 5:
            is_late = ended.is_set()
            answer = member.api.get(f"{V1}/tts/", patience=60)
            if is_late:
                late.append(answer.code)
        return late

    assert {code for late in race(storm, racers=8) for code in late} == {"TOKEN_REVOKED"}
