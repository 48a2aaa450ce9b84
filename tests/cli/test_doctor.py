"""What the doctor finds, and the command that it prescribes."""

import shutil
import socket
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from tests.support.buckets import CREDENTIALS, running_bucket
from tests.support.servers import free_port, running
from tests.support.voices import make_piper_voice

from voxgate.accounts.database import Database
from voxgate.cli import checks
from voxgate.cli.certificates import make_certificate
from voxgate.cli.checks import CHECKS, State, check_disk, check_https, check_port, check_profile, examine
from voxgate.settings import Settings
from voxgate.speech.errors import EngineError


@pytest.fixture
def found(data, monkeypatch):
    """Examine the data folder without speaking; returns the findings by name, the gravest of each."""
    set_free_port(monkeypatch)
    monkeypatch.delitem(CHECKS, "speech")
    rank = [State.OK, State.WARN, State.FAIL]

    def look():
        return {
            finding.name: finding for finding in sorted(examine(str(data)), key=lambda each: rank.index(each.state))
        }

    return look


def set_free_port(monkeypatch):
    monkeypatch.setenv("VOXGATE_PORT", str(free_port()))


class TestCommand:
    def test_a_healthy_house_is_all_ok_and_status_0(self, run, monkeypatch):
        """Every check runs, speech too."""
        set_free_port(monkeypatch)
        run("init")
        result = run("doctor")
        assert result.exit_code == 0, result.output
        assert len(result.stdout.splitlines()) >= len(CHECKS)
        assert all(line.startswith("ok    ") for line in result.stdout.splitlines())
        assert "voices" in result.stdout

    def test_a_failure_is_status_1_and_names_the_command_that_mends_it(self, run, monkeypatch):
        """A script can act on it."""
        monkeypatch.setenv("JWT_SECRET_KEY", "super-secret-key")
        result = run("doctor")
        assert result.exit_code == 1
        assert result.stdout.startswith("FAIL  settings: JWT_SECRET_KEY")
        assert "mend it: export JWT_SECRET_KEY=" in result.stdout

    def test_it_changes_nothing(self, found, data):
        """Not even the data folder is made."""
        found()
        assert not data.exists()


class TestFindings:
    def test_a_new_machine_is_told_how_to_begin(self, found):
        """No failure: nothing is broken yet."""
        findings = found()
        assert findings["data folder"].state is State.WARN
        assert findings["data folder"].mend.startswith("voxgate init")
        assert State.FAIL not in {finding.state for finding in findings.values()}

    def test_an_unknown_setting_fails_with_the_right_name(self, found, monkeypatch):
        """The rest cannot be judged then."""
        monkeypatch.setenv("VOXGATE_PROT", "1")
        (finding,) = found().values()
        assert finding.state is State.FAIL
        assert "VOXGATE_PORT" in finding.text

    def test_an_ignored_setting_is_a_warning(self, found, monkeypatch):
        """It does not do what its owner believes."""
        monkeypatch.setenv("RATELIMIT_LOGINS", "1 per day")
        assert found()["settings"].state is State.WARN

    @pytest.mark.parametrize(
        ("host", "profile", "state"),
        [
            ("127.0.0.1", "development", State.OK),
            ("192.0.2.7", "development", State.WARN),
            ("127.0.0.1", "production", State.OK),
            ("192.0.2.7", "production", State.WARN),
        ],
    )
    def test_a_house_that_others_reach_is_judged_by_its_profile(self, data, host, profile, state):
        """Plain HTTP and easy rules belong on loopback."""
        (finding,) = check_profile(Settings(data=data, host=host, profile=profile))
        assert finding.state is state
        assert bool(finding.mend) is (state is State.WARN)

    @pytest.mark.parametrize(
        ("settings", "state"),
        [
            ({}, State.OK),
            ({"tls": True}, State.OK),
            ({"profile": "production"}, State.FAIL),
            ({"profile": "production", "trusted_proxies": ("127.0.0.1",)}, State.OK),
            ({"profile": "production", "tls": True}, State.WARN),
            ({"tls_certificate": "missing.pem"}, State.FAIL),
        ],
    )
    def test_the_way_of_https_is_judged(self, data, settings, state):
        """Production has one; a development authority is for developers."""
        (finding,) = check_https(Settings(data=data, **settings))
        assert finding.state is state
        assert bool(finding.mend) is (state is not State.OK)

    @pytest.mark.parametrize(("days", "state"), [(300, State.OK), (390, State.WARN)])
    def test_a_certificate_near_its_end_is_a_warning(self, data, tmp_path, days, state):
        """In time to renew it."""
        now = datetime.now(UTC) - timedelta(days=days)
        pair = make_certificate(tmp_path / "own", ("voice.example",), now=now).certificate
        (finding,) = check_https(Settings(data=data, tls_certificate=pair, tls_key=pair))
        assert finding.state is state

    @pytest.mark.parametrize(("name", "mode"), [("", "700"), ("secret.key", "600"), ("voxgate.toml", "600")])
    def test_what_others_can_read_is_a_warning(self, run, found, data, name, mode):
        """With the command that closes it."""
        run("init")
        (data / name).chmod(0o755)
        finding = found()["privacy"]
        assert finding.state is State.WARN
        assert finding.mend == f"chmod {mode} {data / name if name else data}"

    def test_a_folder_that_cannot_be_written_fails(self, found, data, monkeypatch):
        """With the command that gives it back."""
        data.mkdir(mode=0o700)
        monkeypatch.setattr(checks.os, "access", lambda *_: False)
        assert found()["data folder"].state is State.FAIL

    def test_a_damaged_key_file_fails(self, found, data):
        """It would sign nothing."""
        data.mkdir(mode=0o700)
        (data / "secret.key").write_text("short")
        assert found()["signing key"].state is State.FAIL

    def test_a_strong_key_of_the_environment_is_ok(self, found, monkeypatch):
        """Then no file is needed."""
        monkeypatch.setenv("JWT_SECRET_KEY", "kN3xTq81-Zr0vB7m_PfW5yHdUoLc2SaEgJi9RtQ4wXb")
        assert "JWT_SECRET_KEY is set" in found()["signing key"].text

    def test_a_database_without_a_schema_is_a_warning(self, found, data):
        """The next start, or init, brings it."""
        data.mkdir(mode=0o700)
        sqlite3.connect(data / "voxgate.db").close()
        finding = found()["database"]
        assert (finding.state, finding.mend) == (State.WARN, "voxgate init")

    def test_a_database_of_a_newer_version_fails(self, found, data):
        """The start refuses it, and `init` could do nothing about it."""
        data.mkdir(mode=0o700)
        database = Database(f"sqlite:///{data / 'voxgate.db'}")
        database.migrate()
        with database.session() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        database.close()
        finding = found()["database"]
        assert (finding.state, "newer version" in finding.text) == (State.FAIL, True)
        assert "init" not in finding.mend

    def test_a_database_that_is_none_fails(self, found, data):
        """The system's own words."""
        data.mkdir(mode=0o700)
        (data / "voxgate.db").write_bytes(b"not a database at all" * 100)
        assert found()["database"].state is State.FAIL

    def test_a_store_that_is_none_fails(self, found, data):
        """The gate could decide nothing."""
        data.mkdir(mode=0o700)
        (data / "gate.db").write_bytes(b"not a database at all" * 100)
        finding = found()["gate store"]
        assert (finding.state, "remove it" in finding.mend) == (State.FAIL, True)

    def test_a_redis_that_does_not_answer_fails(self, found, monkeypatch):
        """It is to be started, and no file is to be removed."""
        monkeypatch.setenv("VOXGATE_REDIS_URL", "redis://127.0.0.1:1")
        finding = found()["gate store"]
        assert (finding.state, finding.mend) == (State.FAIL, "start the Redis, or correct VOXGATE_REDIS_URL")

    def test_a_store_that_answers_is_ok(self, run, found):
        """After the first request there is one."""
        run("init")
        run("limits", "reset", "192.0.2.7")
        assert found()["gate store"].text == "answers"

    @pytest.mark.redis
    def test_a_redis_that_evicts_is_warned_about(self, found, monkeypatch):
        """It would forget what was ended; one that keeps everything is right."""
        monkeypatch.setattr("voxgate.gate.stores.redis_health.MAX_LATENCY_MS", 60_000)  # a busy machine is no fault
        for policy, state in (("allkeys-lru", State.WARN), ("noeviction", State.OK)):
            with running("--maxmemory", "50mb", "--maxmemory-policy", policy) as server:
                monkeypatch.setenv("VOXGATE_REDIS_URL", server.url)
                finding = found()["gate store"]
            assert finding.state is state, finding
            assert ("noeviction" in finding.mend) is (state is State.WARN)

    @pytest.mark.parametrize(("free", "state"), [(10 << 20, State.FAIL), (500 << 20, State.WARN), (5 << 30, State.OK)])
    def test_little_space_is_told_before_it_is_none(self, data, monkeypatch, free, state):
        """Databases need some too."""
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        (finding,) = check_disk(Settings(data=data))
        assert finding.state is state

    def test_a_port_of_another_program_fails(self, data):
        """And the way around it is named."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            (finding,) = check_port(Settings(data=data, port=taken.getsockname()[1]))
        assert (finding.state, finding.mend) == (State.FAIL, "voxgate serve --port 0")

    def test_a_port_where_the_service_answers_is_ok(self, data, monkeypatch):
        """It may be running already."""
        monkeypatch.setattr(checks, "answers", lambda *_: True)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            (finding,) = check_port(Settings(data=data, port=taken.getsockname()[1]))
        assert finding.state is State.OK


class TestReach:
    def test_a_bucket_that_answers_is_ok_and_one_that_does_not_fails(self, found, monkeypatch):
        """With what is missing named; a folder needs no such look."""
        assert "audio" not in found()
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        with running_bucket() as bucket:
            monkeypatch.setenv("VOXGATE_AUDIO_STORE", bucket.url())
            assert found()["audio"].state is State.OK
        gone = found()["audio"]
        assert gone.state is State.FAIL
        assert gone.mend.startswith("export AWS_ACCESS_KEY_ID=")

    def test_a_broker_that_answers_is_ok_and_one_that_does_not_fails(self, found, monkeypatch):
        """Its address is not told, as it may hold a password."""
        assert "broker" not in found()
        monkeypatch.setenv("VOXGATE_JOBS", "celery")
        with running(port=free_port()) as server:
            monkeypatch.setenv("VOXGATE_BROKER_URL", f"{server.tcp_url}/1")
            assert found()["broker"].state is State.OK
        monkeypatch.setenv("VOXGATE_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/1")
        gone = found()["broker"]
        assert (gone.state, gone.mend) == (State.FAIL, "start the broker, or correct VOXGATE_BROKER_URL")
        assert "hunter2" not in gone.text

    @pytest.mark.parametrize(
        ("name", "module", "settings"),
        [
            ("audio", "voxgate.speech.storage.bucket", {"VOXGATE_AUDIO_STORE": "s3://audio"}),
            ("broker", "voxgate.speech.jobs.celery", {"VOXGATE_JOBS": "celery", "VOXGATE_BROKER_URL": "redis://h"}),
        ],
    )
    def test_an_extra_that_is_missing_fails_with_its_name(self, found, monkeypatch, name, module, settings):
        """The environment of the command is the one that is looked at."""
        monkeypatch.setitem(sys.modules, module, None)
        for setting, value in settings.items():
            monkeypatch.setenv(setting, value)
        assert found()[name].state is State.FAIL
        assert "pip install" in found()[name].text


class TestSpeech:
    """The engines that the service would open, each by itself."""

    @pytest.fixture
    def look(self, data):
        """Examine the engines with other settings; returns state, text and mend by name, failures over the rest."""

        def call(**settings):
            found = {}
            for finding in checks.check_speech(Settings(data=data, **settings)):
                if finding.name not in found or finding.state is not State.OK:
                    found[finding.name] = finding
            return found

        return call

    @pytest.mark.parametrize("where", ["open_engines", "synthesize"])
    def test_an_engine_that_does_not_speak_fails(self, look, monkeypatch, where):
        """With the command that brings it back."""
        target = {
            "open_engines": "voxgate.speaking.open_engines",
            "synthesize": "voxgate.speech.synthesis.Synthesizer.synthesize",
        }[where]

        def refuse(*_, **__):
            raise EngineError("engine_unavailable", "no library")

        monkeypatch.setattr(target, refuse)
        finding = next(iter(look().values()))
        assert finding.state is State.FAIL
        assert "pip install" in finding.mend

    def test_voices_of_the_settings_are_tried(self, look, data):
        """A model of the folder and a program speak; each engine has its state."""
        make_piper_voice(data / "voices", "tiny")
        script = "import sys, wave; w = wave.open('/dev/stdout', 'wb'); w.setparams((1, 2, 8000, 0, 'NONE', ''))"
        found = look(command_voices={"hum": {"argv": (sys.executable, "-c", f"{script}; w.writeframes(bytes(8000))")}})
        for name in ("speech, espeak", "speech, piper", "speech, command", "formats"):
            assert found[name].state is State.OK, found[name]

    def test_a_voice_that_is_broken_fails_by_its_name(self, look, data):
        """A model that is none and a program that is not there, beside an engine that speaks."""
        make_piper_voice(data / "voices", "tiny").write_bytes(b"no model")
        found = look(command_voices={"gone": {"argv": ("no-such-program",)}})
        assert found["speech, espeak"].state is State.OK
        assert found["speech, piper"].state is found["speech, command"].state is State.FAIL
        assert "voice tiny" in found["speech, piper"].text
        assert "there is no program no-such-program" in found["speech, command"].text
        assert "VOXGATE_COMMAND_VOICES" in found["speech, command"].mend

    def test_two_voices_of_one_name_fail(self, look):
        """The service would not start, and the setting to change is named."""
        (finding,) = look(command_voices={"Kore": {"argv": ("cat",)}}).values()
        assert (finding.state, "VOXGATE_COMMAND_VOICES" in finding.mend) == (State.FAIL, True)
        assert "a voice named Kore" in finding.text

    def test_an_engine_of_a_stranger_that_cannot_be_opened_fails_by_its_name(self, look, run, monkeypatch):
        """It stops the start with one line, and no trace of where it broke."""
        entry = EntryPoint("hum", "voxgate.no_such_module:open_engine", "voxgate.engines")
        monkeypatch.setattr("voxgate.speech.engines.registry.importlib.metadata.entry_points", lambda **_: [entry])
        (finding,) = look().values()
        mend = "repair or uninstall the package that brings the engine"
        assert (finding.state, finding.mend) == (State.FAIL, mend)
        assert "the engine hum is installed and cannot be opened: ModuleNotFoundError" in finding.text
        result = run("voices")
        assert result.exit_code != 0
        assert "the engine hum is installed" in result.stderr
        assert "Traceback" not in result.stderr

    def test_voices_that_are_not_listed_are_told(self, look, data, monkeypatch):
        """A model without its description, models without what speaks them, and a folder that is not there."""
        folder = data / "voices"
        make_piper_voice(folder, "tiny")
        (folder / "alone.onnx").write_bytes(b"x")
        assert "alone.onnx has no readable description" in look()["voices"].text
        (folder / "alone.onnx").unlink()
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        found = look()
        assert "voxgate[piper]" in found["voices"].mend
        assert "speech, piper" not in found
        assert "there is no folder" in look(voices=data / "nowhere")["voices"].text

    def test_formats_that_are_not_installed_are_told(self, look, monkeypatch):
        """With the extra that brings them."""
        monkeypatch.setattr("voxgate.speech.synthesis.installed_formats", lambda: ("wav", "mp3", "pcm"))
        assert "aac (extra aac)" in look()["formats"].text
