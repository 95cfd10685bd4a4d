"""Pictures come when a player would show them, and those that a recording lacks are left out."""

import itertools
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from catalog.errors import BadInput
from catalog.media import probe, read_video
from tests.catalog.media.written import BASE, ends_still, levels, mux, packets, tagged, transport


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


def test_a_matroska_file_whose_last_picture_stands_is_whole(remux, tmp_path, numbered):
    whole = ends_still(tmp_path / "a.mp4", numbered(30))
    path = tmp_path / "a.mkv"
    remux(whole, path)
    assert levels(read_video(path)) == list(range(30))
    path.write_bytes(path.read_bytes()[:-200])  # the same, cut short
    with pytest.raises(BadInput, match="truncated"):
        probe(path)


def test_a_flv_whose_last_picture_stands_is_whole(tmp_path, numbered):
    assert len(read_video(ends_still(tmp_path / "a.flv", numbered(30)))) == 30
