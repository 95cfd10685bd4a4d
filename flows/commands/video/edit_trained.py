"""A trained editor on a video of the user's: `editmill edit senorita_editor@latest …`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.media.geometry import crop_resize
from catalog.media.image import read_image
from experts.base import Expert, Frames
from experts.serving import trained_expert
from flows.commands.video.arguments import EditArguments


@dataclass(frozen=True, slots=True)
class Editor:
    """A version of an editor, not yet loaded, and whether it needs a mask."""

    expert: Expert
    needs_mask: bool


def editor(given: EditArguments) -> Editor:
    """The editor `name` or `name@version` of the catalog at `given.root`.

    Raises EditmillError where there is none of that version, or it cannot use a first frame and is
    given one.
    """
    name, _, version = given.task.partition("@")
    dataset = catalog.open(given.root)
    row = trained.find(dataset, name, version or "latest")
    expert = trained_expert(dataset, row)  # says what to install where that is missing
    from experts.diffusion.specs import expert_named

    spec = expert_named(name)
    if given.first_frame is not None and not (spec.first_frame or spec.keyframe):
        raise EditmillError(f"{given.task} takes no first frame; leave out --first-frame")
    return Editor(expert, spec.mask)


def read_first_frame(path: Path, size: tuple[int, int]) -> Frames:
    """An image as a frame [H, W, 3] of `size` (height, width), cut at the middle to its shape.

    Raises EditmillError where it can't be read.
    """
    return np.asarray(crop_resize(read_image(path)[None], size)[0], np.uint8)
