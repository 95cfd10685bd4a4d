"""Tiny edits and recipes that editors are trained with in tests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from experts.diffusion.model.build import build
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.specs import EDITORS, ExpertSpec
from experts.diffusion.training.data.clip import TrainingClip
from experts.diffusion.training.recipe import TrainingRecipe
from tests.experts.diffusion.small_clips import Source

SENORITA = [name for name in EDITORS if name.startswith("senorita")]
KINDS = {"CogVideoX-5b": "5B", "CogVideoX-5b-I2V": "5B-I2V"}


def editor_of(base: Callable[..., Any], name: str, **changes: Any) -> tuple[VideoEditor, Any]:
    """The untrained editor and, apart from it, its base."""
    spec = small(name)
    made = [base(KINDS[spec.base], **{"num_layers": 2} | changes) for _ in range(2)]
    return build(spec, made[0]), made[1]


def small(name: str) -> ExpertSpec:
    return replace(EDITORS[name], control_layers=2)


class Edited(Source):
    """A pair of a scene: the target is its negative."""

    def clip(self) -> TrainingClip:
        frames = self._frames()
        return TrainingClip(255 - frames, "Invert it.", {"source": frames}, ("Make it negative.",))

    @property
    def labels(self) -> tuple[str, ...]:
        return ()


class Recorded(Source):
    """A local-editing record of a scene; the last of four deletes."""

    @property
    def key(self) -> str:
        return f"record-{self.seed}"

    def clip(self) -> TrainingClip:
        task = "deletion" if self.seed % 4 == 3 else "addition"
        return TrainingClip(self._frames(), f"a disc {self.seed}", {}, ("a longer one",), task)


def record(seed: int) -> Recorded:
    """Every other one is an image."""
    return Recorded(seed, frames=1 if seed % 2 else 20)


def recipe_of(name: str, **changes: Any) -> TrainingRecipe:
    stage = {
        "height": 32,
        "width": 48,
        "frames": 9,
        "steps": 3,
        "batch_size": 4,
        "per_device_batch_size": 4,
        "learning_rate": 2e-3,
        "lr_warmup_steps": 0,
    }
    stage |= changes.pop("stage", {})
    settings = {
        "expert": name,
        "stages": [stage],
        "examples": {"per_clip": 2, "stride": 1},
        "precision": "fp32",
        "gradient_checkpointing": False,
        "dataloader_workers": 0,
        "ema_decay": 0.9,
        "checkpoint_every": 10**6,
    }
    return TrainingRecipe.model_validate(settings | changes)
