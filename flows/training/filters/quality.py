"""The Prefect flow that trains the quality filter's model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from catalog.storage.files import make_writable
from filters.quality.model import SHIPPED, QualityModel
from filters.quality.training import kept_sets, train
from filters.quality.training.ensemble import MLPS
from filters.quality.training.evaluation import agreement, describe_metrics
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.labelled import LabelledPair
from filters.quality.training.train import SAMPLES
from filters.quality.training.training_set import TrainingSet
from flows.runtime.orchestration.run_log import tell
from flows.training.filters.encoders import EMBEDDED, Named, encoder_named
from flows.training.filters.footage import Footage

__all__ = ["SHIPPED", "describe_metrics", "train_quality"]


@task(name="make-training-pairs", cache_policy=NO_CACHE, persist_result=False)
def make_training_pairs(
    samples: Sequence[str],
    windows: int,
    seed: int,
    footage: Footage = (),
    labelled: Sequence[LabelledPair] = (),
    encoder: Named = EMBEDDED,
    anew: bool = False,
) -> TrainingSet:
    """Good edits of samples and footage, the same edits broken on purpose, and labelled pairs, as
    descriptors. Unless they are to be made `anew`, those of a source that an earlier training made
    are taken from the user's cache."""
    return train.sample_pairs(
        encoder_named(encoder),
        samples,
        seed,
        footage=footage,
        labelled=labelled,
        edits=GoodEdits(windows=windows),
        keep_in=None if anew else kept_sets.own_folder(),
        tell=tell,
    )


@task(name="fit", cache_policy=NO_CACHE, persist_result=False)
def fit(
    examples: TrainingSet,
    samples: Sequence[str],
    seed: int,
    mlps_per_fold: int,
    footage: Footage = (),
    encoder: Named = EMBEDDED,
) -> QualityModel:
    """The ensemble, with its metrics."""
    tell(f"fitting on {len(examples.kinds)} pairs")
    return train.train(
        examples,
        encoder_named(encoder),
        seed,
        mlps=MLPS[:mlps_per_fold],
        samples=samples,
        footage=[source for source, _ in footage],
    )


@flow(name="train-quality-filter", persist_result=False)
def train_quality(
    out: Path | None = None,
    compare_with: Path | None = None,
    samples: tuple[str, ...] = SAMPLES,
    windows: int = 6,
    mlps_per_fold: int = len(MLPS),
    seed: int = 0,
    encoder: str | dict[str, Any] = EMBEDDED,
) -> dict[str, Any]:
    """Train the quality filter on edits of sample clips, good ones and ones broken on purpose.

    With the defaults this makes the model that is shipped. Returns its `metrics` and, where another
    model was named, the `agreement` with it.

    Args:
        out: The safetensors file to write the model to. A recipe judges with it by
            `filters: {quality_model: FILE}`.
        compare_with: A model's file. Both models judge the training pairs, which are made anew
            for it, and how far they agree is returned.
        samples: Video clips, by slot of experts/weights/weights.toml, that the training pairs are
            made from; at least two. Each is held out once.
        windows: Clips taken from each video.
        mlps_per_fold: Classifiers per held-out video.
        seed: Of everything that is drawn.
        encoder: The filters' encoder whose features the model is to judge by, as a recipe's
            `models.encode` has it. A model judges with that encoder only.
    """
    if out is not None:
        make_writable(out)  # else it would be told once all is made
    known = None if compare_with is None else QualityModel.load(compare_with)
    examples = make_training_pairs(samples, windows, seed, encoder=encoder, anew=known is not None)
    model = fit(examples, samples, seed, mlps_per_fold, encoder=encoder)
    if out is not None:
        model.save(out)
    found: dict[str, Any] = {"metrics": dict(model.metrics)}
    if known is not None:
        found["agreement"] = agreement(known, model, examples).as_dict()
    return found
