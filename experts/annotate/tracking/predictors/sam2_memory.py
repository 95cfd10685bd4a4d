"""SAM 2 frame by frame, from frames in memory, remembering no more of a clip than it looks at.

The package's own `propagate_in_video` wants a video file or a folder of JPEGs, holds the whole clip
as float tensors (12 MB a frame) and keeps the masks and features of each frame and object. Its
network looks at far less: the features of the frame that an object was prompted on, those of its
last `num_maskmem` - 1 frames, and the pointers of its last `max_obj_ptrs_in_encoder` - 1. That is
what is kept here, and a test holds this to give the package's own masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from experts.annotate.tracking.segment import MEAN, STABILITY_OFFSET, STD
from experts.base import Frames
from experts.masks.geometry import Box, Mask, clean, iou


@dataclass(slots=True)
class ObjectMemory:
    """What the network remembers of one object: the outputs of the frame it was prompted on, and
    of the frames that it was followed through, by frame number."""

    prompted: dict[int, dict[str, Any]]
    followed: dict[int, dict[str, Any]] = field(default_factory=dict)

    def remember(self, frame: int, output: dict[str, Any], features: int, pointers: int) -> None:
        """Adds a frame; keeps features of the last `features` frames and pointers of the last
        `pointers`, in either direction of time."""
        self.followed[frame] = output
        for other in list(self.followed):
            age = abs(frame - other)
            if age >= pointers:
                del self.followed[other]
            elif age >= features:
                self.followed[other] = {"obj_ptr": self.followed[other]["obj_ptr"]}


@dataclass(frozen=True, slots=True)
class Segmented:
    """An object on one frame: its mask at the frame's size, and confidence, 0–1: how sure the
    network is that it is there × how stable the mask is (Kirillov et al., "Segment Anything")."""

    mask: Mask
    confidence: float


class VideoMemory:
    """SAM 2 on one clip, in one direction of time. `show` a frame, then `prompt` or `follow` the
    objects on it; the features of one frame are kept at a time.

    `frames` is uint8 RGB [T, H, W, 3]; `dtype` is the torch.dtype that the network computes in.
    """

    def __init__(self, predictor: Any, frames: Frames, dtype: Any, reverse: bool = False) -> None:
        self.predictor = predictor
        self.frames = frames
        self.dtype = dtype
        self.reverse = reverse
        self.features_window: int = predictor.num_maskmem - 1
        self.pointers_window: int = max(self.features_window, predictor.max_obj_ptrs_in_encoder - 1)
        self._shown = -1
        self._seen: dict[str, Any] = {}
        self._places: Any = None  # of a memory's features; the same for all frames and objects

    def show(self, number: int) -> None:
        """Encodes frame `number`; the one before is forgotten."""
        import torch

        self._seen = {}
        side = self.predictor.image_size
        frame = self.frames[number]
        shrinks = frame.shape[0] > side and frame.shape[1] > side
        square = cv2.resize(
            frame, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        image = (square.astype(np.float32) / 255 - MEAN) / STD
        with self._computing():
            pixels = torch.from_numpy(image.transpose(2, 0, 1)[None]).to(self.predictor.device)
            encoded = self.predictor.forward_image(pixels)
            _, features, places, sizes = self.predictor._prepare_backbone_features(encoded)
        self._seen = {
            "current_vision_feats": features,
            "current_vision_pos_embeds": places,
            "feat_sizes": sizes,
        }
        self._shown = number

    def prompt(self, box: Box) -> tuple[Segmented, ObjectMemory]:
        """What lies in `box` (px, x0, y0, x1, y1) of the frame shown, and a memory of it."""
        import torch

        height, width = self.frames.shape[1:3]
        x0, y0, x1, y1 = box
        corners = np.array([[x0 / width, y0 / height], [x1 / width, y1 / height]], np.float32)
        device = self.predictor.device
        points = {
            "point_coords": torch.from_numpy(corners[None] * self.predictor.image_size).to(device),
            # In SAM's prompt encoder 2 and 3 are a box's corners.
            "point_labels": torch.tensor([[2, 3]], dtype=torch.int32, device=device),
        }
        empty = ObjectMemory(prompted={})
        segmented, output = self._step(empty, points)
        return segmented, ObjectMemory(prompted={self._shown: output})

    def follow(self, memory: ObjectMemory) -> Segmented:
        """The object of `memory` on the frame shown, which is then remembered."""
        segmented, output = self._step(memory, None)
        memory.remember(self._shown, output, self.features_window, self.pointers_window)
        return segmented

    def _step(
        self, memory: ObjectMemory, points: dict[str, Any] | None
    ) -> tuple[Segmented, dict[str, Any]]:
        import torch

        with self._computing():
            output = self.predictor.track_step(
                frame_idx=self._shown,
                is_init_cond_frame=points is not None,
                point_inputs=points,
                mask_inputs=None,
                output_dict={
                    "cond_frame_outputs": memory.prompted,
                    "non_cond_frame_outputs": memory.followed,
                },
                num_frames=len(self.frames),
                track_in_reverse=self.reverse,
                **self._seen,
            )
            logits = output["pred_masks"].float()
            present = float(torch.sigmoid(output["object_score_logits"].float()))
            full = torch.nn.functional.interpolate(
                logits, size=self.frames.shape[1:3], mode="bilinear", align_corners=False
            )
            mask = (full[0, 0] > 0).cpu().numpy()
        low = logits[0, 0].cpu().numpy()
        if self._places is None:
            self._places = output["maskmem_pos_enc"]
        kept = {
            # As the package keeps them: half the memory.
            "maskmem_features": output["maskmem_features"].to(torch.bfloat16),
            "maskmem_pos_enc": self._places,
            "obj_ptr": output["obj_ptr"],
        }
        stable = iou(low > STABILITY_OFFSET, low > -STABILITY_OFFSET)
        return Segmented(clean(mask), present * stable), kept

    @contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        device = self.predictor.device.type
        narrow = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(device, self.dtype, enabled=narrow):
            yield
