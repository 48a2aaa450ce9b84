"""A proxy between the store and a real server, that does to answers what networks and broken servers do."""

import contextlib
import select
import socket
import ssl
import threading


def unchanged(answer):
    """Pass an answer on as it is."""
    return answer


class Proxy:
    """Listens on a free port of loopback and passes everything on to a server.

    Args:
        server: The server behind it.
    """

    def __init__(self, server):
        self.server = server
        self.change = unchanged
        """Gets each answer and returns what to send instead; None loses it and closes the connection."""
        self.held = threading.Event()
        self.held.set()
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.listen)]
        self.threads[0].start()

    def hold(self):
        """Keep every answer back until ``let_go``."""
        self.held.clear()

    def let_go(self):
        """Send what was kept back, and hold no more."""
        self.held.set()

    def close(self):
        """Close every connection."""
        self.let_go()
        # A thread that waits for a connection is woken by shutting down, not by closing.
        for each in (self.listener, *self.sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for each in (self.listener, *self.sockets):
            each.close()

    def listen(self):
        """Take connections."""
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self.server.socket))
                self.sockets += [near, far]
                for run in (self.pass_questions, self.pass_answers):
                    self.threads.append(threading.Thread(target=run, args=(near, far)))
                    self.threads[-1].start()

    @staticmethod
    def pass_questions(near, far):
        """Pass on what the store asks."""
        with contextlib.suppress(OSError):
            while question := near.recv(1 << 16):
                far.sendall(question)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def pass_answers(self, near, far):
        """Pass on what the server answers, or what becomes of it."""
        with contextlib.suppress(OSError):
            while answer := far.recv(1 << 16):
                self.held.wait()
                changed = self.change(answer)
                if changed is None:
                    break
                near.sendall(changed)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(server):
    """Run a proxy before a server for as long as the block lasts."""
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.close()


class TlsProxy(Proxy):
    """Speaks TLS to the store and passes everything on in the clear.

    Args:
        server: The server behind it.
        certificate: Path of its certificate with its key.
    """

    def __init__(self, server, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        super().__init__(server)
        self.url = self.url.replace("redis://", "rediss://")

    def listen(self):
        """Take connections, each in a thread of its own: both ways of one connection of TLS belong to one thread."""
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self.serve, args=(near,)))
                self.threads[-1].start()

    def serve(self, near):
        """Pass on what comes from either side until one of them ends."""
        with contextlib.suppress(OSError), near, socket.socket(socket.AF_UNIX) as far:
            near.settimeout(10)
            with self.context.wrap_socket(near, server_side=True) as shown:
                self.sockets.append(shown)
                far.connect(str(self.server.socket))
                while True:
                    ready = [shown] if shown.pending() else select.select([shown, far], [], [], 60)[0]
                    for one, other in ((shown, far), (far, shown)):
                        if one in ready:
                            part = one.recv(1 << 16)
                            if not part:
                                return
                            other.sendall(part)
