"""A stream of frames is read once, keeps a stretch, and tells what is wrong with it."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import BadInput, EditmillError
from experts.annotate import frame_stream
from experts.annotate.frame_stream import FrameStream, whole

FRAMES = np.random.default_rng(0).integers(0, 256, (9, 4, 6, 3), np.uint8)


def stream(frames=FRAMES):
    return FrameStream(iter(frames), FRAMES.shape)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_slices_are_those_of_an_array_as_long_as_they_do_not_go_back(slices):
    read, begin = stream(), 0
    for first, count in slices:
        begin = min(begin + first, len(FRAMES))
        end = min(begin + count, len(FRAMES))
        found = read[begin:end]
        assert len(found) == end - begin
        assert all(map(np.array_equal, found, FRAMES[begin:end]))


def test_what_was_forgotten_is_not_read_again():
    read = stream()
    read[4:6]
    with pytest.raises(ValueError, match="frames from 3 on are gone"):
        read[3:6]


def test_all_of_them_and_what_is_left():
    np.testing.assert_array_equal(whole(stream()), FRAMES)
    assert whole(FRAMES) is FRAMES
    read = stream()
    read[5:6]
    assert len(list(read)) == 4


def test_many_lie_in_a_file_that_is_gone_with_them(monkeypatch, tmp_path):
    monkeypatch.setattr(frame_stream, "IN_MEMORY_BYTES", FRAMES.size - 1)
    monkeypatch.setattr(frame_stream.tempfile, "tempdir", str(tmp_path))
    found = whole(stream())
    assert isinstance(found, np.memmap) and not list(tmp_path.iterdir())
    np.testing.assert_array_equal(found, FRAMES)


def test_a_full_disk_is_told_in_a_line(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(frame_stream, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(frame_stream, "_reserve", full)
    with pytest.raises(EditmillError, match=r"^temporary files: .*No space left.*TMPDIR$"):
        whole(stream())


def test_a_clip_that_ends_early_is_named():
    short = stream(FRAMES[:5])
    with pytest.raises(BadInput, match="5 frames instead of 9") as caught:
        short.finish()
    assert caught.value.reason == "corrupt_video"


def test_finishing_reads_to_the_end():
    left = iter(FRAMES)
    read = FrameStream(left, FRAMES.shape)
    read[0:2]
    read.finish()
    assert next(left, None) is None
