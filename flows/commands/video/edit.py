"""One expert, or one trained editor, on one video: `editmill edit`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from catalog import media
from catalog.wording import counted
from experts.annotate import given_masks
from experts.base import EditRequest, EditResult, Frames
from experts.edit.tasks import TASKS
from experts.plan.rules import Planning
from experts.progress import tell
from experts.serving import embedded
from filters import subtle
from filters.base import FRAMES
from filters.construction.grey import GreyCopies
from filters.construction.verdict import NO_COLOUR
from flows.commands.video import arguments, edit_trained
from flows.commands.video.arguments import EditArguments
from flows.commands.video.looks import look
from flows.recipe import MAX_FRAMES

log = logging.getLogger("editmill")


def edit(given: EditArguments) -> dict[str, Any]:
    """Edits the first MAX_FRAMES frames of the video at their own size into `given.out`.

    Where the task needs an object, its masks come from `mask`, else from `box`, else from `label`.
    Raises EditmillError in one line for whatever is missing or unreadable, and where `out` is one
    of the files that are read.
    """
    arguments.check(given)
    editor = edit_trained.editor(given) if given.editor else None
    info = media.probe(given.video)
    tell("reading the video", 0, 0)
    frames = media.read_video(given.video, count=MAX_FRAMES)
    height, width = (side // 2 * 2 for side in frames.shape[1:3])  # 4:2:0 needs even sides
    frames = frames[:, :height, :width]
    masks = None
    if given.mask != "none":
        masks = given_masks.read(given.mask, len(frames), height, width, info.frames)
    elif given.box is not None:
        tell("following the object", 0, 0)
        masks = given_masks.from_box(frames, given.box, given.label, info.fps)
    elif editor.needs_mask if editor else TASKS[given.task].needs_track:
        arguments.check_label(given.label)
        tell("finding the objects", 0, 0)
        masks = given_masks.from_label(frames, given.label, info.fps)
    if editor:
        first = given.first_frame
        params = {}
        if first is not None:
            params = {"first_frame": edit_trained.read_first_frame(first, (height, width))}
    else:
        params = look(given.task, given.prompt)
    expert = editor.expert if editor else embedded(given.task)
    tell(given.task, 0, 0)
    result = expert.edit(
        EditRequest(
            task=given.task,
            frames=frames,
            masks=masks,
            prompt=given.prompt or f"Remove {given.label}".strip(),
            label=given.label,
            seed=given.seed,
            params=params,
        )
    )
    _warn_of_poor_fill(given, result.info)
    _warn_of_no_change(given, frames, result)
    _warn_of_grey_footage(given, frames)
    tell("writing the video", 0, 0)
    codec = media.write_video(given.out, result.frames, info.fps)
    count, made_height, made_width = result.frames.shape[:3]
    return {
        "task": given.task,
        "video": str(given.video),
        "out": str(given.out),
        "side": "target" if editor else TASKS[given.task].made_side,
        "frames": count,
        "cut": bool(info.frames and info.frames > count),
        "width": made_width,
        "height": made_height,
        "codec": codec,
        "seed": given.seed,
        "info": dict(result.info),
    }


def _warn_of_poor_fill(given: EditArguments, info: Mapping[str, Any]) -> None:
    """Says so where a build would refuse the edit for what it expects behind the object."""
    error, most = info.get("fill_error"), Planning.model_fields["max_fill_error"].default
    if error is not None and error > most:
        log.warning(
            "%s: look at it: what lies behind the object is expected to be off by %.1f dB, and a "
            "build makes no pair above %.1f (plan.max_fill_error)",
            given.out,
            error,
            most,
        )


def _warn_of_no_change(given: EditArguments, frames: Frames, result: EditResult) -> None:
    """Says so where nobody would see the edit, and a build would reject it."""
    if given.task not in subtle.MEASURED or result.frames.shape != frames.shape:
        return
    if not subtle.visible(frames, result.frames, result.masks):
        log.warning(
            "%s: look at it: next to nothing has changed, and a build rejects such a pair "
            "(subtle); look at the mask, or ask for a look that differs more",
            given.out,
        )


def _warn_of_grey_footage(given: EditArguments, frames: Frames) -> None:
    """Says so where colorization has no colour to restore, and a build would reject it."""
    if given.task != "colorization":
        return
    if not GreyCopies().has_colour(frames[:: max(1, len(frames) // FRAMES)]):
        log.warning(
            "%s: look at it: %s is grey already, and a build rejects such a pair (%s); give "
            "footage in colour",
            given.out,
            given.video,
            NO_COLOUR,
        )


def describe(result: dict[str, Any]) -> str:
    """The result in two lines for a person."""
    role = {
        "target": "the edited video",
        "source": "the pair's source; your video is its target",
    }[result["side"]]
    cut = f", cut to {result['frames']} frames" if result["cut"] else ""
    return (
        f"{result['out']}: {role} ({counted(result['frames'], 'frame')}, "
        f"{result['width']}×{result['height']}, {result['codec']}{cut}; without sound)\n"
        f"{_facts(result['info'])}"
    )


def _facts(info: Mapping[str, Any]) -> str:
    """What the expert did, in words and single numbers; all of it is in the JSON."""
    shown = []
    for name, value in info.items():
        if isinstance(value, float):
            value = float(f"{value:.3g}")
        if isinstance(value, str | int | float):
            shown.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(shown)
