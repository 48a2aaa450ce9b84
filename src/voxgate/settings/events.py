"""Settings of security events: how their file rotates, and how long they are kept."""

from typing import Annotated

from pydantic import Field

from voxgate.settings.forms import Bytes, Seconds
from voxgate.settings.setting import Group, Setting


class EventSettings(Group):
    """How security events are written down."""

    events_file_bytes: Annotated[
        Bytes, Setting("VOXGATE_EVENTS_FILE_BYTES", "Size at which `security.log` is begun anew.", "bytes")
    ] = Field(default=10_485_760, ge=4096, le=10_737_418_240)
    events_file_age_s: Annotated[
        Seconds,
        Setting("VOXGATE_EVENTS_FILE_AGE", "Age at which `security.log` is begun anew; 0 for any age.", "seconds"),
    ] = Field(default=604_800, ge=0, le=315_360_000)
    events_files: Annotated[
        int, Setting("VOXGATE_EVENTS_FILES", "Older files of security events that are kept.", "files")
    ] = Field(default=5, ge=1, le=1000)
    events_kept_s: Annotated[
        Seconds, Setting("VOXGATE_EVENTS_KEPT", "How long rows of security events are kept in the database.", "seconds")
    ] = Field(default=7_776_000, ge=60, le=315_360_000)
