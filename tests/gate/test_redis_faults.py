"""Every trouble that a server makes is one kind of error in time, revives nothing, and ends without a restart."""

import contextlib
import itertools
import subprocess
import sys
import time

import pytest
from tests.support.proxies import proxied, unchanged
from tests.support.queries import TEN, TWO, by_key, by_nobody, by_session, code
from tests.support.servers import free_port, running
from tests.support.waiting import eventually

from voxgate.gate.decision import AccountState, Charge, SessionState, Unknown
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores import redis_links
from voxgate.gate.stores.redis_urls import open_redis

pytestmark = pytest.mark.redis
HOUR_MS = 3_600_000
# A budget that a busy machine keeps, and one that a test can wait for; neither is measured but to show that it ends.
PATIENT_S, IMPATIENT_S, NO_HANG_S = 20, 0.2, 15


@pytest.fixture
def server():
    with running(port=free_port()) as server:
        yield server


@pytest.fixture
def proxy(server):
    with proxied(server) as proxy:
        yield proxy


@pytest.fixture
def open_at():
    """Open a store and close it after the test."""
    with contextlib.ExitStack() as stack:

        def open_one(url, *, budget_s=PATIENT_S):
            store = open_redis(url, budget_s=budget_s)
            stack.callback(store.close)
            return store

        yield open_one


@pytest.fixture
def store(server, open_at):
    return open_at(server.url)


def put_session(store, session_id="s1", *, is_ended=False):
    store.put_state(AccountState("u1"))
    store.put_state(SessionState(session_id, "u1", time.time_ns() // 1_000_000 + HOUR_MS, is_ended))


def ask(store, partition="ip:a", limit=TEN):
    return store.decide(by_nobody(Charge(limit, partition)))


def answers(store):
    try:
        store.ping()
    except StoreUnavailableError:
        return False
    return True


def is_refused_in_time(store):
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        ask(store)
    return time.monotonic() - began < NO_HANG_S


def used_at_last(store, charge):
    """Ask what a limit has used, again when a busy machine was slower than an impatient store."""

    def look():
        with contextlib.suppress(StoreUnavailableError):
            return store.usage([charge])

    (reading,) = eventually(look, "an answer in time")
    assert reading.limit == charge.limit
    return reading.used


class TestDead:
    def test_server_that_is_not_there_is_an_error_until_it_comes(self, tmp_path, server, open_at):
        """The store opens without it and needs no restart."""
        server.kill()
        store = open_at(server.url)
        assert is_refused_in_time(store)
        server.start()
        assert ask(store).is_allowed

    def test_server_that_dies_between_two_decisions_is_an_error_until_it_is_back(self, server, store):
        """And knows nothing then: nothing is taken as valid."""
        put_session(store)
        assert store.decide(by_session()).is_allowed
        server.kill()
        assert is_refused_in_time(store)
        server.start()
        assert store.decide(by_session()) == Unknown("session", "s1")

    def test_connection_that_the_server_closed_is_found_before_it_is_used(self, server, store, monkeypatch):
        """An idle connection costs no request."""
        ask(store)
        server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        monkeypatch.setattr(redis_links, "_IDLE_S", -1)
        assert ask(store).readings[0].used == 2

    def test_connection_that_was_closed_in_use_costs_one_request(self, server, store, monkeypatch):
        """Which is not sent again, because it may have been counted."""
        monkeypatch.setattr(redis_links, "_IDLE_S", HOUR_MS)
        ask(store)
        server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert is_refused_in_time(store)
        assert ask(store).readings[0].used == 2


class TestHungAndSlow:
    def test_server_that_hangs_is_left_after_the_budget(self, server, open_at):
        """New connections as well; and what it answers late is read by nobody."""
        store = open_at(server.url, budget_s=IMPATIENT_S)
        eventually(lambda: answers(store), "a first answer")
        server.pause()
        assert all(is_refused_in_time(store) for _ in range(3))
        server.resume()
        eventually(lambda: answers(store), "an answer after the pause")
        patient = open_at(server.url)
        assert ask(patient, "ip:other").readings[0].used == 1
        assert used_at_last(store, Charge(TWO, "ip:never")) == 0

    def test_late_answer_is_never_read_for_another_question(self, proxy, open_at):
        """The connection that waited for it is not used again."""
        store = open_at(proxy.url, budget_s=IMPATIENT_S)
        eventually(lambda: answers(store), "a first answer")
        proxy.hold()
        assert is_refused_in_time(store)
        proxy.let_go()
        eventually(lambda: answers(store), "an answer after the delay")
        assert used_at_last(store, Charge(TWO, "ip:b")) == 0

    def test_reason_is_the_time_that_was_over(self, proxy, open_at):
        """And not a word of the system that says nothing to an operator."""
        store = open_at(proxy.url, budget_s=IMPATIENT_S)
        eventually(lambda: answers(store), "a first answer")
        proxy.hold()
        with pytest.raises(StoreUnavailableError, match=r"^no answer within the budget$"):
            ask(store)
        proxy.let_go()

    def test_interrupted_question_leaves_no_answer_behind(self, store, monkeypatch):
        """Whatever breaks in between question and answer, such as Ctrl-C."""
        ask(store)
        connection = store._link._mine.connection

        def interrupt():
            raise KeyboardInterrupt

        monkeypatch.setattr(connection, "read_response", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(store)
        assert ask(store, "ip:b").readings[0].used == 1


class TestLostAnswers:
    def test_lost_answer_is_counted_once_at_most(self, proxy, open_at):
        """Accepted and lost together never exceed the limit, and nothing is counted twice."""
        store, turns = open_at(proxy.url), itertools.count()
        ask(store, "ip:warm")
        proxy.change = lambda answer: None if next(turns) % 2 else answer
        accepted = lost = 0
        for _ in range(30):
            try:
                accepted += ask(store).is_allowed
            except StoreUnavailableError:
                lost += 1
        proxy.change = unchanged
        used = store.usage([Charge(TEN, "ip:a")])[0].used
        assert lost >= 10
        assert 0 < accepted <= used <= 10
        assert used - accepted <= lost


class TestGarbage:
    @pytest.mark.parametrize(
        "garbage",
        [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x00\xff\xfe",
            b"+OK\r\n",
            b"+PONG\r\n",
            b":1\r\n",
            b":x\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"*1\r\n$0\r\n\r\n",
            b"*1\r\n-ERR inside\r\n",
            b"*2\r\n$4\r\nGOOD\r\n$3\r\nkey\r\n",
            b"*3\r\n:1\r\n:2\r\n:3\r\n",
            b"*4\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n:1\r\n",
            b"*7\r\n$0\r\n\r\n$1\r\n\xff\r\n$0\r\n\r\n:1\r\n:1\r\n:1\r\n:0\r\n",
            b"*7\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n:1\r\n$1\r\nx\r\n:1\r\n:0\r\n",
            b"*7\r\n$12\r\nRATE_LIMITED\r\n$0\r\n\r\n$0\r\n\r\n:1\r\n:1\r\n:1\r\n:0\r\n",
        ],
    )
    def test_answer_that_is_none_is_an_error(self, proxy, open_at, garbage):
        """Never a decision, never another exception; the next question is asked on a new connection."""
        store = open_at(proxy.url)
        assert ask(store).is_allowed
        proxy.change = lambda _: garbage
        with pytest.raises(StoreUnavailableError):
            ask(store)
        proxy.change = unchanged
        assert ask(store, "ip:b").is_allowed

    @pytest.mark.parametrize("garbage", [b"+OK\r\n", b":1\r\n", b"$3\r\n?u1\r\n", b"*0\r\n"])
    def test_pointer_that_is_none_is_an_error(self, proxy, open_at, garbage):
        """Whose a key is cannot be guessed."""
        store = open_at(proxy.url)
        assert store.decide(by_key()) == Unknown("key", "k1")
        proxy.change = lambda _: garbage
        with pytest.raises(StoreUnavailableError):
            store.decide(by_key())

    @pytest.mark.parametrize("garbage", [b"+OK\r\n", b":1\r\n", b"*1\r\n:1\r\n"])
    def test_names_of_counters_that_are_none_are_an_error(self, proxy, open_at, garbage):
        """Nothing is forgotten by guess."""
        store = open_at(proxy.url)
        assert store.reset("ip:a") == 0
        proxy.change = lambda _: garbage
        with pytest.raises(StoreUnavailableError):
            store.reset("ip:a")

    @pytest.mark.parametrize(
        "error",
        [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOAUTH Authentication required.",
            "BUSY Redis is busy running a script.",
            "MASTERDOWN Link with MASTER is down",
            "NOSCRIPT No matching script.",
            "MOVED 1 127.0.0.1:1",
            "CLUSTERDOWN The cluster is down",
            "UNHEARD Of",
        ],
    )
    def test_refusal_of_the_server_is_an_error(self, proxy, open_at, error):
        """Of every kind, also of kinds that nobody knows yet."""
        store = open_at(proxy.url)
        ask(store)
        proxy.change = lambda _: f"-{error}\r\n".encode()
        assert is_refused_in_time(store)
        with pytest.raises(StoreUnavailableError):
            store.reset("ip:a")
        proxy.change = unchanged
        assert ask(store, "ip:b").is_allowed


class TestState:
    def test_emptied_server_revives_nothing(self, server, store):
        """What was ended is unknown at once, and ended again as soon as the directory has said so."""
        put_session(store)
        for _ in range(2):
            store.decide(by_session(Charge(TWO)))
        store.end_session("s1", expires_at_ms=0)
        server.call("FLUSHALL")
        assert store.decide(by_session(Charge(TWO))) == Unknown("session", "s1")
        put_session(store, is_ended=True)
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"
        put_session(store)
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"

    @pytest.mark.parametrize("lost", ["session:s1", "{u1}:session:s1", "{u1}:account"])
    def test_half_lost_session_is_unknown(self, server, store, lost):
        """Whichever of its keys an eviction takes, and a session that is ended then is ended."""
        put_session(store)
        server.call("DEL", f"vg:{lost}")
        assert isinstance(store.decide(by_session()), Unknown)
        store.end_session("s1", expires_at_ms=0)
        put_session(store)
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"

    def test_evicting_server_revives_nothing(self, server, store):
        """Of two hundred ended sessions none is ever alive again, though most of their keys are gone."""
        names = [f"ended-{number}" for number in range(200)]
        for name in names:
            put_session(store, name)
            store.end_session(name, expires_at_ms=0)
        server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        server.call("CONFIG", "SET", "maxmemory", server.call("INFO", "memory")["used_memory"] + 300_000)
        with contextlib.closing(server.client()) as others:
            flood = others.pipeline(transaction=False)
            for number in range(5000):
                flood.set(f"other:{number}", "x" * 100)
            flood.execute()
        assert server.call("INFO", "stats")["evicted_keys"] > 500
        seen = [store.decide(by_session(session=name)) for name in names]
        assert any(isinstance(answer, Unknown) for answer in seen)
        assert all(isinstance(answer, Unknown) or code(answer) == "TOKEN_REVOKED" for answer in seen)

    def test_forgotten_script_is_sent_again_and_counted_once(self, server, store):
        """Nobody notices that the server was restarted or told to forget."""
        ask(store)
        server.call("SCRIPT", "FLUSH")
        assert ask(store).readings[0].used == 2
        assert ask(store).readings[0].used == 3

    def test_full_server_is_an_error_until_there_is_room(self, server, store):
        """With the right policy, noeviction, nothing is lost meanwhile."""
        put_session(store)
        store.end_session("s1", expires_at_ms=0)
        server.call("CONFIG", "SET", "maxmemory", "1")
        assert is_refused_in_time(store)
        assert not answers(store)
        server.call("CONFIG", "SET", "maxmemory", "0")
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"

    def test_replica_decides_nothing(self, server, store):
        """Not even a refusal, which it could give from what it holds: that may be old."""
        put_session(store)
        server.call("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnavailableError):
            store.decide(by_session())
        with pytest.raises(StoreUnavailableError):
            store.usage([Charge(TEN, "ip:a")])
        assert not answers(store)
        server.call("REPLICAOF", "NO", "ONE")
        assert store.decide(by_session()).is_allowed

    def test_password_is_shown_and_without_it_nothing_is_decided(self, server, open_at):
        """A password that was changed is trouble of the store."""
        server.call("CONFIG", "SET", "requirepass", "open sesame")
        assert is_refused_in_time(open_at(server.url))
        assert is_refused_in_time(open_at(f"redis://:wrong@127.0.0.1:{server.port}"))
        assert ask(open_at(f"redis://:open%20sesame@127.0.0.1:{server.port}/3")).is_allowed

    def test_address_that_is_no_text_is_counted_as_well(self, store):
        """Half a character in a name breaks no decision."""
        assert [ask(store, "login:\ud800").readings[0].used for _ in range(2)] == [1, 2]

    def test_what_is_remembered_is_bounded(self, store, monkeypatch):
        """Whose sessions are, how keys begin, what routes mean: all are learned again at need."""
        for name in ("redis._MAX_REMEMBERED", "redis_plans._MAX_KEPT", "redis_commands._MAX_KEPT"):
            monkeypatch.setattr(f"voxgate.gate.stores.{name}", 2)
        for number in range(5):
            put_session(store, f"s{number}")
            assert store.decide(by_session(Charge(TEN), session=f"s{number}")).readings[0].used == number + 1
            store.put_state(AccountState(f"other-{number}"))
        assert max(map(len, (store._subjects, store._commands.kept, store._plans._kept))) <= 2

    def test_names_of_counters_are_noted_again_after_a_loss(self, server, store, monkeypatch):
        """A reset finds them within a minute; a decision without limits notes nothing, and loses nothing by it."""
        ask(store)
        server.call("DEL", "vg:counters")
        assert store.reset("ip:a") == 0
        monkeypatch.setattr(store, "_note_again_at_s", 0.0)
        assert store.decide(by_nobody()).is_allowed
        ask(store)
        assert store.reset("ip:a") == 1

    def test_connection_can_be_let_go_twice(self, store):
        """By whoever misreads its answer and by whoever loses it."""
        ask(store)
        for _ in range(2):
            store._link.drop()
        assert ask(store).readings[0].used == 2
        # What other machines change is not seen without a call.
        assert store.version is None

    def test_names_that_cannot_be_noted_cost_no_decision(self, server, store):
        """In a cluster they are on another node, which may be down."""
        server.call("SET", "vg:counters", "not a set")
        assert ask(store).is_allowed

    def test_foreign_key_in_the_way_is_an_error(self, server, store):
        """Two programs with one prefix do not make a 500."""
        server.call("SET", "vg:{ip:a}:of:ten:60", "mine")
        assert is_refused_in_time(store)


FORK = """
import os, sys
from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import Limit
from voxgate.gate.stores.redis_urls import open_redis

store = open_redis(sys.argv[1], budget_s=20)
query = Query(charges={"": (Charge(Limit("ten", 10, 60), "ip:a"),)})
used = [store.decide(query).readings[0].used]
child = os.fork()
if child == 0:
    os._exit([store.decide(query).readings[0].used for _ in range(3)] != [2, 3, 4])
assert os.waitpid(child, 0)[1] == 0
assert store.decide(query).readings[0].used == 5
store.close()
"""


def test_forked_process_has_a_connection_of_its_own(server):
    """Parent and child never read each other's answers."""
    subprocess.run([sys.executable, "-c", FORK, server.url], check=True, timeout=200)
