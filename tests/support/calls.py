"""Real requests over HTTP by the standard library alone, each answer held against what is promised of all answers."""

import http.client
import json
import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tests.support.waiting import eventually, wait_as_told

V1 = "/api/v1"
PASSWORD = "password123"
TIMEOUT_S = 90.0
BUSY = ("DATABASE_UNAVAILABLE", "HASHING_BUSY", "STORE_UNAVAILABLE")
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came.

    Attributes:
        status: The HTTP status.
        headers: Its headers; names in any case.
        data: Its body.
    """

    status: int
    headers: http.client.HTTPMessage
    data: bytes

    def json(self):
        """Return the body as JSON."""
        return json.loads(self.data)

    @property
    def code(self):
        """The code of a problem, in OpenAI's form too; empty for a success."""
        body = self.json() if self.status >= 400 else {"code": ""}
        return body["code"] if "code" in body else body["error"]["code"].upper()


@dataclass(frozen=True, slots=True)
class Api:
    """A service at an address; every request is a connection of its own, so that workers share them.

    Attributes:
        url: Address without a path.
        headers: Sent with every request.
    """

    url: str
    headers: dict = field(default_factory=dict)

    def ask(self, method, path, *, json=None, body=None, headers=None, patience=3):
        """Send one request and return its answer, which has kept what every answer promises.

        As a client should, it asks again when the service is too busy, as often as ``patience`` says.
        """
        sent = {**self.headers, **(headers or {})}
        if json is not None:
            body, sent = dump(json), {"Content-Type": "application/json", **sent}
        answer = self._send(method, path, body=body, headers=sent)
        if answer.status == 503 and patience and answer.code in BUSY:
            wait_as_told(answer)
            return self.ask(method, path, body=body, headers=sent, patience=patience - 1)
        return answer

    def _send(self, method, path, *, body, headers):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        check(answer, path=path, method=method)
        return answer

    def get(self, path, **kwargs):
        """Send a GET."""
        return self.ask("GET", path, **kwargs)

    def post(self, path, **kwargs):
        """Send a POST."""
        return self.ask("POST", path, **kwargs)

    def shown(self, **headers):
        """Return the same service, asked with a credential: ``bearer`` or ``key``."""
        made = {"bearer": lambda text: ("Authorization", f"Bearer {text}"), "key": lambda text: ("X-API-Key", text)}
        return Api(self.url, {**self.headers, **dict(made[kind](text) for kind, text in headers.items())})

    def login(self, username, password=PASSWORD):
        """Open a session and return the login's answer."""
        answer = self.post(f"{V1}/auth/login", json={"username": username, "password": password})
        assert answer.status == 200, answer.data
        return answer.json()

    def join(self, username=None):
        """Register somebody new, log in, and return them."""
        username = username or f"u{secrets.token_hex(6)}"
        who = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        registered = self.post(f"{V1}/auth/register", json=who)
        assert registered.status == 201, registered.data
        tokens, made = self.login(username), registered.json()
        return Member(
            username=username,
            subject=made["user_id"],
            key=made["api_key"],
            access=tokens["access_token"],
            refresh=tokens["refresh_token"],
            api=self.shown(bearer=tokens["access_token"]),
        )


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with an account and a session.

    Attributes:
        username: Name of the account.
        subject: Its id.
        key: Its first API key.
        access: The session's access token.
        refresh: The session's refresh token.
        api: The service, asked with the access token.
    """

    username: str
    subject: str
    key: str
    access: str
    refresh: str
    api: Api

    def at(self, url):
        """Return the same member with the same token, at another address."""
        return replace(self, api=Api(url, self.api.headers))

    def generate(self, text="A quiet morning by the sea.", *, patience=3, **wanted):
        """Ask for speech and return the answer."""
        return self.api.post(f"{V1}/tts/generate", json={"text": text, **wanted}, patience=patience)

    def wait_for(self, job_id):
        """Return a job once it has ended."""

        def look():
            answer = self.api.get(f"{V1}/tts/status/{job_id}")
            if answer.status == 429:
                return None
            assert answer.status == 200, answer.data
            return answer.json() if answer.json()["status"] in ENDED else None

        return eventually(look, f"the end of job {job_id}")

    def speak(self, text="A quiet morning by the sea.", **wanted):
        """Have a text spoken to its end and return the audio."""
        started = self.generate(text, **wanted)
        assert started.status == 202, started.data
        job = self.wait_for(started.json()["job_id"])
        assert job["status"] == "done", job
        audio = self.api.get(job["audio_url"])
        assert audio.status == 200, audio.data[:500]
        return audio


def dump(value):
    """Return a value as the bytes of a JSON body."""
    return json.dumps(value).encode()


def check(answer, *, path="", method="GET"):
    """Fail when an answer breaks a promise that all answers make: no 5xx but a 503 or 507 that says why, no HTML."""
    assert answer.status < 500 or answer.status in {503, 507}, (answer.status, answer.data)
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.headers["Retry-After"] is not None) == (answer.status in {429, 503})
    if answer.status >= 400 and path.startswith("/v1/") and method != "HEAD":
        assert answer.headers["Content-Type"] == "application/json", answer.data
        error = answer.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"]
        assert error["type"]
    elif answer.status >= 400 and method != "HEAD":
        assert answer.headers["Content-Type"] == "application/problem+json", answer.data
        body = answer.json()
        assert body["status"] == answer.status
        assert body["instance"] == f"urn:request:{answer.headers['X-Request-ID']}"
        assert all(body[name] for name in ("type", "title", "detail", "error", "message", "code"))
