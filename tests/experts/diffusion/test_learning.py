"""Each expert learns a handful of tiny clips by heart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.loop import StepMetrics, train
from experts.diffusion.training.loss import conditions_of
from experts.diffusion.training.recipe import TrainingRecipe
from tests.experts.diffusion.small_clips import BlockEncoders, Source, pixels

FALL = {"global_stylizer": 3, "local_stylizer": 3, "inpainter": 2.5, "remover": 15}
"""How many times smaller the loss becomes, at the least."""


@dataclass
class Learned:
    losses: list[float]
    editor: VideoEditor
    examples: Examples


def _learn(
    name: str,
    steps: int,
    base: Callable[..., Any],
    folder: Path,
    learning_rate: float = 3e-3,
    **sizes: Any,
) -> Learned:
    torch.set_num_threads(1)
    spec = EXPERTS[name]
    recipe = TrainingRecipe(
        expert=name,
        stages=[  # type: ignore[arg-type]
            {
                "height": 32, "width": 48, "frames": 9, "steps": steps, "batch_size": 8,
                "per_device_batch_size": 8, "learning_rate": learning_rate, "lr_warmup_steps": 20,
            }
        ],
        examples={"per_clip": 3, "stride": 1},  # type: ignore[arg-type]
        precision="fp32",
        gradient_checkpointing=False,
        dataloader_workers=0,
        ema_decay=0.98,
        checkpoint_every=10**6,
    )  # fmt: skip
    sources = [Source(seed) for seed in range(4)]
    prepare(recipe, sources, BlockEncoders(), folder / "data")
    examples = Examples(folder / "data", name)
    model = base(
        "5B-I2V" if "I2V" in spec.base else "2B",
        attention_head_dim=32, time_embed_dim=64, sample_height=4, sample_width=6, **sizes,
    )  # fmt: skip
    losses: list[float] = []

    def note(step: StepMetrics) -> None:
        losses.append(step.loss)

    editor = build(replace(spec, control_layers=2), model)
    made = train(recipe, editor, scheduler(spec.base), examples, folder / "out", note)
    return Learned(losses, open_expert(made), examples)


@pytest.mark.parametrize("name", ["global_stylizer", "local_stylizer", "inpainter"])
def test_expert_learns_its_clips(base, tmp_path: Path, name: str):
    losses = _learn(name, 80, base, tmp_path, 4e-3, num_layers=2).losses
    assert np.mean(losses[:10]) > FALL[name] * np.mean(losses[-20:])


def test_remover_paints_what_belongs_there(base, tmp_path: Path):
    learned = _learn("remover", 300, base, tmp_path, num_attention_heads=4, num_layers=2)
    assert np.mean(learned.losses[:10]) > FALL["remover"] * np.mean(learned.losses[-20:])

    rows = [k for k, row in enumerate(learned.examples.rows) if row.kind == "unrelated"][:6]
    assert len(rows) == 6
    items = [learned.examples[k] for k in rows]
    batch = {name: torch.stack([item[name] for item in items]) for name in items[0]}
    empty = learned.examples.empty_prompt().expand(len(rows), -1, -1)
    made = sample(
        learned.editor,
        EXPERTS["remover"],
        scheduler("CogVideoX-2b"),
        conditions_of(batch),
        Prompts(batch["prompt"], empty),
        size=(3, 4, 6),
        seeds=list(range(len(rows))),
        steps=15,
        guidance_scale=1.0,
    )
    hole = (batch["mask"] > 0.99).expand(-1, -1, 3, -1, -1)
    hole = hole.repeat_interleave(2, -1).repeat_interleave(2, -2)
    truth, got, black = (pixels(x) for x in (batch["target"], made, batch["masked"]))

    def error(guess: torch.Tensor) -> float:
        return float((guess - truth)[hole].abs().mean())

    outside = torch.where(hole, torch.nan, truth).flatten(3).nanmean(-1)
    mean = outside[..., None, None].expand_as(truth)  # the best flat colour, seen from outside
    assert error(black) > 80  # grey levels; the hole is not trivially right
    assert error(got) < 16
    assert error(got) < 0.5 * error(mean)
