"""The commands about signing keys: what they change holds, and what they say is enough to go on."""

import json
import re
import stat

import pytest

from voxgate.cli.checks import State, check_key
from voxgate.settings import load_settings


@pytest.fixture
def listed(run):
    """Return the keys as the list shows them, by kid."""

    def lines():
        shown = run("signing", "list")
        assert shown.exit_code == 0, shown.output
        return {line.split()[0]: line for line in shown.output.splitlines()}

    return lines


@pytest.fixture
def finding():
    """What the doctor says of the key."""

    def look():
        (found,) = check_key(load_settings(warn=lambda _: None))
        return found

    return look


def kid_of(text):
    return re.search(r"key (\w+)", text)[1]


def test_first_key_is_generated_and_signs(listed, data):
    """A fresh folder has one HS256 key."""
    (line,) = listed().values()
    assert "HS256" in line
    assert "signs" in line
    assert stat.S_IMODE((data / "secret.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
def test_rotation_says_what_signs_and_what_verifies_until_when(run, listed, data, algorithm):
    """Both keys are named, and nothing secret is shown."""
    (old,) = listed()
    rotated = run("signing", "rotate", "--algorithm", algorithm, "--overlap", "2 hours")
    assert rotated.exit_code == 0, rotated.output
    new = kid_of(rotated.output)
    assert f"key {new} ({algorithm}) signs\nkey {old} (HS256) verifies until 20" in rotated.output
    assert "signs" in listed()[new]
    assert "verifies until" in listed()[old]
    secret = json.loads((data / "signing.json").read_text())["keys"][0]
    assert (secret.get("d") or secret["k"]) not in rotated.output + "".join(listed().values())


def test_rotation_without_words_keeps_the_algorithm(run, listed):
    """Who signs with ES256 goes on with ES256."""
    run("signing", "rotate", "--algorithm", "ES256")
    assert "(ES256) signs" in run("signing", "rotate").output
    assert len(listed()) == 3


def test_new_key_waits_until_it_is_rotated_to(run, listed):
    """It can be copied to other machines before the first token comes."""
    (old,) = listed()
    kid = kid_of(run("signing", "new").output)
    assert "waits to sign" in listed()[kid]
    assert "signs" in listed()[old]
    assert f"key {kid} (HS256) signs" in run("signing", "rotate").output


def test_retired_key_is_gone(run, listed, data):
    """It stands in no list and in no file."""
    (old,) = listed()
    run("signing", "rotate")
    assert run("signing", "retire", old).output == f"key {old} is retired\n"
    assert old not in listed()
    assert not (data / "secret.key").exists()


def test_leaked_key_is_told(run, listed, data):
    """The security log says who was changed, and never a secret."""
    (old,) = listed()
    run("signing", "rotate")
    assert run("signing", "retire", old, "--leaked").exit_code == 0
    events = [json.loads(line) for line in (data / "security.log").read_text().splitlines()]
    assert {event["event"] for event in events} == {"signing_key_changed"}
    assert events[0]["change"] == "signs"
    assert events[0]["replaces"] == old
    assert events[1]["leaked"]


def test_leaked_key_that_signs_ends_in_one_command(run, listed, data):
    """The key of refresh tokens, which came from it, is made anew, also where its file is gone already."""
    (old,) = listed()
    assert run("signing", "rotate", "--overlap", "0").exit_code == 0
    before = json.loads((data / "signing.json").read_text())["refresh"]
    done = run("signing", "rotate", "--leaked")
    assert done.exit_code == 0, done.output
    assert "has ended, and every refresh token with it" in done.output
    assert len(listed()) == 1
    assert old not in listed()
    assert json.loads((data / "signing.json").read_text())["refresh"] != before
    assert json.loads((data / "security.log").read_text().splitlines()[-1])["leaked"]


def test_key_whose_overlap_is_over_is_shown_as_ended(run, listed, data):
    """Until the next change takes it out of the file."""
    (old,) = listed()
    run("signing", "rotate")
    path = data / "signing.json"
    content = json.loads(path.read_text())
    content["first"][old] = 1
    path.write_text(json.dumps(content))
    assert "ended" in listed()[old]


def test_key_that_signs_is_not_retired(run, listed):
    """The command names what to do first."""
    (old,) = listed()
    refused = run("signing", "retire", old)
    assert refused.exit_code == 1
    assert "voxgate signing rotate --leaked" in refused.output


def test_unknown_key_and_bad_time_are_refused(run):
    """One line, and where to look."""
    assert "voxgate signing list" in run("signing", "retire", "nobody").output
    assert "--overlap" in run("signing", "rotate", "--overlap", "soon").output


class TestDoctor:
    def test_key_is_described(self, run, finding):
        """Kid, algorithm, age and company."""
        assert finding().text == "will be made at the first start"
        run("signing", "rotate", "--algorithm", "EdDSA")
        found = finding()
        assert found.state is State.OK
        assert "signs with EdDSA (made 0 days ago); 1 more can verify" in found.text

    def test_old_key_is_to_be_rotated(self, run, finding, data):
        """After a year the doctor names the command."""
        run("signing", "rotate", "--algorithm", "EdDSA")
        path = data / "signing.json"
        content = json.loads(path.read_text())
        content["keys"][0]["made_at_ms"] = 1
        path.write_text(json.dumps(content))
        assert (finding().state, finding().mend) == (State.WARN, "voxgate signing rotate")

    def test_setting_that_is_not_done_yet_is_told(self, run, finding, monkeypatch):
        """The setting holds from the next start."""
        run("signing", "list")
        monkeypatch.setenv("JWT_ALGORITHM", "ES256")
        assert finding().state is State.WARN


def test_production_starts_with_a_set_of_keys_alone(run, data, monkeypatch):
    """Where the first key was retired the service still starts, and where nothing is it does not."""
    run("signing", "rotate", "--algorithm", "EdDSA", "--overlap", "0")
    run("signing", "new")
    (data / "secret.key").unlink(missing_ok=True)
    monkeypatch.setenv("VOXGATE_PROFILE", "production")
    assert load_settings(warn=lambda _: None).is_production
