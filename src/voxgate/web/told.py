"""Security events of the service: what happened, to whom, from where, in which request."""

from voxgate.web.current import services
from voxgate.web.door import gate


def tell(event: str, **fields: object) -> None:
    """Send an event of this request to the log; ids, never a token, a key or a password."""
    services().events(event, {**fields, "ip_address": gate.address, "request_id": gate.request_id})
