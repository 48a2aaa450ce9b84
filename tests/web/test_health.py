"""Liveness and readiness."""

import pytest

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.web.leaving import leave


class TestHealthz:
    def test_200(self, client):
        """The process answers."""
        answer = client.get("/healthz")
        assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})

    def test_is_never_limited(self, make_app):
        """Health is asked often and is never refused."""
        client = make_app(ratelimit_default="1 per minute").test_client()
        assert {client.get(path).status_code for path in ("/healthz", "/readyz") * 5} == {200}

    def test_200_while_everything_is_down(self, client, services):
        """A process without its stores still lives."""
        services.close()
        assert client.get("/healthz").status_code == 200


class TestReadyz:
    def test_200_names_each_dependency(self, client):
        """Everything that is needed is named."""
        body = client.get("/readyz").get_json()
        assert body == {"status": "ready", "checks": {"database": "ok", "store": "ok", "audio": "ok"}}

    def test_503_names_what_is_missing(self, client, services, monkeypatch):
        """What does not answer is named, without the words of its error."""

        def ping(_self):
            raise DatabaseUnavailableError("cannot open /var/secret")

        monkeypatch.setattr(type(services.database), "ping", ping)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        body = answer.get_json()
        assert body["code"] == "NOT_READY"
        assert body["checks"] == {"database": "unavailable", "store": "ok", "audio": "ok"}
        assert "secret" not in answer.text

    def test_503_full_disk(self, client, monkeypatch):
        """A service that can store no audio is not ready."""
        monkeypatch.setattr("voxgate.speech.storage.folder.os.access", lambda *_args: False)
        assert client.get("/readyz").get_json()["checks"]["audio"] == "unavailable"

    def test_503_while_it_leaves(self, app, client):
        """A worker that is told to stop is not ready, answers everything else, and lets each connection go."""
        assert client.get("/readyz").status_code == 200
        leave(app)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.get_json()["checks"]["service"]) == (503, "stopping")
        assert client.get("/healthz").headers["Connection"] == "close"

    @pytest.mark.parametrize("name", ["database", "store", "audio"])
    def test_every_dependency_is_asked(self, services, name):
        """Each check is one that can fail."""
        assert callable(services.checks()[name])
