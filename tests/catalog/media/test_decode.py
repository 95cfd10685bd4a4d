"""Reading videos: exact frames whatever the file, and one-line errors for what is no video."""

import os
import platform
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import catalog
from catalog.errors import BadInput
from catalog.media import (
    iter_frames,
    probe,
    read_masks,
    read_video,
    sample_frames,
    write_masks,
    write_video,
)


def reason_of(call, *args, **kwargs) -> tuple[str, str]:
    with pytest.raises(BadInput) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return caught.value.reason, message


def read_all(path: Path) -> list[np.ndarray]:
    return list(iter_frames(path))


def levels(frames: np.ndarray) -> list[int]:
    """The numbers of `numbered` frames, from their brightness."""
    return np.rint((frames.mean((1, 2, 3)) - 20) / 5).astype(int).tolist()


def test_probe_tells_what_a_video_is(write, scene):
    info = probe(write("a.mp4", scene(12, 80, 96)))
    assert (info.width, info.height, info.frames, info.codec) == (96, 80, 12, "h264")
    assert (info.fps, info.rotation, info.pix_fmt) == (25.0, 0, "yuv420p")
    assert info.duration == pytest.approx(12 / 25)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
@pytest.mark.parametrize("gop", ["1", "6", "250"])
def test_any_range_equals_the_slice_of_the_whole(write, numbered, name, gop):
    path = write(name, numbered(40), options={"g": gop})
    whole = read_video(path)
    assert levels(whole) == list(range(40))
    for first, count, stride in [(0, 5, 1), (17, 9, 1), (39, 1, 1), (3, 7, 5), (31, None, 2)]:
        stop = 40 if count is None else first + count * stride
        expected = whole[first:stop:stride]
        np.testing.assert_array_equal(read_video(path, first, count, stride), expected)


OPEN_GOP = {"x264-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3"}


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", OPEN_GOP),
        ("a.ts", "libx264", OPEN_GOP),
        ("a.h264", "libx264", {"g": "10"}),
        ("a.mpg", "mpeg2video", {"g": "10", "bf": "2"}),
        ("a.webm", "libvpx-vp9", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
        ("a.mkv", "libx265", {"x265-params": "keyint=10:min-keyint=10:log-level=none"}),
    ],
)
def test_seeking_is_exact_whatever_the_codec(write, numbered, name, codec, options):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    path = write(name, numbered(40), codec=codec, options=options)
    whole = read_video(path)
    assert max(abs(a - b) for a, b in zip(levels(whole), range(40), strict=True)) <= 1
    for first in (1, 9, 10, 11, 27, 38):
        np.testing.assert_array_equal(read_video(path, first, 2), whole[first : first + 2])


def test_past_the_end_there_is_nothing(write, numbered):
    path = write("a.mp4", numbered(5))
    assert read_video(path, first=9).shape == (0, 64, 64, 3)
    assert len(read_video(path, first=3, count=100)) == 2


def test_samples_are_evenly_spaced_and_shrunk(write, numbered):
    path = write("a.mp4", numbered(41), options={"g": "4"})
    assert levels(sample_frames(path, 5)) == [0, 10, 20, 30, 40]
    assert sample_frames(path, 3, long_side=32).shape == (3, 32, 32, 3)
    assert sample_frames(path, 3, long_side=999).shape == (3, 64, 64, 3)


def test_a_short_video_repeats_samples(write, numbered):
    assert levels(sample_frames(write("a.mp4", numbered(2)), 4)) == [0, 0, 1, 1]


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_applied(write, scene, rotation):
    upright = scene(3, 80, 96)
    stored = np.rot90(upright, -rotation // 90, axes=(1, 2))
    path = write("a.mp4", np.ascontiguousarray(stored), rotation=rotation)
    info = probe(path)
    assert (info.width, info.height) == (96, 80)
    assert info.rotation == rotation % 360
    assert np.abs(read_video(path).astype(float) - upright).mean() < 3
    assert read_video(path, size=(40, 48)).shape == (3, 40, 48, 3)


def test_wide_pixels_are_stretched(write, scene):
    info = probe(write("a.mp4", scene(3, 80, 96), aspect=Fraction(4, 3)))
    assert (info.width, info.height) == (128, 80)


def test_a_variable_rate_is_put_on_a_grid(write, numbered):
    # Mean 100 ms: ticks at 0, 100, 200, 300, 400 show the frames of 0, 41, 41, 41, 400 ms.
    path = write("a.mkv", numbered(5), times=[0, 23, 41, 317, 400])
    info = probe(path)
    assert (info.fps, info.frames) == (pytest.approx(10), 5)
    assert levels(read_video(path)) == [0, 2, 2, 2, 4]
    assert levels(read_video(path, first=3)) == [2, 4]


def test_a_repeated_frame_is_a_picture_of_its_own(write, numbered):
    path = write("a.mkv", numbered(5), times=[0, 23, 41, 317, 400])
    shown = []
    for frame in iter_frames(path):
        shown.extend(levels(frame[None]))
        frame[:] = 0
    assert shown == [0, 2, 2, 2, 4]


@pytest.mark.parametrize("asked", [{"first": -1}, {"stride": 0}, {"count": -2}])
def test_numbers_that_are_no_frames(write, numbered, asked):
    with pytest.raises(ValueError, match="no frames are"):
        read_video(write("a.mp4", numbered(3)), **asked)


def test_rounded_times_are_no_variable_rate(write, numbered):
    path = write("a.mkv", numbered(9), times=[0, 33, 67, 100, 133, 167, 200, 233, 267])
    assert levels(read_video(path)) == list(range(9))
    assert probe(path).fps == pytest.approx(30, rel=1e-2)


def test_ten_bits_become_eight(write, scene):
    frames = scene(3, 80, 96)
    path = write("a.mkv", frames, codec="ffv1", pix_fmt="yuv444p10le")
    assert probe(path).pix_fmt == "yuv444p10le"
    assert np.abs(read_video(path).astype(float) - frames).mean() < 1


@pytest.mark.parametrize("size", [(40, 48), (160, 192)])
def test_resizing_keeps_colour_and_place(write, scene, size):
    path = write("a.mkv", scene(2, 80, 96), codec="ffv1", pix_fmt="yuv444p")
    frames, resized = read_video(path), read_video(path, size=size)
    assert resized.shape == (2, *size, 3)
    half = size[0] // 2
    for full, part in (np.s_[:, :40], np.s_[:, :half]), (np.s_[:, 40:], np.s_[:, half:]):
        means = frames[full].mean((0, 1, 2)), resized[part].mean((0, 1, 2))
        np.testing.assert_allclose(*means, atol=1)


def test_tiny_videos_are_refused(write, scene):
    reason, message = reason_of(probe, write("a.mp4", scene(2, 62, 80)))
    assert reason == "too_small" and "80x62" in message


def test_a_missing_file_and_a_folder(tmp_path):
    assert reason_of(probe, tmp_path / "none.mp4")[0] == "missing_file"
    assert reason_of(probe, tmp_path)[0] in ("unreadable_file", "corrupt_video")


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_files_that_are_no_video(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    reason, message = reason_of(probe, path)
    assert reason == "corrupt_video"
    assert str(path) in message and "copy or record it again" in message


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_truncated_file_tells_how_much_was_good(remux, tmp_path, scene, name):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (75, 64, 64, 3), np.uint8)
    whole = tmp_path / "whole.mp4"
    write_video(whole, frames, 25)
    path = tmp_path / name
    if name.endswith("mkv"):
        remux(whole, path)
    else:
        path.write_bytes(whole.read_bytes())
    assert probe(path).frames == 75
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    reason, message = reason_of(probe, path)
    assert reason == "corrupt_video"
    good = int(message.split(" good frames")[0].split()[-1])
    assert 25 <= good <= 40


def test_damage_in_the_middle_is_found_on_reading(tmp_path, scene):
    path = tmp_path / "a.mp4"
    write_video(path, scene(60, 96, 128), 25)
    data = bytearray(path.read_bytes())
    start = len(data) * 2 // 3
    data[start : start + 400] = bytes(400)
    path.write_bytes(data)
    reason, message = reason_of(read_all, path)
    assert reason == "corrupt_video" and "good frames" in message


def test_audio_only(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = np.zeros((1, 8000), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert reason_of(probe, path)[0] == "no_video_stream"


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_zero_frames(tmp_path, name):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        container.mux(stream.encode(None))
    assert reason_of(probe, path)[0] == "no_frames"


def test_a_rewritten_file_is_read_anew(tmp_path, numbered):
    path = tmp_path / "a.mp4"
    write_video(path, numbered(4), 25)
    assert probe(path).frames == 4
    write_video(path, numbered(7), 25)
    assert probe(path).frames == 7


def test_resized_masks_keep_half_covered_pixels(tmp_path):
    masks = np.zeros((2, 64, 64), bool)
    masks[:, :, :33] = True
    path = tmp_path / "m.mkv"
    write_masks(path, masks, 25)
    small = read_masks(path, size=(16, 16))
    assert small[:, :, :8].all() and not small[:, :, 8:].any()
    assert read_masks(path, first=1, count=5).shape == (1, 64, 64)


FAULTS = """
import resource, sys
import numpy as np
from catalog.media import read_video
def two_frames():
    frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(2)]
read_video(sys.argv[1])
for _ in range(5):
    two_frames()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    two_frames()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 50)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's allocator")
def test_memory_of_freed_frames_is_reused(write, numbered):
    env = {**os.environ, "PYTHONPATH": str(Path(catalog.__file__).parents[1])}
    command = [sys.executable, "-c", FAULTS, str(write("a.mp4", numbered(3)))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert float(done.stdout) < 50  # the two have 1350 pages


@pytest.mark.parametrize(("first", "count"), [(25, 5), (45, 5)])
def test_a_stretch_of_pictures_that_are_refreshed_bit_by_bit_is_read(
    write, first: int, count: int
) -> None:
    """Where such a stream may be joined, its first pictures are not whole, and so do not come; near
    its end, none does."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    moving = np.stack([np.roll(noise, 3 * t, 1) for t in range(50)])
    path = write("v.ts", moving, options={"x264-params": "intra-refresh=1:keyint=20"})
    np.testing.assert_array_equal(read_video(path, first, count), read_video(path)[first:][:count])
