"""What a captioner says of a clip, and the interface of captioners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from catalog.errors import BadInput
from experts.base import Frames, Model


@dataclass(frozen=True, slots=True)
class Description:
    """What a clip shows; what a captioner does not write is empty.

    `short` is one line within CLIP's text limit (`wording.SHORT_WORDS`), `detailed` about 50 words
    on one line. `phrases` name the objects that can be detected and edited, lower case, without an
    article, most important first. They are also the clip's tags: where VIVID-10M asks RAM (Zhang et
    al. 2023) for tags and keeps those of a vocabulary, a VLM names what is there.
    """

    short: str = ""
    detailed: str = ""
    phrases: tuple[str, ...] = ()


@runtime_checkable
class Captioner(Model, Protocol):
    """Says what clips show."""

    @property
    def frames(self) -> int:
        """How many frames of a clip it wants to be given, evenly spaced; 0: it looks at none."""
        ...

    def describe(self, clips: Sequence[Frames]) -> list[Description | BadInput]:
        """One per clip, in the clips' order; a BadInput, whose reason says why, for a clip that
        could not be described. The frames are not changed."""
        ...
