"""Requests of every task, the usual ones and extreme ones, and all that people's words make of
them: what `golden/instructions.txt` lists for readers.

    python -m tests.experts.write.instruction_lists > tests/experts/write/golden/instructions.txt
"""

from __future__ import annotations

from collections.abc import Iterator

from experts.annotate.captions.labels import caption
from experts.edit.tasks import TASKS
from experts.write.language.clauses import enhance
from experts.write.language.templates import all_from_templates
from experts.write.request import SIDES, WriteRequest, shows_caption

LABELS = (
    "dog",
    "umbrella",
    "skis",
    "broccoli",
    "tv",
    "person walking to the right",
    "scissors on the left",
    "car in the foreground",
    "truck closest to the camera",
    "bicycle on the far right",
    "large vehicle",
)
"""Singular, with a vowel, in pairs, uncounted, in capitals, and told apart from others."""

GROUPS = (("person", 5), ("skis", 2), ("sheep", 3), ("tv", 1), ("broccoli", 2))

SWAPS = (
    ("car", "bus driving to the left"),
    ("skis", "skateboard"),
    ("orange car", "blue car in the foreground"),
    ("person in red", "person in dark clothes"),
)

LOOKS = (
    ("person on the left", "person", "a bronze statue of a person"),
    ("car on the right", "car", "a dark green car"),
    ("skis", "skis", "a wooden skis"),
    ("sheep", "sheep", "a sheep drawn like a charcoal and ink drawing with pale peach tints"),
    ("orange", "orange", "an old and rusty orange"),
)

STYLES = (
    "a soft, dark oil painting at dusk",
    "an old engraving in gold and brown ink",
    "watercolor style",
)

CAPTIONS = (
    "",
    caption({"person": 1}),
    caption({"person": 9, "vehicle": 2}),
    caption({"skis": 1, "broccoli": 2}),
    caption({"sheep": 2, "tv": 1}, more={"tv"}),
)

BORDERS = ((), ("top",), ("left", "right"), ("right",), SIDES)
"""Of an outpainting."""


def requests(task: str, seed: int = 0) -> Iterator[WriteRequest]:
    """Of a task, each with a seed of its own."""
    if task in ("object_removal", "object_addition"):
        found = [WriteRequest(task, label) for label in LABELS]
    elif task == "object_grounding":
        found = [WriteRequest(task, label, count=count) for label, count in GROUPS]
    elif task == "object_swap":
        found = [WriteRequest(task, label, other=other) for label, other in SWAPS]
    elif task == "local_style_transfer":
        found = [WriteRequest(task, label, look, kind=kind) for label, kind, look in LOOKS]
    elif task == "global_style_transfer":
        found = [WriteRequest(task, prompt=prompt) for prompt in STYLES]
    elif task == "outpainting":
        shown = zip(CAPTIONS, BORDERS, strict=True)
        found = [WriteRequest(task, caption=each, sides=sides) for each, sides in shown]
    elif shows_caption(task):
        found = [WriteRequest(task, caption=each) for each in CAPTIONS]
    else:
        found = [WriteRequest(task)] * 3
    for k, request in enumerate(found):
        yield WriteRequest(
            **{name: getattr(request, name) for name in request.__slots__} | {"seed": seed + k}
        )


def listed() -> Iterator[str]:
    """A line for each request: its first template, or the enhanced form of another."""
    for task in TASKS:
        yield f"# {task}"
        for k, request in enumerate(requests(task)):
            texts = all_from_templates(request)
            yield enhance(texts[1], request) if k % 3 == 2 else texts[0]
        yield ""


if __name__ == "__main__":
    print("\n".join(listed()).strip())
