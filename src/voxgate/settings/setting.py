"""What is said of a setting beside its type: its name, unit and meaning."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Setting:
    """What the reference says of one setting, beside its type, default and bounds.

    Attributes:
        name: Its name in the environment and in the TOML file.
        doc: What it means, in one or two sentences.
        unit: Unit of its value, or an empty text.
        default_doc: Stands for a default that is made at run time.
        is_secret: Its value is never shown.
    """

    name: str
    doc: str
    unit: str = ""
    default_doc: str = ""
    is_secret: bool = False


class Group(BaseModel):
    """Settings that belong together; frozen, checked also where they have their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)
