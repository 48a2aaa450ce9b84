"""The names of the keys in Redis: everything of one principal under one hash tag, so on one node of a cluster.

vg:{u1}:account       the account
vg:{u1}:session:ID    a session, beside its account
vg:{u1}:key:ID        an API key, beside its account
vg:session:ID         the pointer to the account of a session
vg:key:ID             the pointer to the account of an API key
vg:{u1}:own:NAME      a counter of the partition `user:u1`
vg:{u1}:its:ID:NAME   a counter of the partition `key:ID:u1`, beneath the account's
vg:{u1}:hold:ID       since when some of them are held, to be given back
vg:{ip:…}:of:NAME     a counter of any other partition
vg:counters           the names of all counters in use
"""

OWN = b"own:"
_OF = b"of:"
_ITS = b"its:"
_USER = "user:"
_KEY = "key:"


class Keys:
    """Makes the names of keys.

    Args:
        prefix: What every name begins with.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self.counters = self._prefix + b"counters"
        """The key of the names of all counters."""
        self.pointers = {"session": self._prefix + b"session:", "key": self._prefix + b"key:"}
        """How the keys begin that say whose a session or API key is."""

    def principal(self, subject: str) -> bytes:
        """Return how the keys of a principal begin."""
        return b"%b{%b}:" % (self._prefix, _tag(subject))

    def node(self, partition: str) -> bytes:
        """Return how all keys begin that are on the node of a partition."""
        _, subject = _split_key(partition)
        return self.principal(partition.removeprefix(_USER) if subject is None else subject)

    def partition(self, partition: str) -> bytes:
        """Return how the keys of all counters of a partition begin."""
        return self.node(partition) + _kind(partition)


def suffix(partition: str | None) -> bytes | None:
    """Return how counters go on after their principal begins; None for partitions that are of no principal."""
    if partition is None:
        return OWN
    return _kind(partition) if partition.startswith(_KEY) else None


def to_bytes(text: str) -> bytes:
    """Return a text as part of a key; what comes from strangers may not even be Unicode, and must break nothing."""
    return text.encode("utf-8", "surrogatepass")


def _kind(partition: str) -> bytes:
    if partition.startswith(_USER):
        return OWN
    key_id, subject = _split_key(partition)
    return _OF if subject is None else _ITS + to_bytes(key_id) + b":"


def _split_key(partition: str) -> tuple[str, str | None]:
    """Return key and account of the partition of a key; no account for other partitions."""
    if not partition.startswith(_KEY):
        return "", None
    key_id, colon, subject = partition.removeprefix(_KEY).partition(":")
    return (key_id, subject) if colon else ("", None)


def _tag(text: str) -> bytes:
    """Return a text as a hash tag: Redis takes all between the first brace and the next, and nothing is no tag."""
    return to_bytes(text).replace(b"%", b"%25").replace(b"}", b"%7D").replace(b"{", b"%7B") or b"%"
