"""Everything at once to one account, over real HTTP: whoever wins, nothing is left that opens what has ended."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.calls import PASSWORD, V1

ME = f"{V1}/auth/me"
KEYS = f"{V1}/auth/api-keys"


@pytest.fixture
def member(served):
    return served.api.join()


def new_admin(served):
    """Make an administrator with a session."""
    made = served.api.join()
    served.run("users", "grant", made.username, "admin")
    return made


@pytest.fixture(scope="module")
def admins(served):
    """Two administrators, whom no test changes."""
    return [new_admin(served) for _ in range(2)]


def at_once(*calls):
    """Make calls in threads of their own; gives their answers in order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


def statuses(answers):
    return sorted(answer.status for answer in answers)


def test_whatever_is_given_while_an_account_is_deleted_is_dead(served, member):
    """Refreshes, logins and keys that overlap with the end of their account open nothing after it."""
    api, login = served.api, {"username": member.username, "password": PASSWORD}
    given = at_once(
        *[lambda: api.shown(bearer=member.refresh).post(f"{V1}/auth/refresh")] * 4,
        lambda: member.api.ask("DELETE", ME, json={"password": PASSWORD}),
        *[lambda: api.post(f"{V1}/auth/login", json=login)] * 3,
        *[lambda: member.api.post(KEYS, json={"name": "late"})] * 3,
    )
    assert given[4].status == 204
    for answer in given:
        told = answer.json() if answer.status in {200, 201} else {}
        if "access_token" in told:
            assert api.shown(bearer=told["access_token"]).get(ME).status == 401
            assert api.shown(bearer=told["refresh_token"]).post(f"{V1}/auth/refresh").status == 401
        if "api_key" in told:
            assert api.shown(key=told["api_key"]).get(ME).status == 401
    assert api.post(f"{V1}/auth/login", json=login).status == 401


def test_key_is_replaced_once_and_works_meanwhile(served, member):
    """Within its overlap the old key is good for whoever still uses it."""
    made = member.api.post(KEYS, json={"name": "busy"}).json()
    use = served.api.shown(key=made["api_key"])
    rotate = lambda: member.api.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_s": 60})  # noqa: E731
    answers = at_once(*[rotate, lambda: use.get(ME)] * 4)
    assert statuses(answers[::2]) == [201, 409, 409, 409]
    assert statuses(answers[1::2]) == [200] * 4


def test_key_that_is_ended_while_it_is_rotated_is_dead(served, member):
    """Whichever was first; and what a rotation gave is the owner's to end."""
    made = member.api.post(KEYS, json={"name": "lost"}).json()
    path = f"{KEYS}/{made['id']}"
    ended, *rotated = at_once(
        lambda: member.api.ask("DELETE", path), *[lambda: member.api.post(f"{path}/rotate", json={"overlap_s": 60})] * 3
    )
    assert ended.status == 204
    assert served.api.shown(key=made["api_key"]).get(ME).code == "API_KEY_INVALID"
    given = [answer.json()["id"] for answer in rotated if answer.status == 201]
    listed = {each["id"] for each in member.api.get(KEYS).json()["api_keys"]}
    assert len(given) <= 1
    assert set(given) <= listed
    assert made["id"] not in listed


def test_of_many_new_passwords_one_is_the_password(served, member):
    """Each shows the current one, and only the first shows it in time; its session alone goes on."""
    sessions = [served.api.shown(bearer=served.api.login(member.username)["access_token"]) for _ in range(3)]
    new = [f"seven stones in row {number}" for number in range(3)]
    change = lambda number: sessions[number].post(  # noqa: E731
        f"{V1}/auth/password", json={"current_password": PASSWORD, "new_password": new[number]}
    )
    answers = at_once(*[lambda number=number: change(number) for number in range(3)])
    winners = [number for number, answer in enumerate(answers) if answer.status < 300]
    assert len(winners) == 1
    assert {answer.code for answer in answers} <= {"", "WRONG_PASSWORD", "TOKEN_REVOKED"}
    assert [number for number, each in enumerate(sessions) if each.get(ME).status == 200] == winners
    served.api.login(member.username, new[winners[0]])


def test_account_never_has_a_tier_that_is_gone(served, member, admins):
    """One administrator gives a tier while another removes it: it is in use, or it was never given."""
    one, other = (each.api for each in admins)
    tier = f"t{member.subject[:8]}"
    path, user = f"{V1}/admin/tiers/{tier}", f"{V1}/admin/users/{member.subject}"
    assert one.ask("PUT", path, json={"limits": {"*": "500 per minute"}}).status == 200
    given, removed = at_once(lambda: one.ask("PATCH", user, json={"tier": tier}), lambda: other.ask("DELETE", path))
    assert (given.status, removed.status) in {(200, 409), (422, 204)}
    assert one.get(user).json()["tier"] == (tier if given.status == 200 else "standard")
    assert member.api.get(ME).status == 200


def test_account_is_what_the_last_of_two_administrators_made_it(member, admins):
    """In SQL and at the gate the same: no change is half of one and half of another."""
    user = f"{V1}/admin/users/{member.subject}"
    calls = [
        lambda each=each, tier=tier: each.api.ask("PATCH", user, json={"tier": tier})
        for each in admins
        for tier in ("premium", "standard", "premium")
    ]
    assert statuses(at_once(*calls)) == [200] * 6
    tier = admins[0].api.get(user).json()["tier"]
    assert member.api.get(ME).json()["tier"] == tier


def test_administrator_who_is_demoted_at_work_stops_at_once(served, member):
    """The role is looked at by every request; what was done before it was taken stays."""
    admin = new_admin(served)
    user = f"{V1}/admin/users/{member.subject}"
    change = lambda: admin.api.ask("PATCH", user, json={"tier": "premium"})  # noqa: E731
    answers = at_once(*[change] * 4, lambda: served.run("users", "withdraw", admin.username, "admin"))[:-1]
    assert {answer.code for answer in answers} <= {"", "ADMIN_REQUIRED"}
    assert change().code == "ADMIN_REQUIRED"
