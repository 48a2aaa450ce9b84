"""One target in one scenario: served, prepared, and measured round by round."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.load import Answers, Load, drive
from benchmarks.redis_server import RedisServer
from benchmarks.scenarios import ONE_LIMIT, SCENARIOS, Scenario, in_turn, users
from benchmarks.servers import Server, serve
from benchmarks.targets import TARGETS, Target
from benchmarks.targets.base import Desk, Place
from voxgate.gate.errors import VoxgateError

# More than one worker answers in a second; a round that has used all its fresh tokens ends early.
FRESH_PER_SECOND = 6000
WARM_UP_REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round of one target has cost.

    Attributes:
        requests: Answered requests.
        cpu_us: CPU time of the server per request, user and system, in microseconds.
        rps: Requests per second.
        p50_ms: Median time to an answer, in milliseconds.
        p99_ms: The time that one answer in a hundred exceeded, in milliseconds.
        trips: Questions to the store per request.
    """

    requests: int
    cpu_us: float
    rps: float
    p50_ms: float
    p99_ms: float
    trips: float


class WrongStatusError(Exception):
    """A target has answered something else than the scenario's status."""


class Contestant:
    """A target that is served for one scenario.

    Args:
        target: The target.
        scenario: The scenario.
        redis: The run's Redis, or None.
    """

    def __init__(self, target: Target, scenario: Scenario, redis: RedisServer | None) -> None:
        self.name = scenario.name, target.name
        """Names of the scenario and of the target."""
        self._target = target
        self._scenario = scenario
        self._redis = redis if target.needs_redis else None
        self._open = contextlib.ExitStack()
        self._subjects = users()[: scenario.clients]
        self._tokens: list[str] = []

    def __enter__(self) -> Self:
        """Make a place, accounts and tokens, start the server, and warm it up."""
        with contextlib.ExitStack() as opened:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-bench-")))
            url = _database(self._redis, self._target, self._scenario)
            place = _make_place(folder, limits=self._scenario.limits, redis_url=url)
            self._desk: Desk = self._target.open_desk(place)
            self._desk.add_accounts(users())
            self._server: Server = opened.enter_context(serve(self._target, place))
            self._prepare()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove the place."""
        self._open.close()

    def measure(self, seconds: float) -> Sample:
        """Run one round.

        Raises:
            WrongStatusError: An answer was not the scenario's.
        """
        if self._scenario.is_fresh:
            tokens = self._new_tokens(int(FRESH_PER_SECOND * seconds))
            load = Load(self._server.port, tokens, seconds)
        else:
            load = Load(self._server.port, self._tokens, seconds, repeats=True)
        trips, cpu_ns = self._trips(), self._server.cpu_ns()
        answers = self._drive(load, self._scenario.status)
        cpu_ns, trips = self._server.cpu_ns() - cpu_ns, self._trips() - trips
        return Sample(
            requests=answers.requests,
            cpu_us=cpu_ns / 1000 / answers.requests,
            rps=answers.requests / answers.seconds,
            p50_ms=answers.p50_ms,
            p99_ms=answers.p99_ms,
            trips=max(0, trips - bool(self._redis)) / answers.requests,  # Asking Redis for its count is a trip too.
        )

    def rss_mib(self) -> float:
        """Return the resident memory of the worker."""
        return self._server.rss_mib()

    def _prepare(self) -> None:
        if not self._scenario.is_fresh:
            self._tokens = self._new_tokens(len(self._subjects))
        if self._scenario.spent:
            self._drive(Load(self._server.port, self._tokens * self._scenario.spent), 200)
        tokens = self._tokens or self._new_tokens(WARM_UP_REQUESTS)
        self._drive(Load(self._server.port, list(in_turn(tokens, WARM_UP_REQUESTS))), self._scenario.status)

    def _new_tokens(self, count: int) -> list[str]:
        return self._scenario.change(self._desk, self._desk.issue(in_turn(self._subjects, count)))

    def _drive(self, load: Load, status: int) -> Answers:
        answers = drive(load)
        if set(answers.statuses) != {str(status)}:
            scenario, target = self.name
            raise WrongStatusError(f"{target}, {scenario}: {answers.statuses} instead of {status}")
        return answers

    def _trips(self) -> int:
        if self._redis:
            return self._redis.trips()
        return int(self._server.get("/trips")[1].strip(b"[]\n ")) if self._target.counts_trips else 0


def find_obstacle(target: Target, redis: RedisServer | None) -> str | None:
    """Return why a target cannot run here, or None when it can."""
    if target.needs_redis and redis is None:
        return "no redis-server found; put it on PATH or name it in $REDIS_SERVER"
    with tempfile.TemporaryDirectory(prefix="voxgate-bench-") as folder:
        try:
            url = _database(redis, target, SCENARIOS["allowed"]) if target.needs_redis else ""
            target.open_desk(_make_place(Path(folder), limits=ONE_LIMIT, redis_url=url)).add_accounts(users()[:1])
        except (ImportError, VoxgateError) as error:
            return str(error)
    return None


@contextlib.contextmanager
def gather(
    targets: Sequence[Target], scenarios: Sequence[Scenario], redis: RedisServer | None
) -> Iterator[list[Contestant]]:
    """Start every target that fits for each scenario, so that rounds can be interleaved; idle servers cost nothing."""
    with contextlib.ExitStack() as opened:
        yield [
            opened.enter_context(Contestant(target, scenario, redis))
            for target in targets
            for scenario in scenarios
            if scenario.is_allowed or target.is_guard
        ]


def _database(redis: RedisServer | None, target: Target, scenario: Scenario) -> str:
    """Return the address of a database for this target in this scenario: two of them may name their keys alike."""
    number = list(SCENARIOS).index(scenario.name) * len(TARGETS) + list(TARGETS).index(target.name)
    return redis.url(number) if redis else ""


def _make_place(folder: Path, *, limits: str, redis_url: str) -> Place:
    return Place(folder, limits, secret=secrets.token_hex(32), redis_url=redis_url)
