"""The command as a process of its own that begins where everything is imported: a second of work less for each start.

A server of processes imports the program once, and is forked for each command. What was forked has its own arguments,
environment, folder, files, session and exit status, as what is typed has. That Python itself can start a command, and
finds all that it imports, is asked where commands are typed: `tests/cli/test_serve.py`, `tests/house/test_imports.py`,
the journeys of the README, of the guides and of the workers.
"""

import atexit
import multiprocessing
import multiprocessing.connection
import os
import sys
import time

_COMMANDS = ("serve", "server", "worker", "users", "keys", "limits", "signing")
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        *(f"voxgate.cli.{name}" for name in _COMMANDS),
        "voxgate.web.app",
        "voxgate.web.leaving",
        "voxgate.worker",
        "granian.http",
        "granian.server",
    ]
)


class Forked:
    """One `voxgate` command, with what the tests use of a Popen; it leads a session.

    Args:
        arguments: What would be typed behind `voxgate`.
        environment: All of its environment.
        folder: Where it runs.
        files: Paths of what it reads, and of what it writes as output and as errors.
    """

    def __init__(self, arguments, *, environment, folder, files):
        told, telling = _context.Pipe(duplex=False)
        with told:
            with telling:
                self._process = _context.Process(target=_become, args=(arguments, environment, folder, files, telling))
                self._process.start()
            told.recv()  # before it leads a session, a signal to its group would not reach it
        self.pid = self._process.pid
        # Who holds it sees to its end: it is not waited for when the tests end, nor looked at by other threads.
        multiprocessing.process._children.discard(self._process)

    def poll(self):
        """Return the exit status, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout=None):
        """Return the exit status once it has ended."""
        multiprocessing.connection.wait([self._process.sentinel], timeout)
        status = self.poll()
        assert status is not None, f"process {self.pid} did not end within {timeout} s"
        return status

    def send_signal(self, number):
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(arguments, environment, folder, files, telling):
    """Be the command, in the process that was forked for it."""
    os.setsid()
    for number, (file, mode) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        opened = os.open(file, mode)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (open(each, "rww"[each], closefd=False) for each in range(3))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    # A process of multiprocessing starts its own as it was started itself; a command starts them as Python does.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    sys.argv = ["voxgate", *arguments]
    telling.send(None)
    telling.close()
    from voxgate.cli import main  # noqa: PLC0415 -- this process has it already, the tests need it not

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # what multiprocessing has forked would not
