"""The commented recipe that `editmill init` writes, from what the footage is and shows.

Weights and edits per clip are the embedded recipe's, which fits two CPU cores; what follows from
the footage is worked out here.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import yaml

from catalog.errors import BadInput, visible
from catalog.media import fit_size
from catalog.wording import counted
from experts.edit.tasks import CONDITIONAL, LOCAL, TASKS, Size
from filters.base import FRAMES
from flows.commands.making.footage import Objects, ReadableVideos
from flows.recipe import Clips, load

FIRST_CLIPS = 16
"""Clips of a first build: with nine edits each about twenty minutes on two cores, long enough to
judge a recipe by, short enough to throw away."""

EDITS_WITHOUT_OBJECTS = 6
"""Edits per clip of footage that shows no objects: as many as `Planning` has by default."""

LONGEST_EDIT = CONDITIONAL.frames
"""Frames; a longer clip only costs annotation."""

KEYFRAME_EVERY = 21
"""Frames between two that go through SAM 2: four of a clip of 64, as in the embedded recipe."""

LARGEST = 1280
"""px: above this a conditional edit takes up to 2.4 times as long, at the paper's 1984."""

LONGEST_NAME = 40
"""Characters of a video's name in a comment."""

COMMENT_AT = 36
"""Column of the comments."""

OF_OBJECTS = {
    "object_removal": "few objects suit: what they hide must be seen at some time",
    "object_addition": "a removal, read backwards",
    "object_swap": "needs a like object in another clip",
    "local_style_transfer": "an object recoloured, in a material or painted",
    "object_grounding": "objects in colours, all else black",
}
OF_CLIPS = {
    "global_style_transfer": "the whole clip in a style",
    "inpainting": "a moving hole is filled",
    "outpainting": "a black border is filled",
    "canny_to_video": "from Canny edges back to footage",
    "hed_detection": "soft edges; HED is the slowest of the maps",
    "hed_to_video": "and back to footage",
    "fake_scribble_detection": "thick strokes, from HED as well",
    "fake_scribble_to_video": "and back to footage",
    "colorization": "from grey to colour",
    "deblur": "from blurred to sharp",
    "upscaling": "from small to large",
}
"""What is said of each task beside its weight, which is the embedded recipe's."""


def recipe_text(name: str, folder: Path, found: ReadableVideos, objects: Objects) -> str:
    """YAML that :func:`flows.recipe.parse` takes. The same footage gives the same text, but for the
    depth tasks, which are on where `EDITMILL_DEPTH` names a model."""
    sections = (
        _head(name, folder, found, objects),
        _clips(found),
        _annotate(found),
        _plan(found, objects),
        _run(),
    )
    return "\n".join(line for section in sections for line in (*section, ""))


def _head(name: str, folder: Path, found: ReadableVideos, objects: Objects) -> Iterator[str]:
    yield f"# For {counted(len(found.videos), 'video')}, {found.seconds / 60:.1f} minutes in all."
    yield "# Written by `editmill init`; every key that is not here has the papers' value."
    yield f"name: {name if yaml.safe_load(name) == name else _quoted(name)}"  # 2024, `on`
    yield "seed: 0  # another seed draws other edits"
    yield ""
    yield "sources:"
    yield "  - kind: folder"
    yield f"    path: {_quoted(str(folder))}"
    yield "    licence: unknown  # your footage's, CC-BY-4.0 for instance; every pair carries it"
    yield from _labels(found, objects)


def _labels(found: ReadableVideos, objects: Objects) -> Iterator[str]:
    """Only a look at every video may leave labels out."""
    if not objects.videos:
        return
    yield (
        f"    # Objects that may be edited, as seen in a few frames of {objects.looked_at} "
        f"of {counted(len(found.videos), 'video')}"
    )
    yield "    # (" + ", ".join(f"{k} in {n}" for k, n in objects.videos.items()) + ")."
    for label, one in objects.doubtful.items():
        where = _short(visible(one.video))
        yield f"    # {label}: in {where} alone, with a score of {one.score:.2f}; is it one?"
    sure = [label for label in objects.videos if label not in objects.doubtful]
    names = ", ".join(_quoted(each) if " " in each else each for each in sure or objects.videos)
    if objects.looked_at == len(found.videos):
        yield "    # Take out what was seen by mistake, and add what was in doubt and is right;"
        yield "    # without this line all that the detector knows counts (COCO's 80 kinds)."
        yield f"    labels: [{names}]"
    else:
        yield "    # To edit these alone, take away the `#`; without it all that the detector knows"
        yield "    # counts (COCO's 80 kinds)."
        yield f"    # labels: [{names}]"


def _clips(found: ReadableVideos) -> Iterator[str]:
    lengths = [video.info.frames for video in found.videos]
    least = Clips().min_frames
    longest = max(least, min(LONGEST_EDIT, max(lengths)))
    every = sum(-(-frames // longest) for frames in lengths)
    yield "clips:"
    yield _key("max_frames", longest, f"longer shots are cut; no edit has more than {LONGEST_EDIT}")
    if min(lengths) < least:
        least = min(least, max(FRAMES, min(lengths)), max(lengths))
        yield _key("min_frames", least, "the papers' 33 would leave short videos out")
    per_source = max(1, round(FIRST_CLIPS / len(lengths)))
    if every > FIRST_CLIPS and max(lengths) > per_source * longest:
        clips = counted(every, "clip")
        yield _key("per_source", per_source, f"take this line away for all, about {clips}")


def _annotate(found: ReadableVideos) -> Iterator[str]:
    rates = [video.info.fps for video in found.videos]
    seconds = KEYFRAME_EVERY / statistics.median(rates)
    fewest, most = (round(seconds * fps) for fps in (min(rates), max(rates)))
    every = f"{fewest} to {most}" if fewest < most else f"{most}"
    yield "annotate:"
    yield _key("keyframe_seconds", f"{seconds:.2f}", f"objects are looked for every {every} frames")


def _plan(found: ReadableVideos, objects: Objects) -> Iterator[str]:
    usual = load("embedded").plan
    yield "plan:"
    edits = usual.edits_per_clip if objects.videos else EDITS_WITHOUT_OBJECTS
    yield _key("edits_per_clip", edits, "at most, by weight; a task again only for another object")
    if objects.videos:
        yield _key(
            "local_share", usual.local_share, "of them edit one object; fewer objects, fewer edits"
        )
        swaps = usual.swaps_per_clip
        yield _key("swaps_per_clip", swaps, "beside these, where other clips have fitting objects")
    if max(max(v.info.width, v.info.height) for v in found.videos) > LARGEST:
        yield _key("long_side", LARGEST, "px; else up to the papers' 1984, at 2.4 times the work")
    yield f"  # Local edits come out at {_edit_size(found, LOCAL)}, the others at up to"
    yield f"  # {_edit_size(found, CONDITIONAL)}: footage is never enlarged."
    yield "  weights:"
    if not objects.videos:
        yield "    # No object was seen, so the tasks that need one are off."
    for task, what in OF_OBJECTS.items():
        weight = usual.weights.get(task, 0) if objects.videos else 0
        yield _key(task, f"{weight:g}", what, 4)
    for task, what in OF_CLIPS.items():
        yield _key(task, f"{usual.weights.get(task, 0):g}", what, 4)
    for named in (task for task in TASKS.values() if task.checkpoint):
        if os.environ.get(named.checkpoint):
            yield _key(named.name, 1, f"by the model in {named.checkpoint}", 4)
        else:
            what = "needs `models: {depth: depth_anything}`, see docs/tasks.md"
            yield _key(named.name, 0, what, 4)


def _run() -> Iterator[str]:
    yield "run:"
    yield _key("shard_size", 1, "clips that go through a stage together")
    yield _key("workers", 2, "shards at a time: about as many as there are cores")
    yield _key("threads", 1, "of each model call")


def _key(name: str, value: object, comment: str, indent: int = 2) -> str:
    return f"{' ' * indent}{name}: {value}".ljust(COMMENT_AT) + f"  # {comment}"


def _edit_size(found: ReadableVideos, size: Size) -> str:
    """Of the largest video, as width×height."""
    info = max((video.info for video in found.videos), key=lambda i: i.width * i.height)
    height, width = (size.height, size.width)
    if info.height > info.width:
        height, width = width, height
    if (longer := max(height, width)) > LARGEST:
        height, width = round(height * LARGEST / longer), round(width * LARGEST / longer)
    try:
        height, width = fit_size(info.width, info.height, height, width)
    except BadInput:
        return "no size: the videos are too small"
    return f"{width}×{height}"


def _short(name: str) -> str:
    """The end of a long name."""
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME:]}"


def _quoted(text: str) -> str:
    """The text as YAML on one line."""
    dumped: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1 << 20)
    return dumped.strip()
