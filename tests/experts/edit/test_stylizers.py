import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import BadInput
from experts.base import EditRequest
from experts.edit.style.adjectives import LOCAL_STYLES, PAINTS, STATUES, local_adjectives
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.local_stylizer import LocalStylizer
from experts.edit.style.materials import MATERIALS
from experts.edit.style.painters import Painter
from experts.edit.style.recolor import COLOURS, Recolor, body_of, colour_named, oklab, srgb
from experts.edit.style.styles import FILTER, STYLES, global_style, style_named
from experts.edit.style.temporal import denoise, motion, steady, warp_error

NEURAL = next(style.name for style in STYLES if style.index != FILTER)


def blobs(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A colourful picture with structure at about 8 px."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.rint((soft - soft.min()) / np.ptp(soft) * 255).astype(np.uint8)


def panning(frames: int = 6, height: int = 96, width: int = 128, step: int = 3) -> np.ndarray:
    """A window sliding over a still picture, with the noise of a camera."""
    picture = blobs(height, width + frames * step, seed=3)
    clip = np.stack([picture[:, t * step : t * step + width] for t in range(frames)])
    noise = np.random.default_rng(4).normal(0, 3, clip.shape)
    return np.rint(np.clip(clip + noise, 0, 255)).astype(np.uint8)


def lit_disc(colour: tuple[int, int, int], frames: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A disc of one colour, shaded from top left to bottom right, on grey; and its masks."""
    y, x = np.mgrid[:80, :80].astype(np.float32)
    inside = (x - 40) ** 2 + (y - 40) ** 2 < 30**2
    shade = 1.0 - 0.6 * (x + y) / 160
    frame = np.where(inside[..., None], np.array(colour) * shade[..., None], 128)
    clip = np.repeat(np.rint(frame).astype(np.uint8)[None], frames, axis=0)
    return clip, np.repeat(inside[None], frames, axis=0)


def request(frames: np.ndarray, masks: np.ndarray | None = None, **params: str) -> EditRequest:
    return EditRequest("local_style_transfer", frames, masks, label="car", params=params)


def hue(pixels: np.ndarray) -> float:
    """Degrees of the mean colour's hue in OKLab."""
    _, a, b = oklab(pixels.reshape(-1, 3)).mean(axis=0)
    return float(np.degrees(np.arctan2(b, a)))


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_oklab_there_and_back(colour: list[int]) -> None:
    pixel = np.array(colour, np.uint8)
    assert np.abs(srgb(oklab(pixel)) - pixel).max() < 0.5


def test_oklab_of_known_colours() -> None:
    # white and red as published by the space's author
    assert oklab(np.array([255, 255, 255], np.uint8)) == pytest.approx([1, 0, 0], abs=1e-3)
    assert oklab(np.array([255, 0, 0], np.uint8)) == pytest.approx([0.628, 0.225, 0.126], abs=1e-3)


def test_red_disc_turns_blue_and_keeps_its_shading() -> None:
    frames, masks = lit_disc((210, 30, 30))
    made = LocalStylizer().edit(request(frames, masks, kind="color", color="blue")).frames
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((9, 9))).astype(bool)
    wanted = hue(np.array(COLOURS["blue"], np.uint8))
    assert abs(hue(made[0][core]) - wanted) < 8
    before, after = oklab(frames[0][core])[:, 0], oklab(made[0][core])[:, 0]
    order = np.argsort(before, kind="stable")
    assert np.diff(after[order]).min() > -0.01  # quantised to 8 bits
    assert np.ptp(after) > 0.1


@pytest.mark.parametrize("start", [(40, 40, 42), (128, 128, 128), (225, 225, 225)])
@pytest.mark.parametrize("colour", ["red", "yellow", "blue"])
def test_grey_objects_take_colour(start: tuple[int, int, int], colour: str) -> None:
    frames, masks = lit_disc(start)
    made = LocalStylizer().edit(request(frames, masks, kind="color", color=colour)).frames
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert abs(hue(made[0][core]) - hue(np.array(COLOURS[colour], np.uint8))) < 12


@pytest.mark.parametrize("level", [5, 8, 12])
def test_a_black_object_takes_colour_in_the_shade_too(level: int) -> None:
    frames, masks = lit_disc((level, level, level))
    made = LocalStylizer().edit(request(frames, masks, kind="color", color="red")).frames
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert (made[0][core][:, 0] - made[0][core][:, 1].astype(int)).min() > 40


@pytest.mark.parametrize("colour", ["red", "green", "black"])
def test_what_the_sun_bleached_is_paint_and_not_a_lamp(colour: str) -> None:
    frames, masks = lit_disc((255, 255, 255))
    frames[masks] = np.minimum(1.8 * frames[masks], 255)
    assert (frames[masks] == 255).mean() > 0.5
    made = LocalStylizer().edit(request(frames, masks, kind="color", color=colour)).frames
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((9, 9))).astype(bool)
    wanted = oklab(np.array(COLOURS[colour], np.uint8))
    assert np.linalg.norm(oklab(made[0][core]) - wanted, axis=-1).max() < 0.2


def test_windows_of_a_coloured_body_are_left_alone() -> None:
    frames, masks = lit_disc((210, 30, 30), frames=1)
    frames[0, 30:40, 30:50] = (50, 52, 56)
    made = LocalStylizer().edit(request(frames, masks, kind="color", color="green")).frames
    assert np.abs(made[0, 32:38, 32:48].astype(int) - frames[0, 32:38, 32:48]).max() <= 2


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(0, 255)] * 3),
    st.sampled_from(sorted(COLOURS)),
)
def test_lightness_order_survives_any_repainting(body: tuple[int, int, int], colour: str) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    pixels = np.rint(np.linspace(0.3, 1, 32)[:, None] * np.array(body)).astype(np.uint8)
    light = Recolor(body_of(pixels), colour_named(colour))._lightness(ramp)
    assert np.diff(light).min() >= -1e-6


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "color", "color": "yellow"},
        {"kind": "material", "material": "bronze"},
        {"kind": "style", "style": "pencil_sketch"},
    ],
)
def test_nothing_changes_outside_the_mask(params: dict[str, str]) -> None:
    frames = panning(4)
    masks = np.zeros(frames.shape[:3], bool)
    masks[0, 20:60, 0:50] = masks[1, 22:62, 4:54] = masks[3, :40, 90:] = True  # gone in frame 2
    before = frames.copy()
    stylizer = LocalStylizer()
    result = stylizer.edit(request(frames, masks, **params))
    assert (result.frames[~masks] == frames[~masks]).all()
    assert (frames == before).all()
    assert (result.frames[masks] != frames[masks]).any(axis=-1).mean() > 0.5
    assert result.masks is not None
    assert (result.masks == masks).all()
    assert (stylizer.edit(request(frames, masks, **params)).frames == result.frames).all()


def dressed(frames: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Somebody in a white shirt and black trousers, both with folds, before grey."""
    clip = np.full((frames, 120, 90, 3), 120, np.uint8)
    folds = 14 * np.sin(np.arange(40) / 3)
    clip[:, 20:60, 25:65] = np.rint(205 + folds)[None, None, :, None]
    clip[:, 60:105, 25:65] = np.rint(22 + folds)[None, None, :, None]
    masks = np.zeros(clip.shape[:3], bool)
    masks[:, 20:105, 25:65] = True
    return clip, masks


@pytest.mark.parametrize("material", sorted(MATERIALS))
def test_a_statue_is_of_one_material_whatever_was_worn(material: str) -> None:
    """Shirt and trousers come nearer to each other than half, and both keep their folds."""
    clip, masks = dressed()
    made = LocalStylizer().edit(request(clip, masks, kind="material", material=material)).frames
    before, after = (np.linalg.norm(f[0, :, 30:60].astype(float), axis=-1) for f in (clip, made))
    shirt, trousers = np.s_[28:52], np.s_[68:97]
    assert after[shirt].mean() > after[trousers].mean()
    assert np.ptp([after[part].mean() for part in (shirt, trousers)]) < 0.5 * np.ptp(
        [before[part].mean() for part in (shirt, trousers)]
    )
    for part in (shirt, trousers):
        columns = [lights[part].mean(axis=0) for lights in (before, after)]
        assert np.corrcoef(columns)[0, 1] > 0.9


def test_a_statue_does_not_depend_on_what_is_around_it() -> None:
    clip, masks = dressed()
    other = np.where(masks[..., None], clip, np.uint8(0))
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((17, 17))).astype(bool)
    params = {"kind": "material", "material": "golden"}
    one, two = (LocalStylizer().edit(request(f, masks, **params)).frames[0] for f in (clip, other))
    assert np.abs(one[core].astype(int) - two[core]).max() <= 4


def test_a_clip_of_one_look_keeps_it_when_the_object_shrinks() -> None:
    """The body colour is found over the clip: a frame with little of it is painted alike."""
    frames, masks = lit_disc((210, 30, 30), frames=2)
    masks[1, :, :38] = False
    made = LocalStylizer().edit(request(frames, masks, kind="color", color="blue")).frames
    core = cv2.erode(masks[1].astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert np.abs(made[0][core].astype(int) - made[1][core]).max() <= 1


@pytest.mark.parametrize(
    ("params", "reason", "known"),
    [
        ({"kind": "color", "color": "beige-ish"}, "unknown_colour", "turquoise"),
        ({"kind": "material", "material": "cheese"}, "unknown_material", "bronze"),
        ({"kind": "style", "style": "cubism"}, "unknown_style", "starry_swirls"),
        ({"kind": "size"}, "unknown_kind", "material"),
        ({}, "unknown_kind", "color"),
    ],
)
def test_unknown_looks_are_refused_with_the_known_ones(
    params: dict[str, str], reason: str, known: str
) -> None:
    frames, masks = lit_disc((210, 30, 30))
    with pytest.raises(BadInput, match=known) as refused:
        LocalStylizer().edit(request(frames, masks, **params))
    assert refused.value.reason == reason
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("masks", [None, np.zeros((2, 80, 80), bool)])
def test_no_mask_is_refused(masks: np.ndarray | None) -> None:
    frames, _ = lit_disc((210, 30, 30))
    with pytest.raises(BadInput) as refused:
        LocalStylizer().edit(request(frames, masks, kind="color", color="red"))
    assert refused.value.reason == "no_mask"


def test_an_object_of_the_wanted_colour_is_refused() -> None:
    frames, masks = lit_disc(COLOURS["blue"])
    with pytest.raises(BadInput, match="blue already") as refused:
        LocalStylizer().edit(request(frames, masks, kind="color", color="blue"))
    assert refused.value.reason == "already_so"


@pytest.mark.parametrize("level", [3, 8])
def test_what_is_blacker_than_black_is_black_already(level: int) -> None:
    frames, masks = lit_disc((level, level, level))
    with pytest.raises(BadInput, match="black already"):
        LocalStylizer().edit(request(frames, masks, kind="color", color="black"))


def test_global_styles_are_found_by_name_prompt_or_seed() -> None:
    frames = panning(1, 48, 64)
    stylizer = GlobalStylizer()
    style = style_named("cartoon")
    named = stylizer.edit(EditRequest("global_style_transfer", frames, params={"style": "cartoon"}))
    said = stylizer.edit(EditRequest("global_style_transfer", frames, prompt=style.prompt))
    assert (named.frames == said.frames).all()
    assert named.info["style"] == said.info["style"] == "cartoon"
    for unknown in (
        EditRequest("global_style_transfer", frames, params={"style": "cubism"}),
        EditRequest("global_style_transfer", frames, prompt="make it cubist"),
    ):
        with pytest.raises(BadInput, match="watercolor") as refused:
            stylizer.edit(unknown)
        assert refused.value.reason == "unknown_style"


def test_styles_are_distinct_and_drawn_by_seed() -> None:
    assert len({style.name for style in STYLES}) == len(STYLES) >= 12
    assert len({style.prompt for style in STYLES}) == len(STYLES)
    draws = [global_style(np.random.default_rng(seed)) for seed in range(200)]
    assert draws == [global_style(np.random.default_rng(seed)) for seed in range(200)]
    assert {params["style"] for _, params in draws} == {style.name for style in STYLES}
    assert all(style_named(params["style"]).prompt == prompt for prompt, params in draws)


def test_adjectives_suit_the_label() -> None:
    for label in ("person", "car", "dog", "airplane", "pizza", *PAINTS, *STATUES):
        for seed in range(60):
            prompt, params = local_adjectives(np.random.default_rng(seed), label)
            look = params[params["kind"]]
            assert label in prompt
            assert prompt.split()[0] == ("an" if prompt.split()[1][0] in "aeiou" else "a")
            if params["kind"] == "color":
                assert look in PAINTS[label]
                assert look in COLOURS
            elif params["kind"] == "material":
                assert look in MATERIALS
            else:
                assert look in {style.name for style in LOCAL_STYLES}
    for label in ("person", "pizza", "zebra"):
        kinds = {local_adjectives(np.random.default_rng(s), label)[1]["kind"] for s in range(200)}
        assert "color" not in kinds


def test_warp_error_of_a_still_pan_is_small_and_of_flicker_is_not() -> None:
    clip = panning()
    moves = motion(clip)
    flicker = clip.astype(int) + np.array([0, 20] * 3)[:, None, None, None]
    # noise of deviation 3 in both frames of a pair: 2 · 9 / 255² = 0.28e-3
    assert warp_error(clip, moves) < 0.6
    assert warp_error(np.clip(flicker, 0, 255).astype(np.uint8), moves) > 3
    assert warp_error(clip[:1], motion(clip[:1])) == 0.0


def test_after_a_cut_each_frame_keeps_its_own_painting() -> None:
    clip = np.concatenate([panning(3), 255 - panning(3)[:, ::-1]])
    painted = clip[:, :, :, ::-1].copy()
    held = steady(painted, motion(clip))
    assert np.abs(held[2].astype(int) - painted[2]).mean() < 3
    assert (held[3] == painted[3]).all()  # the anchor


def test_a_static_clip_flickers_less_than_its_source() -> None:
    rng = np.random.default_rng(5)
    scene = blobs(96, 128, seed=6).astype(float)
    clip = np.stack([np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255) for _ in range(8)])
    clip = np.rint(clip).astype(np.uint8)
    moves = motion(clip)

    def flicker(frames: np.ndarray) -> float:
        return float(np.abs(np.diff(frames.astype(float), axis=0)).mean())

    assert flicker(denoise(clip, moves)) < 0.75 * flicker(clip)
    for name in ("watercolor", "cartoon"):
        made = GlobalStylizer().edit(
            EditRequest("global_style_transfer", clip, params={"style": name})
        )
        assert flicker(made.frames) < 0.75 * flicker(clip)


@pytest.mark.weights
def test_neural_styles_are_held_still_and_sharp() -> None:
    clip = panning(9, 128, 176)
    moves = motion(clip)
    style, painter, stylizer = style_named(NEURAL), Painter(), GlobalStylizer()
    stylizer.load()
    naive = np.stack([painter.paint(frame, style) for frame in clip])
    asked = EditRequest("global_style_transfer", clip, params={"style": NEURAL})
    made = stylizer.edit(asked).frames
    assert made.shape == clip.shape
    assert made.dtype == np.uint8
    assert warp_error(made, moves) < 0.5 * warp_error(naive, moves)

    def detail(frames: np.ndarray) -> float:
        return float(np.mean([np.abs(cv2.Laplacian(f, cv2.CV_32F)).mean() for f in frames]))

    assert detail(made) > 0.8 * detail(naive)
    assert (stylizer.edit(asked).frames == made).all()


@pytest.mark.weights
def test_every_neural_style_paints_any_size_and_none_twice() -> None:
    frame = blobs(67, 95)
    painter = Painter()
    made = {s.name: painter.paint(frame, s) for s in STYLES}
    painter.close()
    assert all(m.shape == frame.shape and m.dtype == np.uint8 for m in made.values())
    names = list(made)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert np.abs(made[a].astype(int) - made[b]).mean() > 3, (a, b)


@pytest.mark.weights
def test_a_neural_style_stays_inside_the_mask() -> None:
    frames = panning(3)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 30:70, 40:90] = True
    result = LocalStylizer().edit(request(frames, masks, kind="style", style=NEURAL))
    assert (result.frames[~masks] == frames[~masks]).all()
    assert result.info["change"] > 10
