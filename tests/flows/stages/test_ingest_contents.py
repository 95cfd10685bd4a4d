"""A content is cut once, whatever its files are called, and every file is a clip's or has a row."""

import dataclasses
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog import media
from catalog.errors import BadInput
from catalog.records import Clip
from experts.base import Frames
from filters.footage.models import models_for
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.runtime.selection import parts, select, settle
from flows.sources import local_files
from flows.sources.copies import joined
from flows.stages.clips import ingest, look
from tests.flows.stages.one_shot import OneShot, without_cuts


@pytest.fixture(autouse=True)
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded to be looked at."""
    names: list[str] = []
    decoded = media.iter_frames_and_samples

    def noted(path: Path, *given: Any) -> Any:
        names.append(path.name)
        return decoded(path, *given)

    monkeypatch.setattr(media, "iter_frames_and_samples", noted)
    without_cuts(monkeypatch)
    return names


@pytest.fixture
def footage(tmp_path: Path, write, scene) -> Path:
    folder = tmp_path / "footage"
    folder.mkdir()
    shutil.move(write("m.mp4", scene(40, 96, 128)), folder / "m.mp4")
    return folder


def build(folder: Path, rules: str = "", licence: str = "CC0-1.0") -> tuple[Context, list[Clip]]:
    """The ingest of a build in shards of one file."""
    recipe = parse(
        f"name: x\nsources: [{{kind: folder, path: '{folder}', licence: {licence}}}]\n"
        f"clips: {{max_frames: 40, {rules}}}\nplan: {{weights: {{deblur: 1}}}}\n",
        "x",
    )
    ctx = context(folder.parent / "catalog", recipe)
    ctx.catalog = select(ctx.catalog, recipe)
    before = parts(ctx.catalog.tables)
    files = joined(local_files(recipe.sources))
    clips = [clip for file in files for clip in ingest.run(ctx, look.run(ctx, [file]))]
    assert settle(ctx.catalog.tables, before) == []
    return ctx, clips


def failures(ctx: Context) -> dict[str, tuple[str, str]]:
    rows = ctx.catalog.failures().collect().iter_rows(named=True)
    return {row["record"]: (row["reason"], row["message"]) for row in rows}


def sources(ctx: Context) -> dict[str, list[str]]:
    rows = ctx.catalog.sources().collect().iter_rows(named=True)
    return {row["name"]: row["names"] for row in rows}


def test_copies_are_one_source_with_every_name(footage: Path, looked: list[str]):
    shutil.copy(footage / "m.mp4", footage / "z.mp4")
    (footage / "sub").mkdir()
    shutil.copy(footage / "m.mp4", footage / "sub" / "a.mp4")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4"]
    assert looked == ["m.mp4"]
    assert sources(ctx) == {"m.mp4": ["m.mp4", "sub/a.mp4", "z.mp4"]}
    assert {name: reason for name, (reason, _) in failures(ctx).items()} == {
        "sub/a.mp4": "duplicate", "z.mp4": "duplicate",
    }  # fmt: skip
    assert failures(ctx)["z.mp4"][1].startswith("z.mp4: same content as m.mp4; its clips are made")


def test_copies_within_one_shard_are_one_source(footage: Path, looked: list[str]):
    shutil.copy(footage / "m.mp4", footage / "z.mp4")
    ctx, _ = build(footage)
    shutil.move(footage / "z.mp4", footage / "y.mp4")
    again = ingest.run(ctx, look.run(ctx, joined(local_files(ctx.recipe.sources))))
    assert len(again) == 1
    assert looked == ["m.mp4"]
    assert failures(ctx).keys() == {"y.mp4"}


def test_a_later_build_that_meets_it_under_another_name(footage: Path, looked: list[str]):
    _, before = build(footage)
    shutil.copy(footage / "m.mp4", footage / "a.mp4")
    ctx, after = build(footage)
    assert after == [dataclasses.replace(clip, uri="a.mp4") for clip in before]
    assert sources(ctx) == {"a.mp4": ["a.mp4", "m.mp4"]}
    assert failures(ctx).keys() == {"m.mp4"}
    (footage / "m.mp4").unlink()
    ctx, alone = build(footage)
    assert alone == after
    assert looked == ["m.mp4"]
    assert sources(ctx) == {"a.mp4": ["a.mp4"]}  # by its present names only
    assert failures(ctx) == {}


def test_a_copy_that_becomes_another_video_loses_its_row(footage: Path, write, scene):
    shutil.copy(footage / "m.mp4", footage / "z.mp4")
    build(footage)
    shutil.move(write("z.mp4", scene(40, 80, 112)), footage / "z.mp4")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4", "z.mp4"]
    assert failures(ctx) == {}


def test_copies_of_a_broken_file_have_rows_too(footage: Path):
    for name in ("bad.mp4", "worse.mp4"):
        (footage / name).write_bytes(b"no video at all")
    ctx, _ = build(footage)
    told = failures(ctx)
    assert told["bad.mp4"][0] == "corrupt_video"
    assert told["worse.mp4"][0] == "duplicate"
    assert "bad.mp4, which gives no clip" in told["worse.mp4"][1]


def test_a_licence_put_right_reaches_the_rows_and_nothing_is_cut_again(
    footage: Path, looked: list[str]
):
    build(footage, licence="unknown")
    ctx, clips = build(footage, licence="CC-BY-4.0")
    assert [clip.licence for clip in clips] == ["CC-BY-4.0"]
    assert ctx.catalog.sources().collect()["licence"].to_list() == ["CC-BY-4.0"]
    assert looked == ["m.mp4"]


def test_what_is_too_short_says_what_it_is_and_what_to_do(footage: Path, write, scene):
    shutil.move(write("s.mp4", scene(12, 96, 128)), footage / "s.mp4")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4"]
    reason, message = failures(ctx)["s.mp4"]
    assert reason == "too_short"
    assert message.endswith(
        "s.mp4: its longest stretch without a cut has 12 frames, and a clip needs 33; "
        "lower clips.min_frames to 12 in the recipe, or leave it out"
    )
    ctx, clips = build(footage, "min_frames: 12")
    assert [clip.frames for clip in clips] == [40, 12]
    assert failures(ctx) == {}


def test_one_picture_is_no_clip_by_any_rule(footage: Path, write, scene):
    shutil.move(write("one.mp4", scene(1, 96, 128)), footage / "one.mp4")
    ctx, _ = build(footage)
    assert failures(ctx)["one.mp4"][1].endswith("has 1 frame, and a clip needs 33; leave it out")


def test_refused_files_get_a_row_under_their_printable_name(footage: Path, write, scene):
    (footage / "raw.r3d").write_bytes(b"raw")
    (footage / os.fsdecode(b"bad\xe9.mp4")).write_bytes(b"no video")
    shutil.move(write("g.mp4", scene(40, 80, 112)), footage / os.fsdecode(b"good\xe9\n.mp4"))
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4", "good\\xe9\n.mp4"]
    told = failures(ctx)
    assert {name: reason for name, (reason, _) in told.items()} == {
        "raw.r3d": "unsupported_format", "bad\\xe9.mp4": "corrupt_video",
    }  # fmt: skip
    assert all(message.isprintable() for _, message in told.values())


def test_a_source_that_cannot_be_read_does_not_end_the_build(footage: Path):
    (footage / "gone.mp4").symlink_to("nothing")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4"]
    assert failures(ctx)["gone.mp4"][0] == "unreadable_file"
    (footage / "gone.mp4").unlink()
    shutil.copy(footage / "m.mp4", footage / "gone.mp4")
    told = failures(build(footage)[0])
    assert {name: reason for name, (reason, _) in told.items()} == {"m.mp4": "duplicate"}


def test_a_file_that_changes_while_it_is_read_is_left_for_another_day(
    footage: Path, monkeypatch: pytest.MonkeyPatch
):
    def shots(self: OneShot, frames: Iterable[Frames]) -> list[tuple[int, int]]:
        count = sum(1 for _ in frames)
        os.utime(footage / "m.mp4", ns=(0, 0))
        return [(0, count)]

    ctx, _ = build(footage)
    monkeypatch.setattr(OneShot, "shots", shots)
    monkeypatch.setattr(look, "VERSION", "another")
    (file,) = local_files(ctx.recipe.sources)
    looking = look._Looking(ctx, OneShot(0.5), models_for(ctx.recipe.footage), frozenset())  # type: ignore[arg-type]
    looking.key(file)
    with pytest.raises(BadInput, match="while it was read") as error:
        looking.document(file)
    assert not error.value.final


def test_a_clips_row_tells_what_its_file_holds(footage: Path, monkeypatch: pytest.MonkeyPatch):
    written = media.write_video
    monkeypatch.setattr(
        media, "write_video", lambda path, frames, fps, crf: written(path, frames, 2 * fps, crf)
    )
    ctx, (clip,) = build(footage)
    stored = media.probe(ctx.catalog.path(clip.video))
    assert clip.fps == stored.fps == pytest.approx(50)
    assert (clip.frames, clip.width, clip.height) == (40, 128, 96)


def test_a_clip_that_lacks_frames_is_refused(footage: Path, monkeypatch: pytest.MonkeyPatch):
    written = media.write_video
    monkeypatch.setattr(
        media, "write_video", lambda path, frames, fps, crf: written(path, list(frames)[1:], fps)
    )
    ctx, clips = build(footage)
    assert clips == []
    assert failures(ctx)["m.mp4"][0] == "corrupt_video"
    assert "39 frames came of the 40" in failures(ctx)["m.mp4"][1]


def test_what_reading_did_to_a_source_is_kept(footage: Path, monkeypatch: pytest.MonkeyPatch):
    probe = media.probe
    monkeypatch.setattr(
        media,
        "probe",
        lambda path: SimpleNamespace(
            **{**dataclasses.asdict(probe(path)), "notes": ("deinterlaced",)}
        ),
    )
    ctx, _ = build(footage)
    assert ctx.catalog.sources().collect()["notes"].to_list() == [["deinterlaced"]]


def test_a_folder_that_can_be_read_again_loses_its_row(
    footage: Path, monkeypatch: pytest.MonkeyPatch, write, scene
):
    (footage / "locked").mkdir()
    shutil.move(write("in.mp4", scene(40, 80, 112)), footage / "locked" / "in.mp4")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4"]
    assert failures(ctx)["locked"][0] == "unreadable_folder"
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["locked/in.mp4", "m.mp4"]
    assert failures(ctx) == {}
