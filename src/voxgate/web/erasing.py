"""The end of an account: its credentials first, then everything that it has left in the service."""

from voxgate.gate.errors import Refusal
from voxgate.web.services import Services

_PAGE = 100


def erase_account(services: Services, subject: str, *, password: str | None = None) -> Refusal | None:
    """Delete an account with its sessions, keys, names, texts and jobs.

    Its security events stay, under a pseudonym and without addresses; see ``voxgate.accounts.forgetting``.
    Its audio is reached through its jobs alone, so nobody reaches it any more; the files are removed when they expire,
    because another account may have asked for the same words.

    Args:
        services: The parts of the service.
        subject: The account.
        password: Its password as it was typed, when its owner asks; None for the operator.

    Returns:
        None when it is done, or a refusal: ACCOUNT_UNKNOWN, WRONG_PASSWORD, HASHING_BUSY.
    """
    services.audit.flush()  # what waits to be written is in the table when it is told to forget
    refusal = services.accounts.delete(subject, password=password)
    if refusal is not None:
        return refusal
    services.audit.forget(subject)
    while jobs := services.jobs.list(subject, limit=_PAGE).jobs:
        for job in jobs:
            services.jobs.cancel(job.id, subject)
            services.jobs.note_given_back(job.id)  # there is nobody any more to give it to
            services.jobs.remove(job.id, subject)
    return None
