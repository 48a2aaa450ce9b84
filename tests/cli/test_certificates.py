"""Certificates: the development authority's, with the right names and rights, and one's own, checked at the start."""

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from voxgate.cli.certificates import make_certificate, names_for, tls_files
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "::1")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tls"


def leaf_of(files):
    return x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]


def names_of(files):
    named = leaf_of(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in named}


class TestDevelopmentAuthority:
    def test_it_names_this_machine_and_the_chosen_host(self, tmp_path):
        """A client may use any name that leads here."""
        files = tls_files(Settings(data=tmp_path, tls=True, host="192.0.2.7"), now=NOW)
        assert names_of(files) == {*NAMES, "192.0.2.7", socket.gethostname().lower()}

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost"])  # noqa: S104 -- nothing is bound
    def test_every_address_is_no_name(self, host):
        """And none is named twice."""
        assert names_for(host) == (*NAMES, socket.gethostname().lower())

    def test_nobody_else_can_read_a_key(self, folder):
        """Folder 0700, keys 0600; only the authority's certificate is for others."""
        make_certificate(folder, NAMES, now=NOW)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
        assert modes["tls"] == 0o700
        assert modes["authority.key"] == modes["server.pem"] == 0o600
        holds_key = {path.name for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
        assert holds_key == {"authority.key", "server.pem"}

    def test_the_authority_signs_servers_alone(self, folder):
        """The certificate is a server's, and can sign nothing itself."""
        files = make_certificate(folder, NAMES, now=NOW)
        leaf, authority = leaf_of(files), x509.load_pem_x509_certificate(files.authority.read_bytes())
        leaf.verify_directly_issued_by(authority)
        of_leaf, of_authority = (
            each.extensions.get_extension_for_class(x509.BasicConstraints).value for each in (leaf, authority)
        )
        assert (of_leaf.ca, of_authority.ca, of_authority.path_length) == (False, True, 0)

    def test_the_next_start_takes_what_is_there(self, folder):
        """Whoever trusts the authority need not do it again."""
        first = make_certificate(folder, NAMES, now=NOW).certificate.read_bytes()
        assert make_certificate(folder, NAMES[:1], now=NOW).certificate.read_bytes() == first

    @pytest.mark.parametrize(
        ("names", "days"), [((*NAMES, "other.example"), 0), (NAMES, 370), (NAMES, 500), (NAMES, -1)]
    )
    def test_another_name_or_the_end_makes_another_certificate_of_the_same_authority(self, folder, names, days):
        """Trust outlives the certificate."""
        first = make_certificate(folder, NAMES, now=NOW)
        before, trusted = leaf_of(first), first.authority.read_bytes()
        second = make_certificate(folder, names, now=NOW + timedelta(days=days))
        assert leaf_of(second).serial_number != before.serial_number
        assert names_of(second) == set(names)
        assert second.authority.read_bytes() == trusted

    @pytest.mark.parametrize("name", ["authority.pem", "authority.key", "server.pem"])
    @pytest.mark.parametrize("content", [b"", b"nonsense", None])
    def test_what_is_damaged_is_made_anew(self, folder, name, content):
        """And the parts belong together again."""
        make_certificate(folder, NAMES, now=NOW)
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        files = make_certificate(folder, NAMES, now=NOW)
        leaf_of(files).verify_directly_issued_by(x509.load_pem_x509_certificate(files.authority.read_bytes()))

    def test_an_authority_near_its_end_is_replaced(self, folder):
        """No certificate outlives its authority."""
        first = make_certificate(folder, NAMES, now=NOW).authority.read_bytes()
        later = make_certificate(folder, NAMES, now=NOW + timedelta(days=3300))
        assert later.authority.read_bytes() != first
        assert later.expires_at < x509.load_pem_x509_certificate(later.authority.read_bytes()).not_valid_after_utc

    def test_starts_at_once_share_one_certificate(self, folder):
        """Whoever is second reads what the first has made."""
        made = []

        def make():
            made.append(make_certificate(folder, NAMES, now=NOW).certificate.read_bytes())

        threads = [threading.Thread(target=make) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(made)) == 1


class TestOwnCertificate:
    @pytest.fixture
    def own(self, folder, tmp_path):
        """A certificate and a key in two files."""
        files = make_certificate(folder, ("voice.example",), now=NOW)
        pem = files.certificate.read_bytes()
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        certificate.write_bytes(pem[: pem.index(b"-----BEGIN PRIVATE")])
        key.touch(mode=0o600)
        key.write_bytes(pem[pem.index(b"-----BEGIN PRIVATE") :])
        return certificate, key

    def check(self, tmp_path, own, now=NOW):
        return tls_files(Settings(data=tmp_path, tls_certificate=own[0], tls_key=own[1]), now=now)

    def test_a_good_pair_is_taken_as_it_is(self, tmp_path, own):
        """Nothing is made, nothing is copied."""
        files = self.check(tmp_path, own)
        assert (files.certificate, files.key, files.authority) == (*own, None)

    @pytest.mark.parametrize(("days", "said"), [(-1, "not valid before"), (398, "expired")])
    def test_one_out_of_its_time_stops_the_start(self, tmp_path, own, days, said):
        """Clients would refuse it."""
        with pytest.raises(ConfigurationError, match=f"VOXGATE_TLS_CERTIFICATE.*{said}"):
            self.check(tmp_path, own, now=NOW + timedelta(days=days))

    def test_a_key_that_everybody_can_read_stops_the_start(self, tmp_path, own):
        """With the command that closes it; a group may read it, as Debian's ssl-cert does."""
        own[1].chmod(0o640)
        self.check(tmp_path, own)
        own[1].chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            self.check(tmp_path, own)

    def test_a_key_of_another_certificate_stops_the_start(self, tmp_path, own, folder):
        """They must belong together."""
        own[1].write_bytes((folder / "authority.key").read_bytes())
        with pytest.raises(ConfigurationError, match="is not that of the certificate"):
            self.check(tmp_path, own)

    def test_a_key_with_a_password_stops_the_start(self, tmp_path, own):
        """Nobody is there to type it."""
        key = serialization.load_pem_private_key(own[1].read_bytes(), password=None)
        locked = serialization.BestAvailableEncryption(b"secret")
        form = serialization.PrivateFormat.PKCS8
        own[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
        with pytest.raises(ConfigurationError, match="without a password"):
            self.check(tmp_path, own)

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_missing_or_senseless_file_stops_the_start(self, tmp_path, own, which):
        """Named by its setting."""
        setting = ("VOXGATE_TLS_CERTIFICATE", "VOXGATE_TLS_KEY")[which]
        for change in (lambda: own[which].write_text("nonsense"), own[which].unlink):
            change()
            with pytest.raises(ConfigurationError, match=setting):
                self.check(tmp_path, own)

    @pytest.mark.parametrize("which", [0, 1])
    def test_one_without_the_other_stops_the_start(self, tmp_path, own, which):
        """Plain HTTP would be a surprise."""
        pair = [None, None]
        pair[which] = own[which]
        with pytest.raises(ConfigurationError, match="both are needed"):
            self.check(tmp_path, pair)

    def test_without_tls_there_is_nothing(self, tmp_path):
        """The default."""
        assert tls_files(Settings(data=tmp_path)) is None
        assert not (tmp_path / "tls").exists()
