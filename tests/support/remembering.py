"""What every new application and database of the tests would work out again to the same end is worked out once.

An application compiles each of its routes and each of its statements when it first needs them: once in a service's
life, but a thousand times in the tests, where it was half of their time. Nothing else of an application is shared.
"""

import pytest
from sqlalchemy import create_engine
from werkzeug.routing import Rule

_builders = {}
_compiled = {}


class RememberedRule(Rule):
    """A route whose address builder is compiled once for all applications; it depends on what the route says alone."""

    def _compile_builder(self, append_unknown=True):
        if self.defaults or self._converters.keys() - self.arguments:
            return super()._compile_builder(append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in _builders:
            _builders[key] = super()._compile_builder(append_unknown)
        return _builders[key]


class Statements:
    """SQLAlchemy's cache of compiled statements, shared by all engines of one driver; each has one without it."""

    def get(self, key, default=None):
        """Return what was compiled for a dialect, or the default."""
        dialect, *rest = key
        return _compiled.get((dialect.driver, *rest), default)

    def __setitem__(self, key, compiled):
        dialect, *rest = key
        _compiled[dialect.driver, *rest] = compiled


def create_remembering_engine(*arguments, **options):
    """Create an engine as SQLAlchemy does, that takes compiled statements from all others."""
    return create_engine(*arguments, **options, execution_options={"compiled_cache": Statements()})


@pytest.fixture(autouse=True, scope="session")
def _remember():
    """Let every application of the tests remember its routes and statements."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flask.Flask.url_rule_class", RememberedRule)
        for module in ("database", "postgres"):
            patch.setattr(f"voxgate.accounts.{module}.create_engine", create_remembering_engine)
        yield
