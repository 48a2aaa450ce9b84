"""Texts that kill, open files or never end, as requests among good ones: every good one is served."""

import errno
import json
import os
import random
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.served import WIDE
from tests.support.waiting import eventually

MAX_RESIDENT_BYTES = 1 << 30
ENGINES = 2
GOOD = "Good morning. The train to the coast leaves at nine, and the sea is calm today."
CHAOS = random.Random(20)
SCRIPTS = "aäßжאعहंไทย한中🤠ڍ\u0301\u200d\ufe0f\U000e0041ﷺ"


def mixed(length):
    """Return letters of many scripts in no order."""
    return "".join(CHAOS.choice(SCRIPTS) + " " * CHAOS.randrange(2) for _ in range(length))


def every_text(trap):
    """Return hostile texts; the ones that name a file name the trap."""
    return {
        "initials without end": "W." * 192,
        "initials to the limit": "W." * 2500,
        "possessives without end": "s'" * 220,
        "one word of 5000 letters": "a" * 5000,
        "ideographs that are read as numbers": "𪚥" * 5000,
        "a ligature that is a sentence": "\ufdfa" * 5000,
        "digits apart": "9 " * 2500,
        "mixed scripts": mixed(2500),
        "more mixed scripts": mixed(2500),
        "marks on nothing": "e" + "\u0301" * 4000,
        "controls": "".join(map(chr, range(1, 32))) * 50 + "word \x7f\x80\x9f\u202e\u2066",
        "audio of a file": f'<speak>Hear <audio src="{trap}">this</audio> now.</speak>',
        "audio of an address": f'<audio src="file://{trap}"/><audio src="|sox {trap}"/> Hear.',
        "pauses without end": '<break time="100000s"/>' * 200,
        "tags without end": "<speak>" * 600,
        "phoneme input": "[[" * 2000 + "h@'loU]]",
        "variables of a shell": f"$(cat {trap}) `cat {trap}`; cat {trap} | sh",
        "options": f"-f {trap} --path={trap}",
        "format signs": "%s%n%x" * 800,
        "paragraphs without end": "a\n\n" * 1600,
        "marks alone": "?!." * 1600,
    }


def every_voice(trap):
    """Return voice names that are paths or break buffers."""
    up = os.path.relpath(trap, "/usr/share/espeak-ng-data/voices")
    return [
        str(trap),
        f"en-us+{up}",
        f"!v/../{up}",
        "../" * 40,
        "en" * 4000,
        "vi\0",
        "Alnilam\n",
        "-v en",
        "",
        "tone+1",
    ]


@contextmanager
def armed(path):
    """Lay a file that blocks whoever opens it for reading, and gives away that somebody did."""
    os.mkfifo(path)
    opened, ending = [], threading.Event()

    def watch():
        while not ending.wait(0.02):
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                if error.errno != errno.ENXIO:  # nobody reads
                    raise
            else:
                opened.append(path)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield opened
    finally:
        ending.set()
        watcher.join()


@pytest.fixture(scope="module")
def sturdy(serve_one):
    """A service of one process with two engine processes; it takes three hundred seconds of audio and no more."""
    return serve_one(**WIDE, VOXGATE_ENGINE_WORKERS=str(ENGINES), VOXGATE_MAX_AUDIO_S="300")


def resident_bytes(pid):
    """Return the most memory that a process has ever held."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def test_trap_notices_a_reader(tmp_path):
    """The trap of this file works: whoever opens it is noticed."""
    with armed(tmp_path / "trap") as opened:
        reader = threading.Thread(target=(tmp_path / "trap").read_bytes)
        reader.start()
        eventually(lambda: opened, "the trap to notice")
        reader.join()


def test_good_texts_are_served_among_hostile_ones(sturdy, tmp_path):
    """Good jobs are all done and speak; hostile ones end as done or failed with a reason; nothing was opened."""
    good, bad = sturdy.api.join(), sturdy.api.join()
    with armed(tmp_path / "trap.wav") as opened:
        hostile, served = {}, []
        for number, (name, text) in enumerate(every_text(tmp_path / "trap.wav").items()):
            answer = bad.generate(text, output_format=("wav", "mp3")[number % 2], speed=(0.5, 1, 2)[number % 3])
            assert answer.status == 202, (name, answer.data)
            hostile[name] = answer.json()["job_id"]
            served.append(good.generate(f"{GOOD} {name}.").json()["job_id"])
        for job_id in served:
            job = good.wait_for(job_id)
            assert job["status"] == "done", job
            sound = read(good.api.get(job["audio_url"]).data)
            assert sound.loudness_dbfs > -40
            assert 3 < sound.duration_s < 12
        assert_is_speech(sound)  # the slow judge hears one of them
        ends = {name: bad.wait_for(job_id) for name, job_id in hostile.items()}
    assert not opened
    for name, job in ends.items():
        assert job["status"] == "done" or (job["status"] == "failed" and job["error"]), (name, job)
        if job["status"] == "done":
            assert len(read(bad.api.get(job["audio_url"]).data).samples) > 0
    assert ends["audio of a file"]["status"] == "done"  # plain text, read aloud


def test_no_worker_stays_dead(sturdy):
    """After all of it both engines and every thread take work, and no process has grown without bound."""
    good, bad = sturdy.api.join(), sturdy.api.join()
    for _ in range(4):
        bad.generate("W." * 192)
        bad.generate("s'" * 220)
    jobs = [good.generate(f"{GOOD} Number {number}.").json()["job_id"] for number in range(8)]
    assert {good.wait_for(job_id)["status"] for job_id in jobs} == {"done"}
    eventually(lambda: 1 <= len(sturdy.engines) <= ENGINES, "engines that live")
    assert max(resident_bytes(pid) for pid in sturdy.workers) < MAX_RESIDENT_BYTES
    assert "Traceback" not in sturdy.output
    assert sturdy.api.get("/readyz").status == 200


def test_voice_names_are_only_those_of_the_list(sturdy, tmp_path):
    """A name that is a path is refused as unknown, and nothing was opened."""
    member = sturdy.api.join()
    with armed(tmp_path / "trap") as opened:
        for name in every_voice(tmp_path / "trap"):
            answer = member.generate(voice_name=name)
            assert (answer.status, answer.code) == (422, "VALIDATION_FAILED"), name
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/voice_name"]
        assert member.speak(voice_name="vi").status == 200
    assert not opened


def test_one_users_flood_does_not_starve_another(sturdy):
    """A text that comes after another account's twelve long ones is not the last to be done."""
    flood, other = sturdy.api.join(), sturdy.api.join()
    started = [flood.generate(f"Number {number}. " + GOOD * 20).json()["job_id"] for number in range(12)]
    alone = other.generate("Short.").json()["job_id"]
    assert {flood.wait_for(job_id)["status"] for job_id in started} == {"done"}
    assert other.wait_for(alone)["status"] == "done"
    lines = (json.loads(line) for line in (sturdy.data / "security.log").read_text().splitlines())
    finished = [line["job_id"] for line in lines if line["event"] == "tts_job_finished"]
    assert finished.index(alone) < max(finished.index(job_id) for job_id in started)
