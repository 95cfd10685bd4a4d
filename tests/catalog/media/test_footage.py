"""What real files bring: each small file's picture must be the one a player shows."""

import itertools
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

Frames = NDArray[np.uint8]
BASE = {"preset": "veryfast", "crf": "8", "threads": "1"}


def levels(frames: Frames) -> list[int]:
    """The numbers of `numbered` frames, from their brightness."""
    return np.rint((frames.mean((1, 2, 3)) - 20) / 5).astype(int).tolist()


def tagged(rgb: Frames, k: int, **attributes: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 25)
    for name, value in attributes.items():
        setattr(frame, name, value)
    return frame


def packets(frames: Frames, options: dict[str, str] | None = None, codec: str = "libx264"):
    """An encoder's packets of the frames, and the context they need."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {**BASE, **(options or {})} if codec == "libx264" else options or {}
    made = []
    for k, rgb in enumerate(frames):
        made += context.encode(tagged(rgb, k).reformat(format="yuv420p"))
    return [*made, *context.encode(None)]


def transport(frames: Frames, first: float, path: Path) -> bytes:
    """The frames as a transport stream whose clock begins at `first` s."""
    with av.open(str(path), "w", format="mpegts", options={"muxdelay": "0"}) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {**BASE, "g": "12"}
        for k, rgb in enumerate(frames):
            frame = tagged(rgb, k + round(25 * first)).reformat(format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


# --- orientation ---------------------------------------------------------------------------------


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


# --- which stream ------------------------------------------------------------------------------


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


# --- colours -------------------------------------------------------------------------------------


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


# --- interlacing ---------------------------------------------------------------------------------


def woven(frames: int) -> Frames:
    """Two fields a frame of a bar that moves 4 px a field, [frames, 96, 128, 3]."""
    out = np.full((frames, 96, 128, 3), 40, np.uint8)
    for k in range(frames):
        for field in (0, 1):
            left = 4 * (2 * k + field) % 90
            out[k, field::2, left : left + 24] = 200
    return out


def test_two_fields_become_one_picture(tmp_path):
    fields = woven(30)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {**BASE, "g": "10", "x264-params": "tff=1", "flags": "+ildct+ilme"}
        for k, rgb in enumerate(fields):
            out.mux(stream.encode(tagged(rgb, k).reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    whole = read_video(path)
    assert probe(path).notes == ("deinterlaced",)
    assert len(whole) == 30
    grey = whole[2:, 24:72].astype(int).mean(-1)
    one, two = np.abs(grey[:, 1:-1] - grey[:, 2:]).mean(), np.abs(grey[:, :-2] - grey[:, 2:]).mean()
    assert one < 0.8 * two + 0.5  # combed, neighbouring lines differ more than those two apart
    for first in (9, 10, 11, 25):  # a jump to a keyframe changes no picture
        np.testing.assert_array_equal(read_video(path, first, 3), whole[first : first + 3])


# --- times ---------------------------------------------------------------------------------------


def test_a_pause_is_held_and_the_rate_stays(write, numbered):
    times = [40 * k + (1600 if k >= 20 else 0) for k in range(40)]
    for name in ("a.mp4", "a.mkv"):
        path = write(name, numbered(40), times=times)
        info = probe(path)
        assert (round(info.fps, 6), info.frames, info.breaks) == (25, 80, ((20, 60),))
        assert levels(read_video(path)) == [*range(20), *[19] * 40, *range(20, 40)]
        assert levels(read_video(path, 58, 4)) == [19, 19, 20, 21]


def test_empty_slots_of_avi_hold_the_picture(tmp_path, numbered):
    path = tmp_path / "a.avi"
    slots = [*range(10), *range(13, 30)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for rgb, slot in zip(numbered(27), slots, strict=True):
            out.mux(stream.encode(tagged(rgb, slot).reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    info = probe(path)
    assert (info.fps, info.frames) == (25, 30)
    found = levels(read_video(path))
    assert np.abs(np.subtract(found, [*range(10), 9, 9, 9, *range(10, 27)])).max() <= 1


def test_h264_in_avi_has_its_own_rate(tmp_path, numbered):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=50)  # the nominal rate, of which half is used
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {**BASE, "bf": "2"}
        for k, rgb in enumerate(numbered(40)):
            frame = tagged(rgb, 2 * k).reformat(format="yuv420p")
            frame.time_base = Fraction(1, 50)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert (probe(path).fps, probe(path).frames) == (25, 40)
    assert levels(read_video(path)) == list(range(40))


@pytest.mark.parametrize("second", [0.0, 100.0, 1.4])
def test_joined_transport_streams_play_on(tmp_path, numbered, second):
    frames = numbered(44)
    path = tmp_path / "a.ts"
    parts = [transport(frames[:22], 60.0, path), transport(frames[22:], second, path)]
    path.write_bytes(b"".join(parts))
    info = probe(path)
    assert round(info.fps, 3) == 25
    found = levels(read_video(path))
    assert len(found) == info.frames >= 40
    assert found[:20] == list(range(20))
    assert all(b >= a for a, b in itertools.pairwise(found))
    assert len(info.breaks) == 1


# --- what is not there ---------------------------------------------------------------------------


def mux(path: Path, made: list[av.Packet], frames: Frames) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for packet in made:
            packet.stream = stream
            packet.time_base = Fraction(1, 25)
            out.mux(packet)
    return path


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_a_recording_that_begins_between_keyframes(tmp_path, numbered, name):
    made = packets(numbered(40), {"g": "15", "bf": "0", "x264-params": "repeat-headers=1"})
    path = mux(tmp_path / name, made[7:], numbered(40))
    info = probe(path)
    assert info.frames == 25
    assert info.notes == ("first 8 pictures left out, which need what was cut away before",)
    assert levels(read_video(path)) == list(range(15, 40))
    assert levels(read_video(path, 20, 3)) == [35, 36, 37]


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_leading_pictures_of_an_open_gop_are_left_out(tmp_path, numbered, name):
    params = "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:repeat-headers=1"
    made = packets(numbered(48), {"x264-params": params})
    second = [k for k, packet in enumerate(made) if packet.is_keyframe][1]
    path = mux(tmp_path / name, made[second:], numbered(48))
    found = levels(read_video(path))
    first = found[0]
    assert found == list(range(first, 48))
    assert first in (12, 13)
    assert "left out" in probe(path).notes[0]


def ends_still(path: Path, frames: Frames) -> Path:
    """The frames, the last of which stands for ten seconds."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.options = {**BASE, "bf": "0"}
        made = []
        for k, rgb in enumerate(frames):
            made += stream.encode(tagged(rgb, k).reformat(format="yuv420p"))
        made += stream.encode(None)
        made[-1].duration = int(10 / made[-1].time_base)
        out.mux(made)
    return path


def test_a_matroska_file_whose_last_picture_stands_is_whole(remux, tmp_path, numbered):
    whole = ends_still(tmp_path / "a.mp4", numbered(30))
    path = tmp_path / "a.mkv"
    remux(whole, path)
    assert levels(read_video(path)) == list(range(30))
    path.write_bytes(path.read_bytes()[:-200])  # the same, cut short
    with pytest.raises(BadInput, match="truncated"):
        probe(path)


# --- only video files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'good.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\ngood.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    ],
)
def test_a_text_that_names_other_files_is_no_video(write, scene, text):
    good = write("good.mp4", scene(3, 80, 96))
    path = good.with_name("a.mov")
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert caught.value.reason == "corrupt_video"
    assert caught.value.final


@pytest.mark.parametrize("name", ["12:30:05.mp4", "http:x.mp4", "pipe:0.mp4", b"caf\xe9.mp4"])
def test_a_name_is_a_name_and_no_address(write, scene, monkeypatch, name):
    import os

    path = write("good.mp4", scene(3, 80, 96))
    monkeypatch.chdir(path.parent)
    named = Path(os.fsdecode(name))
    path.rename(named)
    assert probe(named).frames == 3


@pytest.mark.usefixtures("in_process")
def test_what_may_pass_is_told_from_what_stays(tmp_path, monkeypatch):
    import errno

    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * 1000)

    def hiccup(*_args, **_kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(av, "open", hiccup)
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert (caught.value.reason, caught.value.final) == ("unreadable_file", False)


@pytest.mark.usefixtures("in_process")
def test_a_picture_that_fills_the_memory_is_refused(write, scene, monkeypatch):
    from catalog.media.demux import index

    monkeypatch.setattr(index, "MAX_PIXELS", 5000)
    with pytest.raises(BadInput, match="too large"):
        probe(write("a.mp4", scene(2, 80, 96)))


def test_a_codec_without_a_decoder_is_named(write, scene):
    path = write("a.mp4", scene(3, 80, 96))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert caught.value.reason == "unsupported_codec"


@pytest.mark.usefixtures("in_process")
def test_where_seeking_fails_all_is_decoded(write, numbered, monkeypatch):
    from catalog.media import reading

    path = write("a.mkv", numbered(40), options={"g": "5"})

    class Unseekable:
        def __init__(self, container):
            self._container = container

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def __getattr__(self, name):
            return getattr(self._container, name)

        def seek(self, *_args, **_kwargs):
            raise OSError("no index")

    opened = reading.open_video
    monkeypatch.setattr(reading, "open_video", lambda path: Unseekable(opened(path)))
    assert levels(read_video(path, 3, 4, 9)) == [3, 12, 21, 30]


def test_a_trim_between_keyframes_keeps_what_follows_it(write, numbered):
    path = write("a.mp4", numbered(40), options={"g": "15", "bf": "0"})
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 4 + 4 + 4  # version and flags, count; then duration, media time
    duration, start = struct.unpack(">Ii", data[at : at + 8])
    cut = duration * 10 // 40
    scale = struct.unpack(">I", data[(m := data.index(b"mdhd") + 4 + 12) : m + 4])[0]
    data[at : at + 8] = struct.pack(">Ii", duration - cut, start + scale * 10 // 25)
    path.write_bytes(data)
    assert levels(read_video(path)) == list(range(10, 40))
    assert probe(path).notes == ()


def test_fields_that_begin_late_become_pictures_too(tmp_path):
    still, fields = np.repeat(woven(1)[:, :1] * 0 + 90, 96, 1).repeat(10, 0), woven(20)
    path = tmp_path / "a.ts"
    made: list[av.Packet] = []
    for part, options in ((still, {}), (fields, {"x264-params": "tff=1", "flags": "+ildct+ilme"})):
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 128, 96, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = {**BASE, "bf": "0", "g": "10", **options}
        first = len(made)
        for k, rgb in enumerate(part):
            made += context.encode(tagged(rgb, first + k).reformat(format="yuv420p"))
        made += context.encode(None)
    found = read_video(mux(path, made, fields))
    assert len(found) == 30
    grey = found[12:, 24:72].astype(int).mean(-1)
    one, two = np.abs(grey[:, 1:-1] - grey[:, 2:]).mean(), np.abs(grey[:, :-2] - grey[:, 2:]).mean()
    assert one < 0.8 * two + 0.5


@pytest.mark.usefixtures("in_process")
def test_consecutive_frames_are_decoded_without_a_seek(write, numbered, monkeypatch):
    from catalog.media import reading

    path = write("a.mkv", numbered(40), options={"g": "5"})
    sought = []
    seek = reading._keyframe_to_seek
    monkeypatch.setattr(
        reading, "_keyframe_to_seek", lambda *a: sought.append(seek(*a)) or sought[-1]
    )
    assert levels(read_video(path, 0, 40)) == list(range(40))
    assert set(sought) == {-1}
    read_video(path, 20, 3)
    assert max(sought) > 0


def test_a_flv_whose_last_picture_stands_is_whole(tmp_path, numbered):
    assert len(read_video(ends_still(tmp_path / "a.flv", numbered(30)))) == 30
