"""An account that wrong passwords have locked is opened again by the operator."""

from voxgate.accounts.names import name_digest
from voxgate.cli.frame import opened
from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import parse_limits


def test_reset_forgets_the_wrong_passwords_of_an_account(run, data, ann):
    """Those at its name and those at its address; nobody else's."""
    (limit,) = parse_limits("1 per day", name="login-account")
    names = ("ann", "ann@example.org", "bob")
    charges = [Charge(limit, f"login:{name_digest(name)}") for name in names]
    with opened(str(data)) as services:
        services.store.decide(Query(charges={"": tuple(charges)}))
    assert run("limits", "reset", "ann").stdout == "2 counters of ann forgotten\n"
    with opened(str(data)) as services:
        assert [each.used for each in services.store.usage(charges)] == [0, 0, 1]
