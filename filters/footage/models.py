"""The slots that models serve: text, and, where the recipe switches them on, faces and NSFW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from experts.base import Model
from experts.instances import shared
from filters.footage import nsfw
from filters.footage.faces import FaceDetector
from filters.footage.nsfw import CheckpointNsfw, OpenNsfw
from filters.footage.rules import FootageRules
from filters.footage.text import TextDetector


@runtime_checkable
class FrameModel(Model, Protocol):
    """Looks at a handful of frames. `look` loads the weights if nobody did before."""

    def look(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """Its measures of frames, RGB [n, h, w, 3]."""
        ...


@dataclass(frozen=True, slots=True)
class FootageModels:
    """What serves each slot; None where the rules need nothing of it."""

    text: TextDetector | None = None
    faces: FrameModel | None = None
    nsfw: FrameModel | None = None

    @property
    def used(self) -> tuple[FrameModel, ...]:
        """Those there are."""
        return tuple(m for m in (self.text, self.faces, self.nsfw) if m is not None)

    @property
    def version(self) -> str:
        """Changes whenever the same frames may give other measures. Raises EditmillError, one line,
        where a checkpoint of the user's can't be had."""
        return " ".join(f"{model.name}-{model.version}" for model in self.used)


def models_for(rules: FootageRules) -> FootageModels:
    """This process's models for what the rules ask, not yet loaded."""
    text = rules.text is not None or rules.watermark is not None
    return FootageModels(
        text=shared(TextDetector) if text else None,
        faces=shared(FaceDetector) if rules.faces else None,
        nsfw=_nsfw() if rules.nsfw else None,
    )


def _nsfw() -> FrameModel:
    where = nsfw.chosen()
    return shared(CheckpointNsfw, where) if where else shared(OpenNsfw)


def switched_off(rules: FootageRules) -> list[str]:
    """What the rules do not look for, a line each."""
    notes = []
    if not rules.nsfw:
        notes.append(
            "footage is not checked for NSFW content; `footage: {nsfw: true}` in the recipe does"
        )
    if not rules.faces:
        notes.append("footage may show faces; `footage: {faces: true}` in the recipe refuses it")
    return notes
