"""Pairs that people labelled, as training examples: through real files, without any network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import catalog
from catalog.keys import digest
from catalog.labels import labelled
from catalog.media import write_masks, write_video
from catalog.releases import Catalog
from filters.base import FRAMES, PairFrames
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.descriptor import GROUP_NAMES
from filters.quality.model import Fold, Mlp, QualityModel
from filters.quality.training.breakages import BREAKAGES
from filters.quality.training.ensemble import MLPS
from filters.quality.training.evaluation import agreement, evaluate
from filters.quality.training.labelled import (
    LEAST_LABELS,
    LEAST_SOURCES,
    LabelledPair,
    labelled_examples,
    on_labels,
)
from filters.quality.training.removals import paste
from filters.quality.training.synthetic_masks import blob_masks
from filters.quality.training.train import train
from filters.quality.training.training_set import (
    GOOD,
    LABELLED_BAD,
    LABELLED_GOOD,
    TrainingSet,
    broken_side,
    joined,
    training_set,
)
from filters.rules import QUALITY_THRESHOLD
from tests.editmill.small_catalog import make_pair

HEIGHT, WIDTH = 64, 96


def removals(number: int, count: int = 2) -> Iterator[tuple[str, PairFrames]]:
    """Right removals of a source: an object pasted on a texture that pans, and the texture."""
    rng = np.random.default_rng(number)
    wide = rng.integers(40, 215, (HEIGHT // 4, WIDTH // 2, 3), dtype=np.uint8)
    wide = wide.repeat(4, 0).repeat(4, 1)
    frames = np.stack([wide[:, 2 * t : 2 * t + WIDTH] for t in range(FRAMES)])
    source = digest("source", number)
    for _ in range(count):
        masks = blob_masks(frames.shape[:3], rng)
        pasted = paste(frames, masks, rng)
        yield (
            f"{source}:0",
            PairFrames("object_removal", pasted, frames, masks, source_id=source, made="target"),
        )


def frozen(pair: PairFrames) -> PairFrames:
    made = broken_side(pair, BREAKAGES["frozen"], np.random.default_rng(0), 0.5)
    assert made is not None
    return dataclasses.replace(pair, target=made)


def kept(dataset: Catalog, pair: PairFrames, good: bool) -> LabelledPair:
    """The pair as a build stores it, with a label."""
    refs = []
    for frames in (pair.source, pair.target):
        with dataset.media.writing(".mp4") as video:
            write_video(video.path, frames, 25)
        refs.append(video.ref)
    assert pair.mask is not None
    with dataset.media.writing(".mkv") as masks:
        write_masks(masks.path, pair.mask, 25)
    row = make_pair(pair.task, *refs, mask=masks.ref, source_id=pair.source_id)
    return LabelledPair(labelled(row.pair_id, good), row, dataset.media)


@pytest.fixture(scope="module")
def synthetic() -> TrainingSet:
    """Right removals of four sources, and the same broken."""
    pairs = ((clip, GOOD, pair) for number in range(4) for clip, pair in removals(number, 3))
    return training_set(pairs, 0, EmbeddedEncoder())


def test_labels_that_contradict_the_synthetic_truth_move_the_verdict(
    synthetic: TrainingSet, tmp_path: Path
):
    """People accept fills that stand still, which are broken by construction: so does the model
    then, on sources that it did not see; one that learnt from no label rejects them."""
    dataset, encoder = catalog.open(tmp_path, create=True), EmbeddedEncoder()
    still = (frozen(pair) for n in range(4, 8) for _, pair in removals(n, 3))
    pairs = [kept(dataset, pair, True) for pair in still]
    accepted = joined(list(labelled_examples(pairs, encoder, pytest.fail)))
    assert set(accepted.kinds) == {LABELLED_GOOD} and accepted.good.all()
    both = joined([synthetic, accepted])
    models = [train(examples, encoder, mlps=MLPS[:3], samples=()) for examples in (synthetic, both)]
    assert [model.trained_with.get("labels") for model in models] == [None, len(pairs)]
    x = both.x[both.labelled]
    before, after = ((m.score(x, accepted.sources) >= QUALITY_THRESHOLD).mean() for m in models)
    assert before < 0.2 and after > 0.8
    # What holds of the others is known as before.
    assert agreement(*models, synthetic).same_verdict > 0.8


def test_a_pair_that_cannot_be_read_is_told_of_and_left_out(tmp_path: Path):
    dataset = catalog.open(tmp_path, create=True)
    (_, pair), (_, gone) = removals(0)
    one, other = kept(dataset, pair, True), kept(dataset, gone, False)
    dataset.path(other.record.source_video).unlink()
    told: list[str] = []
    (found,) = labelled_examples([other, one], EmbeddedEncoder(), told.append)
    assert found.kinds == (LABELLED_GOOD,) and found.good.all() and found.labelled.all()
    assert found.sources == (pair.source_id,) and found.x.shape[0] == 1
    assert len(told) == 1 and other.record.pair_id[:12] in told[0]


COLUMN = len(GROUP_NAMES)


def model(sign: float) -> QualityModel:
    """Scores by one column, upwards or downwards."""
    groups = len(GROUP_NAMES) + 1
    mlp = Mlp(
        frozenset(range(groups)),
        np.array([COLUMN]),
        (np.array([[sign], [0.0]]),),
        (np.array([0.0]),),
    )
    fold = Fold(frozenset(), np.zeros((groups, COLUMN + 1)), np.ones((groups, COLUMN + 1)), (mlp,))
    return QualityModel((fold,), "some features")


def examples(kinds: list[str], sources: int) -> TrainingSet:
    """Good pairs lie above 0 in the column, failed ones below; the sources take turns."""
    n = len(kinds)
    x: NDArray[np.float32] = np.zeros((n, COLUMN + 1), np.float32)
    x[:, 0] = 1
    rng = np.random.default_rng(0)
    up = np.array([kind in (GOOD, LABELLED_GOOD) for kind in kinds])
    x[:, COLUMN] = np.where(up, 1, -1) + rng.normal(0, 0.5, n)
    names = tuple(f"source{i % sources}" for i in range(n))
    return TrainingSet(x, tuple(kinds), ("object_removal",) * n, names, names)


def test_models_are_compared_on_labels_where_there_are_enough():
    many = [LABELLED_GOOD, LABELLED_BAD] * LEAST_LABELS
    found = on_labels(model(-1), model(1), examples(many + [GOOD] * 99, LEAST_SOURCES))
    assert found is not None and found.clearly_worse and found.aucs[0] < 0.2 < 0.8 < found.aucs[1]
    turned = on_labels(model(1), model(-1), examples(many, LEAST_SOURCES))
    assert turned is not None and turned.clearly_better and not turned.clearly_worse
    same = on_labels(model(1), model(1), examples(many, LEAST_SOURCES))
    assert same is not None and same.worse == same.better == 0 and same.aucs[0] == same.aucs[1]
    assert on_labels(model(-1), model(1), examples(many[:-1], LEAST_SOURCES)) is None
    assert on_labels(model(-1), model(1), examples(many, LEAST_SOURCES - 1)) is None
    assert on_labels(model(-1), model(1), examples([GOOD, "frozen"] * 50, LEAST_SOURCES)) is None


def test_what_people_reject_is_measured_as_a_breakage():
    some = examples([GOOD, LABELLED_GOOD, LABELLED_BAD, "frozen"] * 5, 2)
    measured = evaluate(model(1), some, model(1).score(some.x, some.sources))
    assert set(measured["auc_per_breakage"]) == {"frozen", LABELLED_BAD}
