"""The caller's limits as they stand."""

from tests.support.service import ANN, V1, bearer

LIMITS = f"{V1}/limits"
GENERATE = f"{V1}/tts/generate"


def test_fresh_account_has_everything_left(client, ann):
    """Each policy that binds the caller is told by its endpoint."""
    body = client.get(LIMITS, headers=bearer(ann["access_token"])).get_json()
    auth = {f"{V1}/auth/{name}" for name in ("refresh", "api-keys", "sessions", "password")}
    jobs = {"jobs at once", "jobs unfinished"}
    assert body.keys() == {GENERATE, f"{V1}/tts/status", "/protected", "*"} | auth | jobs
    assert body[GENERATE] == {
        "limit": 10,
        "current_count": 0,
        "remaining": 10,
        "window": 60,
        "reset_after": 0,
        "policy": "tts-generate",
    }


def test_what_was_spent_is_counted_and_comes_back(client, auth_headers, clock):
    """A request is counted as long as it lies in the window, and no longer."""
    client.post(GENERATE, headers=auth_headers, json={"text": "a"})
    clock.advance(20)
    spent = client.get(LIMITS, headers=auth_headers).get_json()[GENERATE]
    assert (spent["current_count"], spent["remaining"], spent["reset_after"]) == (1, 9, 40)
    clock.advance(spent["reset_after"])
    assert client.get(LIMITS, headers=auth_headers).get_json()[GENERATE]["current_count"] == 0


def test_reading_spends_only_the_limit_of_reading(client, auth_headers):
    """Asking costs the request itself and no other limit."""
    before = client.get(LIMITS, headers=auth_headers).get_json()
    after = client.get(LIMITS, headers=auth_headers).get_json()
    assert after["*"]["current_count"] == before["*"]["current_count"] + 1
    assert {name: after[name] for name in after if name != "*"} == {
        name: before[name] for name in before if name != "*"
    }


def test_tier_is_the_callers(client, ann, services):
    """A premium account sees premium limits, at once."""
    services.accounts.set_tier(ann["user_id"], "premium")
    limit = client.get(LIMITS, headers=bearer(ann["access_token"])).get_json()["*"]
    assert (limit["limit"], limit["policy"]) == (1000, "premium")


def test_others_do_not_count(client, auth_headers, bob_headers):
    """One account's requests are not the other's."""
    client.post(GENERATE, headers=bob_headers, json={"text": "a"})
    assert client.get(LIMITS, headers=auth_headers).get_json()[GENERATE]["current_count"] == 0


def test_of_several_limits_the_nearest_is_told(make_app):
    """A policy of two windows is told by the one that refuses first."""
    client = make_app(ratelimit_tts_generate="100 per hour; 2 per second").test_client()
    key = client.post(f"{V1}/auth/register", json=ANN).get_json()["api_key"]
    limit = client.get(LIMITS, headers={"X-API-Key": key}).get_json()[GENERATE]
    assert (limit["limit"], limit["window"]) == (2, 1)
