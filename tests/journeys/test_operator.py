"""The operator's command line beside a running service of two processes: everything holds from the next request."""

import pytest
from tests.support.calls import V1, Api
from tests.support.served import WIDE

KNOCKS = 12  # each is a new connection, and the kernel spreads those over the processes
TTS = f"{V1}/tts/"


@pytest.fixture(scope="module")
def pair(serve_one):
    """Two processes of one service that nobody else uses."""
    return serve_one(workers=2, **{**WIDE, "RATELIMIT_STANDARD": "40 per hour", "RATELIMIT_TTS_GENERATE": "3 per hour"})


@pytest.fixture
def member(pair):
    return pair.api.join()


def knock(api, path=TTS):
    """Ask over several connections; gives every status or code that came, in whatever order."""
    answers = (api.get(path) for _ in range(KNOCKS))
    return {answer.code or answer.status for answer in answers}


def keyed(member):
    """Return the service asked with the member's key instead of the token."""
    return Api(member.api.url).shown(key=member.key)


def test_logout_holds_in_every_process(member):
    """No process accepts a token after the logout has answered."""
    assert knock(member.api) == {200}
    member.api.post(f"{V1}/auth/logout")
    assert knock(member.api) == {"TOKEN_REVOKED"}


def test_limit_is_one_over_every_process(member):
    """The processes share one counter: three pass and no more, by token and key together."""
    shown = (member.api, keyed(member)) * 5
    statuses = [api.post(f"{V1}/tts/generate", json={"text": "One."}).status for api in shown]
    assert statuses == [202] * 3 + [429] * 7


def test_disabled_account_is_refused_until_it_is_enabled(pair, member):
    """Tokens and keys are refused with 403; afterwards the keys work again, and the sessions have ended for ever."""
    pair.run("users", "disable", member.username)
    assert knock(member.api) == knock(keyed(member)) == {"ACCOUNT_DISABLED"}
    login = pair.api.post(f"{V1}/auth/login", json={"username": member.username, "password": "password123"})
    assert (login.status, login.json()["error"]) == (401, "Account is disabled")
    pair.run("users", "enable", member.username)
    assert knock(keyed(member)) == {200}
    assert knock(member.api) == {"TOKEN_REVOKED"}
    assert knock(pair.api.shown(bearer=pair.api.login(member.username)["access_token"])) == {200}


def test_tier_brings_its_limits(pair, member):
    """A premium account has the premium limit, and loses it with the tier."""
    assert quota_of(member) == 40
    pair.run("users", "set-tier", member.username, "premium")
    assert quota_of(member) == 1000
    assert member.api.get(f"{V1}/auth/me").json()["is_premium"]
    pair.run("users", "set-tier", member.username, "standard")
    assert quota_of(member) == 40


def quota_of(member):
    """Return the quota that binds the member's ordinary routes."""
    return member.api.get(f"{V1}/limits").json()["*"]["limit"]


def test_new_key_works_and_revoked_key_is_dead(pair, member):
    """Printed once, good at once; revoked by its id, dead at once; the other key is left alone."""
    printed = dict(line.split(":", 1) for line in pair.run("keys", "new", member.username).splitlines())
    key = pair.api.shown(key=printed["api key"].strip())
    assert knock(key) == {200}
    assert printed["key id"].strip() in pair.run("keys", "list", member.username)
    pair.run("keys", "revoke", member.username, printed["key id"].strip())
    assert knock(key) == {"API_KEY_INVALID"}
    assert knock(keyed(member)) == {200}


def test_reset_gives_a_spent_budget_back(pair, member):
    """A refused account is let in again at once, in the process that remembers its refusal too."""
    assert [member.generate("One.").status for _ in range(5)] == [202] * 3 + [429] * 2
    assert "3 of 3 per" in pair.run("limits", "show", member.username)
    pair.run("limits", "reset", member.username)
    assert [member.generate("One.").status for _ in range(4)] == [202] * 3 + [429]


def test_new_password_ends_every_session(pair, member):
    """Tokens die, the old password is wrong, the new one opens a session; keys stay."""
    pair.run("users", "passwd", member.username, "--password-stdin", stdin="a better password\n")
    assert knock(member.api) == {"TOKEN_REVOKED"}
    old = pair.api.post(f"{V1}/auth/login", json={"username": member.username, "password": "password123"})
    assert old.status == 401
    assert pair.api.login(member.username, "a better password")["access_token"]
    assert knock(keyed(member)) == {200}


def test_added_user_can_log_in(pair):
    """An account that the operator adds is one like every other."""
    printed = pair.run("users", "add", "added", "added@example.org", "--password-stdin", stdin="password123\n")
    assert pair.api.login("added")["user"]["username"] == "added"
    key = printed.split("api key:")[1].strip()
    assert pair.api.shown(key=key).get(TTS).status == 200
    assert "added@example.org" in pair.run("users", "list")
