"""The editors: Señorita-2M's four variants and VIVID's low-rank layers, at tiny size."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.base import Masks
from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import ADAPTER, open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EDITORS, ExpertSpec
from experts.diffusion.training import recipe as recipes
from experts.diffusion.training import sharding
from experts.diffusion.training.data.clip import Clip
from experts.diffusion.training.data.examples import Examples, MixedBatches, counted
from experts.diffusion.training.data.masking import recorded
from experts.diffusion.training.data.prepare import Example, prepare
from experts.diffusion.training.loop import train
from experts.diffusion.training.recipe import Draws, Mix, TrainingRecipe
from experts.edit import tasks
from tests.experts.diffusion.small_clips import BlockEncoders, Source

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

    def clip(self) -> Clip:
        frames = self._frames()
        return Clip(255 - frames, "Invert it.", {"source": frames}, ("Make it negative.",))

    @property
    def labels(self) -> tuple[str, ...]:
        return ()


class Recorded(Source):
    """A local-editing record of a scene; the last of four deletes."""

    @property
    def key(self) -> str:
        return f"record-{self.seed}"

    def clip(self) -> Clip:
        task = "deletion" if self.seed % 4 == 3 else "addition"
        return Clip(self._frames(), f"a disc {self.seed}", {}, ("a longer one",), task)


def record(seed: int) -> Recorded:
    """Every other one is an image."""
    return Recorded(seed, frames=1 if seed % 2 else 20)


def conditions(spec: ExpertSpec) -> Conditions:
    generator = torch.Generator().manual_seed(0)

    def latents(frames: int, channels: int = 16) -> torch.Tensor:
        return torch.randn(2, frames, channels, 6, 8, generator=generator)

    return Conditions(
        latents(1), latents(3), latents(3, 1).abs(), {"source": latents(3)}, latents(3)
    )


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("senorita_editor", (32, 16)),  # noise and first frame; the source
        ("senorita_control_edit", (32, 16)),
        ("senorita_ff_ins_edit", (48, 0)),  # noise, first frame, source
        ("senorita_ins_edit", (48, 0)),
        ("vivid_editor", (33, 0)),  # noise, masked video, mask
    ],
)
def test_untrained_editor_is_its_base_bit_for_bit(base, name: str, channels: tuple[int, int]):
    spec = small(name)
    editor, plain = editor_of(base, name)
    given, noisy = conditions(spec), torch.randn(2, 3, 16, 6, 8)
    main, control = main_input(spec, noisy, given), control_input(spec, given)
    assert (main.shape[2], 0 if control is None else control.shape[2]) == channels
    if spec.base == "CogVideoX-5b-I2V":
        led = main[:, :, 16:32]
        assert not led[:, 1:].any() and bool(led[:, :1].any()) == spec.first_frame
    text, times = torch.randn(2, 5, 12), torch.tensor([3, 900])
    reference = VideoEditor.from_base(plain)  # equals diffusers' class: test_editor.py
    with torch.no_grad():
        expected = reference(main[:, :, : plain.config.in_channels], text, times).sample
        assert torch.equal(editor(main, text, times, control=control).sample, expected)


@pytest.mark.parametrize("name", sorted(EDITORS))
def test_the_source_is_seen_once_training_has_begun(base, name: str):
    spec = small(name)
    editor, _ = editor_of(base, name)
    for parameter in editor.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    given, noisy = conditions(spec), torch.randn(2, 3, 16, 6, 8)
    text, times = torch.randn(2, 5, 12), torch.tensor([3, 900])

    def made(seen: Conditions) -> torch.Tensor:
        main, control = main_input(spec, noisy, seen), control_input(spec, seen)
        with torch.no_grad():
            output: torch.Tensor = editor(main, text, times, control=control).sample
        return output

    other = {"masked": 0 * given.masked} if spec.mask else {"source": 0 * given.source}
    if spec.control:
        other = {"control": {"source": 0 * given.source}}
    assert not torch.equal(made(given), made(replace(given, **other)))


def test_low_rank_layers_and_patch_embedding_alone_are_trained(base):
    editor, _ = editor_of(base, "vivid_editor")
    trained = {name for name, p in editor.named_parameters() if p.requires_grad}
    lora = {
        f"transformer_blocks.{block}.attn1.{layer}.lora_{side}.default.weight"
        for block in range(2)
        for layer in ("to_q", "to_k", "to_v", "to_out.0")
        for side in "AB"
    }
    patch = {"patch_embed.proj.weight", "patch_embed.proj.bias", "extra_proj.weight"}
    assert trained == lora | patch == editor.adapter().keys()
    shapes = {p.shape for n, p in editor.named_parameters() if "lora_A" in n}
    assert {shape[0] for shape in shapes} == {32}
    again, _ = editor_of(base, "vivid_editor")
    assert all(torch.equal(p, again.adapter()[n]) for n, p in editor.adapter().items())


def _recipe(name: str, **changes: Any) -> TrainingRecipe:
    stage = {
        "height": 32, "width": 48, "frames": 9, "steps": 3, "batch_size": 4, "per_device": 4,
        "learning_rate": 2e-3, "warmup_steps": 0,
    }  # fmt: skip
    stage |= changes.pop("stage", {})
    settings = {
        "expert": name, "stages": [stage], "draws": {"per_clip": 2, "stride": 1},
        "precision": "fp32", "gradient_checkpointing": False, "workers": 0, "ema": 0.9,
        "save_every": 10**6,
    }  # fmt: skip
    return TrainingRecipe.model_validate(settings | changes)


def test_a_version_keeps_what_it_adds_and_opens_on_its_base_alone(base, tmp_path: Path):
    recipe = _recipe("vivid_editor")
    prepare(recipe, [record(k) for k in range(4)], BlockEncoders(), tmp_path / "data")
    examples = Examples(tmp_path / "data", recipe.expert)
    editor, plain = editor_of(base, "vivid_editor")
    plain.save_pretrained(tmp_path / "base" / "transformer")
    made = train(recipe, editor, scheduler(recipe.spec.base), examples, tmp_path / "out")
    assert {p.name for p in made.glob("*.safetensors")} == {ADAPTER}

    opened = open_expert(made, base=tmp_path / "base").state_dict()
    before, after = build(small("vivid_editor"), plain).state_dict(), editor.state_dict()
    assert opened.keys() == after.keys()
    adapter = editor.adapter().keys()
    assert all(torch.equal(opened[n], before[n]) for n in opened.keys() - adapter)
    moved = [n for n in adapter if not torch.equal(opened[n], before[n])]
    assert len(moved) == len(adapter)
    resaved = open_expert(made, torch.bfloat16, tmp_path / "base")
    assert resaved.dtype == torch.bfloat16

    with pytest.raises(EditmillError, match="holds what it adds to its base alone"):
        open_expert(made)
    base("5B", seed=1, num_layers=2).save_pretrained(tmp_path / "other" / "transformer")
    with pytest.raises(EditmillError, match="was trained on another base"):
        open_expert(made, base=tmp_path / "other")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"extra_channels": 0}))
    with pytest.raises(EditmillError, match="don't belong together"):
        open_expert(made, base=tmp_path / "base")


def test_kive_shows_the_first_frame_of_half_of_the_videos(tmp_path: Path):
    source, at, size = record(0), np.arange(9), (9, 32, 48)
    own = recorded(EDITORS["vivid_editor"], source, "addition", "", at, size, Draws(keyframe=0),
                   np.random.default_rng(0)).masks  # fmt: skip
    assert own is not None and own[0].any()
    kinds: Counter[str] = Counter()
    for k in range(400):
        drawn = recorded(EDITORS["vivid_editor"], source, "addition", "a disc", at, size, Draws(),
                         np.random.default_rng(k))  # fmt: skip
        kinds[drawn.kind] += 1
        assert drawn.masks is not None and np.array_equal(drawn.masks[1:], own[1:])
        shown = drawn.kind == "addition from a keyframe"
        assert np.array_equal(drawn.masks[0], np.zeros_like(own[0]) if shown else own[0])
    assert kinds["addition from a keyframe"] == pytest.approx(200, abs=30)

    # In the example: the first latent frame of the masked video is the truth's, its mask is zero.
    recipe = _recipe("vivid_editor", draws={"per_clip": 1, "stride": 1, "keyframe": 1})
    prepare(recipe, [record(0), record(1)], BlockEncoders(), tmp_path)
    examples = Examples(tmp_path, "vivid_editor")
    video, image = examples[0], examples[1]
    assert [row.kind for row in examples.rows] == ["addition from a keyframe", "addition"]
    assert torch.equal(video["masked"][0], video["target"][0]) and not video["mask"][0].any()
    assert not torch.equal(video["masked"][1], video["target"][1]) and video["mask"][1].any()
    assert image["target"].shape == (1, 16, 4, 6) and image["mask"][0].any()


def _rows(counts: dict[tuple[tuple[int, int, int], str], int]) -> list[Example]:
    return [
        Example(f"{size}-{kind}-{k}", 0, size, kind, "", "")
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
    recipe = _recipe("vivid_editor", mix={"images_per_video": 1}, stage={"steps": 6})
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
    recipe = _recipe(
        name, stage={"steps": 150, "batch_size": 8, "per_device": 8, "warmup_steps": 20,
                     "learning_rate": 1e-2 if vivid else 2e-3},
        mix={"images_per_video": 1} if vivid else None,
    )  # fmt: skip
    sources = [record(k) if vivid else Edited(k) for k in range(4)]
    prepare(recipe, sources, BlockEncoders(), tmp_path / "data")
    editor, _ = editor_of(
        base, name, attention_head_dim=32, time_embed_dim=64, sample_height=4, sample_width=6
    )
    losses: list[float] = []
    train(recipe, editor, scheduler(recipe.spec.base), Examples(tmp_path / "data", name),
          tmp_path / "out", lambda step: losses.append(step.loss))  # fmt: skip
    assert np.mean(losses[:10]) > LEARNT[name] * np.mean(losses[-20:])


def test_pairs_become_examples_in_each_of_their_wordings(tmp_path: Path):
    recipe = _recipe("senorita_ff_ins_edit", draws={"per_clip": 8, "stride": 1})
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
    recipe = _recipe("senorita_editor", stages=stages)
    rows = _rows({((3, 4, 6), "none"): 10})
    rows += [replace(row, stage=1) for row in rows]
    assert [s.steps for s in counted(recipe, rows).stages] == [2 * 3, 2]
    assert counted(counted(recipe, rows), rows) == counted(recipe, rows)
    for length in ({}, {"steps": 3, "epochs": 1}):
        with pytest.raises(ValueError, match="give either steps or epochs"):
            _recipe("senorita_editor", stages=[stage | length])


@pytest.mark.parametrize("name", sorted(EDITORS))
def test_shipped_recipes_hold_the_papers_values(name: str):
    recipe = recipes.load(name)
    assert recipe.expert == name and recipe.null_prompt == 0.1
    if name == "vivid_editor":
        (stage,) = recipe.stages
        assert (stage.height, stage.width) == (480, 720) and recipe.spec.lora_rank == 32
        assert recipe.mix == Mix(images_per_video=10, draws_per_deletion=3)
        assert recipe.draws.keyframe == 0.5
        return
    first, second = recipe.stages
    assert (first.height, first.width, first.frames, first.epochs) == (336, 592, 33, 2)
    assert (second.height, second.width, second.epochs) == (448, 768, 1)
    assert (first.batch_size, second.batch_size) == (32, 16) and recipe.weight_decay == 1e-4
    assert first.learning_rate == second.learning_rate == 1e-5


def test_a_mix_is_for_local_edits_alone():
    with pytest.raises(ValueError, match="learns from pairs; remove it"):
        _recipe("senorita_editor", mix={})


def test_a_record_without_anything_masked_is_left_out():
    bare = np.zeros((9, 32, 48), bool)

    class Bare(Recorded):
        def masks(self, index: int) -> Masks:
            return bare

    with pytest.raises(BadInput, match="nothing is masked"):
        recorded(EDITORS["vivid_editor"], Bare(0), "addition", "", np.arange(9), (9, 32, 48),
                 Draws(), np.random.default_rng(0))  # fmt: skip


@pytest.mark.parametrize("name", ["senorita_editor", "senorita_ins_edit", "vivid_editor"])
def test_what_is_sharded_is_there(base, monkeypatch: pytest.MonkeyPatch, name: str):
    told: dict[str, Any] = {}
    plugin = "FullyShardedDataParallelPlugin"
    monkeypatch.setattr(sharding, plugin, lambda **settings: told.update(settings))
    monkeypatch.setattr(sharding, "Accelerator", lambda **settings: None)
    sharding.accelerator_for(_recipe(name, fsdp={}))
    there = {type(module).__name__ for module in editor_of(base, name)[0].modules()}
    wrapped = set(told["transformer_cls_names_to_wrap"])
    assert wrapped <= there and "ControlledBlock" in wrapped
    assert ("ControlBlock" in wrapped) == (name == "senorita_editor")


def test_every_editor_is_known_by_name():
    assert tuple(EDITORS) == tasks.EDITORS
    assert not set(EDITORS) & (set(tasks.TASKS) | set(tasks.TRAINED))
