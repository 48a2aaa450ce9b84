"""The edge of the gate: whose word is believed about a client, one counter for an IPv6 network, and https alone."""

import json

import pytest
from flask import Flask, jsonify, request
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate import Gate
from voxgate.gate.addresses import partition_of
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.flask.proxies import TrustedProxies
from voxgate.gate.stores import SqliteStore

PROXY, OTHER_PROXY, CLIENT, LIAR = "10.0.0.1", "10.0.0.2", "198.51.100.7", "203.0.113.9"


@pytest.fixture
def make_client(tmp_path):
    """Make a guarded application under some settings, and give a client of it."""

    def make(**settings):
        app = Flask("edge", instance_path=str(tmp_path))
        app.config.update(settings)
        gate = Gate(app)

        @app.route("/who", methods=["GET", "POST"])
        @gate.open(limits="2 per minute")
        def who():
            return jsonify(address=gate.address, scheme=request.scheme, host=request.host)

        @app.get("/mine")
        @gate.protect(limits="5 per minute")
        def mine():
            return jsonify(subject=gate.principal.subject)

        @app.get("/healthz")
        @gate.exempt
        def health():
            return "ok"

        with app.app_context():
            gate.issuer.set_account("ann")
            client = app.test_client()
            client.token = gate.issuer.open_session("ann").access_token
        return client

    return make


def ask(client, headers=None, *, peer=PROXY, path="/who", **how):
    return client.get(path, headers=headers, environ_base={"REMOTE_ADDR": peer}, **how)


def x_forwarded(addresses, **more):
    return {"X-Forwarded-For": addresses} | {f"X-Forwarded-{name}": value for name, value in more.items()}


class TestNobodyTrusted:
    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"]
    )
    def test_no_header_changes_the_address(self, make_client, header):
        """The default: whoever connects is the client."""
        value = f"for={LIAR}" if header == "Forwarded" else LIAR
        assert ask(make_client(), {header: value}, peer=CLIENT).json["address"] == CLIENT

    def test_an_invented_header_for_each_request_is_no_new_counter(self, make_client):
        """Limits by address cannot be walked around."""
        client = make_client()
        statuses = [ask(client, x_forwarded(f"203.0.113.{n}"), peer=CLIENT).status_code for n in range(4)]
        assert statuses == [200, 200, 429, 429]


class TestTrustedByNumber:
    @pytest.mark.parametrize(
        ("count", "header", "found"),
        [
            (1, CLIENT, CLIENT),
            (1, f"{LIAR}, {CLIENT}", CLIENT),
            (2, f"{LIAR}, {CLIENT}, {OTHER_PROXY}", CLIENT),
            (2, CLIENT, PROXY),
            (1, "", PROXY),
            (1, f"{CLIENT}:4711", CLIENT),
            (1, "[2001:db8::7]:4711", "2001:db8::7"),
            (1, "2001:db8::7", "2001:db8::7"),
            (1, "::ffff:198.51.100.7", CLIENT),
            (1, "unknown", PROXY),
            (2, f"nonsense, {OTHER_PROXY}", OTHER_PROXY),
        ],
    )
    def test_the_client_is_as_many_hops_away(self, make_client, count, header, found):
        """What stands farther left is the client's own invention; too few hops are believed in nothing."""
        client = make_client(VOXGATE_TRUSTED_PROXIES=count)
        assert ask(client, x_forwarded(header)).json["address"] == found

    def test_clients_behind_a_proxy_have_counters_of_their_own(self, make_client):
        """And not one for all."""
        client = make_client(VOXGATE_TRUSTED_PROXIES=1)
        first = [ask(client, x_forwarded(f"203.0.113.{n}, {CLIENT}")).status_code for n in range(3)]
        second = ask(client, x_forwarded("198.51.100.8")).status_code
        assert (first, second) == ([200, 200, 429], 200)


class TestTrustedByNetwork:
    @pytest.mark.parametrize(
        ("header", "found"),
        [
            (CLIENT, CLIENT),
            (f"{LIAR}, {CLIENT}, {OTHER_PROXY}", CLIENT),
            (f"{OTHER_PROXY}", OTHER_PROXY),
            ("", PROXY),
        ],
    )
    def test_the_client_is_the_nearest_hop_outside(self, make_client, header, found):
        """Any number of trusted hops may lie between."""
        client = make_client(VOXGATE_TRUSTED_PROXIES="10.0.0.0/8, ::1")
        assert ask(client, x_forwarded(header)).json["address"] == found

    def test_who_connects_from_elsewhere_is_believed_in_nothing(self, make_client):
        """Address, scheme and host are those of the connection."""
        client = make_client(VOXGATE_TRUSTED_PROXIES=["10.0.0.0/8"])
        told = ask(client, x_forwarded("192.0.2.1", Proto="https", Host="evil.example"), peer=LIAR).json
        assert told == {"address": LIAR, "scheme": "http", "host": "localhost"}

    def test_a_peer_that_is_mapped_into_ipv6_is_the_same_peer(self, make_client):
        """A socket of both families shows IPv4 peers so."""
        client = make_client(VOXGATE_TRUSTED_PROXIES="10.0.0.0/8")
        assert ask(client, x_forwarded(CLIENT), peer=f"::ffff:{PROXY}").json["address"] == CLIENT


class TestSchemeAndHost:
    @pytest.mark.parametrize(
        ("proto", "host", "scheme", "name"),
        [
            ("https", "api.example", "https", "api.example"),
            ("HTTPS", "api.example:8443", "https", "api.example:8443"),
            ("https, http", "evil.example, api.example", "http", "api.example"),
            ("gopher", "a b", "http", "localhost"),
            ("", "evil/../x", "http", "localhost"),
        ],
    )
    def test_the_trusted_hop_tells_them(self, make_client, proto, host, scheme, name):
        """What is no scheme and no host is not believed of anybody."""
        told = ask(make_client(VOXGATE_TRUSTED_PROXIES=1), x_forwarded(CLIENT, Proto=proto, Host=host)).json
        assert (told["scheme"], told["host"]) == (scheme, name)

    def test_one_word_of_two_proxies_is_the_word_of_both(self, make_client):
        """Proxies pass the scheme on and do not append to it."""
        client = make_client(VOXGATE_TRUSTED_PROXIES=2)
        assert ask(client, x_forwarded(f"{CLIENT}, {OTHER_PROXY}", Proto="https")).json["scheme"] == "https"


class TestForwarded:
    @pytest.fixture
    def client(self, make_client):
        return make_client(VOXGATE_TRUSTED_PROXIES=1, VOXGATE_FORWARDED_HEADER="forwarded")

    @pytest.mark.parametrize(
        ("header", "found"),
        [
            (
                f"for={CLIENT};proto=https;host=api.example",
                {"address": CLIENT, "scheme": "https", "host": "api.example"},
            ),
            (
                'For="[2001:db8::7]:4711"; Proto=https',
                {"address": "2001:db8::7", "scheme": "https", "host": "localhost"},
            ),
            (
                f"for={LIAR};proto=https, for={CLIENT};proto=http",
                {"address": CLIENT, "scheme": "http", "host": "localhost"},
            ),
            (f'for="{LIAR}, for={CLIENT}', {"address": CLIENT, "scheme": "http", "host": "localhost"}),
            ("for=_hidden;proto=https", {"address": PROXY, "scheme": "https", "host": "localhost"}),
            ("nonsense", {"address": PROXY, "scheme": "http", "host": "localhost"}),
        ],
    )
    def test_the_standard_header_is_read(self, client, header, found):
        """RFC 7239, section 4; an open quote of a client swallows no word of a proxy."""
        assert ask(client, {"Forwarded": header}).json == found

    def test_only_the_family_is_read_that_the_proxies_write(self, client, make_client):
        """The other one passes through proxies as the client has sent it."""
        assert ask(client, x_forwarded(LIAR)).json["address"] == PROXY
        other = make_client(VOXGATE_TRUSTED_PROXIES=1)
        assert ask(other, {"Forwarded": f"for={LIAR}"} | x_forwarded(CLIENT)).json["address"] == CLIENT


class TestSettings:
    @pytest.mark.parametrize("value", ["0", "17", "-1", "some", "0.0.0.0/0", "::/0", "10.0.0.1/8", ["10.0.0.0/8", "2"]])
    def test_what_trusts_everybody_or_says_nothing_stops_the_start(self, make_client, value):
        """With what would be right."""
        with pytest.raises(ConfigurationError, match="VOXGATE_TRUSTED_PROXIES"):
            make_client(VOXGATE_TRUSTED_PROXIES=value)

    def test_an_unknown_family_stops_the_start(self, make_client):
        """There are two."""
        with pytest.raises(ConfigurationError, match="VOXGATE_FORWARDED_HEADER"):
            make_client(VOXGATE_TRUSTED_PROXIES=1, VOXGATE_FORWARDED_HEADER="x-real-ip")

    @given(st.text(max_size=2000), st.text(max_size=100))
    def test_no_header_breaks_the_reading(self, header, other):
        """Whatever is sent, there is an origin or there is none."""
        for family in ("x-forwarded", "forwarded"):
            proxies = TrustedProxies(["127.0.0.0/8"], family=family)
            environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": header, "HTTP_X_FORWARDED_FOR": header}
            origin = proxies.origin_of(environ | {"HTTP_X_FORWARDED_PROTO": other, "HTTP_X_FORWARDED_HOST": other})
            assert partition_of(origin.address).startswith("ip:")


class TestPartition:
    @pytest.mark.parametrize(
        ("address", "partition"),
        [
            ("192.0.2.7", "ip:192.0.2.7"),
            ("::ffff:192.0.2.7", "ip:192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "ip:2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "ip:2001:db8:1:2::/64"),
            ("fe80::1%eth0", "ip:fe80::/64"),
            ("", "ip:"),
            ("no address", "ip:no address"),
        ],
    )
    def test_an_ipv6_network_is_one_partition(self, address, partition):
        """Its owner can use 2**64 addresses."""
        assert partition_of(address) == partition

    def test_a_client_that_changes_its_address_within_its_network_is_limited(self, make_client):
        """And the network beside it is not."""
        client = make_client()
        statuses = [ask(client, peer=f"2001:db8::{n}").status_code for n in range(1, 4)]
        assert statuses == [200, 200, 429]
        assert ask(client, peer="2001:db8:0:1::1").json["address"] == "2001:db8:0:1::1"


class TestHttpsOnly:
    @pytest.fixture
    def trips(self, monkeypatch):
        calls = []
        real = SqliteStore.decide
        monkeypatch.setattr(SqliteStore, "decide", lambda store, query: calls.append(query) or real(store, query))
        return calls

    @pytest.fixture
    def client(self, trips, make_client):
        return make_client(VOXGATE_HTTPS_ONLY=True, VOXGATE_TRUSTED_PROXIES=1)

    def shown(self, client, **more):
        return {"Authorization": f"Bearer {client.token}", "X-Request-ID": "r1", **x_forwarded(CLIENT, **more)}

    def test_over_https_the_credential_opens_the_route(self, client, trips):
        """The same request as the refused ones; the answer tells browsers to stay with https."""
        answer = ask(client, self.shown(client, Proto="https"), path="/mine")
        assert (answer.status_code, answer.json, len(trips)) == (200, {"subject": "ann"}, 1)
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")

    def test_over_plain_http_it_is_refused_and_not_looked_at(self, client, trips):
        """With the address to ask instead, no redirect, no store call and no token in the answer."""
        answer = ask(client, self.shown(client, Proto="http", Host="api.example:8080"), path="/mine?token=abc")
        assert (answer.status_code, answer.json["code"], trips) == (403, "HTTPS_REQUIRED", [])
        assert "https://api.example/mine " in answer.json["detail"]
        assert "Location" not in answer.headers
        assert answer.headers["X-Request-ID"] == "r1"
        text = json.dumps(answer.json) + str(answer.headers)
        assert client.token not in text
        assert "abc" not in text

    @pytest.mark.parametrize("proto", ["", "http", "HTTP", "httpsx", "http, https, http"])
    def test_what_is_not_surely_https_is_plain(self, client, proto):
        """So is what comes past the proxies."""
        assert ask(client, self.shown(client, Proto=proto), path="/mine").json["code"] == "HTTPS_REQUIRED"
        assert ask(client, {"X-Forwarded-Proto": "https"}, path="/mine").json["code"] == "HTTPS_REQUIRED"

    @pytest.mark.parametrize(("host", "path"), [("a b", "/mine"), ("api.example", "/" + "x" * 300)])
    def test_a_strange_address_is_not_repeated(self, client, host, path):
        """The advice holds without it."""
        answer = client.get(path, headers={"Host": host}, environ_base={"REMOTE_ADDR": PROXY})
        assert "the same address with https" in answer.json["detail"]

    def test_a_head_is_refused_without_a_body(self, client):
        """As HTTP wants it."""
        answer = client.head("/mine")
        assert (answer.status_code, answer.data) == (403, b"")

    def test_health_is_told_over_plain_http_too(self, client):
        """Load balancers ask so, and show nothing."""
        assert ask(client, path="/healthz").data == b"ok"
