"""Training the alignment filter's style probes, at run time, as the quality model is.

Footage of the sample clips is painted in every look the stylizers know; each clip is judged by
probes that never saw it, which gives AUC and threshold. The file is addressed by all that
determines it and kept in the user's cache; its metrics travel inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catalog.keys import digest
from experts import weights
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.local_stylizer import LocalStylizer
from filters.alignment.examples import Example, examples, looks
from filters.alignment.filter import auc
from filters.alignment.probe import REGION, Measured, Probe, fit, load_probes, save_probes
from filters.encoder.embedded import EmbeddedEncoder
from flows.runtime.context import Context
from flows.runtime.worker import loaded

STAGE = "probes"
SEED = 0

SAMPLES = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")
"""Footage the looks are painted on; every clip is held out once."""

FALSE_REJECTIONS = 0.05
"""Share of matched prompts that a threshold may cost."""

ALGORITHM = 1
"""Counts up whenever examples, features or probe change."""


def probes_path() -> Path:
    """Where this version's probes lie or would lie."""
    shas = [weights.entry(name).sha256 for name in SAMPLES]
    made_by = GlobalStylizer.version, LocalStylizer.version, EmbeddedEncoder().version
    key = digest("probes", ALGORITHM, SEED, shas, made_by, looks())
    return weights.cache_dir() / "models" / f"probes-{key}.safetensors"


def ensure_probes(ctx: Context) -> Path:
    """The probes' file, trained first if it is absent."""
    path = probes_path()
    ctx.stats.expect(STAGE, 1)
    if path.is_file():
        ctx.stats.count(STAGE, reused=1)
    else:
        with ctx.stats.work(STAGE):
            train_probes(path, ctx.check_stop)
        ctx.stats.count(STAGE, done=1)
    return path


def train_probes(path: Path, check_stop: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Trains every task's probe into `path` and returns the metrics (see `metrics`). `check_stop`
    is called between frames and may raise."""
    clips = [(weights.entry(name).sha256, weights.fetch(name)) for name in SAMPLES]
    encoder = loaded(EmbeddedEncoder)
    painted = examples(clips, encoder, SEED, check_stop)
    probes = {
        task: _measured(painted[task], descriptions, REGION[task], encoder)
        for task, descriptions in looks().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_probes(path, probes, encoder)
    return _metrics(path)


def metrics() -> dict[str, Any]:
    """`version`, and `tasks`: per task `auc`, `threshold`, `false_rejections`, `swapped_dropped`
    and `examples` of the probes in use; empty if there are none yet."""
    path = probes_path()
    return _metrics(path) if path.is_file() else {}


def describe_metrics(found: dict[str, Any]) -> str:
    """The metrics as a few lines for a person."""
    lines = [f"alignment probes {found['version']}, judged on clips they never saw"]
    for task, of in found["tasks"].items():
        lines.append(
            f"{task}: AUC {of['auc']:.3f} of matched against swapped prompts "
            f"({of['examples']} frames); at {of['threshold']:.4f} it drops "
            f"{of['false_rejections']:.1%} of matched, {of['swapped_dropped']:.1%} of swapped"
        )
    return "\n".join(lines)


def _metrics(path: Path) -> dict[str, Any]:
    tasks = {
        task: {key: round(value, 4) for key, value in probe.measured.as_dict().items()}
        for task, probe in load_probes(path).items()
    }
    return {"version": path.stem.removeprefix("probes-")[:8], "tasks": tasks}


def _measured(
    painted: Sequence[Example], descriptions: Sequence[str], region: str, encoder: EmbeddedEncoder
) -> Probe:
    """The probe on all examples, with what probes that never saw a clip scored on it."""
    ids = sorted({e.source_id for e in painted})
    scores = {held: _held_out(painted, held, descriptions, region, encoder) for held in ids}
    matched, swapped = (np.concatenate([scores[i][side] for i in ids]) for side in (0, 1))
    # A clip's rejections are counted at the threshold that the other clips give
    rejected = dropped = 0
    for held in ids:
        others = np.concatenate([scores[i][0] for i in ids if i != held])
        threshold = np.quantile(others, FALSE_REJECTIONS)
        rejected += int((scores[held][0] < threshold).sum())
        dropped += int((scores[held][1] < threshold).sum())
    found = Measured(
        auc=auc(matched.tolist(), swapped.tolist()),
        threshold=float(np.quantile(matched, FALSE_REJECTIONS)),
        false_rejections=rejected / len(matched),
        swapped_dropped=dropped / len(swapped),
        examples=len(matched),
    )
    return _fit(painted, descriptions, region, found)


def _held_out(
    painted: Sequence[Example],
    held: str,
    descriptions: Sequence[str],
    region: str,
    encoder: EmbeddedEncoder,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one clip's frames with the prompt they were painted to, and with all others."""
    probe = _fit([e for e in painted if e.source_id != held], descriptions, region, None)
    matched: list[float] = []
    swapped: list[float] = []
    for example in (e for e in painted if e.source_id == held):
        p = probe.probabilities(example.features[None])
        for look, description in enumerate(descriptions):
            prompt = description.format(label=example.label)
            match = probe.match(prompt, example.label, encoder)
            if match is not None:
                (matched if look == example.look else swapped).append(float(p @ match))
    return np.array(matched), np.array(swapped)


def _fit(
    painted: Sequence[Example],
    descriptions: Sequence[str],
    region: str,
    found: Measured | None,
) -> Probe:
    x = np.stack([e.features for e in painted])
    return fit(x, [e.look for e in painted], descriptions, region, found or Measured())
