"""Where settings come from, and what is said when one is wrong."""

import secrets

import pytest
from pydantic import ValidationError

from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Profile, Settings, load_settings
from voxgate.settings.model import SETTINGS
from voxgate.settings.reading import NAMES

STRONG = secrets.token_urlsafe(32)


@pytest.fixture
def load(tmp_path):
    """Read settings from exactly the given variables, in an empty data folder; returns them and the warnings."""

    def read(overrides=None, **environ):
        said = []
        found = load_settings({"VOXGATE_DATA": str(tmp_path), **environ}, overrides=overrides, warn=said.append)
        return found, said

    return read


def refusal_of(load, **environ):
    with pytest.raises(ConfigurationError) as caught:
        load(**environ)
    return caught.value


class TestSources:
    def test_defaults_need_no_variable_at_all(self, load, tmp_path):
        """A stranger starts with nothing set."""
        settings, said = load()
        assert (settings.profile, settings.host, settings.port) == (Profile.DEVELOPMENT, "127.0.0.1", 5000)
        assert settings.database_url == f"sqlite:///{tmp_path / 'voxgate.db'}"
        assert settings.jwt_access_token_expires_s == 900
        assert said == []

    def test_the_environment_wins_over_the_file_and_the_command_line_over_both(self, load, tmp_path):
        """The nearer to the operator, the stronger."""
        (tmp_path / "voxgate.toml").write_text('VOXGATE_PORT = 1\nVOXGATE_WORKERS = 2\nVOXGATE_HOST = "::1"\n')
        settings, _ = load({"VOXGATE_PORT": 3}, VOXGATE_PORT="2", VOXGATE_WORKERS="4")
        assert (settings.port, settings.workers, settings.host) == (3, 4, "::1")

    def test_a_named_file_is_read_and_may_place_the_data(self, load, tmp_path):
        """VOXGATE_CONFIG names any file."""
        file = tmp_path / "elsewhere.toml"
        file.write_text('JWT_ACCESS_TOKEN_EXPIRES = "1 hour"\nVOXGATE_CORS_ORIGINS = ["https://a.example"]\n')
        settings, _ = load(VOXGATE_CONFIG=str(file))
        assert settings.jwt_access_token_expires_s == 3600
        assert settings.cors_origins == ("https://a.example",)

    def test_a_missing_named_file_is_refused(self, load, tmp_path):
        """A typing error in the path must not start a house with other rules."""
        assert "there is no file" in refusal_of(load, VOXGATE_CONFIG=str(tmp_path / "no.toml")).reason

    def test_a_broken_file_is_refused_with_its_place(self, load, tmp_path):
        """The parser's line and column reach the operator."""
        (tmp_path / "voxgate.toml").write_text("VOXGATE_PORT 5000\n")
        assert "voxgate.toml" in str(refusal_of(load))

    def test_an_empty_variable_counts_as_not_set(self, load):
        """Compose files pass empty variables for unset ones."""
        assert load(VOXGATE_PORT="", RATELIMIT_LOGIN="")[0].port == 5000

    def test_the_default_folder_is_the_one_that_xdg_gives(self, monkeypatch, tmp_path):
        """Without VOXGATE_DATA the data lies where the desktop standard says."""
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        assert load_settings({}).data == tmp_path / "voxgate"
        monkeypatch.delenv("XDG_DATA_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert load_settings({}).data == tmp_path / ".local/share/voxgate"

    def test_the_process_environment_is_the_default_source(self, monkeypatch, tmp_path):
        """A server worker reads what its parent passed on."""
        monkeypatch.setenv("VOXGATE_DATA", str(tmp_path))
        monkeypatch.setenv("VOXGATE_PORT", "7")
        assert load_settings().port == 7


class TestNames:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("VOXGATE_PROT", "VOXGATE_PORT"),
            ("VOXGATE_DATABSE_URL", "VOXGATE_DATABASE_URL"),
            ("VOXGATE_DAT", "VOXGATE_DATA"),
        ],
    )
    def test_an_unknown_own_setting_is_refused_with_the_nearest_name(self, load, name, meant):
        """A mistyped rule never passes silently."""
        error = refusal_of(load, **{name: "1"})
        assert error.setting == name
        assert f"Did you mean {meant}?" in error.reason

    @pytest.mark.parametrize(("key", "meant"), [("port", "VOXGATE_PORT"), ("ratelimit_login", "RATELIMIT_LOGIN")])
    def test_a_file_key_in_another_spelling_is_refused_with_the_right_one(self, load, tmp_path, key, meant):
        """The file uses the same names as the environment."""
        (tmp_path / "voxgate.toml").write_text(f"{key} = 1\n")
        assert f"Did you mean {meant}?" in refusal_of(load).reason

    def test_a_name_like_nothing_points_to_the_reference(self, load):
        """No guess is made when nothing is near."""
        assert "docs/reference/settings.md" in refusal_of(load, VOXGATE_QQQQQQQQQQ="1").reason

    def test_an_unknown_shared_setting_is_warned_about_once(self, load):
        """Other programs may own JWT_ and RATELIMIT_ names."""
        _, said = load(JWT_SECRETKEY="x", RATELIMIT_HEADERS_ENABLED="1", TTS_OTHER="1", PATH="/bin")
        assert len(said) == 2
        assert "Did you mean JWT_SECRET_KEY?" in said[0]

    @pytest.mark.parametrize("name", ["RATELIMIT_STORAGE_URI", "RATELIMIT_STORAGE_URL", "VOXGATE_REDIS_URL"])
    def test_the_redis_address_is_understood_under_every_name(self, load, name):
        """The documents' two names and ours."""
        assert load(**{name: "redis://localhost:6379/1"})[0].redis_url == "redis://localhost:6379/1"

    @pytest.mark.parametrize("kind", ["redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "unix"])
    def test_every_way_to_redis_is_an_address(self, load, kind):
        """One server, the master that Sentinel names, or a cluster."""
        assert load(VOXGATE_REDIS_URL=f"{kind}://a/b")[0].redis_url == f"{kind}://a/b"

    def test_our_name_wins_over_the_other_names(self, load):
        """The same address twice is no conflict, and order does not matter."""
        settings, _ = load(
            RATELIMIT_STORAGE_URI="redis://a", VOXGATE_REDIS_URL="redis://b", RATELIMIT_STORAGE_URL="redis://c"
        )
        assert settings.redis_url == "redis://b"

    def test_every_setting_has_a_name_a_meaning_and_a_place(self):
        """The reference can be made from the model."""
        assert len(NAMES) == len(SETTINGS) == len(Settings.model_fields)
        assert all(setting.doc.endswith(".") for setting in SETTINGS.values())


class TestValues:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("VOXGATE_PORT", "x"),
            ("VOXGATE_PORT", "65536"),
            ("VOXGATE_WORKERS", "0"),
            ("VOXGATE_PROFILE", "prod"),
            ("VOXGATE_CORS_ORIGINS", "*"),
            ("VOXGATE_MAX_BODY_BYTES", "2 TB"),
            ("VOXGATE_ROOT_ROUTES", "maybe"),
            ("JWT_ALGORITHM", "none"),
            ("JWT_ACCESS_TOKEN_EXPIRES", "False"),
            ("JWT_DECODE_LEEWAY", "11"),
            ("RATELIMIT_LOGIN", "3 per fortnight"),
        ],
    )
    def test_a_bad_value_is_refused_by_name_and_with_what_was_given(self, load, name, value):
        """One sentence: which, what was given, what is right."""
        error = refusal_of(load, **{name: value})
        assert error.setting == name
        assert value in error.reason

    @pytest.mark.parametrize("name", ["VOXGATE_REDIS_URL", "JWT_SECRET_KEY"])
    def test_a_secret_value_is_never_shown(self, load, name):
        """Addresses carry passwords."""
        assert "hunter2" not in str(refusal_of(load, **{name: "hunter2"}))

    def test_no_secret_is_shown_by_the_settings_themselves(self, load):
        """Neither repr nor str holds a key or an address with a password."""
        settings, _ = load(
            JWT_SECRET_KEY=STRONG,
            VOXGATE_DATABASE_URL="postgresql://u:hunter2@h/d",
            VOXGATE_REDIS_URL="redis://:hunter2@h",
        )
        shown = f"{settings!r} {settings}"
        assert STRONG not in shown
        assert "hunter2" not in shown

    def test_settings_cannot_be_changed(self, load):
        """Read once, the same for the life of the process."""
        with pytest.raises(ValidationError):
            load()[0].port = 1

    def test_a_mistake_in_code_is_refused_too(self, tmp_path):
        """An application that builds the settings itself cannot invent fields."""
        with pytest.raises(ValidationError):
            Settings(data=tmp_path, prot=1)

    def test_policies_are_named_as_routes_name_them(self, load):
        """RATELIMIT_TTS_GENERATE is the policy tts-generate."""
        policies = load(RATELIMIT_TTS_GENERATE="7 per minute")[0].policies()
        assert policies["tts-generate"] == "7 per minute"
        assert {"default", "standard", "premium", "login", "login-address", "register", "refresh"} <= set(policies)

    @pytest.mark.parametrize(
        ("host", "alone"),
        [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("example.org", False)],
    )
    def test_a_loopback_host_is_known_as_one(self, load, host, alone):
        """Only this machine reaches a loopback address."""
        assert load(VOXGATE_HOST=host)[0].is_on_loopback is alone

    def test_everything_lies_in_the_data_folder(self, load, tmp_path):
        """One folder to keep, to move and to protect."""
        settings, _ = load()
        places = (
            settings.secret_key_path,
            settings.gate_database_path,
            settings.audio_folder,
            settings.security_log_path,
        )
        assert {place.parent for place in places} == {tmp_path}

    def test_a_relative_folder_becomes_absolute(self, load):
        """A worker in another folder finds the same data."""
        assert load(VOXGATE_DATA="here")[0].data.is_absolute()


class TestKey:
    @pytest.mark.parametrize("profile", list(Profile))
    @pytest.mark.parametrize("key", ["", "short", "super-secret-key", "dev-secret-key-change-in-production", "a" * 40])
    def test_a_weak_key_stops_the_start_and_the_way_out_is_named(self, load, profile, key):
        """T04: also in development nobody signs with a published key."""
        error = refusal_of(load, JWT_SECRET_KEY=key, VOXGATE_PROFILE=profile.value)
        assert "token_urlsafe(32)" in error.reason

    def test_production_without_a_key_does_not_start(self, load):
        """The way out is part of the sentence."""
        error = refusal_of(load, VOXGATE_PROFILE="production")
        assert error.setting == "JWT_SECRET_KEY"
        assert "token_urlsafe(32)" in error.reason

    def test_production_starts_with_a_strong_key(self, load):
        """A real secret is all it asks here."""
        settings, said = load(VOXGATE_PROFILE="production", JWT_SECRET_KEY=STRONG)
        assert settings.is_production
        assert said == []

    def test_production_starts_with_the_key_file_that_init_makes(self, load, tmp_path):
        """A secret may come from a file."""
        (tmp_path / "secret.key").write_bytes(secrets.token_bytes(32))
        assert load(VOXGATE_PROFILE="production")[0].jwt_secret_key is None

    def test_a_made_up_key_is_warned_about_in_development_and_refused_in_production(self, load):
        """Long is not random."""
        key = "0123456789abcdef" * 2
        assert "refused in production" in load(JWT_SECRET_KEY=key)[1][0]
        assert "repeated" in refusal_of(load, JWT_SECRET_KEY=key, VOXGATE_PROFILE="production").reason
