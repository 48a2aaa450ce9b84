"""Security events as a table: written down soon, asked for by name, person and time, and no burden to anybody."""

import threading

import pytest
from sqlalchemy import func, select
from tests.support.waiting import eventually

from voxgate.accounts.audit import Audit, EventFilter
from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.accounts.models import SecurityEvent
from voxgate.gate import events
from voxgate.gate.events import Quiet


@pytest.fixture
def make(database, clock):
    """Open the table with other bounds; what is opened is closed."""
    opened = []

    def call(**bounds):
        opened.append(Audit(database, clock=clock, **bounds))
        return opened[-1]

    yield call
    for each in opened:
        each.close()


@pytest.fixture
def audit(make):
    return make()


@pytest.fixture
def is_away(database, monkeypatch):
    """Takes the database away, and gives it back."""
    real = database.session

    def switch(away):
        def refuse():
            raise DatabaseUnavailableError("disk full")

        monkeypatch.setattr(database, "session", refuse if away else real)

    return switch


def named(records):
    return [each.name for each in records]


def count_rows(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(SecurityEvent))


class TestWriting:
    def test_an_event_is_written_down_with_its_fields_and_time(self, audit, clock):
        """Who, where, when and how, as they were told."""
        fields = {"user_id": "u1", "ip_address": "192.0.2.7", "success": True, "code": None}
        audit.note(events.LOGIN, fields)
        audit.flush()
        (record,) = audit.read(EventFilter())
        assert (record.name, record.fields, record.at_ms) == ("login", fields, clock.now_ms())

    def test_it_happens_by_itself(self, audit):
        """A thread of its own writes within a second."""
        audit.note(events.LOGIN, {})
        assert eventually(lambda: audit.read(EventFilter()), "the row")

    def test_nobody_waits_for_the_database(self, audit, is_away, capsys):
        """An event is taken at once while it is away, and written down when it is back."""
        is_away(True)
        audit.note(events.LOGIN, {})
        audit.flush()
        assert audit.read(EventFilter()) == ()
        is_away(False)
        audit.flush()
        assert named(audit.read(EventFilter())) == ["login"]
        assert capsys.readouterr().err == ""

    def test_what_finds_no_room_is_lost_and_told_once(self, make, is_away, capsys):
        """A full disk stops nobody and fills no memory; afterwards everything is as before."""
        audit = make(max_waiting=3)
        is_away(True)
        for _ in range(10):
            audit.note(events.LOGIN, {})
        audit.flush()
        assert capsys.readouterr().err.count("are being lost") == 1
        is_away(False)
        audit.flush()
        assert len(audit.read(EventFilter())) == 3
        is_away(True)
        for _ in range(4):
            audit.note(events.LOGIN, {})
        assert capsys.readouterr().err.count("are being lost") == 1
        is_away(False)

    def test_a_full_memory_is_told_when_the_database_fails(self, make, is_away, capsys):
        """Before the first event is lost."""
        audit = make(max_waiting=2)
        is_away(True)
        for _ in range(2):
            audit.note(events.LOGIN, {})
        audit.flush()
        assert "disk full" in capsys.readouterr().err
        is_away(False)

    def test_closing_writes_what_waits(self, make, database):
        """Also of many threads, and each once."""
        audit = make()
        threads = [
            threading.Thread(target=lambda: [audit.note(events.LOGIN, {}) for _ in range(200)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        audit.close()
        audit.close()
        assert count_rows(database) == 800

    def test_fields_are_cleaned_and_bounded(self, make):
        """The same as in the file; an event that is still too long is cut."""
        audit = make(clean=lambda fields: dict.fromkeys(fields, "x") | {"long": "y" * 20_000})
        audit.note(events.LOGIN, {"password": "secret"})
        audit.flush()
        (record,) = audit.read(EventFilter())
        assert "secret" not in str(record.fields)
        assert len(str(record.fields)) < 9_000

    @pytest.mark.parametrize("value", ["\ud800", "\x00", "\n" * 10, "\u202e"], ids=range(4))
    def test_any_text_can_be_kept(self, audit, value):
        """Half a character and zeros too, on every database."""
        audit.note(events.LOGIN, {"username": f"a{value}", "endpoint": value})
        audit.flush()
        assert audit.read(EventFilter())[0].fields["endpoint"] == value

    def test_old_rows_are_removed(self, make, clock, database):
        """After their time, in small steps beside the writing."""
        audit = make(kept_s=3600)
        for _ in range(700):
            audit.note(events.LOGIN, {})
        audit.flush()
        clock.at_ms += 3_600_001
        for _ in range(2):
            audit.note(events.USER_CREATED, {})
            audit.flush()
        assert count_rows(database) == 2

    def test_a_sweep_that_fails_harms_nothing(self, audit, database, monkeypatch):
        """It comes again."""
        real, calls = database.session, []

        def session():
            calls.append(1)
            if len(calls) == 2:
                raise DatabaseUnavailableError("locked")
            return real()

        monkeypatch.setattr(database, "session", session)
        audit.note(events.LOGIN, {})
        audit.flush()
        assert count_rows(database) == 1

    def test_a_sink_beside_it_hears_every_event_too(self, audit):
        """The file and the table tell the same."""
        heard = []
        audit.beside(lambda name, fields: heard.append((name, fields)))(events.LOGIN, {"user_id": "u1"})
        audit.flush()
        assert heard == [("login", {"user_id": "u1"})]
        assert named(audit.read(EventFilter())) == ["login"]

    def test_counts_of_what_happens_again_are_told(self, make, clock, database):
        """When their time is over, and all of them at the end."""
        audit = make()
        quiet = Quiet(audit.note)
        audit.watch(quiet)
        for key in ("a", "b"):
            for _ in range(3):
                quiet.tell(events.AUTHZ_FAIL, {}, key=key, now_ms=clock.now_ms(), for_ms=1000 if key == "a" else 9000)
        clock.at_ms += 1000
        eventually(lambda: count_rows(database) == 3, "the count")
        audit.close()
        assert count_rows(database) == 4


class TestReading:
    @pytest.fixture(autouse=True)
    def _told(self, audit, clock):
        for number, fields in enumerate([{"user_id": "u1"}, {"username": "Ann"}, {"user_id": "u2"}, {}]):
            audit.note(events.LOGIN if number < 3 else events.STORE_UNAVAILABLE, {**fields, "number": number})
            clock.at_ms += 1000
        audit.flush()

    @pytest.mark.parametrize(
        ("wanted", "numbers"),
        [
            (EventFilter(), [0, 1, 2, 3]),
            (EventFilter(name="login"), [0, 1, 2]),
            (EventFilter(who=("u1", "ANN")), [0, 1]),
            (EventFilter(who=("nobody",)), []),
            (EventFilter(since_ms=1_800_000_002_000), [2, 3]),
            (EventFilter(name="login", who=("u2",), since_ms=1_800_000_002_000), [2]),
        ],
    )
    def test_by_name_person_and_time(self, audit, wanted, numbers):
        """Oldest first; names of people in any case."""
        assert [each.fields["number"] for each in audit.read_all(wanted)] == numbers

    def test_the_newest_and_those_after_one(self, audit):
        """To follow what comes."""
        last = audit.read_last(EventFilter(), limit=2)
        assert [each.fields["number"] for each in last] == [2, 3]
        assert [each.fields["number"] for each in audit.read(EventFilter(), after_id=last[0].event_id)] == [3]
