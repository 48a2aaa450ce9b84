"""Guessing passwords: what stops it per account and overall, and why no attacker can lock the owner out."""

import pytest
from tests.support.service import ANN, BOB, V1

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.accounts.passwords import HASHING_BUSY
from voxgate.gate.errors import StoreUnavailableError
from voxgate.web.services import key_folder

REGISTER, LOGIN, PASSWORD = f"{V1}/auth/register", f"{V1}/auth/login", f"{V1}/auth/password"
DEVICE = "X-Device-Token"
WIDE = {"ratelimit_login": "1000 per minute", "ratelimit_login_address": "1000 per minute"}


def attempt(
    client, username=ANN["username"], password=ANN["password"], *, address="192.0.2.1", device=None, path=LOGIN
):
    return client.post(
        path,
        json={"username": username, "password": password},
        environ_base={"REMOTE_ADDR": address},
        headers={DEVICE: device} if device else {},
    )


def guess(client, times=1, **where):
    return [attempt(client, password="wrong password", **where) for _ in range(times)]


def statuses(answers):
    return [each.status_code for each in answers]


@pytest.fixture
def wide(make_app):
    """An application whose account limit is met before the address' limits are, with ann's account."""
    client = make_app(**WIDE, ratelimit_login_account="3 per 15 minutes; 5 per hour").test_client()
    assert client.post(REGISTER, json=ANN).status_code == 201
    return client


def events_named(events, name):
    return [fields for each, fields in events if each == name]


class TestOneAccount:
    def test_429_over_all_addresses_together(self, wide, events):
        """An attacker with many addresses has no more guesses, and one line tells of it, then a count."""
        answers = [guess(wide, address=f"192.0.2.{number}")[0] for number in range(8)]
        assert statuses(answers) == [401] * 3 + [429] * 5
        assert answers[-1].get_json()["violated-policies"] == ["login-account"]
        (lock,) = events_named(events, "authn_login_lock")
        assert (lock["username"], lock["ip_address"], lock["limit"]) == ("testuser", "192.0.2.3", "login-account")
        assert lock["request_id"] == answers[3].headers["X-Request-ID"]
        wide.application.extensions["voxgate"].admission.reports.quiet.flush()
        assert events_named(events, "authn_login_lock")[1]["repeats"] == 4

    def test_waits_grow_and_each_is_enough(self, wide, clock):
        """After three failures a quarter of an hour, after five the rest of an hour; waiting as told helps."""
        guess(wide, 3)
        wait_s = guess(wide)[0].get_json()["retry_after"]
        assert wait_s == 900
        clock.advance(wait_s)
        assert statuses(guess(wide, 3)) == [401, 401, 429]
        wait_s = guess(wide)[0].get_json()["retry_after"]
        assert wait_s == 3600 - 900
        clock.advance(wait_s)
        assert attempt(wide).status_code == 200

    def test_right_passwords_do_not_count(self, wide):
        """Whoever logs in all day long shuts nobody out."""
        assert statuses([attempt(wide) for _ in range(10)]) == [200] * 10
        assert statuses(guess(wide, 4)) == [401, 401, 401, 429]

    def test_a_right_password_forgives_no_wrong_one(self, wide):
        """An owner who logs in gives an attacker no new guesses."""
        guess(wide, 2)
        assert attempt(wide).status_code == 200
        assert statuses(guess(wide, 2)) == [401, 429]

    def test_spellings_of_one_name_are_one_account(self, wide):
        """Case and width do not make a new counter."""
        names = ["testuser", "TESTUSER", "\uff54estuser", "TestUser"]
        assert statuses([guess(wide, username=name)[0] for name in names]) == [401, 401, 401, 429]

    def test_unknown_accounts_are_refused_alike(self, wide):
        """Status, text, wait and headers tell nothing of who exists."""
        known, unknown = guess(wide, 4), guess(wide, 4, username="nobody")
        same = [{**each.get_json(), "instance": ""} for each in (*known, *unknown)]
        assert same[:4] == same[4:]
        names = [[name for name, _ in each.headers] for each in (*known, *unknown)]
        assert names[:4] == names[4:]

    def test_disabled_account_counts_no_failure(self, wide):
        """Its owner knows the password; that is no guess."""
        services = wide.application.extensions["voxgate.services"]
        services.accounts.set_active(services.accounts.find_by_name("testuser").subject, False)
        assert {each.get_json()["code"] for each in [attempt(wide) for _ in range(5)]} == {"ACCOUNT_DISABLED"}

    @pytest.mark.parametrize("trouble", ["busy", "database"])
    def test_an_attempt_that_was_not_judged_is_none(self, wide, monkeypatch, trouble):
        """A flood that keeps the hasher busy locks nobody out for a day."""
        with monkeypatch.context() as patch:
            patch.setattr("voxgate.web.sessions.check_login", _fail_with(trouble))
            assert statuses(guess(wide, 5)) == [503] * 5
        assert statuses(guess(wide, 4)) == [401, 401, 401, 429]

    def test_a_store_that_is_gone_afterwards_harms_no_login(self, wide, monkeypatch):
        """What could not be given back is free when its window is over."""
        store = wide.application.extensions["voxgate"].admission.store
        monkeypatch.setattr(store, "release", _raise(StoreUnavailableError("gone")))
        assert attempt(wide).status_code == 200

    def test_both_documents_paths_share_the_counters(self, wide):
        """Two doors are not twice the guesses."""
        assert statuses([*guess(wide, 2), *guess(wide, 2, path="/login")]) == [401, 401, 401, 429]


class TestOverall:
    def test_429_before_any_hash(self, make_app, monkeypatch):
        """More failures than the service bears are shed without work; other counters are not spent by it."""
        client = make_app(**WIDE, ratelimit_login_total="4 per minute").test_client()
        assert statuses([guess(client, username=f"user{number}")[0] for number in range(4)]) == [401] * 4
        monkeypatch.setattr("voxgate.web.sessions.check_login", lambda *_args, **_named: pytest.fail("hashed"))
        refused = guess(client, username="other")[0]
        assert (refused.status_code, refused.get_json()["violated-policies"]) == (429, ["login-total"])

    def test_known_devices_come_in_all_the_same(self, make_app):
        """A flood of strangers does not keep out who was here before."""
        client = make_app(**WIDE, ratelimit_login_total="2 per minute").test_client()
        client.post(REGISTER, json=ANN)
        device = attempt(client).headers[DEVICE]
        guess(client, 3, username="other")
        assert attempt(client).status_code == 429
        assert attempt(client, device=device).status_code == 200


class TestKnownDevice:
    @pytest.fixture
    def device(self, wide):
        """The token of a device that ann has logged in from."""
        return attempt(wide).headers[DEVICE]

    def test_200_while_an_attacker_guesses(self, wide, device):
        """From the very same address even: the owner's device has counters of its own."""
        assert statuses(guess(wide, 4))[-1] == 429
        assert attempt(wide).status_code == 429
        assert attempt(wide, device=device).status_code == 200

    def test_by_name_and_by_address(self, wide, device):
        """The token belongs to the account, whichever name is typed."""
        guess(wide, 4, username=ANN["email"])
        assert attempt(wide, ANN["email"]).status_code == 429
        assert attempt(wide, ANN["email"], device=device).status_code == 200

    def test_429_for_its_own_failures_alone(self, make_app, clock):
        """A stolen token is no way to guess without end; strangers and other devices are not touched by it."""
        client = make_app(ratelimit_login_device="2 per hour").test_client()
        client.post(REGISTER, json=ANN)
        stolen, mine = attempt(client).headers[DEVICE], attempt(client).headers[DEVICE]
        assert stolen != mine
        clock.advance(60)
        assert statuses(guess(client, 3, device=stolen)) == [401, 401, 429]
        assert attempt(client, device=stolen).get_json()["violated-policies"] == ["login-device"]
        assert attempt(client, device=mine).status_code == 200
        assert attempt(client).status_code == 200

    def test_three_a_minute_hold_for_it_too(self, make_app):
        """The document's limit on login attempts binds every client."""
        client = make_app().test_client()
        client.post(REGISTER, json=ANN)
        device = attempt(client).headers[DEVICE]
        assert statuses([attempt(client, device=device) for _ in range(4)]) == [200, 200, 200, 429]

    def test_many_devices_of_one_account_are_bounded_together(self, make_app):
        """Whoever collects tokens of the own account cannot flood the hasher with them."""
        client = make_app(ratelimit_login="1000 per minute", ratelimit_login_address="4 per minute").test_client()
        client.post(REGISTER, json=ANN)
        devices = [attempt(client).headers[DEVICE] for _ in range(3)]
        seen = statuses([attempt(client, device=each) for each in devices * 2])
        assert seen == [200] * 4 + [429] * 2

    def test_its_name_stays_and_its_end_moves(self, wide, device, clock):
        """Each login renews the token, and the device keeps its counters."""
        clock.advance(1000)
        renewed = attempt(wide, device=device).headers[DEVICE]
        assert renewed != device
        assert renewed.split("_")[2] == device.split("_")[2]

    def test_the_token_of_another_account_is_nothing(self, wide, device):
        """Bob's device is a stranger to ann."""
        wide.post(REGISTER, json=BOB)
        other = attempt(wide, BOB["username"], BOB["password"]).headers[DEVICE]
        guess(wide, 3)
        assert attempt(wide, device=other).status_code == 429
        assert attempt(wide, device=device).status_code == 200

    @pytest.mark.parametrize("change", [lambda token: token[:-1], lambda token: token.replace("vgd_", "vgr_"), len])
    def test_a_forged_token_is_nothing(self, wide, device, change):
        """It is ignored like no token; nobody is told why."""
        guess(wide, 3)
        assert attempt(wide, device=str(change(device))).status_code == 429

    def test_it_ends_after_half_a_year(self, wide, device, clock):
        """A forgotten machine is a stranger again."""
        clock.advance(15_552_000)
        guess(wide, 3)
        assert attempt(wide, device=device).status_code == 429

    def test_it_ends_with_the_key_that_has_leaked(self, wide, device, clock):
        """Whoever has the key could make tokens of devices, so those of it are worth nothing, without a restart."""
        services = wide.application.extensions["voxgate.services"]
        key_folder(services.settings, clock).rotate(overlap_s=0, is_leaked=True)
        guess(wide, 3)
        assert attempt(wide, device=device).status_code == 429
        clock.advance(3600)
        renewed = attempt(wide).headers[DEVICE]
        guess(wide, 3)
        assert attempt(wide, device=renewed).status_code == 200

    def test_it_opens_nothing_by_itself(self, wide, device):
        """The password is still needed, and a failure gives no new token."""
        (answer,) = guess(wide, device=device)
        assert answer.status_code == 401
        assert DEVICE not in answer.headers

    def test_a_browser_keeps_it_as_a_cookie_that_no_script_reads(self, wide):
        """Host-bound, secure, same site; other clients get the header alone."""
        assert "Set-Cookie" not in attempt(wide).headers
        body = {"username": ANN["username"], "password": ANN["password"]}
        answer = wide.post(LOGIN, json=body, headers={"Sec-Fetch-Site": "same-origin"}, base_url="https://localhost")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-voxgate-device=vgd_")
        for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Strict"):
            assert part in cookie.split("; ")
        stranger = wide.application.test_client(use_cookies=False)
        assert statuses(guess(stranger, 4))[-1] == 429
        shown = stranger.post(LOGIN, json=body, headers={"Cookie": cookie.partition(";")[0]})
        assert shown.status_code == 200

    def test_a_login_from_a_new_device_is_an_event(self, wide, events, device):
        """Its owner may want to know; a known device is not told again."""
        attempt(wide, device=device)
        (told,) = events_named(events, "authn_login_new_device")
        assert told["session_id"]
        assert device not in str(events)


class TestWhatIsTold:
    def test_only_what_looks_like_a_name_is_shown(self, wide, events):
        """People type passwords into the wrong field."""
        guess(wide, username="correct horse battery")
        guess(wide, username="someone")
        assert [each["username"] for each in events_named(events, "login")] == ["[not a name]", "someone"]

    def test_guesses_at_the_own_password_are_limited_over_all_addresses(self, wide, events):
        """A stolen token is no way around the limits."""
        token = attempt(wide).get_json()["access_token"]
        body = {"current_password": "wrong password", "new_password": "seven round stones"}
        answers = [
            wide.post(
                PASSWORD,
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
            )
            for number in range(4)
        ]
        assert statuses(answers) == [403, 403, 403, 429]
        assert events_named(events, "authn_login_lock")[0]["user_id"]


def _fail_with(trouble):
    return lambda *_args, **_named: HASHING_BUSY if trouble == "busy" else _raise(DatabaseUnavailableError("gone"))()


def _raise(error):
    def call(*_arguments, **_named):
        raise error

    return call
