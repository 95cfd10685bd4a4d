"""What training is given: clips with their objects, or edits, whatever they were collected from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from experts.base import Frames, Masks


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip in memory, or the edited side of a pair.

    frames: [F, H, W, 3].
    caption: what it shows, in a sentence; of a pair, the instruction.
    controls: videos that go with it, by condition (`hed`, `canny`, `depth`, a pair's `source`), of
        the same shape.
    wordings: other ways to say the caption; each is drawn as often.
    task: of a local-editing record: `addition`, `modification` or `deletion`.
    """

    frames: Frames
    caption: str = ""
    controls: Mapping[str, Frames] = field(default_factory=dict)
    wordings: tuple[str, ...] = ()
    task: str = ""


class ClipSource(Protocol):
    """A clip that can be opened; opening another clip's masks does not open its frames."""

    @property
    def key(self) -> str:
        """Changes whenever frames, masks or words do."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Its objects, by name; may be empty."""
        ...

    def clip(self) -> Clip: ...

    def masks(self, index: int) -> Masks:
        """The masks [F, H, W] of the object of that index."""
        ...
