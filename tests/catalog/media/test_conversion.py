"""Conversion to RGB: the fast way gives the pixels of the plain one, for every kind of frame."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from catalog.media import iter_frames, read_video
from catalog.media.colour import conversion
from catalog.media.colour.conversion import RgbConverter, to_rgb
from catalog.media.picture import Orientation, PictureFormat, read_format

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


@pytest.fixture
def compiled(monkeypatch, in_process) -> list[bool]:
    """Has the compiled conversion of 4:2:0 video used from the first frame on where it may be. What
    it was found to be usable for is noted in the list."""
    monkeypatch.setattr(conversion, "COMPILE_AFTER", 0)
    checked, found = RgbConverter._checked, []

    def noted(self, frame):
        convert = checked(self, frame)
        found.append(convert is not None)
        return convert

    monkeypatch.setattr(RgbConverter, "_checked", noted)
    return found


@pytest.mark.parametrize("layout", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize("matrix", [0, 1, 2, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_compiled_conversion_gives_the_pixels_of_ffmpeg(compiled, layout, matrix, full):
    frame = noise(layout, 98, 74)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    samples = [bytes(plane) for plane in frame.planes]
    shown = read_format("a", frame, Fraction(1))
    expected = to_rgb(frame, shown, None, VideoReformatter())
    found = RgbConverter(shown)(frame)
    given = np.empty((3, 74, 98, 3), np.uint8)
    assert RgbConverter(shown)(frame, out=given[1]) is not None
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(given[1], expected)
    assert compiled == [matrix != 0] * 2
    assert [bytes(plane) for plane in frame.planes] == samples


@pytest.mark.parametrize("siting", ["left", "center", "topleft", "bottom"])
def test_compiled_conversion_is_used_where_chroma_lies_as_it_takes_it(compiled, siting):
    graph = av.filter.Graph()
    frame = noise("yuv420p", 96, 64)
    source = graph.add_buffer(width=96, height=64, format=frame.format, time_base=Fraction(1, 25))
    tag = graph.add("setparams", f"chroma_location={siting}:colorspace=bt709:range=limited")
    sink = graph.add("buffersink")
    source.link_to(tag)
    tag.link_to(sink)
    graph.configure()
    graph.push(frame)
    tagged = graph.pull()
    shown = read_format("a", tagged, Fraction(1))
    expected = to_rgb(tagged, shown, None, VideoReformatter())
    np.testing.assert_array_equal(RgbConverter(shown)(tagged), expected)
    assert compiled == [siting in ("left", "center")]


@pytest.mark.parametrize("width, height", [(97, 74), (98, 73)])
def test_frames_of_an_odd_side_are_left_to_ffmpeg(compiled, width, height):
    frame = noise("yuv420p", width, height)
    frame.colorspace = 1
    shown = PictureFormat(Orientation(), (height, width), ())
    expected = to_rgb(frame, shown, None, VideoReformatter())
    np.testing.assert_array_equal(RgbConverter(shown)(frame), expected)
    assert compiled == []


@pytest.mark.parametrize("rotation", [0, 90, 180])
@pytest.mark.parametrize("size", [None, (40, 48), (80, 96)])
def test_long_reads_give_the_pixels_of_short_ones(
    write, scene, compiled, monkeypatch, rotation, size
):
    path = write("a.mp4", scene(9, 80, 96), rotation=rotation)
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "COMPILE_AFTER", 1 << 60)
        expected = read_video(path, size=size)
    assert compiled == []
    np.testing.assert_array_equal(list(iter_frames(path, size=size)), expected)
    np.testing.assert_array_equal(read_video(path, size=size), expected)
    resized = size is not None and (size != (80, 96) or rotation == 90)
    assert compiled == ([] if resized else [True] * 2)


def test_compiled_conversion_is_loaded_after_as_many_pixels_as_it_takes_time(
    write, scene, compiled, monkeypatch
):
    path = write("a.mp4", scene(9, 80, 96))
    monkeypatch.setattr(conversion, "COMPILE_AFTER", 12 * 80 * 96)
    monkeypatch.setattr(conversion, "_pixels", 0)
    first = read_video(path)
    assert compiled == []
    np.testing.assert_array_equal(read_video(path), first)
    assert compiled == [True]


@pytest.mark.parametrize("rotation", [0, 90, 180])
@pytest.mark.parametrize("size", [None, (40, 48), (160, 192)])
def test_frames_written_into_an_array_are_those_read_one_by_one(write, scene, rotation, size):
    path = write("a.mp4", scene(5, 80, 96), rotation=rotation)
    one_by_one = list(iter_frames(path, size=size))
    assert all(frame.flags.c_contiguous for frame in one_by_one)
    np.testing.assert_array_equal(read_video(path, size=size), one_by_one)
