"""Named voices: what Alnilam and the other well-known names sound like here.

The names are those that speech services and their clients use today, so that a client needs no change. Each keeps
its gender; how it sounds is ours: a shape of the vocal tract, a base, a melody and a pace.
"""

from dataclasses import dataclass

from voxgate.speech.engines.base import Gender


@dataclass(frozen=True, slots=True)
class Preset:
    """One named voice.

    Attributes:
        name: What a request names.
        gender: What most people hear.
        style: How it sounds, in a few words.
        variant: The espeak-ng variant that gives the timbre.
        base: The lower figure of a ``pitch`` line: about the voice's lowest note in Hz.
        melody: The upper figure divided by the lower: 1.1 is flat, 1.9 is lively.
        rate_ratio: Pace, where 1.0 is 175 words a minute.
    """

    name: str
    gender: Gender
    style: str
    variant: str
    base: int
    melody: float
    rate_ratio: float


PRESETS = (
    Preset("Alnilam", "male", "steady and sure", "m3", 100, 1.45, 0.96),
    Preset("Zephyr", "female", "light and clear", "f2", 165, 1.60, 1.02),
    Preset("Puck", "male", "playful, quick", "m7", 118, 1.80, 1.08),
    Preset("Charon", "male", "explains calmly", "m1", 90, 1.40, 0.94),
    Preset("Kore", "female", "plain and decided", "f1", 150, 1.40, 0.98),
    Preset("Fenrir", "male", "stirred, wide melody", "m4", 108, 1.90, 1.10),
    Preset("Leda", "female", "young", "f5", 190, 1.50, 1.04),
    Preset("Orus", "male", "decided, low", "m6", 86, 1.40, 0.98),
    Preset("Aoede", "female", "airy, flowing", "Annie", 148, 1.75, 1.04),
    Preset("Callirrhoe", "female", "relaxed", "f4", 145, 1.42, 0.90),
    Preset("Autonoe", "female", "bright, high", "f3", 178, 1.65, 1.00),
    Preset("Enceladus", "male", "breathy", "Gene2", 92, 1.35, 0.90),
    Preset("Iapetus", "male", "clear, well marked", "Alex", 98, 1.55, 0.97),
    Preset("Umbriel", "male", "relaxed, low", "michel", 84, 1.50, 0.88),
    Preset("Algieba", "male", "smooth", "Reed", 92, 1.50, 0.94),
    Preset("Despina", "female", "smooth", "Alicia", 160, 1.45, 0.95),
    Preset("Erinome", "female", "clear, even", "linda", 172, 1.35, 0.97),
    Preset("Algenib", "male", "dark, grainy", "klatt4", 82, 1.45, 0.92),
    Preset("Rasalgethi", "male", "tells facts", "Mike", 94, 1.60, 1.00),
    Preset("Laomedeia", "female", "cheerful", "f2", 182, 1.75, 1.08),
    Preset("Achernar", "female", "soft", "steph2", 168, 1.40, 0.88),
    Preset("Schedar", "male", "even, little melody", "m2", 96, 1.20, 0.96),
    Preset("Gacrux", "female", "mature", "aunty", 128, 1.55, 0.90),
    Preset("Pulcherrima", "male", "forthright", "Lee", 104, 1.55, 1.06),
    Preset("Achird", "male", "friendly", "max", 106, 1.60, 1.00),
    Preset("Zubenelgenubi", "male", "casual", "travis", 98, 1.55, 1.06),
    Preset("Vindemiatrix", "female", "gentle", "belinda", 152, 1.35, 0.88),
    Preset("Sadachbia", "male", "lively", "miguel", 112, 1.70, 1.12),
    Preset("Sadaltager", "male", "knowing, unhurried", "Nguyen", 86, 1.60, 0.92),
    Preset("Sulafat", "female", "warm", "steph3", 146, 1.50, 0.93),
    Preset("alloy", "neutral", "balanced", "norbert", 126, 1.45, 1.00),
    Preset("ash", "male", "dry, direct", "Tweaky", 92, 1.35, 1.02),
    Preset("ballad", "male", "sung, slow", "adam", 90, 1.80, 0.86),
    Preset("coral", "female", "sunny", "f5", 172, 1.65, 1.02),
    Preset("echo", "male", "level, resonant", "sandro", 88, 1.35, 0.95),
    Preset("fable", "male", "storyteller", "benjamin", 104, 1.75, 0.93),
    Preset("onyx", "male", "deep", "edward", 78, 1.50, 0.93),
    Preset("nova", "female", "energetic", "f1", 176, 1.60, 1.06),
    Preset("sage", "female", "composed", "f4", 158, 1.30, 0.94),
    Preset("shimmer", "female", "gleaming, high", "f3", 196, 1.55, 1.00),
    Preset("verse", "male", "expressive", "m5", 108, 1.70, 0.98),
    Preset("marin", "female", "natural, close", "Annie", 162, 1.50, 0.98),
    Preset("cedar", "male", "natural, warm", "m6", 98, 1.60, 0.97),
)
