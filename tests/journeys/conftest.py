"""What the journeys stand on: the application with a given clock, and the real command as processes."""

from tests.support.served import serve, serve_one, served  # noqa: F401 -- fixtures are found by their names
from tests.support.service import (  # noqa: F401 -- the same
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
)
