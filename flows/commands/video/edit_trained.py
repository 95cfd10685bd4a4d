"""A trained editor on a video of the user's: `editmill edit senorita_editor@latest …`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.geometry import crop_resize
from experts.base import Expert, Frames
from experts.edit.tasks import EDITORS, TASKS
from experts.serving import trained_expert


@dataclass(frozen=True, slots=True)
class Editor:
    """A version of an editor, not yet loaded; whether it needs a mask, or can use a first frame."""

    expert: Expert
    needs_mask: bool
    led: bool


def editor(named: str, root: Path) -> Editor:
    """The editor `name` or `name@version` of the catalog at `root`.

    Raises EditmillError where there is none of that name or version.
    """
    name, _, version = named.partition("@")
    if name not in EDITORS:
        raise EditmillError(
            f"{named!r} is not known; tasks: {', '.join(TASKS)}; editors: {', '.join(EDITORS)}"
        )
    if not (root / "catalog.json").is_file():
        raise EditmillError(f"{root}: no catalog there; name the one with the editor by --catalog")
    dataset = catalog.open(root)
    row = trained.find(dataset, name, version or "latest")
    expert = trained_expert(dataset, row)  # says what to install where that is missing
    from experts.diffusion.specs import expert_named

    spec = expert_named(name)
    return Editor(expert, spec.mask, spec.first_frame or spec.keyframe)


def read_first_frame(path: Path, size: tuple[int, int]) -> Frames:
    """An image as a frame [H, W, 3] of `size` (height, width), cut at the middle to its shape.

    Raises EditmillError where it can't be read.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        data = np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise EditmillError(f"{path}: not an image that can be read; give a PNG or JPEG")
    rgb = np.ascontiguousarray(image[..., ::-1])
    return np.asarray(crop_resize(rgb[None], size)[0], np.uint8)
