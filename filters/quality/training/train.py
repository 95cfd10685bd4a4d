"""Training the quality model on edits of the sample clips, from footage to a measured model.

Most of the time goes into making the training pairs; of fitting, half is for the second model that
is only measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from experts import weights
from filters.encoder.base import Encoder
from filters.quality.descriptor import features_version
from filters.quality.model import QualityModel
from filters.quality.training.ensemble import MLPS, MlpSettings, fit
from filters.quality.training.evaluation import evaluate
from filters.quality.training.good_edits import GoodEdits, expert_versions
from filters.quality.training.kept_sets import KeptSets
from filters.quality.training.labelled import LabelledPair, labelled_examples
from filters.quality.training.training_set import TrainingSet, joined, training_set

SAMPLES = (
    "clip_motorway",
    "clip_city",
    "clip_bikes",
    "clip_bigbuckbunny",
    "clip_squirrel",
    "clip_pedestrians",
    "clip_cup",
    "clip_tree",
    "clip_cockatoo",
    "clip_woman",
    "clip_skyline",
    "clip_treadmill",
)
"""Footage that the training pairs are made from, by slot of experts/weights/weights.toml: what
infra/bench/split.toml says may be tuned on. Every source is held out once."""

T = TypeVar("T")


def sample_pairs(
    encoder: Encoder,
    samples: Sequence[str] = SAMPLES,
    seed: int = 0,
    *,
    footage: Sequence[tuple[str, Path]] = (),
    labelled: Sequence[LabelledPair] = (),
    edits: GoodEdits | None = None,
    keep_in: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> TrainingSet:
    """The training pairs that `edits`, by default GoodEdits, makes from sample clips, and from
    more `footage` (source ids and video files), with the pairs that people `labelled`.

    What `keep_in`, a folder, has of a source's pairs is not made again, and what is made is kept
    there (`filters.quality.training.kept_sets`). `tell` gets a line now and then; what it raises
    ends the work. Raises EditmillError where a sample or a model that makes edits cannot be had.
    """
    videos = [(weights.entry(name).sha256, weights.fetch(name)) for name in samples]
    own = {source for source, _ in videos}
    videos += [video for video in footage if video[0] not in own]
    made = edits or GoodEdits()
    kept = None if keep_in is None else KeptSets(keep_in, seed, made, encoder)
    synthetic = []
    for number, video in enumerate(videos, start=1):
        source = f"source {number} of {len(videos)} ({video[0][:8]})"
        pairs = _counted(made.pairs([video], seed), source, tell)
        make = partial(training_set, pairs, seed, encoder)
        synthetic.append(make() if kept is None else kept.of(video[0], make))
    return joined([*synthetic, *labelled_examples(labelled, encoder, tell)])


def _counted(
    pairs: Iterable[T], source: str, tell: Callable[[str], None], every: int = 10
) -> Iterator[T]:
    for count, pair in enumerate(pairs):
        if count % every == 0:
            tell(f"{source}: {count} edits made, broken and described so far")
        yield pair


def train(
    examples: TrainingSet,
    encoder: Encoder,
    seed: int = 0,
    *,
    mlps: Sequence[MlpSettings] = MLPS,
    samples: Sequence[str] = SAMPLES,
    footage: Sequence[str] = (),
) -> QualityModel:
    """A model of the examples, with its metrics and what it was trained with: samples and the ids
    of more `footage`.

    Its folds hold out whole sources, so that none judges footage it was trained on. A second model
    whose folds hold out clips is fitted to be measured beside it, and dropped.
    """
    features = features_version(encoder)
    model = fit(examples.x, examples.good, examples.sources, seed, features, mlps=mlps)
    by_clip = fit(examples.x, examples.good, examples.clips, seed, features, mlps=mlps)
    metrics = evaluate(model, examples, by_clip.score(examples.x, examples.clips))
    made_of = trained_with(samples, seed)
    if footage:
        made_of["footage"] = sorted(source[:12] for source in footage)
    if examples.labelled.any():
        made_of["labels"] = int(examples.labelled.sum())
    return dataclasses.replace(model, metrics=metrics, trained_with=made_of)


def trained_with(samples: Sequence[str] = SAMPLES, seed: int = 0) -> dict[str, Any]:
    """What the training pairs depend on besides this package's code: seed, samples with the digest
    of their files, and the experts that make the edits, with their versions."""
    return {
        "seed": seed,
        "samples": {name: weights.entry(name).sha256[:12] for name in samples},
        "experts": expert_versions(),
    }
