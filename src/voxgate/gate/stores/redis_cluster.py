"""A cluster: every command goes to the node that holds its keys, and is followed when the keys have moved."""

import threading
from typing import Any

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError
from redis.retry import Retry

from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_scripts import Argument, Call, Script


class ClusterLink:
    """The client of a cluster, made at the first command. A command is sent once; only a redirection is followed.

    Args:
        nodes: Nodes to learn the others from.
        settings: Arguments of redis-py's connections.
    """

    is_cluster = True

    def __init__(self, nodes: list[ClusterNode], settings: dict[str, Any]) -> None:
        self._nodes = nodes
        self._settings = settings
        self._lock = threading.Lock()
        self._client: RedisCluster | None = None

    def call(self, *command: Argument) -> object:
        """Send a command once and return its answer."""
        try:
            return self._send(command)
        except NoScriptError as error:
            raise StoreUnavailableError(str(error)) from error

    def call_each(self, *command: Argument) -> list[object]:
        """Send a command to every primary."""
        answers: Any = self._send(command, target_nodes=RedisCluster.PRIMARIES)
        return list(answers.values())

    def run(self, script: Script, keys: tuple[bytes, ...], arguments: tuple[Argument, ...]) -> object:
        """Run a script once and return its answer."""
        return self.run_call(Call(script, keys, arguments))

    def run_call(self, call: Call) -> object:
        """Run a script once by a call that is kept for the next time."""
        try:
            return self._send(call.command)
        except NoScriptError:
            # It was not run, so this is no second time.
            return self.call("EVAL", call.script.text, len(call.keys), *call.keys, *call.arguments)

    def confirm(self) -> None:
        """Return at once: on which node it was written is not known here."""

    def drop(self) -> None:
        """Let go of every connection: the client does not say which one was used."""
        self.close()

    def close(self) -> None:
        """Close every connection; the next command opens one again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _send(self, command: tuple[Argument, ...], **options: Any) -> object:  # noqa: ANN401 -- redis-py's own
        try:
            return self._open().execute_command(*command, **options)
        except NoScriptError:
            raise
        except (RedisError, RedisClusterException, OSError, ValueError) as error:
            raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error

    def _open(self) -> RedisCluster:
        with self._lock:
            if self._client is None:
                # With a part of the slots the accounts in them are served.
                self._client = RedisCluster(
                    startup_nodes=self._nodes,
                    require_full_coverage=False,
                    retry=Retry(NoBackoff(), 0),
                    **self._settings,
                )
            return self._client
