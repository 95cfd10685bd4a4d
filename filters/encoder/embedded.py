"""The embedded image and text encoder that the filters share: EfficientNet-lite0 and MiniLM.

No package registry carries a CLIP, so this one is honest about being weaker. An image gives frozen
features at four depths, an embedding, and ImageNet class probabilities; ConSE (Norouzi et al. 2014)
carries the latter into the text's space as the probability-weighted mean of the class names'
embeddings, so that an image and a sentence can be compared, as far as a thousand class names reach.

A forward pass of a 160×160 px frame costs 5.5 ms of one core in float32. It gets one thread: with
two, OpenMP's waiting made it ten times slower whenever another process wanted a core.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.threads import one_for_torch
from experts.weights import entry, fetch
from filters.encoder.base import Encoding, View
from filters.encoder.class_texts import class_names, class_texts
from filters.encoder.views import crop, view_boxes

if TYPE_CHECKING:  # they import torch, which takes seconds: a build that finds all done needs none
    from filters.encoder.image_network import ImageNetwork
    from filters.encoder.minilm import MiniLM

VIEW_PIXELS = 160 * 160
"""Size of the network's input, px; the aspect is the view's. Class names still come out at it."""

_STRIDE = 32  # of the network: sides are multiples of it

CONSE_CLASSES = 10
"""Classes that make up an image's ConSE embedding (Norouzi et al. 2014 use T = 10)."""

REGIONS = ("view", "inside", "outside")
"""Where levels are pooled: everywhere, inside the mask, outside it."""

COLOURS = ("r", "g", "b", *(f"hue {45 * i}°" for i in range(8)), "white", "grey", "black")
"""Level 0: the pixels themselves, 0–1, and how far each is of a hue, white, grey or black."""

LEVEL_CHANNELS = (len(COLOURS), 16, 24, 40, 112)
"""Level 0's, then those of the network's four (filters.encoder.efficientnet.LEVELS)."""

LEVEL_WIDTH = 2 * sum(LEVEL_CHANNELS)
"""Level by level, channel means, then channel deviations."""


@dataclass(frozen=True, slots=True)
class EmbeddedEncoding(Encoding):
    """What the network says of N images.

    `levels` [N, 3, LEVEL_WIDTH]: per region (see REGIONS) mean and deviation of each channel, level
    by level (colour first, then the network's four); without a mask all regions are the view.
    `maps` [N, 112, h, w] is the last level before pooling; `embedding` [N, 1280]; `classes`
    [N, 1000] are probabilities.
    """

    levels: NDArray[np.float32]
    maps: NDArray[np.float32]
    classes: NDArray[np.float32]


class EmbeddedEncoder:
    """Images and texts to vectors. Loaded once, then shared by threads: weights are only read.

    `load` sets torch to one thread, for the whole process (`experts.threads`).
    """

    name = "efficientnet_lite0+minilm"
    slots = ("efficientnet_lite0", "minilm", "minilm_tokenizer", "imagenet_classes")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._image: ImageNetwork | None = None
        self._text: MiniLM | None = None
        self._class_texts: NDArray[np.float32] | None = None
        self._known_texts: dict[str, NDArray[np.float32]] = {}

    @property
    def scale(self) -> str:
        return self.name

    @property
    def version(self) -> str:
        """Digest of all weight files' digests."""
        digests = "".join(entry(slot).sha256 for slot in self.slots)
        return f"1+{hashlib.sha256(digests.encode()).hexdigest()[:8]}"

    def load(self) -> None:
        """Fetches and opens the weights. Raises EditmillError if they can't be had."""
        with self._lock:
            if self._image is not None:
                return
            image, text, tokenizer, _ = (Path(fetch(slot)) for slot in self.slots)
            from filters.encoder.image_network import ImageNetwork
            from filters.encoder.minilm import MiniLM

            one_for_torch()
            self._text = MiniLM(text, tokenizer)
            self.class_names = class_names()
            self._class_texts = class_texts(self._text)
            self._image = ImageNetwork(image)

    def close(self) -> None:
        """Frees the networks; `load` opens them again."""
        with self._lock:
            self._image = self._text = self._class_texts = None
            self._known_texts = {}

    def encode(self, views: Sequence[View]) -> list[EmbeddedEncoding]:
        """Each view's frames within a box around the mask that follows it (filters.encoder.views),
        or whole where there is none."""
        return [self._encoded(frames, mask) for frames, mask in views]

    def _encoded(self, frames: Frames, mask: Masks | None) -> EmbeddedEncoding:
        if mask is None or not mask.any():
            return self.images(list(frames))
        boxes = view_boxes(mask)
        images = [crop(f, box) for f, box in zip(frames, boxes, strict=True)]
        rows, columns = view_size(*images[0].shape[:2])
        cut = [crop(m.astype(np.uint8), box) for m, box in zip(mask, boxes, strict=True)]
        masks = [cv2.resize(m, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0 for m in cut]
        size = images[0].shape[1], images[0].shape[0]
        return self.images([cv2.resize(i, size) for i in images], masks)

    def images(
        self, frames: Sequence[NDArray[np.uint8]], masks: Sequence[NDArray[np.bool_]] | None = None
    ) -> EmbeddedEncoding:
        """Encodes RGB frames [h, w, 3] of one common size, with masks [h, w] to pool by."""
        self.load()
        assert self._image is not None
        height, width = view_size(frames[0].shape[0], frames[0].shape[1])
        batch = np.stack(
            [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
        )
        planes = _colours(batch)
        weight = None if masks is None else np.stack(masks).astype(np.float32)
        levels, maps, embedding, classes = self._image(batch, planes, weight)
        levels = np.repeat(levels, len(REGIONS) // levels.shape[1], axis=1)
        return EmbeddedEncoding(embedding=embedding, levels=levels, maps=maps, classes=classes)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, 384], rows of length one. Each text is embedded alone and only once.

        Padding to a batch's longest would move the last digits, and so tie a score to its company.
        """
        self.load()
        assert self._text is not None and self._class_texts is not None
        for text in texts:
            if text not in self._known_texts:
                self._known_texts[text] = self._text.embed([text])[0]
        rows = [self._known_texts[text] for text in texts]
        return np.stack(rows) if rows else self._class_texts[:0]

    def class_texts(self) -> NDArray[np.float32]:
        """[1000, 384]: the class names as texts."""
        self.load()
        assert self._class_texts is not None
        return self._class_texts

    def conse(self, classes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities [N, 1000] → unit vectors [N, 384] in the texts' space."""
        self.load()
        assert self._class_texts is not None
        order = np.argsort(-classes, axis=1)[:, :CONSE_CLASSES]
        weight = np.take_along_axis(classes, order, axis=1)
        mean = np.einsum("nk,nkd->nd", weight, self._class_texts[order])
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-8)


def view_size(height: int, width: int) -> tuple[int, int]:
    """The network's input (height, width) for a view: VIEW_PIXELS or a little off, its aspect."""
    ratio = float(np.clip(height / width, 1 / 3, 3))
    rows = max(1, round((VIEW_PIXELS * ratio) ** 0.5 / _STRIDE))
    columns = max(1, round(VIEW_PIXELS / _STRIDE**2 / rows))
    return rows * _STRIDE, columns * _STRIDE


def _colours(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB [N, h, w, 3] → [N, 14, h, w]: see COLOURS."""
    planes = np.empty((len(frames), len(COLOURS), *frames.shape[1:3]), np.float32)
    for frame, own in zip(frames, planes, strict=True):  # one frame's planes fit the cache
        rgb = frame.astype(np.float32) / np.float32(255)
        own[:3] = rgb.transpose(2, 0, 1)
        hue, _, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
        chroma = value - np.minimum(np.minimum(own[0], own[1]), own[2])
        hue /= 45  # degrees to the eight hues' steps
        for step, plane in enumerate(own[3:11]):
            np.abs(hue - step, out=plane)
            np.minimum(plane, 8 - plane, out=plane)  # the hues close a circle
            np.maximum(1 - plane, 0, out=plane)
            plane *= chroma
        for tone, plane in zip((1.0, 0.5, 0.0), own[11:], strict=True):
            np.abs(value - np.float32(tone), out=plane)
            np.maximum(1 - np.float32(2.5) * plane, 0, out=plane)
            plane *= 1 - chroma
    return planes
