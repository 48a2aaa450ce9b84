"""Settings of the edge: TLS, the proxies before the service, and what it decides for other services."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from voxgate.gate.addresses import read_trusted
from voxgate.gate.errors import ConfigurationError
from voxgate.settings.forms import Texts, read_list
from voxgate.settings.setting import Group, Setting


def _read_proxies(value: object) -> object:
    return (str(value),) if isinstance(value, int) and not isinstance(value, bool) else read_list(value)


def _check_proxies(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        read_trusted(value)
    except ConfigurationError as error:
        raise ValueError(error.reason) from error
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


class EdgeSettings(Group):
    """What stands between clients and the service."""

    tls: Annotated[
        bool,
        Setting(
            "VOXGATE_TLS",
            "Serve https with a certificate of a development authority of its own, which is made in the data folder; "
            "the same as `voxgate serve --tls`.",
        ),
    ] = False
    tls_certificate: Annotated[
        Annotated[Path, AfterValidator(_absolute)] | None,
        Setting(
            "VOXGATE_TLS_CERTIFICATE",
            "PEM file of the certificate to serve https with, and of the certificates between it and its authority.",
            default_doc="none",
        ),
    ] = None
    tls_key: Annotated[
        Annotated[Path, AfterValidator(_absolute)] | None,
        Setting(
            "VOXGATE_TLS_KEY", "PEM file of the certificate's private key, without a password.", default_doc="none"
        ),
    ] = None
    plain_port: Annotated[
        int | None,
        Setting(
            "VOXGATE_PLAIN_PORT",
            "TCP port, beside the one that speaks TLS, on which plain HTTP is told the https address to ask instead: "
            "pages are redirected, everything else is refused with 403; 0 takes a free one.",
            default_doc="none",
        ),
        Field(ge=0, le=65_535),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        BeforeValidator(_read_proxies),
        AfterValidator(_check_proxies),
        Setting(
            "VOXGATE_TRUSTED_PROXIES",
            "How many proxies stand before the service, or the networks that they are in; what they say of a client's "
            "address, scheme and host is believed, and nobody else's word.",
        ),
    ] = ()
    forwarded_header: Annotated[
        Literal["x-forwarded", "forwarded"],
        Setting("VOXGATE_FORWARDED_HEADER", "Which headers these proxies write: `X-Forwarded-*`, or `Forwarded`."),
    ] = "x-forwarded"
    docs: Annotated[
        bool | None,
        Setting(
            "VOXGATE_DOCS",
            "Show `/docs` and `/openapi.json` to everybody.",
            default_doc="true in development, false in production",
        ),
    ] = None
    edge_rules: Annotated[
        Texts,
        Setting(
            "VOXGATE_EDGE_RULES",
            "What `/api/v1/gate/decide` demands for the paths of other services, such as "
            "`POST /reports = 20 per minute`; see the guide about the edge.",
        ),
    ] = Field(default=())

    @property
    def is_tls(self) -> bool:
        """Whether the server itself speaks TLS."""
        return self.tls or self.tls_certificate is not None or self.tls_key is not None
