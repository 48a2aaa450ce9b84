"""``./dev bench speech``: first byte, CPU and real-time factor of speech, beside what people run instead."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.service import serving
from benchmarks.speakers import Bare, Command, Jobs, Obstacle, Piper, Sample, Speaker, Stream
from benchmarks.speech_rate import compare_rates

SENTENCE = "The train to the coast leaves at nine. "
TEXTS = {"short": SENTENCE, "long": SENTENCE * 40}
"""What is spoken: one sentence, and about as much as a request may hold."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options = _parser().parse_args(arguments)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-bench-")))
        service = opened.enter_context(serving(VOXGATE_ENGINE_WORKERS=str(options.workers)))
        speakers: list[Speaker] = [Stream(service), Jobs(service)]
        for make in (Bare, Command, Piper):
            try:
                speakers.append(opened.enter_context(make(folder, options.workers)))
            except Obstacle as obstacle:
                print(f"left out: {make.name}: {obstacle}")
        results = {name: _run(name, text, speakers, rounds=options.rounds) for name, text in TEXTS.items()}
        rates = compare_rates(service, workers=options.workers, rounds=max(3, options.rounds))
    print(f"\n{options.workers} engine processes; a thousand characters each: {rates.told()}")
    if options.json:
        found = {"texts": results, "rates": asdict(rates)}
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench speech", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    parser.add_argument("--rounds", type=int, default=15, help="rounds (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="engine processes (default: %(default)s)")
    return parser


def _run(name: str, text: str, speakers: Sequence[Speaker], *, rounds: int) -> dict[str, dict[str, float]]:
    for speaker in speakers:
        speaker.speak(text)  # what is only done once is not counted
    samples: dict[str, list[Sample]] = {speaker.name: [] for speaker in speakers}
    for number in range(rounds):
        # Each round begins with another one, so that none always follows the same.
        first = number % len(speakers)
        for speaker in (*speakers[first:], *speakers[:first]):
            # Never the same text twice: a job whose audio exists already is not spoken.
            samples[speaker.name].append(speaker.speak(f"{text}Number {number}."))
    found = {each: _summarize(samples[each], samples[speakers[0].name], len(text)) for each in samples}
    print(f"\n{name}: {len(text)} characters, {rounds} rounds, medians; ratios to the stream within a round")
    print("| | first byte | whole | CPU per character | CPU per second of audio | CPU ratio | first byte ratio |")
    print("|---|---|---|---|---|---|---|")
    for each, row in found.items():
        print(
            f"| {each} | {row['first_ms']:.1f} ms | {row['whole_ms']:.1f} ms | {row['cpu_us_per_character']:.1f} us"
            f" | {row['rtf_cpu']:.5f} | {row['cpu_ratio']:.2f} | {row['first_ratio']:.2f} |"
        )
    return found


def _summarize(samples: Sequence[Sample], ours: Sequence[Sample], characters: int) -> dict[str, float]:
    middle = statistics.median
    return {
        "first_ms": middle(each.first_s for each in samples) * 1000,
        "whole_ms": middle(each.whole_s for each in samples) * 1000,
        "cpu_us_per_character": middle(each.cpu_s for each in samples) * 1e6 / characters,
        "rtf_cpu": middle(each.cpu_s / each.audio_s for each in samples),
        "cpu_ratio": middle(each.cpu_s / our.cpu_s for each, our in zip(samples, ours, strict=True)),
        "first_ratio": middle(each.first_s / our.first_s for each, our in zip(samples, ours, strict=True)),
    }


if __name__ == "__main__":
    sys.exit(main())
