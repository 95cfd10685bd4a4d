"""The source sides of restoration: what they lose and what they keep."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from experts.base import EditRequest, Expert
from experts.edit.degrade import optics as degrade
from experts.edit.degrade.codec import draw_codec, recompressed
from experts.edit.degrade.colorization import EMULSIONS, LUMA, Greying
from experts.edit.degrade.deblur import FASTEST, LONGEST_EXPOSURE, Blurring, draw_kernels
from experts.edit.degrade.upscaling import Downscaling

SEEDS = st.integers(0, 2**31)


def texture(frames: int = 3, height: int = 128, width: int = 192) -> NDArray[np.uint8]:
    """Soft coloured blobs around middle grey, the same in every frame."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 196, (height // 16, width // 16, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.repeat(picture[None], frames, axis=0)


def panning(frames: int = 9, step: int = 3) -> NDArray[np.uint8]:
    """A fine texture that goes `step` px to the left in each frame."""
    rng = np.random.default_rng(1)
    wide = cv2.GaussianBlur(
        rng.integers(0, 256, (160, 240 + step * frames, 3), np.uint8), (0, 0), 2
    )
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    return np.stack([wide[:, step * t : step * t + 240] for t in range(frames)])


def until(expert: Expert, frames: NDArray[np.uint8], wanted: Callable[[dict], bool]) -> dict:
    """The info of the first seed for which it is as wanted."""
    for seed in range(60):
        info = dict(expert.edit(EditRequest("any", frames, seed=seed)).info)
        if wanted(info):
            return info | {"seed": seed}
    raise AssertionError("60 seeds drew nothing of the kind")


def kernels_of(frames: NDArray[np.uint8], seed: int) -> list[NDArray[np.float32]]:
    return draw_kernels(np.random.default_rng(seed), frames)[1]


# Kernels


@settings(max_examples=60)
@given(SEEDS, st.floats(0.3, 6))
def test_a_blur_keeps_the_light_and_has_its_middle_in_the_middle(seed: int, most: float) -> None:
    drawn = degrade.draw_blur(np.random.default_rng(seed), (0.2, 0.2 + most))
    kernel = degrade.blur_kernel(drawn).astype(float)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-7)
    assert kernel.max() == kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]


def test_a_gaussian_is_a_gaussian_and_turns_with_its_angle() -> None:
    drawn = {"blur": "gaussian", "sigma": [3.0, 1.0], "angle": 0.0, "beta": 1.0}
    flat = degrade.blur_kernel(drawn).astype(float)
    upright = degrade.blur_kernel(drawn | {"angle": 90.0})
    assert np.allclose(upright, flat.T, atol=1e-6)
    row = flat[flat.shape[0] // 2]
    x = np.arange(len(row)) - len(row) // 2
    assert np.allclose(row / row.max(), np.exp(-(x**2) / 18), atol=1e-5)


def test_the_families_differ_as_their_names_say() -> None:
    def share_beyond(radius: float, **drawn: object) -> float:
        kernel = degrade.blur_kernel({"sigma": [3.0, 3.0], "angle": 0.0, **drawn})
        half = kernel.shape[0] // 2
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        return float(kernel[np.hypot(x, y) > radius].sum())

    gaussian = share_beyond(6, blur="gaussian", beta=1.0)
    assert share_beyond(6, blur="generalized", beta=4.0) < gaussian  # flat top, steep sides
    assert share_beyond(6, blur="generalized", beta=0.5) > gaussian  # a point with wide skirts
    assert share_beyond(6, blur="plateau", beta=1.5) > gaussian


@given(st.floats(1, 12))
def test_a_disc_has_its_area_and_nothing_outside(radius: float) -> None:
    kernel = degrade.disc_kernel(radius).astype(float)
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    assert kernel[np.hypot(x, y) > radius + 0.5].sum() == 0
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.15)


@given(st.floats(2, 40), st.floats(0, 180))
def test_a_straight_path_is_a_centred_stroke(length: float, angle: float) -> None:
    way = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    kernel = degrade.path_kernel(np.linspace(-length / 2, length / 2, 400)[:, None] * way)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-3)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-3)
    across, along = x * way[1] - y * way[0], x * way[0] + y * way[1]
    assert np.abs(across[kernel > 1e-6]).max() <= np.sqrt(2)
    # Variance of a uniform stroke, plus at most 1/4 px² each way from the bilinear spreading.
    assert length**2 / 12 <= (kernel * along**2).sum() * 1.001 <= (length**2 / 12) * 1.1 + 0.6


def test_a_path_smears_towards_where_the_picture_went() -> None:
    dot = np.zeros((21, 21, 3), np.float32)
    dot[10, 10] = 100
    smeared = degrade.blurred(dot, degrade.path_kernel(np.array([[0.0, 0.0], [4.0, 0.0]])))
    assert smeared[10, 10, 0] == pytest.approx(50, abs=1e-3)
    assert smeared[10, 14, 0] == pytest.approx(50, abs=1e-3)


def test_noise_has_the_told_strength() -> None:
    rng = np.random.default_rng(2)
    for level in (40.0, 160.0):
        flat = np.full((200, 200, 3), level, np.float32)
        shot = {"noise": "poisson", "noise_scale": 0.3, "grey_noise": False}
        assert degrade.noisy(flat, shot, rng).std() == pytest.approx(0.3 * level**0.5, rel=0.02)
        even = {"noise": "gaussian", "noise_sigma": 3.0, "grey_noise": True}
        made = degrade.noisy(flat, even, rng)
        assert made.std() == pytest.approx(3, rel=0.02)
        assert (made[..., 0] == made[..., 2]).all()


@pytest.mark.parametrize("by", degrade.INTERPOLATIONS)
def test_shrinking_does_not_alias(by: str) -> None:
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 200  # finer than the small picture can show
    small = degrade.resized(stripes, (10, 10), by)
    assert small.shape == (10, 10, 3)
    assert np.abs(small[:, 1:-1] - 100).max() < 25


# Codecs


@pytest.mark.parametrize(
    "codec",
    [
        {"codec": "h264", "crf": 24},
        {"codec": "mpeg4", "q": 5},
        {"codec": "jpeg", "quality": 70},
    ],
    ids=lambda codec: codec["codec"],
)
def test_a_codec_gives_back_every_frame_a_little_worse(codec: dict) -> None:
    frames = panning(7)[:, :95, :131]  # odd sides
    back = recompressed(frames, codec)
    assert back.shape == frames.shape
    assert back.tobytes() == recompressed(frames, codec).tobytes()
    error = np.abs(back.astype(int) - frames).mean(axis=(1, 2, 3))
    assert (error > 0).all() and error.max() < 10
    for t, frame in enumerate(back):  # in order
        assert np.argmin(np.abs(frames.astype(int) - frame).mean(axis=(1, 2, 3))) == t
    assert np.abs(back.astype(int).mean(axis=(0, 1, 2)) - frames.mean(axis=(0, 1, 2))).max() < 1.5


def test_a_lower_quality_is_worse_and_all_codecs_occur() -> None:
    frames = panning(3)
    for key, codec, values in (
        ("crf", "h264", (18, 30)),
        ("q", "mpeg4", (3, 8)),
        ("quality", "jpeg", (95, 50)),
    ):
        good, bad = (
            np.abs(recompressed(frames, {"codec": codec, key: v}).astype(int) - frames).mean()
            for v in values
        )
        assert bad > good
    drawn = [draw_codec(np.random.default_rng(s), (18, 30)) for s in range(60)]
    assert {d["codec"] for d in drawn} == {"h264", "mpeg4", "jpeg"}
    assert all(18 <= d.get("crf", 18) <= 30 for d in drawn)


# Deblurring


@pytest.mark.parametrize("seed", range(8))
def test_deblur_source_has_lost_its_detail_and_not_its_light(seed: int) -> None:
    frames = np.full((2, 336, 592, 3), 100, np.uint8)
    frames[:, ::8, ::8] = 200  # dots: a shake in any direction smears them
    soft = Blurring().edit(EditRequest("deblur", frames, seed=seed)).frames.mean(axis=0)
    sharp = frames[0].astype(float)
    energy = [sum((np.diff(f, axis=a) ** 2).mean() for a in (0, 1)) for f in (sharp, soft)]
    assert energy[1] < 0.5 * energy[0]
    assert soft.mean() == pytest.approx(frames.mean(), abs=1.5)


def test_all_ways_of_blurring_occur() -> None:
    frames = panning(4)
    infos = [Blurring().edit(EditRequest("deblur", frames, seed=s)).info for s in range(24)]
    assert {info["way"] for info in infos} == {"lens", "focus", "shutter"}
    assert {info["noise"] for info in infos} == {"gaussian", "poisson"}


def test_a_pan_is_smeared_along_itself() -> None:
    frames = panning(9, step=3)
    info = until(Blurring(), frames, lambda i: i.get("along") == "camera")
    assert info["exposure"] == pytest.approx(info["length"] / 3, rel=0.1)
    assert info["exposure"] <= LONGEST_EXPOSURE
    for kernel in kernels_of(frames, info["seed"]):
        y, x = np.nonzero(kernel > 0.01)
        assert np.ptp(y) <= 2
        assert np.ptp(x) == pytest.approx(info["length"], abs=2)


def test_still_footage_is_shaken_by_a_hand_that_moves_smoothly() -> None:
    frames = np.repeat(panning(1), 8, axis=0)
    info = until(Blurring(), frames, lambda i: i["way"] == "shutter")
    assert info["along"] == "hand"
    kernels = kernels_of(frames, info["seed"])
    sizes = [len(k) for k in kernels]
    assert max(sizes) <= 2 * (FASTEST * info["length"] + 2) + 1
    assert len({k.tobytes() for k in kernels}) > 1  # an unsteady hand is not still


def test_a_lens_blurs_every_frame_alike() -> None:
    frames = texture(4)
    info = until(Blurring(), frames, lambda i: i["way"] != "shutter")
    assert len({k.tobytes() for k in kernels_of(frames, info["seed"])}) == 1


# Upscaling


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("height", "width"), [(128, 192), (130, 182)])
def test_upscaling_source_is_the_true_small_size(seed: int, height: int, width: int) -> None:
    frames = texture(2, height // 16 * 16, width // 16 * 16)
    frames = np.stack([cv2.resize(f, (width, height)) for f in frames])
    result = Downscaling().edit(EditRequest("upscaling", frames, seed=seed))
    small, factor = result.frames, result.info["factor"]
    assert small.shape[1] % 2 == 0 and small.shape[2] % 2 == 0
    assert abs(small.shape[1] - height / factor) <= 1 and abs(small.shape[2] - width / factor) <= 1
    assert small.mean() == pytest.approx(frames.mean(), abs=1.5)
    last = result.info["stages"][-1]
    assert (last["height"], last["width"]) == small.shape[1:3]
    shown = cv2.resize(frames[0], small.shape[2:0:-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small[0].astype(int) - shown).mean() < 12  # the same picture, at its place


def test_both_factors_and_both_depths_occur() -> None:
    frames = texture(1)
    infos = [Downscaling().edit(EditRequest("upscaling", frames, seed=s)).info for s in range(16)]
    assert {info["factor"] for info in infos} == {2, 4}
    assert {len(info["stages"]) for info in infos} == {1, 2}
    assert {stage["by"] for info in infos for stage in info["stages"]} == {
        "area",
        "bilinear",
        "bicubic",
    }


# Colorization


def test_colorization_source_is_grey_and_keeps_the_picture() -> None:
    frames = texture()
    for seed in range(8):
        made = Greying().edit(EditRequest("colorization", frames, seed=seed)).frames
        assert (made == made[..., :1]).all()
        luma = frames.astype(float) @ np.array(LUMA)
        assert np.corrcoef(made[..., 0].ravel(), luma.ravel())[0, 1] > 0.5


def test_without_film_pure_colours_keep_their_bt601_luma() -> None:
    frames = np.zeros((1, 2, 3, 3), np.uint8)
    frames[0, :, range(3), range(3)] = 255
    info = until(Greying(), frames, lambda i: i["film"] == "none")
    made = Greying().edit(EditRequest("colorization", frames, seed=info["seed"])).frames
    assert made[0, 0, :, 0].tolist() == [76, 150, 29]


def test_film_stands_still_but_for_its_grain() -> None:
    frames = texture(24)
    info = until(Greying(), frames, lambda i: i["film"] != "none")
    made = Greying().edit(EditRequest("colorization", frames, seed=info["seed"])).frames[..., 0]
    means = made.mean(axis=(1, 2))
    assert np.ptp(means) < 0.5  # no flicker
    assert made.std(axis=0).mean() == pytest.approx(info["grain"] * 0.85, rel=0.2)
    assert sum(info["weights"]) == pytest.approx(1, abs=1e-3)


def test_orthochromatic_film_hardly_sees_red() -> None:
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    frames[:, :, :32, 0] = frames[:, :, 32:, 1] = 200
    info = until(Greying(), frames, lambda i: i["film"] == "orthochromatic")
    made = Greying().edit(EditRequest("colorization", frames, seed=info["seed"])).frames[..., 0]
    assert made[:, :, 34:].mean() > made[:, :, :30].mean() + 60
    films = {
        Greying().edit(EditRequest("colorization", frames, seed=s)).info["film"] for s in range(60)
    }
    assert films == {"none", *EMULSIONS}
