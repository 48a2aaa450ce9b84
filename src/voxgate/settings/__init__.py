"""Every setting: name, type, unit, default; read once from the environment and one TOML file."""

from voxgate.settings.model import Settings
from voxgate.settings.reading import load_settings
from voxgate.settings.server import Profile

__all__ = ["Profile", "Settings", "load_settings"]
