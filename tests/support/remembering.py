"""What every new application and database of the tests would work out again to the same end is worked out once.

An application compiles each of its routes and each of its statements when it first needs them: once in a service's
life, but thousands of times in the tests, where it was most of their time. Nothing else of an application is shared.
"""

import copy

import pytest
from sqlalchemy import create_engine
from werkzeug.routing import Rule

_read = {}
_compiled = {}


class RememberedRule(Rule):
    """A route whose pattern and address builders are compiled once for all applications.

    They depend on what the route says, and on what the kinds of variables are that it may name.
    """

    def compile(self):
        """Read the route, or take what one that says the same was read as; the converters of variables are its own."""
        at = self.host if self.map.host_matching else self.subdomain
        said = (self.rule, at, self.merge_slashes, repr(self.defaults), *self.map.converters.items())
        if said not in _read:
            super().compile()
            builders = (self._build.__func__, self._build_unknown.__func__)
            _read[said] = (self._parts, self._trace, self._converters, frozenset(self.arguments), builders)
        self._parts, self._trace, converters, arguments, builders = _read[said]
        self._converters = {name: copy.copy(converter) for name, converter in converters.items()}
        for converter in self._converters.values():
            converter.map = self.map
        self.arguments = set(arguments)
        self._build, self._build_unknown = (build.__get__(self, None) for build in builders)


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
        # What a session writes is not in the engine's cache but in its mapper's, by engine too.
        patch.setattr("sqlalchemy.orm.Mapper._compiled_cache", Statements())
        yield
