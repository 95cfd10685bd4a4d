"""Each expert's inputs, channels, freezing and prompts, against the paper's table."""

import pytest
import torch

from catalog.errors import EditmillError
from experts.diffusion.conditioning.conditions import (
    Conditions,
    control_input,
    latent_mask,
    main_input,
)
from experts.diffusion.model.build import build
from experts.diffusion.specs import EXPERTS, expert_named

CHANNELS = {  # main branch in all, control branch
    "global_stylizer": (16 + 16, 48),
    "local_stylizer": (16 + 16 + 1, 48),
    "inpainter": (16 + 16 + 16 + 1, 16),
    "remover": (16 + 16 + 1, 0),
}


def _conditions() -> Conditions:
    generator = torch.Generator().manual_seed(0)

    def latents(frames: int, channels: int) -> torch.Tensor:
        return torch.randn(2, frames, channels, 6, 8, generator=generator)

    control = {name: latents(3, 16) for name in ("hed", "canny", "depth", "mask")}
    return Conditions(latents(1, 16), latents(3, 16), latents(3, 1), control)


@pytest.mark.parametrize("name", sorted(EXPERTS))
def test_channels_fit_the_built_expert(base, name: str):
    spec, conditions = expert_named(name), _conditions()
    editor = build(spec, base("5B-I2V" if "I2V" in spec.base else "2B", num_layers=6))
    noisy = torch.randn(2, 3, 16, 6, 8)
    main, control = main_input(spec, noisy, conditions), control_input(spec, conditions)
    assert (main.shape[2], 0 if control is None else control.shape[2]) == CHANNELS[name]
    assert torch.equal(main[:, :, :16], noisy)
    config = editor.config
    assert config.in_channels + config.extra_channels == CHANNELS[name][0]
    assert (editor.negative_proj is not None) == (name == "inpainter")
    with torch.no_grad():
        out = editor(main, torch.randn(2, 5, 12), torch.tensor([3, 4]), control=control).sample
    assert out.shape == noisy.shape


def test_first_frame_stands_in_the_first_latent_frame_alone():
    main = main_input(EXPERTS["inpainter"], torch.randn(2, 3, 16, 6, 8), _conditions())
    assert torch.equal(main[:, :1, 16:32], _conditions().first_frame)
    assert not main[:, 1:, 16:32].any()
    assert torch.equal(main[:, :, 32:48], _conditions().masked)
    assert torch.equal(main[:, :, 48:], _conditions().mask)


def test_control_follows_the_order_of_the_spec():
    control = control_input(EXPERTS["global_stylizer"], _conditions())
    given = _conditions().control
    assert torch.equal(control, torch.cat([given["hed"], given["canny"], given["depth"]], dim=2))


def test_missing_condition_is_named():
    with pytest.raises(EditmillError, match="local_stylizer needs the condition 'depth'"):
        control_input(EXPERTS["local_stylizer"], Conditions(control={
            "hed": torch.zeros(1), "canny": torch.zeros(1)}))  # fmt: skip
    with pytest.raises(EditmillError, match="remover needs the condition 'masked'"):
        main_input(EXPERTS["remover"], torch.zeros(1, 1, 16, 2, 2), Conditions())


def test_latent_mask_is_the_masked_share_of_each_latents_pixels():
    masks = torch.zeros(1, 9, 16, 32)
    masks[:, 0, :8, :4] = 1  # half of the first latent of the first frame
    masks[:, 3, 8:, 24:] = 1  # one of four frames
    masks[:, 5:] = 1
    shares = latent_mask(masks)
    assert shares.shape == (1, 3, 1, 2, 4)
    assert shares[0, 0, 0, 0].tolist() == [0.5, 0, 0, 0]
    assert shares[0, 1, 0, 1].tolist() == [0, 0, 0, 0.25]
    assert (shares[0, 2] == 1).all()


@pytest.mark.parametrize("size", [(8, 16, 16), (9, 24, 16), (9, 16, 8)])
def test_sizes_without_latents_are_refused(size: tuple[int, int, int]):
    with pytest.raises(EditmillError, match="change the size"):
        latent_mask(torch.zeros(1, *size))


@pytest.mark.parametrize("name", sorted(EXPERTS))
def test_feed_forward_layers_are_frozen_but_for_the_first_block(base, name: str):
    spec = EXPERTS[name]
    editor = build(spec, base("5B-I2V" if "I2V" in spec.base else "2B", num_layers=6))
    frozen = {n for n, p in editor.named_parameters() if not p.requires_grad}
    expected = {
        n
        for n, _ in editor.named_parameters()
        if n.startswith("transformer_blocks.") and ".ff." in n and not n.startswith(
            "transformer_blocks.0.")
    }  # fmt: skip
    assert frozen == (set() if name == "global_stylizer" else expected)
    assert expected


def test_prompts_and_guidance_are_the_papers():
    assert EXPERTS["remover"].prompts("dog") == ("Remove dog", "Generate dog")
    assert EXPERTS["local_stylizer"].prompts("a yellow house")[0] == "It's a yellow house"
    assert {n: s.guidance_scale for n, s in EXPERTS.items() if n != "global_stylizer"} == {
        "local_stylizer": 6.0,
        "inpainter": 6.0,
        "remover": 2.0,
    }


def test_wrong_base_and_unknown_expert_are_told(base):
    with pytest.raises(EditmillError, match="inpainter is built on CogVideoX-5b-I2V"):
        build(EXPERTS["inpainter"], base("2B"))
    with pytest.raises(EditmillError, match="6 control blocks for the base's 4 blocks"):
        build(EXPERTS["local_stylizer"], base("2B"))
    with pytest.raises(EditmillError, match="use one of: global_stylizer, inpainter"):
        expert_named("swapper")
