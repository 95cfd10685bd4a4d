"""Masks as people store them: videos, and folders of images, one a frame.

What is the object is decided for all frames together, since one alone may be empty:

- An alpha channel that is not the same everywhere is the mask, the colours under it are not.
- Where there is black and one other level (0 and 255, 0 and 1, 0 and 65535), that is the object.
- Flat patches of several colours, or of several dark levels, are ids: whatever is not black is the
  object, all of them together, and a warning says so.
- Otherwise it is a grey or lossy mask, of which the brighter half is the object.

A coloured pixel is as bright as its brightest channel. What can be read in two ways, or is no mask
at all, is refused.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog import media
from catalog.errors import BadInput
from catalog.media.isolation.picture import decoded, palette_indices
from experts.base import Masks

log = logging.getLogger("editmill")

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"))
LOSSY = frozenset((".jpg", ".jpeg", ".webp"))

MAX_ID_LEVELS = 32
"""Levels. With more of them, those within a sixteenth of black are taken for a codec's noise."""

MIN_FLAT_SHARE = 0.5
"""Share of pixels that equal their neighbours, from which on they are flat patches and no edge."""

MIN_WHITE = 0.75
"""Of white. An image that is nowhere as bright is no grey mask."""

MAX_GREY_SHARE = 1 / 3
"""Share of pixels in the middle half of the levels: a mask has only its edges there, a photograph
has most."""

_REMEDY = "make the object white and all else black"

Levels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class _MaskImages:
    """The brightness of each pixel of the mask images, [H, W] each."""

    where: Path
    levels: list[Levels]
    coloured: bool  # some pixel is not grey
    exact: bool  # no codec changed the levels


def from_video(path: Path) -> Masks:
    """The masks [T, H, W] a video shows. Raises BadInput as :func:`from_images` does."""
    levels: list[Levels] = [frame.max(-1) for frame in media.iter_frames(path)]
    return _masks(_MaskImages(path, levels, coloured=False, exact=False))


def from_images(path: Path) -> Masks:
    """The masks [T, H, W] in a folder of images, in the order of the numbers in their names (1, 2,
    10), or in one image.

    Raises BadInput: `no_masks`, `mask_numbers` (they skip or repeat), `mask_shape` (they differ),
    `unclear_mask` (see the module's head), and as :func:`decoded`.
    """
    files = [path] if path.is_file() else _files(path)
    images = [_image(file) for file in files]
    if len({(image.shape, image.dtype) for image in (i[..., 0] for i in images)}) > 1:
        raise BadInput(
            "mask_shape", f"{path}: the mask images differ in size or depth; make them the same"
        )
    colours = [image[..., :3] for image in images]
    pictures = _MaskImages(
        path,
        [image.max(-1) for image in colours],
        coloured=any((image.min(-1) != image.max(-1)).any() for image in colours),
        exact=not any(file.suffix.lower() in LOSSY for file in files),
    )
    alphas = [image[..., 3] for image in images if image.shape[-1] == 4]
    if alphas and min(a.min() for a in alphas) < max(a.max() for a in alphas):
        return _by_alpha(pictures, alphas)
    masks = _masks(pictures)
    if pictures.coloured:
        _check_palettes(path, files, masks)
    return masks


def _files(folder: Path) -> list[Path]:
    try:
        inside = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise BadInput(
            "unreadable_folder",
            f"{folder}: cannot be read ({error.strerror}); name a mask video or a folder of images",
            final=False,
        ) from None
    files = [p for p in inside if not p.name.startswith(".")]
    if not files:
        raise BadInput(
            "no_masks", f"{folder}: no image in it; name them in frame order, like 0001.png"
        )
    files.sort(key=lambda p: (_natural(p.name), p.name))
    _check_numbers(folder, files)
    return files


def _check_numbers(folder: Path, files: Sequence[Path]) -> None:
    """Raises BadInput where names do not count on evenly: a frame's mask is missing or there twice,
    or these are the masks of several objects, and each would be taken for another frame's."""
    parts = [_natural(file.stem) for file in files]
    if len(files) < 3 or not any(len(part) > 1 for part in parts):
        return
    alike = len({len(part) for part in parts}) == 1
    varying = [column for column in zip(*parts, strict=False) if len(set(column)) > 1]
    if alike and len(varying) == 1 and isinstance(varying[0][0], int):
        steps = {int(b) - int(a) for a, b in itertools.pairwise(varying[0])}
        if len(steps) == 1:
            return
    raise BadInput(
        "mask_numbers",
        f"{folder}: the images' names do not count the frames one by one, so that masks would fall "
        "on wrong frames; name them 0001.png, 0002.png … with none missing",
    )


def _natural(name: str) -> list[str | int]:
    """Sorts by the numbers in it: text and numbers take turns, so like is compared with like."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


def _image(file: Path) -> Levels:
    """[H, W, 1, 3 or 4], colours as blue, green, red, alpha."""
    image: Levels = decoded(file, cv2.IMREAD_UNCHANGED)
    return image[..., None] if image.ndim == 2 else image


def _by_alpha(pictures: _MaskImages, alphas: Sequence[Levels]) -> Masks:
    if len(alphas) < len(pictures.levels):
        raise _unclear(pictures.where, "some of the images have an alpha channel and some have not")
    masks = _masks(_MaskImages(pictures.where, list(alphas), coloured=False, exact=pictures.exact))
    shown = [np.unique(levels) for levels in pictures.levels]
    values = np.unique(np.concatenate(shown))
    if len(values) == 2 and values[0] == 0:
        drawn = np.stack([levels > 0 for levels in pictures.levels])
        if (drawn != masks).any():
            raise _unclear(pictures.where, "colours and alpha channel show different masks")
    return masks


def _check_palettes(where: Path, files: Sequence[Path], masks: Masks) -> None:
    """Raises BadInput where a coloured palette's index 0 is not what is black: tools that write
    ids write the background as 0."""
    for file, mask in zip(files, masks, strict=True):
        indices = palette_indices(file)
        if indices is not None and ((indices != 0) != mask).any():
            raise _unclear(
                where, f"in {file.name}'s palette black and the index 0 are not the same"
            )


def _masks(pictures: _MaskImages) -> Masks:
    least = _least(pictures)
    return np.stack([levels >= least for levels in pictures.levels])


def _least(pictures: _MaskImages) -> int:
    """The darkest level of the object."""
    white = int(np.iinfo(pictures.levels[0].dtype).max)
    half = (white + 1) // 2
    counts = np.zeros(white + 1, np.int64)
    for levels in pictures.levels:
        counts += np.bincount(levels.ravel(), minlength=white + 1)
    values = np.flatnonzero(counts)
    darkest, brightest = int(values[0]), int(values[-1])
    if len(values) == 1 or (len(values) == 2 and darkest == 0):
        return 1
    dark = ((values > 0) & (values < half)).any()
    if pictures.exact and darkest == 0:
        if not dark:
            return 1  # whatever the levels mean
        noise = 0 if len(values) <= MAX_ID_LEVELS else brightest / 16
        if _flat_share(pictures.levels, noise, half) >= MIN_FLAT_SHARE:
            if pictures.coloured or brightest < half:
                log.warning("%s: several colours or ids; taken together as one", pictures.where)
                return 1
            raise _unclear(
                pictures.where, f"flat patches of {len(values)} levels are ids, or shades of grey"
            )
    if brightest < MIN_WHITE * white:
        raise _unclear(pictures.where, f"its brightest level is {brightest} of {white}")
    if counts[white // 4 : 3 * white // 4].sum() > MAX_GREY_SHARE * counts.sum():
        raise _unclear(pictures.where, "most of it is neither dark nor bright: a picture, no mask")
    return half


def _flat_share(pictures: Sequence[Levels], above: float, below: int) -> float:
    """Of the pixels of these levels, how many equal their right and lower neighbours; 0–1."""
    among = flat = 0
    for levels in pictures:
        here = levels[:-1, :-1]
        chosen = (here > above) & (here < below)
        same = (here == levels[:-1, 1:]) & (here == levels[1:, :-1])
        among += int(chosen.sum())
        flat += int((chosen & same).sum())
    return flat / among if among else 0.0


def _unclear(where: Path, what: str) -> BadInput:
    return BadInput("unclear_mask", f"{where}: cannot tell what the mask is ({what}); {_REMEDY}")
