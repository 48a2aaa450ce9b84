"""Tiny voices that tests make: a model like Piper's that hums a note for each sound, and a program that buzzes."""

# ruff: noqa: RUF001 - letters of phonemes are meant

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FRAME_SAMPLES = 1536  # of each sound at speed 1
_SYMBOLS = "_^$ !'(),-.:;?abcdefhijklmnoprstuvwxyzæçðøħŋœɐɑɒɔɕɖəɚɛɜɡɪɫɲɹɾʃʊʌʒʔʰˈˌːθᵻ"


def make_piper_voice(folder: Path, name: str, *, rate_hz: int = 22_050, speakers: tuple[str, ...] = ()) -> Path:
    """Write a model and its description, and give the model's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(_model(rate_hz, has_speakers=bool(speakers)), path)
    description = {
        "audio": {"sample_rate": rate_hz, "quality": "tiny"},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "num_symbols": len(_SYMBOLS),
        "num_speakers": max(1, len(speakers)),
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(_SYMBOLS)},
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
    }
    Path(f"{path}.json").write_text(json.dumps(description), encoding="utf-8")
    return path


def _model(rate_hz: int, *, has_speakers: bool) -> onnx.ModelProto:
    """Build the graph: the sounds' numbers in, a sine of 100 + 4 * number Hz for each out; pads are silent."""
    values = {
        "one": np.array([1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "flat": np.array([-1], np.int64),
        "shape": np.array([1, 1, 1, -1], np.int64),
        "axis": np.int64(0),
        "samples": np.float32(FRAME_SAMPLES),
        "step": np.float32(4),
        "base": np.float32(100),
        "turn": np.float32(2 * np.pi / rate_hz),
        "quiet": np.float32(2),
        "loudness": np.float32(0.5),
    }
    steps = [
        ("Gather", ["scales", "one"], "length"),
        ("Mul", ["length", "samples"], "frames"),
        ("Cast", ["frames"], "count"),
        ("Cast", ["input"], "numbers"),
        ("Reshape", ["numbers", "column"], "sounds"),
        ("Concat", ["one", "count"], "grid"),
        ("Expand", ["sounds", "grid"], "spread"),
        ("Reshape", ["spread", "flat"], "each"),
        ("Mul", ["each", "step"], "above"),
        ("Add", ["above", "base"], "hertz"),
        ("Mul", ["hertz", "turn"], "advance"),
        ("CumSum", ["advance", "axis"], "phase"),
        ("Sin", ["phase"], "wave"),
        ("Greater", ["each", "quiet"], "is_heard"),
        ("Cast", ["is_heard"], "heard"),
        ("Mul", ["wave", "heard"], "sounding"),
        ("Mul", ["sounding", "loudness"], "level"),
        ("Reshape", ["level", "shape"], "output"),
    ]
    kinds = {
        "count": {"to": TensorProto.INT64},
        "numbers": {"to": TensorProto.FLOAT},
        "heard": {"to": TensorProto.FLOAT},
    }
    nodes = [
        helper.make_node(kind, taken, [made], **kinds.get(made, {"axis": 0} if kind == "Concat" else {}))
        for kind, taken, made in steps
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "n"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if has_speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "t"])
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", inputs, [output], constants), opset_imports=[helper.make_opsetid("", 15)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


SPEAKING_PROGRAM = """
import struct, sys
rate, seconds = int(sys.argv[1]), float(sys.argv[2])
words = len(sys.stdin.buffer.read().decode().split())
period = struct.pack("<h", 6000) * 50 + struct.pack("<h", -6000) * 50
samples = (period * int(rate * seconds * words / 100 + 1))[: int(rate * seconds * words) * 2]
unknown = 0xFFFFFFFF
form = (b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", unknown, b"WAVE", *form, b"data", unknown)
sys.stdout.buffer.write(head + samples)
"""
"""Speaks each word as a buzz of so many seconds, in a WAV file without a true length."""
