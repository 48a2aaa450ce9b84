"""Certificates to serve https with: one's own, checked before the start, or of a development authority made here."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings

CERTIFICATE, KEY = "VOXGATE_TLS_CERTIFICATE", "VOXGATE_TLS_KEY"
AUTHORITY_DAYS = 3650
SERVER_DAYS = 397  # the most that browsers accept of an authority that they know
RENEWED_DAYS = 30
_ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
_BACKDATED = timedelta(minutes=5)  # for clients whose clock is behind
_ANYBODY = 0o007


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What to serve https with.

    Attributes:
        certificate: PEM file of the certificate and those between it and its authority.
        key: PEM file of its private key.
        authority: PEM file of the development authority; None with an own certificate.
        expires_at: End of the certificate.
    """

    certificate: Path
    key: Path
    authority: Path | None
    expires_at: datetime


def tls_files(settings: Settings, *, now: datetime | None = None) -> TlsFiles | None:
    """Return what the settings serve https with, made when it is missing; None where they do not.

    Raises:
        ConfigurationError: The own certificate or its key cannot be used.
        OSError: The data folder cannot be written.
    """
    now = now or datetime.now(UTC)
    if settings.tls_certificate is not None or settings.tls_key is not None:
        return check_own(settings.tls_certificate, settings.tls_key, now=now)
    return make_certificate(settings.tls_folder, names_for(settings.host), now=now) if settings.tls else None


def check_own(certificate: Path | None, key: Path | None, *, now: datetime) -> TlsFiles:
    """Return an own certificate and its key, once they are known to serve.

    Raises:
        ConfigurationError: One is missing, unreadable, expired or not yet valid, they do not belong together, or
            everybody on this machine can read the key.
    """
    if certificate is None or key is None:
        missing, other = (CERTIFICATE, KEY) if certificate is None else (KEY, CERTIFICATE)
        raise ConfigurationError(missing, f"is missing beside {other}; both are needed")
    try:
        leaf = x509.load_pem_x509_certificates(_read(certificate, CERTIFICATE))[0]
    except ValueError as error:
        raise ConfigurationError(CERTIFICATE, f"{certificate} holds no certificate in PEM form") from error
    if key.exists() and key.stat().st_mode & _ANYBODY:
        raise ConfigurationError(KEY, f"everybody on this machine can reach {key}: chmod 600 {key}")
    try:
        private: PrivateKeyTypes = serialization.load_pem_private_key(_read(key, KEY), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(KEY, f"{key} holds no private key in PEM form without a password") from error
    if private.public_key() != leaf.public_key():
        raise ConfigurationError(KEY, f"the key in {key} is not that of the certificate in {certificate}")
    if now < leaf.not_valid_before_utc:
        raise ConfigurationError(CERTIFICATE, f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    if now >= leaf.not_valid_after_utc:
        raise ConfigurationError(CERTIFICATE, f"has expired on {leaf.not_valid_after_utc:%Y-%m-%d}; renew it")
    return TlsFiles(certificate, key, None, leaf.not_valid_after_utc)


def make_certificate(folder: Path, names: Iterable[str], *, now: datetime) -> TlsFiles:
    """Return a certificate of the development authority in a folder; both are made when missing or near their end.

    Several processes may start at once: one makes them, all read the same.

    Args:
        folder: Where authority, certificate and keys are kept, readable by their owner alone.
        names: Host names and addresses that the certificate must name.
        now: The time.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = tuple(dict.fromkeys(names))
    pair, authority = folder / "server.pem", folder / "authority.pem"
    with _alone(folder):
        issuer = _Authority.open(folder, now=now)
        leaf = _read_leaf(pair)
        if leaf is None or not _serves(leaf, issuer.certificate, wanted, now=now):
            leaf = issuer.issue(pair, wanted, now=now)
    return TlsFiles(pair, pair, authority, leaf.not_valid_after_utc)


def names_for(host: str) -> tuple[str, ...]:
    """Return what a server on a host is called: this machine's names, and the host unless it means every address."""
    named = () if _is_every(host) else (host,)
    return tuple(dict.fromkeys(name.lower() for name in (*_ALWAYS_NAMED, socket.gethostname(), *named) if name))


class _Authority:
    """The development authority: a certificate that may sign those of servers, and nothing else."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def open(cls, folder: Path, *, now: datetime) -> "_Authority":
        """Return the authority that is kept in a folder, made when it is missing, damaged or near its end."""
        path, key_path = folder / "authority.pem", folder / "authority.key"
        with contextlib.suppress(OSError, ValueError, IndexError):
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
            lasts = now + timedelta(days=SERVER_DAYS) < certificate.not_valid_after_utc
            if isinstance(key, ec.EllipticCurvePrivateKey) and lasts and key.public_key() == certificate.public_key():
                return cls(certificate, key)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"voxgate development {socket.gethostname()}"[:64])])
        certificate = (
            _builder(name, name, key, now=now, days=AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(key_path, _private(key), mode=0o600)
        _write(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return cls(certificate, key)

    def issue(self, path: Path, names: Iterable[str], *, now: datetime) -> x509.Certificate:
        """Write a certificate for a server with its key into one file, so that they change together."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voxgate")])
        certificate = (
            _builder(name, self.certificate.subject, key, now=now, days=SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(path, certificate.public_bytes(serialization.Encoding.PEM) + _private(key), mode=0o600)
        return certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.IPAddress(address) if address is not None else x509.DNSName(name)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _is_every(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _serves(leaf: x509.Certificate, authority: x509.Certificate, names: tuple[str, ...], *, now: datetime) -> bool:
    """Say whether a certificate is this authority's, names everything that is wanted, and holds for a while."""
    named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if not {_general_name(name) for name in names} <= set(named):
        return False
    try:
        leaf.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 -- of several kinds, and any of them means that another is needed
        return False
    return leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - timedelta(days=RENEWED_DAYS)


def _read_leaf(path: Path) -> x509.Certificate | None:
    try:
        leaf = x509.load_pem_x509_certificates(path.read_bytes())[0]
        serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return leaf


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(setting, f"cannot read {path}: {error.strerror}") from error


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Replace a file at once; it has its mode from the first byte on."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 -- the mode
        file.write(data)
    temporary.replace(path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
