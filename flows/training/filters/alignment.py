"""The Prefect flow that trains the alignment filter's style probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from catalog.storage.files import make_writable
from experts.instances import loaded
from filters.alignment import train
from filters.alignment.style_examples import StyleExample
from filters.alignment.style_probe import SHIPPED, StyleProbes
from filters.alignment.train import SAMPLES, agreement, describe_metrics
from filters.encoder.embedded import EmbeddedEncoder
from flows.runtime.orchestration.run_log import tell
from flows.training.filters.footage import Footage

__all__ = ["SHIPPED", "describe_metrics", "train_alignment"]


@task(name="paint-and-fit", cache_policy=NO_CACHE, persist_result=False)
def paint_and_fit(
    samples: Sequence[str], frames: int, seed: int, footage: Footage = ()
) -> tuple[StyleProbes, Mapping[str, Sequence[StyleExample]]]:
    """The probes with what was measured, and the painted frames' features."""
    encoder = loaded(EmbeddedEncoder)
    return train.train(encoder, samples, seed, footage=footage, frames=frames, tell=tell)


@flow(name="train-alignment-filter", persist_result=False)
def train_alignment(
    out: Path | None = None,
    compare_with: Path | None = None,
    samples: tuple[str, ...] = SAMPLES,
    frames: int = 3,
    seed: int = 0,
) -> dict[str, Any]:
    """Train the alignment filter's style probes on sample clips painted by the stylizers.

    With the defaults this takes about a minute of one core and makes the probes that are shipped.
    Returns their `metrics` per task and, where others were named, the `agreement` with those.

    Args:
        out: The safetensors file to write the probes to. A recipe judges with them by
            `filters: {style_probes: FILE}`.
        compare_with: A file of style probes. Both judge the painted frames, and how far they agree
            is returned.
        samples: Video clips, by slot of experts/weights/weights.toml, that the styles are painted
            on; at least two. Each is held out once.
        frames: Frames of each clip that every style is painted on.
        seed: Of everything that is drawn.
    """
    if out is not None:
        make_writable(out)  # else it would be told once all is made
    known = None if compare_with is None else StyleProbes.load(compare_with)
    probes, painted = paint_and_fit(samples, frames, seed)
    if out is not None:
        probes.save(out)
    found: dict[str, Any] = {"metrics": probes.metrics}
    if known is not None:
        found["agreement"] = agreement(known, probes, painted).as_dict()
    return found
