"""Previews: both sides at the same share of their way, masks kept, the cache used."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from catalog import media
from catalog.errors import BadInput
from catalog.report import preview as module
from catalog.report.preview import preview


def _frames(made_preview, tmp_path: Path) -> np.ndarray:
    file = tmp_path / "preview.mp4"
    file.write_bytes(base64.b64decode(made_preview.video))
    return media.read_video(file)


def _place(half: np.ndarray) -> float:
    """Where the bar is, 0–1 of its way."""
    columns = np.flatnonzero(half[:, :, 0].mean(0) > 170)
    width = half.shape[1]
    bar = round(width * 0.1)
    return (columns.mean() - (bar - 1) / 2) / (width - bar)


def test_sides_are_in_step(made, tmp_path) -> None:
    result = preview(made.pairs[0], made.media, tmp_path)
    frames = _frames(result, tmp_path)
    assert len(frames) == result.frames == 48
    assert result.fps == pytest.approx(24)
    for k, frame in enumerate(frames):
        left, right = (frame[y : y + h, x : x + w] for x, y, w, h in (result.source, result.target))
        # half a frame of the 24-frame source, and a pixel
        assert _place(left) == pytest.approx(k / 47, abs=0.5 / 23 + 0.01)
        assert _place(right) == pytest.approx(k / 47, abs=0.01)


def test_halves_never_share_a_coded_block(made, tmp_path) -> None:
    result = preview(made.pairs[0], made.media, tmp_path)
    assert result.source == (0, 0, 128, 96)
    assert result.target == (128, 0, 160, 96)
    assert result.target[0] % module.ALIGN == 0


def test_long_videos_are_thinned_at_the_same_speed(made, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_FRAMES", 12)
    result = preview(made.pairs[0], made.media, tmp_path)
    assert result.frames == 12
    assert result.frames / result.fps == pytest.approx(2.0)


def test_large_videos_shrink_and_small_ones_do_not_grow(made, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LONG_SIDE", 144)
    result = preview(made.pairs[0], made.media, tmp_path)
    assert result.source[2:] == (128, 96)
    assert result.target[2:] == (144, 86)


def test_masks_become_polygons_with_their_holes(made, tmp_path) -> None:
    result = preview(made.pairs[0], made.media, tmp_path)
    masks = media.read_masks(made.media(made.pairs[0].mask))
    assert len(result.masks) == result.frames
    for polygons, mask in zip(result.masks, masks, strict=True):
        drawn = np.zeros(mask.shape, np.uint8)
        cv2.fillPoly(drawn, [np.array(p).reshape(-1, 2) for p in polygons], 1)  # even-odd
        # A hole's polygon runs through its rim, which filling then takes from the mask.
        assert (drawn & mask).sum() / (drawn | mask).sum() > 0.9
        assert not drawn[48, 80]


def test_a_pair_without_a_mask_has_no_polygons(made, tmp_path) -> None:
    assert preview(made.pairs[2], made.media, tmp_path).masks == []


def test_the_cache_answers_the_second_time(made, tmp_path, monkeypatch) -> None:
    first = preview(made.pairs[0], made.media, tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(module, "_make", refuse)
    assert preview(made.pairs[0], made.media, tmp_path) == first
    with pytest.raises(AssertionError, match="made again"):
        preview(made.pairs[4], made.media, tmp_path)  # another target
    assert {p.suffix for p in tmp_path.iterdir()} == {".json"}


def test_the_same_pair_gives_the_same_bytes(made, tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert preview(made.pairs[0], made.media, tmp_path / "a") == preview(
        made.pairs[0], made.media, tmp_path / "b"
    )


def test_unreadable_media_are_a_bad_input_and_leave_nothing(made, tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    cache = tmp_path / "cache"
    cache.mkdir()
    with pytest.raises(BadInput, match=r"broken\.mp4"):
        preview(made.pairs[0], lambda _: broken, cache)
    assert not list(cache.iterdir())
