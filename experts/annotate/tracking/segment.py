"""Masks from boxes: SAM 2 (Hiera tiny) in onnxruntime, as an image model.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024. A frame is encoded once (about
1.6 core-seconds, with 8-bit matrix products, :mod:`experts.annotate.sam2.hiera`) and every box on
it decoded from that (0.04). There is no video memory here: what ties frames together is the mask
prompt, a mask carried over from a neighbouring frame, and `tracker.py`.

The encoder's arena is given back after each run, and encodes of several threads take turns, so that
its peak of memory is there once, and only while it runs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from catalog.keys import digest
from experts.annotate.sam2 import derived
from experts.annotate.sam2.hiera import SIDE
from experts.masks.geometry import Box, Mask, clean, iou
from experts.threads import onnx_file_session

MASK_SIDE = 256
"""Resolution of the decoder's logits and of its mask prompt."""

# ImageNet statistics, RGB, of values 0–1: SAM 2's own preprocessing.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

PRIOR_LOGIT = 10.0
"""A mask prompt's logit: SAM 2 turns a given mask into logits 20·m − 10 (`_use_mask_as_output`)."""

STABILITY_OFFSET = 1.0
"""Logit; a mask's stability is the IoU of itself cut this much higher and this much lower
(Kirillov et al., "Segment Anything", 2023). Predicted IoU alone prefers, now and then, a mask of
crumbs: skin without the clothes, reflections without the car; such a mask is never stable."""

PRIOR_WEIGHT = 0.5
"""What agreement with the prior (IoU, 0–1) counts beside quality (0–1) when masks are ranked."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """An encoded frame (16 MB) and the frame's size in px."""

    image_embed: NDArray[np.float32]  # [1, 64, 64, 256]
    high_res_feats_0: NDArray[np.float32]  # [1, 256, 256, 32]
    high_res_feats_1: NDArray[np.float32]  # [1, 128, 128, 64]
    height: int
    width: int


class Segmenter:
    """SAM 2 tiny: `encode` a frame, then `decode` as many boxes on it as needed. Thread-safe.

    `threads`: per call; by default the process's number (`experts.threads`).
    """

    name = "sam2_tiny"
    slots = (derived.ENCODER, derived.DECODER)

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._encoders: dict[bool, ort.InferenceSession] = {}  # of tall pictures, and of others
        self._decoder: ort.InferenceSession | None = None

    @property
    def version(self) -> str:
        """Of the calling code, and both networks' weights."""
        return f"3+{digest(*map(derived.version, self.slots))[:8]}"

    def load(self) -> None:
        """Fetch both networks and open the decoder; nothing to do the second time. To open the
        encoder takes a core-second, and where there is nothing to segment it is not needed."""
        with self._lock:
            if self._decoder is None:
                derived.encoder(tall=False)
                self._decoder = self.open_decoder()

    def open_encoder(self, tall: bool) -> ort.InferenceSession:
        """The encoder's network; a bench puts another in its place."""
        return onnx_file_session(derived.encoder(tall), self.threads)

    def open_decoder(self) -> ort.InferenceSession:
        """The decoder's network, likewise."""
        return onnx_file_session(derived.decoder(), self.threads)

    def close(self) -> None:
        with self._lock:
            self._decoder = None
            self._encoders.clear()

    def encode(self, frame: NDArray[np.uint8]) -> Embedding:
        """The embedding of one frame, uint8 RGB [H, W, 3]."""
        self.load()
        height, width = frame.shape[:2]
        # Downscaling by area, else fine texture aliases; upscaling bilinearly.
        shrinks = height > SIDE and width > SIDE
        square = cv2.resize(
            frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        image = (square.astype(np.float32) / 255 - MEAN) / STD
        run = ort.RunOptions()
        run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        with self._lock:
            tall = height > width
            if tall not in self._encoders:
                self._encoders[tall] = self.open_encoder(tall)
            high_0, high_1, embed = self._encoders[tall].run(
                ["high_res_feats_0", "high_res_feats_1", "image_embed"],
                {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])},
                run,
            )
        return Embedding(embed, high_0, high_1, height, width)

    def decode(
        self, embedding: Embedding, box: Box, prior: Mask | None = None
    ) -> tuple[Mask, float]:
        """The mask of what `box` (x0, y0, x1, y1, px) holds, and its quality.

        `prior`, bool [H, W] at the frame's size, is given to the model as mask prompt. The mask is
        bool [H, W], without specks. Its quality, 0–1, is the IoU the model predicts times the
        mask's stability; of the model's three masks the one wins whose quality, plus PRIOR_WEIGHT
        times its IoU with the prior, is best.
        """
        self.load()
        decoder = self._decoder
        assert decoder is not None
        corners = np.array(box, np.float32).reshape(1, 2, 2)
        corners *= np.array([SIDE / embedding.width, SIDE / embedding.height], np.float32)
        prompt = np.zeros((1, 1, MASK_SIDE, MASK_SIDE), np.float32)
        if prior is not None:
            small = cv2.resize(
                prior.astype(np.float32), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA
            )
            prompt[0, 0] = (2 * small - 1) * PRIOR_LOGIT
        logits, predictions = decoder.run(
            ["masks", "iou_predictions"],
            {
                "image_embed": embedding.image_embed,
                "high_res_feats_0": embedding.high_res_feats_0,
                "high_res_feats_1": embedding.high_res_feats_1,
                "point_coords": corners,
                "mask_input": prompt,
                "has_mask_input": np.array([prior is not None], np.float32),
            },
        )
        size = (embedding.width, embedding.height)
        best: tuple[float, Mask, float] | None = None
        for low, predicted in zip(logits[0], predictions[0], strict=True):
            logit = cv2.resize(low, size, interpolation=cv2.INTER_LINEAR)
            mask = logit > 0
            stable = iou(logit > STABILITY_OFFSET, logit > -STABILITY_OFFSET)
            quality = min(1.0, max(0.0, float(predicted))) * stable
            rank = quality if prior is None else quality + PRIOR_WEIGHT * iou(mask, prior)
            if best is None or rank > best[0]:
                best = (rank, mask, quality)
        assert best is not None
        return clean(best[1]), best[2]
