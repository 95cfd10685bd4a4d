"""The control branch and the other additions: silent at first, then trainable, saved and loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from catalog.errors import EditmillError
from experts.diffusion.layers.positions import resample, rotary
from experts.diffusion.model.checkpoint import open_base, open_expert
from experts.diffusion.model.editor import VideoEditor

Make = Callable[..., CogVideoXTransformer3DModel]

ADDED = {
    "extra_channels": 17,
    "control_channels": 48,
    "control_layers": 2,
    "negative_prompt": True,
}


def _inputs(
    model: CogVideoXTransformer3DModel,
    size: tuple[int, int, int] = (3, 6, 8),
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    config = model.config

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    frames, height, width = size
    return {
        "hidden_states": noise(2, frames, config.in_channels, height, width),
        "encoder_hidden_states": noise(2, config.max_text_seq_length, config.text_embed_dim),
        "timestep": torch.tensor([7, 900]),
    }


def _conditions(inputs: dict[str, Any], channels: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(2)
    main, text = inputs["hidden_states"], inputs["encoder_hidden_states"]
    batch, frames, _, height, width = main.shape

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(main.dtype)

    return inputs | {
        "hidden_states": torch.cat([main, noise(batch, frames, 17, height, width)], dim=2),
        "control": noise(batch, frames, channels, height, width),
        "negative_hidden_states": noise(*text.shape),
    }


def _rotary(model: CogVideoXTransformer3DModel, size: tuple[int, int, int]) -> Any:
    if not model.config.use_rotary_positional_embeddings:
        return None
    grid = (size[0], size[1] // 2, size[2] // 2)
    return rotary(grid, (3, 4), model.config.attention_head_dim, torch.device("cpu"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["2B", "5B", "5B-I2V"])
def test_untrained_editor_is_the_base_bit_for_bit(base: Make, kind: str, dtype: torch.dtype):
    model = base(kind).to(dtype)
    editor = VideoEditor.from_base(model, **ADDED)
    inputs = _inputs(model, dtype=dtype)
    with torch.no_grad():
        expected = model(**inputs, image_rotary_emb=_rotary(model, (3, 6, 8))).sample
        got = editor(**_conditions(inputs, 48)).sample
    assert torch.equal(got, expected)
    assert got.dtype == dtype


@pytest.mark.parametrize("kind", ["2B", "5B"])
def test_other_sizes_equal_the_base_too(base: Make, kind: str):
    model = base(kind)
    size = (5, 4, 10)
    inputs = _inputs(model, size)
    editor = VideoEditor.from_base(model, **ADDED)
    with torch.no_grad():
        expected = model(**inputs, image_rotary_emb=_rotary(model, size)).sample
        assert torch.equal(editor(**_conditions(inputs, 48)).sample, expected)


def test_a_learned_table_serves_sizes_the_base_refuses(base: Make):
    model = base("5B-I2V")
    inputs = _inputs(model, (2, 8, 12))
    with pytest.raises(ValueError, match="different resolution"):
        model(**inputs, image_rotary_emb=_rotary(model, (2, 8, 12)))
    with torch.no_grad():
        assert VideoEditor.from_base(model)(**inputs).sample.isfinite().all()


def test_resampled_table_is_itself_at_its_own_size_and_follows_a_ramp_at_others():
    trained = (3, 4, 6)
    t, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in trained), indexing="ij")
    table = torch.stack([t, y, x], dim=-1).reshape(1, -1, 3)
    assert torch.allclose(resample(table, trained, trained), table, atol=1e-5)
    finer = resample(table, trained, (2, 8, 12)).reshape(2, 8, 12, 3)
    assert torch.allclose(finer[1, :, 0, 1], torch.linspace(0, 3.5, 8).clamp(max=3), atol=1e-5)
    assert torch.equal(finer[..., 0], torch.tensor([0.0, 1.0]).view(2, 1, 1).expand(2, 8, 12))


@pytest.mark.parametrize("part", ["control", "negative_hidden_states", "extra"])
def test_each_condition_moves_the_output_once_its_weights_are_not_zero(base: Make, part: str):
    editor = VideoEditor.from_base(base("2B"), **ADDED)
    for name, parameter in editor.named_parameters():
        if name.split(".")[0] in editor.added_modules():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    inputs = _conditions(_inputs(editor), 48)
    changed = dict(inputs)
    if part == "extra":
        changed["hidden_states"] = inputs["hidden_states"].clone()
        changed["hidden_states"][:, :, -1] += 1
    else:
        changed[part] = inputs[part] + 1
    with torch.no_grad():
        assert not torch.allclose(editor(**inputs).sample, editor(**changed).sample, atol=1e-4)


def test_every_zero_layer_gets_a_gradient_at_the_start(base: Make):
    editor = VideoEditor.from_base(base("2B"), **ADDED).train()
    editor(**_conditions(_inputs(editor), 48)).sample.square().mean().backward()
    zero = ["extra_proj.weight", "negative_proj.weight"]
    zero += [f"control.blocks.{k}.out.weight" for k in range(2)]
    grads = {name: p.grad for name, p in editor.named_parameters()}
    assert all(grads[name] is not None and grads[name].abs().max() > 0 for name in zero)


def test_control_blocks_serve_their_share_of_the_main_blocks(base: Make):
    editor = VideoEditor.from_base(base("2B", num_layers=6), **ADDED | {"control_layers": 3})
    seen: list[Any] = []
    for block in editor.transformer_blocks:
        block.register_forward_pre_hook(
            lambda _, __, kwargs: seen.append(kwargs["control"]), with_kwargs=True
        )
    with torch.no_grad():
        editor(**_conditions(_inputs(editor), 48))
    assert [len({id(c) for c in seen[:k]}) for k in range(1, 7)] == [1, 1, 2, 2, 3, 3]


def test_gradient_checkpointing_changes_no_bit(base: Make):
    def grads(checkpointing: bool) -> list[torch.Tensor]:
        editor = VideoEditor.from_base(base("5B"), **ADDED).train()
        if checkpointing:
            editor.enable_gradient_checkpointing()
        editor(**_conditions(_inputs(editor), 48)).sample.square().mean().backward()
        return [p.grad for p in editor.parameters() if p.grad is not None]

    for plain, again in zip(grads(False), grads(True), strict=True):
        assert torch.equal(plain, again)


def test_first_block_cache_of_diffusers_works_on_the_editor(base: Make):
    from diffusers.hooks import FirstBlockCacheConfig

    editor = VideoEditor.from_base(base("2B"), **ADDED)
    editor.control.blocks[0].out.weight.data.normal_(std=0.1)
    inputs = _conditions(_inputs(editor), 48)
    with torch.no_grad():
        exact = editor(**inputs).sample
        editor.enable_cache(FirstBlockCacheConfig(threshold=1e9))
        with editor.cache_context("cond"):
            first, cached = editor(**inputs).sample, editor(**inputs).sample
    assert torch.equal(first, exact)
    assert torch.allclose(cached, exact, atol=1e-5)  # control is in what the cache kept


@pytest.mark.parametrize("kind", ["2B", "5B", "5B-I2V"])
@pytest.mark.parametrize("shard", ["10GB", "100KB"])
def test_base_in_diffusers_layout_loads_and_the_editor_saves(
    base: Make, kind: str, shard: str, tmp_path: Path
):
    model = base(kind)
    model.save_pretrained(tmp_path / "base" / "transformer", max_shard_size=shard)
    opened = open_base(tmp_path / "base")
    weights = model.state_dict()
    assert opened.state_dict().keys() == weights.keys()
    for name, weight in opened.state_dict().items():
        assert torch.equal(weight, weights[name]), name

    editor = VideoEditor.from_base(opened, **ADDED)
    for parameter in editor.parameters():
        parameter.data.add_(0.01 * torch.randn_like(parameter))
    editor.save_pretrained(tmp_path / "expert", max_shard_size=shard)
    names = {path.suffix for path in (tmp_path / "expert").iterdir()}
    assert names == {".safetensors", ".json"}
    again = open_expert(tmp_path / "expert")
    assert {k: v for k, v in again.config.items() if k in ADDED} == ADDED
    inputs = _conditions(_inputs(model), 48)
    with torch.no_grad():
        assert torch.equal(again(**inputs).sample, editor(**inputs).sample)


def test_bad_checkpoints_are_told_in_one_line(base: Make, tmp_path: Path):
    good = tmp_path / "good"
    base("2B").save_pretrained(good, max_shard_size="100KB")
    config = json.loads((good / "config.json").read_text())

    def refused(match: str) -> None:
        with pytest.raises(EditmillError, match=match) as told:
            open_base(good)
        assert "\n" not in str(told.value)

    with pytest.raises(EditmillError, match=r"no config\.json"):
        open_base(tmp_path / "nowhere")
    with pytest.raises(EditmillError, match="no trained expert"):
        open_expert(good)
    for change, match in (
        ({"_class_name": "WanTransformer3DModel"}, "holds a WanTransformer3DModel"),
        ({"patch_size_t": 2}, r"CogVideoX 1\.5"),
        ({"num_layers": 5}, "don't belong together"),
        ({"attention_head_dim": 8}, "can't be read"),
    ):
        (good / "config.json").write_text(json.dumps(config | change))
        refused(match)
    (good / "config.json").write_text(json.dumps(config))
    shard = sorted(good.glob("*.safetensors"))[1]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    refused("can't be read")
    shard.unlink()
    refused(f"shards missing, the first is {shard.name}")
