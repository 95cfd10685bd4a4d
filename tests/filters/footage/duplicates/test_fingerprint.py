"""What a fingerprint holds, and that it is bounded, exact and readable again."""

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.footage.duplicates import Fingerprint, Fingerprinter
from filters.footage.duplicates.borders import Borders
from filters.footage.duplicates.descriptors import (
    appearance,
    cell_means,
    changes,
    mirrored_appearance,
    mirrored_changes,
)


def test_a_cell_is_the_mean_of_its_part_where_pixels_lie_across_cells() -> None:
    grey = np.array([[0, 90, 30], [0, 90, 30], [60, 0, 90]], np.uint8)
    # Of 1.5 x 1.5 px each: whole pixels count 1, halves .5, the middle one .25.
    top_left = (0 + 90 / 2 + 0 / 2 + 90 / 4) / 2.25
    bottom_right = (90 + 30 / 2 + 0 / 2 + 90 / 4) / 2.25
    cells = cell_means(grey, 2)
    assert cells[0, 0] == int(16 * top_left)
    assert cells[1, 1] == int(16 * bottom_right)


def test_the_hash_names_the_waves_of_a_picture() -> None:
    x = np.arange(160)
    falling = np.tile(128 + 100 * np.cos(np.pi * (x + 0.5) / 160), (90, 1)).astype(np.uint8)
    code, waves = appearance(falling)
    rising, _ = appearance(falling[:, ::-1])
    # Waves are in order of frequency: (0, 1), brighter at the left, is the first bit.
    assert code >> 63 == 1
    assert rising >> 63 == 0
    assert waves < 12  # a plain gradient says little


def test_changes_are_those_that_stand_out() -> None:
    before = np.zeros((8, 8), np.int64)
    now = before.copy()
    now[0, 0], now[7, 7], now[3, 3], now[4, 4] = 800, -400, 100, 8
    assert changes(now, before) == (1 << 63, 1)
    assert changes(now // 100, before) == (0, 0)  # less than a level


def test_a_mirrored_picture_has_the_mirrored_bits(scene) -> None:
    frames = [scene(1).at(0), scene(1).at(1)]
    grey = [frame[..., 0] for frame in frames]
    seen = np.array([appearance(grey[0])[0]], np.uint64)
    mirrored, _ = appearance(grey[0][:, ::-1])
    assert mirrored_appearance(seen).tolist() == [mirrored]
    cells = [cell_means(each, 8) for each in grey]
    masks = np.array(changes(cells[1], cells[0]), np.uint64)
    assert mirrored_changes(masks).tolist() == [*changes(cells[1][:, ::-1], cells[0][:, ::-1])]
    assert masks.any()


@pytest.mark.parametrize("black", [0, 16, 255])
def test_bars_are_found_and_an_object_on_an_even_ground_has_none(scene, black: int) -> None:
    picture = scene(2).at(0)[..., 0]
    barred = np.pad(picture, ((20, 20), (0, 0)), constant_values=black)
    assert Borders().see(barred) == 20
    assert Borders().see(picture) == 0
    alone = np.full((90, 160), black, np.uint8)
    alone[40:50, 70:90] = 128
    assert Borders().see(alone) == 0


def test_bars_do_not_grow_in_the_dark(scene) -> None:
    picture = scene(2).at(0)[..., 0]
    barred = np.pad(picture, ((20, 20), (0, 0)))
    dark = barred.copy()
    dark[20:60] = 0
    borders = Borders()
    assert [borders.see(each) for each in (barred, dark, np.zeros_like(barred), barred)] == [20] * 4


def test_even_frames_are_left_out(scene) -> None:
    made = Fingerprinter()
    rng = np.random.default_rng(0)
    for k in range(4):
        made.add(k / 2, np.zeros((90, 160, 3), np.uint8))
        made.add(k / 2 + 2, (rng.normal(20, 2, (90, 160, 3))).astype(np.uint8))
    made.add(5, scene(3).at(0))
    (kept,) = made.fingerprint().samples
    assert kept.time_ms == 5000
    assert kept.brighter and not kept.darker  # out of the dark


def test_a_long_video_keeps_the_samples_that_differ_most(scene) -> None:
    made = Fingerprinter(most_samples=3)
    for k, place in enumerate([1, 1, 1, 2, 2, 3, 3, 3]):
        made.add(k / 2, scene(place).ground)
    assert [sample.time_ms for sample in made.fingerprint().samples] == [0, 1500, 2500]


def test_a_fingerprint_is_read_again_and_another_version_refused(scene) -> None:
    made = scene(4).fingerprint()
    document = made.document()
    assert Fingerprint.load(document) == made
    assert len(document) < 80 * len(made.samples) + 60
    with pytest.raises(EditmillError, match="version 0"):
        Fingerprint.load(document.replace('"version": "1"', '"version": "0"'))


def test_the_bits_are_these_on_every_machine() -> None:
    """Numbers of another machine must be the same, or every source would be looked at again."""
    y, x = np.mgrid[:90, :160]
    made = Fingerprinter()
    for k in range(2):
        moved = x + 16 * k
        frame = np.stack([moved * y % 251, (moved + 3 * y) % 256, moved * moved % 241], 2)
        made.add(k / 2, frame.astype(np.uint8))
    assert [[f"{bits:x}" for bits in sample] for sample in made.fingerprint().samples] == BITS


BITS = [
    ["0", "4018420185a09025", "f" * 16, "f" * 16],
    ["1f4", "4018ea2605cb48b2", "8080808000000000", "1030c304080"],
]


def test_frames_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 \[H, W, 3\], not float64 \[2, 2\]"):
        Fingerprinter().add(0, np.zeros((2, 2)))  # type: ignore[arg-type]
