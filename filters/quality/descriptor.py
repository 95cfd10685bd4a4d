"""A pair as one vector for the quality classifier: how the made side departs from the real one.

With the embedded encoder everything is a ratio, a relative distance or a cosine: of the made side
to the real one, of inside the mask to outside, of one frame to the next, of fine to coarse detail.
Such figures mean the same on any footage; averages of its features do not, and a classifier would
learn the clips. A CLIP's features are taken themselves, as in Señorita-2M (17 frames, frozen), with
the course of their cosines; the pixel measures are the same with both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from filters.base import PairFrames
from filters.encoder.base import Encoder, Encoding
from filters.encoder.embedded import LEVEL_CHANNELS, REGIONS, EmbeddedEncoding
from filters.features import AGREEMENT_MEASURES, PIXEL_MEASURES, Measures, PairFeatures

GROUPS: Mapping[str, str] = {
    "object_removal": "fill",
    "object_addition": "fill",
    "object_swap": "swap",
    "local_style_transfer": "local restyle",
    "global_style_transfer": "restyle",
}
"""Tasks whose edits fail in the same ways share a group. What follows from footage by arithmetic
has none: it is checked (filters.construction)."""

BY_MEASURES = frozenset({"fill", "swap"})
"""Groups that are judged by measures of pixels alone."""

GROUP_NAMES = tuple(dict.fromkeys(GROUPS.values()))

AGREEMENT_COLUMNS = slice(len(GROUP_NAMES), len(GROUP_NAMES) + len(AGREEMENT_MEASURES))
"""Where a descriptor, whatever the encoder, holds filters.features.AGREEMENT_MEASURES."""

VERSION = 2
"""Counts up whenever the descriptor of a pair changes: a model trained on another is refused."""

_TINY = 1e-3

_FINE = 3e-4
"""Added to pixel motions, 0–1, before ratios: below the codec's own noise on a static picture."""

Vector = NDArray[np.float32]


def clip_features(real: Encoding, made: Encoding) -> list[float]:
    """[2·D]: the mean of the made side's frozen features over the frames (Señorita-2M, quality
    filter), and its difference from the real side's."""
    before, after = (side.embedding.mean(0) for side in (real, made))
    return [*after.tolist(), *(after - before).tolist()]


def features_version(encoder: Encoder) -> str:
    """The version of the descriptors that come from this encoder's features."""
    return f"{VERSION}+{encoder.version}"


def measures_descriptor(measures: Measures, sample: PairFrames) -> Vector:
    """[F] float32: the task's group one-hot, then what the pixels say. No encoder is asked: whether
    a fill shows what is behind the object is a question to the footage, not to a network's view of
    it, which differs from clip to clip."""
    pixels = measures.pixels
    if sample.made == "source":
        pixels = pixels[:, :, _SWAPPED]
    values = [float(GROUPS.get(sample.task) == name) for name in GROUP_NAMES]
    values += measures.agreement.tolist()
    values += _pixel_changes(pixels)
    values += measures.artefacts.tolist()
    return np.array(values, np.float32)


def descriptor(features: PairFeatures, sample: PairFrames) -> Vector:
    """The same and, for groups that are not BY_MEASURES, how the encoder's views compare."""
    base = measures_descriptor(features.measures, sample)
    if GROUPS.get(sample.task) in BY_MEASURES:
        return base
    real, made = features.source, features.target
    if sample.made == "source":
        real, made = made, real
    values: list[float] = []
    if isinstance(real, EmbeddedEncoding) and isinstance(made, EmbeddedEncoding):
        values.append(float(not np.array_equal(made.levels[:, 0], made.levels[:, 1])))
        values += _level_motion(real, made)
        values += _sharpness(real, made)
        values += _map_agreement(real, made)
        values += _embedding_changes(real, made)
        values += _doubt(real, made)
    else:
        values.append(float(sample.mask is not None and bool(sample.mask.any())))
        values += clip_features(real, made)
        values += _embedding_changes(real, made)
    return np.concatenate([base, np.array(values, np.float32)])


def stacked(rows: Sequence[Vector]) -> Vector:
    """Descriptors as a matrix [n, F]; what a short one lacks is 0."""
    width = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


def _swapped_columns() -> list[int]:
    def other(name: str) -> str:
        if name.startswith("source_"):
            return name.replace("source_", "target_")
        return name.replace("target_", "source_")

    return [PIXEL_MEASURES.index(other(name)) for name in PIXEL_MEASURES]


_SWAPPED = _swapped_columns()


def _blocks() -> list[tuple[slice, slice]]:
    """Columns of each level's means and of its deviations."""
    out, start = [], 0
    for channels in LEVEL_CHANNELS:
        middle, end = start + channels, start + 2 * channels
        out.append((slice(start, middle), slice(middle, end)))
        start = end
    return out


def _length(x: NDArray) -> NDArray:
    return np.linalg.norm(x, axis=1) + _TINY


def _least(values: NDArray, count: int) -> float:
    return float(np.sort(values)[:count].mean())


def _most(values: NDArray, count: int) -> float:
    return float(np.sort(values)[-count:].mean())


def _halves(values: NDArray) -> float:
    """Mean of the later half less that of the earlier: an edit that stops midway."""
    middle = len(values) // 2
    return float(values[middle:].mean() - values[:middle].mean())


def _ratio(a: NDArray, b: NDArray, tiny: float) -> NDArray:
    return np.log((a + tiny) / (b + tiny))


def _steadiness(values: NDArray) -> list[float]:
    """A positive measure's course over the frames, relative to its own median [8]."""
    median = float(np.median(values)) + _TINY
    course = values / median
    steps = np.abs(np.diff(course))
    return [
        float(np.log(median)),
        float(course.min()),
        float(course.max()),
        abs(_halves(course)),
        _most(steps, 2),
        float(np.median(steps)),
        _least(course, 3),
        _most(course, 3),
    ]


def _region(encoding: EmbeddedEncoding, name: str) -> NDArray:
    return encoding.levels[:, REGIONS.index(name)]


def _level_motion(real: EmbeddedEncoding, made: EmbeddedEncoding) -> list[float]:
    """Per level: made's frame-to-frame change against real's, and its jitter."""
    out: list[float] = []
    for columns in (block for pair in _blocks() for block in pair):
        a, b = (_region(side, "inside")[:, columns] for side in (real, made))
        moves = [_length(np.diff(x, axis=0)) / _length(x).mean() for x in (a, b)]
        jitter = [
            _length(x[2:] - 2 * x[1:-1] + x[:-2]) / _length(x).mean() for x in (a, b)
        ]  # second difference: small for motion, large for flicker
        ratio = _ratio(moves[1], moves[0], 0.004)
        out += [float(np.median(ratio)), _least(ratio, 4), _most(ratio, 3), _halves(ratio)]
        out += [
            float(np.log(np.median(moves[1]) + 0.002)),
            float(np.log((_most(moves[1], 3) + _TINY) / (np.median(moves[1]) + _TINY))),
            float(np.log((_least(moves[1], 4) + _TINY) / (moves[1].mean() + _TINY))),
            float(np.log((_most(jitter[1], 3) + 0.004) / (_most(jitter[0], 3) + 0.004))),
            float(np.median(_ratio(jitter[1], jitter[0], 0.004))),
        ]
    return out


def _sharpness(real: EmbeddedEncoding, made: EmbeddedEncoding) -> list[float]:
    """Detail of fine levels against coarse ones, and of the sides and regions to each other."""

    def details(levels: NDArray) -> tuple[NDArray, NDArray]:
        means = np.array([np.log(_length(levels[:, m]).mean()) for m, _ in _blocks()])
        deviations = np.array([np.log(_length(levels[:, d]).mean()) for _, d in _blocks()])
        return means, deviations

    out: list[float] = []
    inside, outside = details(_region(made, "inside")), details(_region(made, "outside"))
    original = details(_region(real, "inside"))
    for means, deviations in (inside, outside, original):
        out += [*np.diff(deviations), *(deviations - means)]
    out += [*(inside[1] - outside[1]), *(inside[1] - original[1])]
    return [float(x) for x in out]


def _map_agreement(real: EmbeddedEncoding, made: EmbeddedEncoding) -> list[float]:
    """The deepest level place by place: alike where one side is a ghost of the other."""
    a, b = real.maps, made.maps
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + _TINY)
    course = cosine.mean((1, 2))
    moves = [
        np.linalg.norm(np.diff(x, axis=0), axis=1) / (np.linalg.norm(x, axis=1).mean() + _TINY)
        for x in (a, b)
    ]
    ratio = _ratio(moves[1], moves[0], 0.01)
    values = (
        course.mean(),
        course.std(),
        course.min(),
        course.max(),
        cosine.min((1, 2)).mean(),
        cosine.max((1, 2)).mean(),
        cosine.std((1, 2)).mean(),
        abs(_halves(course)),
        np.abs(np.diff(course)).max(),
        ratio.mean(),
        ratio.min((1, 2)).mean(),
        ratio.max((1, 2)).mean(),
        ratio.mean((1, 2)).min(),
        ratio.mean((1, 2)).max(),
        _halves(ratio.mean((1, 2))),
    )
    return [float(v) for v in values]


def _embedding_changes(real: Encoding, made: Encoding) -> list[float]:
    def cosine(a: NDArray, b: NDArray) -> NDArray:
        return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + _TINY)

    between = cosine(real.embedding, made.embedding)
    before, after = (cosine(x.embedding[1:], x.embedding[:-1]) for x in (real, made))
    values = (
        between.mean(),
        between.std(),
        between.min(),
        between.max(),
        abs(_halves(between)),
        np.abs(np.diff(between)).max(),
        after.mean(),
        after.min(),
        after.max(),
        after.mean() - before.mean(),
        after.min() - before.min(),
        after.max() - before.max(),
    )
    return [float(v) for v in values]


def _doubt(real: EmbeddedEncoding, made: EmbeddedEncoding) -> list[float]:
    """Entropy of made's class probabilities, and what of it real has not."""
    doubt = [-(x.classes * np.log(x.classes + 1e-9)).sum(1).mean() for x in (real, made)]
    return [float(doubt[1]), float(doubt[1] - doubt[0])]


def _pixel_changes(pixels: NDArray[np.float32]) -> list[float]:
    out: list[float] = []
    for region in range(pixels.shape[1]):
        column = {name: pixels[:, region, i] for i, name in enumerate(PIXEL_MEASURES)}
        edges = column["shared_edges"]
        out += _steadiness(column["change"] + 0.002)
        out += [float(v) for v in (edges.mean(), edges.min(), edges.max())]
        out.append(float(np.abs(np.diff(edges)).max()))
        out += [float(column["unfinished"].mean()), float(column["unfinished"].min())]
        levels = column["source_levels"].mean(), column["target_levels"].mean()
        out += [float(levels[0]), float(levels[1]), float(levels[1] - levels[0])]
        for name in ("motion", "level_jump"):
            # The first frame has no motion yet
            out += _motion(column[f"source_{name}"][1:], column[f"target_{name}"][1:])
        for name in ("contrast", "saturation", "detail", "luma"):
            a, b = column[f"source_{name}"], column[f"target_{name}"]
            ratio = _ratio(b, a, 0.01)
            out += [float(ratio.mean()), float(ratio.std()), float(np.abs(np.diff(ratio)).max())]
            out += [_halves(ratio), float(np.log(b.mean() + 0.003))]
        for side in ("source", "target"):
            sharp, contrast = column[f"{side}_detail"].mean(), column[f"{side}_contrast"].mean()
            out.append(float(np.log((sharp + 0.002) / (contrast + 0.01))))
    # Where the real side has a hole or the object, only made's own surroundings tell how it moves
    motion = pixels[1:, :, PIXEL_MEASURES.index("target_motion")]
    out += _motion(motion[:, 1], motion[:, 0])
    for name in ("detail", "contrast", "saturation", "motion", "luma"):
        both = pixels[:, :, PIXEL_MEASURES.index(f"target_{name}")].mean(0)
        out.append(float(np.log((both[0] + 0.003) / (both[1] + 0.003))))
    return out


def _motion(real: NDArray, made: NDArray) -> list[float]:
    """Made's motion against real's, and against its own: frozen, or jumping."""
    coarse, fine = _ratio(made, real, 0.002), _ratio(made, real, _FINE)
    own = float(np.median(made))
    values = (
        np.median(coarse),
        _least(coarse, 3),
        _most(coarse, 3),
        _halves(coarse),
        coarse.std(),
        np.log(own + 0.002),
        np.log(made.max() + 0.002),
        _least(fine, 4),
        (made < 0.25 * real).mean(),
        (made < 0.25 * own + 1e-4).mean(),
        np.log((_least(made, 4) + _FINE) / (made.mean() + _FINE)),
        np.log((_most(made, 3) + _FINE) / (own + _FINE)),
    )
    return [float(v) for v in values]
