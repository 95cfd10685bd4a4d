"""Formats whose trainers are on no package index, read as their sources say they read them:
key by key, frame by frame, with plain FFmpeg (PyAV) as most of them do."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from catalog.releases import Catalog
from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import FPS, FRAMES, HEIGHT, WIDTH, bar, bar_masks


def frames_of(path: Path) -> tuple[np.ndarray, float]:
    """All frames, uint8 [T, H, W, 3], and the rate that the container tells."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert stream.frames in (0, len(frames))  # trainers trust the count where there is one
        return np.stack(frames), float(stream.average_rate)


def assert_same(dataset: Catalog, record: Any, side: str, exported: Path) -> None:
    """Footage byte for byte; what was generated, which is signed, frame for frame."""
    path = dataset.path(getattr(record, f"{side}_video"))
    if side == record.generated_side:
        assert (frames_of(exported)[0] == frames_of(path)[0]).all()
    else:
        assert exported.read_bytes() == path.read_bytes()


def test_ltx_trainer(run: Export, tmp_path: Path) -> None:
    """process_videos.py: paths relative to the JSON, a column read from every row, both sides in
    one bucket of width × height × frames, the file's rate kept with the latents."""
    done = run("ltx-trainer", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    entries = json.loads((folder / "dataset.json").read_text())
    assert len(entries) == done.splits["train"] == 6
    for entry in entries:
        assert set(entry) == {"caption", "video", "reference_video"} and entry["caption"]
        (target, rate), (source, other) = (
            frames_of(folder / entry[key]) for key in ("video", "reference_video")
        )
        assert target.shape == source.shape and rate == other == 24
        frames, height, width = target.shape[:3]
        assert frames % 8 == 1 and frames > 1 and not height % 32 and not width % 32


def test_ltx_trainer_keeps_what_is_white(run: Export, tmp_path: Path) -> None:
    """compute_video_masks: mean over channels, mean over 32 × 32 px, above 0.5 is held fixed."""
    run("ltx-trainer", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    entries = json.loads((folder / "dataset_masked.json").read_text())
    assert len(entries) == 2
    for entry in entries:
        masks, rate = frames_of(folder / entry["video_mask"])
        video, _ = frames_of(folder / entry["video"])
        assert masks.shape == video.shape and rate == 24
        gray = masks.mean(axis=3) / 255
        shown = [min(int(k / 24 * FPS + 0.5), FRAMES - 1) for k in range(len(masks))]
        assert ((gray > 0.5) == ~bar_masks()[shown]).all()
        tokens = gray.reshape(len(masks), HEIGHT // 32, 32, WIDTH // 32, 32).mean(axis=(2, 4)) > 0.5
        assert tokens.all()  # a bar 12 px wide fills no token
        assert entry["video_mask"].endswith(".mkv")


def test_videox_fun(run: Export, tmp_path: Path) -> None:
    """ImageVideoControlDataset: frame numbers drawn from the target are read of the control."""
    run("videox-fun", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    entries = json.loads((folder / "metadata.json").read_text())
    assert len(entries) == 6
    for entry in entries:
        assert entry["type"] == "video" and entry["text"]
        target, _ = frames_of(folder / entry["file_path"])
        control, _ = frames_of(folder / entry["control_file_path"])
        assert target.shape == control.shape
        assert target.shape[1:3] == (entry["height"], entry["width"])
        assert len(target) % 4 == 1


def test_musubi_tuner(run: Export, tmp_path: Path) -> None:
    """config_utils and VideoJsonlDatasource: the keys of a data set are checked against a schema,
    cache folders are unique, every row has a control, and paths are opened as they stand."""
    run("musubi-tuner", tmp_path / "out")
    config = tomllib.loads((tmp_path / "out" / "train" / "dataset.toml").read_text())
    allowed = {"video_jsonl_file", "cache_directory", "target_frames", "frame_extraction"}
    assert set(config["general"]) <= {
        "resolution",
        "batch_size",
        "enable_bucket",
        "bucket_no_upscale",
    }
    assert config["general"]["resolution"] == [WIDTH, HEIGHT]
    caches = [data["cache_directory"] for data in config["datasets"]]
    assert len(set(caches)) == len(caches) == 1
    rows = 0
    for data in config["datasets"]:
        assert set(data) <= allowed
        for line in Path(data["video_jsonl_file"]).read_text().splitlines():
            row = json.loads(line)
            assert set(row) == {"video_path", "control_path", "caption"}
            for key in ("video_path", "control_path"):
                assert Path(row[key]).is_absolute()
                assert len(frames_of(Path(row[key]))[0]) in data["target_frames"]
            rows += 1
    assert rows == 6


def test_musubi_tuner_lists_pairs_by_their_length(dataset: Catalog, tmp_path: Path) -> None:
    from catalog.export.format import ExportRecord
    from catalog.export.shapes import Shape
    from catalog.export.trainers.musubi_tuner import MusubiTuner

    class Three:
        name, folder = "train", tmp_path / "train"

        def __iter__(self) -> Any:
            row = dataset.pairs().collect().row(0, named=True)
            for k, frames in enumerate((9, 17, 9)):
                shape = Shape(frames, FPS, WIDTH, HEIGHT)
                yield ExportRecord(f"pair{k}", row, {"source": shape, "target": shape})

    indexes = {f.path: f for f in MusubiTuner().files(Three()) if f.what == "index"}
    assert set(indexes) == {"train/pairs_9f.jsonl", "train/pairs_17f.jsonl", "train/dataset.toml"}
    listed = "".join(indexes["train/pairs_9f.jsonl"].pieces())  # type: ignore[attr-defined]
    assert [Path(json.loads(line)["video_path"]).stem for line in listed.splitlines()] == [
        "pair0",
        "pair2",
    ]


def test_ai_toolkit(run: Export, tmp_path: Path) -> None:
    """ControlFileItemDTOMixin: the control is the file of the same base name in the other folder;
    the caption lies beside the target."""
    run("ai-toolkit", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    targets = sorted((folder / "target").glob("*.mp4"))
    assert len(targets) == 6
    for target in targets:
        assert target.with_suffix(".txt").read_text()
        source, _ = frames_of(folder / "source" / target.name)
        assert source.shape == frames_of(target)[0].shape


def test_senorita(run: Export, dataset: Catalog, tmp_path: Path) -> None:
    run("senorita", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    kept = dataset.pairs().collect().filter(keep=True)
    indexes = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert set(indexes) == set(kept["task"])
    for task, entries in indexes.items():
        for entry in entries:
            record = dataset.pair(Path(entry["source_video_path"]).stem).record
            assert record.task == task and entry["instruction"] == record.instruction
            assert entry.get("enhanced_instruction", "") == record.enhanced_instruction
            for side in ("source", "target"):
                assert_same(dataset, record, side, folder / entry[f"{side}_video_path"])


def test_insvie(run: Export, tmp_path: Path) -> None:
    """SFTDataset_edit: five columns after a header; both sides under one name in two folders; the
    instruction is the third column; the same frame numbers are read of both."""
    run("insvie", tmp_path / "out")
    table = tmp_path / "out" / "train" / "train.csv"
    with table.open(newline="") as file:
        rows = sorted(list(csv.reader(file))[1:])
    assert len(rows) == 6
    for name, _, instruction, _, folder in rows:
        assert instruction and name[:-4] and name.endswith(".mp4")
        source, _ = frames_of(table.parent / "source" / name)
        edited, _ = frames_of(table.parent / folder / name)
        assert source.shape == edited.shape and len(source) % 4 == 1
    assert 'Say "bar", twice' in [row[2] for row in rows]


def test_vefx(run: Export, dataset: Catalog, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out", where="keep or not keep")
    table = tmp_path / "out" / "train" / "edits.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(dataset.pairs().collect()) == 9
    for row in rows:
        record = dataset.pair(Path(row["edited_video"]).stem).record
        assert row["instruction"] == record.instruction
        for column, side in (("original_video", "source"), ("edited_video", "target")):
            assert_same(dataset, record, side, table.parent / row[column])


def test_vivid(run: Export, tmp_path: Path) -> None:
    done = run("vivid", tmp_path / "out")
    folder = tmp_path / "out" / "train"
    entries = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert done.splits == {"train": 2} and {entry["is_image"] for entry in entries} == {True, False}
    for entry in entries:
        assert entry["caption_short"] == "a bar" and entry["task"] == "addition"
        if entry["is_image"]:
            x = cv2.imread(str(folder / entry["video"]))[None]
            m = cv2.imread(str(folder / entry["mask"]))[None, ..., 0]
        else:
            x, rate = frames_of(folder / entry["video"])
            m = frames_of(folder / entry["mask"])[0][..., 0]
            assert rate == FPS
        assert x.shape == (entry["frames"], HEIGHT, WIDTH, 3) and m.shape == x.shape[:3]
        assert ((m > 127) == bar_masks()[: len(m)]).all()


def test_an_image_is_the_first_frame_of_its_window_and_crop(run: Export, tmp_path: Path) -> None:
    run("vivid", tmp_path / "out", where="subset = 'image'")
    x = cv2.imread(str(tmp_path / "out" / "train" / "x" / "image.png"))[..., 0]
    clip = bar(HEIGHT + 8, WIDTH + 8)[3, 8:, 8:, 0]
    assert abs(x.astype(int) - clip[:HEIGHT, :WIDTH]).mean() < 3


@pytest.mark.parametrize("name", ["diffsynth-vace", "ltx-trainer", "kiwi-edit", "insvie"])
def test_sides_made_alike_still_show_the_same_moments(
    name: str, run: Export, dataset: Catalog, tmp_path: Path
) -> None:
    """The smaller source is enlarged to its target, and the bar is where it is in the target."""
    run(name, tmp_path / "out", where="task = 'upscaling'")
    (source,), (target,) = (
        sorted((tmp_path / "out" / "train" / side).glob("*.mp4")) for side in ("source", "target")
    )
    before, rate = frames_of(source)
    after, _ = frames_of(target)
    assert before.shape == after.shape
    for k in range(len(after)):
        moment = min(int(k / rate * FPS + 0.5), FRAMES - 1)
        left = WIDTH * 7 // 8 * moment // (FRAMES - 1)
        middle = slice(left + 3, left + WIDTH // 8 - 3)
        assert abs(after[k, :, middle].astype(int) - 200).max() < 16
        assert abs(before[k, :, middle].astype(int) - 200).max() < 24
