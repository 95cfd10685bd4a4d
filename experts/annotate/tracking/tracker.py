"""Objects followed through a clip: detector at keyframes, SAM 2 there, optical flow in between.

1. Keyframes lie evenly, about `keyframe_interval` frames apart, the first and the last included.
   The clip is read once, from keyframe to keyframe, and no more than the frames from one to the
   next are in memory. The detector runs on all keyframes; SAM 2 encodes one only if there is a
   detection or an active track to decode on it. Where the flow loses a track before the next
   keyframe (it is fast, or leaves), one more is put half-way.
2. Masks of active tracks are propagated to the next keyframe by flow (`propagate.py`). Detections
   are assigned to them by box overlap, best pair first; one of a similar label must overlap more.
   An assigned track is decoded anew from the detector's box with the propagated mask as mask
   prompt, so errors of the flow do not add up. A track the detector missed is decoded from its own
   propagated mask and lives on only if the result agrees with it.
3. A detection left over starts a track, which is also followed backwards to the keyframe before.
   Where it overlaps a track that was just lost, there or half-way, that one is re-identified: it
   moved too far, or too little of it was in the frame, for the association gate.
4. Between two keyframes a track's masks are the fusion of both ends' propagations. Where a track
   has one end only (it enters or leaves) it lasts as far as its confidence.

Confidence, 0–1 per frame, is the masks' quality at the ends (`segment.py`) × how far the flow
inside the mask could be trusted × how far the two propagations agree. A track's `first` and `last`
are the outermost frames of good confidence; a shallow dip inside stays, and shows, a deep one cuts
the track in two.

The parts are in :mod:`experts.annotate.tracking`: association, life cycle, what lies between two
keyframes, results, settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experts.annotate.frame_stream import FrameSequence
from experts.annotate.tracking.lifecycle import BoxSegmenter, ObjectDetector, TrackingRun
from experts.annotate.tracking.results import TrackedObject
from experts.annotate.tracking.settings import TrackerSettings

__all__ = ["BoxSegmenter", "ObjectDetector", "TrackedObject", "Tracker", "keyframes"]


def keyframes(frames: int, interval: int) -> list[int]:
    """Evenly spaced frame numbers, first and last included, about `interval` apart."""
    spans = max(1, round((frames - 1) / interval))
    return sorted({round(i * (frames - 1) / spans) for i in range(spans + 1)})


@dataclass(frozen=True, eq=False)
class Tracker(TrackerSettings):
    """Tracks what `detector` finds, with `segmenter`'s masks. Thread-safe if those two are.

    The settings of :class:`TrackerSettings` are keyword arguments.
    """

    name = "keyframe_tracker"

    detector: ObjectDetector
    segmenter: BoxSegmenter

    @property
    def version(self) -> str:
        parts = [getattr(part, "version", "?") for part in (self.detector, self.segmenter)]
        return "4+" + "+".join(parts)

    @property
    def parts(self) -> tuple[ObjectDetector, BoxSegmenter]:
        """The models it is put together from."""
        return self.detector, self.segmenter

    def load(self) -> None:
        self.detector.load()
        self.segmenter.load()

    def close(self) -> None:
        self.detector.close()
        self.segmenter.close()

    def track(
        self,
        frames: FrameSequence,
        keyframe_interval: int | None = None,
        check_stop: Callable[[], None] = lambda: None,
        phrases: Sequence[str] = (),
    ) -> list[TrackedObject]:
        """The objects in `frames`, uint8 RGB [T, H, W, 3] without a cut in them, largest first.

        At most `max_objects`, ranked by score × mean area × frames covered. `phrases` go to the
        detector. `check_stop` is called between keyframes and may raise.
        """
        if not len(frames):
            return []
        keys = keyframes(len(frames), keyframe_interval or self.keyframe_interval)
        run = TrackingRun(frames, keys, self.detector, self.segmenter, self, phrases)
        return run.objects(check_stop)
