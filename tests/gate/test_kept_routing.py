"""Kept routing: Flask is spared what it has worked out before, and sees every request as it would without the gate."""

import pytest
from flask import Flask, jsonify, redirect, request, url_for
from werkzeug.routing import Map

from voxgate.gate import Gate
from voxgate.gate.flask import routing


class OwnAdapters(Flask):
    """An application that makes its URL adapters in a way of its own."""

    asked = 0

    def create_url_adapter(self, request):
        self.asked += request is not None
        return super().create_url_adapter(request)


def tell(**_values):
    """Tell everything about a request that routing decides."""
    return jsonify(
        rule=str(request.url_rule),
        endpoint=request.endpoint,
        view_args=request.view_args,
        url=request.url,
        host=request.host,
        other=url_for("plain", _external=True),
        relative=url_for("of_user", name="ann"),
    )


def make_app(path, *, guard, kind=Flask, **config):
    app = kind("routed", instance_path=str(path), **config.pop("terms", {}))
    app.config.update(config)
    app.url_map.strict_slashes = True
    app.add_url_rule("/plain", "plain", guard(tell), methods=["GET", "POST"])
    app.add_url_rule("/users/<name>", "of_user", guard(tell))
    app.add_url_rule("/folder/", "folder", guard(tell))
    app.add_url_rule("/page", "page", guard(tell), defaults={"number": 1})
    app.add_url_rule("/away", "away", guard(lambda: redirect(url_for("plain"))))
    return app


def ask(client, requests):
    seen = []
    for terms in requests:
        answer = client.open(**terms)
        seen.append((answer.status_code, answer.get_json(silent=True), answer.headers.get("Location")))
    return seen


@pytest.fixture
def guarded(tmp_path):
    """An application behind the gate, and a client of it that has a token."""
    stores = []

    def make(kind=Flask, **config):
        gate = Gate()
        app = make_app(tmp_path, guard=gate.protect(limits="1000 per minute"), kind=kind, **config)
        app.config["VOXGATE_STORE"] = str(tmp_path / "gate.db")
        gate.init_app(app)
        with app.app_context():
            gate.issuer.set_account("ann")
            token = gate.issuer.open_session("ann").access_token
            stores.append(gate.admission.store)
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def binds(monkeypatch):
    """Every time that an adapter is made for a request."""
    made = []
    real = Map.bind_to_environ

    def bind(self, *given, **terms):
        made.append(given)
        return real(self, *given, **terms)

    monkeypatch.setattr(Map, "bind_to_environ", bind)
    return made


REQUESTS = [
    {"path": "/plain"},
    {"path": "/plain", "method": "POST"},
    {"path": "/plain", "method": "HEAD"},
    {"path": "/plain", "method": "PUT"},
    {"path": "/plain", "query_string": "a=1"},
    {"path": "/plain", "base_url": "https://a.example"},
    {"path": "/plain", "base_url": "http://a.example:8080"},
    {"path": "/plain", "base_url": "http://B.example/below"},
    {"path": "/plain", "base_url": "http://bücher.example"},
    {"path": "/plain", "headers": {"Host": "not a host"}},
    {"path": "/plain", "headers": {"Connection": "upgrade", "Upgrade": "websocket"}},
    {"path": "/users/ann"},
    {"path": "/users/bob"},
    {"path": "/folder"},
    {"path": "/folder/"},
    {"path": "/page"},
    {"path": "/away"},
    {"path": "//plain"},
    {"path": "/nowhere"},
]


@pytest.mark.filterwarnings("ignore:Current server name")  # werkzeug's, of hosts that are not the server's
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"SERVER_NAME": "a.example:8080"},
        {"TRUSTED_HOSTS": ["a.example"]},
        {"APPLICATION_ROOT": "/below"},
        {"SERVER_NAME": "a.example", "terms": {"subdomain_matching": True}},
        {"terms": {"host_matching": True, "static_host": "localhost"}},
    ],
    ids=lambda config: " ".join([*config, *config.get("terms", {})]) or "usual",
)
def test_views_see_what_they_see_without_the_gate(guarded, tmp_path, config):
    """Rule, host, addresses, redirects and refusals are those of bare Flask, the first time and the third."""
    bare = make_app(tmp_path, guard=lambda view: view, **{**config, "terms": dict(config.get("terms", {}))})
    expected = ask(bare.test_client(), REQUESTS)
    client = guarded(**{**config, "terms": dict(config.get("terms", {}))})
    assert len({status for status, _, _ in expected}) > 1
    for _ in range(3):
        assert ask(client, REQUESTS) == expected


def test_the_same_address_is_routed_once(guarded, binds):
    """What the door has routed is not worked out again; another host is another address."""
    client = guarded()
    for _ in range(5):
        assert client.get("/plain").status_code == 200
    assert len(binds) == 1
    assert client.get("/plain", base_url="http://a.example").get_json()["host"] == "a.example"
    assert len(binds) == 2


def test_what_depends_on_more_than_the_address_is_worked_out_anew(guarded, binds):
    """Variable parts may be looked up elsewhere, and a query belongs to one request."""
    client = guarded()
    for _ in range(3):
        client.get("/users/ann")
        client.get("/plain?a=1")
    assert len(binds) == 6


def test_answers_of_a_view_do_not_reach_the_next_request(guarded):
    """Each request has its own arguments, so a view may change them."""
    client = guarded()
    with client:
        for _ in range(3):
            client.get("/page")
            assert request.view_args == {"number": 1}
            request.view_args["number"] = 2


def test_hosts_that_come_without_end_are_not_all_kept(guarded, binds, monkeypatch):
    """The memory is bounded, whatever clients call the host."""
    monkeypatch.setattr(routing, "_MAX_KEPT", 2)
    client = guarded()
    for number in (0, 1, 2, 0):
        host = f"h{number}.example"
        assert client.get("/plain", base_url=f"http://{host}").get_json()["host"] == host
    assert len(binds) == 4


def test_trusted_hosts_that_come_later_hold_at_once(guarded):
    """What was kept before never opens what is closed now."""
    client = guarded()
    assert client.get("/plain", base_url="http://b.example").status_code == 200
    client.application.config["TRUSTED_HOSTS"] = ["a.example"]
    assert client.get("/plain", base_url="http://b.example").status_code == 400


def test_application_with_adapters_of_its_own_keeps_its_way(guarded):
    """It is asked every time."""
    client = guarded(kind=OwnAdapters)
    for _ in range(3):
        assert client.get("/plain").status_code == 200
    assert client.application.asked == 3
