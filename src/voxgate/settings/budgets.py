"""Settings of budgets: how many characters and jobs an account has, by its tier."""

from typing import Annotated

from pydantic import Field

from voxgate.settings.forms import BudgetText
from voxgate.settings.setting import Group, Setting

CHARACTERS = "characters"
"""Name of the policy that counts characters."""

PREMIUM = "premium"


class BudgetSettings(Group):
    """What an account may have spoken; a tier that is not premium has the budget of a standard one."""

    tts_characters_standard: Annotated[
        BudgetText,
        Setting(
            "TTS_CHARACTERS_STANDARD",
            "Characters that a standard account may have spoken, such as "
            "`100000 per calendar day; 1000000 per calendar month`; empty for any number.",
            "characters",
        ),
    ] = ""
    tts_characters_premium: Annotated[
        BudgetText,
        Setting("TTS_CHARACTERS_PREMIUM", "Characters that a premium account may have spoken.", "characters"),
    ] = ""
    tts_jobs_at_once_standard: Annotated[
        int, Setting("TTS_JOBS_AT_ONCE_STANDARD", "Jobs of a standard account that run at once.", "jobs")
    ] = Field(default=8, ge=1, le=10_000)
    tts_jobs_at_once_premium: Annotated[
        int, Setting("TTS_JOBS_AT_ONCE_PREMIUM", "Jobs of a premium account that run at once.", "jobs")
    ] = Field(default=64, ge=1, le=10_000)
    tts_jobs_unfinished_standard: Annotated[
        int,
        Setting(
            "TTS_JOBS_UNFINISHED_STANDARD",
            "Jobs of a standard account that wait and run before one more is refused.",
            "jobs",
        ),
    ] = Field(default=1_000, ge=1, le=1_000_000)
    tts_jobs_unfinished_premium: Annotated[
        int,
        Setting(
            "TTS_JOBS_UNFINISHED_PREMIUM",
            "Jobs of a premium account that wait and run before one more is refused.",
            "jobs",
        ),
    ] = Field(default=5_000, ge=1, le=1_000_000)

    def character_budget(self, tier: str) -> str:
        """Return the limits of the characters of a tier; empty when there are none."""
        return self.tts_characters_premium if tier == PREMIUM else self.tts_characters_standard

    def jobs_at_once(self, tier: str) -> int:
        """Return how many jobs of an account of a tier run at once."""
        return self.tts_jobs_at_once_premium if tier == PREMIUM else self.tts_jobs_at_once_standard

    def jobs_unfinished(self, tier: str) -> int:
        """Return how many jobs of an account of a tier may wait and run."""
        return self.tts_jobs_unfinished_premium if tier == PREMIUM else self.tts_jobs_unfinished_standard
