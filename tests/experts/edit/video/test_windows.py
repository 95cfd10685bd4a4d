"""Windows of a video model over a clip."""

from __future__ import annotations

from itertools import pairwise

import pytest

from experts.edit.video.windows import windows


@pytest.mark.parametrize(
    ("length", "frames", "overlap", "spans"),
    [
        (81, 81, 5, [(0, 81)]),
        (1, 81, 5, [(0, 1)]),
        (7, 81, 5, [(0, 7)]),
        (82, 81, 5, [(0, 81), (1, 82)]),
        (200, 81, 5, [(0, 81), (76, 157), (119, 200)]),
        (9, 5, 1, [(0, 5), (4, 9)]),
        (10, 5, 1, [(0, 5), (4, 9), (5, 10)]),
    ],
)
def test_windows_cover_the_clip(
    length: int, frames: int, overlap: int, spans: list[tuple[int, int]]
) -> None:
    cut = list(windows(length, frames, overlap))
    assert [(w.start, w.stop) for w in cut] == spans
    assert [w.done for w in cut] == [0, *(stop for _, stop in spans[:-1])]
    for window in cut:
        assert len(window.indices) == len(cut[0].indices) and len(window.indices) % 4 == 1
        assert len(window.indices) <= frames
        assert set(window.indices) == set(range(window.start, window.stop))
    for before, window in pairwise(cut):
        assert before.stop - window.start >= overlap


def test_a_short_clip_is_played_back_from_its_end() -> None:
    (window,) = windows(7, 81, 5)
    assert window.indices.tolist() == [0, 1, 2, 3, 4, 5, 6, 5, 4]
    (single,) = windows(1, 81, 5)
    assert single.indices.tolist() == [0]
