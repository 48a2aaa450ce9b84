"""What stands before the door: proxies that are believed, and https alone; nothing where neither is spoken of."""

from typing import TYPE_CHECKING

from voxgate.gate.flask.config import GateConfig
from voxgate.gate.flask.https import PLAIN_PATHS, HttpsOnly
from voxgate.gate.flask.proxies import Proxied, TrustedProxies
from voxgate.gate.flask.refusals import BodyFilter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def stand_before(
    door: "WSGIApplication", config: GateConfig, *, body_filter: BodyFilter | None = None
) -> "WSGIApplication":
    """Return the application to call first.

    Args:
        door: The gate's door.
        config: Which proxies are believed, and whether plain HTTP is refused.
        body_filter: Changes the body of that refusal.

    Raises:
        ConfigurationError: The proxies are neither a number nor networks.
    """
    outer = door
    if config.https_only:
        outer = HttpsOnly(outer, plain_paths=PLAIN_PATHS, body_filter=body_filter)
    if config.trusted_proxies:
        outer = Proxied(outer, TrustedProxies(config.trusted_proxies, family=config.forwarded_header))
    return outer
