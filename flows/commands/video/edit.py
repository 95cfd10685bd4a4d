"""One expert, or one trained editor, on one video: `editmill edit`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from catalog import media
from catalog.errors import EditmillError
from experts.annotate import given_masks
from experts.base import EditRequest
from experts.edit.style.materials import MATERIALS
from experts.edit.style.recolor import COLOURS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import TASKS
from experts.serving import embedded
from flows.commands.video import edit_trained
from flows.recipe import MAX_FRAMES


def edit(
    task_name: str,
    video: Path,
    out: Path,
    *,
    mask: str = "none",
    box: str | None = None,
    label: str = "",
    prompt: str = "",
    seed: int = 0,
    first_frame: Path | None = None,
    root: Path | None = None,
) -> dict[str, Any]:
    """Edits the first MAX_FRAMES frames of `video` at their own size into `out`.

    Where the task needs an object, its masks come from `mask`, else from `box`, else from `label`.
    In place of a task stands the name of an editor of the catalog at `root`, perhaps led by an
    edited `first_frame`. Raises EditmillError in one line for whatever is missing or unreadable,
    and where `out` is one of the files that are read.
    """
    editor = None
    if task_name not in TASKS:
        editor = edit_trained.editor(task_name, root or Path())
        if not prompt:
            raise EditmillError(f"{task_name} does what it is told; give --prompt")
    if first_frame is not None and not (editor and editor.led):
        raise EditmillError(f"{task_name} takes no first frame; leave out --first-frame")
    if out.suffix.lower() != ".mp4":
        raise EditmillError(f"{out}: the result is an MP4; name it *.mp4")
    for given in (video, Path(mask), first_frame):
        if given is not None and _is_same(out, given):
            raise EditmillError(f"{out}: would replace {given}, which is read; give another --out")
    info = media.probe(video)
    frames = media.read_video(video, count=MAX_FRAMES)
    height, width = (side // 2 * 2 for side in frames.shape[1:3])  # 4:2:0 needs even sides
    frames = frames[:, :height, :width]
    masks = None
    if mask != "none":
        masks = given_masks.read(mask, len(frames), height, width, info.frames)
    elif box is not None:
        masks = given_masks.from_box(frames, box, label, info.fps)
    elif editor.needs_mask if editor else TASKS[task_name].needs_track:
        masks = given_masks.from_label(frames, label, info.fps)
    if editor:
        first = edit_trained.read_first_frame(first_frame, (height, width)) if first_frame else None
        params = {} if first is None else {"first_frame": first}
    else:
        params = _look(task_name, prompt)
    expert = editor.expert if editor else embedded(task_name)
    result = expert.edit(
        EditRequest(
            task=task_name,
            frames=frames,
            masks=masks,
            prompt=prompt or f"Remove {label}".strip(),
            label=label,
            seed=seed,
            params=params,
        )
    )
    codec = media.write_video(out, result.frames, info.fps)
    count, made_height, made_width = result.frames.shape[:3]
    return {
        "task": task_name,
        "video": str(video),
        "out": str(out),
        "side": "target" if editor else TASKS[task_name].made_side,
        "frames": count,
        "cut": bool(info.frames and info.frames > count),
        "width": made_width,
        "height": made_height,
        "codec": codec,
        "seed": seed,
        "info": dict(result.info),
    }


def _is_same(out: Path, given: Path) -> bool:
    """Whether both are one file, also by a link or another spelling."""
    try:
        return out.samefile(given)
    except OSError:  # one of them is not there
        return False


def _look(task_name: str, prompt: str) -> dict[str, Any]:
    """The stylizers' parameters for a prompt that names a colour, a material or a style."""
    if not task_name.endswith("style_transfer"):
        return {}
    words = set(re.findall(r"[a-z_]+", prompt.lower()))
    styles = [style.name for style in STYLES if style.name in words or style.prompt in prompt]
    if task_name == "global_style_transfer" and styles:
        return {"style": styles[0]}
    if task_name == "local_style_transfer":
        for kind, known in (("color", COLOURS), ("material", MATERIALS), ("style", styles)):
            named = [name for name in known if name in words or kind == "style"]
            if named:
                return {"kind": kind, kind: named[0]}
    looks = [style.name for style in STYLES]
    if task_name == "local_style_transfer":
        looks = [*COLOURS, *MATERIALS, *looks]
    raise EditmillError(f"--prompt {prompt!r} names no look; use one of: {', '.join(looks)}")


def describe(result: dict[str, Any]) -> str:
    """The result in two lines for a person."""
    role = {
        "target": "the edited video",
        "source": "the pair's source; your video is its target",
    }[result["side"]]
    cut = f", cut to {result['frames']} frames" if result["cut"] else ""
    return (
        f"{result['out']}: {role} ({result['frames']} frames, "
        f"{result['width']}×{result['height']}, {result['codec']}{cut})\n"
        f"{json.dumps(result['info'])}"
    )
