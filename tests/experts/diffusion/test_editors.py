"""The editors: Señorita-2M's four variants and VIVID's low-rank layers, at tiny size."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from catalog.errors import EditmillError
from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import ADAPTER, open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EDITORS, ExpertSpec
from experts.diffusion.training import sharding
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.loop import train
from experts.edit import tasks
from tests.experts.diffusion.small_clips import BlockEncoders
from tests.experts.diffusion.small_edits import (
    editor_of,
    recipe_of,
    record,
    small,
)


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
    assert trained == lora | patch == editor.adapter_parameters().keys()
    shapes = {p.shape for n, p in editor.named_parameters() if "lora_A" in n}
    assert {shape[0] for shape in shapes} == {32}
    again, _ = editor_of(base, "vivid_editor")
    assert all(
        torch.equal(p, again.adapter_parameters()[n])
        for n, p in editor.adapter_parameters().items()
    )


def test_a_version_keeps_what_it_adds_and_opens_on_its_base_alone(base, tmp_path: Path):
    recipe = recipe_of("vivid_editor")
    prepare(recipe, [record(k) for k in range(4)], BlockEncoders(), tmp_path / "data")
    examples = Examples(tmp_path / "data", recipe.expert)
    editor, plain = editor_of(base, "vivid_editor")
    plain.save_pretrained(tmp_path / "base" / "transformer")
    made = train(recipe, editor, scheduler(recipe.spec.base), examples, tmp_path / "out")
    assert {p.name for p in made.glob("*.safetensors")} == {ADAPTER}

    opened = open_expert(made, base=tmp_path / "base").state_dict()
    before, after = build(small("vivid_editor"), plain).state_dict(), editor.state_dict()
    assert opened.keys() == after.keys()
    adapter = editor.adapter_parameters().keys()
    assert all(torch.equal(opened[n], before[n]) for n in opened.keys() - adapter)
    moved = [n for n in adapter if not torch.equal(opened[n], before[n])]
    assert len(moved) == len(adapter)
    resaved = open_expert(made, torch.bfloat16, tmp_path / "base")
    assert resaved.dtype == torch.bfloat16

    with pytest.raises(EditmillError, match="holds an adapter alone"):
        open_expert(made)
    base("5B", seed=1, num_layers=2).save_pretrained(tmp_path / "other" / "transformer")
    with pytest.raises(EditmillError, match="was trained on another base"):
        open_expert(made, base=tmp_path / "other")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"extra_channels": 0}))
    with pytest.raises(EditmillError, match="don't belong together"):
        open_expert(made, base=tmp_path / "base")


@pytest.mark.parametrize("name", ["senorita_editor", "senorita_ins_edit", "vivid_editor"])
def test_what_is_sharded_is_there(base, monkeypatch: pytest.MonkeyPatch, name: str):
    told: dict[str, Any] = {}
    plugin = "FullyShardedDataParallelPlugin"
    monkeypatch.setattr(sharding, plugin, lambda **settings: told.update(settings))
    monkeypatch.setattr(sharding, "Accelerator", lambda **settings: None)
    sharding.accelerator_for(recipe_of(name, fsdp={}))
    there = {type(module).__name__ for module in editor_of(base, name)[0].modules()}
    wrapped = set(told["transformer_cls_names_to_wrap"])
    assert wrapped <= there and "ControlledBlock" in wrapped
    assert ("ControlBlock" in wrapped) == (name == "senorita_editor")


def test_every_editor_is_known_by_name():
    assert tuple(EDITORS) == tasks.EDITORS
    assert not set(EDITORS) & (set(tasks.TASKS) | set(tasks.TRAINED))
