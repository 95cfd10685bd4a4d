"""One pair of a catalog with its frames, masks and difference, read from its media on first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray

from catalog.arguments import whole_number
from catalog.errors import EditmillError
from catalog.keeping.erased import kept_path
from catalog.media.decode import read_masks, read_video
from catalog.records import FILTER_SCORES, SCORES, Pair
from catalog.storage.media import MediaStore

if TYPE_CHECKING:
    import torch

Scalar = TypeVar("Scalar", bound=np.generic)

Part = Literal["source", "target", "mask", "difference"]


@dataclass(frozen=True, eq=False, repr=False)
class PairSample:
    """A pair: `record` is its row at `ref`, `media` knows where its videos lie. Two are equal that
    are the same pair of the same catalog at the same ref.

    `source`, `target`, `mask` and `difference` decode the whole video on first use and keep it as
    long as the sample lives; so they are read-only, and `.copy()` is one's own. :meth:`frames` and
    :meth:`tensor` keep nothing. All of them raise BadInput, with the file's name, where a video is
    missing, damaged or erased with its source.
    """

    record: Pair
    media: MediaStore
    ref: str = "main"

    @property
    def _identity(self) -> tuple[str, str, str]:
        return self.id, self.media.storage.uri, self.ref

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PairSample) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def id(self) -> str:
        return self.record.pair_id

    @property
    def task(self) -> str:
        return self.record.task

    @property
    def instruction(self) -> str:
        return self.record.instruction

    @property
    def keep(self) -> bool:
        return self.record.keep

    @property
    def reason(self) -> str:
        """Why it was rejected, a machine word; empty if it was kept."""
        return self.record.reason

    @property
    def scores(self) -> dict[str, float | None]:
        """Each filter's score; None where that filter did not measure the pair. A judge's are there
        where one was asked."""
        asked = [n for n in SCORES if n in FILTER_SCORES or n in self.record.filter_versions]
        return {name: getattr(self.record, f"{name}_score") for name in asked}

    @property
    def has_mask(self) -> bool:
        return bool(self.record.mask)

    @cached_property
    def source(self) -> NDArray[np.uint8]:
        """The video before the edit, uint8 [T, H, W, 3] RGB."""
        return _read_only(self.frames("source"))

    @cached_property
    def target(self) -> NDArray[np.uint8]:
        """The video after the edit, uint8 [T, H, W, 3] RGB."""
        return _read_only(self.frames("target"))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Where the edit is, bool [T, H, W]. Raises EditmillError for a pair without a mask."""
        return _read_only(self.frames("mask"))

    @cached_property
    def difference(self) -> NDArray[np.uint8]:
        """|source − target| per channel, uint8 [T, H, W, 3]. Raises EditmillError where the two
        sides differ in size."""
        return _read_only(self._difference(self.source, self.target))

    @overload
    def frames(
        self, part: Literal["mask"], first: int = ..., count: int | None = ...
    ) -> NDArray[np.bool_]: ...

    @overload
    def frames(
        self,
        part: Literal["source", "target", "difference"],
        first: int = ...,
        count: int | None = ...,
    ) -> NDArray[np.uint8]: ...

    def frames(self, part: Part, first: int = 0, count: int | None = None) -> NDArray[Any]:
        """Frames `first`, `first + 1`, …: at most `count`, and none past the end.

        Only these are decoded, from the keyframe before them on. Shapes are those of the attribute
        of that name. Raises EditmillError for a part that the pair does not have, and for what is
        no number of frames.
        """
        first = whole_number(first, "first", 0)
        count = None if count is None else whole_number(count, "count", 0)
        if part == "difference":
            return self._difference(
                self.frames("source", first, count), self.frames("target", first, count)
            )
        if part == "mask":
            if not self.has_mask:
                raise EditmillError(
                    f"pair {self.id}: {self.task} has no mask; `has_mask` tells which pairs do"
                )
            return read_masks(self._path(self.record.mask), first, count)
        if part == "source":
            return read_video(self._path(self.record.source_video), first, count)
        if part == "target":
            return read_video(self._path(self.record.target_video), first, count)
        raise EditmillError(f"a pair has no {part!r}; it has {', '.join(get_args(Part))}")

    def tensor(self, part: Part, first: int = 0, count: int | None = None) -> torch.Tensor:
        """What :meth:`frames` gives as a torch tensor: uint8 [T, 3, H, W]; a mask's is bool
        [T, 1, H, W].

        Raises EditmillError where torch is not installed.
        """
        try:
            import torch
        except ImportError:
            raise EditmillError(
                "a tensor needs torch; install it with: pip install torch"
            ) from None
        frames: NDArray[Any] = self.frames(part, first, count)
        channels = frames[:, None] if part == "mask" else frames.transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(channels))

    def _path(self, ref: str) -> Path:
        return kept_path(self.media)(ref)

    def _difference(
        self, source: NDArray[np.uint8], target: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        if source.shape != target.shape:
            raise EditmillError(
                f"pair {self.id}: its source is {_size(source)}, its target {_size(target)}; "
                "a difference needs two sides of one size, so resize one of them"
            )
        return np.maximum(source, target) - np.minimum(source, target)

    def __repr__(self) -> str:
        verdict = "kept" if self.keep else f"rejected: {self.reason}"
        return f"<PairSample {self.id[:12]} {self.task}, {verdict}: {self.instruction!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: source, target and mask side by side, with the pair's facts."""
        from catalog.notebook.cells import pair_cell

        return pair_cell(self.record, self.media)


def _read_only(frames: NDArray[Scalar]) -> NDArray[Scalar]:
    frames.setflags(write=False)
    return frames


def _size(frames: NDArray[np.uint8]) -> str:
    count, height, width = frames.shape[:3]
    return f"{width}×{height} px in {count} frames"
