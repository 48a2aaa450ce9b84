"""What ended jobs have not spent of their budgets, given back; and how a job's row keeps what is held for it."""

import json
import threading
from collections.abc import Sequence

from voxgate.gate.decision import Charge
from voxgate.gate.errors import VoxgateError
from voxgate.gate.limits import Limit, LimitKind
from voxgate.gate.stores.base import Store
from voxgate.speech.errors import SpeechError
from voxgate.speech.jobs.owned import OwnedJobs
from voxgate.web.pending import Pending

SETTLE_EVERY_S = 1.0
_LONGEST_PAUSE_S = 30.0


def write_charges(charges: Sequence[Charge]) -> str:
    """Return charges as a text for the row of a job."""
    parts = [
        (each.limit.name, each.limit.quota, each.limit.window_s, each.limit.kind.value, each.partition, each.cost)
        for each in charges
    ]
    return json.dumps(parts, separators=(",", ":"))


def read_charges(text: str) -> tuple[Charge, ...]:
    """Return the charges of a text of ``write_charges``."""
    return tuple(
        Charge(Limit(name, quota, window_s, LimitKind(kind)), partition, cost)
        for name, quota, window_s, kind, partition, cost in json.loads(text)
    )


class Settlement:
    """Gives back what ended jobs have not spent: at once when it is asked, and every second for what a crash has left.

    Any number of processes may do it; what a name holds is given back once.

    Args:
        store: The gate's shared facts.
        jobs: The queue.
        pending: What is held for requests whose answer is being made.
    """

    def __init__(self, store: Store, jobs: OwnedJobs, pending: Pending) -> None:
        self._store = store
        self._jobs = jobs
        self._pending = pending
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def settle(self) -> int:
        """Give back what is due; returns for how many jobs, with requests whose process ended before their job began.

        Raises:
            StoreUnavailableError: The store does not answer; what is due stays so.
            JobsUnavailableError: The database does not answer.
        """
        due = self._jobs.list_reserved()
        for job in due:
            self._store.refund(read_charges(job.reserved or "[]"), hold_id=job.id)
            self._jobs.note_given_back(job.id)
        return len(due) + sum(self._settle_pending(hold_id, held) for hold_id, held in self._pending.settling())

    def _settle_pending(self, hold_id: str, held: str) -> bool:
        """Give back what is held for nothing; where there is a job, its row says what becomes of it."""
        return not self._jobs.has(hold_id) and self._store.refund(read_charges(held), hold_id=hold_id)

    def start(self) -> None:
        """Settle every second from now on; a served process does it at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="voxgate-settlement", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; closing again is no error."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(SETTLE_EVERY_S)

    def _run(self) -> None:
        pause_s = SETTLE_EVERY_S
        while not self._is_closing.wait(pause_s):
            try:
                self.settle()
                pause_s = SETTLE_EVERY_S
            except (VoxgateError, SpeechError):
                # Whoever asks for something is told; here it is only due a little longer.
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
