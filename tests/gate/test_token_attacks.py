"""Attacks on tokens, as one table: each row is a class of attack, and names the requirement of docs that it shows.

T01 no claim before the signature, T02 one algorithm per key, T03 keys come from configuration only, T05 times,
T06 kinds, T07 issuer and audience, T08 subject, T09 one reading, T10 one spelling, T11 size, T12 how it is told.
Where a row says nothing else, its signature is right and made with our own key: its reason alone refuses it.
"""

import base64
import functools
import hashlib
import hmac
import json

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate import Gate, api_keys
from voxgate.gate.errors import Refusal
from voxgate.gate.flask.extension import Parts
from voxgate.gate.signing import ALGORITHMS, Algorithm, KeyRing, KeySet, SigningKey
from voxgate.gate.signing.material import new_material
from voxgate.gate.tokens import Signer
from voxgate.testing import FakeClock

NOW_S = 1_800_000_000
CLAIMS = {
    "iss": "voxgate",
    "aud": "voxgate",
    "sub": "u1",
    "sid": "s1",
    "jti": "s1.1",
    "iat": NOW_S,
    "exp": NOW_S + 60,
}
INVALID = Refusal("INVALID_TOKEN")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
REFRESH_KEY = bytes(range(32))


def encode(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Service:
    """A service with one key, and what an attacker of it can make."""

    def __init__(self, algorithm):
        self.key = make_key(algorithm)
        self.other = make_key(algorithm)
        self.signer = Signer(KeyRing(KeySet(self.key, (self.key,), REFRESH_KEY)))
        self.header = {"alg": str(self.key.algorithm), "typ": "at+jwt", "kid": "ours"}

    def signed(self, header=None, claims=None, *, key=None):
        """Return a token with a right signature over whatever is asked for."""
        text = f"{encode(self.header if header is None else header)}.{encode(CLAIMS if claims is None else claims)}"
        return f"{text}.{(key or self.key).sign(text)}"

    def with_header(self, **changed):
        return self.signed({**self.header, **changed})

    def with_claims(self, **changed):
        return self.signed(claims={**CLAIMS, **changed})

    def with_signature(self, change):
        """Return a good token whose signature was changed, as bytes."""
        text, _, signature = self.signed().rpartition(".")
        return f"{text}.{encode(change(decode(signature)))}"

    def by_hmac(self, secret, **changed):
        """Return a token that an HMAC with something public signs."""
        text = f"{encode({**self.header, 'alg': 'HS256', **changed})}.{encode(CLAIMS)}"
        return f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    def public(self, form):
        """Return the public key as an attacker reads it; for an HS256 key all that is public, its header."""
        pair = getattr(self.key.material, "_key", None)
        if pair is None:
            return self.key.header.encode()
        forms = {
            "jwk": lambda: json.dumps(pair.as_dict(private=False)).encode(),
            "pem": pair.as_pem,
            "der": pair.as_der,
        }
        return forms[form]() if form == "jwk" else forms[form](private=False)


@functools.cache
def make_key(algorithm, kid="ours"):
    made = Algorithm(algorithm)
    return SigningKey(kid, made, material=new_material(made))


def without(name):
    return lambda s: s.signed(claims={key: value for key, value in CLAIMS.items() if key != name})


def claims(**changed):
    return lambda s: s.with_claims(**changed)


def header(**changed):
    return lambda s: s.with_header(**changed)


def spelled(change):
    return lambda s: change(s.signed())


def signature(change):
    return lambda s: s.with_signature(change)


def raw_claims(text):
    return lambda s: s.signed(claims=text)


def other_last_character(token):
    """Return the same bytes with another of the spare bits, or with one more character where there are none."""
    at = ALPHABET.index(token[-1])
    changed = token[:-1] + ALPHABET[at ^ 1]
    same = decode(changed.rpartition(".")[2]) == decode(token.rpartition(".")[2])
    return changed if same else f"{token}A"


def malleable(service):
    """Return another signature of the same key over the same text, where the mathematics has one."""

    def change(data):
        if service.key.algorithm == "ES256":
            s = P256_ORDER - int.from_bytes(data[32:], "big")
            return data[:32] + s.to_bytes(32, "big")
        if service.key.algorithm == "EdDSA":
            s = int.from_bytes(data[32:], "little") + ED25519_ORDER
            return data[:32] + (s % 2**256).to_bytes(32, "little")
        return data + b"\0"

    return service.with_signature(change)


def json_serialized(service):
    protected, payload, made = service.signed().split(".")
    return json.dumps({"protected": protected, "payload": payload, "signature": made})


def embedded(service):
    """Return a token that brings its own key along and is signed with it."""
    mine = make_key(str(service.key.algorithm), "mine")
    jwk = mine.public_jwk() or mine.material.private()
    return service.signed({**service.header, "jwk": jwk}, key=mine)


def duplicate_claim(service):
    return service.signed(claims=json.dumps(CLAIMS)[:-1].encode() + b',"sub":"admin"}')


def duplicate_header(service):
    return service.signed(json.dumps(service.header)[:-1].encode() + b',"alg":"none"}')


ALGORITHM_ROWS = [
    *(("T02", f"alg {name!r}", header(alg=name))
      for name in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, [], {})),
    *(("T02", f"alg {name!r} unsigned", lambda s, name=name: s.with_header(alg=name).rpartition(".")[0] + ".")
      for name in ("none", "None", "nOnE")),
    *(("T02", f"alg {name}", header(alg=name))
      for name in ("hs256", "HS384", "HS512", "RS512", "PS256", "ES384", "ES256K", "Ed25519", "EDDSA", "dir")),
    *(("T02", f"signed as {name} by the public key as {form}",
       lambda s, form=form, name=name: s.by_hmac(s.public(form), alg=name))
      for form in ("pem", "der", "jwk") for name in ("HS256", "HS384", "RS256", "EdDSA", "ES256")),
    ("T02", "alg missing", lambda s: s.signed({"typ": "at+jwt", "kid": "ours"})),
    ("T02", "alg as a list", lambda s: s.with_header(alg=[str(s.key.algorithm)])),
    ("T02", "alg of another of our four",
     lambda s: s.with_header(alg="RS256" if s.key.algorithm != "RS256" else "ES256")),
]  # fmt: skip
KEY_ROWS = [
    *(("T03", f"kid {kid!r}", header(kid=kid)) for kid in (
        "another", "", " ours", "OURS", "ours\0", "../../../dev/null", "/dev/null", "x' UNION SELECT 'a' -- ",
        "ours;id", "https://evil.example/key", None, 0, True, ["ours"], {"kid": "ours"}, "a" * 1000)),
    ("T03", "kid missing", lambda s: s.signed({"alg": str(s.key.algorithm), "typ": "at+jwt"})),
    ("T03", "jwk with the attacker's key", embedded),
    ("T03", "jwk with our own key", lambda s: s.with_header(jwk=s.key.public_jwk() or {"kty": "oct", "k": "AA"})),
    ("T03", "jku", header(jku="https://evil.example/jwks.json")),
    ("T03", "jku on our own host", header(jku="http://127.0.0.1/.well-known/jwks.json")),
    ("T03", "x5u", header(x5u="https://evil.example/chain.pem")),
    ("T03", "x5c", header(x5c=["MIIB"])),
    ("T03", "x5t", header(x5t="AAAA")),
    ("T03", "x5t#S256", lambda s: s.with_header(**{"x5t#S256": "AAAA"})),
    ("T03", "key of another service", lambda s: s.signed(key=make_key(str(s.key.algorithm), "theirs"))),
    ("T03", "HMAC with nothing", lambda s: s.by_hmac(b"")),
    ("T03", "HMAC with a known secret", lambda s: s.by_hmac(b"super-secret-key")),
]  # fmt: skip
HEADER_ROWS = [
    *(("T06", f"typ {typ!r}", header(typ=typ)) for typ in (
        "JWT", "jwt", "at", "rt+jwt", "dpop+jwt", "logout+jwt", "at+jwt ", "application/jwt", "", None, 1, ["at+jwt"])),
    ("T06", "typ missing", lambda s: s.signed({"alg": str(s.key.algorithm), "kid": "ours"})),
    ("T09", "crit", header(crit=["exp"])),
    ("T09", "crit empty", header(crit=[])),
    ("T09", "b64", header(b64=False)),
    ("T09", "crit b64", header(crit=["b64"], b64=False)),
    ("T11", "zip", header(zip="DEF")),
    ("T11", "enc", header(enc="A256GCM")),
    ("T11", "PBES2 with a billion rounds", header(alg="PBES2-HS256+A128KW", p2c=10**9, p2s="AAAA", enc="A128GCM")),
    ("T09", "cty", header(cty="JWT")),
    ("T09", "name that we do not know", header(note="x")),
    ("T09", "duplicate name", duplicate_header),
    *(("T09", f"header {text[:12]!r}", lambda s, text=text: s.signed(text)) for text in (
        b"[]", b"null", b'"x"', b"7", b"{", b"{}", b"", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"alg":NaN}', b"{}{}")),
    ("T11", "deep header", lambda s: s.signed(b"[" * 2000)),
    ("T11", "deep header with a name", lambda s: s.signed(b'{"a":' * 500)),
]  # fmt: skip
CLAIM_ROWS = [
    *(("T05", f"exp {value!r}", claims(exp=value)) for value in (
        "1900000000", True, False, None, 1.9e9, -1, [NOW_S + 60], {}, "never", 10**18, 10**400, float("1e308"), "")),
    ("T05", "exp missing", without("exp")),
    ("T05", "exp 1e400", raw_claims(json.dumps(CLAIMS).replace(f"{NOW_S + 60}", "1e400").encode())),
    ("T05", "exp NaN", raw_claims(json.dumps(CLAIMS).replace(f"{NOW_S + 60}", "NaN").encode())),
    ("T05", "exp Infinity", raw_claims(json.dumps(CLAIMS).replace(f"{NOW_S + 60}", "Infinity").encode())),
    *(("T05", f"nbf {value!r}", claims(nbf=value)) for value in (NOW_S + 11, "0", True, None, 1.0, -1, 10**400)),
    *(("T05", f"iat {value!r}", claims(iat=value)) for value in (NOW_S + 11, "0", True, None, 1.0, -1, 10**400)),
    ("T05", "iat missing", without("iat")),
    *(("T07", f"iss {value!r}", claims(iss=value)) for value in (
        "", "Voxgate", "voxgate ", "voxgate/", "https://evil.example", None, 0, ["voxgate"], {"voxgate": 1})),
    ("T07", "iss missing", without("iss")),
    *(("T07", f"aud {value!r}", claims(aud=value)) for value in (
        "", "Voxgate", "other", None, 0, [], ["voxgate"], ["other", "voxgate"], {"voxgate": 1})),
    ("T07", "aud missing", without("aud")),
    *(("T08", f"{name} {value!r}", claims(**{name: value})) for name in ("sub", "sid", "jti") for value in (
        "", None, 0, 7, True, 1.5, ["u1"], {"id": "u1"}, "u1\0", "u1\n", "\ud800")),
    *(("T08", f"{name} missing", without(name)) for name in ("sub", "sid", "jti")),
    *(("T09", f"scope {value!r}", claims(scope=value)) for value in (["tts:read"], None, 1, {}, True)),
    *(("T09", f"gen {value!r}", claims(gen=value)) for value in ("1", True, None, -1, 1.0, 10**9, [1])),
    ("T09", "duplicate claim", duplicate_claim),
    *(("T09", f"payload {text[:12]!r}", raw_claims(text)) for text in (
        b"[]", b"null", b'"x"', b"7", b"{", b"{}", b"\xff\xfe", b"{}{}", json.dumps(CLAIMS).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(), json.dumps(CLAIMS).encode().replace(b'"u1"', b'"\xff"'),
        json.dumps(CLAIMS).encode() + b"x")),
    ("T11", "deep payload", raw_claims(b"[" * 2500)),
    ("T11", "deep claim", raw_claims(json.dumps(CLAIMS)[:-1].encode() + b',"x":' + b"[" * 2000 + b"]" * 2000 + b"}")),
    ("T11", "number of 5,000 digits", raw_claims(json.dumps(CLAIMS).replace(f"{NOW_S + 60}", "9" * 2500).encode())),
]  # fmt: skip
SPELLING_ROWS = [
    *(("T10", f"changed by {name}", spelled(change)) for name, change in {
        "a trailing =": lambda t: t + "=",
        "two trailing =": lambda t: t + "==",
        "padding inside": lambda t: t.replace(".", "=.", 1),
        "the last character": other_last_character,
        "a space before": lambda t: " " + t,
        "a space behind": lambda t: t + " ",
        "a newline behind": lambda t: t + "\n",
        "a newline inside": lambda t: t[:20] + "\n" + t[20:],
        "a tab": lambda t: t.replace(".", "\t.", 1),
        "a zero byte": lambda t: t + "\0",
        "one more dot": lambda t: t + ".",
        "a dot before": lambda t: "." + t,
        "one more part": lambda t: t + ".e30",
        "two dots": lambda t: t.replace(".", "..", 1),
        "another alphabet": lambda t: t.replace("-", "+").replace("_", "/") + "+",
        "percent signs": lambda t: t.replace(".", "%2E"),
        "quotes": lambda t: f'"{t}"',
        "a full-width letter": lambda t: t.replace("e", "\uff45", 1),
        "an accent": lambda t: t.replace("e", "\u00e9", 1),
        "upper case": str.upper,
        "the word Bearer": lambda t: f"Bearer {t}",
    }.items()),
    ("T10", "another signature of the same key", malleable),
    ("T10", "JSON serialization", json_serialized),
    ("T11", "five parts, a JWE",
     lambda _: f"{encode({'alg': 'dir', 'enc': 'A256GCM'})}..{'A' * 16}.{'A' * 40}.{'A' * 22}"),
    *(("T10", f"text {text!r}", lambda _, text=text: text) for text in ("", ".", "..", "...", "a.b.c", "null", "{}")),
    ("T11", "500 kB of nothing", lambda _: "A" * 500_000),
    ("T11", "500 kB of dots", lambda _: "." * 500_000),
    ("T11", "500 kB of header", lambda s: s.with_header(note="x" * 370_000)),
    ("T11", "500 kB of claims", claims(note="x" * 370_000)),
    ("T11", "500 kB of signature", lambda s: s.signed() + "A" * 500_000),
    ("T11", "a kilobyte too much", claims(note="x" * 4096)),
]  # fmt: skip
SIGNATURE_ROWS = [
    ("T01", "no signature", spelled(lambda t: t.rpartition(".")[0] + ".")),
    ("T01", "no signature and no dot", spelled(lambda t: t.rpartition(".")[0])),
    ("T01", "no payload", lambda s: "{0}..{2}".format(*s.signed().split("."))),
    ("T01", "no header", lambda s: ".{1}.{2}".format(*s.signed().split("."))),
    *(("T01", f"signature {name}", signature(change)) for name, change in {
        "of zeros": lambda d: bytes(len(d)),
        "of ones": lambda d: b"\xff" * len(d),
        "cut by one byte": lambda d: d[:-1],
        "cut by half": lambda d: d[: len(d) // 2],
        "with one byte more": lambda d: d + b"\0",
        "with a zero before": lambda d: b"\0" + d,
        "reversed": lambda d: d[::-1],
        "with one bit changed": lambda d: bytes([d[0] ^ 1]) + d[1:],
        "with its last bit changed": lambda d: d[:-1] + bytes([d[-1] ^ 1]),
        "with r = 0": lambda d: bytes(32) + d[32:],
        "with s = 0": lambda d: d[: len(d) // 2] + bytes(len(d) - len(d) // 2),
        "with r = n": lambda d: P256_ORDER.to_bytes(32, "big") + d[32:],
        "with s = n": lambda d: (d[:32] + P256_ORDER.to_bytes(32, "big"))[: max(len(d), 64)],
        "with r = s = n": lambda _: P256_ORDER.to_bytes(32, "big") * 2,
        "with r = s = 1": lambda _: (bytes(31) + b"\1") * 2,
        "at the neutral point": lambda _: b"\1" + bytes(63),
        "at a point of order two": lambda _: b"\xec" + b"\xff" * 30 + b"\x7f" + bytes(32),
        "at a point of order four": lambda _: bytes(64),
        "in DER": lambda d: b"\x30\x44\x02\x20" + d[:32] + b"\x02\x20" + d[32:64],
        "of the length of RSA": lambda _: b"\0\1" + b"\xff" * 381 + b"\0",
        "of an RSA block as it is": lambda _: bytes(383) + b"\1",
        "of 32 bytes": lambda _: bytes(range(32)),
        "of 64 bytes": lambda _: bytes(range(64)),
    }.items()),
    ("T01", "signature of another token",
     lambda s: s.signed().rpartition(".")[0] + "." + s.with_claims(sub="u2").rpartition(".")[2]),
    ("T01", "admin's claims under a user's signature",
     lambda s: "{0}.{payload}.{2}".format(*s.signed().split("."), payload=encode({**CLAIMS, "sub": "admin"}))),
    ("T06", "a refresh token", lambda s: s.signer.issue_refresh("s1")),
    ("T06", "an API key", lambda _: api_keys.new_key().text),
    ("T06", "a refresh token as claims", claims(typ="refresh", use="refresh", aud="refresh")),
]  # fmt: skip
ATTACKS = [*ALGORITHM_ROWS, *KEY_ROWS, *HEADER_ROWS, *CLAIM_ROWS, *SPELLING_ROWS, *SIGNATURE_ROWS]
REFUSED = {(401, "INVALID_TOKEN"), (401, "API_KEY_INVALID"), (400, "INVALID_REQUEST")}
SHOWN = {"T01", "T02", "T03", "T05", "T06", "T07", "T08", "T09", "T10", "T11"}


@functools.cache
def service_of(algorithm):
    return Service(algorithm)


@pytest.fixture(params=ALGORITHMS)
def service(request):
    return service_of(request.param)


def test_our_own_forge_makes_good_tokens(service):
    """The forge of this file signs rightly, so that every row is refused for its own reason."""
    for token in (service.signed(), service.with_header(typ="application/at+jwt"), service.with_claims(note="x")):
        claims = service.signer.verify_access(token, now_ms=NOW_S * 1000)
        assert (claims.subject, claims.session_id) == ("u1", "s1")


@pytest.mark.parametrize(("requirement", "name", "attack"), ATTACKS, ids=[f"{row[0]}-{row[1]}" for row in ATTACKS])
def test_attack_is_refused(service, requirement, name, attack):
    """Every row is an invalid token under every algorithm, without an exception."""
    assert service.signer.verify_access(attack(service), now_ms=NOW_S * 1000) == INVALID


def test_table_shows_every_requirement_that_a_token_alone_can_show():
    """The list of requirements and the table do not drift apart."""
    assert {row[0] for row in ATTACKS} == SHOWN


def test_expired_token_says_so_and_only_when_it_was_ours(service):
    """T05: the time is read after the signature, to the second and with no leeway."""
    token = service.signed()
    assert service.signer.verify_access(token, now_ms=(NOW_S + 60) * 1000 - 1).subject == "u1"
    assert service.signer.verify_access(token, now_ms=(NOW_S + 60) * 1000) == Refusal("TOKEN_EXPIRED")
    forged = service.signed(key=make_key(str(service.key.algorithm), "theirs"))
    assert service.signer.verify_access(forged, now_ms=(NOW_S + 60) * 1000) == INVALID


@given(made=st.binary(max_size=520))
def test_any_bytes_are_no_signature(made):
    """T01: whatever stands in its place is refused under every algorithm, and nothing is raised."""
    for algorithm in ALGORITHMS:
        token = service_of(algorithm).with_signature(lambda _: made)
        assert service_of(algorithm).signer.verify_access(token, now_ms=NOW_S * 1000) == INVALID


def test_access_token_is_no_refresh_token(service):
    """T06: neither as it is nor with a checksum."""
    assert service.signer.verify_refresh(service.signed()) == INVALID


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_attack_over_http_is_a_401_that_says_invalid_token(tmp_path, algorithm):
    """T12: each answer is 401 with ``WWW-Authenticate: Bearer error="invalid_token"``, never a 422 or a 500."""
    service = service_of(algorithm)
    app = Flask("attacked", instance_path=str(tmp_path))
    gate = Gate(app, Parts(clock=FakeClock(NOW_S * 1000), signer=service.signer))
    app.get("/x")(gate.protect(limits="100000 per minute")(dict))
    client = app.test_client()
    try:
        for requirement, name, attack in ATTACKS:
            token = attack(service)
            if len(token) > 8000 or not token.isascii() or not token.isprintable() or " " in token:
                continue  # no server lets such a header in
            answer = client.get("/x", headers={"Authorization": f"Bearer {token}"})
            told = (answer.status_code, answer.json["code"])
            assert told in REFUSED, (requirement, name, told)
            if told[1] == "INVALID_TOKEN":
                assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    finally:
        with app.app_context():
            gate.admission.store.close()
