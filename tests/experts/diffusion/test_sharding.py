"""Training sharded over two processes is training on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.loop import train
from experts.diffusion.training.recipe import TrainingRecipe
from tests.experts.diffusion.small_clips import BlockEncoders, Source
from tests.experts.diffusion.train_sharded import RECIPE, expert


def test_sharded_training_resumes_and_ends_with_the_same_expert(tmp_path: Path):
    recipe = TrainingRecipe.model_validate(RECIPE)
    data = tmp_path / "data"
    prepare(recipe, [Source(0), Source(1), Source(2)], BlockEncoders(), data)
    sharded = _sharded(data, tmp_path / "two", 3, 4)

    losses: list[float] = []
    examples = Examples(data, recipe.expert)
    train(recipe, expert(), scheduler(recipe.spec.base), examples, tmp_path / "one",
          lambda step: losses.append(step.loss))  # fmt: skip
    assert sharded == pytest.approx(losses, rel=1e-5)
    one, two = (open_expert(tmp_path / name / "expert").state_dict() for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name], two[name], atol=1e-4), name


def _sharded(data: Path, out: Path, *parts: int) -> list[float]:
    """The losses of a training in parts, each up to a step, of which every one has its own
    processes."""
    command = [sys.executable, "-m", "tests.experts.diffusion.train_sharded", data, out]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *map(str, parts)],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [part["parameters"] for part in told] == [["DTensor"]] * len(parts)
    return [loss for part in told for loss in part["losses"]]
