"""From timestamps to a constant rate: hand-made timestamps whose right grid is known."""

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from catalog.media.demux.timing import Timing, timing

MS = Fraction(1, 1000)


def of(times: list[int], rates: tuple[Fraction, ...] = (), base: Fraction = MS) -> Timing:
    """The timing of pictures without B-frames."""
    return timing([(t, t) for t in times], base, rates)


def shown(found: Timing, pictures: int) -> list[int]:
    return list(range(pictures)) if found.grid is None else found.grid.tolist()


def test_an_even_rate_shows_every_picture_once():
    found = of([40 * k for k in range(50)])
    assert (found.fps, found.grid, found.breaks, found.spliced) == (25, None, (), False)


def test_times_rounded_to_a_millisecond_are_the_rate_of_the_header():
    rate = Fraction(30000, 1001)
    found = of([round(1000 * k / rate) for k in range(100)], (rate,))
    assert (found.fps, found.grid) == (float(rate), None)


def test_a_header_that_is_wrong_is_not_believed():
    assert of([40 * k for k in range(50)], (Fraction(50),)).fps == 25


def test_jitter_is_no_variable_rate():
    rng = np.random.default_rng(0)
    found = of([round(33.3 * k + rng.uniform(-9, 9)) + 10 for k in range(200)])
    assert found.grid is None
    assert abs(found.fps - 30) < 0.5


def test_dropped_frames_leave_the_picture_before_them():
    kept = [k for k in range(100) if k % 7 != 3 and k % 11 != 5]
    found = of([round(100 * k / 3) for k in kept], (Fraction(30),))
    assert found.fps == 30
    newest = [max(i for i, k in enumerate(kept) if k <= tick) for tick in range(kept[-1] + 1)]
    assert shown(found, len(kept)) == newest
    assert found.breaks == ()


def test_pictures_that_come_when_something_changes_have_their_mean_rate():
    times = [17 * k for k in range(24)] + [391 + 500 * k for k in range(1, 5)]
    times += [times[-1] + 17 * k for k in range(1, 21)]
    found = of(times)
    assert abs(found.fps - 47 / (times[-1] / 1000)) < 0.01
    for tick, picture in enumerate(shown(found, len(times))):
        now = 1000 * tick / found.fps
        assert times[picture] <= now + 1
        assert picture == len(times) - 1 or times[picture + 1] > now - 1


def test_a_pause_is_shown_but_is_no_footage():
    times = [40 * k + (2000 if k >= 40 else 0) for k in range(80)]
    found = of(times)
    assert found.fps == 25
    assert shown(found, 80) == [*range(40), *[39] * 50, *range(40, 80)]
    assert found.breaks == ((40, 90),)


def test_a_leap_of_the_clock_is_closed_and_told():
    for leap in (11_000, 3_600_000):
        found = of([40 * k + (leap if k >= 40 else 0) for k in range(80)])
        assert (found.fps, found.grid, found.breaks) == (25, None, ((40, 40),))


def test_a_clock_that_goes_back_begins_a_part_of_its_own():
    first = [90 * k + 500 for k in range(30)]
    for start in (0, 500, 2000):  # before, the same again, overlapping
        found = of(first + [90 * k + start for k in range(30)])
        assert found.spliced
        assert (round(found.fps, 3), found.grid) == (round(1000 / 90, 3), None)
        assert found.breaks == ((30, 30),)
        assert found.pts is not None
        assert found.pts[30] == start


def test_one_picture_an_hour_is_a_rate():
    found = of([3_600_000 * k for k in range(40)])
    assert (found.fps, found.grid, found.breaks) == (1 / 3600, None, ())


def test_the_last_picture_may_stand_for_long():
    found = of([*[40 * k for k in range(40)], 9000])
    assert abs(found.fps - 25) < 1e-9
    assert found.breaks == ((40, 225),)


def test_b_frames_are_shown_in_the_order_of_their_times():
    decoding = [(0, -80), (160, -40), (80, 0), (40, 40), (120, 80), (200, 120)]
    found = timing(decoding, MS, ())
    assert found.pts is not None
    assert found.pts.tolist() == [0, 40, 80, 120, 160, 200]


def test_without_times_of_showing_those_of_decoding_are_the_slots():
    slots = [0, 1, 2, 5, 6, 7, 8, 9]
    found = timing([(None, slot) for slot in slots], Fraction(1, 25), ())
    assert found.pts is None
    assert found.fps == 25
    assert shown(found, 8) == [0, 1, 2, 2, 2, 3, 4, 5, 6, 7]


def test_the_slots_behind_the_first_picture_are_the_codec_delay():
    found = timing([(None, slot) for slot in [0, 3, 4, 5, 6]], Fraction(1, 25), ())
    assert (found.fps, found.grid) == (25, None)


def test_pictures_without_any_time_are_counted():
    found = timing([(None, None)] * 9, Fraction(1, 25), (None, Fraction(24)))
    assert (found.fps, found.pts, found.grid) == (24, None, None)


def test_two_pictures_at_one_time_are_counted():
    found = of([0, 40, 40, 80], (Fraction(25),))
    assert (found.pts, found.grid, found.fps) == (None, None, 25)


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=60))
def test_any_steps_give_a_rising_grid_of_all_it_shows(steps: list[int]):
    times = np.concatenate([[0], np.cumsum(steps)]).tolist()
    found = of(times)
    assert 0 < found.fps < 1001
    grid = shown(found, len(times))
    assert grid[0] >= 0
    assert grid[-1] == len(times) - 1
    assert all(b >= a for a, b in itertools.pairwise(grid))
    for first, end in found.breaks:
        assert 0 < first <= end <= len(grid)


def test_a_rate_that_changes_keeps_every_picture_at_its_time():
    for slow, fast, first in ((66, 33, 50), (40, 10, 60), (33, 17, 60)):
        times = [slow * k for k in range(first)]
        times += [times[-1] + fast * k for k in range(1, 46)]
        for each in (times, [times[-1] - t for t in reversed(times)]):
            found = of(each)
            grid = shown(found, len(each))
            assert abs(len(grid) / found.fps - each[-1] / 1000) < 0.1
            late = [abs(1000 * k / found.fps - each[p]) for k, p in enumerate(grid)]
            assert max(late) < slow + 1


def test_slots_that_no_delay_explains_are_a_pause():
    found = timing([(None, slot) for slot in [0, *range(76, 130)]], Fraction(1, 25), ())
    assert found.breaks == ((1, 76),)
