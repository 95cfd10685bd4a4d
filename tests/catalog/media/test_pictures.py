"""The picture of a small file is the one that a player shows: upright, and in its colours."""

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import probe, read_video
from tests.catalog.media.written import BASE, Frames, tagged


def turns() -> Iterator[tuple[tuple[int, int, int, int], Callable[[Frames], Frames]]]:
    """Display matrices (a, b, c, d) and what they do to a picture [h, w, 3]."""
    yield (1, 0, 0, 1), lambda p: p
    yield (-1, 0, 0, 1), lambda p: p[:, ::-1]  # a front camera's
    yield (1, 0, 0, -1), lambda p: p[::-1]
    yield (-1, 0, 0, -1), lambda p: p[::-1, ::-1]
    yield (0, 1, -1, 0), lambda p: np.rot90(p, -1)
    yield (0, -1, 1, 0), lambda p: np.rot90(p, 1)
    yield (0, 1, 1, 0), lambda p: p.swapaxes(0, 1)
    yield (0, -1, -1, 0), lambda p: p.swapaxes(0, 1)[::-1, ::-1]


@pytest.mark.parametrize(("matrix", "display"), list(turns()), ids=lambda v: str(v)[:14])
def test_a_display_matrix_turns_and_mirrors(write, scene, matrix, display):
    path = write("a.mp4", scene(3, 80, 96))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version 0
    a, b, c, d = (65536 * value for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    upright = scene(3, 80, 96)[2]
    found = read_video(path)
    expected = display(upright)
    assert found.shape[1:] == expected.shape
    assert (probe(path).height, probe(path).width) == expected.shape[:2]
    assert np.abs(found[2].astype(float) - expected).mean() < 3
    half = read_video(path, size=(expected.shape[0] // 2, expected.shape[1] // 2))
    assert np.abs(half[2].astype(float) - expected[::2, ::2]).mean() < 8


def test_a_pixel_shape_that_cannot_be_is_square(write, scene):
    for aspect in (Fraction(20), Fraction(1, 20)):
        info = probe(write("a.mp4", scene(2, 80, 96), aspect=aspect))
        assert (info.width, info.height) == (96, 80)
        assert "taken as square" in info.notes[0]


def two_streams(path: Path, first: Frames, second: Frames) -> Path:
    with av.open(str(path), "w") as out:
        streams = []
        for frames in (first, second):
            stream = out.add_stream("libx264", rate=25)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt, stream.options = "yuv420p", dict(BASE)
            streams.append(stream)
        for stream, frames in zip(streams, (first, second), strict=True):
            for k, rgb in enumerate(frames):
                out.mux(stream.encode(tagged(rgb, k).reformat(format="yuv420p")))
            out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_the_film_is_neither_the_cover_nor_the_preview(tmp_path, scene, name):
    film = scene(20, 96, 128)
    for other in (scene(1, 192, 256), scene(20, 64, 80)):  # a picture as a track; a small copy
        for k, pair in enumerate([(other, film), (film, other)]):
            path = two_streams(tmp_path / f"{k}{name}", *pair)
            info = probe(path)
            assert (info.width, info.height, info.frames) == (128, 96, 20)
            assert np.abs(read_video(path).astype(float) - film).mean() < 4


def hdr_codes(frames: Frames, transfer: int) -> NDArray[np.uint16]:
    """8-bit SDR as 16-bit HDR codes: white at 203 cd/m² (ITU-R BT.2408), BT.2020 primaries."""
    to_2020 = np.array(
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    )
    light = (frames / 255) ** 2.4 @ to_2020.T
    if transfer == 16:
        y = (light * 203 / 10000) ** 0.1593017578125
        codes = ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    else:  # the display's light as the scene's: undo the system gamma of 1.2
        shown = light * 203 / 1000
        luma = shown @ [0.2627, 0.6780, 0.0593]
        e = shown * np.maximum(luma, 1e-9)[..., None] ** (1 / 1.2 - 1)
        log = 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
        codes = np.where(e <= 1 / 12, np.sqrt(3 * e), log)
    return np.rint(np.clip(codes, 0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize(("name", "transfer"), [("PQ", 16), ("HLG", 18)])
def test_hdr_is_shown_as_sdr(tmp_path, name, transfer):
    patches = np.array([[200, 40, 40], [40, 180, 60], [50, 60, 200], [70, 70, 70], [190, 190, 190]])
    picture = np.repeat(np.repeat(patches[None].astype(np.uint8), 32, 1), 64, 0)
    codes = hdr_codes(picture, transfer)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "gbrp16le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer, 9
        frame = av.VideoFrame.from_ndarray(codes, format="gbrp16le")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert probe(path).notes == (f"HDR ({name}) tone-mapped to SDR",)
    error = read_video(path)[0].astype(int) - picture
    inside = np.abs(error[:, 8::32]).max()
    assert inside <= 6  # the knee takes a little of the brightest


def test_highlights_are_rolled_off_not_cut():
    from catalog.media.colour.hdr import to_sdr

    ramp = np.linspace(0, 0.75, 256) * 65535  # PQ up to about 1000 cd/m²
    grey = np.repeat(ramp[None, :, None], 3, -1).astype(np.uint16)
    shown = to_sdr(grey, 16, 9)[0, :, 0].astype(int)
    assert shown[0] == 0
    assert shown[-1] >= 253
    assert (np.diff(shown) >= 0).all()
    assert len(set(shown[200:])) > 10


def test_what_is_transparent_is_black(tmp_path, scene):
    frames = scene(4, 80, 96)
    alpha = np.zeros((80, 96, 1), np.uint8)
    alpha[20:60, 20:60] = 255
    noise = np.random.default_rng(0).integers(0, 256, frames.shape, np.uint8)
    rgba = np.where(alpha > 0, frames, noise)
    for name, codec, pix_fmt in (
        ("a.mov", "qtrle", "argb"),
        ("b.mov", "prores_ks", "yuva444p10le"),
        ("c.webm", "libvpx-vp9", "yuva420p"),
        ("d.mkv", "ffv1", "yuva444p"),
    ):
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 80, pix_fmt
            if codec == "libvpx-vp9":
                stream.options = {"crf": "10", "b": "0", "cpu-used": "8", "auto-alt-ref": "0"}
                stream.metadata["alpha_mode"] = "1"
            if codec == "prores_ks":
                stream.options = {"profile": "4444"}
            for k, rgb in enumerate(rgba):
                pixels = np.concatenate([rgb, alpha], -1)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgba")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                out.mux(stream.encode(frame.reformat(format=pix_fmt)))
            out.mux(stream.encode(None))
        found = read_video(path).astype(float)
        assert "transparency flattened on black" in probe(path).notes, name
        assert found[:, :16].max() < 12, name
        assert np.abs(found[:, 24:56, 24:56] - frames[:, 24:56, 24:56]).mean() < 6, name


def test_a_colour_matrix_that_cannot_be_read_is_refused(tmp_path, scene):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv444p"
        stream.codec_context.colorspace = 14  # ICtCp
        frame = tagged(scene(1, 80, 96)[0], 0).reformat(format="yuv444p")
        frame.colorspace = 14
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(BadInput, match="ICtCp") as caught:
        probe(path)
    assert caught.value.reason == "unknown_colours"
