"""SAM 3 as a tracker: every object of a clip that words name, without a detector beside it.

Carion et al., "SAM 3: Segment Anything with Concepts", 2025, by transformers' `Sam3VideoModel`. Its
own detector looks at each frame for every phrase and its own memory follows what was found. The
session is a streaming one: a frame is given, its masks leave as bits, and what the model will not
look at again is dropped, so that what is kept of a clip does not grow with its length. A streaming
session does not take doubtful tracks back, as one of a whole clip does; here that is done at the
end, by the same rule and from the session's own record (:func:`doubtful`).

Objects that two phrases name are kept once (:mod:`.duplicates`). Small holes and specks are cleaned
as in the other trackers: what the model would use for that, and for the overlap of its detections,
is code fetched from the hub while it runs, which is not let in here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from experts.annotate.frame_stream import FrameSequence
from experts.annotate.tracking.predictors.duplicates import without_duplicates
from experts.annotate.tracking.results import GrowingTrack, TrackedObject, tracked_objects
from experts.annotate.tracking.settings import TrackLimits
from experts.masks.geometry import Mask, clean
from experts.providers.bounds import Dtype, Share
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained

MOST_TRACKS = 4
"""The model may follow so many times `max_objects`: the best are known only at the clip's end."""


class Sam3Tracker(HubModel):
    """Follows what `phrases` name; a track's label is its phrase. Thread-safe once loaded.

    `detection_threshold` is the least score, 0–1, of a detection that becomes a new track
    (transformers' `new_det_thresh`; .7 is the checkpoint's). The other options are
    :class:`TrackLimits`' (there: units and sources). There are no keyframes: each frame is
    looked at.
    """

    slot = "track"
    provider_name = "sam3"
    algorithm = 1

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        max_objects: PositiveInt = TrackLimits.max_objects,
        min_area: Share = TrackLimits.min_area,
        min_frames: PositiveInt = TrackLimits.min_frames,
        min_confidence: Share = TrackLimits.min_confidence,
        detection_threshold: Share = 0.7,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self.limits = TrackLimits(
            max_objects=max_objects,
            min_area=min_area,
            min_frames=min_frames,
            min_confidence=min_confidence,
        )
        self.detection_threshold = detection_threshold

    def track(
        self,
        frames: FrameSequence,
        keyframe_interval: int | None = None,
        check_stop: Callable[[], None] = lambda: None,
        phrases: Sequence[str] = (),
    ) -> list[TrackedObject]:
        """The objects in `frames`, uint8 RGB [T, H, W, 3] without a cut in them, that `phrases`
        name, largest first; none where there is no phrase.

        At most `max_objects`, ranked by score × mean area × frames covered. `keyframe_interval` is
        what other trackers of the slot take. `check_stop` is called before each frame and may
        raise.
        """
        phrases = list(dict.fromkeys(filter(None, map(str.strip, phrases))))
        if not len(frames) or not phrases:
            return []
        self.load()
        model, processor = self._models
        session = processor.init_video_session(inference_device=self.device, dtype=self.dtype)
        processor.add_text_prompt(session, phrases)
        tracks: dict[int, GrowingTrack] = {}
        for number, frame in enumerate(frames):
            check_stop()
            self._one_frame(model, processor, session, number, frame, tracks)
            forget(session, number, model.tracker_model.config)
        for key in doubtful(session, model.config):
            tracks.pop(key, None)
        del session
        found = without_duplicates(list(tracks.values()), self.limits)
        return tracked_objects(found, (len(frames), *frames.shape[1:3]), self.limits)

    def _one_frame(
        self,
        model: Any,
        processor: Any,
        session: Any,
        number: int,
        frame: Any,
        tracks: dict[int, GrowingTrack],
    ) -> None:
        """Follows all objects on one frame, and puts their masks into `tracks` by their numbers."""
        height, width = frame.shape[:2]
        pixels = processor.image_processor(frame, return_tensors="pt").pixel_values
        answer = model(session, frame_idx=number, frame=pixels.to(self.device))
        shown = processor.postprocess_outputs(session, answer, original_sizes=[[height, width]])
        phrase_of = {
            key: phrase for phrase, keys in shown["prompt_to_obj_ids"].items() for key in keys
        }
        sure = answer.obj_id_to_tracker_score
        for place, (key, score) in enumerate(
            zip(shown["object_ids"].tolist(), shown["scores"].tolist(), strict=True)
        ):
            mask: Mask = clean(shown["masks"][place].cpu().numpy())
            # On the frame that it was found on there is only the detection's score.
            confidence = float(sure.get(key, score))
            if mask.sum() < self.limits.min_area * height * width:
                confidence = 0.0
            track = tracks.get(key)
            if track is None:
                track = GrowingTrack(phrase_of[key], score, mask, confidence)
                tracks[key] = track
            track.update(phrase_of[key], score)
            track.mask, track.quality = mask, confidence
            track.put(number, mask, confidence)

    def _open(self, folder: Path) -> Any:
        from transformers import Sam3VideoModel, Sam3VideoProcessor

        model = pretrained(Sam3VideoModel, folder, dtype=self.dtype)
        model.new_det_thresh = self.detection_threshold
        model.max_num_objects = MOST_TRACKS * self.limits.max_objects
        # Both would fetch code from the hub and run it.
        model.fill_hole_area = 0
        model.det_nms_thresh = 0.0
        processor = Sam3VideoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        return model.to(self.device).eval(), processor


def doubtful(session: Any, config: Any) -> set[int]:
    """Numbers of the tracks that, in their first `hotstart_delay` frames, no detection confirmed on
    `hotstart_unmatch_thresh` of them, or that shared an earlier track's detection on
    `hotstart_dup_thresh`."""

    def early(key: int, frames: Sequence[int]) -> int:
        first = session.obj_first_frame_idx[key]
        return sum(frame - first < config.hotstart_delay for frame in frames)

    unconfirmed = {
        key
        for key, frames in session.unmatched_frame_inds.items()
        if early(key, frames) >= config.hotstart_unmatch_thresh
    }
    shared = {
        key
        for (_, key), frames in session.overlap_pair_to_frame_inds.items()
        if early(key, frames) >= config.hotstart_dup_thresh
    }
    return unconfirmed | shared


def forget(session: Any, number: int, tracker: Any) -> None:
    """Drops from a streaming session what the model does not look at after frame `number`.

    `tracker` is the configuration of the model's memory: features of the last `num_maskmem` - 1
    frames, pointers of the last `max_object_pointers_in_encoder` - 1, and all of the last
    `max_cond_frame_num` frames on which an object was found or found again.
    """
    session.processed_frames[number] = None  # its place still counts as a frame
    features = tracker.num_maskmem - 1
    pointers = max(features, tracker.max_object_pointers_in_encoder - 1)
    for outputs in session.output_dict_per_obj.values():
        followed, found = outputs["non_cond_frame_outputs"], outputs["cond_frame_outputs"]
        for kept in (*followed.values(), *found.values()):
            # What has left as bits, or is only read on the frame itself.
            for name in ("pred_masks", "high_res_masks"):
                kept[name] = None
        for frame in [frame for frame in followed if number - frame >= pointers]:
            del followed[frame]
        for frame, kept in followed.items():
            if number - frame >= features:
                kept["maskmem_features"] = kept["maskmem_pos_enc"] = None
        latest = sorted(found)[-tracker.max_cond_frame_num :]
        for frame in [f for f in found if f < latest[0] and number - f >= pointers]:
            del found[frame]
    for inputs in session.mask_inputs_per_obj.values():
        inputs.clear()
    for done in session.frames_tracked_per_obj.values():
        for frame in [frame for frame in done if frame < number]:
            del done[frame]
    for by_frame in (session.obj_id_to_tracker_score_frame_wise, session.suppressed_obj_ids):
        for frame in [frame for frame in by_frame if frame < number]:
            del by_frame[frame]
