"""One real synthesizer for the tests that only speak."""

import io
from collections.abc import Callable

import pytest
from tests.speech.measure import Sound, read

from voxgate.speech.engines.registry import Engines, open_engines
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

Speak = Callable[..., Sound]


@pytest.fixture
def jobs_url(database_kind, request, tmp_path):
    """The address of a database for jobs; a file is empty at first."""
    if database_kind == "postgres":
        return request.getfixturevalue("new_database")()
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture(scope="session")
def engines():
    """The embedded engine and the engine for tests, on real processes."""
    opened = open_engines(("espeak", "tone"), workers=2)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def synthesizer(engines: Engines) -> Synthesizer:
    return Synthesizer(engines, max_audio_s=600, segment_deadline_s=30)


@pytest.fixture(scope="session")
def speak(synthesizer: Synthesizer) -> Speak:
    """Speak a text and give what an independent reader decodes."""

    def speak_and_read(text: str, **settings) -> Sound:
        out = io.BytesIO()
        synthesizer.synthesize(SpeechRequest(text, **settings), out)
        return read(out.getvalue())

    return speak_and_read
