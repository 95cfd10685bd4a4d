"""Examples from clips: windows, masks, prompts, the cache, and recipes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.diffusion.conditioning.window import (
    ping_pong,
    resize_and_crop,
    resize_and_crop_masks,
    window_indices,
)
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training import recipe as recipes
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.masking import MaskAndPrompts, sampled
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.recipe import ExampleSampling, TrainingRecipe
from experts.masks.kinds import augment
from tests.experts.diffusion.small_clips import BlockEncoders, Source

SIZE = (9, 32, 48)
AT = np.arange(9)


def _draws(name: str, count: int, **settings) -> list[MaskAndPrompts]:
    source, strangers = Source(0), [Source(1), Source(2)]
    return [
        sampled(EXPERTS[name], source, strangers, "a scene", AT, SIZE, ExampleSampling(**settings),
             np.random.default_rng(k))
        for k in range(count)
    ]  # fmt: skip


def test_remover_draws_nine_of_ten_masks_from_other_clips():
    drawn = _draws("remover", 600)
    kinds = Counter(one.kind for one in drawn)
    assert kinds["unrelated"] / 600 == pytest.approx(0.9, abs=0.03)
    own = resize_and_crop_masks(Source(0).masks(0)[AT], SIZE)
    for one in drawn:
        if one.kind == "exact":
            assert one.prompt == "Generate disc 0"
            assert np.array_equal(one.masks, own)
        else:
            assert one.prompt in {"Remove disc 1", "Remove disc 2"}
            theirs = resize_and_crop_masks(Source(int(one.prompt[-1])).masks(0)[:9], SIZE)
            assert np.array_equal(one.masks, theirs)


def test_remover_uses_clips_without_objects_too():
    bare = Source(5, owner=False)
    one = sampled(
        EXPERTS["remover"],
        bare,
        [Source(1)],
        "",
        AT,
        SIZE,
        ExampleSampling(unrelated_masks=0),
        np.random.default_rng(0),
    )
    assert (one.kind, one.prompt) == ("unrelated", "Remove disc 1")


def test_inpainter_draws_its_four_kinds_evenly():
    drawn = _draws("inpainter", 400)
    kinds = Counter(one.kind for one in drawn)
    assert set(kinds) == {"exact", "expand", "box", "random"}
    assert all(70 < count < 130 for count in kinds.values())
    own = resize_and_crop_masks(Source(0).masks(0)[AT], SIZE)
    for one in drawn:
        assert one.negative_prompt in {"disc 1", "disc 2"}  # what must not appear
        assert one.prompt == ("a scene" if one.kind == "random" else "disc 0")
        match one.kind:
            case "exact":
                assert np.array_equal(one.masks, own)
            case "box":
                assert np.array_equal(one.masks, augment(own, "box"))
            case "expand":
                assert (one.masks & own).sum() == own.sum()


def test_stylizers_prompts():
    (local,), (whole,) = _draws("local_stylizer", 1), _draws("global_stylizer", 1)
    assert (local.kind, local.prompt) == ("exact", "It's disc 0")
    assert (whole.masks, whole.prompt) == (None, "a scene")


def test_no_object_is_a_bad_input():
    for name in ("remover", "inpainter", "local_stylizer"):
        with pytest.raises(BadInput, match=r"use (more )?clips") as told:
            sampled(EXPERTS[name], Source(0, owner=False), [], "", AT, SIZE, ExampleSampling(),
                 np.random.default_rng(0))  # fmt: skip
        assert told.value.reason == "no_object"


def test_windows_stay_in_the_clip_at_their_stride():
    seen = {tuple(window_indices(12, 5, 2, np.random.default_rng(k))) for k in range(60)}
    assert seen == {tuple(range(k, k + 9, 2)) for k in range(4)}
    with pytest.raises(BadInput, match="12 frames, 13 needed"):
        window_indices(12, 7, 2, np.random.default_rng(0))


def test_frames_and_masks_are_cut_alike_and_frames_never_scaled_up():
    frames = np.zeros((2, 80, 100, 3), np.uint8)
    masks = np.zeros((2, 80, 100), bool)
    frames[:, 20:60, 30:70], masks[:, 20:60, 30:70] = 255, True
    small, cut = resize_and_crop(frames, (2, 32, 48)), resize_and_crop_masks(masks, (2, 32, 48))
    assert small.shape == (2, 32, 48, 3) and cut.shape == (2, 32, 48)
    assert ((small[..., 0] > 127) ^ cut).mean() < 0.03
    with pytest.raises(BadInput, match="100×80, 96×96 needed"):
        resize_and_crop(frames, (2, 96, 96))


def test_short_masks_are_played_there_and_back():
    masks = np.arange(3)[:, None, None]
    assert ping_pong(masks, 7).ravel().tolist() == [0, 1, 2, 1, 0, 1, 2]
    assert ping_pong(masks[:1], 3).ravel().tolist() == [0, 0, 0]


def _recipe(name: str = "inpainter") -> TrainingRecipe:
    stage = {"height": 32, "width": 48, "frames": 9, "steps": 1}
    return TrainingRecipe.model_validate(
        {"expert": name, "stages": [stage], "examples": {"per_clip": 2, "stride": 1}}
    )


def test_examples_hold_what_the_clip_shows(tmp_path: Path):
    sources = [Source(k) for k in range(3)]
    rows, skipped = prepare(_recipe(), sources, BlockEncoders(), tmp_path)
    assert len(rows) == 6 and not skipped
    examples = Examples(tmp_path, "inpainter")
    item = examples[0]
    assert set(item) == {
        "target", "first_frame", "masked", "mask", "control.mask", "prompt", "negative_prompt"
    }  # fmt: skip
    assert item["target"].shape == (3, 16, 4, 6)
    assert torch.equal(item["first_frame"][:, :12], item["target"][:1, :12])
    inside, outside = item["mask"][0, 0] > 0.99, item["mask"][0, 0] < 0.01
    assert torch.allclose(item["masked"][0, :12, outside], item["target"][0, :12, outside])
    assert (item["masked"][0, :12, inside] == -1.5).all()  # black
    assert torch.equal(examples.empty_prompt(), BlockEncoders().text([""])[0].bfloat16().float())


def test_preparing_again_encodes_nothing(tmp_path: Path):
    sources = [Source(k) for k in range(3)]
    first, _ = prepare(_recipe(), sources, BlockEncoders(), tmp_path)

    class Idle(BlockEncoders):
        def video(self, frames, as_image=False):
            raise AssertionError("encoded again")

        text = video

    again, _ = prepare(_recipe(), sources, Idle(), tmp_path)
    assert again == first


def test_clips_that_do_not_fit_are_told_and_the_others_used(tmp_path: Path):
    sources = [Source(0), Source(1), Source(2, frames=5), Source(3, height=24)]
    rows, skipped = prepare(_recipe(), sources, BlockEncoders(), tmp_path)
    assert len(rows) == 4
    assert {(one.clip, one.reason) for one in skipped} == {
        ("source-2", "too_short"), ("source-3", "too_small")
    }  # fmt: skip
    with pytest.raises(EditmillError, match="no example from 1 clip; too_short"):
        prepare(_recipe(), [Source(2, frames=5)], BlockEncoders(), tmp_path)


def test_examples_of_another_expert_or_none_are_refused(tmp_path: Path):
    with pytest.raises(EditmillError, match="no prepared examples"):
        Examples(tmp_path, "remover")
    prepare(_recipe(), [Source(0), Source(1)], BlockEncoders(), tmp_path)
    with pytest.raises(EditmillError, match="examples for the inpainter, not for the remover"):
        Examples(tmp_path, "remover")


@pytest.mark.parametrize("name", sorted(EXPERTS))
def test_shipped_recipes_hold_the_papers_values(name: str):
    recipe = recipes.load(name)
    assert recipe.expert == name and recipe.prompt_dropout == 0.1 and recipe.weight_decay == 1e-4
    assert all((s.batch_size, s.learning_rate, s.frames) == (16, 1e-5, 33) for s in recipe.stages)
    sizes = [(stage.height, stage.width) for stage in recipe.stages]
    assert sizes == ([(256, 448), (448, 896)] if name == "global_stylizer" else [(336, 592)])
    if name in ("remover", "inpainter"):
        assert recipe.examples.stride == 2
    assert recipe.stage_at(0) == (0, 0)
    assert recipe.stage_at(recipe.steps - 1) == (len(sizes) - 1, recipe.stages[-1].steps - 1)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("expert: remover\nstages: [{steps: 1}]\nema: 0.9", "unknown key `ema`"),
        ("expert: swapper\nstages: [{steps: 1}]", "no expert is called 'swapper'"),
        ("expert: remover\nstages: [{steps: 1, height: 300}]", "multiples of 16; change the size"),
        ("expert: remover\nstages: []", "`stages`"),
        ("expert: remover\nstages: [{steps: 1}]\nexamples: {mask_kinds: {exact: 0}}", "above 0"),
        ("- remover", "a mapping of keys"),
        ("expert: [", "not valid YAML"),
    ],
)
def test_bad_recipes_are_told_in_one_line(text: str, match: str):
    with pytest.raises(EditmillError, match=match) as told:
        recipes.parse(text, "train.yaml")
    assert str(told.value).startswith("train.yaml: ") and "\n" not in str(told.value)


def test_unknown_recipe_names_the_shipped_ones(tmp_path: Path):
    with pytest.raises(EditmillError, match="one of: global_stylizer, inpainter"):
        recipes.load(str(tmp_path / "none.yaml"))
