"""Contact sheets: pairs as still pictures, to be looked at without a player.

One pair is a picture of three rows, source, target and mask, at frames spread evenly over it. Many
pairs are blocks of two frames each, two pairs to a line, the second frame enlarged around a small
object. Text is in OpenCV's own strokes, so that a sheet is the same on every machine; they are
ASCII alone.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput, EditmillError
from catalog.media.decode import read_masks, sample_frames, sample_masks
from catalog.media.image import Picture
from catalog.records import Pair

CELL = (200, 356)
"""Height and width of a frame in a sheet of many pairs, px; other shapes are fitted in."""

TALL_CELL = (400, 356)
"""The same of a frame that is higher than wide."""

ENLARGED = 2.0
"""Sides of the object's box that the part of a frame which is enlarged has."""

WORTH_ENLARGING = 0.7
"""Of the frame's width or height: a part that is as large is no better seen by itself."""

CELL_LETTERS = 36
"""Letters to a line of the words in a cell without a frame."""

FRAME_WIDTH = 320
"""px of a frame in the sheet of one pair, which keeps the pair's own shape."""

BAR = 24
"""px, the height of a line of text."""

MARGIN = 8
"""px around text and between pairs."""

PAPER, INK, EMPTY = (255, 255, 255), (20, 20, 20), (120, 120, 120)
KEPT, REJECTED = (206, 240, 206), (250, 208, 204)
"""RGB behind the words about a pair."""

Part: TypeAlias = tuple[float, float, float, float]
"""Of a frame: top, left, height and width, as shares of its height and width."""

WHOLE: Part = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Strip:
    """Frames of one row, uint8 RGB [n, H, W, 3], with its name; `error` says why there are none."""

    name: str
    frames: NDArray[np.uint8]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The picture, RGB [H, W, 3], and why it lacks what it lacks: of one pair by part (`source`,
    `target`, `mask`), of many by the pair's id."""

    picture: Picture
    unreadable: dict[str, str]


def strips(pair: Pair, media: Callable[[str], Path], count: int, long_side: int) -> list[Strip]:
    """Source, target and, where there is one, mask of a pair at `count` frames from its first to
    its last, each frame's longer side at most `long_side` px.

    `media` gives the file behind a reference. A file that cannot be read gives a strip that says
    why.
    """

    def side(name: str, ref: str) -> Strip:
        origin = "made" if name == pair.generated_side else "footage"
        return _strip(
            f"{name} ({origin})",
            lambda: _fitted(sample_frames(media(ref), count), (long_side, long_side)),
        )

    found = [side("source", pair.source_video), side("target", pair.target_video)]
    if pair.mask:
        found.append(_strip("mask", lambda: _mask_frames(media(pair.mask), count, long_side)))
    return found


def pair_sheet(pair: Pair, media: Callable[[str], Path], count: int = 5) -> Sheet:
    """One pair: what it is, then a row of `count` frames for each of its files."""
    rows = strips(pair, media, count, FRAME_WIDTH)
    width = max(count * FRAME_WIDTH, *(row.frames.shape[0] * row.frames.shape[2] for row in rows))
    numbers = np.rint(np.linspace(0, max(pair.target_frames - 1, 0), count)).astype(int)
    parts = [
        _line(f"{pair.pair_id[:12]}  {pair.task}  {_verdict(pair)}", width, _paper(pair)),
        _line(pair.instruction, width),
    ]
    for row in rows:
        parts.append(_line(row.name, width))
        if row.error:
            parts.append(_line(row.error, width, EMPTY))
            continue
        parts.append(_padded(np.concatenate([*row.frames], axis=1), width))
    parts.append(_line("frames " + ", ".join(map(str, numbers)), width))
    unreadable = {row.name.partition(" ")[0]: row.error for row in rows if row.error}
    return Sheet(np.concatenate(parts), unreadable)


def pair_strip(
    pair: Pair, media: Callable[[str], Path], count: int = 3, width: int = 200
) -> Picture:
    """The source above the target as RGB [H, W, 3], without words: `count` frames from the first to
    the last, each at most `width` px on its longer side.

    Raises EditmillError where a file cannot be read.
    """
    rows = strips(pair, media, count, width)[:2]
    if unreadable := next((row.error for row in rows if row.error), ""):
        raise EditmillError(unreadable)
    across = [np.concatenate([*row.frames], axis=1) for row in rows]
    return np.concatenate([_padded(row, max(each.shape[1] for each in across)) for row in across])


def many_sheet(pairs: Sequence[Pair], media: Callable[[str], Path]) -> Sheet:
    """Several pairs, two to a line: source and target at the first frame, then at two thirds of the
    way, where a small object that is edited is seen close by."""
    unreadable: dict[str, str] = {}
    blocks = []
    for pair in pairs:
        sides = _sides(pair, media)
        blocks.append(_block(pair, sides, media))
        if why := next((side.error for side in sides if side.error), ""):
            unreadable[pair.pair_id] = why
    lines = [_side_by_side(blocks[i : i + 2]) for i in range(0, len(blocks), 2)]
    width = max(line.shape[1] for line in lines)
    return Sheet(np.concatenate([_padded(line, width) for line in lines]), unreadable)


def _sides(pair: Pair, media: Callable[[str], Path]) -> list[Strip]:
    """Four frames of source and target each."""
    return [
        _strip("source", lambda: sample_frames(media(pair.source_video), 4)),
        _strip("target", lambda: sample_frames(media(pair.target_video), 4)),
    ]


def _block(pair: Pair, sides: list[Strip], media: Callable[[str], Path]) -> Picture:
    later = 2  # of four: two thirds of the way
    tall = any(side.frames.shape[1] > side.frames.shape[2] for side in sides)
    shape = TALL_CELL if tall else CELL
    close = _around_object(pair, media, later, shape)
    moments = ((0, WHOLE, "first frame"), (later, close, "later" if close == WHOLE else "enlarged"))
    cells = [
        _cell(_cut_out(side.frames[k], part) if not side.error else None, side.error, shape)
        for k, part, _ in moments
        for side in sides
    ]
    names = [_line(f"{side.name}, {what}", shape[1]) for *_, what in moments for side in sides]
    words = f"{pair.pair_id[:8]}  {pair.task}  {_verdict(pair)}  {pair.instruction}"
    width = len(cells) * shape[1]
    lines = [_line(words, width, _paper(pair)), np.concatenate(names, axis=1)]
    gap = np.full((MARGIN, width, 3), 255, np.uint8)
    return np.concatenate([*lines, np.concatenate(cells, axis=1), gap])


def _around_object(
    pair: Pair, media: Callable[[str], Path], number: int, cell: tuple[int, int]
) -> Part:
    """What to show of one of four frames: around its mask, in the cell's shape; all of it where
    there is no mask, or the object is large."""
    if not pair.mask:
        return WHOLE
    try:
        mask = sample_masks(media(pair.mask), 4)[number]
    except BadInput:  # a sheet of one pair says why
        return WHOLE
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return WHOLE
    (height, width), shape = mask.shape, cell[1] / cell[0]
    high = ENLARGED * max(np.ptp(rows) + 1, (np.ptp(columns) + 1) / shape)
    part = high / height, high * shape / width
    if max(part) > WORTH_ENLARGING:
        return WHOLE
    middle = (rows[0] + rows[-1] + 1) / 2 / height, (columns[0] + columns[-1] + 1) / 2 / width
    top, left = (min(max(m - p / 2, 0.0), 1 - p) for m, p in zip(middle, part, strict=True))
    return top, left, *part


def _cut_out(frame: Picture, part: Part) -> Picture:
    height, width = frame.shape[:2]
    top, left = round(part[0] * height), round(part[1] * width)
    return frame[top : top + round(part[2] * height), left : left + round(part[3] * width)]


def _strip(name: str, frames: Callable[[], NDArray[np.uint8]]) -> Strip:
    try:
        return Strip(name, frames())
    except BadInput as error:
        return Strip(name, np.zeros((0, 1, 1, 3), np.uint8), str(error))


def _mask_frames(path: Path, count: int, long_side: int) -> NDArray[np.uint8]:
    masks = read_masks(path)
    picked = masks[np.rint(np.linspace(0, len(masks) - 1, count)).astype(int)]
    white = np.repeat(picked[..., None], 3, axis=3).astype(np.uint8) * 255
    return _fitted(white, (long_side, long_side))


def _fitted(frames: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint8]:
    """The frames scaled to just fit in a box of (height, width) px; small ones are enlarged, so
    that rows of one pair line up."""
    height, width = frames.shape[1:3]
    scale = min(box[0] / height, box[1] / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, size, interpolation=how) for frame in frames])


def _cell(frame: Picture | None, error: str, shape: tuple[int, int]) -> Picture:
    """A frame in the top left corner of a cell, or a grey cell that says why there is none."""
    if frame is None:
        cell = np.full((*shape, 3), EMPTY, np.uint8)
        lines = textwrap.wrap(error, CELL_LETTERS)[: shape[0] // BAR]
        for k, line in enumerate(lines):
            cell[k * BAR : (k + 1) * BAR] = _line(line, shape[1], EMPTY)
        return cell
    cell = np.full((*shape, 3), 225, np.uint8)  # grey: holes and maps are black
    fitted = _fitted(frame[None], shape)[0]
    cell[: fitted.shape[0], : fitted.shape[1]] = fitted
    return cell


def _line(text: str, width: int, paper: tuple[int, int, int] = PAPER) -> Picture:
    """A line of text, cut where it is wider than the picture."""
    bar = np.full((BAR, width, 3), paper, np.uint8)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    while plain and _text_width(plain) > width - 2 * MARGIN:
        plain = plain[:-4].rstrip(".") + "..." if len(plain) > 4 else ""
    place = (MARGIN, BAR - MARGIN + 1)
    cv2.putText(bar, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return bar


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0])


def _padded(strip: Picture, width: int) -> Picture:
    out = np.full((strip.shape[0], width, 3), 255, np.uint8)
    out[:, : strip.shape[1]] = strip
    return out


def _side_by_side(blocks: Sequence[Picture]) -> Picture:
    """One or two blocks on a white line that is as high as the higher one."""
    height = max(block.shape[0] for block in blocks)
    cells: list[Picture] = []
    for block in blocks:
        whole = np.full((height, block.shape[1], 3), 255, np.uint8)
        whole[: block.shape[0]] = block
        cells += [np.full((height, MARGIN, 3), 255, np.uint8), whole] if cells else [whole]
    return np.concatenate(cells, axis=1)


def _paper(pair: Pair) -> tuple[int, int, int]:
    return KEPT if pair.keep else REJECTED


def _verdict(pair: Pair) -> str:
    return "kept" if pair.keep else f"rejected: {pair.reason}"
