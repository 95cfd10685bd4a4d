"""Conversion to RGB: the fast way gives the pixels of the plain one, for every kind of frame."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from catalog.media import iter_frames, read_video
from catalog.media.conversion import to_rgb
from catalog.media.picture import read_format

EXACT = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
FORMATS = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuyv422", "yuv440p", "yuv444p", "yuv411p")
FORMATS += ("yuv410p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le", "bgr24")


def noise(layout: str, width: int, height: int) -> av.VideoFrame:
    """A frame of that pixel format whose every sample is random."""
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(width, height, layout)
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        if bits == 8:
            samples = rng.integers(0, 256, plane.buffer_size, np.uint8)
        else:
            samples = rng.integers(0, 1 << bits, plane.buffer_size // 2, np.uint16)
        plane.update(samples.tobytes())
    return frame


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("matrix", [1, 2, 6, 9], ids=["bt709", "untagged", "bt601", "bt2020"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_pixels_are_those_of_one_exact_conversion(layout, matrix, full):
    frame = noise(layout, 98, 74)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    expected = VideoReformatter().reformat(
        frame,
        format="rgb24",
        src_colorspace=Colorspace.ITU601 if matrix == 2 else None,
        interpolation=EXACT,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    shown = read_format("a", frame, Fraction(1))
    given = np.empty((74, 98, 3), np.uint8)
    found = to_rgb(frame, shown, None, VideoReformatter())
    assert to_rgb(frame, shown, None, VideoReformatter(), out=given) is given
    np.testing.assert_array_equal(found, expected.to_ndarray())
    np.testing.assert_array_equal(given, found)


@pytest.mark.parametrize("rotation", [0, 90, 180])
@pytest.mark.parametrize("size", [None, (40, 48), (160, 192)])
def test_frames_written_into_an_array_are_those_read_one_by_one(write, scene, rotation, size):
    path = write("a.mp4", scene(5, 80, 96), rotation=rotation)
    one_by_one = list(iter_frames(path, size=size))
    assert all(frame.flags.c_contiguous for frame in one_by_one)
    np.testing.assert_array_equal(read_video(path, size=size), one_by_one)
