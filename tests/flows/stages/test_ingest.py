"""What users' folders hold: every kind of unusable or unusual video, through the real stage."""

import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from catalog import media
from catalog.media.image import read_transparent
from catalog.records import Clip
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.sources import local_files
from flows.sources.source import SourceFile
from flows.stages.clips import ingest, look
from tests.flows.stages.one_shot import without_cuts

pytestmark = pytest.mark.weights

RECIPE = """
name: odd
sources: [{{kind: folder, path: {folder}, licence: CC0-1.0}}]
clips: {{max_frames: 40}}
plan: {{weights: {{deblur: 1}}}}
"""


@pytest.fixture
def footage(tmp_path: Path, write, scene) -> Path:
    """A folder of good, odd and broken videos."""
    frames = scene(40, 96, 128)
    made = [
        write("good.mp4", scene(80, 96, 128)),
        write("rotated.mp4", frames, rotation=90),
        write("ten_bit.mkv", frames, codec="libx265", pix_fmt="yuv420p10le"),
        write("odd.mkv", scene(40, 97, 131), codec="ffv1", pix_fmt="bgr0"),
        write("variable.mkv", scene(45, 96, 128), times=[k * 40 + 25 * (k % 2) for k in range(45)]),
        write("tiny.mp4", scene(40, 48, 48)),
    ]
    folder = tmp_path / "footage"
    folder.mkdir()
    for path in made:
        shutil.move(path, folder / path.name)
    good = (folder / "good.mp4").read_bytes()
    (folder / "corrupt.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "truncated.mp4").write_bytes(good[: len(good) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000)
    with (
        av.open(str(folder / "sound.wav")) as source,
        av.open(str(folder / "audio_only.mp4"), "w") as out,
    ):
        stream = out.add_stream("aac", rate=8000)
        for frame in source.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return folder


def test_good_and_odd_videos_become_clips_and_broken_ones_rows_and_one_more_leaves_them_alone(
    footage: Path, tmp_path: Path, write, scene
):
    recipe = parse(RECIPE.format(folder=footage), "odd")
    ctx, files = _job(tmp_path, recipe)
    clips = _clips(ctx, files)

    sizes = {}
    for clip in clips:
        info = media.probe(ctx.catalog.path(clip.video))
        assert (info.width, info.height, info.frames) == (clip.width, clip.height, clip.frames)
        assert clip.licence == "CC0-1.0"
        sizes.setdefault(clip.uri, []).append((clip.width, clip.height, clip.frames))
    assert sizes == {
        "good.mp4": [(128, 96, 40), (128, 96, 40)],
        "rotated.mp4": [(96, 128, 40)],
        "ten_bit.mkv": [(128, 96, 40)],
        "odd.mkv": [(130, 96, 40)],
        "variable.mkv": [(128, 96, 40)],
    }

    failures = {
        row["record"]: (row["reason"], row["message"])
        for row in ctx.catalog.failures().collect().iter_rows(named=True)
    }
    assert {name: reason for name, (reason, _) in failures.items()} == {
        "corrupt.mp4": "corrupt_video",
        "truncated.mp4": "corrupt_video",
        "empty.mp4": "corrupt_video",
        "audio_only.mp4": "no_video_stream",
        "tiny.mp4": "too_small",
    }
    for name, (_, message) in failures.items():
        assert name in message
        assert "\n" not in message

    shutil.move(write("new.mp4", scene(40, 80, 112)), footage / "new.mp4")
    again, files = _job(tmp_path, recipe)
    done = again.stats.stage("ingest").done
    assert {clip.clip_id for clip in clips} < {clip.clip_id for clip in _clips(again, files)}
    assert again.stats.stage("ingest").done == done + 1


def _clips(ctx: Context, files: list[SourceFile]) -> list[Clip]:
    return ingest.run(ctx, look.run(ctx, files))


def _job(tmp_path: Path, recipe):
    ctx = context(tmp_path / "catalog", recipe)
    return ctx, list(local_files(ctx.recipe.sources))


def test_no_clip_holds_a_still_picture_or_spans_a_leap():
    assert look.unbroken([(0, 50), (50, 200)], [(20, 45), (45, 60), (120, 120), (300, 310)]) == [
        (0, 20),
        (60, 120),
        (120, 200),
    ]
    assert look.unbroken([(0, 50)], []) == [(0, 50)]


def test_a_pause_ends_a_clip(tmp_path, write, scene, monkeypatch: pytest.MonkeyPatch):
    without_cuts(monkeypatch)
    folder = tmp_path / "footage"
    folder.mkdir()
    times = [40 * k + (3000 if k >= 45 else 0) for k in range(90)]
    shutil.move(write("paused.mp4", scene(90, 96, 128), times=times), folder / "paused.mp4")
    recipe = parse(RECIPE.format(folder=folder), "test")
    ctx = context(tmp_path / "out", recipe)
    clips = _clips(ctx, local_files(recipe.sources))
    assert [(clip.first_frame, clip.frames, clip.fps) for clip in clips] == [
        (0, 40, 25.0),
        (120, 40, 25.0),
    ]


def test_a_section_may_ask_for_more_or_shorter_clips(
    tmp_path: Path, write, scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_cuts(monkeypatch)
    for name, seed in (("v", 1), ("w", 2)):
        (tmp_path / name).mkdir()
        made = write(f"{name}.mp4", scene(80, 96, 128 + 16 * seed))
        shutil.move(made, tmp_path / name / f"{name}.mp4")
    text = f"""
    name: tiny
    sources:
      - {{kind: folder, path: {tmp_path / "v"}, per_source: 2, max_frames: 34}}
      - {{kind: folder, path: {tmp_path / "w"}}}
    clips: {{max_frames: 40, per_source: 1}}
    plan: {{weights: {{deblur: 1}}}}
    """
    ctx = context(tmp_path / "catalog", parse(text, "tiny"))
    clips = _clips(ctx, local_files(ctx.recipe.sources))
    assert [(clip.uri, clip.frames) for clip in clips] == [
        ("v.mp4", 34),
        ("v.mp4", 34),
        ("w.mp4", 40),
    ]


def test_what_the_shot_shows_behind_a_clips_objects_is_stored_once(
    tmp_path: Path, write, scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_cuts(monkeypatch)
    folder = tmp_path / "footage"
    folder.mkdir()
    still = scene(90, 97, 401)  # which a block crosses; clips have even sides
    rng = np.random.default_rng(0)
    canvas = rng.integers(0, 255, (96, 600, 3), dtype=np.uint8)
    panned = np.stack([canvas[:, 4 * t : 4 * t + 128] for t in range(90)])
    shutil.move(write("panned.mp4", panned), folder / "panned.mp4")
    odd = write("still.mkv", still, codec="ffv1", pix_fmt="bgr0")
    shutil.move(odd, folder / "still.mkv")
    recipe = parse(RECIPE.format(folder=folder), "test")
    ctx = context(tmp_path / "out", recipe)
    clips = _clips(ctx, local_files(recipe.sources))
    found = {clip.uri: {c.background for c in clips if c.uri == clip.uri} for clip in clips}
    assert found["panned.mp4"] == {""} and len(found["still.mkv"]) == 1
    shown = read_transparent(ctx.catalog.path(found["still.mkv"].pop()))
    assert shown.shape == (96, 400, 4)
    empty = scene(1, 97, 401)[0][:96, :400].copy()
    empty[16:40, :16] = empty[40:41, :16]  # where the block is in the first frame
    known = shown[..., 3] == 255
    assert known.mean() > 0.95
    off = np.abs(shown[..., :3].astype(int) - empty)[known]
    assert np.quantile(off, 0.99) < 30 and off.mean() < 3  # the coding of its smooth ramp
    again = context(tmp_path / "out", recipe)
    assert _clips(again, local_files(recipe.sources)) == clips
