"""The records a training reads: clips with their objects, or edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from experts.base import Frames, Masks


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A clip in memory, or the edited side of a pair: what the model learns to generate.

    frames: uint8 [F, H, W, 3], RGB.
    caption: a sentence about the clip; of a pair, the instruction.
    controls: conditioning videos of the same shape, by name (`hed`, `canny`, `depth`; `source` of a
        pair).
    rephrasings: of the caption; each is sampled as often as the caption.
    task: of a local-editing record: `addition`, `modification` or `deletion`.
    """

    frames: Frames
    caption: str = ""
    controls: Mapping[str, Frames] = field(default_factory=dict)
    rephrasings: tuple[str, ...] = ()
    task: str = ""


class ClipSource(Protocol):
    """A clip that can be read; reading its masks does not read its frames."""

    @property
    def key(self) -> str:
        """Changes whenever frames, masks or captions do."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Of its objects; may be empty."""
        ...

    def clip(self) -> TrainingClip: ...

    def masks(self, index: int) -> Masks:
        """The masks [F, H, W], bool, of the object `labels[index]`."""
        ...
