"""The fixtures in a stranger's project: one line asks for them, and nothing happens to anybody who does not."""

import subprocess
import sys

import pytest

import voxgate.gate.flask  # noqa: F401 -- imported here once, instead of anew for every run of a stranger's project

pytest_plugins = ["pytester"]

SHOP = """
from flask import Flask
from voxgate.gate import Gate

gate = Gate()

def create_app(**settings):
    app = Flask("shop", instance_path=INSTANCE)
    app.config.update(RATELIMIT_STANDARD="3 per minute", RATELIMIT_PREMIUM="5 per minute", **settings)
    gate.init_app(app)

    @app.get("/me")
    @gate.protect()
    def me():
        return {"subject": gate.principal.subject, "tier": gate.principal.tier}

    @app.get("/orders")
    @gate.protect(scopes="orders:read", limits="2 per minute")
    def orders():
        return {"orders": []}

    @app.get("/free")
    @gate.exempt
    def free():
        return {}

    return app
"""
CONFTEST = """
import pytest
from shop import create_app
from voxgate.testing import FakeClock

pytest_plugins = ["voxgate.testing"]

@pytest.fixture
def app(gate_clock):
    return create_app()

@pytest.fixture
def client(app):
    return app.test_client()
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A stranger's project: an application of its own and a conftest.py."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    instance = pytester.path / "instance"
    pytester.makepyfile(shop=SHOP.replace("INSTANCE", repr(str(instance))))
    pytester.makeconftest(CONFTEST)

    def run(test, **outcomes):
        pytester.makepyfile(test)
        pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error").assert_outcomes(**outcomes)

    run.instance = instance
    return run


def test_application_under_test_reads_the_given_clock(project):
    """Fifteen minutes pass at once."""
    project(
        """
        from voxgate.testing import bearer, make_token

        def test_expiry(app, client, gate_clock):
            ann = bearer(make_token(app, "ann"))
            gate_clock.advance(899)
            assert client.get("/me", headers=ann).get_json() == {"subject": "ann", "tier": "standard"}
            gate_clock.advance(1)
            assert client.get("/me", headers=ann).get_json()["code"] == "TOKEN_EXPIRED"
        """,
        passed=1,
    )


def test_every_test_has_a_store_of_its_own(project):
    """What one test has spent, another has not; and nothing is left in the application's own folder."""
    project(
        """
        import pytest
        from voxgate.testing import bearer, exhaust, make_token

        @pytest.mark.parametrize("turn", range(3))
        def test_limit(app, client, turn, gate_clock):
            ann = bearer(make_token(app, "ann"))
            assert exhaust(client, "/me", headers=ann).passed == 3

        def test_clock_frees_the_limit(app, client, gate_clock):
            ann = bearer(make_token(app, "ann"))
            gate_clock.advance(exhaust(client, "/me", headers=ann).retry_after_s)
            assert client.get("/me", headers=ann).status_code == 200
        """,
        passed=4,
    )
    assert not project.instance.exists()


def test_tokens_and_keys_of_any_tier_and_scope(project):
    """Whoever the test needs."""
    project(
        """
        import pytest
        from voxgate.testing import bearer, exhaust, make_key, make_token

        @pytest.fixture(params=[make_token, make_key])
        def make(request):
            return request.param

        def test_tier(app, client, make):
            rich = bearer(make(app, "rich", tier="premium"))
            assert client.get("/me", headers=rich).get_json()["tier"] == "premium"
            assert exhaust(client, "/me", headers=rich).passed == 4

        @pytest.mark.parametrize(("scopes", "status"), [
            ("orders:read", 200), (["orders:read", "x"], 200), ((), 200), ("orders:write", 403)
        ])
        def test_scope(app, client, make, scopes, status):
            assert client.get("/orders", headers=bearer(make(app, "ann", scopes=scopes))).status_code == status
        """,
        passed=10,
    )


def test_what_the_application_chose_itself_stays(project):
    """A key in the settings, a clock in the parts."""
    project(
        """
        from flask import Flask
        from voxgate.gate import Gate
        from voxgate.gate.flask import Parts
        from voxgate.testing import FakeClock, make_token

        SECRET = "0123456789 a key that this application has brought along"

        def test_parts(gate_clock, tmp_path):
            app, clock = Flask("own", instance_path=str(tmp_path)), FakeClock(1_000_000)
            app.config["JWT_SECRET_KEY"] = SECRET
            Gate(app, Parts(clock=clock))
            assert app.config["JWT_SECRET_KEY"] == SECRET
            with app.app_context():
                signer = Gate().admission.signer
            assert signer.verify_access(make_token(app, "ann"), now_ms=1_000_000).expires_at_ms == 1_900_000
        """,
        passed=1,
    )


def test_store_can_be_chosen(project):
    """A project overrides one fixture to run on another store."""
    project(
        """
        import pytest

        @pytest.fixture
        def gate_store(tmp_path):
            return str(tmp_path / "elsewhere" / "facts.db")

        def test_store(app, client, tmp_path):
            client.get("/me")
            assert app.config["VOXGATE_STORE"] == str(tmp_path / "elsewhere" / "facts.db")
            assert (tmp_path / "elsewhere").is_dir()
        """,
        passed=1,
    )


def test_gates_are_left_alone_where_nobody_asks(project):
    """The plug-in does nothing by being there."""
    project(
        """
        from flask import Flask
        from voxgate.gate import Gate
        from voxgate.gate.clock import SystemClock

        def test_plain(tmp_path):
            app = Flask("plain", instance_path=str(tmp_path))
            Gate(app)
            assert "VOXGATE_STORE" not in app.config
            assert (tmp_path / "secret.key").exists()
        """,
        passed=1,
    )


def test_importing_the_package_needs_no_pytest():
    """It may serve a demonstration or another test runner."""
    program = "import sys; sys.modules['pytest'] = None; from voxgate.testing import FakeClock, bearer, make_token"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
