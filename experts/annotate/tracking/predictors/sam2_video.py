"""SAM 2's video model as a tracker: all objects of a clip, each with its own memory.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024, by Meta's package `sam2`. What to
follow, a detector says (the recipe's `detect`), on keyframes; how tracks come and go is in
:mod:`experts.annotate.tracking.predictors.sam2_tracks`. A frame is encoded once for all objects,
and once more if one that entered later is followed back over it. What is kept of a clip does not
grow with its length: features of the last frames, and masks as bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from catalog.errors import EditmillError
from experts.annotate.frame_stream import FrameSequence, whole
from experts.annotate.tracking.association import candidates
from experts.annotate.tracking.lifecycle import ObjectDetector
from experts.annotate.tracking.predictors.sam2_checkpoint import open_predictor
from experts.annotate.tracking.predictors.sam2_memory import VideoMemory
from experts.annotate.tracking.predictors.sam2_tracks import VideoSettings, VideoTracks
from experts.annotate.tracking.results import TrackedObject
from experts.annotate.tracking.tracker import keyframes
from experts.base import Frames
from experts.providers.bounds import Dtype, Share
from experts.providers.hub_model import AUTO, HubModel


class Sam2Network(HubModel):
    """The network. On a GPU it computes in `dtype` by autocast, as Meta's examples do, with its
    weights in float32."""

    slot = "track"
    provider_name = "sam2_video"

    def memory(self, frames: Frames, *, reverse: bool) -> VideoMemory:
        """Of one clip, in one direction of time. Only once it is loaded."""
        return VideoMemory(self._models, frames, self.dtype, reverse)

    def _open(self, folder: Path) -> Any:
        return open_predictor(folder, self.device)


class Sam2VideoTracker:
    """Follows what `detector` finds. Thread-safe if the detector is.

    `checkpoint` is a folder or commit of `facebook/sam2.1-hiera-tiny`, `-small`, `-base-plus` or
    `-large`, or of one in that layout (`config.json`, `model.safetensors`); it, `device` and
    `dtype` are as :class:`HubModel` says. The other options are those of :class:`VideoSettings`
    (there: units and sources).
    """

    name = "sam2_video"
    algorithm = 1
    """Rises whenever the same weights and detections may give other tracks."""

    def __init__(
        self,
        detector: ObjectDetector | None = None,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        keyframe_interval: PositiveInt = VideoSettings.keyframe_interval,
        max_objects: PositiveInt = VideoSettings.max_objects,
        min_area: Share = VideoSettings.min_area,
        min_frames: PositiveInt = VideoSettings.min_frames,
        min_confidence: Share = VideoSettings.min_confidence,
        match_iou: Share = VideoSettings.match_iou,
        absent_frames: PositiveInt = VideoSettings.absent_frames,
    ) -> None:
        if detector is None:
            raise EditmillError(
                "sam2_video follows what a detector finds; name one in `models.detect`"
            )
        self.detector = detector
        self.network = Sam2Network(checkpoint=checkpoint, device=device, dtype=dtype)
        self.settings = VideoSettings(
            keyframe_interval=keyframe_interval,
            max_objects=max_objects,
            min_area=min_area,
            min_frames=min_frames,
            min_confidence=min_confidence,
            match_iou=match_iou,
            absent_frames=absent_frames,
        )

    @property
    def version(self) -> str:
        """Raises EditmillError, one line, where the checkpoint or the library is missing."""
        parts = [getattr(part, "version", "?") for part in self.parts]
        return f"{self.algorithm}+{'+'.join(parts)}"

    @property
    def parts(self) -> tuple[ObjectDetector, Sam2Network]:
        """The models it is put together from."""
        return self.detector, self.network

    def load(self) -> None:
        for part in self.parts:
            part.load()

    def close(self) -> None:
        for part in self.parts:
            part.close()

    def track(
        self,
        frames: FrameSequence,
        keyframe_interval: int | None = None,
        check_stop: Callable[[], None] = lambda: None,
        phrases: Sequence[str] = (),
    ) -> list[TrackedObject]:
        """The objects in `frames`, uint8 RGB [T, H, W, 3] without a cut in them, largest first.

        At most `max_objects`, ranked by score × mean area × frames covered. `phrases` go to the
        detector. `check_stop` is called before each frame and may raise.
        """
        if not len(frames):
            return []
        self.load()
        frames = whole(frames)  # they are passed twice: forwards, and back
        keys = keyframes(len(frames), keyframe_interval or self.settings.keyframe_interval)
        check_stop()
        detected = self.detector.detect([frames[key] for key in keys], phrases)
        height, width = frames.shape[1:3]
        settings = self.settings
        wanted = partial(
            candidates,
            scale=1.0,
            size=(height, width),
            least_area=settings.min_area * height * width,
            duplicate_iou=settings.duplicate_iou,
        )
        tracks = VideoTracks(
            shape=(len(frames), height, width),
            detections={key: wanted(found) for key, found in zip(keys, detected, strict=True)},
            forward=self.network.memory(frames, reverse=False),
            backward=self.network.memory(frames, reverse=True),
            settings=settings,
        )
        return tracks.objects(check_stop)
