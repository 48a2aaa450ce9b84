"""The application: every part wired once, every blueprint in its place."""

import atexit

from flask import Flask

from voxgate.gate.admission import BAD_CREDENTIALS
from voxgate.gate.clock import Clock
from voxgate.gate.flask import GateConfig, Parts
from voxgate.gate.flask.config import DEFAULT_BAD_CREDENTIALS
from voxgate.gate.flask.cookies import Cookies
from voxgate.gate.verifying import RefreshTerms
from voxgate.settings import Settings, load_settings
from voxgate.web import (
    admin,
    api_keys,
    auth,
    captions,
    decide,
    docs,
    health,
    limits,
    oauth,
    openai_speech,
    own_events,
    own_sessions,
    root,
    tts,
    voices,
)
from voxgate.web.answers import use_json
from voxgate.web.current import EXTENSION
from voxgate.web.decide import Rest, add_edge
from voxgate.web.door import gate
from voxgate.web.in_cookies import REFRESH_PATH
from voxgate.web.problems import add_error_handlers, body_for_path
from voxgate.web.services import Services, open_services
from voxgate.web.speech_streams import limit_streams
from voxgate.web.waiting import limit_waiters

_TIERS = ("standard", "premium")


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, services: Services | None = None
) -> Flask:
    """Make the application; its jobs and engine processes start when first needed.

    Args:
        settings: How it is set; by default what the environment says.
        clock: Source of time; the machine's own by default.
        services: Parts that are open already; the caller closes them.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    if services is None:
        services = open_services(settings or load_settings(), clock=clock)
        atexit.register(services.close)
    app = Flask("voxgate", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.extensions[EXTENSION] = services
    # One spelling of a path is one route: no redirects, which Flask would answer in HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["rest"] = Rest
    use_json(app)
    add_error_handlers(app)
    _add_routes(app, services.settings)
    gate.init_app(app, _wire_gate(services))
    gate.check_rules(app)
    with app.app_context():
        services.noted.add(last_seen=gate.admission.take_seen, confirmed=gate.admission.verifier.take_confirmed)
    services.audit.watch(app.extensions["voxgate"].admission.reports.quiet)
    add_edge(app, services.settings.edge_rules, clock=services.clock)
    return app


def create_served_app() -> Flask:
    """Make the application of a server process, which runs waiting jobs from the start."""
    app = create_app()
    services: Services = app.extensions[EXTENSION]
    services.background.start()
    services.noted.start()
    services.settlement.start()
    return app


def _add_routes(app: Flask, settings: Settings) -> None:
    for module in (
        auth,
        api_keys,
        own_sessions,
        own_events,
        admin,
        tts,
        voices,
        captions,
        limits,
        health,
        decide,
        oauth,
    ):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(openai_speech.blueprint)
    limit_streams(app, settings.streams_max)
    limit_waiters(app, settings.waiters_max)
    if settings.root_routes:
        app.register_blueprint(root.blueprint)
    if settings.shows_docs:
        app.register_blueprint(docs.blueprint)


def _wire_gate(services: Services) -> Parts:
    policies = services.settings.policies()
    return Parts(
        config=GateConfig(
            tiers={tier: policies.pop(tier) for tier in _TIERS},
            default=policies.pop("default"),
            policies={BAD_CREDENTIALS: DEFAULT_BAD_CREDENTIALS, **policies},
            on_trouble=services.settings.modes(),
            processes=services.settings.workers,
            cors_origins=frozenset(services.settings.cors_origins),
            cookies=Cookies(
                is_on=services.settings.cookies,
                same_site=services.settings.cookies_same_site,
                refresh_path=REFRESH_PATH,
                session_expires_s=services.settings.jwt_refresh_token_expires_s,
            ),
            session_expires_s=services.settings.jwt_refresh_token_expires_s,
            refreshing=RefreshTerms(
                is_strict=services.settings.jwt_refresh_strict, idle_s=services.settings.jwt_refresh_idle_expires_s
            ),
            trusted_proxies=services.settings.trusted_proxies,
            forwarded_header=services.settings.forwarded_header,
            https_only=services.settings.is_https_only,
        ),
        store=services.store,
        signer=services.signer,
        directory=services.directory,
        clock=services.clock,
        emit=services.events,
        body_filter=body_for_path,
    )
