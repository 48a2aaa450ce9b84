"""The names of the keys in Redis: everything of one principal under one hash tag, so on one node of a cluster.

vg:{u1}:account       the account
vg:{u1}:session:ID    a session, beside its account
vg:{u1}:key:ID        an API key, beside its account
vg:session:ID         the pointer to the account of a session
vg:key:ID             the pointer to the account of an API key
vg:{u1}:own:NAME      a counter of the partition `user:u1`
vg:{ip:…}:of:NAME     a counter of any other partition
vg:counters           the names of all counters in use
"""

from voxgate.gate.limits import Limit

_OWN = "user:"


class Keys:
    """Makes the names of keys.

    Args:
        prefix: What every name begins with.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self.counters = self._prefix + b"counters"

    def account(self, subject: str) -> bytes:
        """Return the key of an account."""
        return b"%b{%b}:account" % (self._prefix, _tag(subject))

    def record(self, kind: str, record_id: str, subject: str) -> bytes:
        """Return the key of a session or API key of an account."""
        return b"%b{%b}:%b:%b" % (self._prefix, _tag(subject), kind.encode(), _text(record_id))

    def pointer(self, kind: str, record_id: str) -> bytes:
        """Return the key that says whose a session or API key is."""
        return b"%b%b:%b" % (self._prefix, kind.encode(), _text(record_id))

    def counter(self, partition: str, limit: Limit) -> bytes:
        """Return the key of a partition's counter."""
        return self.partition(partition) + limit.counter.encode()

    def partition(self, partition: str) -> bytes:
        """Return how the keys of all counters of a partition begin."""
        if partition.startswith(_OWN):
            return b"%b{%b}:own:" % (self._prefix, _tag(partition[len(_OWN) :]))
        return b"%b{%b}:of:" % (self._prefix, _tag(partition))


def _text(text: str) -> bytes:
    # Names and addresses come from strangers; what is not Unicode must not break a decision.
    return text.encode("utf-8", "surrogatepass")


def _tag(text: str) -> bytes:
    """Return a text as a hash tag: Redis takes all between the first brace and the next, and nothing is no tag."""
    return _text(text).replace(b"%", b"%25").replace(b"}", b"%7D").replace(b"{", b"%7B") or b"%"
