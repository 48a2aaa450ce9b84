"""Bringing accounts of another system: by their hashes, line by line, and never twice."""

import json

import bcrypt
import pytest

from voxgate.cli.frame import opened

PASSWORD = "four plain words here"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


def line_of(**changes):
    return json.dumps({"username": "ann", "email": "ann@example.org", "password_hash": HASH} | changes)


@pytest.fixture
def take(run, tmp_path):
    """Import a file of these lines; gives the result."""

    def call(*lines):
        (tmp_path / "users.jsonl").write_text("\n".join(lines))
        return run("users", "import", tmp_path / "users.jsonl")

    return call


def test_an_account_opens_with_its_old_password(take, data, run):
    """From the first login on, by name and address; it is listed and has no API key."""
    from voxgate.accounts.login import check_login  # noqa: PLC0415 -- after the environment is clean

    result = take(line_of(), "", line_of(username="bob", email="bob@example.org"))
    assert (result.exit_code, result.stdout) == (0, "2 accounts were made, 0 lines left out\n")
    with opened(str(data)) as services:
        found = check_login(services.database, services.hasher, identifier="ann", password=PASSWORD)
    assert found.username == "ann"
    assert "bob@example.org" in run("users", "list").stdout


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "is no JSON"),
        ("[]", "must be an object"),
        (json.dumps({"username": "ann"}), "must be an object"),
        (line_of(tier="premium"), "must be an object"),
        (line_of(username=7), "must be an object"),
        (line_of(username="a b"), "username may hold"),
        (line_of(email="nobody"), "email must be"),
        (line_of(password_hash="plain"), "password_hash is no hash"),
        (line_of(password_hash="$argon2id$v=19$m=99999999,t=1,p=1$" + "a" * 22 + "$" + "a" * 43), "is no hash"),
        (line_of(username="BOB"), "username taken"),
    ],
)
def test_a_line_that_cannot_be_taken_is_named_and_left_out(take, line, reason):
    """The others are taken; no hash is shown."""
    bob = line_of(username="bob", email="bob@example.org")
    result = take(bob, line)
    assert result.exit_code == 1
    assert "1 accounts were made, 1 lines left out" in result.stdout
    assert result.stderr.startswith("line 2: ")
    assert reason in result.stderr
    assert HASH not in result.output
    assert take(bob).exit_code == 1
