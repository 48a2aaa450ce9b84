"""What the operator sets at run time: limits, tiers, roles, terms of keys, and the ends of sessions and accounts."""

import re

import pytest


class TestLimits:
    def test_an_account_gets_limits_of_its_own_and_loses_them(self, run, ann):
        """One policy or every route without one; what binds is shown."""
        assert run("limits", "set", "ann", "tts-generate", "20 per minute").exit_code == 0
        assert run("limits", "set", "ann", "*", "500/minute").exit_code == 0
        shown = run("limits", "show", "ann").stdout
        assert re.search(r"tts-generate +0 of 20 per 1 minute", shown)
        assert re.search(r"standard +0 of 500 per 1 minute", shown)
        run("limits", "unset", "ann", "tts-generate")
        assert re.search(r"tts-generate +0 of 10 per 1 minute", run("limits", "show", "ann").stdout)
        run("limits", "unset", "ann")
        assert re.search(r"standard +0 of 100 per 1 minute", run("limits", "show", "ann").stdout)

    def test_a_tier_is_defined_given_and_removed(self, run, ann):
        """Its limits bind everybody in it; nobody is left in a tier that is gone."""
        assert run("limits", "set", "--tier", "gold", "*", "7 per minute").exit_code == 0
        assert run("users", "set-tier", "ann", "gold").stdout == "ann is gold\n"
        assert re.search(r"gold +1 accounts  \*: 7 per 1 minute", run("limits", "tiers").stdout)
        assert re.search(r"0 of 7 per 1 minute", run("limits", "show", "ann").stdout)
        assert "in use" in run("limits", "unset", "--tier", "gold").stderr
        run("users", "set-tier", "ann", "standard")
        assert run("limits", "unset", "--tier", "gold").exit_code == 0
        assert "gold" not in run("limits", "tiers").stdout

    @pytest.mark.parametrize(
        "arguments",
        [
            ("set", "ann", "login", "9 per minute"),
            ("set", "ann", "*", "many"),
            ("set", "--tier", "Gold", "*", "9 per minute"),
            ("unset", "--tier", "gold"),
            ("set", "nobody", "*", "9 per minute"),
        ],
    )
    def test_what_cannot_be_is_refused_in_one_line(self, run, ann, arguments):
        """No such policy, limit, name, tier, account."""
        result = run("limits", *arguments)
        assert result.exit_code == 1
        assert re.fullmatch(r"Error: .+\n", result.stderr)


class TestUsers:
    def test_a_role_is_granted_and_withdrawn(self, run, ann):
        """By the command line alone."""
        assert run("users", "grant", "ann", "admin").stdout == "ann has the roles: admin\n"
        assert run("users", "withdraw", "ann", "admin").stdout == "ann has the roles: none\n"
        assert run("users", "grant", "ann", "king").exit_code == 1

    def test_an_account_is_deleted_once_it_is_confirmed(self, run, ann):
        """Its name is free again."""
        assert run("users", "delete", "ann", stdin="n\n").exit_code == 1
        assert "ann@example.org" in run("users", "list").stdout
        assert run("users", "delete", "ann", stdin="y\n").stdout.endswith("ann is deleted\n")
        assert "ann@example.org" not in run("users", "list").stdout
        assert run("users", "delete", "ann", "--yes").exit_code == 1
        again = run("users", "add", "ann", "ann@example.org", "--password-stdin", stdin="quite a long phrase\n")
        assert again.exit_code == 0

    def test_sessions_from_before_a_time_end(self, run, ann):
        """Of one account or of all; a time to come is refused, and so is what is none."""
        assert (
            run("users", "logout", "ann", "--before", "2020-01-01T00:00:00Z").stdout == "0 sessions of ann have ended\n"
        )
        assert run("users", "logout", "--all", "--before", "2020-01-01").stdout.startswith("0 sessions of all")
        for wrong in ("soon", "2999-01-01T00:00:00Z"):
            assert "--before" in run("users", "logout", "ann", "--before", wrong).stderr


class TestKeys:
    def test_a_key_is_bound_to_networks_and_limits(self, run, ann):
        """And the list shows by what."""
        options = ("--network", "192.0.2.0/24", "--network", "2001:db8::/48", "--limit", "100 per hour")
        made = run("keys", "new", "ann", "--name", "ci", *options, "--limit", "tts-generate=5 per minute")
        assert made.exit_code == 0, made.stderr
        line = next(line for line in run("keys", "list", "ann").stdout.splitlines() if " ci " in line)
        assert "192.0.2.0/24, 2001:db8::/48, *=100 per 1 hour, tts-generate=5 per 1 minute" in line
        assert "unused" in line

    @pytest.mark.parametrize("option", [("--network", "192.0.2.7/24"), ("--limit", "often"), ("--limit", "x=1/minute")])
    def test_a_bad_term_is_refused(self, run, ann, option):
        """With the right form."""
        result = run("keys", "new", "ann", *option)
        assert result.exit_code == 1
        assert result.stdout == ""
