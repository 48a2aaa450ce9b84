"""Every part of the service, opened once and in order; the command line uses the same."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from voxgate.accounts.api_keys import ApiKeys
from voxgate.accounts.audit import Audit
from voxgate.accounts.database import Database
from voxgate.accounts.devices import Devices
from voxgate.accounts.directory import IS_ACTIVE, SqlDirectory
from voxgate.accounts.last_seen import LastSeen
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.password_rules import PasswordRules, rules_for
from voxgate.accounts.passwords import Hasher
from voxgate.accounts.session_values import Lifetime
from voxgate.accounts.sessions import Sessions
from voxgate.accounts.tiers import TierTable
from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.events import EventSink, log_event
from voxgate.gate.signing import KeyFolder
from voxgate.gate.stores import Store, open_store
from voxgate.gate.stores.watched import watch
from voxgate.gate.tokens import Signer
from voxgate.logs import clean_fields
from voxgate.settings import Settings
from voxgate.speaking import open_synthesizer
from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs import Sender, open_dispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.synthesis import Synthesizer
from voxgate.web.background import Background
from voxgate.web.estimates import Estimates
from voxgate.web.noted import Noted
from voxgate.web.pending import Pending
from voxgate.web.settlement import Settlement
from voxgate.working import job_threads, open_artifacts, open_sender


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one process.

    Attributes:
        settings: What they were opened with.
        clock: Source of time of them all.
        events: Takes security events.
        audit: The table that they are written down in.
        database: Accounts and jobs.
        store: The gate's shared facts.
        directory: Where the gate looks up what its store does not know.
        signer: Issues and verifies tokens.
        hasher: Hashes passwords, a bounded number at once.
        devices: Makes and reads the tokens of known devices.
        accounts: Who exists.
        sessions: Their sessions.
        api_keys: Their API keys.
        tiers: The tiers that were defined as data.
        noted: Writes down now and then what the gate has noted in passing.
        synthesizer: Voices; its processes start when they first speak.
        artifacts: Finished audio.
        jobs: The queue.
        background: The threads that run jobs.
        pending: What is held of budgets for requests whose answer is being made.
        settlement: Gives back what ended jobs have not spent.
        estimates: Guesses when jobs will be done.
    """

    settings: Settings
    clock: Clock
    events: EventSink
    audit: Audit
    database: Database
    store: Store
    directory: SqlDirectory
    signer: Signer
    hasher: Hasher
    devices: Devices
    accounts: Accounts
    sessions: Sessions
    api_keys: ApiKeys
    tiers: TierTable
    noted: Noted
    synthesizer: Synthesizer
    artifacts: Artifacts
    jobs: JobQueue
    background: Background
    pending: Pending
    settlement: Settlement
    estimates: Estimates

    def checks(self) -> Mapping[str, Callable[[], object]]:
        """Return for every dependency, by name, what raises when it does not answer."""
        return {
            "database": self.database.ping,
            "store": self.store.ping,
            "audio": self.check_storage,
        }

    def check_storage(self) -> None:
        """Return when audio can be stored; no job is accepted whose audio would find no room.

        Raises:
            ArtifactStorageError: The disk is full, the folder cannot be written, or the bucket does not answer.
        """
        self.artifacts.check()

    def close(self) -> None:
        """Stop jobs and processes, then close what is stored; closing again is no error."""
        self.background.stop()
        self.noted.close()
        self.settlement.close()
        self.pending.close()
        self.synthesizer.close()
        self.audit.close()
        self.store.close()
        self.database.close()


def open_services(
    settings: Settings,
    *,
    clock: Clock | None = None,
    events: EventSink = log_event,
    hasher: Hasher | None = None,
) -> Services:
    """Open every part; makes the data folder, its databases and its key when they are missing.

    Args:
        settings: Where things are and how much of them.
        clock: Source of time; the machine's own by default.
        events: Takes security events.
        hasher: Hashes passwords; by default one as the settings say.

    Raises:
        ConfigurationError: A setting cannot be used.
        DatabaseUnavailableError: The database cannot be opened or migrated.
        StoreUnavailableError: The gate's store cannot be opened.
    """
    with ExitStack() as unfinished:
        parts = _open(
            settings,
            unfinished,
            clock=clock or SystemClock(),
            events=events,
            hasher=hasher or Hasher(workers=settings.hash_workers, queue=settings.hash_queue),
        )
        unfinished.pop_all()
    return parts


def _open(settings: Settings, unfinished: ExitStack, *, clock: Clock, events: EventSink, hasher: Hasher) -> Services:
    """Open the parts; those that hold something are closed by the stack when a later one cannot be opened."""
    policies = settings.account_policies()
    database = _open_database(settings, unfinished)
    audit = Audit(database, clock=clock, clean=clean_fields, kept_s=settings.events_kept_s)
    events = audit.beside(events)
    # Watched, so that the gate learns at once what accounts end and change in this process.
    store = watch(open_store(settings.redis_url or settings.gate_database_path, clock=clock))
    unfinished.callback(store.close)
    signer, seen = _open_signer(settings, clock), LastSeen(database)
    synthesizer, artifacts = open_synthesizer(settings), open_artifacts(settings, clock)
    jobs = JobQueue(
        database.engine, now_ms=clock.now_ms, queue_max=settings.queue_max, is_open=IS_ACTIVE, on_event=events
    )
    accounts = Accounts(database, store, hasher=hasher, clock=clock, profile=_rules(settings), policies=policies)
    accounts.when_disabled(jobs.cancel_all)
    pending = Pending(settings.held_folder)
    return Services(
        settings=settings,
        clock=clock,
        events=events,
        audit=audit,
        database=database,
        store=store,
        directory=SqlDirectory(database),
        signer=signer,
        hasher=hasher,
        devices=Devices(partial(_device_key, signer, clock), clock=clock),
        accounts=accounts,
        sessions=Sessions(database, store, signer, clock=clock, lifetime=_lifetime(settings)),
        api_keys=ApiKeys(database, store, clock=clock, policies=policies),
        tiers=TierTable(database, store, clock=clock, policies=policies),
        noted=Noted(last_seen=seen.write, confirmed=seen.confirm),
        synthesizer=synthesizer,
        artifacts=artifacts,
        jobs=jobs,
        background=_open_background(settings, jobs, synthesizer, artifacts=artifacts, clock=clock),
        pending=pending,
        settlement=Settlement(store, jobs, pending),
        estimates=Estimates(jobs, clock=clock),
    )


def _open_database(settings: Settings, unfinished: ExitStack) -> Database:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url)
    unfinished.callback(database.close)
    database.migrate()
    return database


def _open_background(
    settings: Settings, jobs: JobQueue, synthesizer: Synthesizer, *, artifacts: Artifacts, clock: Clock
) -> Background:
    threads = job_threads(settings)
    openers: dict[str, Callable[[], Sender] | None] = {
        "local": partial(open_dispatcher, jobs, synthesizer, artifacts=artifacts, now_ms=clock.now_ms, threads=threads),
        "worker": None,
        "celery": partial(open_sender, settings),
    }
    return Background(openers[settings.jobs])


def _rules(settings: Settings) -> PasswordRules:
    return rules_for(settings.profile, blocklist=settings.password_blocklist)


def _lifetime(settings: Settings) -> Lifetime:
    return Lifetime(
        absolute_s=settings.jwt_refresh_token_expires_s,
        idle_s=settings.jwt_refresh_idle_expires_s,
        is_strict=settings.jwt_refresh_strict,
    )


def key_folder(settings: Settings, clock: Clock) -> KeyFolder:
    """Return where the signing keys of a service are, by its settings."""
    secret = settings.jwt_secret_key
    return KeyFolder(settings.data, clock=clock, secret=None if secret is None else secret.get_secret_value().encode())


def _open_signer(settings: Settings, clock: Clock) -> Signer:
    return Signer(
        KeyFolder(settings.data, clock=clock, secret=settings.signing_secret).open(settings.jwt_algorithm),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        access_expires_s=settings.jwt_access_token_expires_s,
        leeway_s=settings.jwt_leeway_s,
    )


def _device_key(signer: Signer, clock: Clock) -> bytes:
    signer.keys.look(clock.now_ms())  # a login shows no token, so nothing else has looked at the keys
    return signer.derive_key("device")
