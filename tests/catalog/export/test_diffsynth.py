"""DiffSynth-Studio's formats (and Kiwi-Edit's CSV, whose loader is a copy of it), read back by
`diffsynth.core.UnifiedDataset` with the operators of its training scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import HEIGHT, WIDTH, bar_masks

TWO = "task in ('upscaling', 'object_swap')"
"""A pair whose sides differ in size, and one with quotes in its instruction: the loader starts an
FFmpeg process several times per video, so not all of them are read."""


def load(folder: Path, metadata: str, keys: str, multiple: int, step: int, **rate: Any) -> Any:
    """The dataset as examples/*/model_training/train.py make it, videos at their own size."""
    diffsynth = pytest.importorskip("diffsynth.core")
    video = diffsynth.UnifiedDataset.default_video_operator(
        base_path=str(folder), height_division_factor=multiple, width_division_factor=multiple,
        time_division_factor=step, time_division_remainder=1, **rate,
    )  # fmt: skip
    operators = pytest.importorskip("diffsynth.core.data.operators")
    several = operators.RouteByType(
        operator_map=[(str, video), (list, operators.SequencialProcess(video))]
    )
    return diffsynth.UnifiedDataset(
        base_path=str(folder), metadata_path=str(folder / metadata), data_file_keys=keys.split(","),
        main_data_operator=video, special_operator_map={"in_context_videos": several},
    )  # fmt: skip


def test_vace_has_target_source_and_prompt(run: Export, tmp_path: Path) -> None:
    done = run("diffsynth-vace", tmp_path / "out", where=TWO)
    rows = load(tmp_path / "out" / "train", "metadata.json", "video,vace_video", 16, 4)
    assert len(rows) == done.splits["train"] == 2
    for k in range(len(rows)):
        row = rows[k]
        assert len(row["video"]) == len(row["vace_video"]) == 9  # of 12 frames: 4n+1
        assert row["video"][0].size == row["vace_video"][0].size
        assert isinstance(row["prompt"], str) and row["prompt"]


def test_vace_masks_are_white_where_the_edit_is(run: Export, tmp_path: Path) -> None:
    run("diffsynth-vace", tmp_path / "out", where=TWO)
    keys = "video,vace_video,vace_video_mask"
    rows = load(tmp_path / "out" / "train", "metadata_masked.json", keys, 16, 4)
    assert len(rows) == 1
    for k in range(len(rows)):
        masks = np.stack([np.asarray(frame) for frame in rows[k]["vace_video_mask"]])
        assert masks.shape == (9, HEIGHT, WIDTH, 3)
        assert ((masks[..., 0] > 127) == bar_masks()[:9]).all()
        assert set(np.unique(masks)) == {0, 255}


def test_fun_control_has_target_and_control(run: Export, tmp_path: Path) -> None:
    run("diffsynth-fun-control", tmp_path / "out", where=TWO)
    rows = load(tmp_path / "out" / "train", "metadata.json", "video,control_video", 16, 4)
    for k in range(len(rows)):
        assert len(rows[k]["video"]) == len(rows[k]["control_video"]) == 9
        assert rows[k]["video"][0].size == rows[k]["control_video"][0].size


def test_ltx2_has_its_contexts_at_24_frames_a_second(run: Export, tmp_path: Path) -> None:
    run("diffsynth-ltx2", tmp_path / "out", where=TWO)
    rows = load(
        tmp_path / "out" / "train", "metadata.json", "video,in_context_videos", 32, 8,
        frame_rate=24, fix_frame_rate=True,
    )  # fmt: skip
    assert len(rows) == 2
    for k in range(len(rows)):
        row = rows[k]
        (context,) = row["in_context_videos"]
        assert len(row["video"]) == len(context) == 17  # 1 s at 24 frames/s is 24 of them: 8n+1
        assert row["video"][0].size == context[0].size == (WIDTH, HEIGHT)
        assert row["frame_rate"] == 24 and row["in_context_downsample_factor"] == 1


def test_kiwi_edit_has_sides_of_one_size_and_length(run: Export, tmp_path: Path) -> None:
    run("kiwi-edit", tmp_path / "out", where=TWO)
    rows = load(tmp_path / "out" / "train", "metadata.csv", "src_video,tgt_video", 32, 4)
    assert len(rows) == 2
    prompts = set()
    for k in range(len(rows)):
        row = rows[k]
        source, target = row["src_video"], row["tgt_video"]
        assert source[0].size == target[0].size and len(source) == len(target) == 9
        assert set(row) == {"prompt", "src_video", "tgt_video"}  # an empty cell would be NaN
        prompts.add(row["prompt"])
    assert 'Say "bar", twice' in prompts
