"""The commands about the data folder, accounts, keys and limits."""

import json
import re
import subprocess
import sys
import time

import pytest

from voxgate.cli import COMMANDS
from voxgate.gate.api_keys import parse_key
from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import parse_limits
from voxgate.gate.stores import open_store
from voxgate.settings import load_settings
from voxgate.web.services import open_services


def events_of(data):
    return [json.loads(line) for line in (data / "security.log").read_text().splitlines()]


class TestTop:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself(self, run, command):
        """--help and -h are never an error."""
        assert run(command, "--help").exit_code == 0
        assert run(command, "-h").exit_code == 0

    def test_help_names_every_command_without_importing_one(self):
        """The most common first step is quick."""
        program = (
            "import sys; from voxgate.cli import cli\n"
            "try: cli.main(['--help'])\n"
            "finally: print(sorted(m for m in sys.modules if m.startswith('voxgate.') or m == 'pydantic'))"
        )
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert all(name in shown for name in COMMANDS)
        own = ["voxgate.cli", "voxgate.cli.importing", "voxgate.gate", "voxgate.gate.errors"]
        assert shown.splitlines()[-1] == str(own)

    @pytest.mark.parametrize("module", [["-m", "voxgate"], ["-c", "from voxgate.cli import main; main()"]])
    def test_both_ways_to_start_show_the_version(self, module):
        """`python -m voxgate` and `voxgate` are the same program."""
        shown = subprocess.run([sys.executable, *module, "--version"], capture_output=True, text=True, check=True)
        assert re.fullmatch(r"voxgate \d+\.\d+\.\d+\S*\n", shown.stdout)

    def test_an_unknown_command_ends_with_status_2(self, run):
        """A wrong use is told apart from a failure."""
        assert run("frobnicate").exit_code == 2

    def test_a_setting_that_cannot_be_used_is_one_line_and_status_1(self, run, monkeypatch):
        """No traceback reaches an operator."""
        monkeypatch.setenv("VOXGATE_PROT", "1")
        result = run("limits", "show")
        assert result.exit_code == 1
        assert (
            result.stderr == "Error: VOXGATE_PROT: is not a setting (in the environment). Did you mean VOXGATE_PORT?\n"
        )

    def test_a_warning_goes_to_standard_error(self, run, monkeypatch):
        """Output can be piped."""
        monkeypatch.setenv("JWT_SECRETKEY", "x")
        result = run("limits", "show")
        assert result.exit_code == 0
        assert "warning: JWT_SECRETKEY" in result.stderr
        assert "warning" not in result.stdout

    def test_a_folder_that_cannot_be_made_is_one_line(self, run, tmp_path):
        """The system's own words, and the path."""
        (tmp_path / "file").write_text("")
        result = run("users", "list", "--data", tmp_path / "file" / "data")
        assert result.exit_code == 1
        assert re.fullmatch(r"Error: .*file/data\n", result.stderr)


class TestInit:
    def test_it_makes_everything_and_says_what_comes_next(self, run, data, database_kind):
        """A folder for its owner alone, a key, a database and a settings file."""
        result = run("init")
        assert result.exit_code == 0
        made = {path.name for path in data.iterdir()}
        assert {"secret.key", "voxgate.toml"} <= made
        assert ("voxgate.db" in made) is (database_kind == "sqlite")
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "secret.key").stat().st_mode & 0o777 == 0o600
        assert (data / "voxgate.toml").stat().st_mode & 0o777 == 0o600
        assert "voxgate serve" in result.stdout

    def test_a_second_time_changes_nothing(self, run, data):
        """The key and what the operator wrote stay."""
        run("init")
        (data / "voxgate.toml").write_text("VOXGATE_PORT = 7\n")
        before = (data / "secret.key").read_bytes()
        assert run("init").exit_code == 0
        assert (data / "secret.key").read_bytes() == before
        assert (data / "voxgate.toml").read_text() == "VOXGATE_PORT = 7\n"

    def test_it_prepares_a_production_house(self, run, monkeypatch):
        """Production refuses to start without the key that init makes."""
        monkeypatch.setenv("VOXGATE_PROFILE", "production")
        assert "JWT_SECRET_KEY" in run("users", "list").stderr
        assert run("init").exit_code == 0
        assert run("users", "list").exit_code == 0

    def test_a_key_of_the_environment_needs_no_file(self, run, data, monkeypatch):
        """No second secret lies around."""
        monkeypatch.setenv("JWT_SECRET_KEY", "kN3xTq81-Zr0vB7m_PfW5yHdUoLc2SaEgJi9RtQ4wXb")
        assert run("init", "--data", data).exit_code == 0
        assert not (data / "secret.key").exists()


class TestUsers:
    def test_a_new_account_is_listed_and_its_key_is_shown_once(self, run, ann):
        """The key is whole and works; it stands nowhere else."""
        key = re.search(r"api key: (\S+)", ann.stdout)[1]
        assert parse_key(key)
        listed = run("users", "list").stdout
        assert "ann@example.org" in listed
        assert key not in listed

    def test_a_password_is_asked_for_twice_at_a_prompt(self, run):
        """Two different ones are asked for again; none is shown."""
        words = "four plain words here"
        result = run("users", "add", "bob", "bob@example.org", stdin=f"{words}\nother\n{words}\n{words}\n")
        assert result.exit_code == 0
        assert words not in result.output

    def test_no_password_on_standard_input_is_refused(self, run):
        """An empty pipe is a mistake, not an empty password."""
        result = run("users", "add", "bob", "bob@example.org", "--password-stdin", stdin="")
        assert (result.exit_code, result.stderr) == (1, "Error: standard input holds no password\n")

    def test_a_taken_name_is_refused_in_the_words_of_the_api(self, run, ann):
        """One table of problems."""
        again = run("users", "add", "ANN", "other@example.org", "--password-stdin", stdin="four plain words here\n")
        assert again.exit_code == 1
        assert "Username already exists" in again.stderr

    def test_every_bad_field_is_named(self, run):
        """All at once."""
        result = run("users", "add", "a b", "nowhere", "--password-stdin", stdin="x\n")
        assert result.exit_code == 1
        assert all(name in result.stderr for name in ("username", "email", "password"))

    def test_a_tier_can_be_given_at_once_and_changed_later(self, run, ann):
        """Standard and premium."""
        run(
            "users",
            "add",
            "bob",
            "bob@example.org",
            "--tier",
            "premium",
            "--password-stdin",
            stdin="four plain words\n",
        )
        assert run("users", "set-tier", "ann", "premium").stdout == "ann is premium\n"
        assert run("users", "list").stdout.count("premium") == 2
        assert run("users", "set-tier", "ann", "gold").exit_code == 1

    def test_an_account_is_disabled_and_enabled_by_any_of_its_names(self, run, ann):
        """User name, e-mail address, id."""
        subject = re.search(r"user id: (\S+)", ann.stdout)[1]
        assert run("users", "disable", "ann@example.org").stdout == "ann is disabled\n"
        assert "disabled" in run("users", "list").stdout
        assert run("users", "enable", subject).stdout == "ann is active\n"

    def test_a_new_password_ends_the_sessions(self, run, ann):
        """And says so."""
        result = run("users", "passwd", "ann", "--password-stdin", stdin="quite another phrase\n")
        assert result.exit_code == 0
        assert "every session of the account has ended" in result.stdout

    def test_sessions_are_ended_for_one_account_or_for_all(self, run, ann, data):
        """With how many they were; keys and passwords stay."""
        subject = re.search(r"user id: (\S+)", ann.stdout)[1]
        for count, words in ((1, "1 session of ann has"), (2, "2 sessions of ann have"), (0, "0 sessions of ann have")):
            log_in(data, subject, times=count)
            assert run("users", "logout", "ann").stdout == f"{words} ended\n"
        log_in(data, subject, times=2)
        assert run("users", "logout", "--all").stdout == "2 sessions of all accounts have ended\n"
        names = [(line["event"], line["sessions"], line["by"]) for line in events_of(data)[1:]]
        assert names == [("authn_token_revoked", count, "cli") for count in (1, 2, 0, 2)]
        assert run("keys", "list", "ann").stdout

    @pytest.mark.parametrize("arguments", [[], ["ann", "--all"]])
    def test_a_logout_of_nobody_or_of_one_and_all_is_a_wrong_use(self, run, ann, arguments):
        """Nobody ends everything by a slip."""
        assert run("users", "logout", *arguments).exit_code == 2

    def test_an_unknown_account_is_named_with_the_way_to_find_the_right_one(self, run):
        """One line."""
        result = run("users", "disable", "nobody")
        assert result.exit_code == 1
        assert "voxgate users list" in result.stderr

    def test_an_empty_list_says_how_to_begin(self, run):
        """On standard error, so that a pipe stays empty."""
        result = run("users", "list")
        assert result.stdout == ""
        assert "users add" in result.stderr

    def test_every_change_is_in_the_security_log(self, run, ann, data):
        """Who was changed, how, and that it was the operator."""
        run("users", "disable", "ann")
        run("users", "set-tier", "ann", "premium")
        run("users", "passwd", "ann", "--password-stdin", stdin="quite another phrase\n")
        run("keys", "new", "ann")
        lines = events_of(data)
        names = ["user_created", "user_updated", "user_updated", "authn_password_change", "authn_token_created"]
        assert [line["event"] for line in lines] == names
        assert all(line["user_id"] and line["by"] == "cli" for line in lines)


class TestKeys:
    def test_a_new_key_is_listed_by_its_hint_and_can_be_revoked(self, run, ann):
        """Its secret is shown once."""
        made = run("keys", "new", "ann", "--name", "laptop", "--scope", "tts:generate", "--expires-in", "90 days")
        key_id, text = re.search(r"key id:  (\S+)\napi key: (\S+)", made.stdout).groups()
        listed = run("keys", "list", "ann").stdout
        line = next(line for line in listed.splitlines() if line.startswith(key_id))
        assert "laptop" in line
        assert "tts:generate" in line
        assert "never" not in line
        assert text not in listed
        assert run("keys", "revoke", "ann", key_id).exit_code == 0
        assert key_id not in run("keys", "list", "ann").stdout

    def test_scopes_are_given_together_or_one_by_one(self, run, ann):
        """As people write lists."""
        for options in (["--scopes", "tts:generate, tts:read"], ["--scope", "tts:generate", "--scope", "tts:read"]):
            assert run("keys", "new", "ann", "--name", "both", *options).exit_code == 0
        assert run("keys", "list", "ann").stdout.count("tts:generate,tts:read  both") == 2

    def test_a_key_is_changed_in_what_is_given(self, run, ann, data):
        """The rest stays, the secret above all; and every bound can be lifted."""
        made = run("keys", "new", "ann", "--name", "laptop", "--scopes", "tts:read", "--expires-in", "90 days").stdout
        key_id = re.search(r"key id:  (\S+)", made)[1]
        bound = run("keys", "change", "ann", key_id, "--network", "192.0.2.0/24", "--limit", "5 per hour")
        assert bound.stdout.endswith("tts:read  laptop  192.0.2.0/24, *=5 per 1 hour\n")
        assert bound.stdout in run("keys", "list", "ann").stdout
        told = events_of(data)[-1]
        assert told | {"key_id": key_id, "changed": "['limits', 'networks']", "by": "cli"} == told
        lifted = ("--scopes", "everything", "--expires-in", "never", "--network", "everywhere", "--limit", "none")
        free = run("keys", "change", "ann", key_id, "--name", "desk", *lifted)
        assert free.stdout.endswith("expires never  unused  everything  desk\n")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ([], "at least one of"),
            (["--expires-in", "soon"], "--expires-in"),
            (["--scopes", "everything,tts:read"], "scopes"),
            (["--network", "everywhere", "--network", "192.0.2.1"], "network"),
            (["--limit", "often"], "limits"),
        ],
    )
    def test_a_change_that_makes_no_sense_is_refused(self, run, ann, arguments, told):
        """And nothing is changed."""
        before = run("keys", "list", "ann").stdout
        result = run("keys", "change", "ann", before.split()[0], *arguments)
        assert result.exit_code in (1, 2)
        assert told in result.stderr
        assert run("keys", "list", "ann").stdout == before

    def test_a_key_of_nobody_cannot_be_changed(self, run, ann):
        """A typing error is told."""
        assert run("keys", "change", "ann", "nokey", "--name", "x").exit_code == 1

    def test_a_key_is_rotated_with_an_overlap(self, run, ann, data):
        """The new key is shown once, with when the old one ends; a key is replaced once."""
        made = run("keys", "new", "ann", "--name", "laptop", "--scopes", "tts:read").stdout
        old_id = re.search(r"key id:  (\S+)", made)[1]
        rotated = run("keys", "rotate", "ann", old_id, "--overlap", "2 hours")
        new_id, text = re.search(r"key id:  (\S+)\napi key: (\S+)", rotated.stdout).groups()
        assert parse_key(text).key_id == new_id
        assert re.search(rf"key {old_id} ends \d{{4}}-\d\d-\d\d \d\d:\d\d UTC", rotated.stdout)
        assert run("keys", "list", "ann").stdout.count("tts:read  laptop") == 2
        assert "rotated" in run("keys", "rotate", "ann", old_id).stderr
        assert events_of(data)[-1] | {"key_id": new_id, "replaces": old_id, "by": "cli"} == events_of(data)[-1]

    @pytest.mark.parametrize("overlap", ["soon", "31 days"])
    def test_a_bad_overlap_is_refused(self, run, ann, overlap):
        """With the right form or the bounds."""
        key_id = run("keys", "list", "ann").stdout.split()[0]
        result = run("keys", "rotate", "ann", key_id, "--overlap", overlap)
        assert result.exit_code in (1, 2)
        assert "overlap" in result.stderr
        assert result.stdout == ""

    @pytest.mark.parametrize("arguments", [["--expires-in", "soon"], ["--scope", "NOT A SCOPE"], ["--name", "x" * 200]])
    def test_a_bad_option_is_refused(self, run, ann, arguments):
        """With the right form."""
        result = run("keys", "new", "ann", *arguments)
        assert result.exit_code in (1, 2)
        assert result.stdout == ""

    def test_a_key_of_nobody_cannot_be_revoked(self, run, ann):
        """A typing error is told."""
        result = run("keys", "revoke", "ann", "nokey")
        assert result.exit_code == 1
        assert "keys list ann" in result.stderr

    def test_a_list_without_keys_says_how_to_make_one(self, run, ann):
        """The first key may have been revoked."""
        first = run("keys", "list", "ann").stdout.split()[0]
        run("keys", "revoke", "ann", first)
        assert "keys new ann" in run("keys", "list", "ann").stderr


class TestLimits:
    def test_every_policy_is_shown(self, run, monkeypatch):
        """As it is set."""
        monkeypatch.setenv("RATELIMIT_TTS_GENERATE", "7 per hour")
        assert re.search(r"tts-generate +7 per hour", run("limits", "show").stdout)

    def test_what_an_account_has_spent_is_shown_and_can_be_forgotten(self, run, ann, data):
        """Showing spends nothing."""
        subject = re.search(r"user id: (\S+)", ann.stdout)[1]
        spend(data, f"user:{subject}", "tts-generate", "10 per minute", times=3)
        for _ in range(2):
            assert re.search(r"tts-generate +3 of 10 per 1 minute", run("limits", "show", "ann").stdout)
        assert run("limits", "reset", "ann").stdout == "1 counter of ann forgotten\n"
        assert re.search(r"tts-generate +0 of 10", run("limits", "show", "ann").stdout)

    def test_only_the_policies_that_bind_are_shown(self, run, ann):
        """An account has its own tier; an address has the limits of strangers."""
        account = run("limits", "show", "ann").stdout
        assert "standard" in account
        assert "premium" not in account
        address = run("limits", "show", "192.0.2.7").stdout
        assert "register" in address
        assert "tts-generate" not in address

    def test_an_address_can_be_reset(self, run):
        """Somebody locked out of registering is let in again."""
        assert run("limits", "reset", "192.0.2.7").stdout == "0 counters of 192.0.2.7 forgotten\n"


def log_in(data, subject, *, times):
    services = open_services(load_settings(overrides={"VOXGATE_DATA": str(data)}))
    account = services.accounts.find(subject)
    for _ in range(times):
        services.sessions.open(account, address="", device="")
    services.close()


def spend(data, partition, name, text, *, times):
    (limit,) = parse_limits(text, name=name)
    store = open_store(data / "gate.db")
    until = time.monotonic() + 10
    while times and time.monotonic() < until:
        times -= store.decide(Query(charges={"": (Charge(limit, partition),)})).is_allowed
    store.close()
