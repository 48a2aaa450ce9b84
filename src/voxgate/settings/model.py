"""The settings as one: every group, and what follows from them."""

from ipaddress import ip_address
from pathlib import Path

from voxgate.settings.browsers import BrowserSettings
from voxgate.settings.budgets import CHARACTERS, BudgetSettings
from voxgate.settings.credentials import CredentialSettings
from voxgate.settings.edge import EdgeSettings
from voxgate.settings.events import EventSettings
from voxgate.settings.limits import LimitSettings
from voxgate.settings.server import Profile, ServerSettings
from voxgate.settings.sessions import SessionSettings
from voxgate.settings.setting import Setting
from voxgate.settings.speech import SpeechSettings
from voxgate.settings.voices import VoiceSettings

POLICIES_OF_OTHERS = frozenset({"default", "standard", "premium", "register"})
"""What counts addresses, as every policy of logins does too, and the tiers, whose own limits are named ``*``."""


_DRAIN_S = 3
_JSON_BYTES_PER_CHARACTER = 12  # two escapes for a character beyond the first plane


class Settings(
    LimitSettings,
    CredentialSettings,
    SessionSettings,
    SpeechSettings,
    BudgetSettings,
    BrowserSettings,
    EdgeSettings,
    EventSettings,
    VoiceSettings,
    ServerSettings,
):
    """Everything that can be set, read once; docs/reference/settings.md is made from this class."""

    @property
    def is_production(self) -> bool:
        """Whether the production profile runs."""
        return self.profile is Profile.PRODUCTION

    @property
    def is_https_only(self) -> bool:
        """Whether requests over plain HTTP are refused."""
        return self.is_production or self.is_tls

    @property
    def drain_seconds(self) -> int:
        """How long a stop is told before it comes."""
        return (_DRAIN_S if self.is_production else 0) if self.drain is None else self.drain

    @property
    def shows_docs(self) -> bool:
        """Whether everybody may read the description of the interface."""
        return not self.is_production if self.docs is None else self.docs

    def max_characters_of(self, tier: str) -> int:
        """Return how long a text of a tier may be."""
        return self.max_characters.get(tier, self.max_characters["standard"])

    def body_bytes_of(self, tier: str) -> int:
        """Return how long a body with a text of a tier may be: enough for every way of writing the text as JSON."""
        return max(self.max_body_bytes, self.max_characters_of(tier) * _JSON_BYTES_PER_CHARACTER)

    @property
    def tls_folder(self) -> Path:
        """Where the development authority keeps its certificates and keys."""
        return self.data / "tls"

    @property
    def secret_key_path(self) -> Path:
        """Where the generated signing key lies."""
        return self.data / "secret.key"

    @property
    def signing_keys_path(self) -> Path:
        """Where the signing keys lie that came after the first."""
        return self.data / "signing.json"

    @property
    def signing_secret(self) -> bytes | None:
        """The HS256 secret that is set, or None when the first key is a generated one."""
        return None if self.jwt_secret_key is None else self.jwt_secret_key.get_secret_value().encode()

    @property
    def gate_database_path(self) -> Path:
        """Where the embedded store of the gate lies."""
        return self.data / "gate.db"

    @property
    def held_folder(self) -> Path:
        """Where the server processes note what they hold of budgets."""
        return self.data / "held"

    @property
    def audio_folder(self) -> Path:
        """Where finished audio lies."""
        return self.data / "audio"

    @property
    def voices_folder(self) -> Path:
        """Where voices of the operator lie."""
        return self.voices or self.data / "voices"

    @property
    def security_log_path(self) -> Path:
        """Where security events are written."""
        return self.data / "security.log"

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach the host that is listened on."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def policies(self) -> dict[str, str]:
        """Return the limit text of every policy by the policy's name, such as ``tts-generate``."""
        prefix = "ratelimit_"
        return {
            attribute.removeprefix(prefix).replace("_", "-"): getattr(self, attribute)
            for attribute in type(self).model_fields
            if attribute.startswith(prefix)
        }

    def account_policies(self) -> frozenset[str]:
        """Return the policies that count by account, of which accounts, tiers and keys have limits of their own."""
        names = (name for name in self.policies() if name not in POLICIES_OF_OTHERS and not name.startswith("login"))
        return frozenset({*names, CHARACTERS})

    def modes(self) -> dict[str, str]:
        """Return for each policy that is named what it does while the store is out of reach."""
        return dict(mode.split("=", 1) for mode in self.on_trouble)


SETTINGS: dict[str, Setting] = {
    attribute: next(item for item in field.metadata if isinstance(item, Setting))
    for attribute, field in Settings.model_fields.items()
}
"""What the reference says of each setting, by its attribute."""
