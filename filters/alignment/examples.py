"""Looks with known descriptions, painted by the real stylizers, for the alignment filter's probes.

Single frames are painted, not clips: a probe judges frame by frame, and holding strokes still in
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
from filters.alignment.probe import GLOBAL, LOCAL, REGION, probe_features
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import encode_view
from filters.quality.good_edits import moving_masks
from flows.runtime.context import checked
from flows.runtime.worker import loaded

FRAMES = 3
"""Frames of each clip that every look is painted on."""

LONG_SIDE = 256
"""px; the encoder looks at about 160."""

LABELS = ("car", "bird", "bus", "dog", "chair", "bicycle")
"""What the regions are called that local looks are painted on: the footage decides the pixels, the
label only completes the description."""

Clips = Sequence[tuple[str, Path]]
"""Source id and path."""


@dataclass(frozen=True, slots=True)
class Example:
    """One painted frame: its `features` [F], the index of its look, the object's name if local."""

    source_id: str
    look: int
    label: str
    features: NDArray[np.float32]


def looks() -> dict[str, tuple[str, ...]]:
    """Task → descriptions of its looks, with `{label}` where the object's name goes."""
    return {
        GLOBAL: tuple(style.prompt for style in STYLES),
        LOCAL: tuple(description for description, _ in _local_looks()),
    }


def examples(
    clips: Clips, encoder: EmbeddedEncoder, seed: int, check_stop: Callable[[], None] = lambda: None
) -> dict[str, list[Example]]:
    """Task → every look on frames of every clip. `check_stop` is called between and may raise."""
    local_examples = _local_examples(clips, encoder, np.random.default_rng(seed))
    return {
        GLOBAL: list(checked(_global_examples(clips, encoder), check_stop)),
        LOCAL: list(checked(local_examples, check_stop)),
    }


def _global_examples(clips: Clips, encoder: EmbeddedEncoder) -> Iterator[Example]:
    painter = Painter()  # opens its network at the first style that needs it
    for source_id, path in clips:
        for frame, (look, style) in itertools.product(
            sample_frames(path, FRAMES, LONG_SIDE), enumerate(STYLES)
        ):
            seen = encoder.images([painter.paint(frame, style)])
            yield Example(source_id, look, "", probe_features(seen, REGION[GLOBAL])[0])


def _local_examples(
    clips: Clips, encoder: EmbeddedEncoder, rng: np.random.Generator
) -> Iterator[Example]:
    stylizer = loaded(LocalStylizer)
    for source_id, path in clips:
        for frame, (look, (_, params)) in itertools.product(
            sample_frames(path, FRAMES, LONG_SIDE), enumerate(_local_looks())
        ):
            mask = moving_masks((1, *frame.shape[:2]), rng)
            label = LABELS[int(rng.integers(len(LABELS)))]
            request = EditRequest(LOCAL, frame[None], mask, label=label, params=params)
            try:
                made = stylizer.edit(request).frames
            except BadInput:  # the region has that colour already
                continue
            seen = encode_view(made, mask, encoder)
            yield Example(source_id, look, label, probe_features(seen, REGION[LOCAL])[0])


def _local_looks() -> list[tuple[str, dict[str, str]]]:
    """Descriptions and the local stylizer's params."""
    return [
        *((f"a {c} {{label}}", {"kind": "color", "color": c}) for c in COLOURS),
        *((f"a {m} statue of a {{label}}", {"kind": "material", "material": m}) for m in MATERIALS),
        *(
            (f"a {{label}} drawn like {s.prompt}", {"kind": "style", "style": s.name})
            for s in LOCAL_STYLES
        ),
    ]
