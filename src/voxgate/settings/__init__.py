"""Every setting: name, type, unit, default; read once from the environment and one TOML file."""

from voxgate.settings.model import Profile, Settings
from voxgate.settings.reading import load_settings

__all__ = ["Profile", "Settings", "load_settings"]
