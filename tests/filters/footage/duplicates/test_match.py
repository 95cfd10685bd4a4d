"""Copies match and takes do not, on scenes with a known truth and on random fingerprints."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.footage.duplicates import Fingerprint, Fingerprinter, FrameHash, Matcher

COPIES = {
    "half size": lambda f: cv2.resize(f, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "other shape": lambda f: cv2.resize(f, (120, 120)),
    "cropped": lambda f: f[4:, 8:],
    "letterboxed": lambda f: np.pad(f, ((20, 20), (0, 0), (0, 0))),
    "pillarboxed": lambda f: np.pad(f, ((0, 0), (30, 30), (0, 0))),
    "brighter": lambda f: np.clip(f * 1.1 + 12, 0, 255).astype(np.uint8),
    "mirrored": lambda f: f[:, ::-1],
    "noisy": lambda f: cv2.add(f, np.random.default_rng(0).integers(0, 9, f.shape, np.uint8)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_changed_picture_matches(scene, kind: str) -> None:
    one = scene(1)
    assert Matcher().matches(one.fingerprint(), one.fingerprint(change=COPIES[kind]))


@pytest.mark.parametrize(
    ("start", "stop", "rate"),
    [(0, 8, 0.8), (0, 8, 1.25), (0, 8, 1.1), (2.7, 8, 1), (0, 5.3, 1), (2.6, 5.4, 1)],
)
def test_another_rate_or_length_matches(scene, start: float, stop: float, rate: float) -> None:
    one = scene(1)
    assert Matcher().matches(one.fingerprint(), one.fingerprint(start, stop, rate))


def test_another_take_of_the_scene_and_another_scene_do_not_match(scene) -> None:
    one = scene(1)
    for other in (one.fingerprint(8, 16), one.fingerprint(30, 38), scene(2).fingerprint()):
        assert not Matcher().matches(one.fingerprint(), other)


def test_a_scene_in_which_something_moves_does_not_match_its_still(scene) -> None:
    one = scene(1)
    still = Fingerprinter()
    for k in range(16):
        still.add(k / 2, one.at(0))
    assert not Matcher().matches(one.fingerprint(), still.fingerprint())


def test_stills_match_only_where_they_show_the_same(scene) -> None:
    def still(frame, count=8):
        made = Fingerprinter()
        for k in range(count):
            made.add(k / 2, frame)
        return made.fingerprint()

    picture = scene(1).ground
    assert Matcher().matches(still(picture), still(picture, 6))
    assert not Matcher().matches(still(picture), still(scene(2).ground))
    assert not Matcher().matches(still(picture), still(COPIES["cropped"](picture)))
    assert Matcher(still_agreement=0.5).matches(still(picture), still(COPIES["cropped"](picture)))


def test_even_videos_match_only_the_same() -> None:
    def even(level: int, count: int = 8) -> Fingerprint:
        made = Fingerprinter()
        for k in range(count):
            made.add(k / 2, np.full((90, 160, 3), level, np.uint8))
        return made.fingerprint()

    assert Matcher().score(even(0), even(0)) == 1
    for other in (even(255), even(1), even(0, 9)):
        assert Matcher().score(even(0), other) == -1


def test_each_threshold_steers(scene) -> None:
    one, copy = scene(1).fingerprint(), scene(1).fingerprint(2, 7, change=COPIES["cropped"])
    score = Matcher().score(one, copy)
    assert Matcher(threshold=score).matches(one, copy)
    assert not Matcher(threshold=score + 1e-9).matches(one, copy)
    assert Matcher(nearest=0).score(one, copy) == -1
    assert Matcher(least_samples=11).score(one, copy) == -1
    slow = scene(1).fingerprint(rate=0.8)
    assert Matcher(slowest=1, rate_steps=1).score(one, slow) < Matcher().score(one, slow)


def test_the_first_frame_of_which_no_change_is_known_counts_by_what_it_shows(scene) -> None:
    one = scene(1).fingerprint()
    late = Fingerprint("", scene(1).fingerprint(1, 8).samples)
    assert late.samples[0].brighter & late.samples[0].darker == 2**64 - 1
    assert Matcher().score(one, late) == 1  # 0 were wrong about all that moved before


bits = st.integers(0, 2**64 - 1)
samples = st.lists(st.tuples(bits, bits, bits), max_size=12)


@st.composite
def fingerprints(draw: st.DrawFn) -> Fingerprint:
    drawn = draw(samples)
    gaps = draw(st.lists(st.integers(1, 3), min_size=len(drawn), max_size=len(drawn)))
    times = np.cumsum(gaps) * 500 if gaps else []
    # A cell cannot have become brighter and darker.
    rows = [FrameHash(int(t), a, b, d & ~b) for t, (a, b, d) in zip(times, drawn, strict=True)]
    return Fingerprint(f"{draw(bits):016x}", tuple(rows))


@settings(deadline=None, max_examples=60)
@given(fingerprints())
def test_a_fingerprint_matches_itself_and_is_read_again(one: Fingerprint) -> None:
    assert Matcher().score(one, one) == 1
    assert Fingerprint.load(one.document()) == one
    again = Fingerprint("another file of the same pictures", one.samples)
    if len(one.samples) >= 3 and all(s.brighter | s.darker for s in one.samples):
        assert Matcher().score(one, again) == 1


@settings(deadline=None, max_examples=60)
@given(fingerprints(), fingerprints(), st.integers(0, 64))
def test_the_score_is_the_same_both_ways(
    one: Fingerprint, other: Fingerprint, nearest: int
) -> None:
    matcher = Matcher(nearest=nearest)
    score = matcher.score(one, other)
    assert score == matcher.score(other, one)
    assert -2.5 <= score <= 1
