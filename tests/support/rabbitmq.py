"""A RabbitMQ for the tests that want one: Debian's packages (60 MB) unpacked, started without root on loopback.

``.venv/bin/python -m tests.support.rabbitmq PYTEST-ARGUMENTS`` runs pytest with ``AMQP_URL`` set to it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import debian
from tests.support.servers import free_port
from tests.support.waiting import eventually


@contextlib.contextmanager
def running_rabbitmq():
    """Run a broker for as long as the block lasts; gives its address."""
    root = debian.unpacked("rabbitmq-server", has_libraries=True)
    erlang = root / "usr/lib/erlang"
    erts = next(erlang.glob("erts-*/bin"))
    port, names_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="vg-") as folder:
        programs = Path(folder) / "bin"
        programs.mkdir()
        start = f'#!/bin/sh\nexport ROOTDIR={erlang} BINDIR={erts} EMU=beam PROGNAME=erl\nexec {erts}/erlexec "$@"\n'
        (programs / "erl").write_text(start)
        (programs / "erl").chmod(0o755)
        environment = {
            "PATH": f"{programs}:{erlang}/bin:{os.environ['PATH']}",
            "HOME": folder,
            "LD_LIBRARY_PATH": ":".join(sorted({str(path.parent) for path in root.rglob("*.so*")})),
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_HOME": str(next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server*"))),
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_NODENAME": f"tests{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
        }
        commands = (
            [str(erts / "epmd"), "-address", "127.0.0.1", "-port", str(names_port), "-relaxed_command_check"],
            ["sh", str(root / "usr/lib/rabbitmq/bin/rabbitmq-server")],
        )
        with (Path(folder) / "out").open("wb") as log:
            started = [
                subprocess.Popen(each, env=environment, stdout=log, stderr=log, start_new_session=True)
                for each in commands
            ]
        try:
            eventually(lambda: _answers(port), "an answer of RabbitMQ")
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
        finally:
            for process in reversed(started):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        return probe.recv(1) == b"\x01"
    return False


if __name__ == "__main__":
    with running_rabbitmq() as url:
        command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
        sys.exit(subprocess.run(command, env=os.environ | {"AMQP_URL": url}, check=False).returncode)
