"""Frames in styles with known descriptions, painted by the real stylizers, to train probes on.

Single frames are painted, not clips: a probe judges frame by frame, and keeping strokes steady in
time costs most of a stylizer's work.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import sample_frames
from experts.base import EditRequest
from experts.edit.style.adjectives import LOCAL_STYLES
from experts.edit.style.local_stylizer import LocalStylizer
from experts.edit.style.materials import MATERIALS
from experts.edit.style.painters import Painter
from experts.edit.style.recolor import COLOURS
from experts.edit.style.styles import STYLES
from filters.alignment.style_probe import GLOBAL, LOCAL, REGION, probe_features
from filters.encoder.base import Encoder, Encoding
from filters.encoder.embedded import EmbeddedEncoding
from filters.quality.training.synthetic_masks import blob_masks

LABELS = ("car", "bird", "bus", "dog", "chair", "bicycle")
"""What the regions are called that local styles are painted on. The footage decides the pixels;
the label only completes the description."""

Clips = Sequence[tuple[str, Path]]
"""Source id and path."""


@dataclass(frozen=True, slots=True)
class StyleExample:
    """One painted frame: its features [F] (a probe's, or a CLIP's embedding), the index of its
    style, the object's name if local."""

    source_id: str
    style: int
    label: str
    features: NDArray[np.float32]


def styles() -> dict[str, tuple[str, ...]]:
    """Task → descriptions of its styles, with `{label}` where the object's name goes."""
    return {
        GLOBAL: tuple(style.prompt for style in STYLES),
        LOCAL: tuple(description for description, _ in _local_styles()),
    }


class StyleExamples:
    """Paints every style on `frames` evenly spaced frames of each clip, at `long_side` px (the
    embedded encoder looks at about 160), and keeps what a style is judged by."""

    def __init__(self, encoder: Encoder, *, frames: int = 3, long_side: int = 256) -> None:
        self.encoder = encoder
        self.frames = frames
        self.long_side = long_side

    def of(
        self, clips: Clips, seed: int, tell: Callable[[str], None] = lambda line: None
    ) -> dict[str, list[StyleExample]]:
        """Task → its examples on all clips. `tell` gets a line per clip; what it raises ends the
        work."""
        rng = np.random.default_rng(seed)
        painter, stylizer = Painter(), LocalStylizer()
        stylizer.load()
        try:
            out: dict[str, list[StyleExample]] = {GLOBAL: [], LOCAL: []}
            for source_id, path in clips:
                tell(f"painting every style on {path.name}")
                out[GLOBAL] += self._global(source_id, path, painter)
                out[LOCAL] += self._local(source_id, path, stylizer, rng)
            return out
        finally:
            painter.close()
            stylizer.close()

    def _global(self, source_id: str, path: Path, painter: Painter) -> Iterator[StyleExample]:
        for frame, (index, style) in itertools.product(
            sample_frames(path, self.frames, self.long_side), enumerate(STYLES)
        ):
            (seen,) = self.encoder.encode([(painter.paint(frame, style)[None], None)])
            yield StyleExample(source_id, index, "", _features(seen, GLOBAL))

    def _local(
        self, source_id: str, path: Path, stylizer: LocalStylizer, rng: np.random.Generator
    ) -> Iterator[StyleExample]:
        for frame, (index, (_, params)) in itertools.product(
            sample_frames(path, self.frames, self.long_side), enumerate(_local_styles())
        ):
            mask = blob_masks((1, *frame.shape[:2]), rng)
            label = LABELS[int(rng.integers(len(LABELS)))]
            request = EditRequest(LOCAL, frame[None], mask, label=label, params=params)
            try:
                made = stylizer.edit(request).frames
            except BadInput:  # the region has that colour already
                continue
            (seen,) = self.encoder.encode([(made, mask)])
            yield StyleExample(source_id, index, label, _features(seen, LOCAL))


def _features(seen: Encoding, task: str) -> NDArray[np.float32]:
    if isinstance(seen, EmbeddedEncoding):
        return probe_features(seen, REGION[task])[0]
    return seen.embedding[0]


def _local_styles() -> list[tuple[str, dict[str, str]]]:
    """Descriptions and the local stylizer's params."""
    return [
        *((f"a {c} {{label}}", {"kind": "color", "color": c}) for c in COLOURS),
        *((f"a {m} statue of a {{label}}", {"kind": "material", "material": m}) for m in MATERIALS),
        *(
            (f"a {{label}} drawn like {s.prompt}", {"kind": "style", "style": s.name})
            for s in LOCAL_STYLES
        ),
    ]
