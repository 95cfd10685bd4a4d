"""Editors are trained on pairs and local-editing records."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.base import Masks
from experts.diffusion.model.checkpoint import ADAPTER
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EDITORS
from experts.diffusion.training import recipe as recipes
from experts.diffusion.training.data.examples import Examples, MixedBatches, with_steps
from experts.diffusion.training.data.masking import recorded
from experts.diffusion.training.data.prepare import TrainingExample, prepare
from experts.diffusion.training.loop import train
from experts.diffusion.training.recipe import ExampleSampling, Mix
from tests.experts.diffusion.small_clips import BlockEncoders
from tests.experts.diffusion.small_edits import Edited, Recorded, editor_of, recipe_of, record


def test_kive_shows_the_first_frame_of_half_of_the_videos(tmp_path: Path):
    source, at, size = record(0), np.arange(9), (9, 32, 48)
    own = recorded(
        EDITORS["vivid_editor"],
        source,
        "addition",
        "",
        at,
        size,
        ExampleSampling(keyframe=0),
        np.random.default_rng(0),
    ).masks
    assert own is not None and own[0].any()
    kinds: Counter[str] = Counter()
    for k in range(400):
        drawn = recorded(
            EDITORS["vivid_editor"],
            source,
            "addition",
            "a disc",
            at,
            size,
            ExampleSampling(),
            np.random.default_rng(k),
        )
        kinds[drawn.kind] += 1
        assert drawn.masks is not None and np.array_equal(drawn.masks[1:], own[1:])
        shown = drawn.kind == "addition from a keyframe"
        assert np.array_equal(drawn.masks[0], np.zeros_like(own[0]) if shown else own[0])
    assert kinds["addition from a keyframe"] == pytest.approx(200, abs=30)

    # In the example: the first latent frame of the masked video is the truth's, its mask is zero.
    recipe = recipe_of("vivid_editor", examples={"per_clip": 1, "stride": 1, "keyframe": 1})
    prepare(recipe, [record(0), record(1)], BlockEncoders(), tmp_path)
    examples = Examples(tmp_path, "vivid_editor")
    video, image = examples[0], examples[1]
    assert [row.kind for row in examples.rows] == ["addition from a keyframe", "addition"]
    assert torch.equal(video["masked"][0], video["target"][0]) and not video["mask"][0].any()
    assert not torch.equal(video["masked"][1], video["target"][1]) and video["mask"][1].any()
    assert image["target"].shape == (1, 16, 4, 6) and image["mask"][0].any()


def _rows(counts: dict[tuple[tuple[int, int, int], str], int]) -> list[TrainingExample]:
    return [
        TrainingExample(f"{size}-{kind}-{k}", 0, size, kind, "", "")
        for (size, kind), count in counts.items()
        for k in range(count)
    ]


def test_batches_are_of_one_kind_in_the_papers_ratios():
    rows = _rows({
        ((1, 4, 6), "addition"): 5, ((1, 4, 6), "deletion"): 9, ((3, 4, 6), "modification"): 30,
        ((3, 4, 6), "deletion from a keyframe"): 4, ((3, 6, 4), "addition"): 8,
    })  # fmt: skip
    batches = MixedBatches(rows, 0, 4, seed=1, mix=Mix())
    images, deletions, upright = [], [], 0
    for step in range(4000):
        taken = [rows[k] for k in batches.at(step)]
        assert len({row.latents for row in taken}) == 1 and len(taken) == 4
        images.append(taken[0].latents[0] == 1)
        upright += taken[0].latents == (3, 6, 4)
        if taken[0].latents != (3, 6, 4):  # has no deletions
            deletions += [row.kind.startswith("deletion") for row in taken]
    assert np.mean(images) == pytest.approx(10 / 11, abs=0.015)
    assert np.mean(deletions) == pytest.approx(1 / 4, abs=0.015)
    assert upright / (4000 - sum(images)) == pytest.approx(8 / 42, abs=0.06)
    again = MixedBatches(rows, 0, 4, seed=1, mix=Mix())
    assert [again.at(k) for k in (7, 0, 7)] == [batches.at(k) for k in (7, 0, 7)]
    assert [MixedBatches(rows, 0, 4, seed=2, mix=Mix()).at(k) for k in range(9)] != [
        batches.at(k) for k in range(9)
    ]
    videos = _rows({((3, 4, 6), "addition"): 5})
    with pytest.raises(EditmillError, match=r"no image example for stage 1.*images_per_video: 0"):
        MixedBatches(videos, 0, 4, seed=1, mix=Mix())
    assert MixedBatches(videos, 0, 4, seed=1, mix=Mix(images_per_video=0)).at(0)
    with pytest.raises(EditmillError, match="no video example for stage 1"):
        MixedBatches(_rows({((1, 4, 6), "addition"): 5}), 0, 4, seed=1, mix=Mix())


def test_a_mixed_training_goes_on_exactly(base, tmp_path: Path):
    recipe = recipe_of("vivid_editor", mix={"images_per_video": 1}, stage={"steps": 6})
    prepare(recipe, [record(k) for k in range(4)], BlockEncoders(), tmp_path / "data")
    examples = Examples(tmp_path / "data", recipe.expert)
    schedule = scheduler(recipe.spec.base)

    def run(folder: str, stop_after: int | None = None) -> list[float]:
        told: list[float] = []
        train(recipe, editor_of(base, "vivid_editor")[0], schedule, examples, tmp_path / folder,
              lambda step: told.append(step.loss), stop_after=stop_after)  # fmt: skip
        return told

    whole = run("whole")
    assert run("parts", 2) + run("parts") == whole and len(whole) == 6
    weights = [
        (tmp_path / folder / "expert" / ADAPTER).read_bytes() for folder in ("whole", "parts")
    ]
    assert weights[0] == weights[1]


LEARNT = {"senorita_editor": 4, "senorita_ins_edit": 4, "vivid_editor": 2.5}
"""How many times smaller the loss becomes, at the least; low-rank layers can't undo that the tiny
base is random."""


@pytest.mark.parametrize("name", sorted(LEARNT))
def test_an_editor_learns_its_edits(base, tmp_path: Path, name: str):
    torch.set_num_threads(1)
    vivid = name == "vivid_editor"
    recipe = recipe_of(
        name,
        stage={
            "steps": 150 if vivid else 120,
            "batch_size": 8,
            "per_device_batch_size": 8,
            "lr_warmup_steps": 20,
            "learning_rate": 1e-2 if vivid else 4e-3,
        },
        mix={"images_per_video": 1} if vivid else None,
    )
    sources = [record(k) if vivid else Edited(k) for k in range(4)]
    prepare(recipe, sources, BlockEncoders(), tmp_path / "data")
    editor, _ = editor_of(
        base, name, attention_head_dim=32, time_embed_dim=64, sample_height=4, sample_width=6
    )
    losses: list[float] = []
    train(recipe, editor, scheduler(recipe.spec.base), Examples(tmp_path / "data", name),
          tmp_path / "out", lambda step: losses.append(step.loss))  # fmt: skip
    assert np.mean(losses[:10]) > LEARNT[name] * np.mean(losses[-20:])


def test_pairs_become_examples_in_each_of_their_phrasings(tmp_path: Path):
    recipe = recipe_of("senorita_ff_ins_edit", examples={"per_clip": 8, "stride": 1})
    rows, _ = prepare(recipe, [Edited(0)], BlockEncoders(), tmp_path)
    assert len({row.prompt for row in rows}) == 2
    item = Examples(tmp_path, recipe.expert)[0]
    assert set(item) == {"target", "source", "first_frame", "prompt"}
    rgb = slice(0, 12)  # a negative, seen through BlockEncoders
    assert torch.allclose(item["source"][:, rgb], -item["target"][:, rgb], atol=1e-2)
    assert torch.equal(item["first_frame"][0, rgb], item["target"][0, rgb])


def test_epochs_are_counted_once_the_examples_are_known():
    stage = {"height": 32, "width": 48, "frames": 9}
    stages = [stage | {"epochs": 2, "batch_size": 4}, stage | {"epochs": 1, "batch_size": 8}]
    recipe = recipe_of("senorita_editor", stages=stages)
    rows = _rows({((3, 4, 6), "none"): 10})
    rows += [replace(row, stage=1) for row in rows]
    assert [s.steps for s in with_steps(recipe, rows).stages] == [2 * 3, 2]
    assert with_steps(with_steps(recipe, rows), rows) == with_steps(recipe, rows)
    for length in ({}, {"steps": 3, "epochs": 1}):
        with pytest.raises(ValueError, match="give either steps or epochs"):
            recipe_of("senorita_editor", stages=[stage | length])


@pytest.mark.parametrize("name", sorted(EDITORS))
def test_shipped_recipes_hold_the_papers_values(name: str):
    recipe = recipes.load(name)
    assert recipe.expert == name and recipe.prompt_dropout == 0.1
    if name == "vivid_editor":
        (stage,) = recipe.stages
        assert (stage.height, stage.width) == (480, 720) and recipe.spec.lora_rank == 32
        assert recipe.mix == Mix(images_per_video=10, edits_per_deletion=3)
        assert recipe.examples.keyframe == 0.5
        return
    first, second = recipe.stages
    assert (first.height, first.width, first.frames, first.epochs) == (336, 592, 33, 2)
    assert (second.height, second.width, second.epochs) == (448, 768, 1)
    assert (first.batch_size, second.batch_size) == (32, 16) and recipe.weight_decay == 1e-4
    assert first.learning_rate == second.learning_rate == 1e-5


def test_a_mix_is_for_local_edits_alone():
    with pytest.raises(ValueError, match="learns from pairs; remove it"):
        recipe_of("senorita_editor", mix={})


def test_a_record_without_anything_masked_is_left_out():
    bare = np.zeros((9, 32, 48), bool)

    class Bare(Recorded):
        def masks(self, index: int) -> Masks:
            return bare

    with pytest.raises(BadInput, match="nothing is masked"):
        recorded(EDITORS["vivid_editor"], Bare(0), "addition", "", np.arange(9), (9, 32, 48),
                 ExampleSampling(), np.random.default_rng(0))  # fmt: skip
