"""Nouns as people write them: articles, plurals, numbers, close synonyms.

Labels are COCO's 80 for the embedded detector and free noun phrases for others, so every rule
works on any noun and the tables hold the exceptions.
"""

from __future__ import annotations

import re

COCO_LABELS = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 categories of COCO (Lin et al. 2014) as the detectors write them."""

SYNONYMS = {
    "airplane": ("plane", "aeroplane"),
    "baseball bat": ("bat",),
    "bicycle": ("bike",),
    "cell phone": ("phone", "mobile phone"),
    "couch": ("sofa",),
    "dining table": ("table",),
    "donut": ("doughnut",),
    "fire hydrant": ("hydrant",),
    "hair drier": ("hair dryer",),
    "motorcycle": ("motorbike",),
    "mouse": ("computer mouse",),
    "potted plant": ("plant", "pot plant"),
    "refrigerator": ("fridge",),
    "remote": ("remote control",),
    "sports ball": ("ball",),
    "tennis racket": ("racket",),
    "toothbrush": ("tooth brush",),
    "tv": ("television", "tv screen"),
}
"""Other names that mean the same thing to everybody; nothing narrower (a person is not a man)."""

GOING = {
    "person": "walking",
    **dict.fromkeys(("car", "bus", "truck", "vehicle", "motorcycle"), "driving"),
}
"""How what moves is said to move; everything else is just moving."""

_IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "mouse": "mice",
    "knife": "knives",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "leaf": "leaves",
    "scarf": "scarves",
    "shelf": "shelves",
    "wolf": "wolves",
    "potato": "potatoes",
    "tomato": "tomatoes",
}
_SAME = {"sheep", "fish", "deer", "broccoli", "skis", "scissors", "glasses", "trousers", "jeans"}
_PAIRS = {"skis", "scissors", "glasses", "trousers", "jeans"}
THEIRS = _PAIRS | {"person", "man", "woman", "child", "girl", "boy"}
"""What has *their* color and not *its*, even where there is one."""

_MASS = {"broccoli", "water", "grass", "sand", "snow", "food"}
_AFTER = re.compile(
    r"(?P<head>.+?)(?P<rest> (?:(?:on|in|at|with|of|from|near|behind|under|beside|to)"
    r"|(?:walking|driving|riding|moving|standing|sitting)) .*)"
)
"""A noun and what is said of it afterwards: `car | on the left`."""

_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip
# The first sound counts, not the first letter.
_VOWEL_SOUND = re.compile(r"(?!uni|use|uti|eu|one\b|once\b|ufo)[aeiou]|hour|honest|heir")


def plural(noun: str) -> str:
    """The plural of a noun phrase: the last word of the noun itself is the one that changes."""
    before, rest = _parts(noun)
    head, _, last = before.rpartition(" ")
    if last in _SAME or last in _MASS:
        many = last
    elif last in _IRREGULAR:
        many = _IRREGULAR[last]
    elif re.search(r"(s|x|z|ch|sh)$", last):
        many = last + "es"
    elif re.search(r"[^aeiou]y$", last):
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return f"{head} {many}".strip() + rest


def _parts(phrase: str) -> tuple[str, str]:
    """A noun with its adjectives, and what follows it."""
    found = _AFTER.fullmatch(phrase)
    return (found["head"], found["rest"]) if found else (phrase, "")


def head(phrase: str) -> str:
    """The noun itself: `person` of "person in a red coat"."""
    return _parts(phrase)[0].rpartition(" ")[2]


def article(phrase: str) -> str:
    """`a` or `an`, by the first sound of what follows."""
    return "an" if _VOWEL_SOUND.match(phrase.lower()) else "a"


def number(count: int) -> str:
    """`one` … `ten`; `several` above, which nobody counts in a moving picture."""
    return _NUMBERS[count] if count < len(_NUMBERS) else "several"


def definite(noun: str, count: int = 1) -> str:
    """`the car`, `the cars`."""
    return f"the {plural(noun) if count > 1 else noun}"


def indefinite(noun: str, count: int = 1) -> str:
    """`a car`, `an umbrella`, `two cars`, `some broccoli`, `a pair of skis`."""
    last = head(noun)
    if last in _MASS:
        return f"some {noun}"
    if last in _PAIRS:
        return f"a pair of {noun}" if count < 2 else f"{number(count)} pairs of {noun}"
    return f"{number(count)} {plural(noun)}" if count > 1 else f"{article(noun)} {noun}"


def several(noun: str) -> str:
    """`several cars`, `several pairs of skis`, `some broccoli`: more than anybody counts."""
    return indefinite(noun, len(_NUMBERS))


def names(noun: str, count: int = 1) -> list[str]:
    """Everything that names exactly this, longest first; plurals if there are several."""
    one = [noun, *SYNONYMS.get(noun, ())]
    many = [plural(n) for n in one]
    if noun == "person":
        many.append("persons")
    found = {*many, *(n for n in one if n in many)} if count > 1 else set(one)
    return sorted(found, key=lambda n: (-len(n), n))
