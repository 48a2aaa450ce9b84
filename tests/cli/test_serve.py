"""Serving: the port, the line that says so, the stop, and what is said when it cannot start."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.servers import running
from tests.support.waiting import eventually

from voxgate.cli.port import PortTakenError, answers, reserve
from voxgate.cli.server import Server, check_edge, make_application
from voxgate.settings import Settings


@pytest.fixture
def start(data):
    """Start `voxgate serve` as a process of its own; ends what is left of it."""
    started = []

    def begin(*arguments, **environ):
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", "serve", "--data", str(data), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "VOXGATE_ENGINE_WORKERS": "1", **environ},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        if not process.stdout.closed:
            rest_of(process)


def rest_of(process):
    """Wait for the end of a process and of everything that writes for it; returns what it still wrote."""
    with process:
        return process.stdout.read(), process.stderr.read()


def port_of(process):
    """Wait for the line that says where it listens; returns the port."""
    line = process.stdout.readline()
    found = re.fullmatch(r"voxgate: listening on http://127\.0\.0\.1:(\d+)\n", line)
    assert found, line + process.stderr.read()
    return int(found[1])


def ask(port, path, method="GET", body=None):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()


class TestServe:
    def test_it_answers_when_it_says_so_and_stops_when_it_is_told_to(self, start, data):
        """The line is a promise; the first start also says where the data lies and what to type next.

        The stop ends by itself, after it was told for as long as is set.
        """
        process = start("--port", "0", VOXGATE_DRAIN="1")
        port = port_of(process)
        assert ask(port, "/healthz")[0] == 200
        process.send_signal(signal.SIGTERM)
        rest, errors = rest_of(process)
        assert process.returncode == 0
        assert f"voxgate: data in {data}\n" in rest
        assert f"curl -X POST http://127.0.0.1:{port}/api/v1/auth/register" in rest
        assert errors == ""

    def test_what_it_says_to_type_next_works(self, start):
        """The first command of a stranger makes an account."""
        process = start("--port", "0")
        port = port_of(process)
        said = "".join(process.stdout.readline() for _ in range(4))
        body = re.search(r"-d '(.*)'", said)[1]
        status, answer = ask(port, "/api/v1/auth/register", "POST", body)
        assert status == 201
        assert json.loads(answer)["api_key"]

    def test_a_killed_worker_is_replaced(self, start):
        """The service goes on."""
        process = start("--port", "0")
        port = port_of(process)
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        back = threading.Event()
        while not answers("127.0.0.1", port):
            back.wait(0.02)
        assert ask(port, "/healthz")[0] == 200

    def test_a_stop_is_told_before_it_comes(self, start):
        """Not ready first, while everything is still answered and connections are let go; status 0 at the end."""
        process = start("--port", "0", "--workers", "2", VOXGATE_DRAIN="9")
        port = port_of(process)
        assert ask(port, "/readyz")[0] == 200
        process.send_signal(signal.SIGTERM)
        _, body = eventually(lambda: (told := ask(port, "/readyz"))[0] == 503 and told, "a service that leaves")
        assert json.loads(body)["checks"]["service"] == "stopping"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert (answer.status, answer.will_close) == (200, True)
        process.send_signal(signal.SIGTERM)  # nobody waits for the rest
        assert process.wait(timeout=60) == 0

    def test_clients_that_heed_readiness_lose_no_request(self, start):
        """On connections that are kept, while the service stops: whoever then goes elsewhere was answered each time."""
        process = start("--port", "0", "--workers", "2", VOXGATE_DRAIN="9")
        port, has_left, failed, answered = port_of(process), threading.Event(), [], []

        def keep_asking():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                while not has_left.is_set():
                    try:
                        connection.request("GET", "/healthz")
                        answer = connection.getresponse()
                        answer.read()
                        answered.append(answer.status)
                    except (OSError, http.client.HTTPException) as error:
                        failed.append(repr(error))

        clients = [threading.Thread(target=keep_asking) for _ in range(4)]
        for client in clients:
            client.start()
        eventually(lambda: len(answered) >= 200, "some traffic")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: ask(port, "/readyz")[0] == 503, "a service that leaves")
        so_far = len(answered)
        eventually(lambda: len(answered) >= so_far + 100, "some more traffic")
        has_left.set()
        for client in clients:
            client.join()
        assert failed == []
        assert set(answered) == {200}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    def test_a_second_stop_comes_at_once(self, start):
        """Whoever insists does not wait."""
        process = start("--port", "0", VOXGATE_DRAIN="9")
        port = port_of(process)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: ask(port, "/readyz")[0] == 503, "a service that leaves")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    def test_clients_that_stall_do_not_have_workers_killed(self, start):
        """A stop ends what they never finish, so that each worker puts its things in order."""
        process = start("--port", "0")
        with socket.create_connection(("127.0.0.1", port_of(process)), timeout=30) as stalled:
            stalled.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            stalled.sendall(b"Expect: 100-continue\r\nContent-Length: 99\r\n\r\n")
            assert stalled.recv(100).startswith(b"HTTP/1.1 100")  # now the body is waited for
            stalled.sendall(b"{")
            process.send_signal(signal.SIGTERM)
            _, errors = rest_of(process)
        assert process.returncode == 0
        assert "Killing worker" not in errors

    def test_two_workers_share_one_port_and_stop_together(self, start):
        """A stop that comes while they start is not lost."""
        process = start("--port", "0", "--workers", "2")
        port = port_of(process)
        assert ask(port, "/healthz")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0

    def test_a_killed_server_leaves_no_orphan_on_the_port(self, start):
        """After kill -9 the next start finds the port free."""
        process = start("--port", "0", "--workers", "2")
        port = port_of(process)
        process.kill()
        rest_of(process)  # returns only when every worker has let go of the pipe
        reserve("127.0.0.1", port).close()

    @pytest.mark.parametrize(
        ("environ", "said"),
        [
            ({"VOXGATE_PROT": "1"}, "Did you mean VOXGATE_PORT?"),
            ({"VOXGATE_REDIS_URL": "redis://localhost?colour=red"}, "VOXGATE_REDIS_URL"),
            ({"VOXGATE_PROFILE": "production"}, "JWT_SECRET_KEY"),
            ({"JWT_SECRET_KEY": "super-secret-key"}, "published"),
            ({"VOXGATE_DATABASE_URL": "nonsense"}, "VOXGATE_DATABASE_URL"),
        ],
    )
    def test_what_keeps_it_from_starting_is_one_line_and_status_1(self, start, environ, said):
        """In the parent or in a worker, the operator reads one sentence."""
        process = start("--port", "0", **environ)
        out, errors = rest_of(process)
        assert process.returncode == 1
        assert out == ""
        assert len(errors.splitlines()) == 1
        assert said in errors

    def test_a_taken_port_is_one_line_and_status_1(self, start):
        """Even though the workers share theirs."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            process = start("--port", str(taken.getsockname()[1]))
            _, errors = rest_of(process)
        assert process.returncode == 1
        assert errors.startswith("Error: port ")
        assert len(errors.splitlines()) == 1


class TestPort:
    def test_a_free_port_is_held_without_listening(self):
        """Workers join it; nobody is answered before they do."""
        with reserve("127.0.0.1", 0) as held:
            port = held.getsockname()[1]
            assert port
            assert not answers("127.0.0.1", port)
            with pytest.raises(OSError, match="in use"):
                socket.create_server(("127.0.0.1", port), reuse_port=False)

    def test_a_listener_that_shares_its_port_counts_as_taken(self):
        """Two services never share one by mistake."""
        with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortTakenError, match=str(port)):
                reserve("127.0.0.1", port)

    def test_an_address_of_another_machine_is_the_systems_own_error(self):
        """192.0.2.7 is nobody's."""
        with pytest.raises(OSError, match="assign"):
            reserve("192.0.2.7", 0)

    def test_an_ipv6_address_is_shown_in_brackets(self, tmp_path):
        """As URLs write it."""
        from voxgate.cli.port import name_in_url  # noqa: PLC0415 -- a pure function

        shown = [name_in_url(host) for host in ("::1", "::", "127.0.0.1", "localhost")]
        assert shown == ["[::1]", "[::1]", "127.0.0.1", "localhost"]


class TestWorker:
    @pytest.fixture(autouse=True)
    def _signals(self):
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
        for number, action in before.items():
            signal.signal(number, action)

    def test_a_worker_makes_the_application_from_the_environment(self, monkeypatch, data):
        """What the parent passed on."""
        monkeypatch.setenv("VOXGATE_ENGINE_WORKERS", "1")
        app = make_application()
        try:
            assert app.test_client().get("/healthz").status_code == 200
            assert data.is_dir()
        finally:
            app.extensions["voxgate.services"].close()

    def test_a_worker_that_cannot_start_ends_the_server(self, monkeypatch, capsys):
        """Its reason is said once; it is not tried again and again."""
        told = []
        monkeypatch.setattr(os, "kill", lambda process, number: told.append((process, number)))
        monkeypatch.setenv("VOXGATE_REDIS_URL", "redis://localhost?colour=red")
        with pytest.raises(SystemExit):
            make_application()
        assert told == [(os.getppid(), signal.SIGTERM)]
        assert capsys.readouterr().err.startswith("Error: VOXGATE_REDIS_URL")


class TestStop:
    @pytest.fixture(autouse=True)
    def _signals(self):
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        yield
        for number, action in before.items():
            signal.signal(number, action)

    def test_the_first_is_told_for_as_long_as_is_set_and_the_second_waits_for_nothing(self, data, monkeypatch):
        """Whoever insists is heard within the signal itself."""
        ended, timers = [], []
        granian = SimpleNamespace(signal_handler_interrupt=lambda: ended.append("now"))

        def note(after_s, call):
            timers.append((after_s, call))
            return SimpleNamespace(start=lambda: None)

        monkeypatch.setattr("voxgate.cli.server.threading.Timer", note)
        server = Server(Settings(data=data, port=0, drain=9))
        server._has_answered.set()
        server._take_signals(granian)
        signal.raise_signal(signal.SIGTERM)
        assert (ended, timers) == ([], [(9, granian.signal_handler_interrupt)])
        signal.raise_signal(signal.SIGTERM)
        assert (ended, len(timers)) == (["now"], 1)


class ImitatedServer:
    """Stands for the HTTP server: counts as started, answers nothing."""

    def __init__(self):
        self.wrks = [object()]

    def on_startup(self, _hook):
        """Call nothing: no signal is taken."""

    def on_reload(self, _hook):
        """Call nothing: no worker is renewed."""

    def serve(self):
        """Return at once."""


class TestRun:
    @pytest.fixture
    def server(self, monkeypatch, data):
        monkeypatch.setattr("voxgate.cli.server._make_granian", lambda *_: ImitatedServer())
        monkeypatch.setattr(os, "environ", dict(os.environ))
        return Server(Settings(data=data, port=0))

    def test_a_server_that_never_answered_ends_with_status_1(self, server):
        """A service manager sees the failure."""
        assert server.run() == 1

    def test_workers_inherit_what_the_command_line_said(self, server, data):
        """Through the environment, with the port that was found."""
        server.run()
        assert os.environ["VOXGATE_DATA"] == str(data)
        assert int(os.environ["VOXGATE_PORT"]) > 0

    def test_the_line_comes_only_after_an_answer(self, server, monkeypatch, capsys):
        """First it is asked, then it is announced."""
        replies = iter([False, False, True])
        monkeypatch.setattr("voxgate.cli.server.answers", lambda *_: next(replies))
        monkeypatch.setattr(server, "_is_unused", False)
        server._url = "http://127.0.0.1:1"
        server._announce(ImitatedServer(), 1)
        assert capsys.readouterr().out.startswith("voxgate: listening on http://127.0.0.1:1\n")
        assert next(replies, None) is None


def test_a_host_that_others_reach_is_warned_about(run, monkeypatch):
    """The development profile is meant for one machine."""
    monkeypatch.setattr("voxgate.cli.serve.Server.run", lambda _: 0)
    assert "can be reached from outside" in run("serve", "--host", "192.0.2.7").stderr
    assert run("serve").stderr == ""


def test_production_without_https_does_not_start(run, monkeypatch):
    """One line names what is missing; either way to https mends it."""
    monkeypatch.setattr("voxgate.cli.server._make_granian", lambda *_: ImitatedServer())
    monkeypatch.setattr(os, "environ", dict(os.environ))
    run("init")
    monkeypatch.setitem(os.environ, "VOXGATE_PROFILE", "production")
    refused = run("serve", "--port", "0")
    assert refused.exit_code == 1
    assert "VOXGATE_TRUSTED_PROXIES" in str(refused.output) + str(refused.exception)
    assert "VOXGATE_TLS_CERTIFICATE" in str(refused.output) + str(refused.exception)
    check_edge(Settings(profile="production", tls=True))
    check_edge(Settings(profile="production", trusted_proxies=("10.0.0.0/8",)))


def test_a_redis_that_evicts_is_warned_about_at_the_start(run, monkeypatch):
    """Nobody must ask the doctor to learn it; one that does not answer is waited for by requests, not here."""
    monkeypatch.setattr("voxgate.cli.serve.Server.run", lambda _: 0)
    with running("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server:
        monkeypatch.setenv("VOXGATE_REDIS_URL", server.url)
        assert "noeviction" in run("serve").stderr
        server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert "evict" not in run("serve").stderr
        server.kill()
        assert run("serve").exit_code == 0
