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
    Preset("Alnilam", "male", "steady and sure", "m3", 88, 1.45, 0.96),
    Preset("Zephyr", "female", "light and clear", "f2", 165, 1.60, 1.02),
    Preset("Puck", "male", "playful, quick", "m7", 112, 1.80, 1.08),
    Preset("Charon", "male", "explains calmly", "m1", 82, 1.40, 0.94),
    Preset("Kore", "female", "plain and decided", "f1", 150, 1.40, 0.98),
    Preset("Fenrir", "male", "stirred, wide melody", "m4", 100, 1.90, 1.10),
    Preset("Leda", "female", "young", "f5", 190, 1.50, 1.04),
    Preset("Orus", "male", "decided, low", "m6", 78, 1.40, 0.98),
    Preset("Aoede", "female", "airy, flowing", "Annie", 148, 1.75, 1.04),
    Preset("Callirrhoe", "female", "relaxed", "f4", 145, 1.42, 0.90),
    Preset("Autonoe", "female", "bright, high", "f3", 178, 1.65, 1.00),
    Preset("Enceladus", "male", "breathy", "Gene", 84, 1.35, 0.90),
    Preset("Iapetus", "male", "clear, well marked", "Michael", 92, 1.55, 0.97),
    Preset("Umbriel", "male", "relaxed, low", "m8", 74, 1.50, 0.88),
    Preset("Algieba", "male", "smooth", "antonio", 86, 1.50, 0.94),
    Preset("Despina", "female", "smooth", "Alicia", 160, 1.45, 0.95),
    Preset("Erinome", "female", "clear, even", "Andrea", 172, 1.35, 0.97),
    Preset("Algenib", "male", "rough, gravelly", "grandpa", 72, 1.45, 0.92),
    Preset("Rasalgethi", "male", "tells facts", "Mario", 90, 1.60, 1.00),
    Preset("Laomedeia", "female", "cheerful", "f2", 182, 1.75, 1.08),
    Preset("Achernar", "female", "soft", "anika", 168, 1.40, 0.88),
    Preset("Schedar", "male", "even, little melody", "m2", 90, 1.20, 0.96),
    Preset("Gacrux", "female", "mature", "grandma", 128, 1.55, 0.90),
    Preset("Pulcherrima", "male", "forthright", "Henrique", 96, 1.70, 1.06),
    Preset("Achird", "male", "friendly", "Marco", 102, 1.60, 1.00),
    Preset("Zubenelgenubi", "male", "casual", "Jacky", 94, 1.55, 1.06),
    Preset("Vindemiatrix", "female", "gentle", "belinda", 152, 1.35, 0.88),
    Preset("Sadachbia", "male", "lively", "miguel", 104, 1.85, 1.12),
    Preset("Sadaltager", "male", "knowing, unhurried", "robert", 76, 1.60, 0.92),
    Preset("Sulafat", "female", "warm", "linda", 140, 1.50, 0.93),
    Preset("alloy", "neutral", "balanced", "max", 120, 1.45, 1.00),
    Preset("ash", "male", "dry, direct", "Andy", 86, 1.35, 1.02),
    Preset("ballad", "male", "sung, slow", "Hugo", 84, 1.80, 0.86),
    Preset("coral", "female", "sunny", "f5", 172, 1.65, 1.02),
    Preset("echo", "male", "level, resonant", "michel", 80, 1.35, 0.95),
    Preset("fable", "male", "storyteller", "Diogo", 98, 1.75, 0.93),
    Preset("onyx", "male", "deep", "m4", 68, 1.50, 0.93),
    Preset("nova", "female", "energetic", "f1", 176, 1.60, 1.06),
    Preset("sage", "female", "composed", "f4", 158, 1.30, 0.94),
    Preset("shimmer", "female", "gleaming, high", "f3", 196, 1.55, 1.00),
    Preset("verse", "male", "expressive", "Alex", 106, 1.70, 0.98),
    Preset("marin", "female", "natural, close", "Annie", 162, 1.50, 0.98),
    Preset("cedar", "male", "natural, warm", "m6", 92, 1.60, 0.97),
)
