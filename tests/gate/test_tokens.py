"""Tokens: what we issue verifies, everything else is refused for the right reason and without a crash."""

import base64
import hashlib
import hmac
import json
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate import base62
from voxgate.gate.errors import ConfigurationError, Refusal
from voxgate.gate.signing import load_or_create_key
from voxgate.gate.tokens import Signer

KEY = bytes(range(32))
NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1000
INVALID = Refusal("INVALID_TOKEN")

signer = Signer(KEY)


def segment(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forge(header=None, claims=None, key=KEY, digest=hashlib.sha256):
    """Return a token with a right signature over whatever is asked for."""
    signing_input = f"{segment(HEADER if header is None else header)}.{segment(CLAIMS if claims is None else claims)}"
    return f"{signing_input}.{segment(hmac.digest(key, signing_input.encode(), digest))}"


HEADER = {"alg": "HS256", "typ": "at+jwt"}
CLAIMS = {"iss": "voxgate", "aud": "voxgate", "sub": "u1", "sid": "s1", "jti": "j1", "iat": NOW_S, "exp": NOW_S + 60}


def verify(token, now_ms=NOW_MS):
    return signer.verify_access(token, now_ms=now_ms)


def test_issued_token_verifies():
    """Subject, session, scopes and expiry come back."""
    claims = verify(signer.issue_access("u1", "s1", scopes=frozenset({"a", "b"}), now_ms=NOW_MS))
    assert (claims.subject, claims.session_id, claims.scopes) == ("u1", "s1", {"a", "b"})
    assert claims.expires_at_ms == NOW_MS + 900_000


def test_issued_token_follows_rfc_9068():
    """The type and the claims that the profile requires are there."""
    header, payload, _ = signer.issue_access("u1", "s1", now_ms=NOW_MS).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == HEADER
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= json.loads(
        base64.urlsafe_b64decode(payload + "==")
    ).keys()


def test_forged_with_the_right_key_verifies():
    """The helper of this file signs rightly, so that its refusals below are for the stated reason."""
    assert verify(forge()).subject == "u1"


def test_token_expires_to_the_second():
    """At ``exp`` the token is dead, a millisecond before it lives."""
    token = signer.issue_access("u1", "s1", now_ms=NOW_MS)
    assert verify(token, NOW_MS + 899_999).subject == "u1"
    assert verify(token, NOW_MS + 900_000) == Refusal("TOKEN_EXPIRED")


def test_leeway_forgives_what_it_says():
    """A clock difference within the leeway is forgiven, not more."""
    lenient = Signer(KEY, leeway_s=5)
    token = lenient.issue_access("u1", "s1", now_ms=NOW_MS)
    assert not isinstance(lenient.verify_access(token, now_ms=NOW_MS + 904_999), Refusal)
    assert lenient.verify_access(token, now_ms=NOW_MS + 905_000) == Refusal("TOKEN_EXPIRED")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt"}, {"alg": "None", "typ": "at+jwt"}, {"alg": "nOnE", "typ": "at+jwt"},
        {"alg": "hs256", "typ": "at+jwt"}, {"alg": "HS384", "typ": "at+jwt"}, {"alg": "RS256", "typ": "at+jwt"},
        {"alg": ["HS256"], "typ": "at+jwt"}, {"alg": None, "typ": "at+jwt"}, {"typ": "at+jwt"},
        {"alg": "HS256"}, {"alg": "HS256", "typ": "JWT"}, {"alg": "HS256", "typ": "rt+jwt"}, {"alg": "HS256", "typ": 1},
        HEADER | {"kid": "../../dev/null"}, HEADER | {"jwk": {"kty": "oct", "k": "AA"}}, HEADER | {"jku": "https://x"},
        HEADER | {"x5u": "https://x"}, HEADER | {"x5c": ["AA"]}, HEADER | {"crit": ["exp"]},
        HEADER | {"crit": ["b64"], "b64": False}, HEADER | {"zip": "DEF"}, HEADER | {"cty": "JWT"},
        b'{"alg":"HS256","alg":"HS256","typ":"at+jwt"}', b"[]", b"null", b'"x"', b"\xff\xfe", b"{", b"[" * 4000,
    ],
)  # fmt: skip
def test_header_that_is_not_ours_is_refused(header):
    """No header chooses an algorithm, a key or a reading, though the signature be right."""
    assert verify(forge(header=header)) == INVALID


@pytest.mark.parametrize(
    "claims",
    [
        *({name: value for name, value in CLAIMS.items() if name != gone} for gone in CLAIMS),
        CLAIMS | {"iss": "other"}, CLAIMS | {"aud": "other"}, CLAIMS | {"aud": ["voxgate"]}, CLAIMS | {"sub": 7},
        CLAIMS | {"sub": ""}, CLAIMS | {"sub": None}, CLAIMS | {"sid": ["s1"]}, CLAIMS | {"jti": 1},
        CLAIMS | {"exp": "9999999999"}, CLAIMS | {"exp": True}, CLAIMS | {"exp": 9e99}, CLAIMS | {"iat": None},
        CLAIMS | {"nbf": NOW_S + 11}, CLAIMS | {"nbf": "now"}, CLAIMS | {"iat": NOW_S + 11}, CLAIMS | {"scope": ["a"]},
        json.dumps(CLAIMS)[:-1].encode() + b',"sub":"admin"}', json.dumps(CLAIMS).encode() + b"x", b"[]", b"7", b"",
        json.dumps(CLAIMS).encode().replace(b'"u1"', b'"\xff"'),
        json.dumps(CLAIMS | {"x": 1}).encode().replace(b"1}", b"NaN}"),
    ],
)  # fmt: skip
def test_claims_that_are_not_ours_are_refused(claims):
    """Every claim is there, of its type, and ours, though the signature be right."""
    assert verify(forge(claims=claims)) == INVALID


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "", lambda _: ".", lambda _: "..", lambda _: "a.b.c", lambda t: t.rsplit(".", 1)[0],
        lambda t: t.rsplit(".", 1)[0] + ".", lambda t: t + "=", lambda t: t + ".x", lambda t: " " + t,
        lambda t: t + "\n", lambda t: t.replace(".", ".."), lambda t: t[:-1] + ("A" if t[-1] != "A" else "E"),
        lambda t: t.replace("e", "é", 1), lambda _: "A" * 500_000, lambda t: t[: t.index(".")] + "=" + t[t.index("."):],
        lambda t: t.split(".")[0] + "." + segment({**CLAIMS, "sub": "admin"}) + "." + t.split(".")[2],
    ],
)  # fmt: skip
def test_changed_spelling_is_refused(change):
    """A token has one spelling, and nothing but that is looked at."""
    assert verify(change(signer.issue_access("u1", "s1", now_ms=NOW_MS))) == INVALID


def test_signature_bits_that_carry_nothing_are_refused():
    """The last character of a signature has two spare bits; only zeros are canonical."""
    token = signer.issue_access("u1", "s1", now_ms=NOW_MS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bytes = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(token.split(".")[2] + "=") == base64.urlsafe_b64decode(
        same_bytes.split(".")[2] + "="
    )
    assert verify(same_bytes) == INVALID


@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_any_text_is_refused_and_never_raises(text):
    """Garbage is an expected no."""
    assert verify(text) == INVALID
    assert signer.verify_refresh(text) == INVALID


def test_token_of_another_key_is_refused():
    """The signature is checked."""
    assert verify(forge(key=bytes(range(1, 33)))) == INVALID


@given(
    words=st.frozensets(st.from_regex(r"[a-z:._-]{1,20}", fullmatch=True), max_size=8),
    counter=st.integers(0, 10**9 - 1),
)
def test_refresh_token_reads_back(words, counter):
    """Session, counter and scopes come back without a store."""
    claims = signer.verify_refresh(signer.issue_refresh("s1", counter=counter, scopes=words))
    assert (claims.session_id, claims.counter, claims.scopes) == ("s1", counter, words)


def test_kinds_cannot_stand_in_for_each_other():
    """A refresh token is no access token and the other way round."""
    assert verify(signer.issue_refresh("s1")) == INVALID
    assert signer.verify_refresh(signer.issue_access("u1", "s1", now_ms=NOW_MS)) == INVALID


def test_refresh_token_of_another_session_counter_or_scope_is_refused():
    """The MAC binds them; a right checksum is not enough."""
    _, session_id, counter, words, rest = signer.issue_refresh("s1", scopes=frozenset({"read"})).split("_")
    for forged in (
        ("s2", counter, words),
        (session_id, "1", words),
        (session_id, "00", words),
        (session_id, counter, "0"),
    ):
        text = base62.append_checksum(f"vgr_{'_'.join(forged)}_{rest[:22]}")
        assert signer.verify_refresh(text) == INVALID


@pytest.mark.parametrize("key", [b"", b"short", b"a" * 64, b"dev-secret-key-change-in-production"])
def test_weak_key_stops_the_start(key):
    """A key that is short, repeated or printed in documentation is not used."""
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        Signer(key)


def test_leeway_out_of_bounds_is_refused():
    """A leeway of a minute would be a longer life."""
    with pytest.raises(ConfigurationError, match="JWT_DECODE_LEEWAY"):
        Signer(KEY, leeway_s=11)


def test_key_is_never_shown():
    """A signer in a log line does not leak."""
    assert KEY.hex() not in repr(signer)
    assert "issuer='voxgate'" in repr(signer)


class TestKeyFile:
    def test_key_is_made_once_and_kept(self, tmp_path):
        """The second start reads what the first has made; only its owner may."""
        path = tmp_path / "new" / "secret.key"
        key = load_or_create_key(path)
        assert len(key) == 32
        assert load_or_create_key(path) == key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_racing_starts_agree_on_one_key(self, tmp_path):
        """Sixteen starts at once read one key."""
        keys, barrier = set(), threading.Barrier(16)

        def start():
            barrier.wait()
            keys.add(load_or_create_key(tmp_path / "secret.key"))

        threads = [threading.Thread(target=start) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) == 1

    @pytest.mark.parametrize("content", ["", "short", "å" * 50, "spaces " * 10])
    def test_damaged_file_is_refused(self, tmp_path, content):
        """A file that is no key is never used and never overwritten."""
        path = tmp_path / "secret.key"
        path.write_text(content)
        with pytest.raises(ConfigurationError, match="no key of 256 bits"):
            load_or_create_key(path)
        assert path.read_text() == content
