"""The loop: exact resumption, stages and sizes, and what it says when it can't go on."""

import functools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from catalog.errors import EditmillError
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training import loop
from experts.diffusion.training.data.examples import Examples, SizeBuckets
from experts.diffusion.training.data.prepare import TrainingExample, prepare
from experts.diffusion.training.data.randomness import StepRandomness
from experts.diffusion.training.loop import StepMetrics, train
from experts.diffusion.training.recipe import TrainingRecipe
from tests.experts.diffusion.small_clips import BlockEncoders, Source

Build = Callable[[], Any]


def _recipe(name: str = "inpainter", **changes: Any) -> TrainingRecipe:
    stage = {
        "height": 16, "width": 32, "frames": 5, "steps": 4,
        "batch_size": 4, "per_device_batch_size": 2, "learning_rate": 1e-3, "lr_warmup_steps": 2,
    }  # fmt: skip
    larger = stage | {"height": 32, "width": 48, "steps": 3, "learning_rate": 5e-4}
    return TrainingRecipe.model_validate(
        {
            "expert": name,
            "stages": [stage, larger],
            "examples": {"per_clip": 2, "stride": 1},
            "checkpoint_every": 3,
            "dataloader_workers": 0,
            "ema_decay": 0.9,
        }
        | changes
    )


@pytest.fixture
def build_expert(base) -> Callable[[str], Any]:
    def make(name: str = "inpainter") -> Any:
        spec = EXPERTS[name]
        kind = "5B-I2V" if "I2V" in spec.base else "2B"
        return build(replace(spec, control_layers=2), base(kind, num_layers=2))

    return make


@pytest.fixture
def data(tmp_path: Path) -> Callable[[TrainingRecipe], Examples]:
    def make(recipe: TrainingRecipe) -> Examples:
        upright = Source(9, height=56, width=40)  # a portrait clip makes a bucket of its own
        sources = [Source(0), Source(1), Source(2), upright]
        prepare(recipe, sources, BlockEncoders(), tmp_path / "data")
        return Examples(tmp_path / "data", recipe.expert)

    return make


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stopped_training_goes_on_exactly(build_expert, data, tmp_path: Path, precision: str):
    recipe = _recipe(precision=precision)
    examples, schedule = data(recipe), scheduler(recipe.spec.base)

    def run(folder: str, stop_after: int | None = None) -> list[StepMetrics]:
        told: list[StepMetrics] = []
        train(recipe, build_expert(), schedule, examples, tmp_path / folder, told.append,
              stop_after=stop_after)  # fmt: skip
        return told

    whole = run("whole")
    parts = run("parts", 2) + run("parts", 5) + run("parts")
    assert parts == whole and len(whole) == 7
    assert run("parts") == []  # done already
    last = [tmp_path / folder / "checkpoints" / "step-00000007" for folder in ("whole", "parts")]
    for a, b in zip(*(load_file(path / "model.safetensors").items() for path in last), strict=True):
        assert a[0] == b[0] and torch.equal(a[1], b[1])
    weights = [
        open_expert(tmp_path / folder / "expert").state_dict() for folder in ("whole", "parts")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    logged = (tmp_path / "parts" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == list(range(7))


def test_frozen_weights_stay_and_the_average_is_what_is_written(build_expert, data, tmp_path: Path):
    recipe = _recipe(precision="fp32")
    editor = build_expert()
    before = {name: p.clone() for name, p in editor.state_dict().items()}
    made = train(recipe, editor, scheduler(recipe.spec.base), data(recipe), tmp_path / "out")
    written = open_expert(made).state_dict()
    after = editor.state_dict()
    frozen = {name for name, p in editor.named_parameters() if not p.requires_grad}
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert all(torch.equal(before[name], written[name]) for name in frozen)
    moved = {name for name, p in editor.named_parameters() if p.requires_grad}
    assert sum(not torch.equal(written[name], after[name]) for name in moved) > len(moved) / 2
    assert {path.name for path in made.iterdir()} >= {"config.json", "scheduler", "training.json"}


def test_compiled_blocks_train_to_the_same_weights(build_expert, data, tmp_path, monkeypatch):
    graphs = []

    def backend(graph, inputs):  # what the compiler was given, run as it is
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))

    def weights(compiled: bool) -> dict[str, torch.Tensor]:
        recipe = _recipe(
            stages=[_recipe().stages[0].model_dump() | {"steps": 2}],  # the compiler takes its time
            precision="fp32",
            compile=compiled,
            gradient_checkpointing=True,
        )
        out = tmp_path / str(compiled)
        made = train(recipe, build_expert(), scheduler(recipe.spec.base), data(recipe), out)
        return open_expert(made).state_dict()

    plain = weights(compiled=False)
    assert not graphs
    compiled = weights(compiled=True)
    assert graphs and plain.keys() == compiled.keys()
    assert all(torch.allclose(plain[name], compiled[name], atol=1e-6) for name in plain)


def test_without_a_compiler_is_one_line_with_a_remedy(build_expert, data, tmp_path, monkeypatch):
    def backend(graph, inputs):
        raise OSError("no C compiler")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    recipe = _recipe(compile=True)
    with pytest.raises(EditmillError, match=r"no C compiler.*compile: false"):
        train(recipe, build_expert(), scheduler(recipe.spec.base), data(recipe), tmp_path)


def test_gradient_accumulation_changes_the_loss_by_rounding_alone(build_expert, data, tmp_path):
    def losses(size: int) -> list[float]:
        stages = [
            stage.model_dump() | {"per_device_batch_size": size} for stage in _recipe().stages
        ]
        recipe = _recipe(stages=stages, precision="fp32")
        told: list[float] = []
        train(
            recipe,
            build_expert(),
            scheduler(recipe.spec.base),
            data(recipe),
            tmp_path / str(size),
            lambda step: told.append(step.loss),
        )
        return told

    assert losses(1) == pytest.approx(losses(4), rel=1e-4)


def test_no_variable_of_the_process_is_taken_away_even_for_a_moment(
    build_expert, data, tmp_path, monkeypatch
):
    """Threads of libraries read them at any time, and C's `getenv` bears no change meanwhile."""
    unsetenv, taken = os.unsetenv, []

    def noted(name: bytes) -> None:
        taken.append(os.fsdecode(name))
        unsetenv(name)

    monkeypatch.setattr(os, "unsetenv", noted)
    mine = set(os.environ)
    recipe = _recipe()
    train(recipe, build_expert(), scheduler(recipe.spec.base), data(recipe), tmp_path / "out")
    assert not mine & set(taken)


def test_checkpoints_beyond_those_kept_are_dropped(build_expert, data, tmp_path: Path):
    recipe = _recipe(checkpoint_every=1, keep_checkpoints=2)
    train(recipe, build_expert(), scheduler(recipe.spec.base), data(recipe), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    assert names == ["step-00000006", "step-00000007"]


def test_a_checkpoint_of_another_training_is_refused(build_expert, data, tmp_path: Path):
    recipe = _recipe()
    examples, schedule = data(recipe), scheduler(recipe.spec.base)
    train(recipe, build_expert(), schedule, examples, tmp_path / "out", stop_after=1)
    with pytest.raises(EditmillError, match="another recipe or other examples"):
        train(_recipe(seed=1), build_expert(), schedule, examples, tmp_path / "out")


def test_a_training_begun_before_blocks_could_be_compiled_goes_on():
    assert "compile" not in _recipe().in_weights()
    assert _recipe(compile=True).in_weights() == _recipe().in_weights() | {"compile": True}


def test_losses_of_steps_that_come_again_are_not_listed_twice(build_expert, data, tmp_path: Path):
    recipe = _recipe()  # saves after 3, 6 and 7 steps
    examples, schedule = data(recipe), scheduler(recipe.spec.base)

    def killed(step: StepMetrics) -> None:
        if step.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, build_expert(), schedule, examples, tmp_path / "out", killed)
    train(recipe, build_expert(), schedule, examples, tmp_path / "out")
    logged = (tmp_path / "out" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == list(range(7))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(
    build_expert, data, tmp_path: Path, monkeypatch
):
    recipe = _recipe(checkpoint_every=100, precision="fp32")
    examples, schedule = data(recipe), scheduler(recipe.spec.base)
    good: list[StepMetrics] = []
    train(recipe, build_expert(), schedule, examples, tmp_path / "good", good.append)
    real, calls = loop.loss_of, iter(range(10**6))

    def broken(*args: Any) -> torch.Tensor:
        loss = real(*args)
        return loss * float("nan") if next(calls) == 9 else loss  # in the fifth step

    monkeypatch.setattr(loop, "loss_of", broken)
    with pytest.raises(EditmillError, match=r"step 5: loss nan.*state of step 4.*lower learning"):
        train(recipe, build_expert(), schedule, examples, tmp_path / "out")
    monkeypatch.setattr(loop, "loss_of", real)
    rest: list[StepMetrics] = []
    train(recipe, build_expert(), schedule, examples, tmp_path / "out", rest.append)
    assert rest == good[4:]  # nothing was lost


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, r"lower stages\[0\]\.per_device_batch_size \(2\)"),
        (
            {"per_device_batch_size": 1, "gradient_checkpointing": False},
            "set gradient_checkpointing: true",
        ),
        ({"per_device_batch_size": 1}, "shard it over GPUs with fsdp, or lower"),
    ],
)
def test_out_of_memory_names_the_setting_to_lower(
    build_expert, data, tmp_path: Path, monkeypatch, changes: dict[str, Any], remedy: str
):
    changes = dict(changes)
    stage = _recipe().stages[0].model_dump() | {
        "per_device_batch_size": changes.pop("per_device_batch_size", 2)
    }
    recipe = _recipe(stages=[stage], **changes)

    def full(*args: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(loop, "loss_of", full)
    with pytest.raises(EditmillError, match=rf"step 1: out of memory; nothing was saved.*{remedy}"):
        train(recipe, build_expert(), scheduler(recipe.spec.base), data(recipe), tmp_path / "out")


def test_a_batch_that_cannot_be_split_is_told():
    with pytest.raises(
        EditmillError, match=r"batch_size 4 is no multiple of per_device_batch_size 2 × 3"
    ):
        _recipe().stages[0].micro_batches(devices=3)


def _rows(counts: dict[tuple[int, int, int], int]) -> list[TrainingExample]:
    return [
        TrainingExample(f"{size}-{k}", 0, size, "exact", "", "")
        for size, count in counts.items()
        for k in range(count)
    ]


def test_batches_hold_one_size_and_an_epoch_every_example():
    rows = _rows({(3, 4, 6): 10, (3, 6, 4): 5})
    batches = SizeBuckets(rows, 0, 4, seed=3)
    assert batches.per_epoch == 3 + 2
    for epoch in range(2):
        taken = [batches.at(epoch * 5 + k) for k in range(5)]
        assert all(len(batch) == 4 for batch in taken)
        assert all(len({rows[k].latents for k in batch}) == 1 for batch in taken)
        assert {k for batch in taken for k in batch} == set(range(15))
    again = SizeBuckets(rows, 0, 4, seed=3)
    assert [again.at(k) for k in (7, 0, 7)] == [batches.at(k) for k in (7, 0, 7)]
    assert [batches.at(k) for k in range(5)] != [batches.at(k) for k in range(5, 10)]
    with pytest.raises(EditmillError, match="no example for stage 2"):
        SizeBuckets(rows, 1, 4, seed=3)


def test_timesteps_are_stratified_and_a_tenth_of_the_prompts_dropped():
    steps = [StepRandomness.at(0, step, 16, 0.1) for step in range(400)]
    for random in steps:
        for part, timestep in enumerate(sorted(random.timesteps.tolist())):
            assert 62.5 * part - 1 < timestep < 62.5 * (part + 1)
    every = torch.stack([random.timesteps for random in steps]).float()
    assert every.mean() == pytest.approx(499.5, abs=5)
    assert torch.cat([random.drop_prompt for random in steps]).float().mean() == pytest.approx(
        0.1, abs=0.02
    )
    assert torch.equal(steps[3].noise((2, 5))[4:6], steps[3].part(4, 6).noise((2, 5)))
