"""Signing keys change beside a running service of two processes: nobody is logged out, and what is retired is dead."""

import re
import time

import pytest
from tests.support.calls import V1
from tests.support.served import WIDE

KNOCKS = 12  # each is a new connection, and the kernel spreads those over the processes
TTS = f"{V1}/tts/"
WITHIN_S = 1.0  # how long a process may go on with a key that is gone


@pytest.fixture(scope="module")
def pair(serve_one):
    """Two processes of one service that nobody else uses."""
    return serve_one(workers=2, **WIDE)


@pytest.fixture
def member(pair):
    return pair.api.join()


def knock(api):
    """Ask over several connections; gives every status or code that came."""
    return {answer.code or answer.status for answer in (api.get(TTS) for _ in range(KNOCKS))}


def signing_kid(pair):
    return re.search(r"^(\w+) .*  *signs ", pair.run("signing", "list"), re.MULTILINE)[1]


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_rotation_logs_nobody_out(pair, member, algorithm):
    """Old tokens go on, new ones are accepted by every process at once, and refresh tokens know nothing of it."""
    assert knock(member.api) == {200}
    pair.run("signing", "rotate", "--algorithm", algorithm)
    assert knock(member.api) == {200}
    fresh = pair.api.login(member.username)
    assert knock(pair.api.shown(bearer=fresh["access_token"])) == {200}
    refreshed = pair.api.shown(bearer=fresh["refresh_token"]).post(f"{V1}/auth/refresh")
    assert refreshed.status == 200
    assert knock(pair.api.shown(bearer=refreshed.json()["access_token"])) == {200}


def test_retired_key_is_dead_within_a_second_in_every_process(pair):
    """Also where its proof is remembered, and without a restart; who logs in again is served."""
    member = pair.api.join()
    assert knock(member.api) == {200}
    old = signing_kid(pair)
    pair.run("signing", "rotate")
    assert knock(member.api) == {200}
    pair.run("signing", "retire", old)
    time.sleep(WITHIN_S)
    assert knock(member.api) == {"INVALID_TOKEN"}
    assert knock(pair.api.shown(bearer=pair.api.login(member.username)["access_token"])) == {200}
