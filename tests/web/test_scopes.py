"""The vocabulary of scopes against the routes that ask for them."""

from voxgate.accounts.scopes import SCOPES


def test_every_scope_opens_something_and_every_route_asks_for_a_known_one(app):
    """A key can be held to exactly what routes ask for."""
    rules = [getattr(view, "__voxgate_rule__", None) for view in app.view_functions.values()]
    assert {scope for rule in rules if rule for scope in rule.scopes} == set(SCOPES)
