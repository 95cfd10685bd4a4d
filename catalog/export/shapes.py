"""What a consumer asks of a pair's videos, and the shape both sides get for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames, frames per second, and the picture's size in px."""

    frames: int
    fps: float
    width: int
    height: int

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.height, self.width


def shape_of(row: Mapping[str, Any], side: Side) -> Shape:
    """The shape that one side of a pair has in the catalog."""
    return Shape(
        row[f"{side}_frames"], row[f"{side}_fps"], row[f"{side}_width"], row[f"{side}_height"]
    )


def frame_shown(shape: Shape, seconds: float) -> int:
    """The number of the frame that is nearest to a moment; the last one past the end."""
    return min(int(seconds * shape.fps + 0.5), shape.frames - 1)


@dataclass(frozen=True, slots=True)
class VideoNeeds:
    """What a consumer's loader asks of the two videos of a pair.

    Without `alike` both sides stay as the catalog has them. With it both get one shape: the
    target's size and rate, as many frames as the shorter side lasts, and of these

    - `frame_step`: the frame count is 1 + k · `frame_step` (a video autoencoder that compresses
      time by 4 or 8 takes 4n+1 or 8n+1 frames); k is at least 1;
    - `fps`: the rate, where the consumer has one of its own;
    - `multiple`: of px that both lengths of the picture are; 4:2:0 video needs 2.
    """

    alike: bool = False
    frame_step: int = 1
    fps: float | None = None
    multiple: int = 2

    def fitted(self, source: Shape, target: Shape) -> tuple[Shape, Shape] | None:
        """The shapes of both sides in the export; None where the pair is too short or too small."""
        if not self.alike:
            return source, target
        fps = self.fps or target.fps
        frames = int(min(source.seconds, target.seconds) * fps + 1e-6)  # 33 / 24 · 24 is < 33
        frames -= (frames - 1) % self.frame_step
        width, height = (n // self.multiple * self.multiple for n in (target.width, target.height))
        if frames < (1 if self.frame_step == 1 else 1 + self.frame_step) or not width or not height:
            return None
        return (Shape(frames, fps, width, height),) * 2

    def __str__(self) -> str:
        """In words, for a card and a table."""
        if not self.alike:
            return "as they are"
        words = ["both sides alike"]
        if self.frame_step > 1:
            words.append(f"{self.frame_step}n+1 frames")
        if self.fps:
            words.append(f"{self.fps:g} frames/s")
        if self.multiple > 2:
            words.append(f"sides multiples of {self.multiple} px")
        return ", ".join(words)
