"""What the doctor looks at: each check gives findings, each finding its state and the command that mends it."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from voxgate.cli.database_checks import check_database
from voxgate.cli.findings import Finding, State
from voxgate.cli.port import PortTakenError, answers, reserve
from voxgate.gate.clock import SystemClock
from voxgate.gate.errors import ConfigurationError, StoreUnavailableError, VoxgateError
from voxgate.gate.signing import KeyFolder
from voxgate.gate.stores import open_store
from voxgate.settings import Settings, load_settings
from voxgate.settings.keys import MAKE_KEY_COMMAND
from voxgate.settings.reading import CONFIG_FILE

FULL_BYTES = 50 << 20
SCARCE_BYTES = 1 << 30
RENEWED_DAYS = 14
OLD_KEY_DAYS = 365
_OTHERS = 0o077


def examine(data: str | None) -> Iterator[Finding]:
    """Give every finding, one after the other; a check that breaks is a finding too.

    Args:
        data: The data folder, or None for the one that the settings name.
    """
    said: list[str] = []
    try:
        settings = load_settings(overrides={} if data is None else {"VOXGATE_DATA": data}, warn=said.append)
    except ConfigurationError as error:
        yield Finding(State.FAIL, "settings", str(error), _mend_setting(error))
        return
    yield from (Finding(State.WARN, "settings", text, "remove it or correct its name") for text in said)
    if not said:
        yield Finding(State.OK, "settings", "every one is known and within its bounds")
    for name, check in CHECKS.items():
        try:
            yield from check(settings)
        except (VoxgateError, OSError, sqlite3.Error) as error:
            yield Finding(State.FAIL, name, str(error), "see the text above; 'voxgate init' makes what is missing")


def _mend_setting(error: ConfigurationError) -> str:
    if error.setting == "JWT_SECRET_KEY":
        return f'export JWT_SECRET_KEY="$({MAKE_KEY_COMMAND})"'
    return f"correct {error.setting}; docs/reference/settings.md lists every setting"


def check_profile(settings: Settings) -> Iterator[Finding]:
    """Look at who can reach the service under which rules."""
    where = f"{settings.profile}, listening on {settings.host}"
    if settings.is_on_loopback:
        yield Finding(State.OK, "profile", where)
    elif settings.is_production and not settings.is_tls:
        mend = "put a proxy with TLS before it and set VOXGATE_HOST=127.0.0.1"
        yield Finding(State.WARN, "profile", f"{where} without TLS: tokens can be read on the way", mend)
    elif settings.is_production:
        yield Finding(State.OK, "profile", where)
    else:
        yield Finding(State.WARN, "profile", f"{where}: open to others", "export VOXGATE_PROFILE=production")


def check_https(settings: Settings) -> Iterator[Finding]:
    """Look at how https reaches the service, and at the certificate that it serves itself."""
    if settings.is_tls:
        yield from _check_certificate(settings)
    elif settings.trusted_proxies:
        proxies = ", ".join(settings.trusted_proxies)
        yield Finding(State.OK, "https", f"spoken by trusted proxies: {proxies}")
    elif settings.is_production:
        text = "the production profile does not start without TLS or trusted proxies"
        yield Finding(
            State.FAIL, "https", text, "export VOXGATE_TRUSTED_PROXIES=127.0.0.1  # the proxy that speaks https"
        )
    else:
        yield Finding(State.OK, "https", "plain HTTP, for this machine alone; 'voxgate serve --tls' serves https")


def _check_certificate(settings: Settings) -> Iterator[Finding]:
    from voxgate.cli.certificates import check_own  # noqa: PLC0415 -- only with TLS

    if settings.tls_certificate is None and settings.tls_key is None:
        state = State.WARN if settings.is_production else State.OK
        mend = "set VOXGATE_TLS_CERTIFICATE and VOXGATE_TLS_KEY" if settings.is_production else ""
        yield Finding(state, "https", "by a development authority, which no stranger trusts", mend)
        return
    now = datetime.now(UTC)
    try:
        files = check_own(settings.tls_certificate, settings.tls_key, now=now)
    except ConfigurationError as error:
        yield Finding(State.FAIL, "https", str(error), f"correct {error.setting}, or renew the certificate")
        return
    days = (files.expires_at - now).days
    if days < RENEWED_DAYS:
        yield Finding(State.WARN, "https", f"the certificate ends in {days} days", "renew it, then restart the service")
    else:
        yield Finding(State.OK, "https", f"{files.certificate} holds for {days} days")


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Look at the data folder and at who can read what lies in it."""
    folder = settings.data
    if not folder.exists():
        yield Finding(State.WARN, "data folder", f"{folder} does not exist yet", f"voxgate init --data {folder}")
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(State.FAIL, "data folder", f"{folder} cannot be written", f'chown -R "$(id -un)" {folder}')
    else:
        yield Finding(State.OK, "data folder", f"{folder} can be written")
    keys = (settings.secret_key_path, settings.signing_keys_path)
    for path in (folder, *keys, folder / CONFIG_FILE, settings.security_log_path):
        yield from _check_privacy(path)


def check_key(settings: Settings) -> Iterator[Finding]:
    """Look at the key that signs tokens; the settings have judged one that they hold."""
    clock = SystemClock()
    folder = KeyFolder(settings.data, clock=clock, secret=settings.signing_secret)
    if not folder.has_keys():
        yield Finding(State.OK, "signing key", "will be made at the first start")
        return
    keys = folder.read()
    key, others = keys.signing, sum(each.lives_at(clock.now_ms()) for each in keys.keys) - 1
    days = (clock.now_ms() - key.made_at_ms) // 86_400_000 if key.made_at_ms else None
    made = "JWT_SECRET_KEY is set" if days is None else f"made {days} days ago"
    text = f"{key.kid} signs with {key.algorithm} ({made}); {others} more can verify"
    if settings.jwt_algorithm not in {None, key.algorithm}:
        yield Finding(State.WARN, "signing key", f"{text}; JWT_ALGORITHM is another", "restart the service")
    elif days is not None and days > OLD_KEY_DAYS:
        yield Finding(State.WARN, "signing key", text, "voxgate signing rotate")
    else:
        yield Finding(State.OK, "signing key", text)


def check_store(settings: Settings) -> Iterator[Finding]:
    """Look at whether the gate's store answers."""
    if settings.redis_url is None and not settings.gate_database_path.exists():
        yield Finding(State.OK, "gate store", "will be made at the first request")
        return
    store = open_store(settings.redis_url or settings.gate_database_path)
    try:
        store.ping()
        # The embedded store has nothing to be examined; a Redis says its version, eviction policy, clock and latency.
        examine = getattr(store, "check_health", None)
        for found in examine() if examine else ():
            state = State.OK if found.is_good else State.WARN
            yield Finding(state, "gate store", found.text, found.mend)
    except StoreUnavailableError as error:
        yield Finding(State.FAIL, "gate store", str(error), _mend_store(settings))
        return
    finally:
        store.close()
    yield Finding(State.OK, "gate store", "answers")


def _mend_store(settings: Settings) -> str:
    if settings.redis_url:
        return "start the Redis, or correct VOXGATE_REDIS_URL"
    path = settings.gate_database_path
    return f"make {path} writable; if it is damaged, stop the service and remove it: the database has what it knew"


def check_speech(settings: Settings) -> Iterator[Finding]:
    """Let every engine speak a word."""
    from voxgate.cli import speech_checks  # noqa: PLC0415 -- starts processes; the last of the checks

    yield from speech_checks.check_speech(settings)


def check_reach(settings: Settings) -> Iterator[Finding]:
    """Look at what the settings name beyond this machine, beside the databases."""
    from voxgate.cli import reach_checks  # noqa: PLC0415 -- their libraries are extras

    yield from reach_checks.check_audio(settings)
    yield from reach_checks.check_messages(settings)


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Look at the space that is left for databases and audio."""
    folder = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    text = f"{free_bytes / (1 << 30):.1f} GiB are free"
    mend = f"free some space, or move the data: VOXGATE_DATA (now {settings.data})"
    if free_bytes < FULL_BYTES:
        yield Finding(State.FAIL, "disk", text, mend)
    elif free_bytes < SCARCE_BYTES:
        yield Finding(State.WARN, "disk", text, mend)
    else:
        yield Finding(State.OK, "disk", text)


def check_port(settings: Settings) -> Iterator[Finding]:
    """Look at whether the port is free, or voxgate's already."""
    try:
        reserve(settings.host, settings.port).close()
    except PortTakenError as error:
        if answers(settings.host, settings.port, _certificate_of(settings)):
            yield Finding(State.OK, "port", f"{settings.port} is in use, and a service answers /healthz there")
        else:
            yield Finding(State.FAIL, "port", str(error), "voxgate serve --port 0")
    else:
        yield Finding(State.OK, "port", f"{settings.port} is free")


def _certificate_of(settings: Settings) -> Path | None:
    made = settings.tls_folder / "server.pem"
    return settings.tls_certificate or (made if settings.tls and made.exists() else None)


def _check_privacy(path: Path) -> Iterator[Finding]:
    if path.exists() and path.stat().st_mode & _OTHERS:
        mode = "700" if path.is_dir() else "600"
        yield Finding(State.WARN, "privacy", f"others of this machine can reach {path}", f"chmod {mode} {path}")


CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "profile": check_profile,
    "https": check_https,
    "data folder": check_folder,
    "signing key": check_key,
    "database": check_database,
    "gate store": check_store,
    "reach": check_reach,
    "disk": check_disk,
    "port": check_port,
    "speech": check_speech,
}
