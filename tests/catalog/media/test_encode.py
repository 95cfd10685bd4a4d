"""Writing videos: colours come back, bytes repeat, and nothing half-written is left."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from catalog.errors import BadInput, EditmillError
from catalog.media import encode, probe, read_masks, read_video, write_masks, write_video

ROOT = str(Path(encode.__file__).parents[2])

PATCHES = np.array(
    [
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)],
        [(0, 0, 0), (128, 128, 128), (255, 255, 0), (0, 255, 255)],
        [(255, 0, 255), (200, 120, 40), (30, 60, 90), (16, 235, 128)],
    ],
    np.uint8,
)


def available(encoder: str) -> bool:
    return encoder in av.codecs_available


@pytest.mark.parametrize("encoder", [choice[0] for choice in encode.ENCODERS])
def test_colours_come_back(tmp_path, monkeypatch, encoder):
    if not available(encoder):
        pytest.skip(f"this FFmpeg has no {encoder}")
    monkeypatch.setattr(encode, "ENCODERS", [c for c in encode.ENCODERS if c[0] == encoder])
    frames = np.repeat(np.repeat(PATCHES, 48, 0), 48, 1)[None].repeat(4, 0)
    path = tmp_path / "a.mp4"
    codec = write_video(path, frames, 25)
    assert codec == probe(path).codec
    decoded = read_video(path).astype(float)
    # Inside the patches: 4:2:0 shares colour across their edges.
    for row in range(3):
        for column in range(4):
            inside = np.s_[:, 48 * row + 8 : 48 * row + 40, 48 * column + 8 : 48 * column + 40]
            error = decoded[inside] - frames[inside]
            assert np.abs(error.mean((0, 1, 2))).max() < 1.5, PATCHES[row, column]
            assert 10 * np.log10(255**2 / max((error**2).mean(), 1e-9)) > 42


def test_footage_is_visually_lossless(tmp_path, scene):
    frames = scene(10, 80, 96)
    path = tmp_path / "a.mp4"
    assert write_video(path, iter(frames), 25) == "h264"
    error = read_video(path).astype(float) - frames
    assert 10 * np.log10(255**2 / (error**2).mean()) > 36
    assert np.abs(error.mean((0, 1, 2))).max() < 0.75


def test_streams_are_tagged(tmp_path, scene):
    path = tmp_path / "a.mp4"
    write_video(path, scene(2, 80, 96), 30000 / 1001)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
        assert (stream.average_rate.numerator, stream.average_rate.denominator) == (30000, 1001)
        assert context.pix_fmt == "yuv420p"
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_same_frames_same_bytes(tmp_path, scene):
    frames, masks = scene(8, 80, 96), scene(8, 80, 96)[..., 0] > 100
    for name in "ab":
        write_video(tmp_path / f"{name}.mp4", frames, 25)
        write_masks(tmp_path / f"{name}.mkv", masks, 25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


REPEATED = """
import hashlib, sys
import numpy as np
from pathlib import Path
from catalog.media import write_masks, write_video
frames = np.load(sys.argv[2])
path = Path(sys.argv[1])
write_video(path, frames, 25)
print(hashlib.sha256(path.read_bytes()).hexdigest())
write_masks(path, frames[..., 0] > 99, 25)
print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_same_bytes_whatever_the_memory_held_before(tmp_path, scene):
    """glibc fills fresh memory with a pattern, so an encoder that reads it unwritten gives itself
    away; elsewhere this is the test above in two processes."""
    np.save(tmp_path / "frames.npy", scene(8, 80, 96))
    files = [str(tmp_path / "out"), str(tmp_path / "frames.npy")]
    hashes = set()
    for pattern in ("1", "170"):
        env = {**os.environ, "PYTHONPATH": ROOT, "MALLOC_PERTURB_": pattern}
        command = [sys.executable, "-c", REPEATED, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        hashes.add(done.stdout)
    assert len(hashes) == 1


def test_odd_sides_lose_one_line(tmp_path, scene):
    path = tmp_path / "a.mp4"
    frames = scene(3, 81, 97)
    write_video(path, frames, 25)
    decoded = read_video(path)
    assert decoded.shape == (3, 80, 96, 3)
    assert np.abs(decoded.astype(float) - frames[:, :80, :96]).mean() < 2


def test_falls_back_to_another_codec(tmp_path, monkeypatch, scene):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    path = tmp_path / "a.mp4"
    assert write_video(path, scene(3, 80, 96), 25) == "vp9"
    assert read_video(path).shape == (3, 80, 96, 3)
    monkeypatch.setattr(av, "codecs_available", set())
    with pytest.raises(EditmillError, match="encoder"):
        write_video(path, scene(3, 80, 96), 25)


@settings(max_examples=15, deadline=None)
@given(
    hnp.arrays(
        bool,
        st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(2, 40)),
        elements=st.booleans(),
    )
)
def test_masks_are_lossless(tmp_path_factory, masks):
    path = tmp_path_factory.mktemp("masks") / "m.mkv"
    write_masks(path, masks, 25)
    np.testing.assert_array_equal(read_masks(path), masks)


def test_no_frames(tmp_path):
    with pytest.raises(BadInput) as caught:
        write_video(tmp_path / "a.mp4", [], 25)
    assert caught.value.reason == "no_frames"
    assert not list(tmp_path.iterdir())


def test_an_error_in_the_frames_leaves_nothing(tmp_path, scene):
    def frames():
        yield scene(1, 80, 96)[0]
        raise RuntimeError("model failed")

    with pytest.raises(RuntimeError, match="model failed"):
        write_video(tmp_path / "a.mp4", frames(), 25)
    assert not list(tmp_path.iterdir())


def test_a_size_the_encoder_cannot_do(tmp_path):
    with pytest.raises(EditmillError, match="another size"):
        write_masks(tmp_path / "m.mkv", np.zeros((1, 8, 1), bool), 25)
    assert not list(tmp_path.iterdir())


def test_frames_of_two_sizes(tmp_path):
    frames = [np.zeros((64, 64, 3), np.uint8), np.zeros((64, 96, 3), np.uint8)]
    with pytest.raises(ValueError, match="frame 1"):
        write_video(tmp_path / "a.mp4", frames, 25)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path, scene):
    with pytest.raises(EditmillError, match="create it") as caught:
        write_video(tmp_path / "none" / "a.mp4", scene(1, 80, 96), 25)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(monkeypatch, tmp_path, scene):
    monkeypatch.setattr(Path, "with_name", lambda self, name: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda self: None)
    with pytest.raises(EditmillError, match="disk is full"):
        write_masks(tmp_path / "a.mkv", scene(3, 80, 96)[..., 0] > 100, 25)


LIMITED = """
import resource, signal, sys
import numpy as np
from catalog.errors import EditmillError
from catalog.media import write_masks, write_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), np.uint8)
for write, frames in ((write_video, noise), (write_masks, noise[..., 0] > 128)):
    try:
        write(sys.argv[1] + "/out", frames, 25)
    except EditmillError as error:
        print(error)
"""


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("cannot be written" in line and str(tmp_path) in line for line in lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [1 / 3600, 1 / 60, 0.5, 7.3, 17.5267, 24000 / 1001, 25, 240])
def test_the_file_has_the_rate_that_was_asked_for(tmp_path, scene, fps):
    path = tmp_path / "a.mp4"
    write_video(path, scene(12, 80, 96), fps)
    info = probe(path)
    assert info.frames == 12
    assert info.fps == pytest.approx(fps, rel=1e-6)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(tmp_path, scene, fps):
    with pytest.raises(BadInput, match="no frame rate"):
        write_video(tmp_path / "a.mp4", scene(2, 80, 96), fps)


def test_a_size_the_encoder_refuses_is_the_records_fault(tmp_path):
    wide = np.zeros((64, 16400, 3), np.uint8)
    with pytest.raises(BadInput) as caught:
        write_video(tmp_path / "a.mp4", [wide], 25)
    assert caught.value.reason == "unencodable"
    assert list(tmp_path.iterdir()) == []
