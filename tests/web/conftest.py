"""What every test of the service over HTTP stands on."""

from tests.support.service import (  # noqa: F401 -- fixtures are found by their names
    ann,
    app,
    auth_headers,
    bob_headers,
    client,
    clock,
    engines,
    events,
    hasher,
    join,
    make_app,
    run_jobs,
    services,
    speak,
)
