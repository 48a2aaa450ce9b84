"""Celery as the way to workers: a message is the id of a job, and the table alone says who speaks what.

A message only says that a job waits. Whoever gets it claims from the table, fairly, under a lease and a fence; one that
is late, doubled or forged finds nothing to claim and does nothing. A message that was lost with its broker or its
worker is sent again by any worker that has nothing to do, as soon as its job can be claimed: after the lease at most,
and not after the hour that a broker on Redis waits before it gives a dead worker's message to another.

Workers are threads of one process, not a process for each: a job is spoken in an engine process of its own already, and
its thread only waits for it.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from celery import Celery
from celery.worker import WorkController, state

from voxgate.speech.errors import SpeechError
from voxgate.speech.jobs.base import JobHandler
from voxgate.speech.jobs.local import POLL_S, LocalDispatcher, do_nothing
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.trouble import Trouble

TASK = "voxgate.speak"
"""Name of the only task."""

QUEUE = "voxgate"
"""Name of the queue in the broker."""

OVERDUE_S = 1.0
"""Seconds that a job may wait before a worker without work sends its id again."""

_MESSAGE_S = 60.0  # far below the hour after which a broker on Redis gives a message to somebody else, too
_UNSENT_MAX = 1000
_CHECK_S = 5
_logger = logging.getLogger("voxgate.speech.jobs")


def make_app(broker_url: str) -> Celery:
    """Return the Celery application of senders and workers.

    Args:
        broker_url: Address of the broker, as kombu reads it; it may hold a password and is not shown.
    """
    app = Celery("voxgate", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,  # whoever reaches the broker could stop every worker by it
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=4,
        broker_transport_options=_transport_options(broker_url),
    )
    # A line for each message, and the whole of what a broken broker says, are of use to nobody.
    logging.getLogger("celery").setLevel(logging.ERROR)
    return app


def _transport_options(broker_url: str) -> dict[str, object]:
    if broker_url.startswith("amqp"):
        return {"confirm_publish": True}
    # A broker that hangs would otherwise be waited for without end.
    return {"socket_timeout": 5, "socket_connect_timeout": 2}


class BrokerUnavailableError(SpeechError):
    """The broker did not take a message; the library's own text is left out, because it can hold the address."""


def check_broker(broker_url: str) -> None:
    """Return when a broker answers.

    Raises:
        BrokerUnavailableError: It does not answer.
    """
    app = make_app(broker_url)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CHECK_S)
    except Exception as error:  # noqa: BLE001 -- whatever the broker's library raises
        raise BrokerUnavailableError(f"the broker does not answer ({type(error).__name__})") from None
    finally:
        app.close()


class CelerySender:
    """Sends the ids of new jobs from a thread of its own, so that no request waits for the broker.

    Args:
        broker_url: Address of the broker.
        logger: Told once when the broker is in trouble, and once when it is over.
    """

    def __init__(self, broker_url: str, *, logger: logging.Logger = _logger) -> None:
        self._app = make_app(broker_url)
        self._trouble = Trouble("broker", logger)
        self._unsent: queue.Queue[str | None] = queue.Queue(_UNSENT_MAX)
        self._thread = threading.Thread(target=self._send_all, name="voxgate-broker", daemon=True)
        self._thread.start()

    def send(self, job_id: str) -> None:
        """Send the id of a job that waits; returns at once. One that cannot be sent is found in the table."""
        try:
            self._unsent.put_nowait(job_id)
        except queue.Full:
            _logger.debug("jobs: too many ids wait for the broker; a worker will find this one")

    def stop(self, timeout_s: float) -> None:
        """Send what waits, if the broker takes it within `timeout_s`."""
        try:
            self._unsent.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)
        self._app.close()

    def _send_all(self) -> None:
        while (job_id := self._unsent.get()) is not None:
            try:
                self._app.send_task(TASK, args=(job_id,), retry=False, ignore_result=True)
            except Exception as error:  # noqa: BLE001 -- whatever the broker's library raises, the job is in the table
                self._trouble.begin(BrokerUnavailableError(f"no message was taken ({type(error).__name__})"))
            else:
                self._trouble.end()


class CeleryDispatcher(LocalDispatcher):
    """Runs jobs in threads of this process whenever a message of the broker says that some wait.

    One of these in a process at a time, because Celery's wish to stop is one of the process.

    Args:
        queue: Where the jobs are claimed.
        broker_url: Address of the broker.
        threads: Jobs that run at once.
        chores: Called about once a second in a thread of its own.
        poll_s: Seconds after which the table is looked at for jobs whose message was lost.
        logger: Told once when the service is in trouble, and once when it is over.
    """

    def __init__(
        self,
        jobs: JobQueue,
        broker_url: str,
        *,
        threads: int,
        chores: Callable[[], None] = do_nothing,
        poll_s: float = POLL_S,
    ) -> None:
        super().__init__(jobs, threads=threads, chores=self._tend_both, poll_s=poll_s)
        self._own_chores = chores
        self._sender = CelerySender(broker_url)
        self._app = make_app(broker_url)

    def send(self, job_id: str) -> None:
        """Send the id of a job to whoever is free; returns at once."""
        self._sender.send(job_id)

    def run(self, handler: JobHandler) -> None:
        """Begin to take messages; each claimed job goes to `handler`. Once only."""

        def speak(job_id: str) -> None:
            self._work_off(job_id, handler)

        self._app.task(name=TASK, shared=False, lazy=False, ignore_result=True)(speak)
        self._threads = [
            threading.Thread(target=self._take_messages, name="voxgate-celery", daemon=True),
            threading.Thread(target=self._tend, name="voxgate-chores", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> None:
        """Take no more messages, let running jobs finish, and hand back those that cannot within `timeout_s`."""
        state.should_stop = 0
        super().stop(timeout_s)
        self._sender.stop(timeout_s)
        self._app.close()

    def _take_messages(self) -> None:
        state.should_stop = None
        self._app.set_default()  # where the threads of Celery's pool look for their task
        worker = WorkController(
            app=self._app,
            pool="threads",
            concurrency=self._threads_max,
            hostname=self._worker_id,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        try:
            worker.start()
        finally:
            state.should_stop = None

    def _work_off(self, job_id: str, handler: JobHandler) -> None:
        """Run jobs while there are any, so that one whose message did nothing, as its owner ran enough, is not left."""
        until = time.monotonic() + _MESSAGE_S
        try:
            while not self._is_closing.is_set() and self._run_next(handler):
                if time.monotonic() > until:
                    self._sender.send(job_id)
                    return
        except Exception as error:  # noqa: BLE001 -- the job was handed back; a message has nothing to do with it
            self._is_closing.wait(self._trouble.begin(error))

    def _tend_both(self) -> None:
        self._own_chores()
        if len(self._running) < self._threads_max:
            overdue = self._queue.find_overdue(OVERDUE_S)
            if overdue is not None:
                self._sender.send(overdue)
